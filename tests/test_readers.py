"""Whoever reads the Parquet beside writers sees each row once, and no row that was there is missing.

Started as a program, this file is one reader or one worker of the test below.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
from program import RECENT, ingest, lines, logscrub, numbers

from logscrub.dataset import Dataset, sweep
from logscrub.errors import BusyError
from logscrub.run.compact import compact
from logscrub.run.expire import expire
from logscrub.run.query import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    import pytest

SECONDS = float(os.environ.get("LOGSCRUB_READERS_SECONDS", "12"))
"""How long readers and writers run beside each other; longer finds rarer things."""
OLD = range(50)
"""Rows that fall due in the middle of it."""
LONG_AGO = RECENT - timedelta(days=60)
GONE = re.compile(
    r"no such file|not found|no files found|does not exist|cannot open", re.IGNORECASE
)
"""What a reader may say when a file of its listing is not there any more."""


Row = tuple[int, str, str]
"""The identity of a row, and the folder it is in."""


def with_duckdb(out: Path) -> list[Row]:
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        return db.execute(
            f"SELECT bytes_sent, due::VARCHAR, date::VARCHAR FROM read_parquet('{out}/data/**/*.parquet',"
            " hive_partitioning = true)"
        ).fetchall()


def with_polars(out: Path) -> list[Row]:
    frame = pl.scan_parquet(out / "data").select(
        "bytes_sent", pl.col("due").cast(pl.String), pl.col("date").cast(pl.String)
    )
    return [(number, due, day) for number, due, day in frame.collect().iter_rows()]


def with_pandas(out: Path) -> list[Row]:
    frame = pd.read_parquet(out / "data")
    if frame.empty:
        return []
    columns = frame["bytes_sent"].tolist(), frame["due"].astype(str), frame["date"].astype(str)
    return list(zip(*columns, strict=True))


def with_query(out: Path) -> list[Row]:
    found: list[Row] = []

    def write(_schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        for batch in batches:
            found.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))

    query(Dataset(out), "SELECT bytes_sent, due::VARCHAR, date::VARCHAR FROM logs", write)
    return found


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "duckdb": with_duckdb, "polars": with_polars, "pandas": with_pandas, "query": with_query,
}  # fmt: skip
BLIND = {"duckdb": 1, "pandas": 2}
"""How often a reader may take a folder for an empty one.

Arrow and DuckDB list the names in a folder and then look at each by its path; a name that is gone by then they leave out
without a word. Where a folder is exchanged just between, all of them are. In 10,762 exchanges at 180 a second this
happened 32 times to pandas and once to DuckDB, in loops of reads; that one merge an hour meets one read is not to be
expected in years. `query` asks for the names only, and then for each file.
"""


def read(kind: str, out: Path, stop: Path) -> dict[str, Any]:
    """Read again and again, and compare each state with those before."""
    folders: dict[int, tuple[str, str]] = {}
    reads, vanished, blind, wrong = 0, 0, 0, []
    gone = False
    while not stop.exists():
        try:
            found = READERS[kind](out)
        except Exception as error:  # noqa: BLE001 — every kind of reader has its own
            if kind == "query" or not GONE.search(str(error)):
                wrong.append(f"{type(error).__name__}: {error}"[:300])
            vanished += 1
            continue
        reads += 1
        here = {number: (due, day) for number, due, day in found}
        old = here.keys() & set(OLD)
        missing = folders.keys() - here.keys() - set(OLD)
        if len(here) != len(found):
            wrong.append(f"read {reads}: {len(found) - len(here)} rows twice")
        if missing and {folders[one] for one in missing}.isdisjoint(here.values()):
            blind += 1
        elif missing:
            wrong.append(
                f"read {reads}: {len(missing)} rows missing, {min(missing)} to {max(missing)}"
            )
        if old not in (set(), set(OLD)) or (gone and old):
            wrong.append(f"read {reads}: {len(old)} of the old rows")
        gone = gone or (not old and not missing)
        folders |= here
    return {"reads": reads, "vanished": vanished, "blind": blind, "wrong": wrong, "gone": gone}


def merge(out: Path, stop: Path) -> dict[str, Any]:
    """Merge again and again, and expire what is due once in the middle."""
    dataset, began, expired = Dataset(out), time.monotonic(), 0
    merged = 0
    for turn in count(1):
        stamp = datetime.now(UTC).isoformat()
        merged += compact(dataset, stamp=stamp).before
        if not expired and time.monotonic() - began > SECONDS / 2:
            expired = expire(dataset, now=LONG_AGO + timedelta(days=367)).deleted
        if turn % 20 == 0:
            sweep(dataset)
        if stop.exists():
            sweep(dataset)
            return {"merged": merged, "expired": expired, "turns": turn}
    return {}


def started(*arguments: object) -> subprocess.Popen[str]:
    """This file as a program."""
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it saw."""
    said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    document: dict[str, Any] = json.loads(said)
    return document


