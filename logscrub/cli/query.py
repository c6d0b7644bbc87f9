"""`logscrub query`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO
from uuid import uuid4

import typer

from logscrub.cli import options
from logscrub.cli.terminal import out_table, say
from logscrub.dataset import Dataset, output_error
from logscrub.errors import CLOSED_PIPE, UsageError
from logscrub.run.answer import cells, csv_parts, json_parts, rows, write_parquet
from logscrub.run.query import query

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from logscrub.run.query import Write

MAX_SHOWN = 1000
"""Rows that a table prints; nobody reads more."""


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def command(
    target: options.Out,
    sql: Annotated[
        str,
        typer.Argument(metavar='"SELECT …"', help="One SELECT, in DuckDB's dialect, over logs."),
    ],
    form: Annotated[
        Form | None,
        typer.Option("--format", help="table unless the name of -o FILE says otherwise."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("-o", metavar="FILE", help="Write there instead; .csv, .json or .parquet."),
    ] = None,
) -> int:
    """Ask one SELECT over the dataset: view logs, one row per request.

    The query can read logs and nothing else: no other file, no network, no writing. Time stamps are UTC. A table shows
    the first 1,000 rows and is tab-separated when piped; the other formats give all rows. In CSV, text that a
    spreadsheet would take for a formula begins with an apostrophe. What -o writes is no longer part of the dataset:
    logscrub does not delete it.
    """
    for one in (signal.SIGINT, signal.SIGTERM):
        # a stopped query must still remove what it spilled to disk
        signal.signal(one, signal.default_int_handler)
    dataset = Dataset(target)
    chosen = form or _form_of(file)
    if file is None:
        if chosen is Form.PARQUET:
            raise UsageError("Parquet is not for the terminal", hint="name a file: -o FILE.parquet")
        try:
            query(
                dataset, sql, _table if chosen is Form.TABLE else _stream(sys.stdout.buffer, chosen)
            )
        except BrokenPipeError:
            # Typer would end with 1; Python would complain once more when it flushes at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return CLOSED_PIPE
        return 0
    if chosen is Form.TABLE:
        raise UsageError(
            "a table is not written to a file", hint="add --format csv, json or parquet"
        )
    place = _outside(file, dataset)

    def write(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        with _replacing(place) as handle:
            if chosen is Form.PARQUET:
                write_parquet(handle, schema, batches)
            else:
                _stream(handle, chosen)(schema, batches)

    query(dataset, sql, write, restartable=True)
    return 0


def _form_of(file: Path | None) -> Form:
    suffix = file.suffix.lower().removeprefix(".") if file else ""
    return Form(suffix) if suffix in {"csv", "json", "parquet"} else Form.TABLE


def _table(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    shown: list[list[str | None]] = []
    total = 0
    for batch in batches:
        total += batch.num_rows
        if len(shown) < MAX_SHOWN:
            shown += map(cells, rows(batch.slice(0, MAX_SHOWN - len(shown))))
    out_table(schema.names, shown)
    if total > len(shown):
        say(f"the first {len(shown):,} of {total:,} rows; --format csv or json gives all")


def _stream(file: BinaryIO, form: Form) -> Write:
    def write(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        file.writelines((csv_parts if form is Form.CSV else json_parts)(schema, batches))
        file.flush()

    return write


def _outside(file: Path, dataset: Dataset) -> Path:
    place = file.resolve()
    if place.is_relative_to(dataset.root.resolve()):
        raise UsageError(
            f"{file} lies inside the dataset",
            hint="name a file outside of it; a dataset holds only its own",
        )
    if place.exists() and not place.is_file():
        raise UsageError(
            f"{file} is not a file",
            hint="name a new file, or leave -o out to write to standard output",
        )
    return place


@contextmanager
def _replacing(place: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when it is complete."""
    draft = place.with_name(f".{place.name}.{uuid4().hex}")
    try:
        handle = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640
        )
        with os.fdopen(handle, "wb") as file:
            yield file
        draft.replace(place)
    except OSError as error:
        raise output_error(error, place) from None
    finally:
        draft.unlink(missing_ok=True)
