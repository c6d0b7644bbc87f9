"""The durable record: sources, positions, batches, segments, closures, deletions.

SQLite in WAL mode with `synchronous=FULL`: anything less loses committed transactions in a power cut. One transaction
of `commit` is the only point at which rows begin to exist. Nothing in here identifies a visitor: no address, no line,
and hashes only under the instance key.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from logscrub.errors import BusyError, LedgerError, OutputError
from logscrub.records import Segment, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from logscrub.records import Batch, State

VERSION = 1

_TABLES = """
CREATE TABLE source (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, format TEXT NOT NULL, site TEXT NOT NULL,
  head_len INTEGER NOT NULL, head BLOB, chain BLOB, position INTEGER NOT NULL,
  newest TEXT, closed_latest TEXT NOT NULL, closed_basis TEXT NOT NULL, state TEXT NOT NULL,
  first_seen TEXT NOT NULL, last_seen TEXT NOT NULL
) STRICT;
CREATE INDEX source_head ON source (head);
CREATE TABLE batch (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL REFERENCES source (id), start INTEGER NOT NULL, stop INTEGER NOT NULL,
  lines INTEGER NOT NULL, rows INTEGER NOT NULL, blanks INTEGER NOT NULL, rejects TEXT NOT NULL,
  policy TEXT NOT NULL, settings TEXT NOT NULL, committed TEXT NOT NULL, replaced INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE reject (batch INTEGER NOT NULL REFERENCES batch (id), position INTEGER NOT NULL, length INTEGER NOT NULL,
  reason TEXT NOT NULL) STRICT;
CREATE TABLE segment (
  name TEXT PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batch (id), source TEXT NOT NULL REFERENCES source (id),
  due TEXT NOT NULL, date TEXT NOT NULL, closure TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL, policy TEXT NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE INDEX segment_state ON segment (state);
CREATE TABLE deletion (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, segment TEXT NOT NULL, due TEXT NOT NULL, rows INTEGER NOT NULL,
  reason TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE outside (path TEXT PRIMARY KEY, kind TEXT NOT NULL, last_seen TEXT NOT NULL) STRICT;
CREATE TABLE policy_change (id INTEGER PRIMARY KEY, at TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL,
  changes TEXT NOT NULL, policy TEXT NOT NULL) STRICT;
"""

MAX_LISTED_REJECTS = 1000
"""Rejects of one batch whose place is kept; all of them are counted."""


class Ledger:
    """One open ledger. Use `open_ledger`.

    Args:
        connection: In autocommit mode.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def close(self) -> None:
        """Check-point and close."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what happens inside.

        Raises:
            BusyError: Another process holds the ledger too long.
            OutputError: The disk is full or broken; nothing changed.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._roll_back()
            raise _translated(error) from None
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # after SQLITE_FULL the transaction may be gone already
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def sources(self) -> list[Source]:
        """All sources, oldest first."""
        return [Source(*row) for row in self._db.execute("SELECT * FROM source ORDER BY rowid")]

    def segments(self, *states: State) -> list[Segment]:
        """Segments in any of the states given, all of them without one."""
        marks = ",".join("?" * len(states))
        where = f"WHERE state IN ({marks})" if states else ""
        rows = self._db.execute(
            "SELECT name, source, due, date, closure, rows, bytes, sha256, policy, state"  # noqa: S608 — only marks
            f" FROM segment {where} ORDER BY due, date, name",
            states,
        )
        return [
            Segment(
                n, s, date.fromisoformat(due), date.fromisoformat(day), date.fromisoformat(c), *rest
            )
            for n, s, due, day, c, *rest in rows
        ]

    def commit(self, batch: Batch, *, at: str, replacing: bool = False) -> None:
        """Make a batch exist: its segments, its counts, and the new position, or nothing.

        Args:
            batch: What was staged.
            at: Now, ISO 8601.
            replacing: Its rows take the place of all rows the source has.

        Raises:
            BusyError: The source moved on in the meantime; nothing changed.
        """
        with self.transaction():
            self._advance(batch)
            if replacing:
                self._db.execute(
                    "UPDATE segment SET state = 'replaced' WHERE source = ? AND state = 'published'",
                    (batch.source.id,),
                )
                self._db.execute(
                    "UPDATE batch SET replaced = 1 WHERE source = ?", (batch.source.id,)
                )
            cursor = self._db.execute(
                "INSERT INTO batch (source, start, stop, lines, rows, blanks, rejects, policy, settings, committed)"
                " VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    batch.source.id, 0 if replacing else batch.start, batch.source.position,
                    batch.lines, batch.rows, batch.blanks,
                    json.dumps(dict(batch.rejects), sort_keys=True), batch.policy,
                    json.dumps(batch.settings), at,
                ),
            )  # fmt: skip
            number = cursor.lastrowid
            self._db.executemany(
                "INSERT INTO reject VALUES (?,?,?,?)", [(number, *one) for one in batch.listed]
            )
            self._db.executemany(
                "INSERT INTO segment VALUES (?,?,?,?,?,?,?,?,?,?,'staged')",
                [
                    (s.name, number, s.source, str(s.due), str(s.date), str(s.closure), s.rows, s.bytes, s.sha256,
                     s.policy)
                    for s in batch.segments
                ],
            )  # fmt: skip

    def _advance(self, batch: Batch) -> None:
        source = batch.source
        known = self._db.execute(
            "SELECT position FROM source WHERE id = ?", (source.id,)
        ).fetchone()
        if (known[0] if known else 0) != batch.start:
            raise BusyError(
                "another process read this source in the meantime", hint="run the command again"
            )
        values = tuple(getattr(source, name) for name in Source.__slots__)
        marks = ",".join("?" * len(values))
        columns = ",".join(f"{name} = excluded.{name}" for name in Source.__slots__)
        self._db.execute(
            f"INSERT INTO source VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {columns}",  # noqa: S608 — own names
            values,
        )

    def set_state(self, names: Iterable[str], state: State) -> None:
        """Move segments on in their life."""
        with self.transaction():
            self._db.executemany(
                "UPDATE segment SET state = ? WHERE name = ?", [(state, name) for name in names]
            )

    def seen(self, source: str, path: str, *, at: str) -> None:
        """Note where a known source was met again."""
        with self.transaction():
            self._db.execute(
                "UPDATE source SET path = ?, last_seen = ? WHERE id = ?", (path, at, source)
            )

    def forget_heads(self, sources: Iterable[str]) -> None:
        """Drop the hashes of sources too small to be kept apart from their lines."""
        with self.transaction():
            self._db.executemany(
                "UPDATE source SET head = NULL, chain = NULL WHERE id = ?", [(s,) for s in sources]
            )

    def record_deletions(self, segments: Iterable[Segment], *, reason: str, at: str) -> None:
        """Append to the hash-chained log of deletions and mark the segments expired."""
        with self.transaction():
            row = self._db.execute("SELECT hash FROM deletion ORDER BY id DESC LIMIT 1").fetchone()
            previous = row[0] if row else ""
            for one in segments:
                link = deletion_hash(previous, at, one, reason)
                self._db.execute(
                    "INSERT INTO deletion (at, segment, due, rows, reason, previous, hash) VALUES (?,?,?,?,?,?,?)",
                    (at, one.name, str(one.due), one.rows, reason, previous, link),
                )
                self._db.execute("UPDATE segment SET state = 'expired' WHERE name = ?", (one.name,))
                previous = link

    def deletions(self) -> list[dict[str, Any]]:
        """The log of deletions, oldest first."""
        cursor = self._db.execute("SELECT * FROM deletion ORDER BY id")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def batches(self) -> list[dict[str, Any]]:
        """Counts of every batch that holds, oldest first."""
        cursor = self._db.execute(
            "SELECT source, start, stop, lines, rows, blanks, rejects, policy, settings, committed FROM batch"
            " WHERE NOT replaced ORDER BY id"
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        for row in rows:
            row["rejects"] = json.loads(row["rejects"])
            row["settings"] = json.loads(row["settings"])
        return rows

    def rejects(self) -> list[tuple[str, int, int, str]]:
        """`(source, position, length, reason)` of the rejects that are listed."""
        return list(
            self._db.execute(
                "SELECT batch.source, reject.position, reject.length, reject.reason FROM reject"
                " JOIN batch ON batch.id = reject.batch WHERE NOT replaced ORDER BY reject.rowid"
            )
        )

    def see_outside(self, files: Iterable[tuple[str, str]], *, at: str) -> None:
        """Remember files beside the sources that logscrub does not manage, as `(path, kind)`."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO outside VALUES (?,?,?)", [(p, k, at) for p, k in files]
            )

    def outside(self) -> list[tuple[str, str, str]]:
        """`(path, kind, last seen)` of what was found beside the sources."""
        return list(self._db.execute("SELECT * FROM outside ORDER BY path"))

    def record_policy(
        self, digest: str, *, policy: str, reason: str, changes: Iterable[str], at: str
    ) -> None:
        """Note that the dataset has another policy from now on; `policy` is its TOML."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO policy_change (at, digest, reason, changes, policy) VALUES (?,?,?,?,?)",
                (at, digest, reason, json.dumps(list(changes)), policy),
            )

    def policy(self) -> str | None:
        """The TOML of the policy that rules now, None before the first ingest."""
        row = self._db.execute(
            "SELECT policy FROM policy_change ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return str(row[0]) if row else None

    def policy_changes(self) -> list[dict[str, Any]]:
        """The changes of policy, oldest first."""
        cursor = self._db.execute(
            "SELECT at, digest, reason, changes FROM policy_change ORDER BY id"
        )
        return [
            {"at": at, "digest": digest, "reason": reason, "changes": json.loads(changes)}
            for at, digest, reason, changes in cursor
        ]


def deletion_hash(previous: str, at: str, segment: Segment, reason: str) -> str:
    """The link of the deletion log that follows `previous`."""
    text = json.dumps([previous, at, segment.name, str(segment.due), segment.rows, reason])
    return hashlib.sha256(text.encode()).hexdigest()


def _translated(error: sqlite3.OperationalError) -> BusyError | OutputError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return BusyError("the ledger is in use by another process", hint="run the command again")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE")):
        return OutputError(
            "no space left for the ledger: nothing was committed",
            hint="free some space and run it again; it goes on where it stopped",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return OutputError(
            "no permission to write the ledger", hint="check its owner and mode, and its folder's"
        )
    return LedgerError(
        f"the ledger cannot be written ({name})", hint="check the disk and the rights"
    )


def _missing(path: Path) -> LedgerError:
    return LedgerError(
        f"the ledger {path} is missing",
        hint="this folder is not a dataset of logscrub, or is damaged",
    )


def open_ledger(path: Path, *, create: bool) -> Ledger:
    """Open the ledger of a dataset.

    Args:
        path: `OUT/ledger.db`.
        create: Make it when it is not there, or was left blank by a process that was stopped. A dataset that has
            segments must have a ledger: starting again at zero would read everything twice.

    Raises:
        LedgerError: It is missing, damaged, or of a newer version.
    """
    if not create and not path.exists():
        raise _missing(path)
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF",
                       "cell_size_check=ON"):  # fmt: skip
            db.execute(f"PRAGMA {pragma}")
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        is_blank = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found == 0 and not create and is_blank:
            raise _missing(path)
        if found == 0 and create and is_blank:
            path.chmod(0o600)
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={VERSION}; COMMIT;")
            found = VERSION
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError  # noqa: TRY301 — one answer for every kind of damage
    except sqlite3.OperationalError as error:
        raise _translated(error) from None
    except sqlite3.DatabaseError:
        raise LedgerError(
            f"the ledger {path} is damaged", hint="restore it from a backup; nothing was changed"
        ) from None
    if found != VERSION:
        raise LedgerError(
            f"the ledger {path} has version {found}, this logscrub knows {VERSION}",
            hint="use the newer logscrub that wrote it",
        )
    return Ledger(db)
