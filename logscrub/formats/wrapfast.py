"""Prefixes of lines, skipped by one compiled loop.

Each line is read from left to right, in linear time. `tests/test_wrappers.py` has the same rules in plain Python, and
a law holds both together.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from logscrub.compiled import Bytes, Ints, Places, compiled, inner
from logscrub.wide import WIDTH, address, byte, lowest, number, places, put, signed, word

SYSLOG, COMPOSE, CRI = range(3)
"""Kinds of prefixes."""
RECORD, PART, _, BLANK = 1, 2, 4, 8
"""What a line is, as bits: wrapped; a part that goes on; (taken by `wrapjson`;) nothing but blanks."""
STDOUT, STDERR = 1, 2
"""Streams of containers."""
_SPACE: Final = 0x20
_TAB: Final = 0x09
_NEWLINE: Final = 0x0A
_ESCAPE: Final = 0x1B
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_ARRAY: Final = 0x5B
_CLOSES: Final = 2
"""From what opens to what closes."""
_MARK: Final = np.uint64(0xBFBBEF)
_LONGEST_NAME: Final = 32
"""RFC 5424, 6.3.2."""
_HIGHEST_PRIORITY: Final = 191


def _letters(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_MONTHS: Final = tuple(map(_letters, b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()))
_STDOUT: Final = _letters(b"stdout")
_STDERR: Final = _letters(b"stderr")
_POD: Final = _letters(b"[pod/")


@compiled
def peel(
    data: Bytes,
    starts: Places,
    ends: Places,
    kind: int,
    begins: Places,
    streams: Ints,
    flags: Bytes,
) -> None:
    """Where the text of each line begins behind its prefix.

    Args:
        data: Padded.
        starts: Where each line begins.
        ends: Where it ends, which is where its text ends.
        kind: `SYSLOG`, `COMPOSE` or `CRI`.
        begins: Filled: where the text begins.
        streams: Filled for `CRI`: which stream the line is of.
        flags: Filled: what the line is.
    """
    base = address(data)
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        found, flag = -1, 0
        if kind == SYSLOG:
            found = _syslog(base, start, end)
        elif kind == COMPOSE:
            found = _compose(base, start, end)
        else:
            tag = _cri(base, start, end)
            if tag >= 0:
                found = min(_word_end(base, tag, end) + 1, end)
                streams[row] = STDERR if byte(base, tag - 2) == ord("r") else STDOUT
                flag = PART if byte(base, tag) == ord("P") else 0
        if found >= 0:
            flag |= RECORD
        else:
            found = start
            if _blanks(base, start, end) == end:
                found, flag = end, BLANK
        begins[row] = found
        flags[row] = flag


@compiled
def gather(data: Bytes, starts: Places, ends: Places, out: Bytes, to: int) -> None:
    """Copy pieces of padded data one behind the other; `out` is written to up to eight bytes beyond them."""
    base, into = address(data), address(out)
    for row in range(len(starts)):
        at, end = signed(starts[row]), signed(ends[row])
        size = end - at
        for step in range(0, size, 8):
            put(into, to + step, number(base, at + step))
        to += size


@inner
def _blanks(base: int, at: int, end: int) -> int:
    """Behind blanks and tabs."""
    while at < end and (byte(base, at) == _SPACE or byte(base, at) == _TAB):
        at += 1
    return at


@inner
def _word_end(base: int, at: int, end: int) -> int:
    """The first blank, or the end."""
    while at < end:
        found = places(base, at, _SPACE)
        if found:
            return min(at + lowest(found), end)
        at += WIDTH
    return end


@inner
def _is(base: int, at: int, end: int, one: int) -> bool:
    return at < end and byte(base, at) == one


@inner
def _is_digit(base: int, at: int) -> bool:
    return 0x30 <= byte(base, at) <= 0x39


@inner
def _begins(base: int, at: int, size: int, letters: np.uint64) -> bool:
    """Whether up to eight bytes stand at a place; what lies beyond them is shifted out."""
    return bool((word(base, at) ^ letters) << np.uint64(64 - 8 * size) == 0)


@inner
def _syslog(base: int, at: int, end: int) -> int:
    """As `logscrub.syslog.message`: where the message begins, -1 for none."""
    while end > at and (byte(base, end - 1) == _NEWLINE or byte(base, end - 1) == 0):
        end -= 1
    start = at
    if _is(base, at, end, ord("<")):
        at += 1
        priority = 0
        while at < end and at < start + 4 and _is_digit(base, at):
            priority = 10 * priority + byte(base, at) - 0x30
            at += 1
        if at == start + 1 or not _is(base, at, end, ord(">")) or priority > _HIGHEST_PRIORITY:
            return -1
        at += 1
        if _is(base, at, end, ord("1")) and _is(base, at + 1, end, _SPACE):
            return _rfc5424(base, at + 2, end)
    stamp = _rfc3164_stamp(base, at, end)
    if stamp < 0:
        stamp = _iso_stamp(base, at, end)
    if stamp < 0:
        return -1
    stop = _word_end(base, stamp, end)
    if stop > stamp and byte(base, stop - 1) != ord(":"):
        stamp = min(stop + 1, end)
        stop = _word_end(base, stamp, end)
    return min(stop + 1, end) if stop > stamp and byte(base, stop - 1) == ord(":") else -1


@inner
def _rfc3164_stamp(base: int, at: int, end: int) -> int:
    """Behind `Nov 22 02:32:34 `; -1 for another shape."""
    if end - at < 16:
        return -1
    known = False
    for month in _MONTHS:
        known |= _begins(base, at, 3, month)
    good = known and byte(base, at + 3) == _SPACE and _is_digit(base, at + 5)
    good = good and (_is_digit(base, at + 4) or byte(base, at + 4) == _SPACE)
    for i in (7, 8, 10, 11, 13, 14):
        good = good and _is_digit(base, at + i)
    good = good and byte(base, at + 9) == ord(":") and byte(base, at + 12) == ord(":")
    good = good and byte(base, at + 6) == _SPACE and byte(base, at + 15) == _SPACE
    return at + 16 if good else -1


@inner
def _iso_stamp(base: int, at: int, end: int) -> int:
    """Behind `2026-11-22T02:30:01.1+00:00 ` or `…Z `; -1 for another shape."""
    if end - at < 21:
        return -1
    good = byte(base, at + 4) == ord("-") and byte(base, at + 7) == ord("-")
    good = good and byte(base, at + 10) == ord("T") and byte(base, at + 13) == ord(":")
    good = good and byte(base, at + 16) == ord(":")
    for i in (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18):
        good = good and _is_digit(base, at + i)
    if not good:
        return -1
    at += 19
    if byte(base, at) == ord("."):
        first = at + 1
        at = first
        while at < end and at <= first + 9 and _is_digit(base, at):
            at += 1
        if at == first or at > first + 9:
            return -1
    if _is(base, at, end, ord("Z")):
        at += 1
    elif _is(base, at, end, ord("+")) or _is(base, at, end, ord("-")):
        good = end - at > 6 and byte(base, at + 3) == ord(":")
        for i in (1, 2, 4, 5):
            good = good and _is_digit(base, at + i)
        if not good:
            return -1
        at += 6
    else:
        return -1
    return at + 1 if _is(base, at, end, _SPACE) else -1


@inner
def _rfc5424(base: int, at: int, end: int) -> int:
    for _ in range(5):
        stop = _word_end(base, at, end)
        if stop >= end or stop == at:
            return -1
        at = stop + 1
    at = at + 1 if _is(base, at, end, ord("-")) else _structured(base, at, end)
    if at < 0 or (at < end and byte(base, at) != _SPACE):
        return -1
    at = min(at + 1, end)
    return at + 3 if end - at >= 3 and _begins(base, at, 3, _MARK) else at


@inner
def _structured(base: int, at: int, end: int) -> int:
    """Behind structured data; -1 where there is none or it does not end."""
    start = at
    while _is(base, at, end, _ARRAY):
        at = _name_end(base, at + 1, end)
        while _is(base, at, end, _SPACE):
            at = _name_end(base, at + 1, end)
            if not _is(base, at, end, ord("=")) or not _is(base, at + 1, end, _QUOTE):
                return -1
            at += 2
            while at < end and byte(base, at) != _QUOTE:
                at += 2 if byte(base, at) == _BACKSLASH else 1
            at += 1
        if not _is(base, at, end, _ARRAY + _CLOSES):
            return -1
        at += 1
    return at if at > start else -1


@inner
def _name_end(base: int, at: int, end: int) -> int:
    last = min(end, at + _LONGEST_NAME)
    while at < last:
        one = byte(base, at)
        if one == _SPACE or one == ord("=") or one == _QUOTE or one == _ARRAY + _CLOSES:
            return at
        at += 1
    return at


@inner
def _compose(base: int, at: int, end: int) -> int:
    """Behind `web-1  | ` with or without colours, or `[pod/name/container] `; -1 for neither."""
    if end - at > 6 and _begins(base, at, 5, _POD):
        at += 5
        while at < end and (_is_name(byte(base, at)) or byte(base, at) == ord("/")):
            at += 1
        if not _is(base, at, end, _ARRAY + _CLOSES):
            return -1
        at += 1
        return min(at + 1, end) if at == end or byte(base, at) == _SPACE else -1
    at = _colours(base, at, end)
    first = at
    while at < end and _is_name(byte(base, at)):
        at += 1
    behind = _colours(base, at, end)
    pipe = behind
    while _is(base, pipe, end, _SPACE):
        pipe += 1
    if at == first or pipe == behind or not _is(base, pipe, end, ord("|")):
        return -1
    at = _colours(base, pipe + 1, end)
    if at < end and byte(base, at) != _SPACE:
        return -1
    return _colours(base, min(at + 1, end), end)


@inner
def _is_name(one: int) -> bool:
    letter = 0x61 <= one | 0x20 <= 0x7A
    return letter or 0x30 <= one <= 0x39 or one == ord("-") or one == ord("_") or one == ord(".")


@inner
def _colours(base: int, at: int, end: int) -> int:
    """Behind the colours of a terminal, `ESC [ 1 ; 36 m`."""
    while _is(base, at, end, _ESCAPE) and _is(base, at + 1, end, _ARRAY):
        stop = at + 2
        while stop < end and (_is_digit(base, stop) or byte(base, stop) == ord(";")):
            stop += 1
        if not _is(base, stop, end, ord("m")):
            return at
        at = stop + 1
    return at


@inner
def _cri(base: int, at: int, end: int) -> int:
    """Where the tags stand in `2022-01-28T16:04:05.413656027Z stdout F LINE`; -1 for another shape."""
    at = _iso_stamp(base, at, end)
    if at < 0 or end - at < 8 or byte(base, at + 6) != _SPACE:
        return -1
    if not (_begins(base, at, 6, _STDOUT) or _begins(base, at, 6, _STDERR)):
        return -1
    at += 7
    if byte(base, at) != ord("P") and byte(base, at) != ord("F"):
        return -1
    known = at + 1 == end or byte(base, at + 1) == _SPACE or byte(base, at + 1) == ord(":")
    return at if known else -1
