"""`ingest`: files and pipes into a dataset, each source committed by itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from logscrub import dataset as folder
from logscrub.dataset import Dataset, locked, opened
from logscrub.errors import (
    BusyError,
    FullError,
    LogscrubError,
    OutputError,
    PartialError,
    PolicyChangedError,
    SourceError,
)
from logscrub.run.batch import Job, Outcome
from logscrub.run.compact import without
from logscrub.run.pinned import hold_to
from logscrub.run.recognise import forget_small
from logscrub.run.staging import stage
from logscrub.run.workers import stage_together
from logscrub.source import Found, Input, Opened, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from logscrub.ledger import Ledger
    from logscrub.policy import Policy
    from logscrub.records import Batch, Segment

_COMMIT_WAIT = 60.0
_GROUP = 64


@dataclass(slots=True)
class Summary:
    """What a run did, source by source.

    Args:
        outcomes: In the order of reading.
        left: `(path, why)` of files in folders that were not read.
        recovered: Files of a stopped run that were cleared away at start.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    recovered: int = 0

    def error(self) -> LogscrubError | None:
        """The error the run ends with, None when everything was taken."""
        errors = [one.error for one in self.outcomes if one.error]
        if not errors:
            return None
        refused = [one for one in self.outcomes if one.status == "refused"]
        half = isinstance(errors[0], SourceError) and not refused
        if len(self.outcomes) == 1 and not half:
            return errors[0]
        if len(refused) == len(self.outcomes) and len({type(one) for one in errors}) == 1:
            return errors[0]
        return PartialError(
            f"{len(errors)} of {len(self.outcomes)} sources were refused or damaged",
            hint="the lines above say which and why; everything else is committed",
        )


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run tells what it is doing.

    Args:
        begin: Called with the inputs before the first is read.
        progress: Called with an input's path, its bytes read and its lines scrubbed so far.
        done: Called with each outcome.
        stop: Asked whether to stop early.
    """

    begin: Callable[[Sequence[Input]], None] = lambda _: None
    progress: Callable[[Path, int, int], None] = lambda _path, _read, _lines: None
    done: Callable[[Outcome], None] = lambda _: None
    stop: Callable[[], bool] = lambda: False


@contextmanager
def writing(
    out: Dataset, policy: Policy, *, stamp: str, wait: float = 0.0, mark: str = ""
) -> Iterator[tuple[Ledger, int]]:
    """Be the one writer of a dataset, after recovery.

    Args:
        out: The dataset; made when it is not there.
        policy: What the run uses; a new dataset is pinned to it when the run leaves something in it.
        stamp: Now, ISO 8601.
        wait: Seconds to wait for another writer; a server that restarts starts the next one before this one ends.
        mark: For `ingest.lock`.

    Yields:
        The ledger, and how many files of a stopped run were cleared away.
    """
    folder.create(out)
    with locked(out, "ingest.lock", wait=wait, mark=mark):
        with locked(out, "lock", wait=_COMMIT_WAIT), opened(out, make=True) as ledger:
            hold_to(out, ledger, policy, stamp=stamp)
            folder.publish(out, ledger, stamp=stamp)
            removed = folder.clean_staging(out, ledger)
        with opened(out) as ledger:
            try:
                yield ledger, removed
            finally:
                folder.sweep(out)
                if not ledger.sources():
                    # a first run that took nothing must not decide for the second
                    out.policy.unlink(missing_ok=True)


def commit(out: Dataset, ledger: Ledger, outcome: Outcome, *, stamp: str) -> None:
    """Make the batch of an outcome exist and visible."""
    if outcome.batch is None:
        return
    batch = outcome.batch
    remainders: list[Segment] = []
    try:
        with locked(out, "lock", wait=_COMMIT_WAIT):
            _hold_to_policy(ledger, batch)
            mixed = [
                one for one in ledger.segments("published")
                if outcome.replacing and one.has(batch.source.id) and len(one.sources) > 1
            ]  # fmt: skip
            remainders += [without(out, one, batch.source.id) for one in mixed]
            ledger.commit(batch, at=stamp, replacing=outcome.replacing, remainders=remainders)
            folder.publish(out, ledger, stamp=stamp)
    except (BusyError, FullError, PolicyChangedError):
        # any other refusal leaves open whether the ledger has it; the next start finds out
        folder.unstage(out, ledger, [*batch.segments, *remainders])
        raise


def _hold_to_policy(ledger: Ledger, batch: Batch) -> None:
    if ledger.policy_digest() != batch.policy:
        raise PolicyChangedError(
            "the dataset got another policy in the meantime; these lines are read again under it",
            hint="run the command again",
        )


def ingest_files(
    out: Dataset,
    ledger: Ledger,
    paths: Sequence[str],
    job: Job,
    *,
    jobs: int = 1,
    watch: Watch | None = None,
) -> Summary:
    """Read files, folders and globs into the dataset.

    Args:
        out: The dataset, held by `writing`.
        ledger: Its ledger.
        paths: As the user gave them; none means the paths of the policy's sources.
        job: The run, without what the ledger knows.
        jobs: Sources to work on at the same time.
        watch: Whom to tell.

    Returns:
        What became of each source. A refused one does not stop the others.
    """
    watch = watch or Watch()
    found = find(paths, job.policy.sources, out=out.root)
    summary = Summary(left=[(str(path), why) for path, why in found.left])
    for path, error in found.refused:
        _note(summary, watch, Outcome(str(path), "refused", error=error))
    watch.begin(found.inputs)
    met = set()
    for outcome in _outcomes(found, job, ledger, jobs=jobs, watch=watch):
        met.add(outcome.batch.source.id if outcome.batch else outcome.known)
        settled = settle_outcome(out, ledger, outcome, job)
        if settled.status == "left":
            summary.left.append((settled.path, settled.note))
        else:
            _note(summary, watch, settled)
    ledger.see_outside(
        [(str(Path(path).absolute()), why) for path, why in summary.left], at=job.stamp
    )
    forget_small(ledger, spare=lambda one: one.id in met)
    return summary


def _note(summary: Summary, watch: Watch, outcome: Outcome) -> None:
    summary.outcomes.append(outcome)
    watch.done(outcome)


def settle_outcome(out: Dataset, ledger: Ledger, outcome: Outcome, job: Job) -> Outcome:
    """Commit; a disk that refuses stops the run, nothing else does."""
    if outcome.known:
        # a rotated file is where it is now: what happens to its hashes depends on its path
        ledger.seen(outcome.known, str(Path(outcome.path).absolute()), at=job.stamp)
    commit(out, ledger, outcome, stamp=job.stamp)
    if isinstance(outcome.error, OutputError):
        raise outcome.error
    return outcome


def _outcomes(
    found: Found, job: Job, ledger: Ledger, *, jobs: int, watch: Watch
) -> Iterator[Outcome]:
    together, alone = _independent(found) if jobs > 1 else ([], found.inputs)
    if together:
        yield from stage_together(together, with_ledger(job, ledger), workers=jobs, stop=watch.stop)
    for one in alone:
        if watch.stop():
            return

        def progress(read: int, lines: int, path: Path = one.path) -> None:
            watch.progress(path, read, lines)

        yield stage(one, with_ledger(job, ledger), stop=watch.stop, watch=progress)


def with_ledger(job: Job, ledger: Ledger) -> Job:
    """The job, with what the ledger knows at this moment."""
    dues: dict[str, date] = {}
    if job.replace:
        for segment in ledger.segments("published"):
            for source, _ in segment.sources:
                dues[source] = min(segment.due, dues.get(source, segment.due))
    return replace(job, known=tuple(ledger.sources()), dues=tuple(dues.items()))


def _independent(found: Found) -> tuple[list[Input], list[Input]]:
    """Inputs that may be read side by side, and those that begin like another one and so must take turns."""
    groups: dict[bytes, list[Input]] = {}
    for one in found.inputs:
        groups.setdefault(_beginning(one), []).append(one)
    together = [group[0] for begin, group in groups.items() if len(group) == 1 and begin]
    chosen = {id(one) for one in together}
    return together, [one for one in found.inputs if id(one) not in chosen]


def _beginning(one: Input) -> bytes:
    """In-memory hash of the first bytes; empty when there are too few to tell sources apart."""
    head = b""
    try:
        with Opened(one.path) as source:
            for chunk in source.chunks():
                head += chunk
                if len(head) >= _GROUP:
                    return blake2b(head[:_GROUP]).digest()
    except SourceError:
        return b""
    return b""
