"""The ledger: one commit point, compared and swapped."""

from __future__ import annotations

import datetime as dt
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from logscrub.errors import BusyError, LedgerError
from logscrub.ledger import open_ledger
from logscrub.ledger_file import VERSION
from logscrub.records import Batch, Segment, Source

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2026, 11, 22)
SOURCE = Source(
    "s", "file", "a.log", "combined", "", 1024, b"h", b"c", 100, "2026-11-21", "2026-11-22", "modification time",
    "read", "t", "t",
)  # fmt: skip
SEGMENT = Segment("x.parquet", (("s", 3),), DAY, DAY, DAY, 3, 10, "00", "p", "staged")
BATCH = Batch(
    SOURCE, 0, 5, 3, 1, {"structure": 1}, ((7, 9, "structure"),), (SEGMENT,), "p", ("a.b=c",)
)


def test_a_batch_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Source, counts, rejects and segments come with one commit; a failure leaves none of them."""
    ledger = open_ledger(tmp_path / "ledger.db", create=True)
    broken = replace(BATCH, segments=(SEGMENT, SEGMENT))
    with pytest.raises(sqlite3.IntegrityError):
        ledger.commit(broken, at="t")
    assert (ledger.sources(), ledger.batches(), ledger.segments()) == ([], [], [])
    ledger.commit(BATCH, at="t")
    assert ledger.sources() == [SOURCE]
    assert ledger.segments("staged") == [SEGMENT]
    assert ledger.rejects() == [("s", 7, 9, "structure")]
    (batch,) = ledger.batches()
    assert (batch["lines"], batch["rejects"], batch["settings"]) == (5, {"structure": 1}, ["a.b=c"])
    ledger.close()


def test_a_position_that_moved_on_refuses_the_commit(tmp_path: Path) -> None:
    """Compare and swap: the second of two writers from the same position changes nothing."""
    ledger = open_ledger(tmp_path / "ledger.db", create=True)
    ledger.commit(BATCH, at="t")
    second = replace(BATCH, segments=(replace(SEGMENT, name="y.parquet"),))
    with pytest.raises(BusyError):
        ledger.commit(second, at="t")
    assert [one.name for one in ledger.segments()] == ["x.parquet"]
    ledger.commit(replace(second, start=100, source=replace(SOURCE, position=200)), at="t")
    assert ledger.sources()[0].position == 200
    ledger.close()


def test_it_is_durable_in_a_power_cut(tmp_path: Path) -> None:
    """WAL with synchronous=FULL: anything less loses committed rows."""
    ledger = open_ledger(tmp_path / "ledger.db", create=True)
    pragma = {
        name: ledger._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}
    assert (tmp_path / "ledger.db").stat().st_mode & 0o077 == 0
    ledger.close()


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """A ledger that a newer logscrub wrote is not touched."""
    open_ledger(tmp_path / "ledger.db", create=True).close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(LedgerError, match="version"):
        open_ledger(tmp_path / "ledger.db", create=False)


def test_a_missing_one_is_not_made_by_readers(tmp_path: Path) -> None:
    """Only the first ingest makes a ledger."""
    with pytest.raises(LedgerError, match="missing"):
        open_ledger(tmp_path / "ledger.db", create=False)
