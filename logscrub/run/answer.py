"""What `query` finds, as CSV, JSON, Parquet or cells of a table."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from logscrub.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# https://owasp.org/www-community/attacks/CSV_Injection: a spreadsheet takes text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def csv_parts(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """RFC 4180, UTF-8, with a header; text that a spreadsheet would take for a formula begins with `'`.

    Null and empty text are both an empty field. Lists are JSON.
    """
    yield _csv([[_harmless(name) for name in schema.names]])
    for batch in batches:
        yield _csv([[_field(value) for value in row] for row in rows(batch)])


def json_parts(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """One JSON array with an object per row. What JSON cannot say (NaN, infinity) is null."""
    names = schema.names
    before = "[\n"
    for batch in batches:
        for row in rows(batch):
            text = json.dumps(
                dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False
            )
            yield f"{before}{text}".encode()
            before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def write_parquet(file: BinaryIO, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write an answer as Parquet.

    Raises:
        QueryError: It has a column of a type that Parquet lacks.
    """
    try:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
    except pa.ArrowNotImplementedError:
        raise QueryError(
            "the answer has a column of a type that Parquet lacks", hint="cast it to VARCHAR"
        ) from None


def rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch as values that JSON knows; time stamps with a zone in UTC, ending with `Z`."""
    columns = [[_plain(value) for value in _whole(column).to_pylist()] for column in batch.columns]
    return zip(*columns, strict=True)


def cells(row: Sequence[Any]) -> list[str | None]:
    """One row of `rows` as text for a table."""
    return [None if value is None else _said(value) for value in row]


def _whole(column: pa.Array) -> pa.Array:
    """Python has no nanoseconds."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    return column


def _plain(value: object) -> Any:  # noqa: ANN401 — whatever JSON can hold
    convert = _CONVERT.get(type(value), str)
    return convert(value)


def _same(value: object) -> object:
    return value


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Decimal) -> int | float:
    whole = value.to_integral_value()
    return int(whole) if value == whole else float(value)


def _list(value: Iterable[object]) -> list[Any]:
    return [_plain(one) for one in value]


# By exact type: a named tuple, as Arrow gives for an interval, is text.
_CONVERT: dict[type, Callable[[Any], Any]] = {
    type(None): _same,
    bool: _same,
    int: _same,
    str: _same,
    float: lambda value: value if math.isfinite(value) else None,
    Decimal: _number,
    datetime: _instant,
    date: date.isoformat,
    time: time.isoformat,
    bytes: bytes.hex,
    dict: lambda value: {str(key): _plain(one) for key, one in value.items()},
    list: _list,
    tuple: _list,
}


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _field(value: object) -> object:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return _harmless(_said(value))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(table: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    return text.getvalue().encode()
