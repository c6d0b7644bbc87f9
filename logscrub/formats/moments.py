"""Time stamps whose spelling is known only when they are seen.

| spelling | example |
|---|---|
| ISO 8601, RFC 3339 | `2026-11-22T02:30:01.5+01:00`, `2026-11-22 02:30:01,5 UTC`, `2026/11/22 02:30:01` |
| common log | `22/Nov/2026:02:30:01 +0000`, `22/Nov/2026:02:30:01.971` |
| mail, HTTP | `Sun, 22 Nov 2026 02:30:01 GMT`, `Sun, 1 Nov 2026 02:30:01 +0100` |
| ctime | `Sun Nov  1 02:30:01 2026`, `Sun Nov 22 02:30:01.971 2026` |
| since 1970 | `1795314797`, `1795314797.1234567`, `1.7953147971234567e9`; whole ms, µs, ns by magnitude |

Any of them may stand in brackets. Fractions have any number of digits and are cut to milliseconds.
Names are English in any case; that of the weekday is not compared with the date. A zone is `Z`,
`UTC`, `GMT`, `+hh`, `+hhmm` or `+hh:mm`, with or without a blank before it. A second of 60 (a leap
second) counts as 59; years are 1900 to 9999.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from logscrub.compiled import Bytes, Ints, Mask, Places, compiled, inner
from logscrub.formats import stamps
from logscrub.wide import address, byte, put, signed

NONE: Final = -(2**31)
"""Stands for the offset where a time stamp says none."""
_BAD: Final = NONE - 1
_NO_DAY: Final = -(2**31)
_SHORTEST: Final = 19
"""Bytes of the shortest time stamp that is a date."""
_MOST_DIGITS: Final = 19
"""More than that never fit 63 bits."""
_SECONDS, _MILLIS, _MICROS = 10**11, 10**14, 10**17
"""Below the first a whole number counts seconds, below the next milliseconds, then microseconds, then nanoseconds."""
_DAY: Final = 86_400_000
_MONTHS: Final = np.array([int.from_bytes(name.encode(), "big") for name in stamps.MONTHS])
_UTC: Final = int.from_bytes(b"utc", "big")
_GMT: Final = int.from_bytes(b"gmt", "big")


def read(data: Bytes, starts: Places, ends: Places) -> tuple[Ints, Ints, Mask]:
    """Read time stamps, each in its own spelling.

    Args:
        data: Padded.
        starts: Where each begins.
        ends: Where it ends.

    Returns:
        Milliseconds since 1970 as the clock on the wall counts; minutes east of UTC, or `NONE`
        where the text says none; which rows hold no time there is, where the other two are 0.
    """
    count = len(starts)
    local, east = np.empty(count, np.int64), np.empty(count, np.int64)
    bad = np.empty(count, np.bool_)
    _read_all(data, starts, ends, local, east, bad)
    return local, east, bad


@compiled
def _read_all(
    data: Bytes, starts: Places, ends: Places, local: Ints, east: Ints, bad: Mask
) -> None:
    base = address(data)
    for row in range(len(starts)):
        at, end = signed(starts[row]), signed(ends[row])
        if end - at >= 2 and byte(base, at) == ord("[") and byte(base, end - 1) == ord("]"):
            at, end = at + 1, end - 1
        offset = _read(base, at, end, address(local) + 8 * row)
        bad[row] = offset == _BAD
        if offset == _BAD:
            local[row], east[row] = 0, 0
        else:
            east[row] = offset


@inner
def _read(base: int, at: int, end: int, local: int) -> int:
    """The offset, or `_BAD`; the local time is written to an address."""
    if end - at < _SHORTEST:
        return _count(base, at, end, local)
    year_last = False
    if byte(base, at + 4) == ord("-") or byte(base, at + 4) == ord("/"):
        clock = at + 11
        good = byte(base, at + 7) == byte(base, at + 4)
        good &= byte(base, at + 10) | 0x20 == ord("t") or byte(base, at + 10) == ord(" ")
        year, month, day = _four(base, at), _two(base, at + 5), _two(base, at + 8)
    elif byte(base, at + 2) == ord("/"):
        clock = at + 12
        good = byte(base, at + 6) == ord("/") and byte(base, at + 11) == ord(":")
        year, month, day = _four(base, at + 7), _month(base, at + 3), _two(base, at)
    elif byte(base, at + 3) == ord(","):
        # a day is two bytes: digits, or a blank and a digit
        blank = at + 6 if byte(base, at + 6) == ord(" ") else at + 7
        clock = blank + 10
        good = _letters(base, at) and (byte(base, at + 4) == ord(" ") or blank == at + 6)
        good &= byte(base, blank) == byte(base, blank + 4) == byte(base, blank + 9) == ord(" ")
        year, month = _four(base, blank + 5), _month(base, blank + 1)
        day = _padded(base, blank - 2)
    elif byte(base, at + 3) == ord(" "):
        year, year_last = -1, True
        clock = at + 11
        good = _letters(base, at) and byte(base, at + 7) == byte(base, at + 10) == ord(" ")
        month, day = _month(base, at + 4), _padded(base, at + 8)
    else:
        return _count(base, at, end, local)
    time = _clock(base, clock)
    if not good or time < 0 or clock + 8 > end:
        return _BAD
    tail = _fraction_end(base, clock + 8, end)
    time += _thousandths(base, clock + 9, tail)
    if year_last and tail + 5 == end and byte(base, tail) == ord(" "):
        year = _four(base, tail + 1)
    offset = NONE if year_last else _zone(base, tail, end)
    days = _days(year, month, day)
    put(local, 0, days * _DAY + time)
    return _BAD if days == _NO_DAY else offset


@inner
def _two(base: int, at: int) -> int:
    """The value of two digits; below 0 for anything else."""
    tens, ones = byte(base, at) - 0x30, byte(base, at + 1) - 0x30
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -1


@inner
def _four(base: int, at: int) -> int:
    """The value of four digits; below 0 for anything else."""
    high, low = _two(base, at), _two(base, at + 2)
    return high * 100 + low if high >= 0 and low >= 0 else -1


@inner
def _padded(base: int, at: int) -> int:
    """The value of two digits, or of a blank and a digit."""
    ones = byte(base, at + 1) - 0x30
    return ones if byte(base, at) == ord(" ") and 0 <= ones <= 9 else _two(base, at)


@inner
def _letters(base: int, at: int) -> bool:
    """Whether three letters stand there."""
    for i in range(at, at + 3):
        if byte(base, i) | 0x20 < ord("a") or byte(base, i) | 0x20 > ord("z"):
            return False
    return True


@inner
def _name(base: int, at: int) -> int:
    """Three letters of any case as one number, that of no name where one is none."""
    text = byte(base, at) << 16 | byte(base, at + 1) << 8 | byte(base, at + 2)
    return text | 0x202020 if text & 0x404040 == 0x404040 else 0


@inner
def _month(base: int, at: int) -> int:
    """1 to 12, or 0 where no month stands."""
    name = _name(base, at)
    for i in range(12):
        if name == _MONTHS[i]:
            return i + 1
    return 0


@inner
def _clock(base: int, at: int) -> int:
    """Milliseconds of `hh:mm:ss` since midnight; below 0 where there is no such time."""
    hour, minute, second = _two(base, at), _two(base, at + 3), _two(base, at + 6)
    good = 0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 60
    good &= byte(base, at + 2) == byte(base, at + 5) == ord(":")
    return ((hour * 60 + minute) * 60 + min(second, 59)) * 1000 if good else -1


@inner
def _digits_end(base: int, at: int, end: int) -> int:
    while at < end and 0x30 <= byte(base, at) <= 0x39:
        at += 1
    return at


@inner
def _fraction_end(base: int, at: int, end: int) -> int:
    """Where the fraction ends whose point stands there; where it would begin, if there is none."""
    if at < end and (byte(base, at) == ord(".") or byte(base, at) == ord(",")):
        stop = _digits_end(base, at + 1, end)
        return stop if stop > at + 1 else at
    return at


@inner
def _thousandths(base: int, at: int, end: int) -> int:
    """The first three digits, as if zeros followed."""
    value, unit = 0, 100
    for i in range(at, min(end, at + 3)):
        value += (byte(base, i) - 0x30) * unit
        unit //= 10
    return value


@inner
def _zone(base: int, at: int, end: int) -> int:
    """Minutes east of UTC, `NONE` where nothing stands, `_BAD` for what is no zone."""
    if at == end:
        return NONE
    at += byte(base, at) == ord(" ")
    size = end - at
    sign = byte(base, at)
    if sign == ord("+") or sign == ord("-"):
        colon = size == 6 and byte(base, at + 3) == ord(":")
        hours = _two(base, at + 1)
        minutes = 0 if size == 3 else _two(base, at + 3 + colon)
        good = size == 3 or size == 5 or colon
        good &= 0 <= hours <= 23 and 0 <= minutes <= 59
        east = hours * 60 + minutes
        return (-east if sign == ord("-") else east) if good else _BAD
    name = _name(base, at)
    utc = (size == 1 and sign | 0x20 == ord("z")) or (size == 3 and (name == _UTC or name == _GMT))
    return 0 if utc else _BAD


@inner
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01, `_NO_DAY` where the calendar has no such day."""
    if year < 1900 or year > 9999 or month < 1 or month > 12 or day < 1:
        return _NO_DAY
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 28 + leap if month == 2 else 30 + ((month + (month >> 3)) & 1)
    if day > last:
        return _NO_DAY
    # counted from March on, a leap day is the last of its year
    years = year - (month <= 2)
    months = (month + 9) % 12
    leaps = years // 4 - years // 100 + years // 400
    return 365 * years + leaps + (153 * months + 2) // 5 + day - 719_469


