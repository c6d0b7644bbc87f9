"""`verify`: files and ledger agree, nothing is overdue or open to others, nothing leaked; changes nothing.

Ledger and folders are read together, under the lock of one commit. What files hold is looked at afterwards, one by one
and without it: a published file never changes, and one that vanished meanwhile is asked about anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from logscrub.dataset import locked, opened, output_error
from logscrub.errors import LedgerError
from logscrub.policy import digest
from logscrub.retention import local_day
from logscrub.run.accounts import Finding, accounts
from logscrub.run.expire import overdue_folders, planned
from logscrub.run.leaks import leaks
from logscrub.run.pinned import ruling_policy
from logscrub.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BufferedReader

    from logscrub.dataset import Dataset
    from logscrub.policy import Policy
    from logscrub.records import Segment
    from logscrub.retention import Decision
    from logscrub.run.leaks import Kind

_WAIT: Final = 60.0
_ROUNDS: Final = 5
"""How often the ledger is asked about files that vanished while others were read."""
_DATA, _STAGING = Path("data"), Path("staging")
_SHARED, _PRIVATE, _KEY = 0o027, 0o077, 0o177
"""What the mode of data, of the ledger and of a key must not give."""
_LOST: Final = "restore it from a backup, or ingest its sources again with --replace"
_LEAKED: Final = "ingest its sources again with --replace, and report this"
_WORDS: Final[dict[Kind, str]] = {
    "address": "whole IP addresses",
    "email": "e-mail addresses",
    "agent": "raw user agents",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` saw.

    Args:
        root: The dataset; paths in findings are relative to it.
        quick: Whether what needs all bytes was left out.
        segments: Published segments.
        rows: Rows in them.
        findings: What is wrong; empty when everything holds.
        notes: What is unfinished, and finishes by itself.
    """

    root: Path
    quick: bool
    segments: int
    rows: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Ledger and folders at one moment.

    Args:
        due: Segments that had to be gone.
        folders: Days of folders that had to be gone.
        wrong: Where the ledger contradicts itself.
        files: Everything below `data/` and `staging/`, by its path from the root.
    """

    policy: Policy
    segments: Sequence[Segment]
    due: Sequence[Decision]
    folders: Sequence[date]
    wrong: Sequence[Finding]
    files: Mapping[Path, os.stat_result]

    def has(self, path: Path) -> bool:
        """Whether there is a plain file."""
        return path in self.files and stat.S_ISREG(self.files[path].st_mode)


def verify(
    out: Dataset, *, now: datetime, keys: Path | None = None, quick: bool = False
) -> Verification:
    """Check a dataset; works beside writers.

    Args:
        out: The dataset.
        now: The present.
        keys: Key folder, None for the dataset's own.
        quick: Leave out checksums and cells.

    Raises:
        LedgerError: The ledger is missing or cannot be read.
        BusyError: Another process commits for longer than a minute.
    """
    examined: dict[str, list[Finding]] = {}
    seen = _look(out, now)
    for _ in range(_ROUNDS):
        if not (vanished := _examine(out, seen, examined, quick=quick)):
            break
        seen = _look(out, now)
    notes = list(_unfinished(seen))
    if vanished:
        notes.append(f"{vanished} files were merged or deleted before they were looked at")
    rights = _rights(out, keys or out.keys, seen)
    here = [one for one in seen.segments if one.state == "published"]
    return Verification(
        out.root, quick, len(here), sum(one.rows for one in here),
        (*_late(seen), *_files(seen), *chain(*examined.values()), *seen.wrong, *rights),
        tuple(notes),
    )  # fmt: skip


def _look(out: Dataset, now: datetime) -> _Seen:
    with locked(out, "lock", wait=_WAIT), opened(out) as ledger:
        policy = ruling_policy(out, ledger)
        today = local_day(int(now.timestamp() * 1000), policy.retention.timezone)
        folders = [one.name.removeprefix("due=") for one in overdue_folders(out, today)]
        files = {
            _shown(path.relative_to(out.root)): found
            for top in (out.data, out.staging)
            for path, found in _below(top)
        }
        # an error that lived on would keep its cursor, and the ledger from being closed
        with suppress(sqlite3.DatabaseError, ValueError, TypeError, AttributeError):
            segments = ledger.segments()
            wrong = accounts(ledger.sources(), segments, ledger.batches(), ledger.deletions())
            return _Seen(
                policy, segments, planned(ledger, policy, today).remove,
                [date.fromisoformat(one) for one in folders], tuple(wrong), files,
            )  # fmt: skip
    raise LedgerError(
        f"the ledger {out.ledger} holds entries that cannot be read",
        hint=f"restore it from a backup, or: logscrub ledger rebuild {out.root} --force",
    )


def _shown(path: Path) -> Path:
    """A path that can be printed: names may be any bytes."""
    return Path(os.fsencode(path).decode(errors="replace"))


def _below(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise output_error(error, top)

    for folder, folders, files in os.walk(top, onerror=refuse):
        for name in (*folders, *files):
            # a running ingest comes and goes in staging
            with suppress(FileNotFoundError):
                yield Path(folder, name), Path(folder, name).lstat()


def _examine(out: Dataset, seen: _Seen, examined: dict[str, list[Finding]], *, quick: bool) -> int:
    """Look into the files that were not looked at yet, and count those that vanished."""
    vanished = 0
    for one in seen.segments:
        path = _place(one)
        if one.state != "published" or one.name in examined or not seen.has(path):
            continue
        try:
            with (out.root / path).open("rb") as file:
                examined[one.name] = list(_content(file, one, seen.policy, quick=quick))
        except (FileNotFoundError, NotADirectoryError):
            vanished += 1
        except OSError:
            hint = "check its owner and mode, and the disk"
            examined[one.name] = [Finding("unreadable", f"{path} cannot be read", hint)]
    return vanished


def _place(one: Segment) -> Path:
    return _DATA / one.folder / one.name


def _unfinished(seen: _Seen) -> Iterator[str]:
    states = Counter(one.state for one in seen.segments)
    for state in ("staged", "merged", "replaced", "expiring"):
        if states[state]:
            who = "expire" if state == "expiring" else "ingest or expire"
            yield f"{states[state]} segments are {state}: the next {who} finishes what was stopped"
    gone = [
        one for one in seen.due if one.segment.state == "published" and not _is_there(seen, one)
    ]
    if gone:
        yield f"{len(gone)} segments are gone on their day, but not by expire: the next one records it"


def _is_there(seen: _Seen, due: Decision) -> bool:
    return seen.has(_place(due.segment))


def _late(seen: _Seen) -> Iterator[Finding]:
    days = [one.due for one in seen.due if _is_there(seen, one)] or seen.folders
    if days:
        what = f"{len(days)} segments or folders are past their day and still there, the oldest since {min(days)}"
        yield Finding("overdue", what, "run logscrub expire")
    for path in seen.files:
        if path.parent == _STAGING and path.name.startswith("expired-"):
            what = (
                f"{path} holds rows whose day has come: an expire was stopped while it deleted them"
            )
            yield Finding("overdue", what, "delete that folder")


def _files(seen: _Seen) -> Iterator[Finding]:
    """What lies in `data/`, and what ought to."""
    known = {one.name: one for one in seen.segments}
    days = {_DATA / one.folder for one in seen.segments if one.state != "expired"}
    folders = {_DATA, *days, *(day.parent for day in days)}
    found = set()
    for path in sorted(one for one in seen.files if one.is_relative_to(_DATA)):
        one = known.get(path.name) if seen.has(path) else None
        if one and one.state == "expired":
            what = f"{path} is there, although the ledger says that it was deleted"
            yield Finding("returned", what, "delete it; it may have come from a backup")
        elif one:
            found.add(one.name)
            if path != _place(one):
                what = f"{path} lies in the wrong folder, so it would not be deleted on its day"
                yield Finding(
                    "misplaced", what, f"its place is {_place(one)}; delete what is double"
                )
        elif path not in folders and path.parent in folders:
            what = f"{path} is not in the ledger: readers may take it for data"
            yield Finding("unknown", what, "move it out of the dataset")
    found |= {one.segment.name for one in seen.due}
    for one in seen.segments:
        waits = one.state == "staged" and seen.has(_STAGING / one.name)
        if one.state in {"published", "staged"} and one.name not in found and not waits:
            yield Finding("missing", f"the committed segment {_place(one)} is not there", _LOST)


def _content(
    file: BufferedReader, one: Segment, policy: Policy, *, quick: bool
) -> Iterator[Finding]:
    """One published file against what the ledger says of it."""
    path = _place(one)
    size = os.fstat(file.fileno()).st_size
    if size != one.bytes:
        what = f"{path} has {size:,} bytes, and {one.bytes:,} in the ledger"
        yield Finding("changed", what, _LOST)
        return
    if not quick and hashlib.file_digest(file, "sha256").hexdigest() != one.sha256:
        yield Finding("changed", f"{path} does not have the checksum in the ledger", _LOST)
        return
    try:
        parquet = pq.ParquetFile(file)
        yield from _footer(parquet, one)
        if not parquet.schema_arrow.remove_metadata().equals(COLUMNS):
            what = f"{path} does not have the columns that every file has"
            yield Finding("columns", what, _LOST)
            return
        yield from _statistics(parquet, one)
        if not quick:
            yield from _cells(file, one, policy)
    except pa.ArrowException:
        yield Finding("unreadable", f"{path} cannot be read as Parquet", _LOST)


def _footer(parquet: pq.ParquetFile, one: Segment) -> Iterator[Finding]:
    rows, said = parquet.metadata.num_rows, _said(parquet)
    if rows != one.rows:
        what = f"{_place(one)} has {rows:,} rows, and {one.rows:,} in the ledger"
        yield Finding("rows", what, _LOST)
    ought = {
        "sources": ",".join(dict.fromkeys(source for source, _ in one.sources)),
        "due": str(one.due),
        "closure": str(one.closure),
        "policy_digest": one.policy,
        "rows": str(one.rows),
        # older files do not say whose rows are whose
        "source_rows": json.dumps(one.sources) if "source_rows" in said else None,
    }
    wrong = [name for name, text in ought.items() if said.get(name) != text]
    if wrong:
        what = f"the footer of {_place(one)} contradicts the ledger: {', '.join(wrong)}"
        yield Finding("footer", what, _LOST)


def _said(parquet: pq.ParquetFile) -> dict[str, str]:
    """What the footer says beside the columns."""
    pairs = (parquet.metadata.metadata or {}).items()
    return {
        key.decode(errors="replace").removeprefix("logscrub."): text.decode(errors="replace")
        for key, text in pairs
    }


def _statistics(parquet: pq.ParquetFile, one: Segment) -> Iterator[Finding]:
    """Columns that are not kept, and days of events."""
    kept = _said(parquet).get("kept", "").split(",")
    filled: dict[str, None] = {}
    days = set()
    for number in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(number)
        for place, name in enumerate(COLUMNS.names):
            facts = group.column(place).statistics
            nulls = facts.null_count if facts and facts.has_null_count else -1
            if name not in kept and nulls != group.column(place).num_values:
                filled[name] = None
            if name == "timestamp" and facts and facts.has_min_max:
                days |= {moment.astimezone(UTC).date() for moment in (facts.min, facts.max)}
    if filled:
        what = f"{_place(one)} has values in columns that its policy does not keep: {', '.join(filled)}"
        yield Finding("kept", what, _LEAKED)
    if days - {one.date}:
        what = f"{_place(one)} has rows of other days than that of its folder"
        yield Finding("footer", what, _LOST)


def _cells(file: BufferedReader, one: Segment, policy: Policy) -> Iterator[Finding]:
    widths = {4: 32, 6: 128}
    if one.policy == digest(policy):
        # rows of an earlier policy keep what that one let them keep
        widths = {4: policy.address.ipv4_bits, 6: policy.address.ipv6_bits}
    found = leaks(file, widths=widths, sites=policy.site.allow)
    for (column, kind), cells in sorted(found.items()):
        what = f"{_place(one)}: {cells:,} values of the column {column} look like {_WORDS[kind]}"
        yield Finding(kind, what, _LEAKED)


def _rights(out: Dataset, keys: Path, seen: _Seen) -> Iterator[Finding]:
    """Who may read and write what."""
    owners = {0, os.geteuid()}
    if os.geteuid() == 0:
        # root looks after the datasets of others
        owners.add(out.root.stat().st_uid)
    for path, found, barred in _guarded(out, keys, seen):
        mode = stat.S_IMODE(found.st_mode)
        where = path.relative_to(out.root) if out.root in path.parents else path
        if mode & barred:
            what = f"{where} is open to more than it has to be: its mode is {mode:04o}"
            yield Finding("mode", what, f"chmod {mode & ~barred:04o}")
        if found.st_uid not in owners:
            what = f"{where} belongs to another user"
            yield Finding("owner", what, "chown it to the user who runs logscrub")


def _guarded(out: Dataset, keys: Path, seen: _Seen) -> Iterator[tuple[Path, os.stat_result, int]]:
    for path, found in seen.files.items():
        if not stat.S_ISLNK(found.st_mode):
            yield out.root / path, found, _SHARED
    own = [(path, _SHARED) for path in (out.root, out.data, out.staging, out.policy)]
    own += [(path, _PRIVATE) for name in ("ledger.db*", "*lock") for path in out.root.glob(name)]
    if keys.is_dir():
        own += [(keys, _PRIVATE), *((path, _KEY) for path in keys.iterdir())]
    for path, barred in own:
        # journals of the ledger and drafts of keys come and go
        with suppress(FileNotFoundError):
            yield path, path.stat(), barred
