"""The files that `follow` has open: reading what they have grown by, committing it, and letting go of them."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from logscrub.blocks import BLOCK_SIZE
from logscrub.errors import FormatError, LogscrubError, SourceError
from logscrub.follow import room, seen
from logscrub.machine import SIZES
from logscrub.run.metrics import Figures, Lag, kind_of
from logscrub.run.scrubbing import Tally
from logscrub.run.stream import MovedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from logscrub.dataset import Dataset
    from logscrub.follow import Seen, Tail
    from logscrub.ledger import Ledger
    from logscrub.run.batch import Job, Outcome
    from logscrub.run.stream import Stream
    from logscrub.run.upkeep import Upkeep
    from logscrub.source import Input

ROTATED_WAIT: Final = 60.0
"""Seconds without a new line after which a rotated file is finished: workers write on until they have reopened."""
IDLE_WAIT: Final = 3600.0
"""The same for a file that keeps its name; should it grow after all, it is found again."""
CROWDED_WAIT: Final = 5.0
"""The same while more files are there than may be open."""
_FAIR: Final = 8 * 2**20
"""Bytes of one file that are read before the others have their turn."""


@dataclass(slots=True)
class Followed:
    """One file that is open.

    Args:
        tail: Its descriptor.
        stream: What was read of it.
        one: As it was found; its path follows the file.
        is_live: Its name is not that of a rotated file.
        oldest: When the oldest line that waits was seen, on the monotonic clock, None when none waits.
        grew: When it last grew.
    """

    tail: Tail
    stream: Stream
    one: Input
    is_live: bool
    oldest: float | None
    grew: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file for which there is no room among those that are open.

    Args:
        path: Where it was met last.
        position: How far it is committed.
        since: When it was met first, on the monotonic clock.
    """

    path: Path
    position: int
    since: float


@dataclass(frozen=True, slots=True)
class Watch:
    """How the outside speaks with a run.

    Args:
        stop: Asked whether to end.
        reload: Makes the job anew when that was asked for or the policy changed; None says that it was not.
        tell: Told what happened, in plain words, and why something was refused.
        beat: Called at least once a second while all is well.
    """

    stop: Callable[[], bool]
    reload: Callable[[bool], Job | None]
    tell: Callable[[str, LogscrubError | None], None] = lambda _text, _error: None
    beat: Callable[[Following], None] = lambda _: None


@dataclass(slots=True)
class Following:
    """Everything that is followed.

    Args:
        out: The dataset, held by `writing`.
        ledger: Its ledger.
        job: The run; another one after a reload.
        paths: As the user gave them.
        flush: Seconds a line may wait to become a row that readers see.
        watch: The outside.
        files: What is open, by device and inode.
        settled: What needs no look until it changes: size and time of change, and when to look again all the same.
        places: Of which source a file is, and where it was met last.
        left: Files in folders that are no access logs, as the ledger knows them.
        most: Files that may be open at once.
        waiting: Those that do not fit, by device and inode, in the order in which they will be taken.
        crowd: The most that waited when that was said last.
        hurry: Somewhere more is waiting than was read in this turn.
        total: Where every line went.
    """

    out: Dataset
    ledger: Ledger
    job: Job
    paths: list[str]
    flush: float
    watch: Watch
    upkeep: Upkeep
    files: dict[tuple[int, int], Followed] = field(default_factory=dict)
    settled: dict[tuple[int, int], tuple[int, int, float]] = field(default_factory=dict)
    places: dict[tuple[int, int], tuple[str, Path]] = field(default_factory=dict)
    folders: dict[Path, int] = field(default_factory=dict)
    left: set[Path] = field(default_factory=set)
    most: int = field(default_factory=room)
    waiting: dict[tuple[int, int], Waiting] = field(default_factory=dict)
    crowd: int = 0
    looked: float = 0.0
    hurry: bool = False
    total: Tally = field(default_factory=Tally)
    bytes: int = 0
    segments: int = 0
    commits: int = 0
    paused_until: float = 0.0
    pause: float = 0.0
    last_commit: datetime | None = None

    def count(self, outcome: Outcome) -> None:
        """Add up what was committed."""
        assert outcome.batch is not None
        self.total.include(outcome.tally)
        self.bytes += outcome.batch.source.position - outcome.batch.start
        self.segments += len(outcome.batch.segments)
        self.commits += 1
        self.last_commit = self.upkeep.clock.wall()


def guarded(state: Following, one: Followed, work: Callable[[Following, Followed], None]) -> None:
    """Do something with a file; what concerns only this file ends only this file."""
    try:
        work(state, one)
    except FormatError as error:
        complain(state, error)
        one.stream.drop()
        let_go(state, one, again=ROTATED_WAIT)
    except MovedError as error:
        complain(state, error)
        one.stream.drop()
        let_go(state, one)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        complain(
            state,
            SourceError(f"{one.one.path} cannot be read ({name})", hint="it is tried again"),
        )
        one.stream.drop()
        let_go(state, one)


def read(state: Following, one: Followed) -> None:
    """Take over what a file has grown by."""
    budget = _FAIR
    while budget > 0 and (look := one.tail.look()) != "idle":
        data = one.tail.read(min(2**20, budget)) if look == "grown" else b""
        if not data:
            _changed(state, one)
            return
        budget -= len(data)
        one.grew = time.monotonic()
        one.oldest = one.oldest or one.grew
        one.stream.push(data)
        if one.stream.splitter.pending >= BLOCK_SIZE and (block := one.stream.take()):
            one.stream.scrub(block)
        if one.stream.position - one.stream.committed >= SIZES.commit:
            flush(state, one)
    state.hurry = state.hurry or budget <= 0


