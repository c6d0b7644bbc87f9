"""What a run is, what becomes of a source, and how a batch of it is put together."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from logscrub import __version__
from logscrub.errors import LogscrubError, PastDueError
from logscrub.identity import HEAD, Chain, head_fingerprint
from logscrub.records import Batch, Segment, Source
from logscrub.retention import closure_of, due_date, local_day
from logscrub.run.scrubbing import Tally
from logscrub.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from logscrub.formats.layout import Format
    from logscrub.policy import Policy
    from logscrub.sink import Sink
    from logscrub.transform import Transform

ALARM_SHARE = 0.1
"""Share of rejects that is worth an alarm; real logs have less than 1 % of broken lines."""
ALARM_LINES = 10

Status = Literal["read", "known", "empty", "left", "refused"]


@dataclass(frozen=True, slots=True)
class Job:
    """What all sources of one run share.

    Args:
        policy: The dataset's policy, tightened for this run.
        digest: Of the policy the dataset is pinned to.
        settings: What `--set` tightened.
        format: Name, string or `auto`; a rule of the policy's sources outranks `auto`.
        reads: Compiled, or read out of a server's configuration; outranks `format`.
        site: From `--site`, already judged.
        closed_at: Closed no later than this.
        salvage: Take readable lines of damaged data too.
        replace: Read known sources again and swap their rows.
        distinct: What begins like a known source and ends earlier is a log of its own.
        instance: The instance key.
        known: Sources in the ledger when the run, or the retry, began.
        dues: Earliest due date of each known source's rows, for `replace`.
        now: The present.
    """

    policy: Policy
    digest: str
    transform: Transform
    staging: Path
    keys: Path
    instance: bytes = field(repr=False)
    now: datetime
    settings: tuple[str, ...] = ()
    format: str = "auto"
    reads: Format | None = None
    site: str = ""
    timezone: str = ""
    closed_at: date | None = None
    salvage: bool = False
    replace: bool = False
    distinct: bool = False
    known: tuple[Source, ...] = field(default=(), repr=False)
    dues: tuple[tuple[str, date], ...] = ()

    @property
    def today(self) -> date:
        """Today in the policy's time zone."""
        return local_day(int(self.now.timestamp() * 1000), self.policy.retention.timezone)

    @property
    def stamp(self) -> str:
        """Now, as the ledger writes it."""
        return self.now.astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source.

    Args:
        path: Where it was met.
        status: `read`: rows are staged. `known`: nothing new. `empty`: no byte. `left`: in a folder and not an
            access log. `refused`: see `error`.
        format: Name of the format.
        tally: Of the lines read now.
        batch: What to commit.
        closure: The closure date that counts.
        due: When its rows must be gone.
        note: A remark in plain words.
        error: Why it was refused, or what is damaged although the rest was read.
        replacing: The batch takes the place of all rows of the source.
        segments: How many files it came to.
        known: The source that it was recognised as, when nothing is new.
    """

    path: str
    status: Status
    format: str = ""
    tally: Tally = field(default_factory=Tally)
    batch: Batch | None = None
    closure: date | None = None
    due: date | None = None
    note: str = ""
    error: LogscrubError | None = None
    replacing: bool = False
    segments: int = 0
    known: str = ""


def alarm(tally: Tally) -> str:
    """A remark when so many lines were rejected that something must be wrong, empty otherwise."""
    rejects = sum(tally.rejects.values())
    if rejects < ALARM_LINES or rejects < ALARM_SHARE * tally.lines:
        return ""
    return f"alarm: {rejects / tally.lines:.0%} of the lines were rejected; check the format and the log"


def source_after(
    known: Source | None, job: Job, *, path: str, kind: str, reads: Format, site: str, head: bytes, chain: Chain,
    tally: Tally,
) -> Source:  # fmt: skip
    """The ledger's row of a source once a batch is committed.

    Args:
        known: Its row so far, None for a new source.
        job: The run.
        path: Where it is now, `-` for a pipe.
        kind: `file` or `pipe`.
        reads: Its format.
        site: What it is called.
        head: Its first bytes.
        chain: At the new position.
        tally: Of the new lines.
    """
    if known and known.head and known.head_len == HEAD:
        length, fingerprint = HEAD, known.head
    else:
        length = min(len(head), chain.length)
        fingerprint = head_fingerprint(job.instance, head[:length])
    days = [known.newest] if known and known.newest else []
    if tally.newest_ms is not None:
        days.append(str(local_day(tally.newest_ms, job.policy.retention.timezone)))
    return Source(
        id=known.id if known else uuid4().hex,
        kind=known.kind if known else kind,
        path=path, format=reads.name, site=site,
        head_len=length, head=fingerprint, chain=chain.value(),
        position=chain.length, newest=max(days, default=None),
        closed_latest="", closed_basis="", state="open",
        first_seen=known.first_seen if known else job.stamp, last_seen=job.stamp,
        clients=max(known.clients if known else 0, tally.clients),
    )  # fmt: skip


def batch_of(
    source: Source, job: Job, sink: Sink, tally: Tally, *, start: int, replacing: bool = False
) -> tuple[Batch, date | None, date | None]:
    """Finish the segments of a batch with the due date that its source gives them.

    Returns:
        The batch, its closure date and its due date; no dates without rows.

    Raises:
        PastDueError: It would have to be gone already.
    """
    if not tally.rows or source.newest is None:
        return _batch(source, job, tally, (), start), None, None
    newest = date.fromisoformat(source.newest)
    closure = closure_of(newest, now=job.today, closed_at=job.closed_at)
    due = due_date(closure, job.policy.retention.period)
    if replacing:
        due = min(due, dict(job.dues).get(source.id, due))
    if due <= job.today:
        raise PastDueError(
            f"{source.path} closed on {closure} and was due on {due}: the policy {job.policy.name} has it gone by now",
            hint="nothing overrides this; delete the file, it is older than your promise",
        )
    staged = sink.finish(
        lambda rows: (
            _footer(source, job, rows)
            | {
                "logscrub.closure": str(closure),
                "logscrub.due": str(due),
                "logscrub.batch_rejects": str(sum(tally.rejects.values())),
            }
        )
    )
    segments = tuple(
        Segment(
            one.name,
            ((source.id, one.rows),),
            due,
            one.date,
            closure,
            one.rows,
            one.bytes,
            one.sha256,
            job.digest,
            "staged",
        )
        for one in staged
    )
    return _batch(source, job, tally, segments, start), closure, due


def _batch(
    source: Source, job: Job, tally: Tally, segments: tuple[Segment, ...], start: int
) -> Batch:
    return Batch(
        source, start, tally.lines, tally.rows, tally.blanks,
        {str(reason): count for reason, count in tally.rejects.items()}, tuple(tally.listed), segments,
        job.digest, job.settings,
    )  # fmt: skip


def _footer(source: Source, job: Job, rows: int) -> dict[str, str]:
    address = job.policy.address
    return {
        "logscrub.version": __version__,
        "logscrub.schema_version": str(SCHEMA_VERSION),
        "logscrub.sources": source.id,
        "logscrub.source_rows": json.dumps([[source.id, rows]]),
        "logscrub.policy": job.policy.name,
        "logscrub.policy_digest": job.digest,
        "logscrub.kept": ",".join(job.transform.kept),
        "logscrub.key_period_days": str(address.rotation.days) if address.mode == "hash" else "",
        "logscrub.threat_rules": "",
        "logscrub.rows": str(rows),
    }
