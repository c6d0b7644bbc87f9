"""The program as a user starts it, and its dataset as an analyst sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from pathlib import Path


RECENT = datetime.now(UTC) - timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def logscrub(*arguments: object, stdin: bytes | None = None, cwd: Path | None = None) -> Done:
    """Run one command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "logscrub", *map(str, arguments)],
        input=stdin if stdin is not None else b"", capture_output=True, cwd=cwd, timeout=120, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def ingest(out: Path, *arguments: object, stdin: bytes | None = None) -> dict[str, Any]:
    """Ingest, expect success, and give the JSON summary."""
    done = logscrub("ingest", *arguments, "--out", out, "--json", stdin=stdin)
    assert done.code == 0, done.err
    document: dict[str, Any] = done.document
    return document


def rows(out: Path, sql: str = "SELECT count(*) FROM logs") -> list[tuple[Any, ...]]:
    """Ask the Parquet, without logscrub."""
    with duckdb.connect() as db:
        db.execute(
            f"CREATE VIEW logs AS FROM read_parquet('{out}/data/**/*.parquet', hive_partitioning = true)"
        )
        return db.execute(sql).fetchall()


def count(out: Path) -> int:
    """Rows that a reader of the layout sees."""
    if not any((out / "data").rglob("*.parquet")):
        return 0
    return int(rows(out)[0][0])


def line(
    number: int,
    *,
    when: datetime | None = None,
    path: str | None = None,
    address: str = "",
) -> bytes:
    """One line of a combined log with an identity in its path; every line is of another client."""
    stamp = (when or RECENT).strftime("%d/%b/%Y:%H:%M:%S +0000")
    target = path or f"/p{number:04d}x"
    return (
        f'{address or f"203.0.113.{100 + number % 100}"} - alice [{stamp}] "GET {target}?q=secret HTTP/1.1" 200 {number} "https://ref.example/x" '
        f'"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"\n'
    ).encode()


def lines(*numbers: int, when: datetime | None = None) -> bytes:
    """Several lines."""
    return b"".join(line(number, when=when) for number in numbers)


def numbers(out: Path) -> list[int]:
    """The identities that arrived, sorted, repetitions included."""
    if not any((out / "data").rglob("*.parquet")):
        return []
    return [row[0] for row in rows(out, "SELECT bytes_sent FROM logs ORDER BY 1")]
