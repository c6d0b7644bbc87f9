"""Why the engine refused a query, told without any value of the data.

DuckDB quotes values in its messages ("could not convert string '…'"). So none of its text is passed on: only the kind
of error, the place in the user's own text, and column names that are known beforehand.
"""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa

from logscrub.errors import QueryError
from logscrub.schema import COLUMNS

_NAMES = {*COLUMNS.names, "due", "date"}
_DOCUMENT = "see docs/querying.md for the columns, and https://duckdb.org/docs for the language"
_RIGHTS = "check that the files are readable and whole, and that there is space for temporary files"
# Arrow passes errors on as text, with the name DuckDB gives to the kind in front.
_KINDS: tuple[tuple[type[BaseException], str, str, str], ...] = (
    (duckdb.ParserException, "Parser", "the query is not SQL that DuckDB reads", _DOCUMENT),
    (
        duckdb.BinderException,
        "Binder",
        "the query does not fit the columns or their types",
        _DOCUMENT,
    ),
    (duckdb.CatalogException, "Catalog", "there is no such view or function", _DOCUMENT),
    (
        duckdb.PermissionException,
        "Permission",
        "a query may read the view logs and no files",
        "select from logs",
    ),
    (
        duckdb.ConversionException,
        "Conversion",
        "a value cannot be converted",
        "use TRY_CAST to get null instead",
    ),
    (
        duckdb.OutOfRangeException,
        "Out of Range",
        "a value is out of the range of its type",
        "cast to a wider type first",
    ),
    (
        duckdb.OutOfMemoryException,
        "Out of Memory",
        "the query needs more than half of the memory and of the space for temporary files",
        "select fewer columns or days, or point TMPDIR to a larger disk",
    ),
    (
        duckdb.InvalidInputException,
        "Invalid Input",
        "the query cannot take one of the values",
        "use TRY(…) to get null",
    ),
    (duckdb.IOException, "IO", "a file of the dataset or a temporary file cannot be used", _RIGHTS),
)


def not_one_select(statements: int) -> QueryError:
    """Say that the text is not what `query` runs.

    Args:
        statements: How many statements it has.
    """
    if statements == 0:
        return QueryError("the query is empty", hint='try "SELECT count(*) FROM logs"')
    if statements > 1:
        return QueryError(f"the query has {statements} statements", hint="give one SELECT")
    return QueryError(
        "the query is not a SELECT",
        hint="only SELECT is run; PIVOT needs its values: PIVOT … ON status IN (200, 404)",
    )


def refused(error: Exception, sql: str, *, skip: int = 0) -> QueryError:
    """Say why the engine refused a query, without its own words.

    Args:
        error: What it raised.
        sql: The user's text, to tell the place in it.
        skip: Bytes that stood before it.
    """
    text = str(error)
    details = _details(text)
    if "Unsupported" in text and isinstance(error, pa.ArrowException):
        return QueryError(
            "the answer has a column of a type that Arrow lacks", hint="cast it to VARCHAR"
        )
    for kind, name, what, hint in _KINDS:
        if isinstance(error, kind) or text.removeprefix("IOError: ").startswith(f"{name} Error"):
            near = _near(details)
            return QueryError(
                f"{what}{_place(details, sql, skip)}",
                hint=f"did you mean {near}?" if near else hint,
            )
    return QueryError(f"DuckDB refused the query{_place(details, sql, skip)}", hint=_DOCUMENT)


def _details(text: str) -> dict[str, Any]:
    try:
        details = json.loads(text[text.index("{") :])
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def _near(details: dict[str, Any]) -> str:
    if details.get("error_subtype") != "COLUMN_NOT_FOUND":
        return ""
    candidates = str(details.get("candidates", "")).split(",")
    return next((name for name in candidates if name in _NAMES), "")


def _place(details: dict[str, Any], sql: str, skip: int) -> str:
    position = str(details.get("position", ""))
    if not position.isdecimal() or not 0 <= int(position) - skip <= len(sql.encode()):
        return ""
    before = sql.encode()[: int(position) - skip].decode(errors="ignore")
    line = before.count("\n") + 1
    return f", at line {line}, column {len(before) - before.rfind(chr(10))}"
