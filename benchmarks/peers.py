"""What others need for the same file; each peer is a child process, measured from start to end.

`python -m benchmarks.peers NAME LOG OUT` runs one of them and prints how many rows it wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from benchmarks import mmanon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THREADS = 2
_ANONIP = "anonip.log"
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
    import duckdb  # noqa: PLC0415 — nobody waits for what another peer needs

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


def duckdb_csv(log: Path, out: Path) -> int:
    r"""DuckDB `read_csv`, fields parted by blanks and quoted → Parquet, all as text: it cannot read `\"`, nor an odd line."""
    import duckdb  # noqa: PLC0415 — nobody waits for what another peer needs

    source = str(log).replace("'", "''")
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("SET preserve_insertion_order = false")
        names = (
            "address",
            "ident",
            "user",
            "time",
            "zone",
            "request",
            "status",
            "bytes",
            "referer",
            "agent",
        )
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
        row = connection.execute(
            f"COPY (SELECT * FROM read_csv('{source}', columns = {{{columns}}}, delim = ' ', quote = '\"', escape = '\\', "
            "header = false, auto_detect = false, ignore_errors = true, strict_mode = false)) "
            f"TO '{str(out / 'csv.parquet').replace(chr(39), chr(39) * 2)}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    assert row is not None
    return int(row[0])


def polars_groups(log: Path, out: Path) -> int:
    """Polars `extract_groups` → Parquet, all as text."""
    import polars as pl  # noqa: PLC0415 — nobody waits for what another peer needs

    lines = pl.scan_csv(
        log,
        has_header=False,
        separator="\x01",
        quote_char=None,
        new_columns=["line"],
        schema={"line": pl.String},
    )
    fields = pl.col("line").str.extract_groups(_COMBINED).struct.rename_fields(list(_NAMES))
    frame = (
        lines.select(fields.alias("fields"))
        .unnest("fields")
        .filter(pl.col("address").is_not_null())
    )
    frame.sink_parquet(out / "polars.parquet", compression="zstd")
    return int(pl.scan_parquet(out / "polars.parquet").select(pl.len()).collect().item())


def advertools_logs(log: Path, out: Path) -> int:
    """Advertools `logs_to_df` → Parquet."""
    import polars as pl  # noqa: PLC0415 — nobody waits for what another peer needs
    from advertools import logs_to_df  # noqa: PLC0415 — not installed everywhere

    target = out / "advertools.parquet"
    logs_to_df(str(log), str(target), str(out / "errors.txt"), log_format="combined")
    return int(pl.scan_parquet(target).select(pl.len()).collect().item())


def anonip(log: Path, out: Path) -> int:
    """anonip: addresses truncated in lines that stay lines; its rows are the lines it writes."""
    target = out / _ANONIP
    with log.open("rb") as source, target.open("wb") as sink:
        subprocess.run(
            [str(Path(sys.executable).with_name("anonip"))], stdin=source, stdout=sink, check=True
        )
    return target.read_bytes().count(b"\n")


def goaccess(log: Path, out: Path) -> int:
    """GoAccess, a report as JSON: it keeps counts only. Its rows are the requests it counted."""
    report = out / "report.json"
    subprocess.run(
        ["goaccess", str(log), "--log-format=COMBINED", "--no-global-config", "-o", str(report)],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return int(
        json.loads(report.read_text(encoding="utf-8", errors="replace"))["general"][
            "valid_requests"
        ]
    )


PEERS: dict[str, Callable[[Path, Path], int]] = {
    "duckdb": duckdb_regexp,
    "duckdb-csv": duckdb_csv,
    "polars": polars_groups,
    "advertools": advertools_logs,
    "anonip": anonip,
    "goaccess": goaccess,
    "mmanon": mmanon.mmanon,
}
"""By name: reads a log, writes below a folder, says how many rows."""
ANONYMISED = {"anonip": _ANONIP, "mmanon": mmanon.NAME}
"""What those that only change addresses write there."""
_INSTALL = {
    "advertools": "`make bench`",
    "anonip": "`make bench`",
    "goaccess": "Debian: `apt-get install goaccess`",
    "mmanon": "Debian: `apt-get install rsyslog`",
}


def installed(name: str) -> bool:
    """Whether a peer can run here."""
    if name == "advertools":
        return find_spec("advertools") is not None
    if name == "anonip":
        return Path(sys.executable).with_name("anonip").exists()
    if name == "mmanon":
        return mmanon.works()
    return name != "goaccess" or which("goaccess") is not None


def how_to_install(name: str) -> str:
    """The name of a peer that is left out, and what would bring it in."""
    return f"{name} ({_INSTALL[name]})"


def left_whole(log: Path, written: Path) -> int:
    """How many lines of `written` begin with an address that begins a line of `log`.

    Those in .0 do not count: shortened, they are what they were.
    """
    import duckdb  # noqa: PLC0415 — nobody waits for what another peer needs

    first = "SELECT split_part(line, ' ', 1) AS address FROM "
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT count(*) FROM ({first}{lines_of(written)}) SEMI JOIN ({first}{lines_of(log)}) USING (address) "
            "WHERE address NOT LIKE '%.0'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def main(argv: Sequence[str]) -> int:
    """Run one peer."""
    name, log, out = argv
    print(PEERS[name](Path(log), Path(out)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
