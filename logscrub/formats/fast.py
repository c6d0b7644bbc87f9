"""All lines of a block, taken apart by one compiled loop: what each line is, and where its fields stand.

The loop follows the layout as `logscrub.formats.scan` does, to the same verdict and the same places. The few lines
that it cannot settle (time stamps whose parts move, a user name that looks like many things) are in doubt, and go to
`scan` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from logscrub.compiled import Bytes, Grid, Places, compiled, inlined
from logscrub.schema import MAX_LINE

if TYPE_CHECKING:
    from logscrub.formats.program import Program

Code: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int16]]
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
_STEP: Final = 16
_ONE: Final = np.uintp(1)
"""Unsigned places spare the loops the question whether an index counts from the end."""
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
    count = _count(data, 0, size, _NEWLINE)
    ends = np.empty(count + _STEP, np.int32)
    ends = ends[: _find_ends(data, size, ends)]
    starts = np.empty_like(ends)
    _trim(data, starts, ends)
    return starts, ends


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
def _find_ends(data: Bytes, size: int, ends: Places) -> int:
    count = 0
    for begin in range(0, size, _STEP):
        place = np.uintp(begin)
        found = np.uint8(0)
        for i in range(_STEP):
            found |= np.uint8(data[place + np.uintp(i)] == _NEWLINE)
        if found:
            for i in range(_STEP):
                # written always and kept if true: a branch here would be guessed wrong
                ends[count] = begin + i
                count += data[place + np.uintp(i)] == _NEWLINE
    if size and data[size - 1] != _NEWLINE:
        ends[count] = size
        count += 1
    return count


@compiled
def _trim(data: Bytes, starts: Places, ends: Places) -> None:
    start = 0
    for row in range(len(ends)):
        end = ends[row]
        starts[row] = start
        if end > start and data[end - 1] == _RETURN:
            ends[row] = end - 1
        start = end + 1


@compiled
def _read_lines(
    data: Bytes, starts: Places, ends: Places, longest: int, holed: bool, quotes: int, code: Code,
    field_starts: Grid, field_ends: Grid, verdict: Verdict,
) -> None:  # fmt: skip
    for row in range(len(starts)):
        start, end = starts[row], ends[row]
        if _is_blank(data, start, end):
            verdict[row] = BLANK
        elif end - start > longest:
            verdict[row] = TOO_LONG
        elif holed and _count(data, start, end, 0):
            verdict[row] = BINARY
        elif quotes >= 0 and _count(data, start, end, _QUOTE) != quotes:
            verdict[row] = STRUCTURE
        else:
            verdict[row] = _read_line(
                data, start, end, quotes < 0, code, field_starts, field_ends, row,
                row > 0 and verdict[row - 1] == FITS,
            )  # fmt: skip


@compiled
def _is_blank(data: Bytes, start: int, end: int) -> bool:
    for at in range(start, end):
        if data[at] != _SPACE and data[at] != _TAB:
            return False
    return True


@compiled
def _count(data: Bytes, start: int, end: int, byte: int) -> int:
    count = 0
    for i in range(end - start):
        count += data[np.uintp(start) + np.uintp(i)] == byte
    return count


@inlined
def _read_line(
    data: Bytes, start: int, end: int, escaped: bool, code: Code, field_starts: Grid, field_ends: Grid, row: int,
    follows: bool,
) -> int:  # fmt: skip
    """The verdict on one line; `follows` says that the line before fits."""
    if not _stands(data, start, end, code, 1, code[0]):
        return STRUCTURE
    at = start + code[0]
    pc = 1 + code[0]
    i = 0
    free, free_literal, free_size, tries = -1, 0, 0, 0
    while pc < len(code):
        kind, size = code[pc], code[pc + 3]
        literal = pc + 4 + code[pc + 2]
        after = literal + size
        if kind == TIME:
            stop = -1
            if follows and not code[pc + 1] & COUNTED:
                stop = _same_stamp(data, at, end, field_starts[i, row - 1], field_ends[i, row - 1])
            if stop < 0:
                stop = _stamp_end(data, at, end, code, pc)
            good = stop >= 0 and _stands(data, stop, end, code, literal, size)
            if not good and code[pc + 1] & MOVES:
                return DOUBT
        elif kind == QUOTED and escaped:
            stop = _quote(data, start, at, end)
            good = stop >= 0 and _stands(data, stop, end, code, literal, size)
        elif after == len(code) and (kind == FREE or size == 0):
            stop = _rest(data, start, at, end, escaped, code, literal, size, kind)
            good = stop >= 0
        else:
            stop = _find(data, start, at, end, escaped, code, literal, size, kind == TOKEN)
            good = stop >= 0 and (kind != NUMBER or _is_number(data, at, stop))
        if good:
            field_starts[i, row], field_ends[i, row] = at, stop
            at = stop + size
            if kind == FREE:
                free, free_literal, free_size, tries = i, literal, size, 0
            pc = after
            i += 1
            continue
        if free != i - 1 or i == 0 or kind in (FREE, QUOTED):
            return STRUCTURE
        # the free field ends where its literal is followed by what looks like this field
        if tries == _TRIES:
            return DOUBT
        tries += 1
        from_here = field_ends[i - 1, row] + 1
        stop = _find(data, start, from_here, end, escaped, code, free_literal, free_size, False)
        if stop < 0:
            return STRUCTURE
        field_ends[i - 1, row] = stop
        at = stop + free_size
    return FITS if at == end else STRUCTURE


@compiled
def _rest(
    data: Bytes, start: int, at: int, end: int, escaped: bool, code: Code, literal: int, size: int, kind: int
) -> int:  # fmt: skip
    """Where the last field ends if the last literal ends the line; -1 where it does not."""
    stop = end - size
    good = stop >= at and _stands(data, stop, end, code, literal, size)
    if size and code[literal] == _QUOTE and escaped:
        good = good and not _is_escaped(data, start, stop)
    return stop if good and _holds(data, at, stop, kind) else -1


@compiled
def _stands(data: Bytes, at: int, end: int, code: Code, literal: int, size: int) -> bool:
    """Whether a literal stands at a place and ends inside the line."""
    if end - at < size:
        return False
    place, asked = np.uintp(at), np.uintp(literal)
    for i in range(size):
        if data[place + np.uintp(i)] != code[asked + np.uintp(i)]:
            return False
    return True


@inlined
def _find(
    data: Bytes, start: int, at: int, end: int, escaped: bool, code: Code, literal: int, size: int, token: bool
) -> int:  # fmt: skip
    """The first place of a literal whose quote, if it begins with one, no backslash escapes; -1 for none.

    In a token the first blank ends the search.
    """
    first = code[literal]
    blank = _SPACE if token else first
    escaped &= first == _QUOTE
    if at + size > end:
        return -1
    place, last = np.uintp(at), np.uintp(end - size)
    while place <= last:
        byte = data[place]
        if byte == first or byte == blank:
            found = _signed(place)
            good = _stands(data, found, end, code, literal, size)
            if good and not (escaped and _is_escaped(data, start, found)):
                return found
            if token and byte == blank:
                return -1
        place += _ONE
    return -1


@compiled
def _quote(data: Bytes, start: int, at: int, end: int) -> int:
    """The first quote that no backslash escapes; -1 for none."""
    place = np.uintp(at)
    while place < np.uintp(end):
        found = np.uint8(0)
        for i in range(_STEP):
            found |= np.uint8(data[place + np.uintp(i)] == _QUOTE)
        if not found:
            place += np.uintp(_STEP)
            continue
        while data[place] != _QUOTE:
            place += _ONE
        if place >= np.uintp(end):
            return -1
        if not _is_escaped(data, start, _signed(place)):
            return _signed(place)
        place += _ONE
    return -1


@inlined
def _signed(place: np.uintp) -> int:
    return np.int64(place)  # type: ignore[return-value]  # Numba's int() would leave it unsigned


@compiled
def _is_escaped(data: Bytes, start: int, at: int) -> bool:
    run = at
    while run > start and data[run - 1] == _BACKSLASH:
        run -= 1
    return (at - run) % 2 == 1


@compiled
def _holds(data: Bytes, at: int, end: int, kind: int) -> bool:
    """Whether a field holds what its kind may."""
    if kind == NUMBER:
        return _is_number(data, at, end)
    if kind == TOKEN:
        return not _count(data, at, end, _SPACE)
    return True


@compiled
def _is_digit(byte: int) -> bool:
    return 0x30 <= byte <= 0x39


@compiled
def _is_number(data: Bytes, at: int, end: int) -> bool:
    """As `scan.is_number`."""
    if end - at > LONGEST_NUMBER:
        return False
    place = at
    if place < end and data[place] == ord("-"):
        place += 1
    if place == end:
        return True
    pointed = digit = False
    for i in range(place, end):
        if _is_digit(data[i]):
            digit = True
        elif data[i] == ord(".") and digit and not pointed:
            pointed, digit = True, False
        else:
            return False
    return digit


@compiled
def _stamp_end(data: Bytes, at: int, end: int, code: Code, pc: int) -> int:
    """Where a time stamp ends; -1 where the shape is another."""
    flags, size = code[pc + 1], code[pc + 2]
    stop: int = at + size
    if stop > end or (size == 0 and not flags & ZONE):
        return -1
    place, pattern = np.uintp(at), np.uintp(pc + 4)
    for i in range(size):
        byte, asked = data[place + np.uintp(i)], code[pattern + np.uintp(i)]
        if asked == DIGIT:
            good = _is_digit(byte)
        elif asked < DIGIT:
            good = byte == asked
        elif asked == LETTER:
            good = 0x61 <= byte | 0x20 <= 0x7A
        else:
            good = byte == _SPACE or _is_digit(byte)
        if not good:
            return -1
    if flags & ZONE:
        return _offset_end(data, stop, end)
    if flags & COUNTED and stop < end and _is_digit(data[stop]):
        return -1
    return stop


@compiled
def _same_stamp(data: Bytes, at: int, end: int, known: int, known_end: int) -> int:
    """Where a time stamp ends that is the one of the line before; -1 where it is another."""
    stop = at + known_end - known
    if known_end - known < _STEP or known_end - known > 2 * _STEP or stop > end:
        return -1
    same = _same(data, at, known) and _same(data, stop - _STEP, known_end - _STEP)
    return stop if same else -1


@compiled
def _same(data: Bytes, at: int, other: int) -> bool:
    """Whether the same `_STEP` bytes stand at two places."""
    left, right = np.uintp(at), np.uintp(other)
    differs = np.uint8(0)
    for i in range(_STEP):
        differs |= data[left + np.uintp(i)] ^ data[right + np.uintp(i)]
    return bool(differs == 0)


@compiled
def _offset_end(data: Bytes, at: int, end: int) -> int:
    """Where `+hhmm`, `+hh:mm` or `Z` ends; -1 where none of them stands."""
    if at < end and data[at] == ord("Z"):
        return at + 1
    if data[at] != ord("+") and data[at] != ord("-"):
        return -1
    minutes = at + 3 + int(data[at + 3] == ord(":"))
    good = _is_digit(data[at + 1]) and _is_digit(data[at + 2])
    good &= _is_digit(data[minutes]) and _is_digit(data[minutes + 1])
    return minutes + 2 if good and minutes + 2 <= end else -1
