"""`query` answers one SELECT in UTC, over files that come and go, and can do nothing else."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import logscrub

from logscrub.cli.query import Form, command
from logscrub.dataset import Dataset
from logscrub.errors import OutputError, QueryError, UsageError
from logscrub.run import query as module
from logscrub.run.answer import csv_parts, json_parts
from logscrub.run.query import query
from logscrub.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "/canary-7f3a"
DAY, DUE = date(2026, 11, 20), date(2027, 11, 21)


def add(out: Path, name: str, paths: list[str], *, day: date = DAY) -> Path:
    """Put a segment with these paths into a dataset, one second apart."""
    start = datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC)
    rows = [
        {"timestamp": start.replace(second=n), "path": path, "status": 200 + n, "bytes_sent": 2**63}
        for n, path in enumerate(paths)
    ]
    file = out / "data" / f"due={DUE}" / f"date={day}" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(file, COLUMNS, store_schema=False) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))
    return file


def dataset(out: Path) -> Path:
    add(out, "a", ["/a", "/b", CANARY])
    for secret in ("keys/key", "ledger.db", "policy.toml"):
        (out / secret).parent.mkdir(exist_ok=True)
        (out / secret).write_text("secret-51c0")
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return dataset(tmp_path / "out")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The command listens to signals for the rest of its process, which here is the tests'."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for one, listener in before.items():
        signal.signal(one, listener)


def answer(out: Path, sql: str) -> pa.Table:
    """The whole answer to a query."""
    answers: list[pa.Table] = []
    query(
        Dataset(out),
        sql,
        lambda schema, batches: answers.append(pa.Table.from_batches(batches, schema)),
    )
    (only,) = answers
    return only


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def test_the_view_has_all_columns(out: Path) -> None:
    """`logs` has the columns of the schema, then both days as dates; time stamps are UTC."""
    found = answer(out, "SELECT * FROM logs ORDER BY timestamp")
    assert found.column_names == [*COLUMNS.names, "due", "date"]
    row = found.to_pylist()[2]
    assert (row["due"], row["date"], row["path"], row["status"]) == (DUE, DAY, CANARY, 202)
    assert (row["timestamp"], row["bytes_sent"]) == (
        datetime(2026, 11, 20, 23, 30, 2, tzinfo=UTC),
        2**63,
    )


def test_an_empty_dataset_answers(out: Path, tmp_path: Path) -> None:
    """Without a file, the columns and their types are the same as with one."""
    (tmp_path / "empty" / "data").mkdir(parents=True)
    empty = answer(tmp_path / "empty", "FROM logs")
    assert (empty.schema, empty.num_rows) == (answer(out, "FROM logs").schema, 0)
    assert answer(
        tmp_path / "empty", "SELECT count(*) AS n, max(due) AS d FROM logs"
    ).to_pylist() == [{"n": 0, "d": None}]


def test_no_dataset(tmp_path: Path) -> None:
    """A folder that is no dataset is said to be none."""
    with pytest.raises(OutputError, match="not a dataset"):
        answer(tmp_path, "SELECT 1")


@pytest.mark.parametrize("name", ["site=x", "due=2020-01-01", "a[b]c*?", "it's here", "ä ö"])
def test_the_name_of_the_folder_does_not_matter(tmp_path: Path, name: str) -> None:
    """No name above data/ is taken for a pattern, a partition or SQL."""
    out = dataset(tmp_path / name / "out")
    assert answer(
        out, "SELECT count(*) AS n, max(site) AS s, max(due) AS d FROM logs"
    ).to_pylist() == [{"n": 3, "s": None, "d": DUE}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM logs;",
        "FROM logs",
        "TABLE logs -- all",
        "DESCRIBE logs",
        "SUMMARIZE logs",
        "SHOW TABLES",
        "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t WHERE a < 3) SELECT * FROM t",
        "SELECT path FROM logs UNION SELECT 'COPY x TO y; SELECT_NODE'",
        "PIVOT (SELECT status, path FROM logs) ON status IN (200, 404) USING count(*)",
        "SELECT threat FROM logs, unnest(threats) AS t(threat) QUALIFY row_number() OVER () = 1",
        "SELECT * FROM range(3), generate_series(1, 2)",
    ],
)
def test_what_reads_is_run(out: Path, sql: str) -> None:
    """Everything that is one SELECT to DuckDB and only reads is answered."""
    assert answer(out, sql).num_columns > 0


def forbidden(out: Path) -> list[str]:
    """Texts that write, reach other files or the network, or change settings."""
    data, keys = out / "data", out / "keys" / "key"
    copy = f"COPY (SELECT 1) TO '{data}/x.csv'"
    with duckdb.connect() as db:
        sql = "SELECT json_serialize_sql(?)"
        ((tree,),) = db.execute(sql, [f"WITH x AS ({copy}) SELECT * FROM x"]).fetchall()
    serialized = tree.replace("'", "''")
    nested = copy.replace("'", "''")
    return [
        copy,
        f"WITH x AS ({copy}) SELECT * FROM x",
        f"SELECT * FROM (WITH x AS ({copy}) SELECT * FROM x)",
        f"SELECT * FROM query('WITH x AS ({nested}) SELECT * FROM x')",
        f"SELECT * FROM json_execute_serialized_sql('{serialized}')",
        f"SELECT * FROM system.main.JSON_EXECUTE_SERIALIZED_SQL('{serialized}')",
        f"SUMMARIZE SELECT * FROM json_execute_serialized_sql('{serialized}')",
        "WITH x AS (INSERT INTO logs VALUES (1) RETURNING 1) SELECT * FROM x",
        "WITH x AS (DELETE FROM logs RETURNING 1) SELECT * FROM x",
        "WITH x AS (UPDATE logs SET path = '' RETURNING 1) SELECT * FROM x",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO logs SELECT * FROM logs",
        "DELETE FROM logs",
        "DROP VIEW logs",
        f"ATTACH '{out}/x.db'",
        f"EXPORT DATABASE '{out}/x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "RESET threads",
        "PRAGMA version",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW logs",
        "",
        "-- nothing",
        "PIVOT logs ON status USING count(*)",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/dev/stdin')",
        "SELECT * FROM '/etc/passwd.csv'",
        f"SELECT * FROM read_blob('{keys}')",
        f"SELECT * FROM read_blob('{data}/../keys/key')",
        f"SELECT * FROM read_text('{out}/ledger.db')",
        f"SELECT * FROM read_duckdb('{out}/ledger.db')",
        f"SELECT * FROM '{out}/policy.csv'",
        f"SELECT * FROM glob('{out}/**')",
        "SELECT (SELECT count(*) FROM glob('/*'))",
        "SELECT * FROM logs, LATERAL read_text(path)",
        "SELECT * FROM logs ORDER BY (SELECT max(size) FROM read_text('/etc/passwd'))",
        "SELECT * FROM sqlite_scan('x.db', 'segments')",
        "SELECT * FROM 'https://data.example/x.parquet'",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT getenv('HOME')",
        "SELECT * FROM enable_logging()",
        "SELECT * FROM out",
    ]


def test_nothing_else_is_possible(out: Path, tmp_path: Path) -> None:
    """Nothing is written, no other file is read: each attempt is refused, and OUT stays as it was."""
    before = content(tmp_path)
    for sql in forbidden(out):
        with pytest.raises(QueryError) as refused:
            answer(out, sql)
        assert "secret-51c0" not in f"{refused.value.what} {refused.value.hint}", sql
    assert content(tmp_path) == before


def test_the_engine_is_a_fence_of_its_own(
    out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Were the check of the text passed, the engine still reads only data/ and changes no setting."""
    monkeypatch.setattr(module, "_check", lambda _db, _sql: None)
    before = content(tmp_path)
    outside = [
        "SELECT * FROM read_text('/etc/passwd')",
        f"SELECT * FROM read_blob('{out}/keys/key')",
        f"SELECT * FROM read_blob('{out}/data/../keys/key')",
        f"SELECT * FROM glob('{out}/keys/*')",
        f"SELECT * FROM read_text('{out}/ledger.db')",
        f"WITH x AS (COPY (SELECT 1) TO '{out}/data/x.csv') SELECT * FROM x",
        f"WITH x AS (COPY (SELECT 1) TO '{tmp_path}/x.csv') SELECT * FROM x",
        f"ATTACH '{out}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
        "CREATE PERSISTENT SECRET s (TYPE s3)",
        "SELECT * FROM 'https://data.example/x.parquet'",
    ]
    for sql in outside:
        with pytest.raises(QueryError):
            answer(out, sql)
    assert content(tmp_path) == before


