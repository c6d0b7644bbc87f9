"""Status, size and duration."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.compiled import padded
from logscrub.formats import numbers

if TYPE_CHECKING:
    from logscrub.compiled import Bytes, Places


def spread(texts: list[bytes]) -> tuple[Bytes, Places, Places]:
    """The values one after the other, as fields of a block."""
    ends = np.cumsum([len(text) + 1 for text in texts], dtype=np.int32) - 1
    starts = ends - np.array([len(text) for text in texts], np.int32)
    return padded(b"7".join(texts) + b"7"), starts, ends


@given(st.lists(st.integers(0, 2**64 + 10**6), min_size=1))
def test_sizes_are_exact(values: list[int]) -> None:
    """Any whole number that fits 64 bits is kept to the last digit; a larger one is refused."""
    column, bad = numbers.sizes(*spread([b"%d" % value for value in values]))
    assert bad.tolist() == [value >= 2**64 for value in values]
    assert column.to_pylist() == [value if value < 2**64 else None for value in values]


@pytest.mark.parametrize(
    ("text", "size", "bad"),
    [
        (b"-", 0, False),
        (b"", None, False),
        (b"-1", None, False),
        (b"0", 0, False),
        (b"00012", 12, False),
        (b"1.5", None, True),
        (b"1x", None, True),
        (b"12345678 ", None, True),
    ],
)
def test_odd_sizes(text: bytes, size: int | None, bad: bool) -> None:  # noqa: FBT001 — a table
    """`-` is no bytes; nothing, and less than nothing, is null."""
    column, wrong = numbers.sizes(*spread([text, b"5"]))
    assert column.to_pylist() == [size, 5]
    assert wrong.tolist() == [bad, False]


@pytest.mark.parametrize(
    ("text", "status", "bad"),
    [
        (b"200", 200, False),
        (b"999", 999, False),
        (b"100", 100, False),
        (b"-", None, False),
        (b"", None, False),
        (b"000", None, False),
        (b"009", None, False),
        (b"99", None, True),
        (b"1000", None, True),
        (b"-1", None, True),
        (b"200.0", 200, False),
        (b"200.5", None, True),
        (b"2" * 30, None, True),
    ],
)
def test_statuses(text: bytes, status: int | None, bad: bool) -> None:  # noqa: FBT001 — a table
    """Three digits; nginx's `000` and `009` mean there was none."""
    column, wrong = numbers.statuses(*spread([text, b"404"]))
    assert column.to_pylist() == [status, 404]
    assert wrong.tolist() == [bad, False]


@given(
    st.lists(st.decimals(0, 5_000_000, places=3), min_size=1),
    st.sampled_from([1000.0, 1.0, 0.001, 0.000001]),
)
def test_durations_round_half_down(values: list[Decimal], scale: float) -> None:
    """Any unit becomes milliseconds as decimal arithmetic says."""
    column, bad = numbers.durations(
        *spread([b"%f" % 0 if not v else str(v).encode() for v in values]), scale=scale
    )
    exact = [int((v * Decimal(str(scale))).to_integral_value(ROUND_HALF_DOWN)) for v in values]
    assert column.to_pylist() == [ms if ms < 2**32 else None for ms in exact]
    assert bad.tolist() == [ms >= 2**32 for ms in exact]


@pytest.mark.parametrize(
    ("text", "scale", "ms", "bad"),
    [
        (b"-", 1000.0, None, False),
        (b"", 1000.0, None, False),
        (b"-1", 1.0, None, False),
        (b"0.123456", 1000.0, 123, False),
        (b"4294967295", 1.0, 2**32 - 1, False),
        (b"4294967296", 1.0, None, True),
        (b"99999999999999999999", 0.001, None, True),
        (b"1500", 0.001, 1, False),
        (b"1501", 0.001, 2, False),
        (b"4000000000000000", 0.000001, 4_000_000_000, False),
    ],
)
def test_odd_durations(text: bytes, scale: float, ms: int | None, bad: bool) -> None:  # noqa: FBT001 — a table
    """Half a millisecond is rounded down; what does not fit is refused."""
    column, wrong = numbers.durations(*spread([text, b"7"]), scale=scale)
    assert column.to_pylist()[0] == ms
    assert wrong.tolist() == [bad, False]
