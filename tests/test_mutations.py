"""The tests of the commit protocol find what they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faults
import mutations
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", mutations.MUTANTS)
def test_a_deliberate_bug_is_found(name: str, tmp_path: Path) -> None:
    """Each named test passes without the bug, and fails with it."""
    mutant = mutations.MUTANTS[name]
    if any("crash" in test for test in mutant.tests) and (reason := faults.unavailable()):
        pytest.skip(reason)
    assert set(mutations.found(name, tmp_path)) == set(mutant.tests)


def test_a_bug_that_fits_nowhere_is_an_error(tmp_path: Path) -> None:
    """A source that has changed cannot let a bug pass for found."""
    (tmp_path / "x.py").write_text("one\n")
    for pattern in ("two", "one|\n"):
        with pytest.raises(mutations.Unfit, match="bring its pattern up to date"):
            mutations.apply(mutations.Mutant("x.py", pattern, "", ()), tmp_path)
