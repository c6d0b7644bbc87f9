"""`docs/querying.md` is true: its columns are the schema's, its examples run, and all tools give one answer."""

from __future__ import annotations

import ast
import json
import re
import shutil
import warnings
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from mmdb_writer import written
from program import ingest, line, logscrub

from benchmarks import sample
from logscrub.dataset import Dataset
from logscrub.run.expire import expire
from logscrub.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmdb_writer import Network

PAGE = (Path(__file__).parents[1] / "docs" / "querying.md").read_text(encoding="utf-8")
TODAY = datetime.now(UTC).date()
QUESTIONS = re.findall(r"^### (\d+\. .+?)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE)
Answer = tuple[list[str], list[tuple[Any, ...]]]


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def opening(language: str, word: str) -> str:
    """The block of the page's first chapter that shows how one tool opens the data."""
    chapter = PAGE[PAGE.index("## Open it") : PAGE.index("## Columns")]
    return next(block for block in blocks(chapter, language) if word in block)


def here(code: str, out: Path) -> str:
    return code.replace("OUT/data", f"{out}/data")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the demo under the default policy."""
    folder = tmp_path_factory.mktemp("demo")
    sample.write(folder / "access.log", today=TODAY)
    ingest(folder / "out", folder / "access.log")
    return folder / "out"


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the demo under a policy that keeps the country."""
    folder = tmp_path_factory.mktemp("located")
    sample.write(folder / "access.log", today=TODAY)
    facts: list[tuple[Network, Any]] = [
        (IPv4Network("192.0.2.0/24"), {"country": {"iso_code": "CH"}}),
        (IPv4Network("203.0.113.0/24"), {"country": {"iso_code": "AT"}}),
        (IPv6Network("2001:db8::/32"), {"country": {"iso_code": "CH"}}),
    ]
    geo = folder / "country.mmdb"
    geo.write_bytes(written(facts, database_type="GeoLite2-Country"))
    ingest(folder / "out", folder / "access.log", "--policy", "details-12m", "--geo", geo)
    return folder / "out"


def plain(value: Any) -> Any:
    """Values of three libraries as one."""
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 — that is NaN
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\S+Z", value):
        return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, date):
        return value.isoformat()
    return round(float(value), 12) if isinstance(value, (int, float, Decimal)) else value


def compared(names: list[str], rows: list[tuple[Any, ...]]) -> Answer:
    return names, [tuple(plain(value) for value in row) for row in rows]


def by_logscrub(out: Path, sql: str) -> Answer:
    done = logscrub("query", out, sql, "--format", "json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    return compared(list(found[0]) if found else [], [tuple(row.values()) for row in found])


def by_duckdb(out: Path, sql: str) -> Answer:
    with duckdb.connect() as db:
        db.execute(here(opening("sql", "CREATE VIEW"), out))
        table = db.sql(sql).to_arrow_table()
    return compared(table.column_names, [tuple(row.values()) for row in table.to_pylist()])


def evaluated(code: str, names: dict[str, Any]) -> Any:
    """Run a block as a notebook does; gives its last expression."""
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "querying.md", "exec"), names)
    return eval(compile(ast.Expression(last.value), "querying.md", "eval"), names)


def by_polars(out: Path, code: str) -> Answer:
    names: dict[str, Any] = {}
    exec(here(opening("python", "polars"), out), names)
    found = evaluated(code, names)
    assert isinstance(found, pl.DataFrame)
    return compared(found.columns, found.rows())


def by_pandas(out: Path, code: str) -> Answer:
    names: dict[str, Any] = {}
    exec(here(opening("python", "pandas"), out), names)
    found = evaluated(code, names)
    assert isinstance(found, pd.DataFrame)
    return compared(list(found.columns), list(found.itertuples(index=False, name=None)))


def test_the_columns_are_the_schemas(demo: Path) -> None:
    """The table names every column with its type, and says of each whether the default policy keeps it."""
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (yes)? ?\| .+ \|$", PAGE, re.MULTILINE)
    written_type = {f.name: str(f.type).replace("item:", "element:") for f in COLUMNS}
    assert [(name, kind) for name, kind, _ in rows] == list(written_type.items())
    one = next((demo / "data").rglob("*.parquet"))
    with duckdb.connect() as db:
        sql = f"SELECT decode(value) FROM parquet_kv_metadata('{one}') WHERE decode(key) = 'logscrub.kept'"
        (kept,) = db.sql(sql).fetchall()[0]
    assert [name for name, _, yes in rows if yes] == kept.split(",")


def test_there_are_ten_questions() -> None:
    """Ten questions, each in SQL, Polars and pandas."""
    assert [int(title.split(".")[0]) for title, _ in QUESTIONS] == list(range(1, 11))
    assert [len(blocks(text, "sql")) for _, text in QUESTIONS] == [1] * 10
    assert [len(blocks(text, "python")) for _, text in QUESTIONS] == [2] * 10


