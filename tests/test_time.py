"""Laws of coarser times, numbers and words."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.schema import METHODS, PROTOCOLS
from logscrub.scrubbers import number, time

MS = pa.timestamp("ms", tz="UTC")
INSTANTS = st.lists(st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999), max_size=20)

GOLDEN = [
    ("millisecond", "2015-05-17T10:05:03.123"),
    ("second", "2015-05-17T10:05:03"),
    ("minute", "2015-05-17T10:05:00"),
    ("hour", "2015-05-17T10:00:00"),
    ("day", "2015-05-17T00:00:00"),
]


@pytest.mark.parametrize(("precision", "expected"), GOLDEN)
def test_coarsen_golden(precision: time.Precision, expected: str) -> None:
    """Each precision keeps the beginning of its unit."""
    instant = pa.array([datetime(2015, 5, 17, 10, 5, 3, 123_000, UTC)], MS)
    assert time.coarsen(instant, precision).to_pylist() == [
        datetime.fromisoformat(expected).replace(tzinfo=UTC)
    ]


def test_coarsen_rounds_down_before_1970() -> None:
    """One millisecond before the epoch belongs to the day before it."""
    assert time.coarsen(pa.array([-1], MS), "day").cast(pa.int64()).to_pylist() == [-86_400_000]


@given(INSTANTS, st.sampled_from(sorted(time.STEPS)))
def test_coarsen_laws(values: list[int | None], precision: time.Precision) -> None:
    """The result is a multiple of the step, at most the instant, less than a step below; null stays; again is equal."""
    array = pa.array(values, MS)
    out = time.coarsen(array, precision)
    step = time.STEPS[precision]
    assert out.type == MS
    assert time.coarsen(out, precision) == out
    for raw, kept in zip(values, out.cast(pa.int64()).to_pylist(), strict=True):
        assert (raw is None) == (kept is None)
        assert raw is None or (kept % step == 0 and 0 <= raw - kept < step)


@given(
    st.lists(
        st.none() | st.integers(0, 2**64 - 1) | st.integers(0, 63).map(lambda n: 2**n - 1),
        max_size=20,
    )
)
def test_powers_of_two_law(values: list[int | None]) -> None:
    """The result is the highest bit alone, exact over all 64 bits; 0 and null stay."""
    out = number.powers_of_two(pa.array(values, pa.uint64()))
    assert out.type == pa.uint64()
    assert out.to_pylist() == [v and 1 << (v.bit_length() - 1) for v in values]


@given(
    st.lists(
        st.none() | st.text(max_size=9) | st.sampled_from(sorted(METHODS | PROTOCOLS)), max_size=20
    )
)
def test_vocabulary_law(values: list[str | None]) -> None:
    """A word is kept exactly if it is in the list; null stays; the empty word is another word."""
    array = pa.array(values, pa.string())
    for scrub, allowed in ((number.method, METHODS), (number.protocol, PROTOCOLS)):
        out = scrub(array)
        assert out.type == pa.string()
        assert out.to_pylist() == [v if v is None or v in allowed else "other" for v in values]


def test_no_rows() -> None:
    """Nothing in, nothing out, with the right types."""
    assert time.coarsen(pa.array([], MS), "hour") == pa.array([], MS)
    assert number.powers_of_two(pa.array([], pa.uint64())) == pa.array([], pa.uint64())
    assert number.method(pa.array([], pa.string())) == pa.array([], pa.string())