def test_settings_are_as_meant(out: Path) -> None:
    """What keeps the engine in is on, as the engine itself says."""
    names = {
        "enable_external_access": "false",
        "lock_configuration": "true",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "TimeZone": "UTC",
    }
    asked = ", ".join(f"current_setting('{name}')::VARCHAR AS {name}" for name in names)
    assert answer(out, f"SELECT {asked}").to_pylist() == [names]


@pytest.mark.parametrize(
    ("sql", "said", "hint"),
    [
        ("SELEC 1", "at line 1, column 1", ""),
        ("SELECT pth FROM logs", "at line 1, column 8", "did you mean path?"),
        ("SELECT 'ä',\n\n  paths FROM logs", "at line 3, column 3", "did you mean path?"),
        ("SELECT foo(path) FROM logs", "no such view or function, at line 1, column 8", ""),
        ("SELECT path::INT FROM logs", "cannot be converted, at line 1, column 12", "TRY_CAST"),
        (
            "SELECT status::TINYINT FROM logs",
            "cannot be converted, at line 1, column 14",
            "TRY_CAST",
        ),
        ("SELECT error(path) FROM logs", "cannot take one of the values", "TRY"),
        ("SELECT strptime(path, '%Y') FROM logs", "", ""),
        ("SELECT path::DATE FROM logs ORDER BY 1", "cannot be converted", "TRY_CAST"),
        ("SELECT sum(bytes_sent::BIGINT) FROM logs", "cannot be converted", "TRY_CAST"),
        ("SELECT json_extract(path, '$') FROM logs", "", ""),
        ("SELECT * FROM logs WHERE regexp_matches('x', path || '(')", "", ""),
    ],
)
def test_errors_name_places_and_no_values(out: Path, sql: str, said: str, hint: str) -> None:
    """An error tells what is wrong and where in the user's text, and holds no value of the data."""
    with pytest.raises(QueryError) as refused:
        answer(out, sql)
    assert said in refused.value.what
    assert hint in refused.value.hint
    assert CANARY[1:] not in f"{refused.value!r} {refused.value.hint}"


