"""Commands are killed, and refused by the disk, at their system calls; the next run must complete them exactly.

A sample runs with all tests. `LOGSCRUB_CRASH=all`, which is `make crash`, takes every call and more kinds of faults.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import crash
import durability
import faults
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faults import Call

ALL = os.environ.get("LOGSCRUB_CRASH") == "all"
SHARES = range(4 if ALL else 1)
"""Parts into which the calls of a command are split, so that they run side by side."""
ONCE = ("EIO", "ENOSPC")
"""Errors of one call; with `+` of that call and of all later ones of its name."""


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], crash.Bench]:
    """Makes a place where a command can be stopped again and again."""
    if reason := faults.unavailable():
        pytest.skip(reason)
    made: dict[str, crash.Bench] = {}

    def bench(name: str) -> crash.Bench:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            made[name] = crash.bench(crash.SCENARIOS[name], folder)
        return made[name]

    return bench


def of_share(bench: crash.Bench, share: int) -> Sequence[Call]:
    """The calls that a test takes."""
    return bench.calls[share :: len(SHARES)] if ALL else crash.near_the_turn(bench.calls)


def most_missed(calls: Sequence[Call]) -> int:
    """How many faults may strike another call: threads open files in a changing order."""
    return 1 + len(calls) // 10


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", crash.SCENARIOS)
def test_killed_anywhere_it_goes_on(
    make: Callable[[str], crash.Bench], name: str, share: int
) -> None:
    """A reader sees no row twice or uncommitted; then every line arrives once, and nothing is left over.

    Both ways of recovery must have occurred, else the run shows nothing.
    """
    bench = make(name)
    calls = of_share(bench, share)
    forward = discarded = missed = 0
    for place, call in enumerate(calls):
        with crash.telling(call, "SIGKILL"):
            out, ended = crash.stopped(bench, call, "signal=SIGKILL")
            missed += not (ended.killed and ended.calls[-1].changes)
            left = crash.look(bench, out)
            forward, discarded = forward + left.forward, discarded + left.discard
            if ALL:
                crash.stop_again(bench, out, 1 + place % 8)
                crash.look(bench, out)
            crash.recover(bench, out)
    assert missed <= most_missed(calls), "faults did not strike where they should"
    assert forward, "no recovery had to finish anything"
    assert discarded or not bench.scenario.discards, "no recovery had to throw anything away"


def errors_at(call: Call) -> tuple[str, ...]:
    """Errors to try: lasting ones only where they strike the dataset alone, not what is printed or imported."""
    lasting = () if call.name.startswith(("write", "open")) else ("EIO+", "ENOSPC+")
    return ONCE + lasting


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", crash.SCENARIOS)
def test_refused_anywhere_it_says_so(
    make: Callable[[str], crash.Bench], name: str, share: int
) -> None:
    """A disk that fails or is full ends a command with an error of ours; the next run completes it exactly."""
    bench = make(name)
    calls = of_share(bench, share)
    if not ALL:
        calls = calls[::2]
    missed = 0
    for place, call in enumerate(calls):
        for error in errors_at(call) if ALL else ONCE[place % 2 :][:1]:
            with crash.telling(call, error):
                out, ended = crash.stopped(bench, call, f"error={error}")
                struck = any(one.injected and one.changes for one in ended.calls)
                missed += not struck
                assert not struck or crash.is_proper(ended), f"exit code {ended.code}: {ended.said}"
                crash.look(bench, out)
                crash.recover(bench, out)
    assert missed <= most_missed(calls) * (4 if ALL else 1), (
        "faults did not strike where they should"
    )


def test_a_commit_that_may_hold_loses_nothing(make: Callable[[str], crash.Bench]) -> None:
    """When the ledger's fsync fails, its transaction may come back with the next start, and needs its files."""
    bench = make("files")
    call = next(
        one
        for one in crash.near_the_turn(bench.calls)
        if one.name == "fdatasync" and one.paths == ("ledger.db-wal",)
    )
    out, ended = crash.stopped(bench, call, "error=EIO+")
    assert ended.code
    crash.recover(bench, out)


@pytest.mark.parametrize("name", crash.SCENARIOS)
def test_a_power_cut_takes_nothing_that_the_ledger_holds(
    make: Callable[[str], crash.Bench], name: str
) -> None:
    """Bytes, names and removals are fsynced before the ledger relies on them; nothing is shown before it is committed."""
    assert durability.faults_in(make(name).calls) == []


@pytest.mark.parametrize(
    ("dropped", "told"),
    [(r"data/.*", "its name can be lost"), (r"staging", "its name can be lost"),
     (r".*\.parquet", "its bytes can be lost"), (r"ledger\.db-wal", "is shown before the ledger has it")],
)  # fmt: skip
def test_the_judgement_can_fail(
    make: Callable[[str], crash.Bench], dropped: str, told: str
) -> None:
    """Without the fsync of one kind of file or folder the same calls are not enough."""
    calls = [
        call for call in make("files").calls
        if not (call.name in {"fsync", "fdatasync"} and re.fullmatch(dropped, call.paths[0]))
    ]  # fmt: skip
    assert any(told in one for one in durability.faults_in(calls))


def test_no_copy_of_a_key_stays(make: Callable[[str], crash.Bench]) -> None:
    """What is left of making a key goes with the next run: a copy would outlive the key."""
    bench = make("files")
    call = next(
        one for one in bench.calls if one.name.startswith("link") and "instance.key" in one.text
    )
    out, ended = crash.stopped(bench, call, "signal=SIGKILL")
    assert ended.killed
    crash.recover(bench, out)
    assert [path.name for path in out.glob("keys/*")] == ["instance.key"]