def write(out: Path, until: float) -> tuple[int, int]:
    """Write small segments, by pipes and small files in turns; two dates, so that a commit is in two folders.

    Returns:
        The next number, and how many second writers were sent away.
    """
    following, refused = 1000, 0
    while time.monotonic() < until:
        pipe = subprocess.Popen(
            [sys.executable, "-m", "logscrub", "ingest", "-", "--out", str(out), "--flush", "0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert pipe.stdin
        assert pipe.stderr
        for number in range(40):
            pipe.stdin.write(
                lines(following, when=RECENT - timedelta(days=1)) + lines(following + 1)
            )
            pipe.stdin.flush()
            following += 2
            time.sleep(0.1)
            if number == 30:
                # by now the pipe holds the dataset
                refused += second_writer(out)
        pipe.stdin.close()
        assert pipe.wait(60) == 0, pipe.stderr.read()
        pipe.stderr.close()
        small = out.with_name("small.log")
        small.write_bytes(lines(*range(following, following + 5)))
        following += 5
        ingest(out, small)
    return following, refused


def second_writer(out: Path) -> bool:
    """Another writer beside the first one."""
    path = out.with_name("second.log")
    path.write_bytes(lines(*range(9000, 9020)))
    done = logscrub("ingest", path, "--out", out)
    assert done.code == BusyError.exit_code, done.err
    return True


def test_readers_see_each_row_once_beside_writers_merges_and_an_expiry(tmp_path: Path) -> None:
    """DuckDB, Polars, pandas and `query` in loops: never a row twice, never one missing that was there before."""
    out, stop = tmp_path / "out", tmp_path / "stop"
    old = tmp_path / "old.log"
    old.write_bytes(lines(*OLD, when=LONG_AGO))
    ingest(out, old)
    readers = {kind: started("read", kind, out, stop) for kind in READERS}
    merger = started("merge", out, stop)
    try:
        following, refused = write(out, time.monotonic() + SECONDS)
    finally:
        stop.touch()
    seen = {kind: finished(process) for kind, process in readers.items()}
    work = finished(merger)
    assert {kind: one["wrong"] for kind, one in seen.items()} == {kind: [] for kind in READERS}
    assert seen["query"]["vanished"] == 0
    assert all(one["blind"] <= BLIND.get(kind, 0) for kind, one in seen.items()), seen
    assert all(one["reads"] >= 3 and one["gone"] for one in seen.values()), seen
    assert work["expired"] == 1
    assert work["merged"] > 3
    assert refused >= 1
    assert numbers(out) == list(range(1000, following))
    assert logscrub("compact", out).code == 0
    assert numbers(out) == list(range(1000, following))
    done = logscrub("query", out, "SELECT count(*) FROM logs", "--format", "csv")
    assert done.out.split() == ["count_star()", str(following - 1000)]


def test_of_two_writers_one_is_sent_away_and_nothing_comes_twice(tmp_path: Path) -> None:
    """Both are given the same files at once; the one that ends with an error may run again, and finds all of it known."""
    out = tmp_path / "out"
    files = [tmp_path / f"{n}.log" for n in range(3)]
    for n, path in enumerate(files):
        path.write_bytes(lines(*range(n * 5000, n * 5000 + 5000)))
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "logscrub", "ingest", *map(str, files), "--out", str(out)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [one.communicate(timeout=60)[1] for one in both]
    codes = sorted(one.returncode for one in both)
    # where the first is very quick the second finds everything known instead
    assert codes in ([0, BusyError.exit_code], [0, 0]), said
    assert numbers(out) == list(range(15000))
    assert ingest(out, *files)["totals"]["lines"] == 0
    assert numbers(out) == list(range(15000))


def test_the_check_of_readers_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows twice, rows missing, half an expiry, and an error of another kind are noticed."""
    all_old = [(number, "due", "old") for number in OLD]
    one, two, three = ((number, "due", f"day {number % 2}") for number in (101, 102, 103))
    states = iter(
        [
            [*all_old, one, two, three],
            [*all_old, one, two, three, three],
            [*all_old, one, two],
            [*all_old, two],
            [*all_old[:7], one, two, three],
            [one, two, three],
            [*all_old, one, two, three],
        ]
    )
    stop = tmp_path / "stop"

    def reader(_out: Path) -> list[Row]:
        try:
            return next(states)
        except StopIteration:
            stop.touch()
            raise ValueError("a checksum") from None

    monkeypatch.setitem(READERS, "pandas", reader)
    found = read("pandas", tmp_path, stop)
    assert [text.partition(": ")[2] for text in found["wrong"]] == [
        "1 rows twice", "1 rows missing, 103 to 103", "7 of the old rows", "50 of the old rows", "a checksum",
    ]  # fmt: skip
    assert (found["blind"], found["reads"]) == (1, 7)


if __name__ == "__main__":
    if sys.argv[1] == "merge":
        print(json.dumps(merge(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        print(json.dumps(read(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
