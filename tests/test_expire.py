"""Deleting what is due, and saying so."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from program import RECENT, count, ingest, line, lines, logscrub, rows

from logscrub.dataset import Dataset, exchange, opened
from logscrub.errors import OutputError, OverdueError
from logscrub.ledger import deletion_hash
from logscrub.run.expire import expire, overdue_folders
from logscrub.run.status import status

if TYPE_CHECKING:
    from pathlib import Path

LATER = RECENT + timedelta(days=367)
DAYS = [RECENT - timedelta(days=n) for n in (0, 20, 40)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Three sources, closed twenty days apart, due twenty days apart."""
    for number, day in enumerate(DAYS):
        log = tmp_path / f"{number}.log"
        log.write_bytes(lines(*range(number * 10, number * 10 + 10), when=day))
        os.utime(log, (day.timestamp(), day.timestamp()))
    ingest(tmp_path / "out", tmp_path / "0.log", tmp_path / "1.log", tmp_path / "2.log")
    return tmp_path / "out"


def test_nothing_goes_early(out: Path) -> None:
    """Before the first due day nothing is removed; `--dry-run` never removes anything."""
    assert len(expire(Dataset(out), now=DAYS[2] + timedelta(days=360)).plan.remove) == 0
    planned = expire(Dataset(out), now=LATER, dry_run=True)
    assert (len(planned.plan.remove), planned.deleted) == (3, 0)
    assert all(decision.reason for decision in (*planned.plan.remove, *planned.plan.keep))
    assert count(out) == 30


def test_what_is_due_is_gone_and_recorded(out: Path) -> None:
    """On its day a due folder vanishes whole; the rest stays; the log of deletions is one chain."""
    now = DAYS[1] + timedelta(days=367)
    assert expire(Dataset(out), now=now).deleted == 2
    assert count(out) == 10
    assert overdue_folders(Dataset(out), now.date()) == []
    assert [folder.name for folder in (out / "data").iterdir()] == [
        f"due={rows(out, 'SELECT DISTINCT due FROM logs')[0][0]}"
    ]
    with opened(Dataset(out)) as ledger:
        previous = ""
        known = {one.name: one for one in ledger.segments("expired")}
        for entry in ledger.deletions():
            assert entry["previous"] == previous
            previous = deletion_hash(
                previous, entry["at"], known[entry["segment"]], entry["reason"]
            )
            assert entry["hash"] == previous
        assert len(known) == 2
    assert expire(Dataset(out), now=now).deleted == 0


def test_an_expired_source_does_not_come_back(out: Path, tmp_path: Path) -> None:
    """A restored raw file is recognised, however it is named."""
    expire(Dataset(out), now=LATER)
    assert count(out) == 0
    shutil.copy(tmp_path / "0.log", tmp_path / "restored.log")
    assert ingest(out, tmp_path / "restored.log")["totals"]["lines"] == 0


def test_a_shorter_policy_makes_rows_due_at_once(out: Path) -> None:
    """The earlier of what was fixed at ingest and what the policy now says."""
    applied = logscrub(
        "policy", "apply", out, "--policy", "strict-30d", "--reason", "less is enough"
    )
    assert applied.code == 0, applied.err
    done = logscrub("expire", out, "--json").document
    assert [one["rows"] for one in done["delete"]] == [10]
    assert count(out) == 20
    assert logscrub("status", out).code == 0


def test_unknown_files_under_a_due_day_go_too_and_are_counted(out: Path) -> None:
    """The layout is the schedule, whoever put a file there."""
    folder = next(path for path in sorted((out / "data").iterdir()))
    (folder / "date=2020-01-01").mkdir()
    (folder / "date=2020-01-01" / "stranger.parquet").write_bytes(b"x")
    result = expire(Dataset(out), now=LATER)
    assert result.unknown == 1
    assert list((out / "data").iterdir()) == []


def test_what_cannot_be_deleted_is_an_alarm(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is past due afterwards ends the command with its own error."""
    monkeypatch.setattr("logscrub.run.expire._unlink", lambda *_: None)
    with pytest.raises(OverdueError, match="still there"):
        expire(Dataset(out), now=LATER)
    found = status(Dataset(out), now=LATER)
    assert found.overdue


def test_a_stop_in_the_middle_is_finished_next_time(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marked and not deleted, or deleted and not recorded: the next run completes it, once."""
    with monkeypatch.context() as patch:
        patch.setattr(
            "logscrub.ledger.Ledger.record_deletions",
            lambda *_a, **_k: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            expire(Dataset(out), now=LATER)
    assert count(out) == 0
    assert expire(Dataset(out), now=LATER).deleted == 3
    with opened(Dataset(out)) as ledger:
        assert len(ledger.deletions()) == 3


def test_keys_are_destroyed_when_their_time_is_over(tmp_path: Path) -> None:
    """`expire` destroys old keys, leaves a marker, and stored tokens stay."""
    out, log = tmp_path / "out", tmp_path / "a.log"
    log.write_bytes(line(1) + line(2, when=RECENT - timedelta(days=10)))
    ingest(out, log, "--policy", "detection-90d")
    tokens = rows(out, "SELECT client_token FROM logs ORDER BY 1")
    result = expire(Dataset(out), now=RECENT + timedelta(days=25))
    assert [str(day) for day in result.keys] == [str((RECENT - timedelta(days=10)).date())]
    assert rows(out, "SELECT client_token FROM logs ORDER BY 1") == tokens
    listed = logscrub("keys", "list", out, "--json").document
    assert [one["destroyed"] for one in listed] == [True, False]


def test_status_names_what_it_knows_and_what_lies_outside(out: Path, tmp_path: Path) -> None:
    """Sources with counts and closures, due dates, raw logs last seen, and what nobody can see."""
    (tmp_path / "2.log").unlink()
    found = status(Dataset(out), now=datetime.now(UTC))
    assert (found.rows, len(found.sources), found.overdue) == (30, 3, 0)
    assert {one.closure for one in found.sources} == {day.date() for day in DAYS}
    assert [one.present for one in sorted(found.outside, key=lambda one: one.path)] == [
        True,
        True,
        False,
    ]
    assert any("backups" in text for text in found.unmanaged)
    text = logscrub("status", out).out
    assert "modification time" in text
    assert logscrub("status", out, "--json").document["next_due"] == str(found.next_due)


def test_exchange_swaps_two_folders(tmp_path: Path) -> None:
    """Both exist before and after, contents swapped; a missing one is an error of ours."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    with pytest.raises(OutputError):
        exchange(tmp_path / "a", tmp_path / "missing")
