"""The fuzzer in short, the same every time; `make fuzz` takes ten minutes a family."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from fuzz import FOUND as EXIT
from fuzz import NAMES
from fuzz_engine import failure, fuzz, minimised, mutated, watched
from fuzz_families import FAMILIES
from fuzz_found import FOUND

from logscrub.formats import parse
from logscrub.formats.catalogue import named
from logscrub.formats.lexicons import Lexicons
from logscrub.schema import Block, Raw

STEPS = int(os.environ.get("LOGSCRUB_FUZZ", "150"))


@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_bytes(name: str) -> None:
    """No crash, every line accounted for, both readers alike, however the source is cut, and what `filter` gives is read."""
    family = FAMILIES[name]
    run = fuzz(family.check, family.seeds(), seconds=600, seed=20_261_122, steps=STEPS)
    assert not run.failures, "\n".join(
        f"{one.told}\n{one.data.hex()}" for one in run.failures.values()
    )
    assert run.executions == STEPS


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found(what: str) -> None:
    """It does not come back."""
    name, data = FOUND[what]
    begin = time.process_time()
    FAMILIES[name].check(data, 2)
    assert time.process_time() - begin < 5


def test_headers_cost_no_memory() -> None:
    """What is remembered of values does not grow with the number of `#Fields` lines, of which a log may have any."""
    lexicons = Lexicons()
    line = b"#Fields: date time c-ip cs-uri cs(User-Agent) x-%d\n2026-11-22 02:30:01 203.0.113.7 /a curl -\n"
    data = b"".join(line % i for i in range(50))
    parsed = parse(Block.of(data, offset=0), named("w3c"), frozenset(Raw), lexicons=lexicons)
    assert parsed.rows == 50
    assert len(lexicons._fields) < 10


# ---- the fuzzer finds things


def breaks(data: bytes, depth: int) -> int:
    """A check that fails on a colon behind a blank, and sees how many blanks there are."""
    assert b" :" not in data or depth == 0
    return data.count(b" ")


def test_it_finds_and_minimises() -> None:
    """A failure is told with the smallest input, and the same run finds the same."""
    found = [fuzz(breaks, [b"a b c: d"], seconds=60, seed=7, steps=3000) for _ in range(2)]
    one, other = (next(iter(run.failures.values())) for run in found)
    assert one.data == other.data == b" :"
    assert found[0].executions == found[1].executions
    assert "AssertionError" in one.key


def test_another_failure_is_not_taken_for_the_same() -> None:
    """What is made small fails where it failed before."""

    def check(data: bytes, _: int) -> None:
        if data.startswith(b"x"):
            raise ValueError
        assert b"yy" not in data

    found = failure(check, b"abcyydef")
    assert found
    assert minimised(check, found).data == b"yy"


def test_the_same_numbers_give_the_same_bytes() -> None:
    """Mutations depend on their seed only."""
    line = b'192.0.2.7 - - [22/Nov/2026:02:30:01 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'
    first, second = ([mutated(line, Random(seed), [line]) for seed in range(200)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 190


def test_a_crash_is_told_with_its_input(capfd: pytest.CaptureFixture[str]) -> None:
    """A loop that kills the process does not take the input with it."""

    def work(now: object) -> int:
        now[:11] = (3).to_bytes(8, "little") + b"abc"  # type: ignore[index] # as `fuzz` notes it
        os.abort()

    assert watched(work) == EXIT
    assert b"abc".hex() in capfd.readouterr().out


def test_the_square_of_a_length_is_told() -> None:
    """What takes too long for its bytes is a failure."""

    def check(data: bytes, _: int) -> int:
        until = time.process_time() + min(len(data), 40_000) ** 2 * 5e-11
        while time.process_time() < until:
            pass
        return len(data)

    run = fuzz(check, [b"a" * 200], seconds=60, seed=1)
    assert list(run.failures) == ["steep"]


def test_the_program() -> None:
    """Names a family, says what it did."""
    program = Path(__file__).with_name("fuzz.py")
    done = subprocess.run(
        [sys.executable, program, "moments", "--seconds", "1", "--seed", "5"], capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("moments: ")
