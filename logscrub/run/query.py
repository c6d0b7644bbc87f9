"""`query`: one SELECT over the view `logs`, by an engine that can do nothing else.

Three fences, each of which has to hold alone for most of what could go wrong:

1. the text must be one statement of DuckDB's kind SELECT, and its syntax tree, as DuckDB's own parser gives it, may
   hold only query nodes and table functions of a list. (DuckDB 2.0 counts `WITH x AS (COPY … TO …) SELECT …` as a
   SELECT, and `json_execute_serialized_sql` runs any statement.)
2. the engine has no access to files but `data/`, to no network and no extension, and its configuration is locked.
3. the text must also be bound below the top of a statement, where DuckDB binds nothing that writes; and there is no
   database to write to, as the engine works in memory.
"""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from logscrub.dataset import exists, output_error
from logscrub.errors import QueryError
from logscrub.run.refusal import not_one_select, refused
from logscrub.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logscrub.dataset import Dataset

    Write = Callable[[pa.Schema, Iterator[pa.RecordBatch]], None]

T = TypeVar("T")

TRIES = 5
"""How often a query is run when files vanish under it."""
HELD = 64 * 2**20
"""Bytes of an answer that are collected before any is handed on, so that most answers can still be had anew."""
_BATCH = 16 * 1024
_QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_TABLE_FUNCTIONS = {
    "generate_series",
    "histogram",
    "json_each",
    "json_tree",
    "range",
    "repeat",
    "unnest",
}
_ENGINE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}


class _VanishedError(Exception):
    """A file of the listing is gone: expired, merged or replaced since."""


def query(
    out: Dataset,
    sql: str,
    write: Write,
    *,
    restartable: bool = False,
) -> None:
    """Run one SELECT over the view `logs` of a dataset; changes nothing.

    `logs` has the columns of `schema.COLUMNS`, then `due` and `date`. All of a query sees one listing of the files;
    when one of them vanishes the query is run again over a new listing.

    Args:
        out: The dataset.
        sql: The query, in DuckDB's dialect.
        write: Takes the columns and the rows of the answer. Time stamps are UTC.
        restartable: `write` may be called again after it was given a part of an answer. Otherwise a file that
            vanishes after `HELD` bytes were handed on is an error.

    Raises:
        OutputError: There is no such dataset.
        QueryError: The text is not one SELECT, asks for more than it may, or fails. Holds no value of the data.
    """
    exists(out)
    with TemporaryDirectory(prefix="logscrub-query-", ignore_cleanup_errors=True) as room:
        for attempt in range(TRIES):
            try:
                _answer(out, Path(room), sql, write, restartable=restartable)
            except _VanishedError:
                time.sleep(0.1 * attempt)
            else:
                return
    raise QueryError("files of the dataset kept vanishing during the query", hint="run it again")


def _answer(out: Dataset, room: Path, sql: str, write: Write, *, restartable: bool) -> None:
    files = _listing(out.data)
    with duckdb.connect(":memory:", config=dict(_ENGINE)) as db, ThreadPoolExecutor(1) as worker:

        def engine(call: Callable[[], T]) -> T:
            """Wait for the engine where Ctrl-C is heard: it hears nothing while it works."""
            with _explained(out.data, files, sql):
                try:
                    return worker.submit(call).result()
                except KeyboardInterrupt:
                    db.interrupt()
                    raise

        engine(lambda: _lock_in(db, out.data, room, files))
        engine(lambda: _check(db, sql))
        reader = engine(lambda: _bound(db, sql).to_arrow_reader(_BATCH))
        schema = _distinct(reader.schema)
        batches = _batches(lambda: engine(lambda: next(reader, None)), schema)
        try:
            write(schema, batches if restartable else _held(batches))
        finally:
            reader.close()


