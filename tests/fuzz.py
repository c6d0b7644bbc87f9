"""Fuzz one family of formats, or all: `python tests/fuzz.py FAMILY --seconds 600 --seed 1`; `--input HEX` runs one input.

With `--guided` atheris (from the package index, for Linux) keeps the inputs that reach new lines of Python.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from fuzz_engine import Run, failure, fuzz, minimised, mutated, watched

if TYPE_CHECKING:
    import mmap

MOST_SHOWN: Final = 600
"""Bytes of an input that are shown; of longer ones a file is written."""
FOUND: Final = 3
"""The exit code when something was found."""
NAMES: Final = (
    "text",
    "json",
    "w3c",
    "wrappers",
    "moments",
    "errorlog",
    "detect",
    "formats",
    "proxies",
)
GUIDED: Final = ("errorlog", "proxies")
"""Families of plain Python: what atheris instruments cannot be compiled to a loop any more."""


def main() -> int:
    """The program; gives its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=[*NAMES, "all"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-going", action="store_true", help="look for more after a failure")
    parser.add_argument("--guided", action="store_true", help="let atheris choose, if it is there")
    parser.add_argument("--input", help="run one input, in hexadecimal, or @FILE of bytes")
    asked = parser.parse_args()
    if asked.input:
        return _once(asked.family, asked.input)
    all_names = GUIDED if asked.guided else NAMES
    names = all_names if asked.family == "all" else [asked.family]
    if not set(names) <= set(all_names):
        parser.error(f"--guided is for {' and '.join(GUIDED)}")
    work = _guided if asked.guided else _fuzz
    return max([watched(lambda now, name=name: work(name, asked, now)) for name in names])  # type: ignore[misc]


def _once(name: str, text: str) -> int:
    data = Path(text[1:]).read_bytes() if text.startswith("@") else bytes.fromhex(text)
    check = _family(name).check
    check(data, 2)
    begin = time.process_time()
    print(f"saw {check(data, 2)} in {time.process_time() - begin:.3f} s")
    return 0


def _family(name: str) -> Any:
    # imported here, for atheris to see it
    return import_module("fuzz_families").FAMILIES[name]


def _fuzz(name: str, asked: argparse.Namespace, now: mmap.mmap) -> int:
    family = _family(name)
    run = fuzz(
        family.check, family.seeds(), seconds=asked.seconds, seed=asked.seed, going_on=asked.keep_going, now=now
    )  # fmt: skip
    return _tell(name, run)


def _tell(name: str, run: Run) -> int:
    print(
        f"{name}: {run.executions} executions, {run.kept} inputs kept, at most {run.slowest * 1e6:.2f} µs a byte, "
        f"{run.grown >> 20} MB grown, {len(run.failures)} failures"
    )
    for one in run.failures.values():
        print(f"--- {one.key}\n{one.told[-3000:]}")
        if len(one.data) <= MOST_SHOWN:
            print(f"again: python tests/fuzz.py {name} --input {one.data.hex()}")
            continue
        with tempfile.NamedTemporaryFile(prefix=f"fuzz-{name}-", delete=False) as file:
            file.write(one.data)
        print(f"again: python tests/fuzz.py {name} --input @{file.name}  ({len(one.data)} bytes)")
    return FOUND if run.failures else 0


def _guided(name: str, asked: argparse.Namespace, now: mmap.mmap) -> int:
    """As `_fuzz`, by atheris; it does not come back."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["logscrub"]):
        family = _family(name)
    seeds, run, rng = family.seeds(), Run(), Random(asked.seed)
    for one in seeds:
        family.check(one, 2)
    until = time.monotonic() + asked.seconds

    def step(data: bytes) -> None:
        now[: 8 + len(data)] = len(data).to_bytes(8, "little") + data
        run.executions += 1
        depth = rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2))
        try:
            family.check(data, depth)
        except Exception:  # noqa: BLE001 — anything is a finding
            if found := failure(family.check, data):
                run.failures[found.key] = minimised(family.check, found)
        if time.monotonic() > until or (run.failures and not asked.keep_going):
            code = _tell(name, run)
            sys.stdout.flush()
            os._exit(code)

    with tempfile.TemporaryDirectory() as folder:
        for i, one in enumerate(seeds):
            (Path(folder) / str(i)).write_bytes(one)
        options = [
            f"-seed={asked.seed}",
            "-timeout=30",
            "-rss_limit_mb=4096",
            "-max_len=70000",
            "-verbosity=0",
            folder,
        ]
        atheris.Setup(
            [sys.argv[0], *options], step,
            custom_mutator=lambda data, most, seed: mutated(data, Random(seed), seeds)[:most],
        )  # fmt: skip
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
