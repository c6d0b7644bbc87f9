"""Compiled loops work wherever they are, and the arrays they take hold what Arrow holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logscrub.compiled import PAD, compiled, laid_out

if TYPE_CHECKING:
    from collections.abc import Callable


def test_without_a_place_for_machine_code() -> None:
    """A loop that cannot be kept is compiled all the same: a service may have no folder to write to."""
    names: dict[str, Callable[[int], int]] = {}
    exec(
        "def double(number):\n    return 2 * number", names
    )  # code without a file has no place for its cache
    assert compiled(names["double"])(21) == 42


@given(st.lists(st.one_of(st.none(), st.binary(max_size=9))), st.integers(0, 5))
def test_laid_out(values: list[bytes | None], skipped: int) -> None:
    """Slices too; null is empty; padding follows."""
    array = pa.array(values, pa.binary())[skipped:]
    data, starts, ends = laid_out(array)
    found = [data[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]
    assert found == [one or b"" for one in array.to_pylist()]
    assert not data[len(data) - PAD :].any()
