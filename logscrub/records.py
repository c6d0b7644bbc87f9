"""What the ledger records, as values: sources, segments, batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

State = Literal["staged", "published", "merged", "replaced", "expiring", "expired"]


@dataclass(frozen=True, slots=True)
class Source:
    """What the ledger knows of one source; see DESIGN words.

    Args:
        id: Random, opaque.
        kind: `file` or `pipe`.
        path: Where it was seen last, `-` for a pipe.
        position: Committed bytes, decompressed.
        head: Keyed hash of the first `head_len` bytes, None once forgotten.
        chain: Keyed chain value at `position`, None once forgotten.
        newest: Day of its newest event in the policy's time zone, ISO 8601, None without rows. Not finer: no policy
            keeps a time in here that it coarsens there.
        clients: Different clients, as far as was counted; up to `identity.CLIENTS`.
        closed_latest: Latest bound of the closure, a date.
        closed_basis: How that bound is known.
        state: `read`, `damaged`, `salvaged` or `open`.
    """

    id: str
    kind: str
    path: str
    format: str
    site: str
    head_len: int
    head: bytes | None
    chain: bytes | None
    position: int
    newest: str | None
    closed_latest: str
    closed_basis: str
    state: str
    first_seen: str
    last_seen: str
    clients: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """One Parquet file as the ledger records it.

    Args:
        name: File name without folders; random.
        sources: `(source, rows)` in the order of its rows; where rows are sorted, of one source only.
        due: Day on which it must be gone, as fixed at ingest.
        date: Event date of its rows, UTC.
        closure: The closure date that counts for it.
    """

    name: str
    sources: tuple[tuple[str, int], ...]
    due: dt.date
    date: dt.date
    closure: dt.date
    rows: int
    bytes: int
    sha256: str
    policy: str
    state: State

    def has(self, source: str) -> bool:
        """Whether rows of a source are in it."""
        return any(one == source for one, _ in self.sources)

    @property
    def folder(self) -> str:
        """Where it lies below `data/`."""
        return f"due={self.due}/date={self.date}"


@dataclass(frozen=True, slots=True)
class Batch:
    """A contiguous byte range of one source, to be committed at once.

    Args:
        source: The source as it is after this batch.
        start: Position the source must have in the ledger for the commit to hold; 0 for a new one.
        rejects: Count by reason.
        listed: `(position, length, reason)` of the first rejects.
        settings: What `--set` changed for this run.
    """

    source: Source
    start: int
    lines: int
    rows: int
    blanks: int
    rejects: Mapping[str, int]
    listed: tuple[tuple[int, int, str], ...]
    segments: tuple[Segment, ...]
    policy: str
    settings: tuple[str, ...]
