"""Lines that are JSON objects, taken apart by one compiled loop: what each line is, and where wanted values stand.

The loop reads every byte of a line as JSON, wanted or not, and follows a program of wanted keys
(`logscrub.formats.jsonl`) into objects and arrays. It agrees with the exact reader there, line by line, and leaves
no line in doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.compiled import Bytes, Grid, Ints, Places, compiled, inner
from logscrub.wide import (
    WIDTH,
    address,
    byte,
    lowest,
    mixed,
    number,
    occurrences,
    places,
    put,
    put_integer,
    signed,
    word,
)

if TYPE_CHECKING:
    from logscrub.formats.fast import Verdict

FITS, DOUBT, BLANK, STRUCTURE, BINARY, TOO_LONG = range(6)
"""Verdicts on a line, as in `logscrub.formats.fast`."""
DEEPEST: Final = 32
"""Objects and arrays inside one another, the line itself counted."""
FIELDS, LONGEST, ROOT = range(3)
"""The program begins with: where its fields are, the bytes of its longest key, the edge that leads to the line."""
HEAD: Final = 6
SIZE, TARGET, MARKS, KEY = range(4)
"""An edge: bytes of its key, the state it leads to (0 for none), where its marks are, and the key in pairs of words."""
MASK, ITEMS, TABLE = range(3)
"""A state: size of its table less one, where its items are, and the table of edges by the hash of their keys."""
_NODE: Final = 24
"""Bytes of what is known about a place in the tree of paths: the line that has it, where it begins, where it ends."""
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_BRACE: Final = 0x7B
_BRACKET: Final = 0x5B
_CLOSES: Final = 2
"""From what opens to what closes."""
_SPACE: Final = 0x20
_TAB: Final = 0x09
_BLANK_BITS: Final = 1 << 0x20 | 1 << 0x0D | 1 << 0x0A | 1 << 0x09
_INT: Final = 4
_WORD: Final = 64
_BLANKS: Final = np.uint64(0x2020202020202020)
_HIGHEST: Final = np.uint64(0x8080808080808080)
_ZEROS: Final = np.uint64(0x3030303030303030)
_ABOVE_NINE: Final = np.uint64(0x7676767676767676)
_FIRST_SEED: Final = np.uint64(0x9E3779B97F4A7C15)
_LAST_SEED: Final = np.uint64(0xD1B54A32D192ED03)
_NULL_WORD: Final = np.uint64(int.from_bytes(b"null", "little") << 32)
_TRUE_WORD: Final = np.uint64(int.from_bytes(b"true", "little") << 32)
_FALSE_WORD: Final = np.uint64(int.from_bytes(b"false", "little") << 24)
_UNESCAPED: Final = np.full(256, -1)
"""What a letter behind a backslash stands for."""
_UNESCAPED[list(b'"\\/bfnrt')] = list(b'"\\/\b\f\n\r\t')
_HEX: Final = np.full(256, -1)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX[list(_digits)] = range(16)


@compiled
def hash_of(key: Bytes, size: int) -> int:
    """Where to begin to look for a key in a table; letters that differ in case only have the same."""
    return _hash(address(key), 0, size)


@compiled
def read_lines(
    data: Bytes, starts: Places, ends: Places, longest: int, holed: bool, code: Ints, nodes: Ints, stack: Ints,
    name: Ints, field_starts: Grid, field_ends: Grid, verdict: Verdict,
) -> None:  # fmt: skip
    """Write down what each line is, and where its fields begin and end; see `logscrub.formats.jsonl.index`.

    `code` is the program. Room to work in: `nodes` three numbers for each beginning of a path, the first -1; `stack`
    two for each of `DEEPEST`; `name` a key of the longest length and a word.
    """
    base, program, known = address(data), address(code), address(nodes)
    pile, scratch = address(stack), address(name)
    begins, stops, step = address(field_starts), address(field_ends), _INT * len(starts)
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        if _is_blank(base, start, end):
            found = BLANK
        elif end - start > longest:
            found = TOO_LONG
        elif holed and occurrences(base, start, end, 0):
            found = BINARY
        else:
            found = _read_line(base, start, end, program, known, row, pile, scratch)
            if found == FITS:
                _choose(program, known, row, start, begins, stops, step)
        verdict[row] = found
        begins += _INT
        stops += _INT


@inner
def _is_blank(base: int, start: int, end: int) -> bool:
    for at in range(start, end):
        if byte(base, at) != _SPACE and byte(base, at) != _TAB:
            return False
    return True


@inner
def _choose(
    code: int, nodes: int, row: int, nowhere: int, begins: int, stops: int, step: int
) -> None:
    """Write down for each field where its value stands: the first of its paths that has one."""
    pc = _of(code, FIELDS)
    for _ in range(_of(code, pc)):
        pc += 1
        choices = _of(code, pc)
        start = stop = nowhere
        for i in range(pc + 1, pc + 1 + choices):
            node = nodes + _NODE * _of(code, i)
            there = number(node, 0) == row and number(node, 8) < number(node, 16)
            if there and start == stop:
                start, stop = number(node, 8), number(node, 16)
        put_integer(begins, 0, start)
        put_integer(stops, 0, stop)
        begins += step
        stops += step
        pc += choices


@inner
def _read_line(
    base: int, at: int, end: int, code: int, nodes: int, row: int, stack: int, name: int
) -> int:
    """The verdict on one line; wanted values that it has are written to `nodes`.

    Places may run beyond the end, as what follows may go on like the line: then the last one is not the end.
    """
    controls = _has_controls(base, at, end)
    at = _behind_blanks(base, at, end)
    if byte(base, at) != _BRACE:
        return STRUCTURE
    # what is open: its state (0: nothing in it is wanted), and in an array the place of the item (-1: an object)
    depth, state, nth, edge = 0, 0, -1, ROOT
    while at < end:
        one = byte(base, at)
        opens = one == _BRACE or one == _BRACKET
        start = stop = at
        if one == _QUOTE:
            start += 1
            stop = _string_end(base, start, end, controls)
            at = stop + 1
        elif opens:
            at = _behind_blanks(base, at + 1, end)
        else:
            at = stop = _plain_end(base, at, end)
            start = stop if one == ord("n") else start
        good = stop >= 0 and not (opens and depth == DEEPEST)
        if not good or (edge and not _mark(code, edge, nodes, row, start, stop)):
            return STRUCTURE
        if opens:
            put(stack, 16 * depth, state)
            put(stack, 16 * depth + 8, nth)
            depth += 1
            state = _of(code, edge + TARGET) if edge else 0
            nth = 0 if one == _BRACKET else -1
        if not opens or byte(base, at) == one + _CLOSES:
            at = _behind_blanks(base, at, end)
            while depth and byte(base, at) == (_BRACKET if nth >= 0 else _BRACE) + _CLOSES:
                depth -= 1
                state, nth = number(stack, 16 * depth), number(stack, 16 * depth + 8)
                at = _behind_blanks(base, at + 1, end)
            if not depth or byte(base, at) != ord(","):
                return FITS if not depth and at == end else STRUCTURE
            at = _behind_blanks(base, at + 1, end)
            nth += nth >= 0
        if nth >= 0:
            edge = _item(code, state, nth) if state else 0
            continue
        start = at + 1
        stop = _string_end(base, start, end, controls) if byte(base, at) == _QUOTE else -1
        at = _behind_blanks(base, stop + 1, end)
        if stop < 0 or byte(base, at) != ord(":"):
            return STRUCTURE
        edge = _member(base, start, stop, code, state, name) if state else 0
        at = _behind_blanks(base, at + 1, end)
    return STRUCTURE


@inner
def _of(code: int, pc: int) -> int:
    """One number of the program."""
    return number(code, 8 * pc)


@inner
def _mark(code: int, edge: int, nodes: int, row: int, start: int, stop: int) -> bool:
    """Note where the value behind an edge stands; whether it is the first there."""
    marks = _of(code, edge + MARKS)
    for i in range(marks + 1, marks + 1 + _of(code, marks)):
        node = nodes + _NODE * _of(code, i)
        if number(node, 0) == row:
            return False
        put(node, 0, row)
        put(node, 8, start)
        put(node, 16, stop)
    return True


@inner
def _item(code: int, state: int, nth: int) -> int:
    """The edge that an item of an array is behind; 0 for none."""
    items = _of(code, state + ITEMS)
    for i in range(_of(code, items)):
        if _of(code, items + 1 + 2 * i) == nth:
            return _of(code, items + 2 + 2 * i)
    return 0


@inner
def _member(base: int, at: int, end: int, code: int, state: int, name: int) -> int:
    """The edge that a key of an object leads to; 0 for none."""
    size, most = end - at, _of(code, LONGEST)
    if occurrences(base, at, end, _BACKSLASH):
        size = _decode(base, at, end, name, most)
        base, at = name, 0
    if size > most:
        return 0
    mask = _of(code, state + MASK)
    slot = _hash(base, at, size) & mask
    while True:
        edge = _of(code, state + TABLE + slot)
        if not edge or (_of(code, edge + SIZE) == size and _is_key(base, at, size, code, edge)):
            return edge
        slot = (slot + 1) & mask


@inner
def _hash(base: int, at: int, size: int) -> int:
    first = last = _BLANKS
    if size >= 8:
        first |= word(base, at)
        last |= word(base, at + size - 8)
    elif size:
        # what is beyond the key is shifted out
        first |= word(base, at) << np.uint64(_WORD - 8 * size)
    return signed(mixed(first ^ _FIRST_SEED, last ^ _LAST_SEED))


@inner
def _is_key(base: int, at: int, size: int, code: int, edge: int) -> bool:
    """Whether a key is the one of an edge; its letters of any case have their bit for it set on both sides."""
    pair = 8 * (edge + KEY)
    while size > 0:
        differs = (word(base, at) | word(code, pair)) ^ word(code, pair + 8)
        if differs << np.uint64(_WORD - 8 * min(size, 8)):
            return False
        at += 8
        size -= 8
        pair += 16
    return True


@inner
def _behind_blanks(base: int, at: int, end: int) -> int:
    while at < end and byte(base, at) <= _SPACE and _BLANK_BITS >> byte(base, at) & 1:
        at += 1
    return at


@inner
def _has_controls(base: int, at: int, end: int) -> bool:
    """Whether a byte below 0x20 stands between two places."""
    found = np.uint64(0)
    while at + 8 <= end:
        # the highest bit of a byte is set where subtracting had to borrow
        found |= (word(base, at) - _BLANKS) & ~word(base, at)
        at += 8
    if at < end:
        last = word(base, at) | _HIGHEST << np.uint64(8 * (end - at))
        found |= (last - _BLANKS) & ~last
    return bool(found & _HIGHEST)


@inner
def _string_end(base: int, at: int, end: int, controls: bool) -> int:
    """The place of the quote that ends a string which begins here; -1 where it is none."""
    start = at
    while at < end:
        found = places(base, at, _QUOTE) | places(base, at, _BACKSLASH)
        if not found:
            at += WIDTH
            continue
        at += lowest(found)
        if at >= end:
            return -1
        if byte(base, at) == _QUOTE:
            return -1 if controls and _has_controls(base, start, at) else at
        coded = byte(base, at + 1) == ord("u")
        if (_hex4(base, at + 2) if coded else signed(_UNESCAPED[byte(base, at + 1)])) < 0:
            return -1
        # four digits are as good as other bytes
        at += 2
    return -1


@inner
def _hex4(base: int, at: int) -> int:
    """The number that four hexadecimal digits say; negative where they are none."""
    high = _HEX[byte(base, at)] << 12 | _HEX[byte(base, at + 1)] << 8
    return signed(high | _HEX[byte(base, at + 2)] << 4 | _HEX[byte(base, at + 3)])


@inner
def _decode(base: int, at: int, end: int, out: int, most: int) -> int:
    """Write down what a key says, in UTF-8; the bytes of it, or a number above the most that there may be."""
    size = 0
    while at < end and size <= most:
        one = byte(base, at)
        at += 1
        if one == _BACKSLASH:
            one = signed(_UNESCAPED[byte(base, at)])
            at += 1
            if one < 0:
                one = _hex4(base, at)
                at += 4
                pair = 0xD800 <= one <= 0xDBFF and at < end and byte(base, at) == _BACKSLASH
                low = _hex4(base, at + 2) if pair and byte(base, at + 1) == ord("u") else -1
                if 0xDC00 <= low <= 0xDFFF:
                    one = 0x10000 + ((one & 0x3FF) << 10 | low & 0x3FF)
                    at += 6
                size += _put_character(out, size, one)
                continue
        put(out, size, one)
        size += 1
    return size


@inner
def _put_character(out: int, at: int, one: int) -> int:
    """Write one character as UTF-8; the bytes of it."""
    if one < 0x80:
        put(out, at, one)
        return 1
    last = (0x80 | one & 0x3F, 0x80 | one >> 6 & 0x3F, 0x80 | one >> 12 & 0x3F)
    if one < 0x800:
        put(out, at, 0xC0 | one >> 6 | last[0] << 8)
        return 2
    if one < 0x10000:
        put(out, at, 0xE0 | one >> 12 | last[1] << 8 | last[0] << 16)
        return 3
    put(out, at, 0xF0 | one >> 18 | last[2] << 8 | last[1] << 16 | last[0] << 24)
    return 4


@inner
def _plain_end(base: int, at: int, end: int) -> int:
    """Where a number, `true`, `false` or `null` ends; -1 where none stands."""
    one = word(base, at)
    if one << np.uint64(32) == _NULL_WORD or one << np.uint64(32) == _TRUE_WORD:
        return at + 4
    if one << np.uint64(24) == _FALSE_WORD:
        return at + 5
    at += byte(base, at) == ord("-")
    stop = _digits_end(base, at, end)
    good = stop > at and (byte(base, at) != ord("0") or stop == at + 1)
    if byte(base, stop) == ord("."):
        at = stop + 1
        stop = _digits_end(base, at, end)
        good &= stop > at
    if byte(base, stop) | 0x20 == ord("e"):
        at = stop + 1
        at += byte(base, at) == ord("+") or byte(base, at) == ord("-")
        stop = _digits_end(base, at, end)
        good &= stop > at
    return stop if good else -1


@inner
def _digits_end(base: int, at: int, end: int) -> int:
    """The first place without a digit; one beyond the end where digits go on there."""
    while at <= end:
        apart = word(base, at) ^ _ZEROS
        others = ((apart & ~_HIGHEST) + _ABOVE_NINE | apart) & _HIGHEST
        if others:
            return at + (lowest(others) >> 3)
        at += 8
    return at
