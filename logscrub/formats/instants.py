"""Time stamps of all lines of a block, as milliseconds of UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from logscrub.compiled import Bytes, Grid, Ints, Mask, Places, compiled
from logscrub.errors import FormatError
from logscrub.formats import moments, stamps
from logscrub.formats.layout import Role
from logscrub.lexicon import distinct
from logscrub.wide import address, same, signed

if TYPE_CHECKING:
    from logscrub.formats.layout import Layout
    from logscrub.formats.lines import Split

    Parts = dict[str, Ints]
    Table = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

MILLISECONDS: Final = pa.timestamp("ms", tz="UTC")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9999
_LAST_SECOND: Final = 253_402_300_799
"""23:59:59 on the last day of the year 9999, behind which Python has no dates."""
_UNZONED: Final = "the lines do not say their offset from UTC"


def instants(split: Split, layout: Layout, *, zone: str | None) -> tuple[pa.Array, Mask] | None:
    """When each request was, out of all time fields of a line together.

    A second of 60 (a leap second) counts as 59. Where a local time occurs twice, the earlier
    instant counts; one that the clock skipped is read by the offset that held before.

    Args:
        split: The lines.
        layout: Their format.
        zone: IANA name of the zone of lines that do not say their offset; not looked at for others.

    Returns:
        `timestamp[ms, UTC]` and which rows hold no time there is; None when the format keeps no
        time.

    Raises:
        FormatError: The lines need a zone and none is given, or there is none of that name.
    """
    fields = _fields(layout)
    if not fields:
        return None
    begins = np.zeros(split.rows, np.bool_)
    begins[:1] = True
    for i in fields:
        _mark_changes(split.data, split.starts[i], split.ends[i], begins)
    # lines of a log that follow one another mostly have the same time stamp
    first = np.flatnonzero(begins)
    times = np.diff(first, append=split.rows)
    starts, ends = split.starts[fields][:, first], split.ends[fields][:, first]
    local, bad = _read(split.data, starts, ends, layout, zone)
    return pa.array(np.repeat(local, times)).view(MILLISECONDS), np.repeat(bad, times)


def _fields(layout: Layout) -> list[int]:
    return [i for i, one in enumerate(layout.fields) if one.keeps is Role.TIME]


@compiled
def _mark_changes(data: Bytes, starts: Places, ends: Places, begins: Mask) -> None:
    """Mark the rows whose field is another than that of the row before."""
    base = address(data)
    for row in range(1, len(starts)):
        at, before = signed(starts[row]), signed(starts[row - 1])
        size = signed(ends[row]) - at
        begins[row] |= size != signed(ends[row - 1]) - before or not same(
            base, at, base, before, size
        )


def _read(
    data: Bytes, starts: Grid, ends: Grid, layout: Layout, zone: str | None
) -> tuple[Ints, Mask]:
    """Milliseconds of UTC, and which time stamps are no time there is."""
    parts: Parts = {}
    count = starts.shape[1]
    bad = np.zeros(count, np.bool_)
    for n, i in enumerate(_fields(layout)):
        tokens = layout.fields[i].time
        if tokens == ("%auto",):
            return _of_any_spelling(data, starts[n], ends[n], zone)
        # only what `scan` found has the shape of its tokens for certain
        more, wrong = _parts(data, starts[n], ends[n], tokens, certain=not layout.paths)
        parts = more | parts
        bad |= wrong
    local, wrong = _epoch(parts) if "epoch" in parts else _calendar(parts, count)
    bad |= wrong
    local = np.where(bad, 0, local)
    if "epoch" not in parts:
        local = local - (parts["offset"] * 60_000 if layout.zoned and "offset" in parts else 0)
        if not layout.zoned:
            local = local - _zone_offsets(local, zone)
    return np.where(bad, 0, local), bad


def _of_any_spelling(
    data: Bytes, starts: Places, ends: Places, zone: str | None
) -> tuple[Ints, Mask]:
    local, east, bad = moments.read(data, starts, ends)
    unzoned = np.flatnonzero((east == moments.NONE) & ~bad)
    result = local - np.where(east == moments.NONE, 0, east) * 60_000
    if len(unzoned):
        result[unzoned] -= _zone_offsets(local[unzoned], zone)
    return np.where(bad, 0, result), bad


def _has_shape(text: Table, fixed: stamps.Shape) -> Mask:
    """Which time stamps are digits and literals where the shape has them; none where it has more than that."""
    good = np.ones(len(text), np.bool_)
    for token, at in fixed.places:
        count = stamps.DIGITS.get(token, 0)
        if count:
            good &= (text[:, at : at + count] - np.uint8(0x30) < 10).all(axis=1)
        elif token[0] == "%":
            good[:] = False
        else:
            good &= (text[:, at : at + len(token)] == np.frombuffer(token.encode(), np.uint8)).all(
                axis=1
            )
    return good


def _parts(
    data: Bytes, starts: Places, ends: Places, tokens: tuple[str, ...], *, certain: bool
) -> tuple[Parts, Mask]:
    """Each part of the time stamps, and which rows hold a name or offset there is none of."""
    fixed = stamps.shape(tokens)
    width = ends - starts
    parts: Parts = {}
    bad = np.zeros(len(starts), np.bool_)
    slow = np.arange(len(starts))
    if fixed is not None and len(starts):
        size = fixed.width + (7 if fixed.zone else 0)
        rows = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))[starts]
        text = rows.view(np.uint8).reshape(len(starts), size)
        for token, at in fixed.places:
            parts.update(_fixed(text, token, at, bad))
        if fixed.zone:
            parts["offset"] = _offsets(text, fixed.width, width - fixed.width, bad)
        expected = width - fixed.width
        usual = np.isin(expected, (1, 5, 6)) if fixed.zone else expected == 0
        if not certain:
            usual &= False if fixed.zone else _has_shape(text, fixed)
        slow = np.flatnonzero(~usual)
    if len(slow):
        rows, values = distinct(data, starts[slow], ends[slow])
        found, wrong = _read_slowly(values.to_pylist(), tokens)
        bad[slow] = wrong[rows]
        for name, column in found.items():
            parts.setdefault(name, np.zeros(len(starts), np.int64))[slow] = column[rows]
    return parts, bad


def _fixed(text: Table, token: str, at: int, bad: Mask) -> Parts:
    """What one token of fixed place gives; marks in `bad` the rows whose names are none."""
    parts: Parts = {}
    if token == "%epoch.ms":  # noqa: S105 — a token of a time format
        count = stamps.COUNTS["%s"]
        parts = {"epoch": _value(text, at, count), "ms": _value(text, at + count + 1, 3)}
    elif token in ("%msec", "%usec"):
        per_ms = 1 if token == "%msec" else 1000  # noqa: S105 — as above
        total = _value(text, at, stamps.COUNTS[token]) // per_ms
        parts = {"epoch": total // 1000, "ms": total % 1000}
    elif token == "%b":  # noqa: S105 — as above
        parts = {"month": _months(text[:, at : at + 3])}
        bad |= parts["month"] == 0
    elif token == "%p":  # noqa: S105 — as above
        half = text[:, at] | 0x20
        bad |= ((half != ord("a")) & (half != ord("p"))) | (text[:, at + 1] | 0x20 != ord("m"))
        parts = {"half": (half == ord("p")).astype(np.int64)}
    elif token == "%e":  # noqa: S105 — as above
        tens = np.where(text[:, at] == 0x20, 0x30, text[:, at]) - 0x30
        parts = {"day": tens.astype(np.int64) * 10 + (text[:, at + 1] - 0x30)}
    elif token == "%y":  # noqa: S105 — as above
        year = _value(text, at, 2)
        parts = {"year": year + np.where(year >= 69, 1900, 2000)}
    elif token == "%usec_frac":  # noqa: S105 — as above
        parts = {"ms": _value(text, at, 6) // 1000}
    elif token in stamps.PARTS:
        width = stamps.DIGITS.get(token) or stamps.COUNTS[token]
        parts = {stamps.PARTS[token]: _value(text, at, width)}
    return parts


def _value(text: Table, at: int, count: int) -> Ints:
    if count == 2:
        # In eight bits: (48 + t) * 10 + 48 + u wraps around to 16 + 10 t + u.
        pair: Ints = (text[:, at] * np.uint8(10) + text[:, at + 1] - np.uint8(16)).astype(np.int64)
        return pair
    if count == 4:
        return _value(text, at, 2) * 100 + _value(text, at + 2, 2)
    value = np.zeros(len(text), np.int64)
    for i in range(at, at + count):
        value = value * 10 + (text[:, i] - np.uint8(0x30))
    return value


_MONTH_OF: Final = np.zeros(32 * 32, np.int64)
"""Month by the low five bits of its second and third letter, which no two months share."""
_MONTH_FIRST: Final = np.zeros(13, np.uint8)
for _number, _name in enumerate(stamps.MONTHS, 1):
    _MONTH_OF[(ord(_name[1]) & 31) * 32 + (ord(_name[2]) & 31)] = _number
    _MONTH_FIRST[_number] = ord(_name[0])


def _months(text: Table) -> Ints:
    month = _MONTH_OF[(text[:, 1] & 31).astype(np.intp) * 32 + (text[:, 2] & 31)]
    return np.where(_MONTH_FIRST[month] == text[:, 0] | 0x20, month, 0)


def _offsets(text: Table, at: int, width: Ints, bad: Mask) -> Ints:
    """Minutes east of UTC."""
    hours = _value(text, at + 1, 2)
    minutes = np.where(width == 6, _value(text, at + 4, 2), _value(text, at + 3, 2))
    utc = width == 1
    bad |= ~utc & ((hours > 23) | (minutes > 59))
    east = np.where(text[:, at] == ord("-"), -1, 1) * (hours * 60 + minutes)
    return np.where(utc, 0, east)


def _read_slowly(values: list[bytes], tokens: tuple[str, ...]) -> tuple[Parts, Mask]:
    """As `_parts`, for distinct time stamps whose tokens do not stand at fixed places."""
    found = [stamps.read(value, tokens) for value in values]
    names = {name for one in found if one is not None for name in one}
    parts = {
        name: np.array([(one or {}).get(name, 0) for one in found], np.int64) for name in names
    }
    return parts, np.array([one is None for one in found], np.bool_)


def _epoch(parts: Parts) -> tuple[Ints, Mask]:
    bad = parts["epoch"] > _LAST_SECOND
    result = np.where(bad, 0, parts["epoch"]) * 1000
    return result + parts["ms"] if "ms" in parts else result, bad


@lru_cache(maxsize=1)
def _month_starts() -> Ints:
    """Days since 1970-01-01 at which each month begins, and where the last one ends."""
    months = np.arange((_FIRST_YEAR - 1970) * 12, (_LAST_YEAR - 1969) * 12 + 1)
    result: Ints = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return result


def _calendar(parts: Parts, rows: int) -> tuple[Ints, Mask]:
    """Milliseconds since 1970 as the clock on the wall counts, and which rows are no time."""
    zero = np.zeros(rows, np.int64)
    year, month, day = parts.get("year", zero), parts.get("month"), parts.get("day", zero)
    bad = (year < _FIRST_YEAR) | (year > _LAST_YEAR)
    if month is None or "day" not in parts:
        month, day = zero + 1, parts.get("yday", zero)
        by_year = True
    else:
        by_year = False
        bad |= (month < 1) | (month > 12)
    at = np.where(bad, 0, (year - _FIRST_YEAR) * 12 + month - 1)
    starts = _month_starts()
    begin = starts[at]
    bad |= (day < 1) | (day > starts[at + (12 if by_year else 1)] - begin)
    hour = parts.get("hour")
    if hour is None:
        hour12 = parts.get("hour12", zero)
        bad |= (hour12 < 1) | (hour12 > 12)
        hour = hour12 % 12 + 12 * parts.get("half", zero)
    minute, second = parts.get("minute", zero), parts.get("second", zero)
    bad |= (hour > 23) | (minute > 59) | (second > 60)
    seconds = ((hour * 60) + minute) * 60 + np.minimum(second, 59)
    return ((begin + day - 1) * 86_400 + seconds) * 1000 + parts.get("ms", zero), bad


def _zone_offsets(local: Ints, zone: str | None) -> Ints:
    """Milliseconds east of UTC at each local time, looked up once per minute that occurs."""
    if not zone:
        raise FormatError(
            _UNZONED, hint="name the zone the server's clock was set to, such as Europe/Berlin"
        )
    try:
        rules = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FormatError(
            "there is no time zone of the name given", hint="use an IANA name such as Europe/Berlin"
        ) from None
    minutes, rows = np.unique(local // 60_000, return_inverse=True)
    start = datetime(1970, 1, 1)  # noqa: DTZ001 — local time; the zone is what is looked up
    table = []
    for minute in minutes.tolist():
        offset = (start + timedelta(minutes=minute)).replace(tzinfo=rules).utcoffset()
        table.append(int(offset.total_seconds() * 1000) if offset is not None else 0)
    result: Ints = np.array(table, np.int64)[rows] if table else np.zeros(0, np.int64)
    return result
