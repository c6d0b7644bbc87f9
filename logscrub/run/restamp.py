"""Time stamps of scrubbed lines: the text as it is where the policy keeps all of it, else written anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from logscrub.formats import stamps, times
from logscrub.formats.instants import instants
from logscrub.formats.layout import Kind, Role
from logscrub.formats.notation import ANY_TIME
from logscrub.lexicon import distinct
from logscrub.scrubbers import time

if TYPE_CHECKING:
    from collections.abc import Callable

    from logscrub.compiled import Ints
    from logscrub.formats.layout import Layout
    from logscrub.formats.lines import Split

_FRACTIONS: Final = frozenset({"%msec_frac", "%usec_frac", "%msec", "%usec", "%epoch.ms"})
_MICROSECONDS: Final = frozenset({"%usec_frac", "%usec"})
_READ: Final = frozenset(stamps.PARTS) | _FRACTIONS | {"%y", "%b", "%B", "%p", "%z", "%%"}
"""Tokens whose text was checked when the time was read; names of days and zones only look like letters."""
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = -int(timedelta(days=365).total_seconds() * 1000)
_LAST: Final = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds() * 1000)
_ZONE: Final = "LOCAL"
"""Stands for the name of a zone, which nobody reads back."""


class Clock:
    """The times of a block's lines, for each field that shows one.

    Args:
        found: Where the fields stand.
        layout: Their format.
        stamps: The time of each line, as coarse as the policy says.
        precision: How coarse that is.
    """

    def __init__(
        self, found: Split, layout: Layout, stamps: pa.TimestampArray, precision: time.Precision
    ) -> None:
        self._found = found
        self._layout = layout
        self._precision = precision
        self._stamps = stamps

    def column(self, i: int) -> pa.BinaryArray:
        """What the time field `i` shows in each line."""
        field = self._layout.fields[i]
        if field.time == ANY_TIME:
            return self._anew()
        if (
            field.keeps is Role.TIME
            and not self._is_finer(field.time)
            and _READ.issuperset(_named(field.time))
        ):
            numbers, values = distinct(self._found.data, self._found.starts[i], self._found.ends[i])
            return values.take(pa.array(numbers))
        rows, suffixes = self._offsets(i) if "%z" in field.time else self._shared()
        moments = (
            self._local() if not self._layout.zoned else self._stamps.cast(pa.int64()).to_numpy()
        )
        encoded = pa.array(moments * len(suffixes) + rows).dictionary_encode()
        texts = [
            text(key // len(suffixes), suffixes[key % len(suffixes)], field.time).encode()
            for key in encoded.dictionary.to_pylist()
        ]
        return pa.array(texts, pa.binary()).take(encoded.indices)

    def _anew(self) -> pa.BinaryArray:
        """ISO 8601 in UTC, for fields whose spelling is known only line by line."""
        fraction = (".", "%msec_frac") if self._precision == "millisecond" else ()
        tokens = (*times.ISO8601[:-1], *fraction, "%z")
        encoded = self._stamps.cast(pa.int64()).dictionary_encode()
        texts = [text(one, b"Z", tokens).encode() for one in encoded.dictionary.to_pylist()]
        return pa.array(texts, pa.binary()).take(encoded.indices)

    def _is_finer(self, tokens: tuple[str, ...]) -> bool:
        """Whether the tokens show more than the policy keeps."""
        if self._precision == "millisecond":
            return not _MICROSECONDS.isdisjoint(tokens)
        return self._precision != "second" or not _FRACTIONS.isdisjoint(tokens)

    def _local(self) -> Ints:
        """The time on the server's clock, made as coarse, for lines that do not say their offset."""
        read = instants(self._found, self._layout, zone="UTC")
        result: Ints = (
            self._stamps.cast(pa.int64()).to_numpy()
            if read is None
            else time.coarsen(read[0], self._precision).cast(pa.int64()).to_numpy()
        )
        return result

    def _shared(self) -> tuple[Ints, list[bytes]]:
        """The offset from UTC that some field of the line tells, one that the time was read from if there is one."""
        fields = self._layout.fields
        telling = [i for i, one in enumerate(fields) if one.kind is Kind.TIME and "%z" in one.time]
        telling.sort(key=lambda i: fields[i].keeps is not Role.TIME)
        return (
            self._offsets(telling[0])
            if telling
            else (np.zeros(self._found.rows, np.int64), [b"+0000"])
        )

    def _offsets(self, i: int) -> tuple[Ints, list[bytes]]:
        """Which offset from UTC each line has in field `i`, and how that is written."""
        tokens = self._layout.fields[i].time
        fixed = stamps.shape(tokens)
        starts, ends = self._found.starts[i], self._found.ends[i]
        if fixed is not None and fixed.zone:
            starts = starts + fixed.width
            tokens = ("%z",)
        rows, values = distinct(self._found.data, starts, ends)
        return rows.astype(np.int64), [_suffix(value, tokens) for value in values.to_pylist()]


