"""Head and chain: what makes a source itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logscrub.identity import HEAD, Chain, head_fingerprint
from logscrub.records import Source
from logscrub.run.recognise import recognise

KEY, OTHER = bytes(32), bytes([1]) * 32
TEXT = b"".join(b'192.0.2.%d - - "GET /%d"\n' % (n % 250, n) for n in range(60_000))


def chain_of(data: bytes, key: bytes = KEY) -> bytes:
    chain = Chain(key)
    chain.update(data)
    return chain.value()


def known(data: bytes) -> Source:
    """A source of which all of `data` was read."""
    head = data[:HEAD]
    return Source(
        "id", "file", "x", "combined", "", len(head), head_fingerprint(KEY, head), chain_of(data), len(data), None,
        "", "", "read", "", "",
    )  # fmt: skip


@given(st.lists(st.integers(0, len(TEXT)), max_size=6))
def test_portions_do_not_change_the_chain(cuts: list[int]) -> None:
    """The chain depends on the bytes alone."""
    marks = sorted({0, len(TEXT), *cuts})
    chain = Chain(KEY)
    for a, b in pairwise(marks):
        chain.update(TEXT[a:b])
    assert chain.value() == chain_of(TEXT)
    assert chain.length == len(TEXT)


@given(st.integers(0, len(TEXT) - 1))
def test_any_changed_byte_changes_the_chain(place: int) -> None:
    """Also in the first of several chunks; and another key gives another chain."""
    changed = bytearray(TEXT)
    changed[place] ^= 1
    assert chain_of(bytes(changed)) != chain_of(TEXT)
    assert chain_of(TEXT, OTHER) != chain_of(TEXT)


def test_a_copy_goes_on_separately() -> None:
    """The copy keeps its value while the original moves on."""
    chain = Chain(KEY)
    chain.update(TEXT[:5000])
    kept = chain.copy()
    chain.update(TEXT[5000:])
    assert kept.value() == chain_of(TEXT[:5000])
    kept.update(TEXT[5000:])
    assert kept.value() == chain.value()


@given(st.integers(2000, len(TEXT)), st.integers(0, len(TEXT)), st.integers(1, 2**21))
def test_a_source_is_recognised_by_its_bytes_alone(read: int, there: int, portion: int) -> None:
    """Grown, complete or shorter, by length; the portions it comes in do not matter."""
    data = TEXT[: max(there, 1500)]
    found = recognise(
        (data[i : i + portion] for i in range(0, len(data), portion)), [known(TEXT[:read])], KEY
    )
    expected = "grown" if len(data) > read else "complete" if len(data) == read else "shorter"
    assert found.verdict == expected


def test_an_equal_head_is_not_enough() -> None:
    """Same first kilobyte, different later: a new source."""
    other = TEXT[:5000] + b"!" + TEXT[5001:]
    assert recognise([other], [known(TEXT[:9000])], KEY).verdict == "new"
    longer = replace(known(TEXT[:4000]), id="first")
    assert recognise([other], [known(TEXT[:9000]), longer], KEY).source == longer


def test_the_source_read_furthest_counts() -> None:
    """Two known prefixes: the longer proof wins."""
    short, long = replace(known(TEXT[:2000]), id="short"), replace(known(TEXT[:9000]), id="long")
    found = recognise([TEXT[:9500]], [short, long], KEY)
    assert found.verdict == "grown"
    assert found.source is not None
    assert found.source.id == "long"


def test_forgotten_heads_match_nothing() -> None:
    """A source whose hashes were dropped is not recognised."""
    assert recognise([TEXT], [replace(known(TEXT), head=None, chain=None)], KEY).verdict == "new"
