"""Ports behind addresses: with them nearly every value would be one that was never seen before."""

from __future__ import annotations

import numpy as np

from logscrub.compiled import Bytes, Places, compiled
from logscrub.wide import address, byte, signed

_COLON, _BRACKETS = ord(":"), (ord("["), ord("]"))
_MOST = 5
"""Digits of a port."""


def cut(data: Bytes, starts: Places, ends: Places) -> tuple[Places, Places]:
    """Where addresses stand without their ports: `a.b.c.d` and `[v6]`; all other values stay as they are.

    Args:
        data: Padded.
        starts: Where each value begins.
        ends: Where it ends.
    """
    stops = np.empty_like(ends)
    _cut(data, starts, ends, stops)
    return starts, stops


@compiled
def _cut(data: Bytes, starts: Places, ends: Places, stops: Places) -> None:
    base = address(data)
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        stops[row] = end
        at = end - 1
        while at > start and end - at <= _MOST and 0x30 <= byte(base, at) <= 0x39:
            at -= 1
        if at <= start or at == end - 1 or byte(base, at) != _COLON:
            continue
        if byte(base, start) == _BRACKETS[0]:
            if byte(base, at - 1) == _BRACKETS[1]:
                stops[row] = at
            continue
        plain = True
        for place in range(start, at):
            one = byte(base, place)
            plain = plain and (0x30 <= one <= 0x39 or one == 0x2E)
        if plain:
            stops[row] = at
