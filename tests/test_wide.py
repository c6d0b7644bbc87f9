"""The steps over 64 bytes say what Python says of the same bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logscrub.compiled import Bytes, Words, compiled, padded
from logscrub.wide import (
    address,
    byte,
    count,
    differing,
    integer,
    lowest,
    mixed,
    number,
    occurrences,
    places,
    put,
    put_integer,
    same,
    signed,
    word,
)

NUMBERS = st.integers(0, 2**64 - 1)


@compiled
def _look(data: Bytes, at: int, other: int, wanted: int, size: int, out: Bytes) -> None:  # noqa: PLR0917 — a loop
    base, results = address(data), address(out)
    mask = places(base, at, wanted)
    put(results, 0, signed(mask))
    put(results, 8, lowest(mask))
    put(results, 16, count(mask))
    put(results, 24, signed(differing(base, at, base, other)))
    put(results, 32, signed(word(base, at)))
    put(results, 40, number(base, at))
    put(results, 48, integer(base, at))
    put(results, 56, byte(base, at))
    put(results, 64, occurrences(base, at, at + size, wanted))
    put(results, 72, same(base, at, base, other, size))
    put(results, 80, -1)
    put_integer(results, 80, 0)


@compiled
def _mix(given: Words, out: Words) -> None:
    out[0] = mixed(given[0], given[1])


def bits(flags: list[bool]) -> int:
    """A mask, the first one lowest."""
    return sum(flag << place for place, flag in enumerate(flags))


@given(st.binary(max_size=200), st.data())
def test_steps(text: bytes, data: st.DataObject) -> None:
    """Wherever one looks, up to the last byte."""
    at = data.draw(st.integers(0, len(text)))
    other = data.draw(st.integers(0, len(text)))
    size = data.draw(st.integers(0, len(text) - max(at, other)))
    wanted = data.draw(st.sampled_from([*text, 0, 10, 255]))
    whole = padded(text).tobytes()
    out = np.zeros(88, np.uint8)
    _look(padded(text), at, other, wanted, size, out)
    found = out.view(np.uint64).tolist()
    seen = whole[at : at + 64]
    assert found[0] == bits([one == wanted for one in seen])
    assert found[1] == (seen.find(wanted) if wanted in seen else 64)
    assert found[2] == seen.count(wanted)
    pairs = zip(seen, whole[other : other + 64], strict=True)
    assert found[3] == bits([one != two for one, two in pairs])
    assert found[4] == found[5] == int.from_bytes(whole[at : at + 8], "little")
    assert out.view(np.int64)[6] == int.from_bytes(whole[at : at + 4], "little", signed=True)
    assert found[7] == whole[at]
    assert found[8] == text[at : at + size].count(wanted)
    assert bool(found[9]) == (text[at : at + size] == text[other : other + size])
    assert found[10] == 2**64 - 2**32


@given(NUMBERS, NUMBERS)
def test_mixed(one: int, other: int) -> None:
    """Both halves of the product, one on the other."""
    out = np.zeros(1, np.uint64)
    _mix(np.array([one, other], np.uint64), out)
    product = one * other
    assert out[0] == (product >> 64) ^ (product & (2**64 - 1))
