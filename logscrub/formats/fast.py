"""All lines of a block, taken apart by one compiled loop: what each line is, and where its fields stand.

The loop follows the layout as `logscrub.formats.scan` does, to the same verdict and the same places. The few lines
that it cannot settle (time stamps whose parts move, a user name that looks like many things) are in doubt, and go to
`scan` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from logscrub.compiled import Bytes, Grid, Places, compiled, inner
from logscrub.schema import MAX_LINE
from logscrub.wide import (
    WIDTH,
    address,
    byte,
    integer,
    lowest,
    number,
    occurrences,
    places,
    put_integer,
    same,
    signed,
    word,
)

if TYPE_CHECKING:
    from logscrub.formats.program import Program

Code: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Verdict: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]

FITS, DOUBT, BLANK, STRUCTURE, BINARY, TOO_LONG = range(6)
"""Verdicts on a line."""
TOKEN, FREE, QUOTED, NUMBER, TIME = range(5)
"""Kinds of fields, as a program says them."""
ZONE, COUNTED, MOVES = 1, 2, 4
"""Flags of a time stamp: an offset from UTC ends it; no digit may follow; `scan` knows more shapes of it."""
DIGIT, LETTER, PADDED = 256, 257, 258
"""What a pattern may ask for besides a certain byte; `PADDED` is a blank or a digit."""
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_SPACE: Final = 0x20
_TAB: Final = 0x09
_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_BIT: Final = np.uint64(1)
_INT: Final = 4
"""Bytes of one place in a grid."""
LONGEST_NUMBER: Final = 32
"""As `scan.LONGEST_NUMBER`."""
_TRIES: Final = 8
"""Places at which a free field may seem to end before the line is left to the exact parser."""


def line_bounds(data: Bytes, size: int) -> tuple[Places, Places]:
    """Where each line begins and ends: at LF, and a CR before it belongs to the line end.

    Args:
        data: Padded.
        size: Bytes without the padding; a last line without a line end is a line.
    """
    most = count_of(data, size, _NEWLINE) + 1
    starts, ends = np.empty(most, np.int32), np.empty(most, np.int32)
    lines = _find_lines(data, size, starts, ends)
    return starts[:lines], ends[:lines]


def index(
    data: Bytes, starts: Places, ends: Places, of: Program, *, holed: bool
) -> tuple[Grid, Grid, Verdict]:
    """What each line is, and where its fields begin and end.

    Args:
        data: Padded.
        starts: Where each line begins.
        ends: Where it ends, its line end excluded.
        of: The layout.
        holed: Whether there is a NUL anywhere in the data.

    Returns:
        Starts and ends of the fields, one row a field and one column a line, and the verdict on each line. Where a line
        does not fit its places mean nothing.
    """
    grid = (of.fields, len(starts))
    field_starts, field_ends = np.empty(grid, np.int32), np.empty(grid, np.int32)
    verdict = np.empty(len(starts), np.uint8)
    quotes = -1 if of.escaped else of.quotes
    _read_lines(
        data, starts, ends, MAX_LINE, holed, quotes, of.code, field_starts, field_ends, verdict
    )
    return field_starts, field_ends, verdict


@compiled
def count_of(data: Bytes, size: int, wanted: int) -> int:
    """How often a byte stands in the first bytes of padded data."""
    return occurrences(address(data), 0, size, wanted)


@compiled
def _find_lines(data: Bytes, size: int, starts: Places, ends: Places) -> int:
    base = address(data)
    row, start = 0, 0
    for begin in range(0, size, WIDTH):
        found = places(base, begin, _NEWLINE)
        while found:
            end = begin + lowest(found)
            starts[row] = start
            ends[row] = end - (end > start and byte(base, end - 1) == _RETURN)
            start = end + 1
            row += 1
            found &= found - _BIT
    if start < size:
        starts[row] = start
        ends[row] = size - (byte(base, size - 1) == _RETURN)
        row += 1
    return row


@compiled
def _read_lines(
    data: Bytes, starts: Places, ends: Places, longest: int, holed: bool, quotes: int, code: Code,
    field_starts: Grid, field_ends: Grid, verdict: Verdict,
) -> None:  # fmt: skip
    # addresses, because arrays that are handed on are counted, line by line
    base, program, length = address(data), address(code), len(code)
    begins, stops, step = address(field_starts), address(field_ends), _INT * len(starts)
    follows = False
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        if _is_blank(base, start, end):
            found = BLANK
        elif end - start > longest:
            found = TOO_LONG
        elif holed and occurrences(base, start, end, 0):
            found = BINARY
        elif quotes >= 0 and occurrences(base, start, end, _QUOTE) != quotes:
            found = STRUCTURE
        else:
            found = _read_line(
                base, start, end, quotes < 0, program, length, begins, stops, step, follows
            )
        verdict[row] = found
        follows = found == FITS
        begins += _INT
        stops += _INT


@inner
def _is_blank(base: int, start: int, end: int) -> bool:
    for at in range(start, end):
        if byte(base, at) != _SPACE and byte(base, at) != _TAB:
            return False
    return True


@inner
def _read_line(
    base: int, start: int, end: int, escaped: bool, code: int, length: int, begins: int, stops: int, step: int,
    follows: bool,
) -> int:  # fmt: skip
    """The verdict on one line.

    `code` is the address of the program, so many numbers long. Where the first field begins is written to the address
    `begins`, that of each other one `step` bytes behind; where it ends to `stops` likewise. `follows` says whether the
    line before fits.
    """
    if not _stands(base, start, end, code, 0):
        return STRUCTURE
    at = start + _of(code, 0)
    pc = _behind(code, 0)
    free, free_literal, tries = False, 0, 0
    while pc < length:
        kind, flags = _of(code, pc), _of(code, pc + 1)
        literal = pc + 3 + _of(code, pc + 2)
        after, size = _behind(code, literal), _of(code, literal)
        if kind == TIME:
            known = follows and not flags & COUNTED
            stop = _same_stamp(base, at, end, begins, stops) if known else -1
            if stop < 0:
                stop = _stamp_end(base, at, end, code, pc)
            good = stop >= 0 and _stands(base, stop, end, code, literal)
            # where digits end the stamp it can end nowhere else, however many of them there are
            if not good and flags & MOVES and (stop < 0 or _is_digit(byte(base, stop))):
                return DOUBT
        elif kind == QUOTED and escaped:
            stop = _quote(base, start, at, end)
            good = stop >= 0 and _stands(base, stop, end, code, literal)
        elif after == length and (kind == FREE or size == 0):
            stop = _rest(base, start, at, end, escaped, code, literal, kind)
            good = stop >= 0
        else:
            stop = _find(base, start, at, end, escaped, code, literal, kind == TOKEN)
            good = stop >= 0 and (kind != NUMBER or _is_number(base, at, stop))
        if good:
            put_integer(begins, 0, at)
            put_integer(stops, 0, stop)
            free, free_literal, tries = kind == FREE, literal, 0
            at = stop + size
            pc = after
            begins += step
            stops += step
            continue
        if not free or kind == FREE or kind == QUOTED:
            return STRUCTURE
        # the free field ends where its literal is followed by what looks like this field
        if tries == _TRIES:
            return DOUBT
        tries += 1
        from_here = at - _of(code, free_literal) + 1
        stop = _find(base, start, from_here, end, escaped, code, free_literal, False)
        if stop < 0:
            return STRUCTURE
        put_integer(stops - step, 0, stop)
        at = stop + _of(code, free_literal)
    return FITS if at == end else STRUCTURE


@inner
def _of(code: int, pc: int) -> int:
    """One number of the program."""
    return number(code, 8 * pc)


@inner
def _behind(code: int, literal: int) -> int:
    """Where the program goes on behind a literal."""
    return literal + 1 + (_of(code, literal) + 7) // 8


@inner
def _rest(
    base: int, start: int, at: int, end: int, escaped: bool, code: int, literal: int, kind: int
) -> int:
    """Where the last field ends if the last literal ends the line; -1 where it does not."""
    size = _of(code, literal)
    stop = end - size
    good = stop >= at and _stands(base, stop, end, code, literal)
    if size and escaped and byte(code, 8 * literal + 8) == _QUOTE:
        good = good and not _is_escaped(base, start, stop)
    return stop if good and _holds(base, at, stop, kind) else -1


@inner
def _stands(base: int, at: int, end: int, code: int, literal: int) -> bool:
    """Whether a literal stands at a place and ends inside the line."""
    left = _of(code, literal)
    if end - at < left:
        return False
    while left > 0:
        literal += 1
        differs = word(base, at) ^ word(code, 8 * literal)
        # bytes beyond the literal are shifted out
        if differs << np.uint64(64 - 8 * min(left, 8)):
            return False
        at += 8
        left -= 8
    return True


@inner
def _find(
    base: int, start: int, at: int, end: int, escaped: bool, code: int, literal: int, token: bool
) -> int:
    """The first place of a literal whose quote, if it begins with one, no backslash escapes; -1 for none.

    In a token the first blank ends the search.
    """
    first = byte(code, 8 * literal + 8)
    blank = _SPACE if token else first
    quoted = escaped and first == _QUOTE
    while at < end:
        found = places(base, at, first) | places(base, at, blank)
        while found:
            place = at + lowest(found)
            if _stands(base, place, end, code, literal) and not (
                quoted and _is_escaped(base, start, place)
            ):
                return place
            if place >= end or (token and byte(base, place) == _SPACE):
                return -1
            found &= found - _BIT
        at += WIDTH
    return -1


@inner
def _quote(base: int, start: int, at: int, end: int) -> int:
    """The first quote that no backslash escapes; -1 for none."""
    while at < end:
        found = places(base, at, _QUOTE)
        while found:
            place = at + lowest(found)
            if place >= end:
                return -1
            if not _is_escaped(base, start, place):
                return place
            found &= found - _BIT
        at += WIDTH
    return -1


@inner
def _is_escaped(base: int, start: int, at: int) -> bool:
    run = at
    while run > start and byte(base, run - 1) == _BACKSLASH:
        run -= 1
    return (at - run) % 2 == 1


@inner
def _holds(base: int, at: int, end: int, kind: int) -> bool:
    """Whether a field holds what its kind may."""
    if kind == NUMBER:
        return _is_number(base, at, end)
    if kind == TOKEN:
        return occurrences(base, at, end, _SPACE) == 0
    return True


@inner
def _is_digit(one: int) -> bool:
    return 0x30 <= one <= 0x39


@inner
def _is_number(base: int, at: int, end: int) -> bool:
    """As `scan.is_number`."""
    if end - at > LONGEST_NUMBER:
        return False
    place = at
    if place < end and byte(base, place) == ord("-"):
        place += 1
    if place == end:
        return True
    pointed = digit = False
    for i in range(place, end):
        if _is_digit(byte(base, i)):
            digit = True
        elif byte(base, i) == ord(".") and digit and not pointed:
            pointed, digit = True, False
        else:
            return False
    return digit


@inner
def _stamp_end(base: int, at: int, end: int, code: int, pc: int) -> int:
    """Where a time stamp ends; -1 where the shape is another."""
    flags, size = _of(code, pc + 1), _of(code, pc + 2)
    stop = at + size
    if stop > end or (size == 0 and not flags & ZONE):
        return -1
    for i in range(size):
        one, asked = byte(base, at + i), _of(code, pc + 3 + i)
        if asked == DIGIT:
            good = _is_digit(one)
        elif asked < DIGIT:
            good = one == asked
        elif asked == LETTER:
            good = 0x61 <= one | 0x20 <= 0x7A
        else:
            good = one == _SPACE or _is_digit(one)
        if not good:
            return -1
    if flags & ZONE:
        return _offset_end(base, stop, end)
    if flags & COUNTED and stop < end and _is_digit(byte(base, stop)):
        return -1
    return stop


@inner
def _same_stamp(base: int, at: int, end: int, begins: int, stops: int) -> int:
    """Where a time stamp ends that is the one of the line before; -1 where it is another."""
    known = integer(begins, -_INT)
    size = integer(stops, -_INT) - known
    return at + size if at + size <= end and same(base, at, base, known, size) else -1


@inner
def _offset_end(base: int, at: int, end: int) -> int:
    """Where `+hhmm`, `+hh:mm` or `Z` ends; -1 where none of them stands."""
    if at < end and byte(base, at) == ord("Z"):
        return at + 1
    if byte(base, at) != ord("+") and byte(base, at) != ord("-"):
        return -1
    minutes = at + 3 + (byte(base, at + 3) == ord(":"))
    good = _is_digit(byte(base, at + 1)) and _is_digit(byte(base, at + 2))
    good &= _is_digit(byte(base, minutes)) and _is_digit(byte(base, minutes + 1))
    return minutes + 2 if good and minutes + 2 <= end else -1
