"""Lines inside JSON records, decoded by one compiled loop: those of Docker's json-file, and of journald.

Every byte of a record is read as JSON, once. What is skipped is decoded as well, to where the next text will be
written: so one loop reads all strings.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from logscrub.compiled import Bytes, Ints, Places, compiled, inner
from logscrub.wide import address, byte, lowest, mixed, number, occurrences, put, signed, word

DOCKER, JOURNALD = range(2)
"""Kinds of records."""
RECORD, PART, FORGED, BLANK = 1, 2, 4, 8
"""What a line is, as bits: wrapped; a part that goes on; text with a line end inside; nothing but blanks."""
DEEPEST: Final = 32
"""Objects and arrays inside one another in what is skipped."""
STDOUT, STDERR = 1, 2
"""Streams of containers."""
_TEXT, _STREAM, _BREAK = 1, 2, 4
_SPACE: Final = 0x20
_TAB: Final = 0x09
_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_OBJECT: Final = 0x7B
_ARRAY: Final = 0x5B
_CLOSES: Final = 2
"""From what opens to what closes."""
_CONTROLS: Final = tuple(zip(b"ntrbf", b"\n\t\r\b\f", strict=True))
_ONES: Final = np.uint64(0x0101010101010101)
_HIGHEST: Final = np.uint64(0x8080808080808080)
_QUOTES: Final = np.uint64(0x2222222222222222)
_BACKSLASHES: Final = np.uint64(0x5C5C5C5C5C5C5C5C)
_BLANKS: Final = np.uint64(0x2020202020202020)
_SEED: Final = np.uint64(0x9E3779B97F4A7C15)
_UNKNOWN: Final = 0xFFFD
"""What a surrogate becomes that has no other half."""


def _letters(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_STDOUT, _STDERR = _letters(b"stdout"), _letters(b"stderr")
_LOG_KEY, _STREAM_KEY, _MESSAGE_KEY = map(_letters, (b"log", b"stream", b"MESSAGE"))
_ID_KEY, _ID_KEY_END = _letters(b"_STREAM_"), _letters(b"TREAM_ID")
_BREAK_KEY, _BREAK_KEY_END = _letters(b"_LINE_BR"), _letters(b"NE_BREAK")
_LINE_MAX: Final = _letters(b"line-max")
_NULL, _TRUE, _FALSE = _letters(b"null"), _letters(b"true"), _letters(b"false")


@compiled
def decode(
    data: Bytes, starts: Places, ends: Places, kind: int, out: Bytes, begins: Places, stops: Places,
    streams: Ints, flags: Bytes,
) -> int:  # fmt: skip
    """The text inside each line that is a JSON record, its escapes decoded, one behind the other.

    Args:
        data: Padded.
        starts: Where each line begins.
        ends: Where it ends.
        kind: `DOCKER` or `JOURNALD`.
        out: Filled with the texts; as long as the lines together, and the padding.
        begins: Filled: where each text begins in `out`.
        stops: Filled: where it ends, its own line end left out.
        streams: Filled: which stream the line is of.
        flags: Filled: what the line is.

    Returns:
        How many bytes of `out` are filled.
    """
    base, into, known = address(data), address(out), address(streams)
    to = 0
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        begin = stop = to
        flag = BLANK if _blanks(base, start, end) == end else 0
        if not flag:
            stop, flag = _record(base, start, end, into, to, kind, known + 8 * row)
        if flag:
            to = stop
            whole = stop > begin and byte(into, stop - 1) == _NEWLINE
            stop -= whole
            if kind == DOCKER and not whole and flag == RECORD:
                flag |= PART
            if stop > begin and byte(into, stop - 1) == _RETURN and not flag & PART:
                stop -= 1
            if occurrences(into, begin, stop, _NEWLINE):
                flag |= FORGED
        begins[row] = begin
        stops[row] = stop
        flags[row] = flag
    return to


@inner
def _record(
    base: int, at: int, end: int, out: int, to: int, kind: int, stream: int
) -> tuple[int, int]:
    """Where the text of a record ends in `out`, and what the record is, 0 for none; `stream` is an address."""
    begin, seen, flag = to, 0, RECORD
    at = _blanks(base, at, end)
    if not _is(base, at, end, _OBJECT):
        return begin, 0
    while True:
        at = _blanks(base, at + 1, end)
        if not _is(base, at, end, _QUOTE):
            return begin, 0
        at, stop = _string(base, at + 1, end, out, to)
        role = _role(out, to, stop - to, kind)
        at = _behind_colon(base, at, end) if at >= 0 else -1
        if at < 0 or seen & role:
            return begin, 0
        seen |= role
        if role == 0:
            at = _value(base, at, end, out, to)
        elif role == _TEXT and kind == JOURNALD and _is(base, at, end, _ARRAY):
            at, to = _bytes(base, at + 1, end, out, to)
        elif _is(base, at, end, _QUOTE):
            at, stop = _string(base, at + 1, end, out, to)
            if role == _TEXT:
                to = stop
            elif role == _STREAM and at >= 0:
                put(stream, 0, _stream_of(out, to, stop - to, kind))
            elif stop - to == 8 and word(out, to) == _LINE_MAX:
                flag |= PART
        else:
            return begin, 0
        at = _blanks(base, at, end) if at >= 0 else end
        if _is(base, at, end, _OBJECT + _CLOSES):
            break
        if not _is(base, at, end, ord(",")):
            return begin, 0
    needed = _TEXT | _STREAM if kind == DOCKER else _TEXT
    good = _blanks(base, at + 1, end) == end and seen & needed == needed
    good = good and (kind == JOURNALD or number(stream, 0) != 0)
    return (to, flag) if good else (begin, 0)


@inner
def _role(out: int, at: int, size: int, kind: int) -> int:
    """What the value of a key is."""
    if kind == DOCKER:
        if size == 3 and _stands(out, at, 3, _LOG_KEY):
            return _TEXT
        return _STREAM if size == 6 and _stands(out, at, 6, _STREAM_KEY) else 0
    if size == 7 and _stands(out, at, 7, _MESSAGE_KEY):
        return _TEXT
    if size == 10 and word(out, at) == _ID_KEY and word(out, at + 2) == _ID_KEY_END:
        return _STREAM
    broken = size == 11 and word(out, at) == _BREAK_KEY and word(out, at + 3) == _BREAK_KEY_END
    return _BREAK if broken else 0


@inner
def _stream_of(out: int, at: int, size: int, kind: int) -> int:
    """A number for a stream; 0 for one that Docker does not have."""
    if kind == DOCKER:
        if size == 6 and _stands(out, at, 6, _STDOUT):
            return STDOUT
        return STDERR if size == 6 and _stands(out, at, 6, _STDERR) else 0
    hashed = _SEED
    for step in range(0, size, 8):
        # what is beyond the name is shifted out
        eight = word(out, at + step) << np.uint64(64 - 8 * min(8, size - step))
        hashed = mixed(hashed ^ eight, _SEED)
    return signed(hashed)


@inner
def _blanks(base: int, at: int, end: int) -> int:
    """Behind blanks and tabs."""
    while at < end and (byte(base, at) == _SPACE or byte(base, at) == _TAB):
        at += 1
    return at


@inner
def _is(base: int, at: int, end: int, one: int) -> bool:
    return at < end and byte(base, at) == one


@inner
def _digits(base: int, at: int, end: int) -> int:
    """Behind digits."""
    while at < end and 0x30 <= byte(base, at) <= 0x39:
        at += 1
    return at


@inner
def _stands(base: int, at: int, size: int, letters: np.uint64) -> bool:
    """Whether up to eight bytes stand at a place; what lies beyond them is shifted out."""
    return bool((word(base, at) ^ letters) << np.uint64(64 - 8 * size) == 0)


@inner
def _behind_colon(base: int, at: int, end: int) -> int:
    """Where the value of a key begins; -1 where no colon follows it."""
    at = _blanks(base, at, end)
    return _blanks(base, at + 1, end) if _is(base, at, end, ord(":")) else -1


@inner
def _string(base: int, at: int, end: int, out: int, to: int) -> tuple[int, int]:
    """Behind the quote that ends the string whose first byte stands at a place, -1 for none; and how far `out` is."""
    while at < end:
        eight = word(base, at)
        put(out, to, signed(eight))
        quote, slash = eight ^ _QUOTES, eight ^ _BACKSLASHES
        # the lowest bit is right: where one of these bytes stands, or a control character
        found = (quote - _ONES) & ~quote | (slash - _ONES) & ~slash | (eight - _BLANKS) & ~eight
        found &= _HIGHEST
        if not found:
            at += 8
            to += 8
            continue
        step = lowest(found) >> 3
        at += step
        to += step
        if at >= end or byte(base, at) < _SPACE:
            break
        if byte(base, at) == _QUOTE:
            return at + 1, to
        at, to = _escape(base, at + 1, end, out, to)
        if at < 0:
            break
    return -1, to


@inner
def _escape(base: int, at: int, end: int, out: int, to: int) -> tuple[int, int]:
    """Decode what follows a backslash; -1 where it is no escape."""
    one = byte(base, at) if at < end else 0
    if one == ord("u"):
        return _unicode(base, at + 1, end, out, to)
    if one != _QUOTE and one != _BACKSLASH and one != ord("/"):
        letter, one = one, 0
        for known, control in _CONTROLS:
            if letter == known:
                one = control
    if one == 0:
        return -1, to
    put(out, to, one)
    return at + 1, to + 1


@inner
def _unicode(base: int, at: int, end: int, out: int, to: int) -> tuple[int, int]:
    r"""The character of `\uXXXX`, or of a pair of them, as UTF-8."""
    point = _hex(base, at, end)
    if point < 0:
        return -1, to
    at += 4
    if 0xD800 <= point < 0xE000:
        low = -1
        if point < 0xDC00 and _is(base, at, end, _BACKSLASH) and _is(base, at + 1, end, ord("u")):
            low = _hex(base, at + 2, end)
        if 0xDC00 <= low < 0xE000:
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
            at += 6
        else:
            point = _UNKNOWN
    last = 0x80 | point & 0x3F
    third = 0x80 | point >> 6 & 0x3F
    if point < 0x80:
        size, laid = 1, point
    elif point < 0x800:
        size, laid = 2, 0xC0 | point >> 6 | last << 8
    elif point < 0x10000:
        size, laid = 3, 0xE0 | point >> 12 | third << 8 | last << 16
    else:
        second = 0x80 | point >> 12 & 0x3F
        size, laid = 4, 0xF0 | point >> 18 | second << 8 | third << 16 | last << 24
    put(out, to, laid)
    return at, to + size


@inner
def _hex(base: int, at: int, end: int) -> int:
    """Four hexadecimal digits; -1 for anything else."""
    if end - at < 4:
        return -1
    found = 0
    for i in range(4):
        one = byte(base, at + i)
        if 0x30 <= one <= 0x39:
            one -= 0x30
        elif 0x61 <= one | 0x20 <= 0x66:
            one = (one | 0x20) - 0x57
        else:
            return -1
        found = found << 4 | one
    return found


@inner
def _bytes(base: int, at: int, end: int, out: int, to: int) -> tuple[int, int]:
    """The bytes of `[71, 69]`, behind the bracket; -1 where it holds anything else."""
    at = _blanks(base, at, end)
    if _is(base, at, end, _ARRAY + _CLOSES):
        return at + 1, to
    while True:
        first, value = at, 0
        at = _digits(base, first, min(end, first + 3))
        for i in range(first, at):
            value = 10 * value + byte(base, i) - 0x30
        if at == first or value > 255 or (at > first + 1 and byte(base, first) == 0x30):
            return -1, to
        put(out, to, value)
        to += 1
        at = _blanks(base, at, end)
        if _is(base, at, end, _ARRAY + _CLOSES):
            return at + 1, to
        if not _is(base, at, end, ord(",")):
            return -1, to
        at = _blanks(base, at + 1, end)


@inner
def _value(base: int, at: int, end: int, out: int, to: int) -> int:
    """Behind the value of any kind that begins here; -1 for none."""
    # one bit for each object or array that is open, the innermost the lowest
    depth, objects = 0, 0
    while True:
        one = byte(base, at) if at < end else 0
        if one == _OBJECT or one == _ARRAY:
            at = _blanks(base, at + 1, end)
            if _is(base, at, end, one + _CLOSES):
                at += 1
            else:
                depth += 1
                objects = objects << 1 | (one == _OBJECT)
                at = _key(base, at, end, out, to) if one == _OBJECT else at
                if at < 0 or depth > DEEPEST:
                    return -1
                continue
        elif one == _QUOTE:
            at, _ = _string(base, at + 1, end, out, to)
        else:
            at = _scalar(base, at, end)
        if at < 0:
            return -1
        more = False
        while depth and not more:
            at = _blanks(base, at, end)
            more = _is(base, at, end, ord(","))
            if more:
                at = _blanks(base, at + 1, end)
                at = _key(base, at, end, out, to) if objects & 1 else at
                if at < 0:
                    return -1
            elif _is(base, at, end, (_OBJECT if objects & 1 else _ARRAY) + _CLOSES):
                at += 1
                depth -= 1
                objects >>= 1
            else:
                return -1
        if not depth:
            return at


@inner
def _key(base: int, at: int, end: int, out: int, to: int) -> int:
    """Where the value of the key that stands here begins; -1 for none."""
    if not _is(base, at, end, _QUOTE):
        return -1
    at, _ = _string(base, at + 1, end, out, to)
    return _behind_colon(base, at, end) if at >= 0 else -1


@inner
def _scalar(base: int, at: int, end: int) -> int:
    """Behind a number, `true`, `false` or `null`; -1 for none of them."""
    if end - at >= 4 and (_stands(base, at, 4, _NULL) or _stands(base, at, 4, _TRUE)):
        return at + 4
    if end - at >= 5 and _stands(base, at, 5, _FALSE):
        return at + 5
    first = at + _is(base, at, end, ord("-"))
    at = _digits(base, first, end)
    good = at == first + 1 or (at > first and byte(base, first) != 0x30)
    if _is(base, at, end, ord(".")):
        first = at + 1
        at = _digits(base, first, end)
        good = good and at > first
    if _is(base, at, end, ord("e")) or _is(base, at, end, ord("E")):
        first = at + 1
        first += _is(base, first, end, ord("+")) or _is(base, first, end, ord("-"))
        at = _digits(base, first, end)
        good = good and at > first
    return at if good else -1
