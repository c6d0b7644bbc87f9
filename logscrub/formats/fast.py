"""All lines of a block, taken apart at once: an index of where every field begins and ends.

A cursor stands in each line; field by field, literal by literal, all cursors move together. A line
that this way of reading cannot settle (a blank in a user name, an escaped quote, a value longer
than the window) is said to be not regular, and goes to `logscrub.formats.scan`. Where a line is
regular, both give the same places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from logscrub.formats import words
from logscrub.formats.layout import Escape, Kind
from logscrub.formats.stamps import COUNTS as STAMP_COUNTS
from logscrub.formats.stamps import DIGITS, LETTERS, Shape, shape

if TYPE_CHECKING:
    from logscrub.formats.layout import Layout
    from logscrub.formats.words import Bytes, Ints, Marks, Mask, Words

Grid: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int64]]

REACH: Final = 96
"""Bytes that a field without quotes may have on the fast path."""
NUMBER_REACH: Final = 16
"""Digits that a number may have on the fast path."""
_BACKSLASH: Final = 0x5C
_BLANK: Final = 0x20
_DASH: Final = 0x2D
_FEW: Final = 64


def index(
    data: Bytes, starts: Ints, ends: Ints, layout: Layout, marks: Marks
) -> tuple[Grid, Grid, Mask]:
    """Where each field of each line begins and ends.

    Args:
        data: The block, padded with `words.padded`.
        starts: Where each line begins, rising.
        ends: Where each line ends, without its line end. Lines hold no NUL and are not over
            `MAX_LINE`.
        layout: The compiled format.
        marks: Where the quotes of these lines stand.

    Returns:
        Starts and ends, one row per field and one column per line, and which lines are regular. The
        places of lines that are not regular mean nothing.
    """
    shape_of_grid = (len(layout.fields), len(starts))
    field_starts, field_ends = np.empty(shape_of_grid, np.int64), np.empty(shape_of_grid, np.int64)
    if not can_index(layout):
        return field_starts, field_ends, np.zeros(len(starts), np.bool_)
    before = np.cumsum([literal.count(b'"') for literal in layout.literals])
    regular = words.matches(data, starts, layout.literals[0])
    if before[-1] or layout.escape is Escape.NONE:
        # A line with too few quotes reads on into what follows; it is not regular, so that does
        # not matter.
        regular &= marks.count == before[-1]
    cursor = np.minimum(starts + len(layout.literals[0]), ends)
    for i, field in enumerate(layout.fields):
        literal = layout.literals[i + 1]
        known = 0  # bytes of the literal that finding the end has seen already
        if field.kind is Kind.QUOTED:
            end, known = marks.at[marks.first + before[i]], 1
        elif field.kind is Kind.TIME:
            end = _stamp_end(data, cursor, field.time)
        elif not literal:
            end = ends
            if field.kind is not Kind.FREE:
                regular &= _without_blank(data, cursor, ends)
        else:
            reach = NUMBER_REACH if field.kind is Kind.NUMBER else REACH
            end = _token_end(data, cursor, stop=tuple({literal[0], _BLANK}), reach=reach)
            known = 1 if literal[0] == _BLANK else 0
        regular &= (end >= cursor) & (end <= ends)
        end = np.clip(end, cursor, ends)
        if field.kind is Kind.NUMBER:
            regular &= _are_numbers(data, cursor, end)
        if literal[:1] == b'"' and layout.escape is not Escape.NONE:
            regular &= data[end - 1] != _BACKSLASH
        field_starts[i], field_ends[i] = cursor, end
        regular &= words.matches(data, end + known, literal[known:])
        cursor = np.minimum(end + len(literal), ends)
        regular &= end + len(literal) <= ends
    return field_starts, field_ends, regular & (cursor == ends)


def _token_end(data: Bytes, at: Ints, *, stop: tuple[int, ...], reach: int) -> Ints:
    """As `words.find`, fast where most fields are a mere `-`, the sign for a missing value."""
    few = at[:_FEW]
    if _DASH in stop or np.count_nonzero(data[few] == _DASH) < len(few) // 2:
        return words.find(data, at, stop=stop, reach=reach)
    end = at + 1
    after = data[end]
    other = (data[at] != _DASH) | ((after != stop[0]) & (after != stop[-1]))
    rest = np.flatnonzero(other)
    if len(rest):
        end[rest] = words.find(data, at[rest], stop=stop, reach=reach)
    return end


def can_index(layout: Layout) -> bool:
    """Whether the fast path knows the layout: fixed time stamps, literals within the padding."""
    most = words.PAD - words.STRIDE
    quotes = sum(literal.count(b'"') for literal in layout.literals)
    return (
        quotes < words.QUOTES
        and all(len(literal) <= most for literal in layout.literals)
        and all(
            (fixed := shape(field.time)) is not None and fixed.width <= most - words.STRIDE
            for field in layout.fields
            if field.kind is Kind.TIME
        )
    )


def _stamp_end(data: Bytes, at: Ints, tokens: tuple[str, ...]) -> Ints:
    """Where the time stamps end; -1 where the shape is another."""
    fixed = shape(tokens)
    assert fixed is not None
    first, row = words.runs(data, at, fixed.reach)
    width = _stamp_width(data, at[first], fixed)[row]
    return np.where(width < 0, -1, at + width)


def _stamp_width(data: Bytes, at: Ints, fixed: Shape) -> Ints:
    """Bytes of the time stamps; -1 where the shape is another."""
    text, numeral, letter = _pattern(fixed)
    stamp = words.gather(data, at, count=len(text) // 8)
    digits = [words.digits(word) for word in stamp]
    good = _have(digits, numeral)
    if any(letter):
        good &= _have([words.letters(word) for word in stamp], letter)
    good &= _have(stamp, text, mask=bytes(255 if byte else 0 for byte in text))
    for token, place in fixed.places:
        if token == "%e":  # noqa: S105 — a token of a time format
            good &= (data[at + place] == _BLANK) | _is_digit(data, at + place)
    if fixed.counted:
        good &= ~_is_digit(data, at + fixed.width)
    end = np.full(len(at), fixed.width)
    if fixed.zone:
        place, shift = divmod(fixed.width, 8)
        sign = (stamp[place] >> np.uint64(8 * shift)) & np.uint64(0xFF)
        short = bytes(fixed.width + 1) + b"\x80" * 4
        usual = _have(digits, short.ljust(len(text), b"\0"))
        usual &= (sign == ord("+")) | (sign == ord("-"))
        end += 5
        others = np.flatnonzero(good & ~usual)
        if len(others):
            width = _offset_width(data, at[others] + fixed.width)
            good[others] = width > 0
            end[others] += width - 5
    return np.where(good, end, -1)


def _have(stamp: list[Words], pattern: bytes, *, mask: bytes | None = None) -> Mask:
    """Whether the words, masked, are the pattern."""
    good = np.ones(len(stamp[0]), np.bool_)
    keep = mask or pattern
    for i, word in enumerate(stamp):
        part = slice(8 * i, 8 * i + 8)
        if any(keep[part]):
            kept = word & np.uint64(int.from_bytes(keep[part], "little"))
            good &= kept == np.uint64(int.from_bytes(pattern[part], "little"))
    return good


def _pattern(fixed: Shape) -> tuple[bytes, bytes, bytes]:
    """What each byte must be: this very byte, a digit (0x80), a letter (0x80)."""
    size = 8 * -(-(fixed.width + 5 * fixed.zone) // 8)
    text, numeral, letter = bytearray(size), bytearray(size), bytearray(size)
    for token, at in fixed.places:
        if token in LETTERS:
            width = LETTERS[token][0]
            letter[at : at + width] = b"\x80" * width
        elif token == "%e":  # noqa: S105 — a token of a time format
            numeral[at + 1] = 0x80
        elif token == "%epoch.ms":  # noqa: S105 — as above
            count = STAMP_COUNTS["%s"]
            numeral[at : at + count + 4] = b"\x80" * count + b"\0" + b"\x80" * 3
            text[at + count] = ord(".")
        elif token in DIGITS or token in STAMP_COUNTS:
            width = DIGITS.get(token) or STAMP_COUNTS[token]
            numeral[at : at + width] = b"\x80" * width
        else:
            literal = b"%" if token == "%%" else token.encode()  # noqa: S105 — as above
            text[at : at + len(literal)] = literal
    return bytes(text), bytes(numeral), bytes(letter)


def _is_digit(data: Bytes, at: Ints) -> Mask:
    result: Mask = (data[at] - np.uint8(0x30)) <= 9
    return result


def _offset_width(data: Bytes, at: Ints) -> Ints:
    """Bytes of an offset from UTC that is not `+hhmm`; 0 where there is none."""
    (word,) = words.gather(data, at, count=1)
    sign = word & np.uint64(0xFF)
    long = np.uint64(0x8080_00_8080_00)
    colon = (word >> np.uint64(24)) & np.uint64(0xFF) == ord(":")
    is_long = ((sign == ord("+")) | (sign == ord("-"))) & colon
    is_long &= (words.digits(word) & long) == long
    result: Ints = np.select([is_long, sign == ord("Z")], [6, 1], 0)
    return result


def _without_blank(data: Bytes, starts: Ints, ends: Ints) -> Mask:
    """Whether the rest of the line is known to hold no blank."""
    stop = words.find(data, starts, stop=(_BLANK, 0x0A), reach=REACH)
    result: Mask = stop >= ends
    return result


_KEEP: Final = tuple(np.uint64((1 << 8 * n) - 1) for n in range(9))
_KEEP_LOW: Final = np.array([_KEEP[min(n, 8)] for n in range(17)])
_KEEP_HIGH: Final = np.array([_KEEP[max(n - 8, 0)] for n in range(17)])
_HIGH: Final = np.uint64(0x8080808080808080)


def _are_numbers(data: Bytes, starts: Ints, ends: Ints) -> Mask:
    """Whether each field is a number, as `scan.is_number` says, of up to `NUMBER_REACH` bytes."""
    length = ends - starts
    good: Mask = length <= NUMBER_REACH
    size = np.where(good, length, 0)
    low, high = words.gather(data, starts, count=2)
    keep = _KEEP_LOW[size] & _HIGH
    plain: Mask = (words.digits(low) & keep) == keep
    long = np.flatnonzero(size > 8)
    if len(long):
        keep = _KEEP_HIGH[size[long]] & _HIGH
        plain[long] &= (words.digits(high[long]) & keep) == keep
    odd = np.flatnonzero(good & ~plain)
    if len(odd):
        plain[odd] = _are_odd_numbers(data, starts[odd], size[odd])
    return plain & good


def _are_odd_numbers(data: Bytes, starts: Ints, size: Ints) -> Mask:
    """Numbers that have a sign or a fraction."""
    column = np.arange(NUMBER_REACH)
    text = data[starts[:, None] + column]
    inside = column < size[:, None]
    digit = ((text - np.uint8(0x30)) <= 9) & inside
    point = (text == ord(".")) & inside
    minus = (text[:, 0] == ord("-")) & (size > 0)
    row = np.arange(len(starts))
    bounded = digit[row, np.minimum(minus, NUMBER_REACH - 1).astype(np.int64)]
    bounded &= digit[row, np.maximum(size - 1, 0)]
    points = point.sum(axis=1)
    full = digit.sum(axis=1) + points + minus == size
    result: Mask = (bounded & (points <= 1) & full) | (minus & (size == 1)) | (size == 0)
    return result
