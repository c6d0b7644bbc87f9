"""The durable record: sources, positions, batches, segments, closures, deletions.

One transaction of `commit` is the only point at which rows begin to exist. Nothing in here identifies a visitor: no
address, no line, and hashes only under the instance key.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import date
from typing import TYPE_CHECKING, Any

from logscrub.errors import BusyError
from logscrub.ledger_file import BUSY_MS, connect, translated
from logscrub.records import Segment, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from logscrub.records import Batch, State

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
        """Check-point and close. What was committed is there, whether or not the disk takes this."""
        with suppress(sqlite3.Error):
            self._truncate()
        with suppress(sqlite3.Error):
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
            raise translated(error) from None
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
            "SELECT name, sources, due, date, closure, rows, bytes, sha256, policy, state"  # noqa: S608 — only marks
            f" FROM segment {where} ORDER BY due, date, rowid",
            states,
        )
        return [_segment(*row) for row in rows]

    def commit(
        self, batch: Batch, *, at: str, replacing: bool = False, remainders: Iterable[Segment] = ()
    ) -> None:
        """Make a batch exist: its segments, its counts, and the new position, or nothing.

        Args:
            batch: What was staged.
            at: Now, ISO 8601.
            replacing: Its rows take the place of all rows the source has.
            remainders: Staged segments with the rows of other sources that were merged with the replaced ones.

        Raises:
            BusyError: The source moved on in the meantime; nothing changed.
        """
        with self.transaction():
            self._advance(batch)
            if replacing:
                own = [
                    (one.name,) for one in self.segments("published") if one.has(batch.source.id)
                ]
                self._db.executemany("UPDATE segment SET state = 'replaced' WHERE name = ?", own)
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
            self._db.executemany(
                "INSERT INTO reject VALUES (?,?,?,?)",
                [(cursor.lastrowid, *one) for one in batch.listed],
            )
            self._stage(*batch.segments, *remainders)
        self._truncate()

    def _truncate(self) -> None:
        """Leave no former chain value in the write-ahead log: with the position of each it tells single lines."""
        # who reads at this moment puts it off to the next commit, as a full disk does; nobody is waited for
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    def merge(self, old: Sequence[Segment], new: Segment) -> None:
        """Let one staged segment take the place of several published ones, with the same rows.

        Raises:
            BusyError: One of them is no longer there; nothing changed.
        """
        with self.transaction():
            names = {one.name for one in old}
            if not names <= {one.name for one in self.segments("published")}:
                raise BusyError(
                    "segments vanished while they were merged", hint="run the command again"
                )
            self._stage(new)
            self._db.executemany(
                "UPDATE segment SET state = 'merged' WHERE name = ?", [(name,) for name in names]
            )

    def forget_merged(self) -> None:
        """Drop the segments whose rows are in others; no row went with them."""
        with self.transaction():
            self._db.execute("DELETE FROM segment WHERE state = 'merged'")

    def join_batches(self) -> None:
        """Make one record of batches of a source that follow one another.

        So the ledger does not grow with the number of commits, and tells no length of a single line.
        """
        with self.transaction():
            before: tuple[Any, ...] | None = None
            for row in self._db.execute(
                "SELECT id, source, start, stop, lines, rows, blanks, rejects, policy, settings, committed FROM batch"
                " WHERE NOT replaced ORDER BY source, start"
            ).fetchall():
                if (
                    before
                    and before[1] == row[1]
                    and before[3] == row[2]
                    and before[8:10] == row[8:10]
                ):
                    before = self._join(before, row)
                else:
                    before = row
            self._db.execute(
                "DELETE FROM reject WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY"
                " batch ORDER BY rowid) AS place FROM reject) WHERE place > ?)",
                (MAX_LISTED_REJECTS,),
            )

    def _join(self, before: tuple[Any, ...], row: tuple[Any, ...]) -> tuple[Any, ...]:
        counts = [one + other for one, other in zip(before[4:7], row[4:7], strict=True)]
        rejects = Counter(json.loads(before[7]))
        rejects.update(json.loads(row[7]))
        text = json.dumps(rejects, sort_keys=True)
        joined = (*before[:3], row[3], *counts, text, *before[8:10], row[10])
        self._db.execute("UPDATE reject SET batch = ? WHERE batch = ?", (before[0], row[0]))
        self._db.execute("DELETE FROM batch WHERE id = ?", (row[0],))
        self._db.execute(
            "UPDATE batch SET stop = ?, lines = ?, rows = ?, blanks = ?, rejects = ?, committed = ? WHERE id = ?",
            (row[3], *counts, text, row[10], before[0]),
        )
        return joined

    def _stage(self, *segments: Segment) -> None:
        self._db.executemany(
            "INSERT INTO segment VALUES (?,?,?,?,?,?,?,?,?,'staged')",
            [
                (s.name, json.dumps(s.sources), str(s.due), str(s.date), str(s.closure), s.rows, s.bytes, s.sha256,
                 s.policy)
                for s in segments
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

    def close_source(self, source: str, *, day: str, basis: str, at: str) -> None:
        """Note that a source was seen to be closed, at the latest on a day, and how that was seen."""
        with self.transaction():
            self._db.execute(
                "UPDATE source SET state = 'read', closed_latest = ?, closed_basis = ?, last_seen = ? WHERE id = ?",
                (day, basis, at, source),
            )

    def forget_heads(self, sources: Iterable[str]) -> None:
        """Drop the hashes of sources too small to be kept apart from their lines."""
        with self.transaction():
            self._db.executemany(
                "UPDATE source SET head = NULL, chain = NULL WHERE id = ?", [(s,) for s in sources]
            )
        self._truncate()

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

    def policy_digest(self) -> str | None:
        """The digest of the policy that rules now."""
        row = self._db.execute(
            "SELECT digest FROM policy_change ORDER BY id DESC LIMIT 1"
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


def _segment(
    name: str,
    sources: str,
    due: str,
    day: str,
    closure: str,
    *rest: Any,  # noqa: ANN401 — as SQLite gives them
) -> Segment:
    shares = tuple((one, rows) for one, rows in json.loads(sources))
    when = [date.fromisoformat(text) for text in (due, day, closure)]
    return Segment(name, shares, when[0], when[1], when[2], *rest)


def open_ledger(path: Path, *, create: bool) -> Ledger:
    """Open the ledger of a dataset; see `ledger_file.connect`."""
    return Ledger(connect(path, create=create))


def deletion_hash(previous: str, at: str, segment: Segment, reason: str) -> str:
    """The link of the deletion log that follows `previous`."""
    text = json.dumps([previous, at, segment.name, str(segment.due), segment.rows, reason])
    return hashlib.sha256(text.encode()).hexdigest()
