"""`ledger rebuild`: a lost ledger anew, from the footers of the segments and the raw files that are still there.

Footers tell the segments, their due dates and whose rows they hold. How far a raw file was read they do not tell; where
it is still there, `proof` does.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from logscrub import dataset as folder
from logscrub.errors import KeyFileError, LedgerError, PolicyError, UsageError
from logscrub.ledger import open_ledger
from logscrub.ledger_file import VERSION
from logscrub.policy import digest, dump
from logscrub.records import Batch, Segment, Source
from logscrub.run.pinned import pinned_policy
from logscrub.run.prepare import job_for
from logscrub.run.proof import comparison, prove, stored_rows
from logscrub.run.scrubbing import Tally
from logscrub.source import find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from logscrub.dataset import Dataset
    from logscrub.policy import Policy
    from logscrub.run.batch import Job
    from logscrub.run.prepare import Wishes
    from logscrub.run.proof import Stored

UNPROVEN: Final = "unproven"
"""State of a source of which no raw file proved how far it was read."""
_NO_MATCH: Final = (
    "no raw file that was named begins with exactly its rows: it is not there, changed, was read with other options, "
    "or some of its rows have expired"
)
_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Proven:
    """A source whose raw file is there.

    Args:
        position: Bytes of it that are read, decompressed.
    """

    source: str
    path: str
    rows: int
    position: int


@dataclass(frozen=True, slots=True)
class Unproven:
    """A source that would be read again if its raw file turned up, and why."""

    source: str
    rows: int
    why: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuilt ledger holds.

    Args:
        kept: Where the old ledger is, None when there was none.
        strangers: `(path, why)` of files below `data/` that are no segments of this dataset.
        staged: Segments in staging, perhaps of batches that were committed; the next writer removes them.
        others: `(path, why)` of raw files that prove nothing.
    """

    kept: Path | None
    segments: int
    rows: int
    proven: tuple[Proven, ...]
    unproven: tuple[Unproven, ...]
    strangers: tuple[tuple[str, str], ...]
    staged: int
    others: tuple[tuple[str, str], ...]


def rebuild_ledger(
    out: Dataset, paths: Sequence[str], wishes: Wishes, *, now: datetime, force: bool = False
) -> Rebuilt:
    """Make the ledger of a dataset anew; the old one stays beside it.

    Args:
        out: The dataset. Its `policy.toml` must be there.
        paths: Raw files, folders and globs that may be sources of it.
        wishes: How they were read; its policy does not count.
        now: The present.
        force: Also where the ledger is healthy.

    Raises:
        UsageError: The ledger is healthy.
        LedgerError: A newer logscrub wrote it.
        PolicyError: There is no policy.
        KeyFileError: The instance key is not there.
        BusyError: Another process writes.
    """
    folder.exists(out)
    stamp = now.astimezone(UTC).isoformat(timespec="seconds")
    with folder.locked(out, "ingest.lock"), folder.locked(out, "lock", wait=_WAIT):
        _refuse_healthy(out, force=force, stamp=stamp)
        policy = _policy(out)
        segments, strangers = _segments(out)
        job = _job(out, policy, wishes, now) if paths else None
        how = comparison(job) if job else None
        stored = stored_rows(out, segments, how)
        proofs: dict[str, tuple[Source, Tally]] = {}
        others: list[tuple[str, str]] = []
        if job and how:
            found = find(paths, policy.sources, out=out.root)
            proofs, others = prove(found.inputs, job, how, stored)
            others += [(str(path), why) for path, why in found.left]
            others += [(str(path), error.what) for path, error in found.refused]
        unproven = _unproven(stored, proofs, digest(policy), named=bool(paths))
        blank = [_blank(one, stored[one.source], stamp) for one in unproven]
        draft = out.staging / f"{uuid4().hex}.ledger"
        _write(draft, policy, [*proofs.values(), *blank], segments, stamp=stamp)
        kept = _take_its_place(out, draft)
        staged = sum(1 for _ in out.staging.glob("*.parquet"))
    proven = [Proven(one.id, one.path, tally.rows, one.position) for one, tally in proofs.values()]
    rows = sum(one.rows for one in segments)
    return Rebuilt(
        kept,
        len(segments),
        rows,
        tuple(proven),
        tuple(unproven),
        tuple(strangers),
        staged,
        tuple(others),
    )


def _refuse_healthy(out: Dataset, *, force: bool, stamp: str) -> None:
    try:
        with folder.opened(out) as ledger:
            if not force:
                raise UsageError(
                    f"the ledger {out.ledger} is healthy",
                    hint="--force rebuilds it all the same; it knows more than the files can tell",
                )
            folder.publish(out, ledger, stamp=stamp)
    except LedgerError:
        if _is_newer(out.ledger):
            raise


def _is_newer(path: Path) -> bool:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return int(db.execute("PRAGMA user_version").fetchone()[0]) > VERSION
        finally:
            db.close()
    except sqlite3.Error:
        return False


def _policy(out: Dataset) -> Policy:
    policy = pinned_policy(out)
    if policy is None:
        raise PolicyError(
            f"the policy {out.policy} is missing",
            hint="put it back: the ledger held the other copy, and files only say what it was called",
        )
    return policy


