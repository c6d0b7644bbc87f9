"""A layout as the compiled loop of `logscrub.formats.fast` reads it: one row of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.formats.fast import (
    COUNTED,
    DIGIT,
    FREE,
    LETTER,
    MOVES,
    NUMBER,
    PADDED,
    QUOTED,
    TIME,
    TOKEN,
    ZONE,
)
from logscrub.formats.layout import Kind
from logscrub.formats.stamps import COUNTS, DIGITS, ELASTIC, LETTERS, shape

if TYPE_CHECKING:
    from logscrub.formats.fast import Code
    from logscrub.formats.layout import Field, Layout
    from logscrub.formats.stamps import Shape

_CODES: Final = {
    Kind.TOKEN: TOKEN, Kind.FREE: FREE, Kind.QUOTED: QUOTED, Kind.NUMBER: NUMBER, Kind.TIME: TIME,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """A layout as the loop reads it.

    Args:
        code: The first literal; then for each field its kind, its flags, the length of its pattern, the pattern, and
            the literal behind it. A literal is its length and its bytes, eight of them a number.
        fields: How many fields there are.
        escaped: Whether the server escapes quotes.
        quotes: How many quotes a line must have where it does not.
    """

    code: Code = field(repr=False)
    fields: int
    escaped: bool
    quotes: int


@lru_cache(maxsize=64)
def program(layout: Layout) -> Program:
    """The layout as the loop reads it; a time stamp without fixed places has an empty pattern."""
    first, *others = layout.literals
    code = _literal(first)
    for one, literal in zip(layout.fields, others, strict=True):
        fixed = shape(one.time) if one.kind is Kind.TIME else None
        pattern = _pattern(fixed) if fixed else []
        code += [
            _CODES[one.kind],
            _flags(one, fixed),
            len(pattern),
            *pattern,
            *_literal(literal),
        ]
    return Program(
        np.array(code, np.int64),
        len(layout.fields),
        layout.is_quoted_safely,
        sum(literal.count(b'"') for literal in layout.literals),
    )


def _literal(text: bytes) -> list[int]:
    padded = text + bytes(-len(text) % 8)
    return [len(text), *np.frombuffer(padded, np.int64).tolist()]


def _flags(one: Field, fixed: Shape | None) -> int:
    if fixed is None:
        return MOVES if one.kind is Kind.TIME else 0
    moves = not ELASTIC.isdisjoint(one.time)
    return ZONE * fixed.zone | COUNTED * fixed.counted | MOVES * moves


def _pattern(fixed: Shape) -> list[int]:
    """What each byte of a time stamp must be."""
    out: list[int] = []
    for token, _ in fixed.places:
        if token in LETTERS:
            out += [LETTER] * LETTERS[token][0]
        elif token == "%e":  # noqa: S105 — a token of a time format
            out += [PADDED, DIGIT]
        elif token == "%epoch.ms":  # noqa: S105 — as above
            out += [DIGIT] * COUNTS["%s"] + [ord(".")] + [DIGIT] * 3
        elif token in DIGITS or token in COUNTS:
            out += [DIGIT] * (DIGITS.get(token) or COUNTS[token])
        else:
            out += list(b"%" if token == "%%" else token.encode())  # noqa: S105 — as above
    return out