@inner
def _count(base: int, at: int, end: int, local: int) -> int:
    """The offset 0, or `_BAD` for what is no count since 1970; milliseconds are written to an address."""
    stop = _digits_end(base, at, end)
    digits = stop - at
    value = 0
    for i in range(at, min(stop, at + _MOST_DIGITS)):
        value = value * 10 + byte(base, i) - 0x30
    fraction = stop + 1
    if stop < end and byte(base, stop) == ord("."):
        stop = _fraction_end(base, stop, end)
    fraction_end, exponent = stop, 0
    if stop < end and byte(base, stop) | 0x20 == ord("e"):
        power = stop + 1 + (byte(base, stop + 1) == ord("+"))
        after = _digits_end(base, power, end)
        # two digits at most, so that the number stays small
        if after - power == 1 or after - power == 2:
            exponent = byte(base, power) - 0x30 if after - power == 1 else _two(base, power)
            stop = after
    if stop != end or digits == 0 or digits + exponent > _MOST_DIGITS:
        return _BAD
    for _ in range(exponent):
        value = value * 10 + (byte(base, fraction) - 0x30 if fraction < fraction_end else 0)
        fraction += 1
    if value < 0:
        # wrapped around
        return _BAD
    if value < _SECONDS:
        value = value * 1000 + _thousandths(base, fraction, fraction_end)
    elif value >= _MICROS:
        value //= 1_000_000
    elif value >= _MILLIS:
        value //= 1000
    put(local, 0, value)
    return 0


