"""`follow` against a model: whatever a server, logrotate, full disks, clocks and crashes do, each line is a row once."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from following import Follower, Server, impatient, refusing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from program import logscrub, numbers

from logscrub import dataset
from logscrub.dataset import Dataset
from logscrub.run import adopt, follow, following
from logscrub.run.compact import compact
from logscrub.run.upkeep import Clock

COUNTS = st.integers(1, 12)
LATER = timedelta(days=400)
"""Everything that is written is due by then."""


class Rotation(RuleBasedStateMachine):
    """A server writes, its log is rotated in every way, and `follow` looks now and then, or is killed."""

    @initialize(most=st.sampled_from([1, 2, 1000]))
    def begin(self, most: int) -> None:
        self.most = most
        self.room = Path(tempfile.mkdtemp())
        self.server = Server(self.room / "log")
        self.follower: Follower | None = None
        self.copied = False
        self.expired: set[int] = set()
        self.start()

    @precondition(lambda self: self.follower is None)
    @rule()
    def start(self) -> None:
        self.follower = Follower(self.room / "out", [str(self.server.live)])
        self.follower.state.most = self.most

    @rule(number=COUNTS)
    def write(self, number: int) -> None:
        if not self.copied:
            self.server.write(number)

    @rule()
    def begin_a_line(self) -> None:
        if not self.copied:
            self.server.begin()

    @precondition(lambda self: self.follower)
    @rule()
    def turn(self) -> None:
        assert self.follower
        self.follower.turn()

    @precondition(lambda self: self.follower)
    @rule(cleanly=st.booleans())
    def stop(self, *, cleanly: bool) -> None:
        assert self.follower
        self.follower.stop(cleanly=cleanly)
        self.follower = None

    @precondition(lambda self: not self.copied)
    @rule(late=st.integers(0, 5))
    def rename(self, late: int) -> None:
        self.server.rotate(late=late)

    @precondition(lambda self: not self.copied)
    @rule()
    def copy(self) -> None:
        self.server.copy()
        self.copied = True

    @precondition(lambda self: self.copied)
    @rule()
    def truncate(self) -> None:
        self.server.truncate()
        self.copied = False

    @precondition(lambda self: not self.copied)
    @rule(half=st.booleans())
    def pack(self, *, half: bool) -> None:
        self.server.pack(half=half)

    @precondition(lambda self: self.follower and not self.copied)
    @rule()
    def remove(self) -> None:
        """What is deleted can be read as long as it is held open, and not otherwise."""
        assert self.follower
        self.server.finish()
        self.follower.turn()
        if any(one.tail.is_at(self.server.live) for one in self.follower.state.files.values()):
            self.server.remove()

    @precondition(lambda self: self.follower and not self.server.has_begun)
    @rule()
    def wait(self) -> None:
        """Nothing happens for a minute: what was rotated is finished."""
        assert self.follower
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "ROTATED_WAIT", 0.0)
            self.follower.turn(2)

    @precondition(lambda self: self.follower)
    @rule()
    def refuse(self) -> None:
        """A commit that the disk refused: everything is read again from where the ledger is."""
        assert self.follower
        for one in list(self.follower.state.files.values()):
            following.guarded(self.follower.state, one, following.read)
        follow._rewind(self.follower.state)

    @precondition(lambda self: self.follower)
    @rule(number=st.integers(0, 6), late=st.booleans())
    def refuse_a_transaction(self, number: int, *, late: bool) -> None:
        """The ledger's disk is full for a moment, before a change is there or just after."""
        assert self.follower
        with refusing(number, late=late):
            self.follower.loop()

    @precondition(lambda self: self.follower)
    @rule()
    def keep_up(self) -> None:
        """The day and the hour are over: nothing is due, and what is small becomes one."""
        assert self.follower
        before = numbers(self.room / "out")
        self.follower.keep_up()
        assert numbers(self.room / "out") == before
        assert self.follower.state.upkeep.expired_on == datetime.now(UTC).date()

    @precondition(lambda self: self.follower)
    @rule()
    def set_the_clock(self) -> None:
        """By more than a year: nothing is deleted by a clock that leapt, and no source forgotten."""
        assert self.follower
        before, wall = numbers(self.room / "out"), [datetime.now(UTC)]
        keep = self.follower.state.upkeep
        clock, keep.clock = keep.clock, Clock(lambda: wall[0])
        wall[0] += LATER
        self.follower.keep_up()
        keep.clock = clock
        assert numbers(self.room / "out") == before

    @precondition(lambda self: self.follower)
    @rule()
    def let_a_year_pass(self) -> None:
        """All that is committed is due, and goes; it never comes back, and what waits is not touched."""
        assert self.follower
        keep = self.follower.state.upkeep
        # what a refused transaction left committed and not yet in its place is due as well
        state = self.follower.state
        dataset.publish(state.out, state.ledger, stamp="2026-11-22T00:00:00+00:00")
        self.expired |= set(numbers(self.room / "out"))
        clock, keep.clock = keep.clock, Clock(lambda: datetime.now(UTC) + LATER)
        self.follower.keep_up(hourly=False)
        keep.clock = clock
        assert not numbers(self.room / "out")

    @precondition(lambda self: not self.copied and not self.server.has_begun)
    @rule()
    def replace(self) -> None:
        """Another file with the same bytes takes the place of the log, as rsync and editors do it."""
        self.server.replace()

    @rule()
    def merge(self) -> None:
        if (self.room / "out" / "ledger.db").exists():
            compact(Dataset(self.room / "out"), stamp="2026-11-22T00:00:00+00:00")

    @precondition(lambda self: self.follower is None and not self.copied)
    @rule()
    def ingest(self) -> None:
        """The same logs by a timer, while nobody follows."""
        shown = logscrub("ingest", self.server.folder, "--out", self.room / "out", "--quiet")
        assert shown.code in {0, 3, 5, 6}, shown.err

    @invariant()
    def nothing_is_there_twice(self) -> None:
        found = numbers(self.room / "out")
        assert len(set(found)) == len(found)
        assert not self.expired & set(found)

    def teardown(self) -> None:
        if not hasattr(self, "server"):
            return
        self.server.close()
        if self.copied:
            self.server.truncate()
        while self.server.pack(half=False):
            pass
        if self.follower is None:
            self.start()
        assert self.follower
        turns = 0
        self.follower.turn(3)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "ROTATED_WAIT", 0.0)
            self.follower.turn(4)
            while self.follower.state.waiting:
                turns += 1
                assert turns < 100, "whoever waits has its turn"
                self.follower.turn()
        self.follower.stop()
        assert numbers(self.room / "out") == sorted({*self.server.written} - self.expired)
        shutil.rmtree(self.room)


def test_each_line_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law of `follow`."""
    impatient(monkeypatch)
    monkeypatch.setattr(adopt, "_REFUSED", 1e-9)
    monkeypatch.setattr(following, "CROWDED_WAIT", 0.0)
    monkeypatch.setattr(dataset, "_GRACE", 0.0)
    examples = int(os.environ.get("LOGSCRUB_EXAMPLES", "30"))
    run_state_machine_as_test(
        Rotation, settings=settings(max_examples=examples, stateful_step_count=25)
    )