def test_a_failing_query_shows_no_value(out: Path) -> None:
    """What the program prints of a failure is its own two lines, on standard error."""
    done = logscrub("query", out, "SELECT path::INT FROM logs")
    assert (done.code, done.out) == (QueryError.exit_code, "")
    assert [one.split(":")[:2] for one in done.err.splitlines()] == [
        ["logscrub", " error"],
        ["logscrub", " hint"],
    ]
    assert CANARY[1:] not in done.err


def test_a_file_that_vanished_is_read_from_a_new_listing(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are replaced after the listing: the query is run again, and the answer is that of one listing."""
    first = add(out, "b", ["/x"] * 5)
    listing, listings = module._listing, 0

    def replaced(data: Path) -> tuple[str, ...]:
        nonlocal listings
        found = listing(data)
        listings += 1
        if listings == 1:
            first.unlink()
            add(out, "c", ["/y"] * 7)
        return found

    monkeypatch.setattr(module, "_listing", replaced)
    sql = "SELECT count(*) AS n, count(*) FILTER (path = '/x') AS x FROM logs"
    assert (answer(out, sql).to_pylist(), listings) == ([{"n": 10, "x": 0}], 2)


def test_a_dataset_that_keeps_vanishing_is_an_error(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries there is an error, never a part of an answer."""
    monkeypatch.setattr(
        module, "_listing", lambda _: ("due=2027-11-21/date=2026-11-20/gone.parquet",)
    )
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(QueryError, match="kept vanishing"):
        answer(out, "FROM logs")


def test_a_listing_is_two_walks_that_agree(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk that a merge or a replacement ran into is not believed."""
    walks: Iterator[list[str]] = iter([["a", "b"], ["a"], ["a", "c"], ["c", "a"]])
    monkeypatch.setattr(module, "_walk", lambda _: iter(next(walks)))
    assert module._listing(out / "data") == ("a", "c")


@pytest.mark.parametrize("restartable", [True, False])
def test_a_file_that_vanishes_in_the_middle(
    out: Path, monkeypatch: pytest.MonkeyPatch, *, restartable: bool
) -> None:
    """What can start over does; what has already said a part of the answer ends with an error."""
    monkeypatch.setattr(module, "HELD", 1)
    last = add(out, "z", ["/z"], day=date(2026, 11, 21))
    tries: list[list[str]] = []

    def some(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield next(batches)
        last.unlink(missing_ok=True)
        if len(tries) == 1:
            raise module._VanishedError

    monkeypatch.setattr(module, "_batches", lambda *given, kept=module._batches: some(kept(*given)))

    def write(_schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        tries.append([])
        for batch in batches:
            tries[-1] += batch.column("path").to_pylist()

    if restartable:
        query(Dataset(out), "SELECT path FROM logs ORDER BY path", write, restartable=True)
        assert tries == [["/a", "/b", CANARY, "/z"], ["/a", "/b", CANARY]]
    else:
        with pytest.raises(QueryError, match="not complete"):
            query(Dataset(out), "SELECT path FROM logs ORDER BY path", write)
        assert len(tries) == 1


TEXTS = st.one_of(
    st.text(max_size=8),
    st.builds(str.__add__, st.sampled_from(list("=+-@\t\r\0")), st.text(max_size=5)),
)
ROWS = st.lists(
    st.tuples(st.none() | TEXTS, st.none() | st.integers(-(2**63), 2**63 - 1)), max_size=20
)


def batch(rows: list[tuple[str | None, int | None]]) -> pa.RecordBatch:
    texts, numbers = [row[0] for row in rows], [row[1] for row in rows]
    return pa.record_batch(
        {"=text": pa.array(texts, pa.string()), "n": pa.array(numbers, pa.int64())}
    )


@given(ROWS)
def test_csv_starts_no_formula(rows: list[tuple[str | None, int | None]]) -> None:
    """Text that would be a formula gets a quote, all other text and all numbers come back as they were."""
    one = batch(rows)
    text = b"".join(csv_parts(one.schema, [one.slice(0, 3), one.slice(3)])).decode()
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == ["'=text", "n"]
    expected = []
    for cell, number in rows:
        safe = f"'{cell}" if cell and cell[0] in "=+-@\t\r\0" else cell or ""
        expected.append([safe, "" if number is None else str(number)])
    assert found == expected


@given(ROWS)
def test_json_gives_every_row_back(rows: list[tuple[str | None, int | None]]) -> None:
    """The array holds one object for each row, with the same values."""
    one = batch(rows)
    found = json.loads(b"".join(json_parts(one.schema, [one.slice(0, 3), one.slice(3)])))
    assert found == [{"=text": cell, "n": number} for cell, number in rows]


def test_values_of_all_kinds(out: Path) -> None:
    """Dates are ISO, instants UTC, whole sums whole, what JSON lacks null; equal names are told apart."""
    sql = (
        "SELECT max(timestamp) AS t, max(date) AS d, sum(bytes_sent) AS s, 'nan'::DOUBLE AS x, [1, 2] AS l,"
        " {'a': DATE '2026-01-01'} AS o, MAP {'k': 1} AS m, '\\x0A'::BLOB AS b, 1.50::DECIMAL(5, 2) AS c,"
        " TIMESTAMP '2026-01-01 01:02:03' AS u, TIMESTAMP_NS '2026-01-01 00:00:00.123456789' AS ns, TIME '10:00' AS h,"
        " true AS t, -1 AS t FROM logs"
    )
    done = logscrub("query", out, sql, "--format", "json")
    assert done.document == [
        {
            "t": "2026-11-20T23:30:02Z", "d": "2026-11-20", "s": 3 * 2**63, "x": None, "l": [1, 2],
            "o": {"a": "2026-01-01"}, "m": [["k", 1]], "b": "0a", "c": 1.5, "u": "2026-01-01T01:02:03",
            "ns": "2026-01-01T00:00:00.123456", "h": "10:00:00", "t_1": True, "t_2": -1,
        }
    ]  # fmt: skip
    done = logscrub(
        "query",
        out,
        "SELECT -5 AS a, [-5] AS b, '-5' AS c, true AS d, DATE '2026-01-01' AS e",
        "--format",
        "csv",
    )
    assert done.out == "a,b,c,d,e\r\n-5,[-5],'-5,true,2026-01-01\r\n"
    assert logscrub("query", out, "SELECT 1 AS a WHERE false", "--format", "json").document == []


def test_the_clock_of_the_machine_does_not_matter(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours and days are UTC's wherever the analyst sits."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    sql = "SELECT date_trunc('day', min(timestamp)) AS day, min(timestamp) AS t FROM logs"
    assert logscrub("query", out, sql).out == "day\tt\n2026-11-20T00:00:00Z\t2026-11-20T23:30:00Z\n"


def test_a_table_is_short(out: Path) -> None:
    """A table has at most 1,000 rows and says how many there are; CSV has all."""
    done = logscrub("query", out, "SELECT i, 'a\tb' AS s FROM range(2500) t(i)")
    assert done.out.splitlines()[:2] == ["i\ts", "0\ta�b"]
    assert (len(done.out.splitlines()), done.err) == (
        1001, "the first 1,000 of 2,500 rows; --format csv or json gives all\n"
    )  # fmt: skip
    assert (
        len(
            logscrub(
                "query", out, "SELECT i FROM range(2500) t(i)", "--format", "csv"
            ).out.splitlines()
        )
        == 2501
    )


def test_a_terminal_gets_a_table(out: Path) -> None:
    """On a terminal the columns stand under each other, and control characters do nothing."""
    outside, inside = pty.openpty()
    sql = "SELECT status, '\x1b[2J' AS wiped, path FROM logs ORDER BY path"
    done = subprocess.run(
        [sys.executable, "-m", "logscrub", "query", out, sql],
        stdout=inside,
        env={**os.environ, "TERM": "dumb"},
        check=True,
    )
    os.close(inside)
    shown = os.read(outside, 10_000).decode().replace("\r", "").splitlines()
    os.close(outside)
    assert (done.returncode, [one.split() for one in shown]) == (
        0, [["status", "wiped", "path"], ["200", "�[2J", "/a"], ["201", "�[2J", "/b"], ["202", "�[2J", CANARY]],
    )  # fmt: skip


def test_a_file_is_written_whole_or_not_at_all(out: Path, tmp_path: Path) -> None:
    """-o takes its form from the name, replaces a file when the answer is complete, and leaves it when it fails."""
    for name in ("x.csv", "x.json", "x.parquet"):
        assert (
            command(out, "SELECT path, bytes_sent FROM logs ORDER BY path", None, tmp_path / name)
            == 0
        )
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
    rows = [{"path": path, "bytes_sent": 2**63} for path in ("/a", "/b", CANARY)]
    assert pq.read_table(tmp_path / "x.parquet").to_pylist() == rows
    assert json.loads((tmp_path / "x.json").read_text()) == rows
    before = content(tmp_path)
    with pytest.raises(QueryError, match="converted"):
        command(out, "SELECT path::INT FROM logs", None, tmp_path / "x.csv")
    with pytest.raises(QueryError, match="Parquet lacks"):
        command(out, "SELECT INTERVAL 1 DAY AS a", None, tmp_path / "x.parquet")
    assert content(tmp_path) == before


def test_nothing_is_written_into_the_dataset(out: Path, tmp_path: Path) -> None:
    """-o refuses every name inside OUT, by whatever way it leads there, and what is no file."""
    (tmp_path / "link").symlink_to(out / "data")
    (tmp_path / "file.csv").symlink_to(out / "ledger.db")
    before = content(tmp_path)
    inside = (
        out / "x.csv",
        out / "data" / "x.csv",
        tmp_path / "link" / "x.csv",
        tmp_path / "file.csv",
    )
    for file in (*inside, tmp_path):
        with pytest.raises(UsageError, match=r"inside the dataset|not a file"):
            command(out, "FROM logs", Form.CSV, file)
    with pytest.raises(UsageError, match="table"):
        command(out, "FROM logs", None, tmp_path / "x.txt")
    with pytest.raises(UsageError, match="terminal"):
        command(out, "FROM logs", Form.PARQUET, None)
    assert content(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_query_can_be_stopped(out: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end a running query, and nothing is left behind."""
    room = tmp_path / "tmp"
    room.mkdir()
    sql = "SELECT count(*) FROM range(1000000000000) t(i) WHERE hash(i) = 1"
    running = subprocess.Popen(
        [sys.executable, "-m", "logscrub", "query", out, sql],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(room)},
    )  # fmt: skip
    with running:
        while running.poll() is None and not any(room.glob("*/data")):
            time.sleep(0.05)
        time.sleep(0.5)
        running.send_signal(number)
        try:
            said, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert (running.returncode, said, errors) == (130, b"", b"")
    assert list(room.iterdir()) == []


def test_a_reader_that_goes_away_ends_it(out: Path) -> None:
    """`| head` gets its lines, and the query ends without a complaint."""
    running = subprocess.Popen(
        [sys.executable, "-m", "logscrub", "query", out, "FROM range(100000000)", "--format", "csv"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"range\r\n"
        running.stdout.close()
        assert (running.wait(timeout=60), running.stderr.read()) == (141, b"")


def test_a_large_answer_streams(out: Path) -> None:
    """An answer of many batches holds every row once."""
    batches: list[Any] = []
    sql = "SELECT i, hash(i) AS h FROM range(300000) t(i) ORDER BY h"
    query(
        Dataset(out),
        sql,
        lambda _schema, found: batches.extend(one["i"].to_pylist() for one in found),
    )
    assert sorted(number for one in batches for number in one) == list(range(300_000))
    assert len(batches) > 1