_TIME: Final = ("%H", ":", "%M", ":", "%S")
_HEADS: Final = (
    *(
        ("%Y", mark, "%m", mark, "%d", between, *_TIME)
        for mark in "-/"
        for between in ("T", "t", " ")
    ),
    ("%d", "/", "%b", "/", "%Y", ":", *_TIME),
    ("%a", ", ", "%e", " ", "%b", " ", "%Y", " ", *_TIME),
    ("%a", ",", "%e", " ", "%b", " ", "%Y", " ", *_TIME),
)
_CTIME: Final = ("%a", " ", "%b", " ", "%e", " ", *_TIME)


def read_one(text: bytes) -> tuple[int, int] | None:
    """Read one time stamp as `read` does: the exact reader, in plain Python.

    Returns:
        Milliseconds since 1970 as the clock on the wall counts, and minutes east of UTC or `NONE`;
        None where the text is no time there is.
    """
    if len(text) >= 2 and text.startswith(b"[") and text.endswith(b"]"):
        text = text[1:-1]
    for tokens in (_CTIME, *_HEADS):
        end = stamps.end(text, 0, tokens)
        if end < 0:
            continue
        parts = stamps.read(text[:end], tokens)
        rest = text[end:]
        ms = 0
        if rest[:1] in (b".", b",") and rest[1:2].isdigit():
            after = rest[1:].lstrip(b"0123456789")
            ms = int(rest[1 : len(rest) - len(after)][:3].ljust(3, b"0"))
            rest = after
        if parts is None or (tokens is _CTIME and not _add_year(parts, rest)):
            return None
        offset = NONE if tokens is _CTIME or not rest else _zone_of(rest)
        local = _local(parts, ms)
        return None if local is None or offset is None else (local, offset)
    return _count_of(text)


def _add_year(parts: dict[str, int], rest: bytes) -> bool:
    """Whether a blank and a year is all that follows; it becomes one of the parts."""
    found = stamps.read(rest, (" ", "%Y"))
    parts.update(found or {})
    return found is not None


def _zone_of(rest: bytes) -> int | None:
    zone = rest.removeprefix(b" ").upper()
    if zone in (b"Z", b"UTC", b"GMT"):
        return 0
    found = stamps.read(zone + b"00" if len(zone) == 3 else zone, ("%z",))
    return None if found is None else found["offset"]


def _local(parts: dict[str, int], ms: int) -> int | None:
    try:
        day = date(parts["year"], parts["month"], parts["day"])
    except ValueError:
        return None
    hour, minute, second = parts["hour"], parts["minute"], parts["second"]
    if day.year < 1900 or hour > 23 or minute > 59 or second > 60:
        return None
    days = day.toordinal() - date(1970, 1, 1).toordinal()
    return (((days * 24 + hour) * 60 + minute) * 60 + min(second, 59)) * 1000 + ms


def _count_of(text: bytes) -> tuple[int, int] | None:
    number, _, power = text.replace(b"E", b"e").partition(b"e")
    whole, point, fraction = number.partition(b".")
    exponent = power.removeprefix(b"+") or (b"" if b"e" in text.lower() else b"0")
    written = whole.isdigit() and exponent.isdigit() and len(exponent) <= 2
    if not written or bool(point) != fraction.isdigit():
        return None
    places = len(whole) + int(exponent)
    if places > _MOST_DIGITS:
        return None
    digits = whole + fraction.ljust(int(exponent) + 3, b"0")
    value, rest = int(digits[:places]), digits[places : places + 3]
    if value >= 2**63:
        return None
    if value < _SECONDS:
        return value * 1000 + int(rest), 0
    return value // (1 if value < _MILLIS else 1000 if value < _MICROS else 1_000_000), 0
