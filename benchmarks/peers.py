"""What others need for the same file; each peer is a child process, measured from start to end.

`python -m benchmarks.peers NAME LOG OUT` runs one of them and prints how many rows it wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THREADS = 2
_NAMES = ("address", "ident", "user", "time", "request", "status", "bytes", "referer", "agent")
# Quoted fields end at a quote that no backslash escapes; DuckDB's engine (RE2) runs in linear time.
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_COMBINED = rf"^(\S+) (\S+) (.*?) \[([^\]]+)\] {_QUOTED} (\d+) (\S+) {_QUOTED} {_QUOTED}$"
FIELDS = f"regexp_extract(line, '{_COMBINED}', [{', '.join(repr(name) for name in _NAMES)}])"
"""SQL: the fields of the column `line` as a struct of strings, all empty where the line does not fit."""

_TYPED = (
    "address, user, try_strptime(time, '%d/%b/%Y:%H:%M:%S %z') AS time, request, "
    "try_cast(status AS USMALLINT) AS status, try_cast(bytes AS UBIGINT) AS bytes, referer, agent"
)


def lines_of(path: str | Path) -> str:
    """SQL: the table of the lines of a file, in the column `line`."""
    name = str(path).replace("'", "''")
    return (
        f"read_csv('{name}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', "
        "header = false, auto_detect = false, strict_mode = false)"
    )


def duckdb_regexp(log: Path, out: Path) -> int:
    """DuckDB `regexp_extract` → Parquet: time, status and size as what they are, all else as text. It scrubs nothing."""
    with duckdb.connect(config={"threads": THREADS}) as connection:
        # Rows need no order, and DuckDB is faster without.
        connection.execute("SET preserve_insertion_order = false")
        query = f"SELECT {_TYPED} FROM (SELECT unnest({FIELDS}) FROM {lines_of(log)}) WHERE address <> ''"
        target = str(out / "duckdb.parquet").replace("'", "''")
        row = connection.execute(
            f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    assert row is not None
    return int(row[0])


PEERS: dict[str, Callable[[Path, Path], int]] = {"duckdb": duckdb_regexp}
"""By name: reads a log, writes below a folder, says how many rows."""


def main(argv: Sequence[str]) -> int:
    """Run one peer."""
    name, log, out = argv
    print(PEERS[name](Path(log), Path(out)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
