"""Five deliberate bugs, each in a copy of the package: tests that cannot fail show nothing.

`python tests/mutations.py`, or `make mutation`, applies one after the other, and says which test found it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug.

    Args:
        path: The file it is in.
        pattern: What it changes, a regular expression that matches once.
        bug: What stands there instead.
        tests: Which find it, each of them.
    """

    path: str
    pattern: str
    bug: str
    tests: tuple[str, ...]


MUTANTS: Final = {
    "no-folder-sync": Mutant(
        "logscrub/dataset.py",
        r"(def sync_folder\(.*\n.*\n)",
        r"\1    return\n",
        ("test_crash.py::test_a_power_cut_takes_nothing_that_the_ledger_holds[files]",),
    ),
    "position-before-segments": Mutant(
        "logscrub/ledger.py",
        r"(        with self\.transaction\(\):\n)( +self\._advance\(batch\)\n)",
        r"\1\2\1",
        ("test_ledger.py::test_a_batch_is_there_whole_or_not_at_all",),
    ),
    "no-chain": Mutant(
        "logscrub/run/recognise.py",
        r"if waiting\[0\]\.chain == chain\.value\(\):",
        r"if waiting[0].chain:",
        ("test_ingest.py::test_an_equal_beginning_is_another_source",),
    ),
    "no-check-after-reading": Mutant(
        "logscrub/source.py",
        r"(    def check\(self\).*\n(?:.*\n)*?        found = )",
        r"    def check(self) -> None:\n        return\n\n    def _unused(self) -> None:\n        found = ",
        ("test_bad_input.py::test_copytruncate_while_reading",),
    ),
    "publish-before-commit": Mutant(
        "logscrub/run/ingest.py",
        r"( +)(ledger\.commit\(batch, at=stamp)",
        r"\1folder._move_in(out, batch.segments)\n\1\2",
        (
            "test_crash.py::test_a_power_cut_takes_nothing_that_the_ledger_holds[files]",
            "test_crash.py::test_killed_anywhere_it_goes_on[files-0]",
        ),
    ),
}


class Unfit(Exception):  # noqa: N818 — it is a statement about a mutant
    """A bug that cannot be put in, or that says nothing about a test."""


def copied(folder: Path) -> Path:
    """A copy of what the tests need, with the machine code that is kept beside the sources."""
    for name in ("logscrub", "tests", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    found = _python(folder, "-c", "import logscrub; print(logscrub.__file__)")
    if not found.stdout.startswith(str(folder)):
        raise Unfit(f"the copy in {folder} is not what tests would import")
    return folder


def apply(mutant: Mutant, folder: Path) -> None:
    """Put a bug into a copy.

    Raises:
        Unfit: The source is no longer what the bug was made for.
    """
    path = folder / mutant.path
    text, count = re.subn(mutant.pattern, mutant.bug, path.read_text(encoding="utf-8"))
    if count != 1:
        raise Unfit(
            f"the bug fits {count} places of {mutant.path}, not one: bring its pattern up to date"
        )
    path.write_text(text, encoding="utf-8")


def passes(test: str, folder: Path) -> tuple[bool, str]:
    """Run one test of a copy.

    Returns:
        Whether it passed, and the last line of what it said.

    Raises:
        Unfit: It did not run.
    """
    done = _python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rN", f"tests/{test}")
    last = ([line for line in done.stdout.splitlines() if line.startswith("E  ")] or ["E"])[0]
    word = {0: " passed", 1: " failed"}.get(done.returncode)
    if word is None or word not in done.stdout:
        raise Unfit(f"{test} did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0, last.removeprefix("E").strip()


def _python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy, which comes before the installed package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    kept.pop("LOGSCRUB_CRASH", None)
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=kept | {"PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False, timeout=_LONGEST,
    )  # fmt: skip


def found(name: str, folder: Path) -> dict[str, str]:
    """Show that the tests of a bug pass without it, and fail with it.

    Args:
        name: Of the bug.
        folder: Empty.

    Returns:
        What each test said.

    Raises:
        Unfit: One of them does not.
    """
    mutant = MUTANTS[name]
    copied(folder)
    for test in mutant.tests:
        if not (result := passes(test, folder))[0]:
            raise Unfit(f"{test} fails without the bug: {result[1]}")
    apply(mutant, folder)
    said = {}
    for test in mutant.tests:
        passed, said[test] = passes(test, folder)
        if passed:
            raise Unfit(f"{test} passes with the bug {name}")
    return said


def main() -> int:
    """All bugs, one after the other."""
    missed = 0
    for name in MUTANTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                for test, said in found(name, Path(folder)).items():
                    print(f"{name}: found by {test}: {said}")
            except Unfit as error:
                missed += 1
                print(f"{name}: NOT FOUND: {error}")
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} bugs were found")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
