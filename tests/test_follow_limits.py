"""`follow` where the system or another process gives it less than it wants: files, space to sort, a source of its own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from following import Follower, Server, impatient
from program import count, lines, numbers

from logscrub import follow as tails
from logscrub import sink
from logscrub.errors import FullError, OutputError, SourceError
from logscrub.machine import SIZES
from logscrub.run import following
from logscrub.run.following import figures
from logscrub.run.ingest import settle_outcome, with_ledger
from logscrub.run.staging import stage
from logscrub.source import Input

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    # a slow machine is no quiet file
    monkeypatch.setattr(following, "CROWDED_WAIT", 600.0)


# --- files that may be open ------------------------------------------------------------------------


def logs(folder: Path, many: int) -> list[Path]:
    """As many logs, the number of whose only line is their own."""
    folder.mkdir()
    found = [folder / f"{number}.access.log" for number in range(many)]
    for number, path in enumerate(found):
        path.write_bytes(lines(number))
        os.utime(path, (1.79e9 + number, 1.79e9 + number))
    return found


def append(path: Path, number: int) -> None:
    with path.open("ab") as file:
        file.write(lines(number))


def test_files_that_do_not_fit_wait_and_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of five are read; the others have their turn as soon as these are quiet, and all of them again and again."""
    found = logs(tmp_path / "log", 5)
    one = Follower(tmp_path / "out", [str(tmp_path / "log")])
    one.state.most = 2
    one.turn(3)
    assert numbers(tmp_path / "out") == [0, 1]
    assert len(one.state.files) == 2
    (error,) = one.errors
    assert error.what.startswith(f"files that wait to be read: 3, the first is {found[2]};")
    behind = {lag.path: lag.bytes for lag in figures(one.state).sources}
    assert behind == {str(path): (0 if path in found[:2] else len(lines(2))) for path in found}
    monkeypatch.setattr(following, "CROWDED_WAIT", 0.0)
    one.turn(4)
    assert numbers(tmp_path / "out") == [0, 1, 2, 3, 4]
    assert not one.state.waiting
    for number, path in enumerate(found):
        append(path, 100 + number)
    for _ in range(8):
        one.turn()
        assert len(one.state.files) <= 2
    assert numbers(tmp_path / "out") == [*range(5), *range(100, 105)]
    assert len(one.errors) == 1
    one.stop()


def test_who_waits_longest_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often others grow meanwhile; and what waits may be renamed, packed, deleted."""
    found = logs(tmp_path / "log", 6)
    one = Follower(tmp_path / "out", [str(tmp_path / "log")])
    one.state.most = 1
    one.turn()
    append(found[1], 100)
    found[3].rename(found[3].with_name("3.access.log.1"))
    found[4].unlink()
    monkeypatch.setattr(following, "CROWDED_WAIT", 0.0)
    one.turn(2)
    assert numbers(tmp_path / "out") == [0, 1, 100]
    for number in range(4):
        append(found[0], 200 + number)
        one.turn()
    monkeypatch.setattr(following, "ROTATED_WAIT", 0.0)
    one.turn(8)
    assert numbers(tmp_path / "out") == [0, 1, 2, 3, 5, 100, 200, 201, 202, 203]
    assert not one.state.waiting
    one.stop()


def test_a_file_with_lines_to_come_is_not_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that ends in half a line, nor one that was renamed or deleted and may still be written."""
    found = logs(tmp_path / "log", 3)
    half = lines(100)
    with found[0].open("ab") as file:
        file.write(half[:40])
    os.utime(found[0], (1.79e9, 1.79e9))
    one = Follower(tmp_path / "out", [str(tmp_path / "log")])
    one.state.most = 2
    one.turn()
    found[1].unlink()
    monkeypatch.setattr(following, "CROWDED_WAIT", 0.0)
    one.turn(3)
    assert numbers(tmp_path / "out") == [0, 1]
    assert len(one.state.waiting) == 1
    with found[0].open("ab") as file:
        file.write(half[40:])
    one.turn(2)
    one.stop()
    assert numbers(tmp_path / "out") == [0, 1, 2, 100]


