"""Small machines: when a machine is one, and that it gives the same rows in less memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from benchmarks import measure
from benchmarks.corpus import write, yesterday
from logscrub import machine

if TYPE_CHECKING:
    from pathlib import Path

GIB = 2**30


@pytest.mark.parametrize(
    ("choice", "physical", "limit", "small"),
    [
        ("", 4 * GIB, 4 * GIB, False),
        ("", GIB, 4 * GIB, True),
        ("", 64 * GIB, GIB // 2, True),
        ("1", 64 * GIB, 64 * GIB, True),
        ("0", GIB, GIB // 2, False),
    ],
)
def test_small_is_told_by_choice_machine_or_container(
    monkeypatch: pytest.MonkeyPatch, *, choice: str, physical: int, limit: int, small: bool
) -> None:
    monkeypatch.setenv("LOGSCRUB_SMALL", choice)
    monkeypatch.setattr(machine, "_physical", lambda: physical)
    monkeypatch.setattr(machine, "_limit", lambda: limit)
    assert machine.is_small() is small


def test_the_limit_of_this_process_is_a_number() -> None:
    """Whatever control groups there are, no limit is no error."""
    assert 0 < machine._limit() <= machine._SMALL_LIMIT
    assert machine._physical() > 0


def test_only_what_nobody_wrote_to_is_given_back() -> None:
    """Not heaps, not what may be written, not a mapping with a copied page, not a small one."""
    smaps = b"".join(
        b"%s-%s %s 00000000 fe:00 %d /usr/lib/x.so\nRss: %d kB\nAnonymous: %d kB\n" % row
        for row in (
            (b"1000", b"2000", b"r-xp", 7, 5000, 0),
            (b"2000", b"3000", b"r--p", 7, 5000, 4),
            (b"3000", b"4000", b"rw-p", 7, 5000, 0),
            (b"4000", b"5000", b"r-xp", 0, 5000, 0),
            (b"5000", b"6000", b"r-xp", 7, 100, 0),
        )
    )
    assert machine._untouched(smaps) == [(0x1000, 0x2000)]


@pytest.mark.skipif(sys.platform != "linux", reason="libraries are given back on Linux")
def test_a_small_machine_gets_the_same_rows_in_less_memory(tmp_path: Path) -> None:
    """30 MB of log, everything loaded: below 256 MB, and row for row what the usual sizes give."""
    log = tmp_path / "access.log"
    write(log, size_bytes=30_000_000, end=yesterday())
    tables = []
    for small in ("0", "1"):
        out = tmp_path / f"out{small}"
        ran = measure.run(
            [sys.executable, "-m", "logscrub", "ingest", str(log), "--out", str(out), "--quiet"],
            environment={"LOGSCRUB_SMALL": small},
        )
        tables.append(
            [
                pq.read_table(one)
                for one in sorted((out / "data").glob("*/*/*.parquet"), key=lambda p: p.parent)
            ]
        )
        if small == "1":
            assert ran.peak < 256 * 2**20
    assert tables[0] == tables[1]