def _changed(state: Following, one: Followed) -> None:
    """The file begins anew: what was read of it is of a source that ends here; its rest, if any, is in a copy."""
    flush(state, one)
    end(state, one, "truncated while it was followed")
    state.watch.tell(f"{one.one.path} begins anew", None)


def flush(
    state: Following, one: Followed, *, final: bool = False, basis: str = "still open"
) -> None:
    """Commit the whole lines that wait."""
    stream = one.stream
    if block := stream.take(final=final):
        stream.scrub(block)
    try:
        stream.commit(state.out, state.ledger, state="read" if final else "open", basis=basis)
    finally:
        if outcome := stream.taken():
            state.count(outcome)
    # what waits now is the beginning of a line, which has no time to keep
    one.oldest = None
    if stream.refused:
        complain(state, stream.refused)
        stream.refused = None


def commit_all(state: Following) -> None:
    """Commit the whole lines of all files."""
    for one in list(state.files.values()):
        guarded(state, one, flush)


def is_over(one: Followed, now: float) -> bool:
    """Whether a file has had its last line, for all we can see."""
    quiet = now - one.grew
    if one.is_live and one.tail.is_at(one.one.path):
        return quiet >= IDLE_WAIT
    return quiet >= ROTATED_WAIT


def make_room(state: Following, now: float) -> None:
    """Let go of as many files as wait, the longest quiet first; those that grow are found again by their bytes."""
    wanted = len(state.waiting) - max(0, state.most - len(state.files))
    if wanted <= 0:
        return
    quiet = [
        one for one in state.files.values()
        if one.is_live and not one.stream.waits and now - one.grew >= CROWDED_WAIT and one.tail.is_at(one.one.path)
    ]  # fmt: skip
    for one in sorted(quiet, key=lambda one: one.grew)[:wanted]:
        guarded(state, one, let_go)


def close(state: Following, one: Followed) -> None:
    """End a file that will not grow: rotated, deleted, or idle for long."""
    if one.is_live and one.tail.is_at(one.one.path):
        let_go(state, one)
        return
    how = "deleted" if one.tail.is_deleted else "rotated"
    basis = f"{how} while it was followed"
    flush(state, one, final=True, basis=basis)
    end(state, one, basis)
    state.watch.tell(f"{one.one.path} is finished ({how})", None)


def end(state: Following, one: Followed, basis: str) -> None:
    """Record how a source was seen to be closed, and let go of its file."""
    if one.stream.source:
        job = state.upkeep.dated(state.job)
        state.ledger.close_source(
            one.stream.source.id, day=str(job.today), basis=basis, at=job.stamp
        )
    one.stream.drop()
    state.upkeep.closed = True
    let_go(state, one)


def let_go(state: Following, one: Followed, *, again: float = 0.0) -> None:
    """Close a file; it is looked at again when it changes, or after so many seconds."""
    del state.files[one.tail.key]
    if one.stream.source:
        state.places[one.tail.key] = (one.stream.source.id, one.one.path)
    with suppress(OSError):
        is_read = one.tail.position == one.stream.committed and one.tail.look() == "idle"
        if again or is_read:
            settle(state, one.tail.seen, again=again)
    one.tail.close()
    # whoever waited for this source to end is looked at now
    state.looked = 0.0


def complain(state: Following, error: LogscrubError) -> None:
    """Say what was refused, and count it."""
    state.upkeep.errors[kind_of(error)] += 1
    state.watch.tell(error.what, error)


def settle(state: Following, seen: Seen, *, again: float = 0.0) -> None:
    """A file needs no look until it is no longer as it was seen, or so many seconds have passed."""
    key, size, changed_at = seen
    when = time.monotonic() + again if again else 0.0
    state.settled[key] = (size, changed_at, when)


def figures(state: Following) -> Figures:
    """What was done, and how it stands."""
    now = time.monotonic()
    files = list(state.files.values())
    lags = tuple(
        # the beginning of a line that waits for its end is not behind
        Lag(
            str(one.one.path),
            max(0, one.tail.size - (one.stream.committed if one.oldest else one.tail.position)),
            now - one.oldest if one.oldest else 0.0,
        )
        for one in files
    )  # fmt: skip
    lags += tuple(_waiting_lag(one, now) for one in state.waiting.values())
    begun = [one.stream.source.first_seen for one in files if one.stream.source]
    keep, total = state.upkeep, state.total
    return Figures(
        lines=total.lines, rows=total.rows, blanks=total.blanks, bytes=state.bytes,
        rejects={str(reason): count for reason, count in total.rejects.items()},
        segments=state.segments, commits=state.commits, errors=dict(keep.errors), sources=lags,
        open_sources=len(files), overdue=keep.overdue, paused=bool(state.pause),
        deleted_but_open_bytes=sum(one.tail.size for one in files if one.tail.is_deleted),
        oldest_open=datetime.fromisoformat(min(begun)).timestamp() if begun else None,
        last_expiry=keep.last_expiry.timestamp() if keep.last_expiry else None,
        last_commit=state.last_commit.timestamp() if state.last_commit else None,
    )  # fmt: skip


def _waiting_lag(one: Waiting, now: float) -> Lag:
    found = seen(one.path)
    return Lag(str(one.path), max(0, found[1] - one.position) if found else 0, now - one.since)