def test_the_limit_leaves_room_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter, and never less than what a commit and a merge need; too little is refused."""

    def allowed(number: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (number, number))
        return tails.room()

    assert [allowed(number) for number in (65, 100, 256, 1024)] == [1, 36, 192, 768]
    assert allowed(resource.RLIM_INFINITY) > 10**6
    with pytest.raises(SourceError, match="no more than 64 files"):
        allowed(64)


def test_more_logs_than_descriptors(tmp_path: Path) -> None:
    """With 96 descriptors for 50 logs: each line of each is a row, none twice, and the end is a clean one."""
    limit, many = 96, 50
    found = logs(tmp_path / "log", many)
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "logscrub", "follow", str(tmp_path / "log"), "--out", str(tmp_path / "out"),
             "--flush", "0.5"],
            stdout=subprocess.PIPE, stderr=said,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),  # noqa: PLW1509 — one call, no lock
        )  # fmt: skip
    try:
        for turn in (1, 2):
            until = time.monotonic() + 60
            while count(tmp_path / "out") < turn * many:
                assert process.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() < until, (tmp_path / "said").read_text()
                time.sleep(0.2)
            if turn == 1:
                for number, path in enumerate(found):
                    append(path, 100 + number)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "files that wait to be read: 18," in (tmp_path / "said").read_text()
    assert numbers(tmp_path / "out") == sorted([*range(many), *range(100, 100 + many)])


# --- space to sort in ------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose rows do not fit in the memory that sorting may take."""
    monkeypatch.setattr(sink, "SIZES", replace(SIZES, sorting=48 * 2**20, threads=2))
    number = 400_000
    table = pa.table(
        {
            "a": np.random.default_rng(1).integers(0, 2**60, number),
            "b": [f"{place * 7919 % number:064d}" for place in range(number)],
        }
    )
    pq.write_table(table, tmp_path / "large.parquet", row_group_size=16 * 1024)
    return tmp_path / "large.parquet"


def test_sorting_tells_a_full_disk_from_other_failures(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's refusal of a spill, the engine's own bound, and a file that is no Parquet."""
    spill = large.parent / "spill"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, before[1]))
    try:
        with pytest.raises(FullError, match="no space"):
            list(sink.in_order([large], spill))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    connect = duckdb.connect

    def bounded(config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        db = connect(config=config)
        db.execute("SET max_temp_directory_size = '0MB'")
        return db

    with monkeypatch.context() as patch:
        patch.setattr(duckdb, "connect", bounded)
        with pytest.raises(FullError, match="no space"):
            list(sink.in_order([large], spill))
    large.write_bytes(b"no Parquet")
    with pytest.raises(OutputError, match="sorted") as caught:
        list(sink.in_order([large], spill))
    assert not isinstance(caught.value, FullError)


# --- a source that somebody else reads -------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 2])
def test_a_position_that_was_moved_is_read_anew(tmp_path: Path, more: int) -> None:
    """Another process commits lines that are waiting here: they are dropped, once, and it goes on behind them."""
    server = Server(tmp_path / "log")
    server.write(5)
    one = Follower(tmp_path / "out", [str(server.live)])
    one.turn(2)
    one.state.flush = 60.0
    server.write(3)
    one.turn()
    other = stage(Input(server.live), with_ledger(one.state.job, one.state.ledger))
    settle_outcome(one.state.out, one.state.ledger, other, one.state.job)
    server.write(more)
    one.state.flush = 0.0
    one.loop()
    (error,) = one.errors
    assert "another process read this source" in error.what
    assert not one.state.pause
    one.turn(2)
    assert numbers(tmp_path / "out") == list(range(1, 9 + more))
    server.write(1)
    one.turn(2)
    server.close()
    one.stop()
    assert len(one.errors) == 1
    assert one.state.total.rows == 5 + more + 1
    assert numbers(tmp_path / "out") == list(range(1, 10 + more))