def _check(db: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = db.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise not_one_select(len(statements))
    ((text,),) = db.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree["error"] or not _only_reads(tree["statements"]):
        raise QueryError(
            "the query does more than read the view logs",
            hint="see docs/querying.md for what a query may do",
        )


def _bound(db: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    try:
        # first, because DuckDB carries out at once what it binds at the top of a statement and what writes
        db.sql(f"FROM query({_text(sql)})")
    except (duckdb.BinderException, duckdb.CatalogException):
        _complain(db, sql)
        raise
    return db.sql(sql)


def _complain(db: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise with the place in the text, which an error from below the top does not tell."""
    asked = "EXPLAIN "
    try:
        db.execute(asked + sql)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise refused(error, sql, skip=len(asked)) from None


def _only_reads(node: object) -> bool:
    """Whether a part of a syntax tree holds nothing but query nodes and table functions of the lists."""
    if isinstance(node, list):
        return all(_only_reads(part) for part in node)
    if not isinstance(node, dict):
        return True
    kind = str(node.get("type"))
    if ("cte_map" in node or kind.endswith("_NODE")) and kind not in _QUERY_NODES:
        return False
    if (
        kind == "TABLE_FUNCTION"
        and node["function"]["function_name"].lower() not in _TABLE_FUNCTIONS
    ):
        return False
    return all(_only_reads(part) for part in node.values())


def _lock_in(db: duckdb.DuckDBPyConnection, data: Path, room: Path, files: Sequence[str]) -> None:
    """Give an engine the view `logs`, and take everything else away from it."""
    # By way of a link in a folder of our own, no name above data/ is read as a pattern or as a partition.
    link = room / "data"
    if not link.is_symlink():
        link.symlink_to(data.resolve())
    spill = shutil.disk_usage(room).free // 2
    db.execute(
        f"SET TimeZone = 'UTC'; SET memory_limit = '50%'; SET temp_directory = {_text(room / 'spill')}"
    )
    db.execute(f"SET max_temp_directory_size = '{spill // 2**20} MiB'; SET errors_as_json = true")
    db.execute(f"SET allowed_directories = [{_text(link)}]; SET enable_external_access = false")
    db.execute(f"CREATE VIEW logs AS {_view(link, files)}; SET lock_configuration = true")


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _view(link: Path, files: Sequence[str]) -> str:
    columns = ", ".join(f'"{name}"' for name in (*COLUMNS.names, "due", "date"))
    if files:
        listed = ", ".join(_text(link / name) for name in files)
        parts = "hive_partitioning = true, hive_types = {'due': DATE, 'date': DATE}"
        return f"SELECT {columns} FROM read_parquet([{listed}], {parts})"  # noqa: S608 — columns are ours, names escaped
    nulls = [f'NULL::{_sql_type(one.type)} AS "{one.name}"' for one in COLUMNS]
    return f"SELECT {', '.join(nulls)}, NULL::DATE AS due, NULL::DATE AS date WHERE false"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    return "TIMESTAMPTZ" if pa.types.is_timestamp(kind) else str(kind)


def _listing(data: Path) -> tuple[str, ...]:
    """The files of a dataset, relative to `data`: two walks that agree, so that no exchange happened between."""
    before: tuple[str, ...] | None = None
    for _ in range(100):
        try:
            now = tuple(sorted(_walk(data)))
        except FileNotFoundError:
            before = None
            continue
        except OSError as error:
            raise output_error(error, data) from None
        if now == before:
            return now
        before = now
    raise QueryError("the dataset changes faster than it can be listed", hint="run the query again")


def _walk(data: Path) -> Iterator[str]:
    for due in data.iterdir():
        for day in due.iterdir() if due.name.startswith("due=") else ():
            if day.name.startswith("date="):
                yield from (
                    str(one.relative_to(data)) for one in day.iterdir() if one.suffix == ".parquet"
                )


def _batches(
    more: Callable[[], pa.RecordBatch | None], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    while (batch := more()) is not None:
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _held(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    kept, left = [], HELD
    for batch in batches:
        kept.append(batch)
        left -= batch.nbytes
        if left <= 0:
            break
    yield from kept
    try:
        yield from batches
    except _VanishedError:
        raise QueryError(
            "a file of the dataset was expired or replaced while the answer was given: it is not complete",
            hint="run the query again; with -o FILE that happens by itself",
        ) from None


def _distinct(schema: pa.Schema) -> pa.Schema:
    """The columns of an answer, those of the same name told apart by a number."""
    names: list[str] = []
    for name in schema.names:
        other, number = name, 0
        while other in names:
            number += 1
            other = f"{name}_{number}"
        names.append(other)
    return pa.schema([one.with_name(name) for one, name in zip(schema, names, strict=True)])


@contextmanager
def _explained(data: Path, files: Sequence[str], sql: str) -> Iterator[None]:
    """Turn what the engine says into words of ours: its own may quote values."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if not all((data / name).exists() for name in files):
            raise _VanishedError from None
        raise refused(error, sql) from None
