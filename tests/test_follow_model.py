"""`follow` against a model: whatever a server, logrotate and crashes do, each line is a row exactly once."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from following import Follower, Server
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

from logscrub import follow as tails
from logscrub.dataset import Dataset
from logscrub.run import adopt, follow, following
from logscrub.run.compact import compact

COUNTS = st.integers(1, 12)


class Rotation(RuleBasedStateMachine):
    """A server writes, its log is rotated in every way, and `follow` looks now and then, or is killed."""

    @initialize()
    def begin(self) -> None:
        self.room = Path(tempfile.mkdtemp())
        self.server = Server(self.room / "log")
        self.follower: Follower | None = None
        self.copied = False
        self.start()

    @precondition(lambda self: self.follower is None)
    @rule()
    def start(self) -> None:
        self.follower = Follower(self.room / "out", [str(self.server.live)])

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
        self.follower.turn(3)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "ROTATED_WAIT", 0.0)
            self.follower.turn(4)
        self.follower.stop()
        assert numbers(self.room / "out") == sorted(self.server.written)
        shutil.rmtree(self.room)


def test_each_line_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law of `follow`."""
    for module, name in (
        (adopt, "_LOOK"), (adopt, "_THOROUGH"), (adopt, "_AGAIN"), (adopt, "_REFUSED"), (tails, "_SURE"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, 1e-9)
    examples = int(os.environ.get("LOGSCRUB_EXAMPLES", "30"))
    run_state_machine_as_test(
        Rotation, settings=settings(max_examples=examples, stateful_step_count=25)
    )
