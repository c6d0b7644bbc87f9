"""Numbers out of places in a block: status, size, duration."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from logscrub.compiled import Bytes, Ints, Mask, Places, Words, compiled, inner
from logscrub.wide import address, byte, put, signed, word

if TYPE_CHECKING:
    Column = tuple[pa.Array, Mask]
    States = np.ndarray[tuple[int], np.dtype[np.uint8]]

_VALUE, _DASH, _EMPTY, _NEGATIVE, _BAD = range(5)
_MICRO: Final = 1_000_000
_SAFE_DIGITS: Final = 19
"""So many digits fit 64 bits whatever they are."""
_MOST_DIGITS: Final = 20
_UINT32: Final = 2**32 - 1
_UINT64: Final = np.uint64(2**64 - 1)
_TEN: Final = np.uint64(10)
_ZEROS: Final = np.uint64(0x3030303030303030)
_ABOVE_NINE: Final = np.uint64(0x7676767676767676)
"""Added to a byte, it sets the high bit of what is over 9."""
_HIGH_BITS: Final = np.uint64(0x8080808080808080)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the fields say: whole part, millionths (the rest is cut), and whether it is a value."""

    whole: Words
    micro: Ints
    state: States


def statuses(data: Bytes, starts: Places, ends: Places) -> Column:
    """Status codes, uint16; null for `-`, nothing, `000` and `009`.

    nginx logs `000` where it closed a connection without an answer, and `009` for HTTP/0.9
    (ngx_http_log_module.c, ngx_http_log_status).

    Returns:
        The column, and which rows hold something else than 100 to 999.
    """
    found = _read(data, starts, ends)
    none = (found.state == _VALUE) & ((found.whole == 0) | (found.whole == 9))
    missing = none | (found.state == _DASH) | (found.state == _EMPTY)
    good = (found.state == _VALUE) & (found.whole >= 100) & (found.whole <= 999)
    good &= found.micro == 0
    column = pa.array(np.where(good, found.whole, 0).astype(np.uint16), mask=~good)
    return column, ~good & ~missing


def sizes(data: Bytes, starts: Places, ends: Places) -> Column:
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


def durations(data: Bytes, starts: Places, ends: Places, *, scale: float) -> Column:
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


def _read(data: Bytes, starts: Places, ends: Places) -> _Numbers:
    whole = np.empty(len(starts), np.uint64)
    micro = np.empty(len(starts), np.int64)
    state = np.empty(len(starts), np.uint8)
    _read_all(data, starts, ends, whole, micro, state)
    return _Numbers(whole, micro, state)


@compiled
def _read_all(
    data: Bytes, starts: Places, ends: Places, whole: Words, micro: Ints, state: States
) -> None:
    base = address(data)
    for row in range(len(starts)):
        begin, end = signed(starts[row]), signed(ends[row])
        micro[row] = 0
        value = _few_digits(base, begin, end - begin)
        if value >= 0:
            whole[row], state[row] = value, _VALUE
        else:
            state[row] = _read_one(
                base, begin, end, address(whole) + 8 * row, address(micro) + 8 * row
            )


@inner
def _few_digits(base: int, at: int, size: int) -> int:
    """The value of one to eight digits, all of them at once; -1 for anything else."""
    if size < 1 or size > 8:
        return -1
    # a byte for each digit, the last one the highest, nothing before the first
    digits = (word(base, at) ^ _ZEROS) << np.uint64(64 - 8 * size)
    if (digits | (digits + _ABOVE_NINE)) & _HIGH_BITS:
        return -1
    pairs = (digits * _TEN + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100) + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return signed((fours * np.uint64(10_000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF))


@inner
def _read_one(base: int, begin: int, end: int, whole: int, micro: int) -> int:
    """What a field is; its whole part and millionths are written to their addresses."""
    put(whole, 0, 0)
    if begin == end:
        return _EMPTY
    negative = byte(base, begin) == ord("-")
    begin += negative
    if begin == end:
        return _DASH
    value = np.uint64(0)
    fits = True
    point = begin
    while point < end and 0x30 <= byte(base, point) <= 0x39:
        digit = np.uint64(byte(base, point) - 0x30)
        if point - begin >= _SAFE_DIGITS:
            fits = fits and bool(value <= (_UINT64 - digit) // _TEN)
        value = value * _TEN + digit
        point += 1
    good = point > begin and (point == end or (byte(base, point) == ord(".") and point + 1 < end))
    fraction, unit = 0, _MICRO
    for at in range(point + 1, end):
        good &= 0x30 <= byte(base, at) <= 0x39
        unit //= 10
        fraction += (byte(base, at) - 0x30) * unit
    if not good:
        return _BAD
    if negative:
        return _NEGATIVE
    if not fits or point - begin > _MOST_DIGITS:
        return _BAD
    put(whole, 0, signed(value))
    put(micro, 0, fraction)
    return _VALUE