@pytest.mark.parametrize(("title", "text"), QUESTIONS, ids=[title for title, _ in QUESTIONS])
def test_all_tools_give_one_answer(title: str, text: str, demo: Path, located: Path) -> None:
    """SQL in DuckDB and in `logscrub query`, Polars and pandas: the same columns, rows and order, and at least one row."""
    out = located if "countries" in title else demo
    (sql,), (polars, pandas) = blocks(text, "sql"), blocks(text, "python")
    answer = by_duckdb(out, sql)
    assert answer[1]
    assert by_logscrub(out, sql) == answer
    assert by_polars(out, polars) == answer
    assert by_pandas(out, pandas) == answer


def test_countries_are_empty_under_the_default_policy(demo: Path) -> None:
    """As the page says, the question is answered with no rows where no country is kept."""
    text = next(text for title, text in QUESTIONS if "countries" in title)
    assert by_logscrub(demo, blocks(text, "sql")[0]) == ([], [])


def test_the_shell_examples_run(demo: Path, tmp_path: Path) -> None:
    """Every `logscrub query` line of the page works as it is written."""
    lines = re.findall(r'^logscrub query OUT "(.+?)"(.*?)(?:#.*)?$', PAGE, re.MULTILINE)
    assert len(lines) == 4
    for sql, options in lines:
        done = logscrub("query", demo, sql, *options.split(), cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
    assert len(pd.read_parquet(tmp_path / "all.parquet")) == sample.ROWS


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """One Spark for the whole module; it takes seconds to start."""
    if shutil.which("java") is None:
        pytest.skip("java is not installed: Spark is not tested")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = pytest.importorskip("pyspark.sql", reason="pyspark is not installed").SparkSession
        quiet = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "1",
        }
        builder = session.builder.master("local[1]")
        for name, value in quiet.items():
            builder = builder.config(name, value)
        running = builder.getOrCreate()
    yield running
    running.stop()


def test_spark_reads_the_types_of_the_page(spark: Any, demo: Path) -> None:
    """Spark opens the folder, with the types that the page warns of and both folder columns as dates."""
    names = {"spark": spark}
    exec(here(opening("python", "spark"), demo), names)
    logs: Any = names["logs"]
    assert logs.count() == sample.ROWS
    types = dict(logs.dtypes)
    assert list(types) == [*COLUMNS.names, "due", "date"]
    expected = {
        "bytes_sent": "decimal(20,0)",
        "asn": "bigint",
        "status": "int",
        "ip_version": "smallint",
        "date": "date",
    }
    assert {name: types[name] for name in expected} == expected
    assert (
        logs.filter(logs.status == 404).count()
        == by_duckdb(demo, "SELECT count(*) FROM logs WHERE status = 404")[1][0][0]
    )


def counts(out: Path, spark: Any) -> dict[str, int]:
    """Rows as each reader sees them."""
    folder = f"{out}/data"
    return {
        "spark": spark.read.parquet(folder).count(),
        "pandas": len(pd.read_parquet(folder)),
        "polars": pl.scan_parquet(folder).select(pl.len()).collect().item(),
        "logscrub": int(by_logscrub(out, "SELECT count(*) AS n FROM logs")[1][0][0]),
    }


def test_readers_survive_what_happens_to_a_dataset(spark: Any, tmp_path: Path) -> None:
    """Before and after a change of policy, a replace and an expiry, all readers open the folder and see the same rows."""
    out, policy = tmp_path / "out", tmp_path / "less.toml"
    configs = Path(__file__).parents[1] / "configs"
    old, new = TODAY - timedelta(days=40), TODAY - timedelta(days=2)
    for name, day, size in (("old.log", old, 30), ("new.log", new, 20)):
        when = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        (tmp_path / name).write_bytes(b"".join(line(n, when=when) for n in range(size)))

    def agreed(rows: int) -> None:
        assert set(counts(out, spark).values()) == {rows}

    ingest(out, tmp_path / "old.log")
    agreed(30)
    text = (configs / "security-12m.toml").read_text(encoding="utf-8")
    for kept in ("browser = true", "version = true", "bot = true"):
        text = text.replace(kept, kept.replace("true", "false"))
    text = text.replace('bytes = "exact"', 'bytes = "drop"')
    policy.write_text(text, encoding="utf-8")
    applied = logscrub("policy", "apply", out, "--policy", policy, "--reason", "test")
    assert applied.code == 0, applied.err
    ingest(out, tmp_path / "new.log")
    agreed(50)
    assert by_logscrub(out, "SELECT count(browser) AS n FROM logs") == (["n"], [(30.0,)])
    ingest(out, tmp_path / "old.log", "--replace")
    agreed(50)
    assert by_logscrub(out, "SELECT count(browser) AS n FROM logs") == (["n"], [(0.0,)])
    first_due = min(
        date.fromisoformat(one.name.removeprefix("due=")) for one in (out / "data").iterdir()
    )
    expire(
        Dataset(out), now=datetime(first_due.year, first_due.month, first_due.day, 12, tzinfo=UTC)
    )
    agreed(20)
