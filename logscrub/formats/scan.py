"""One line, taken apart exactly: the reference that the fast path is held to.

Left to right, in time linear in the line whatever it holds, without regular expressions: log lines
are hostile.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from logscrub.formats import stamps
from logscrub.formats.layout import Kind, Layout
from logscrub.schema import MAX_LINE, Reason

Spans: TypeAlias = list[tuple[int, int]]

LONGEST_NUMBER: Final = 32
"""Characters of the longest number; uint64 needs 20, and a fraction some more."""


def split_line(line: bytes, layout: Layout) -> Spans | Reason:
    """Where each field of one line begins and ends.

    A value that the server escapes cannot end its own field: a quote after an odd number of
    backslashes is never taken for the end of anything.

    Args:
        line: Without its line end.
        layout: The compiled format.

    Returns:
        Start and end (exclusive) of each field of the layout, or why the line does not fit.
    """
    if len(line) > MAX_LINE:
        return Reason.TOO_LONG
    if b"\0" in line:
        return Reason.BINARY
    if not layout.is_quoted_safely and line.count(b'"') != sum(
        literal.count(b'"') for literal in layout.literals
    ):
        return Reason.STRUCTURE
    if not line.startswith(layout.literals[0]):
        return Reason.STRUCTURE
    at = len(layout.literals[0])
    spans: Spans = []
    for i in range(len(layout.fields)):
        end = _end(line, at, layout, i)
        if end < 0:
            return Reason.STRUCTURE
        spans.append((at, end))
        at = end + len(layout.literals[i + 1])
    return spans if at == len(line) else Reason.STRUCTURE


def is_number(text: bytes) -> bool:
    """Whether servers write a number so: `200`, `0.004`, `-1`, `-`, or nothing."""
    if text in (b"", b"-"):
        return True
    whole, point, fraction = text.removeprefix(b"-").partition(b".")
    return whole.isdigit() and (fraction.isdigit() or not point) and len(text) <= LONGEST_NUMBER


def _end(line: bytes, at: int, layout: Layout, i: int) -> int:
    """Where field `i`, which begins at `at`, ends before its literal; -1 when it does not."""
    field, literal = layout.fields[i], layout.literals[i + 1]
    if field.kind is Kind.TIME:
        end = stamps.end(line, at, field.time)
        return end if end >= 0 and line.startswith(literal, end) else -1
    if field.kind is Kind.FREE:
        return _free_end(line, at, layout, i)
    if field.kind is Kind.QUOTED and layout.is_quoted_safely:
        end = _find(line, b'"', at, escaped=True)
        return end if end >= 0 and line.startswith(literal, end) else -1
    last = i == len(layout.fields) - 1
    end = _find(line, literal, at, escaped=layout.is_quoted_safely, last=last)
    if end < 0 or (field.kind is Kind.TOKEN and line.find(b" ", at, end) >= 0):
        return -1
    return -1 if field.kind is Kind.NUMBER and not is_number(line[at:end]) else end


def _find(line: bytes, literal: bytes, at: int, *, escaped: bool, last: bool = False) -> int:
    """The first place of the literal whose quote, if it begins with one, no backslash escapes."""
    if last and not literal:
        return len(line)
    end = line.find(literal, at)
    while escaped and literal[:1] == b'"' and end >= 0 and _is_escaped(line, end):
        end = line.find(literal, end + 1)
    return end


def _is_escaped(line: bytes, at: int) -> bool:
    run = at
    while run and line[run - 1] == 0x5C:
        run -= 1
    return (at - run) % 2 == 1


def _free_end(line: bytes, at: int, layout: Layout, i: int) -> int:
    escaped = layout.is_quoted_safely
    literal = layout.literals[i + 1]
    if i == len(layout.fields) - 1:
        end = len(line) - len(literal)
        good = end >= at and line.endswith(literal)
        quote = escaped and literal[:1] == b'"'
        return end if good and not (quote and _is_escaped(line, end)) else -1
    ahead = _Ahead(line, layout, i + 1)
    end = _find(line, literal, at, escaped=escaped)
    while end >= 0 and not ahead.fits(end + len(literal)):
        end = _find(line, literal, end + 1, escaped=escaped)
    return end


class _Ahead:
    """Whether the field after a free one could begin at a place.

    Places are asked for in rising order, so what was searched once is not searched again: without
    that a line made of nothing but literals would cost the square of its length.
    """

    def __init__(self, line: bytes, layout: Layout, i: int) -> None:
        self._line = line
        self._field = layout.fields[i]
        self._literal = layout.literals[i + 1]
        self._escaped = layout.is_quoted_safely
        self._last = i == len(layout.fields) - 1
        self._end = -2
        self._blank = -2

    def fits(self, at: int) -> bool:
        kind = self._field.kind
        if kind is Kind.TIME:
            end = stamps.end(self._line, at, self._field.time)
            return end >= 0 and self._line.startswith(self._literal, end)
        if kind not in (Kind.TOKEN, Kind.NUMBER):
            return True
        if self._end != -1 and self._end < at:
            self._end = _find(self._line, self._literal, at, escaped=self._escaped, last=self._last)
        if self._end < 0:
            return False
        if kind is Kind.NUMBER:
            return self._end - at <= LONGEST_NUMBER and is_number(self._line[at : self._end])
        if self._blank != -1 and self._blank < at:
            self._blank = self._line.find(b" ", at)
        return self._blank < 0 or self._blank >= self._end
