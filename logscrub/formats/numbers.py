"""Numbers out of places in a block: status, size, duration."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from logscrub.formats import views, words

if TYPE_CHECKING:
    from logscrub.formats.words import Bytes, Ints, Mask, Words

    Column = tuple[pa.Array, Mask]

_VALUE, _DASH, _EMPTY, _NEGATIVE, _BAD = range(5)
_MICRO: Final = 1_000_000
_PLAIN_DIGITS: Final = 16
_ZEROS: Final = np.uint64(0x3030303030303030)
_UINT32: Final = 2**32 - 1
_UINT64: Final = 2**64 - 1
_POWERS: Final = np.array([10**n for n in range(9)], np.uint64)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the fields say: whole part, millionths (the rest is cut), and whether it is a value."""

    whole: Words
    micro: Ints
    state: np.ndarray[tuple[int], np.dtype[np.uint8]]


def statuses(data: Bytes, starts: Ints, ends: Ints) -> Column:
    """Status codes, uint16; null for `-`, nothing, `000` and `009`.

    nginx logs `000` where it closed a connection without an answer, and `009` for HTTP/0.9
    (ngx_http_log_module.c, ngx_http_log_status).

    Returns:
        The column, and which rows hold something else than 100 to 999.
    """
    if len(starts) and ((ends - starts) == 3).all():
        hundreds, tens, ones = (data[starts + i] - np.uint8(0x30) for i in range(3))
        if (np.maximum(tens, ones) <= 9).all() and (hundreds - np.uint8(1) <= 8).all():
            value = hundreds * np.uint16(100) + tens * np.uint16(10) + ones
            return pa.array(value), np.zeros(len(starts), np.bool_)
    found = _read(data, starts, ends)
    none = (found.state == _VALUE) & ((found.whole == 0) | (found.whole == 9))
    missing = none | (found.state == _DASH) | (found.state == _EMPTY)
    good = (found.state == _VALUE) & (found.whole >= 100) & (found.whole <= 999)
    good &= found.micro == 0
    column = pa.array(np.where(good, found.whole, 0).astype(np.uint16), mask=~good)
    return column, ~good & ~missing


def sizes(data: Bytes, starts: Ints, ends: Ints) -> Column:
    """Bytes, uint64; null for nothing and below zero, 0 for `-`, as Apache's %b says none.

    Returns:
        The column, and which rows hold something that is no whole number or does not fit.
    """
    found = _read(data, starts, ends)
    if not found.state.any():
        # all are values, and only whole numbers are written without a point
        fraction = found.micro != 0
        if not fraction.any():
            return pa.array(found.whole), fraction
    missing = (found.state == _EMPTY) | (found.state == _NEGATIVE)
    bad = (found.state == _BAD) | (found.micro != 0)
    column = pa.array(
        np.where(found.state == _VALUE, found.whole, np.uint64(0)), mask=missing | bad
    )
    return column, bad


def durations(data: Bytes, starts: Ints, ends: Ints, *, scale: float) -> Column:
    """Milliseconds, uint32, half a millisecond rounded down; null for `-`, nothing and below zero.

    Args:
        data: Padded.
        starts: Where each field begins.
        ends: Where it ends.
        scale: Milliseconds that one unit of the field has.

    Returns:
        The column, and which rows hold something that is no number or does not fit.
    """
    found = _read(data, starts, ends)
    missing = np.isin(found.state, (_DASH, _EMPTY, _NEGATIVE))
    small = found.whole.astype(np.float64) * scale <= _UINT32
    good = (found.state == _VALUE) & small
    whole = np.where(good, found.whole, 0).astype(np.int64)
    rounded = _scaled(
        whole, np.where(good, found.micro, 0), Fraction(scale).limit_denominator(10**9)
    )
    good &= rounded <= _UINT32
    return pa.array(np.where(good, rounded, 0).astype(np.uint32), mask=~good), ~good & ~missing


def _scaled(whole: Ints, micro: Ints, scale: Fraction) -> Ints:
    """The numbers times `scale`, halves rounded down; what is scaled up must fit 32 bits."""
    units, rest = np.divmod(whole * scale.numerator, scale.denominator)
    over = rest * _MICRO + micro * scale.numerator
    under = scale.denominator * _MICRO
    # Half down of a / b is the ceiling of (2 a - b) / 2 b.
    result: Ints = units - (under - 2 * over) // (2 * under)
    return result


def _read(data: Bytes, starts: Ints, ends: Ints) -> _Numbers:
    length = ends - starts
    whole, plain = _digits(data, starts, length)
    micro = np.zeros(len(starts), np.int64)
    state = np.where(plain, _VALUE, _BAD).astype(np.uint8)
    odd = np.flatnonzero(~plain)
    if len(odd):
        # Most servers write exactly three digits behind the point.
        three = data[np.maximum(ends[odd] - 4, 0)] == ord(".")
        three &= length[odd] > 4
        some = odd[three]
        before, good = _digits(data, starts[some], length[some] - 4)
        after, also_good = _digits(data, ends[some] - 3, np.full(len(some), 3))
        good &= also_good
        whole[some], micro[some] = before, after.astype(np.int64) * 1000
        state[some[good]] = _VALUE
        odd = odd[state[odd] == _BAD]
    if len(odd):
        rows, values = views.distinct(data, starts[odd], ends[odd])
        table = [_read_one(value) for value in values.to_pylist()]
        whole[odd] = np.array([row[0] for row in table], np.uint64)[rows]
        micro[odd] = np.array([row[1] for row in table], np.int64)[rows]
        state[odd] = np.array([row[2] for row in table], np.uint8)[rows]
    return _Numbers(whole, micro, state)


def _digits(data: Bytes, starts: Ints, length: Ints) -> tuple[Words, Mask]:
    """The values of fields of 1 to 16 digits, and which fields are that."""
    good = (length > 0) & (length <= _PLAIN_DIGITS)
    size = np.where(good, length, 1)
    low, high = words.gather(data, starts, count=2)
    first = np.minimum(size, 8)
    value, plain = _eight(low, first)
    good &= plain
    long = np.flatnonzero(size > 8)
    if len(long):
        rest = size[long] - 8
        tail, plain = _eight(high[long], rest)
        value[long] = value[long] * _POWERS[rest] + tail
        good[long] &= plain
    return value, good


def _eight(word: Words, size: Ints) -> tuple[Words, Mask]:
    """The value of the first `size` (1 to 8) characters, and whether all are digits."""
    # What lies behind the field is shifted out at the top; zeros come in at the front.
    digits = (word ^ _ZEROS) << ((8 - size) * 8).astype(np.uint64)
    good: Mask = words.are_below_ten(digits)
    return words.number(digits), good


def _read_one(text: bytes) -> tuple[int, int, int]:
    """Whole part, millionths and state of one number that is not written plainly."""
    if text in (b"", b"-"):
        return 0, 0, _DASH if text else _EMPTY
    body = text.removeprefix(b"-")
    whole, point, fraction = body.partition(b".")
    if not whole.isdigit() or not (fraction.isdigit() or not point):
        return 0, 0, _BAD
    if len(body) < len(text):
        return 0, 0, _NEGATIVE
    if len(whole) > 20 or int(whole) > _UINT64:
        return 0, 0, _BAD
    return int(whole), int(fraction[:6].ljust(6, b"0")), _VALUE
