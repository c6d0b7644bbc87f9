"""Addresses as nearly all logs write them, `a.b.c.d` and `a:b::c`, read by one loop; `address_forms` reads the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.compiled import Bytes, Places, Words, compiled, inner
from logscrub.wide import address, byte, put, signed

if TYPE_CHECKING:
    Versions = np.ndarray[tuple[int], np.dtype[np.uint8]]

_COLON: Final = ord(":")
_GROUPS: Final = 8
_GROUP: Final = np.uint64(16)
_REST: Final = np.uint64(48)


@compiled
def read(
    data: Bytes, starts: Places, ends: Places, versions: Versions, high: Words, low: Words
) -> None:
    """Read each value: 4 or 6 and its bits, or 0 and nothing where it is written in another form.

    Args:
        data: Padded.
        starts: Where each value begins.
        ends: Where it ends.
        versions: Is filled; as `address.Addresses.version`.
        high: As `address.Addresses.high`, with the IPv4 addresses that IPv6 addresses carry still inside.
        low: As `address.Addresses.low`, likewise.
    """
    base = address(data)
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        bits = _four(base, start, end)
        if bits >= 0:
            versions[row], high[row], low[row] = 4, 0, bits
        elif _six(base, start, end, address(high) + 8 * row, address(low) + 8 * row):
            versions[row] = 6
        else:
            versions[row], high[row], low[row] = 0, 0, 0


@inner
def _four(base: int, start: int, end: int) -> int:
    """The bits of `a.b.c.d`; -1 for anything else. Leading zeros, which some read as octal, are something else."""
    if end - start < 7 or end - start > 15:
        return -1
    bits, octet, dots = 0, -1, 0
    for at in range(start, end):
        one = byte(base, at)
        if 0x30 <= one <= 0x39 and octet != 0:
            octet = max(octet, 0) * 10 + one - 0x30
            if octet > 255:
                return -1
        elif one == ord(".") and octet >= 0 and dots < 3:
            bits = bits << 8 | octet
            octet = -1
            dots += 1
        else:
            return -1
    return bits << 8 | octet if dots == 3 and octet >= 0 else -1


@inner
def _six(base: int, start: int, end: int, high: int, low: int) -> bool:
    """Whether it is groups of hexadecimal digits with colons; the bits are written to two addresses."""
    if end - start < 2 or end - start > 39:
        return False
    top = bottom = left_top = left_bottom = np.uint64(0)
    groups, left, at = 0, -1, start
    if byte(base, at) == _COLON and byte(base, at + 1) == _COLON:
        left, at = 0, at + 2
    while at < end:
        value, digits = 0, 0
        while at < end and digits < 4 and _hex(byte(base, at)) >= 0:
            value = value * 16 + _hex(byte(base, at))
            digits += 1
            at += 1
        if digits == 0:
            return False
        top = top << _GROUP | bottom >> _REST
        bottom = bottom << _GROUP | np.uint64(value)
        groups += 1
        if at == end:
            break
        if byte(base, at) != _COLON or at + 1 == end:
            return False
        at += 1
        if byte(base, at) == _COLON:
            if left >= 0:
                return False
            left, left_top, left_bottom = groups, top, bottom
            top = bottom = np.uint64(0)
            groups, at = 0, at + 1
    if (left < 0 and groups != _GROUPS) or (left >= 0 and left + groups >= _GROUPS):
        return False
    # what stands before the two colons is moved to the front
    for _ in range(_GROUPS - max(left, 0)):
        left_top = left_top << _GROUP | left_bottom >> _REST
        left_bottom = left_bottom << _GROUP
    put(high, 0, signed(top | left_top))
    put(low, 0, signed(bottom | left_bottom))
    return True


@inner
def _hex(one: int) -> int:
    """The value of a hexadecimal digit; -1 for anything else."""
    if 0x30 <= one <= 0x39:
        return one - 0x30
    letter = one | 0x20
    return letter - 0x57 if 0x61 <= letter <= 0x66 else -1
