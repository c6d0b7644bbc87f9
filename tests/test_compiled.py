"""Compiled loops work wherever they are, and the arrays they take hold what Arrow holds."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logscrub.compiled import compiled, laid_out
from logscrub.schema import PAD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_without_a_place_for_machine_code() -> None:
    """A loop that cannot be kept is compiled all the same: a service may have no folder to write to."""
    names: dict[str, Callable[[int], int]] = {}
    exec(
        "def double(number):\n    return 2 * number", names
    )  # code without a file has no place for its cache
    assert compiled(names["double"])(21) == 42


SCRIPT = """
import sys
from logscrub.compiled import padded
from logscrub.formats import fast
print(*(part.tolist() for part in fast.line_bounds(padded(b"a\\nbb\\n"), 5)))
"""


def bounds(cache: Path) -> str:
    """What a process of its own finds, with its machine code in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_damaged_machine_code_is_made_again(tmp_path: Path) -> None:
    """What is kept may be cut short or gone: the loops are compiled again, and kept again."""
    expected = bounds(tmp_path)
    assert expected == "[0, 2] [1, 4]\n"
    kept = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc"))
    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    for path in kept:
        whole = path.stat().st_size
        os.truncate(path, 50)
        assert bounds(tmp_path) == expected
        # a loop that only other loops call is part of theirs, and not looked for
        if path.name.startswith(("fast.count_of", "fast._find_lines")):
            assert path.stat().st_size >= whole - 50


@given(st.lists(st.one_of(st.none(), st.binary(max_size=9))), st.integers(0, 5))
def test_laid_out(values: list[bytes | None], skipped: int) -> None:
    """Slices too; null is empty; padding follows."""
    array = pa.array(values, pa.binary())[skipped:]
    data, starts, ends = laid_out(array)
    found = [data[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]
    assert found == [one or b"" for one in array.to_pylist()]
    assert not data[len(data) - PAD :].any()
