"""How logscrub speaks: results on standard output, everything else on standard error, colour on terminals only."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import FrameType

    from logscrub.errors import LogscrubError
    from logscrub.run.scrubbing import Tally

_ONE_WISH = 0.5
"""Seconds within which signals to stop are one wish."""
_UNSAFE = dict.fromkeys(
    (*range(32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)
_UNSAFE_TEXT = {code: char for code, char in _UNSAFE.items() if code not in {9, 10}}


def open_standard_streams() -> None:
    """Put the null device where a standard stream is closed, before a file of ours gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.dup(number), "r" if number == 0 else "w"))


def safe(text: str) -> str:
    """Text with control and direction characters replaced: file names are not ours."""
    return text.translate(_UNSAFE_TEXT)


def say(text: str = "") -> None:
    """One line on standard error."""
    print(safe(text), file=sys.stderr)


def out(text: str = "") -> None:
    """One line of the result, on standard output."""
    print(safe(text))


def out_json(value: object) -> None:
    """The result as one JSON document on standard output."""
    print(json.dumps(value, indent=2, default=plain, ensure_ascii=False))


def plain(value: object) -> Any:  # noqa: ANN401 — whatever JSON can hold
    """How values that JSON does not know are written."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(type(value).__name__)


def out_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output; tab-separated when that is not a terminal."""
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(_cell(value) for value in row))
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    Console().print(table)


def _cell(value: object) -> str:
    return "" if value is None else str(value).translate(_UNSAFE)


def counts(tally: Tally) -> str:
    """Where every line went, in words."""
    rejects = sum(tally.rejects.values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(tally.rejects.items()))
    text = f"{tally.lines:,} lines = {tally.rows:,} rows + {rejects:,} rejects"
    text += f"{f' ({reasons})' if reasons else ''} + {tally.blanks:,} blank"
    if len(tally.formats) < 2:
        return text
    return f"{text}; {', '.join(f'{name} {rows:,}' for name, rows in tally.formats.most_common())}"


def tally(found: Tally) -> dict[str, Any]:
    """The same for a document."""
    return {
        "lines": found.lines,
        "rows": found.rows,
        "blanks": found.blanks,
        "rejects": {str(reason): count for reason, count in sorted(found.rejects.items())},
        "formats": dict(found.formats.most_common()),
    }


def show_error(error: LogscrubError) -> None:
    """*what, where*, then *what to do*."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("logscrub: error: ", "bold red"), safe(error.what)))
    if error.hint:
        console.print(Text.assemble(("logscrub: hint: ", "bold"), safe(error.hint)))


@contextmanager
def stoppable() -> Iterator[Callable[[], int]]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop; the second one ends the process at once.

    Yields:
        A function that gives the number of the signal received, 0 as long as there is none.
    """
    received, since = 0, 0.0

    def note(number: int, _frame: FrameType | None) -> None:
        nonlocal received, since
        if not received:
            received, since = number, time.monotonic()
        # `timeout`, and a terminal beside a manager, send the first one twice
        elif time.monotonic() - since >= _ONE_WISH:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
