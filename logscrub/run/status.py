"""`status`: what a dataset holds, when it goes, and what lies outside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from logscrub import keystore
from logscrub.dataset import Dataset, opened
from logscrub.policy import digest
from logscrub.retention import local_day
from logscrub.run.expire import overdue_folders, planned
from logscrub.run.pinned import ruling_policy

if TYPE_CHECKING:
    from logscrub.keystore import PeriodKey
    from logscrub.ledger import Ledger
    from logscrub.records import Segment


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source as `status` shows it.

    Args:
        closure: The date that counts: the day of its newest event, None without rows.
        closed_latest: The latest it can have been closed, and how that is known.
        dues: Earliest and latest due date of rows that are still there.
        rows_kept: Rows that are still there.
    """

    path: str
    kind: str
    format: str
    site: str
    state: str
    lines: int
    rows: int
    blanks: int
    rejects: dict[str, int]
    rows_kept: int
    closure: date | None
    closed_latest: str
    closed_basis: str
    dues: tuple[date, date] | None
    last_seen: str


@dataclass(frozen=True, slots=True)
class Outside:
    """Something logscrub does not manage.

    Args:
        kind: `raw log`, or why a file was left.
        last_seen: When logscrub, or the file system, saw it last.
        present: Whether it is there now.
    """

    path: str
    kind: str
    last_seen: str
    present: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a dataset.

    Args:
        overdue: Segments and folders past their day and still there.
        missing: Segments that the ledger holds and `data/` does not.
        next_due: The first day on which something goes.
        unmanaged: What no ledger can see, in plain words.
    """

    root: Path
    policy: str
    digest: str
    rows: int
    segments: int
    bytes: int
    next_due: date | None
    last_due: date | None
    overdue: int
    missing: int
    deletions: int
    rejects: dict[str, int]
    sources: tuple[SourceStatus, ...]
    outside: tuple[Outside, ...]
    keys: tuple[PeriodKey, ...]
    policy_changes: tuple[dict[str, object], ...]
    unmanaged: tuple[str, ...]


_UNMANAGED = (
    "backups of raw logs and of this folder: not declared, so not known; they have to end on their own schedule",
    "error logs: logscrub does not keep them; your log rotation has to delete them",
    "output of filter and query, and copies of the Parquet: not tracked",
)


def status(out: Dataset, *, now: datetime, keys: Path | None = None) -> Status:
    """Look at a dataset; changes nothing.

    Args:
        out: The dataset.
        now: The present.
        keys: Key folder, None for the dataset's own.
    """
    with opened(out) as ledger:
        policy = ruling_policy(out, ledger)
        today = local_day(int(now.timestamp() * 1000), policy.retention.timezone)
        here = ledger.segments("published", "expiring")
        plan = planned(ledger, policy, today)
        dues = [one.due for one in (*plan.remove, *plan.keep)]
        sources = _sources(ledger, here)
        rejects: Counter[str] = Counter()
        for one in sources:
            rejects.update(one.rejects)
        return Status(
            root=out.root, policy=policy.name, digest=digest(policy),
            rows=sum(one.rows for one in here), segments=len(here), bytes=sum(one.bytes for one in here),
            next_due=min(dues, default=None), last_due=max(dues, default=None),
            overdue=max(len(plan.remove), len(overdue_folders(out, today))),
            missing=sum(not (out.data / one.folder / one.name).exists() for one in here),
            deletions=len(ledger.deletions()),
            rejects=dict(rejects), sources=sources, outside=_outside(ledger),
            keys=tuple(keystore.listed(keys or out.keys)), policy_changes=tuple(ledger.policy_changes()),
            unmanaged=_UNMANAGED,
        )  # fmt: skip


def _sources(ledger: Ledger, here: list[Segment]) -> tuple[SourceStatus, ...]:
    found = []
    batches = ledger.batches()
    for one in ledger.sources():
        mine = [batch for batch in batches if batch["source"] == one.id]
        kept = [segment for segment in here if segment.has(one.id)]
        rejects: Counter[str] = Counter()
        for batch in mine:
            rejects.update(batch["rejects"])
        dues = [segment.due for segment in kept]
        found.append(
            SourceStatus(
                one.path, one.kind, one.format, one.site, one.state,
                sum(b["lines"] for b in mine), sum(b["rows"] for b in mine), sum(b["blanks"] for b in mine),
                dict(rejects),
                sum(rows for segment in kept for source, rows in segment.sources if source == one.id),
                date.fromisoformat(one.newest) if one.newest else None,
                one.closed_latest, one.closed_basis, (min(dues), max(dues)) if dues else None, one.last_seen,
            )
        )  # fmt: skip
    return tuple(found)


def _outside(ledger: Ledger) -> tuple[Outside, ...]:
    raw = [(one.path, "raw log", one.last_seen) for one in ledger.sources() if one.kind == "file"]
    return tuple(
        Outside(path, kind, _modified(Path(path)) or seen, Path(path).exists())
        for path, kind, seen in (*raw, *ledger.outside())
    )


def _modified(path: Path) -> str:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError:
        return ""