def _named(tokens: tuple[str, ...]) -> set[str]:
    return {token for token in tokens if token.startswith("%")}


def _suffix(value: bytes, tokens: tuple[str, ...]) -> bytes:
    """How the offset is written: as it is where it stands alone and is one, else `+hhmm`."""
    minutes = (stamps.read(value, tokens) or {}).get("offset")
    if minutes is None:
        return b"+0000"
    if tokens == ("%z",):
        return value
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}".encode()


def text(moment: int, suffix: bytes, tokens: tuple[str, ...]) -> str:
    """One time stamp.

    Args:
        moment: Milliseconds since 1970, UTC.
        suffix: Offset from UTC: `+hhmm`, `+hh:mm` or `Z`.
        tokens: As `Field.time`.

    >>> text(1_795_314_601_975, b"+0100", ("%d", "/", "%b", "/", "%Y", ":", "%H", ":", "%M", " ", "%z"))
    '22/Nov/2026:03:30 +0100'
    """
    east = (stamps.read(suffix, ("%z",)) or {}).get("offset", 0)
    clipped = min(max(moment + east * 60_000, _FIRST), _LAST)
    wall = _EPOCH + timedelta(milliseconds=clipped)
    since = max(moment, 0)
    parts: list[str] = []
    for token in tokens:
        if token == "%z":  # noqa: S105 — a token of a time format
            parts.append(suffix.decode("ascii"))
        elif token in stamps.COUNTS or token == "%epoch.ms":  # noqa: S105 — as above
            parts.append(_count(token, since))
        else:
            parts.append(_CALENDAR[token](wall) if token in _CALENDAR else token)
    return "".join(parts)


def _count(token: str, since: int) -> str:
    seconds = f"{since // 1000:0{stamps.COUNTS['%s']}}"
    return {
        "%msec": f"{seconds}{since % 1000:03}",
        "%usec": f"{seconds}{since % 1000:03}000",
        "%epoch.ms": f"{seconds}.{since % 1000:03}",
    }.get(token, seconds)


_CALENDAR: Final[dict[str, Callable[[datetime], str]]] = {
    "%%": lambda _: "%",
    "%a": lambda t: _DAYS[t.weekday()][:3],
    "%A": lambda t: _DAYS[t.weekday()],
    "%b": lambda t: _MONTHS[t.month - 1][:3],
    "%B": lambda t: _MONTHS[t.month - 1],
    "%d": lambda t: f"{t.day:02}",
    "%e": lambda t: f"{t.day:2}",
    "%H": lambda t: f"{t.hour:02}",
    "%I": lambda t: f"{(t.hour + 11) % 12 + 1:02}",
    "%j": lambda t: f"{t.timetuple().tm_yday:03}",
    "%m": lambda t: f"{t.month:02}",
    "%M": lambda t: f"{t.minute:02}",
    "%msec_frac": lambda t: f"{t.microsecond // 1000:03}",
    "%p": lambda t: "PM" if t.hour >= 12 else "AM",
    "%S": lambda t: f"{t.second:02}",
    "%usec_frac": lambda t: f"{t.microsecond // 1000:03}000",
    "%y": lambda t: f"{t.year % 100:02}",
    "%Y": lambda t: f"{t.year:04}",
    "%Z": lambda _: _ZONE,
}