def _job(out: Dataset, policy: Policy, wishes: Wishes, now: datetime) -> Job:
    keys = wishes.keys or out.keys
    if not (keys / "instance.key").exists():
        raise KeyFileError(
            f"there is no instance key in {keys}",
            hint="name the key folder with --keys; if the key is lost, `logscrub keys init` makes another",
        )
    return job_for(out, policy, wishes, now=now)


def _segments(out: Dataset) -> tuple[list[Segment], list[tuple[str, str]]]:
    """The segments below `data/` in the order in which they were written, and what else lies there."""
    found: list[tuple[int, Segment]] = []
    strangers = []
    for path in sorted(out.data.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        try:
            found.append((path.stat().st_mtime_ns, _segment(out, path)))
        except (ValueError, KeyError, TypeError, OSError, pa.ArrowException) as error:
            # Arrow has its own OSError, without a number, for a footer that is damaged
            if isinstance(error, OSError) and error.errno:
                raise folder.output_error(error, path) from None
            strangers.append((str(path), "damaged, or not a segment of this folder"))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])], strangers


def _segment(out: Dataset, path: Path) -> Segment:
    """A segment as its footer describes it.

    Raises:
        ValueError, KeyError, TypeError, pa.ArrowException: It is none, or does not belong where it lies.
    """
    footer = pq.read_metadata(path)
    said = {key.decode(): value.decode() for key, value in (footer.metadata or {}).items()}
    # a file that does not say whose rows are whose: its sources become one, which nothing can prove
    shares = json.loads(said.get("logscrub.source_rows", "0")) or [
        (said["logscrub.sources"], footer.num_rows)
    ]
    due, closure = (date.fromisoformat(said[f"logscrub.{key}"]) for key in ("due", "closure"))
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    one = Segment(
        path.name, tuple((str(source), int(rows)) for source, rows in shares), due,
        date.fromisoformat(path.parent.name.removeprefix("date=")), closure, footer.num_rows, path.stat().st_size,
        sha256, said["logscrub.policy_digest"], "published",
    )  # fmt: skip
    is_whole = sum(rows for _, rows in one.sources) == one.rows
    if not is_whole or path.is_symlink() or path != out.data / one.folder / one.name:
        raise ValueError
    return one


def _unproven(
    stored: Mapping[str, Stored], proofs: Mapping[str, object], policy: str, *, named: bool
) -> list[Unproven]:
    found = []
    for source, one in stored.items():
        if source in proofs:
            continue
        why = _NO_MATCH
        if not named:
            why = "no raw file was named"
        elif "," in source:
            why = "several sources, merged before files said whose rows are whose"
        elif one.policies != {policy}:
            why = "scrubbed under an earlier policy"
        found.append(Unproven(source, one.rows, why))
    return found


def _blank(one: Unproven, stored: Stored, stamp: str) -> tuple[Source, Tally]:
    """A source without anything by which its raw file could be recognised."""
    source = Source(
        one.source, "unknown", "?", "", "", 0, None, None, 0, str(stored.newest), stamp[:10], "rebuilt",
        UNPROVEN, stamp, stamp,
    )  # fmt: skip
    return source, Tally(lines=one.rows, rows=one.rows)


def _write(
    path: Path, policy: Policy, sources: Sequence[tuple[Source, Tally]], segments: Sequence[Segment], *, stamp: str,
) -> None:  # fmt: skip
    """A new ledger; each segment comes with the source of its first rows."""
    ruling = digest(policy)
    ledger = open_ledger(path, create=True)
    ledger.record_policy(ruling, policy=dump(policy), reason="ledger rebuilt", changes=(), at=stamp)
    for source, tally in sources:
        mine = tuple(one for one in segments if one.sources[0][0] == source.id)
        rejects = {str(reason): number for reason, number in tally.rejects.items()}
        batch = Batch(
            source,
            0,
            tally.lines,
            tally.rows,
            tally.blanks,
            rejects,
            tuple(tally.listed),
            mine,
            ruling,
            (),
        )
        ledger.commit(batch, at=stamp)
    ledger.set_state([one.name for one in segments], "published")
    ledger.close()


def _take_its_place(out: Dataset, draft: Path) -> Path | None:
    """Put the new ledger where the old one is, which gets a name that is free; at no moment is there none."""
    kept = next(
        one
        for one in (out.root / f"ledger.db.broken-{number}" for number in count(1))
        if not any(os.path.lexists(f"{one}{end}") for end in ("", "-wal", "-shm"))
    )
    was_there = out.ledger.exists()
    try:
        for end in ("", "-wal", "-shm"):
            old = out.root / f"ledger.db{end}"
            if old.exists():
                old.chmod(0o600)
                os.link(old, f"{kept}{end}")
                if end:
                    # SQLite would take it for that of the new ledger
                    old.unlink()
        draft.rename(out.ledger)
        folder.sync_folder(out.root)
    except OSError as error:
        raise folder.output_error(error, out.root) from None
    return kept if was_there else None
