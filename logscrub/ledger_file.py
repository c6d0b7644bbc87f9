"""How the ledger lies on disk: SQLite in WAL mode with `synchronous=FULL`, its tables, and how it is opened.

Anything less than FULL loses committed transactions in a power cut.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from logscrub.errors import BusyError, FullError, LedgerError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 2
BUSY_MS: Final = 30_000
"""How long a statement waits for another process."""

_TABLES: Final = """
CREATE TABLE source (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, format TEXT NOT NULL, site TEXT NOT NULL,
  head_len INTEGER NOT NULL, head BLOB, chain BLOB, position INTEGER NOT NULL,
  newest TEXT, closed_latest TEXT NOT NULL, closed_basis TEXT NOT NULL, state TEXT NOT NULL,
  first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, clients INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX source_head ON source (head);
CREATE TABLE batch (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL REFERENCES source (id), start INTEGER NOT NULL, stop INTEGER NOT NULL,
  lines INTEGER NOT NULL, rows INTEGER NOT NULL, blanks INTEGER NOT NULL, rejects TEXT NOT NULL,
  policy TEXT NOT NULL, settings TEXT NOT NULL, committed TEXT NOT NULL, replaced INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE reject (batch INTEGER NOT NULL REFERENCES batch (id), position INTEGER NOT NULL, length INTEGER NOT NULL,
  reason TEXT NOT NULL) STRICT;
CREATE INDEX reject_batch ON reject (batch);
CREATE TABLE segment (
  name TEXT PRIMARY KEY, sources TEXT NOT NULL, due TEXT NOT NULL, date TEXT NOT NULL, closure TEXT NOT NULL,
  rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
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

_FROM_1: Final = """
ALTER TABLE segment RENAME TO old_segment;
DROP INDEX segment_state;
CREATE TABLE segment (
  name TEXT PRIMARY KEY, sources TEXT NOT NULL, due TEXT NOT NULL, date TEXT NOT NULL, closure TEXT NOT NULL,
  rows INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, policy TEXT NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE INDEX segment_state ON segment (state);
INSERT INTO segment SELECT name, json_array(json_array(source, rows)), due, date, closure, rows, bytes, sha256, policy,
  state FROM old_segment ORDER BY rowid;
DROP TABLE old_segment;
CREATE INDEX reject_batch ON reject (batch);
ALTER TABLE source ADD COLUMN clients INTEGER NOT NULL DEFAULT 0;
"""
"""From version 1, where a segment had rows of one source only."""


def translated(error: sqlite3.OperationalError) -> BusyError | OutputError:
    """What SQLite refused, as our own error."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return BusyError("the ledger is in use by another process", hint="run the command again")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE")):
        return FullError(
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
        hint=f"if this folder is a dataset of logscrub: logscrub ledger rebuild {path.parent}",
    )


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the ledger of a dataset, in autocommit mode.

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
        db = sqlite3.connect(
            path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF",
                       "cell_size_check=ON", "secure_delete=ON"):  # fmt: skip
            db.execute(f"PRAGMA {pragma}")
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        is_blank = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found == 0 and not create and is_blank:
            raise _missing(path)
        if found == 0 and create and is_blank:
            path.chmod(0o600)
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={VERSION}; COMMIT;")
            found = VERSION
        if found == 1:
            db.executescript(f"BEGIN IMMEDIATE; {_FROM_1} PRAGMA user_version={VERSION}; COMMIT;")
            found = VERSION
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError  # noqa: TRY301 — one answer for every kind of damage
    except sqlite3.OperationalError as error:
        raise translated(error) from None
    except sqlite3.DatabaseError:
        raise LedgerError(
            f"the ledger {path} is damaged",
            hint=f"restore it from a backup, or: logscrub ledger rebuild {path.parent}",
        ) from None
    if found != VERSION:
        raise LedgerError(
            f"the ledger {path} has version {found}, this logscrub knows {VERSION}",
            hint="use the newer logscrub that wrote it",
        )
    return db
