"""Paths cut at slashes and file names at their extension; each distinct piece once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from logscrub.compiled import Bytes, Mask, Places, compiled, laid_out
from logscrub.lexicon import distinct
from logscrub.scrubbers.identifiers import TAIL
from logscrub.wide import WIDTH, address, byte, lowest, places, signed

_SLASH: Final = 0x2F
_DOT: Final = 0x2E
_AT: Final = 0x40
_REACH: Final = len("@1.5x")
_BIT: Final = np.uint64(1)


@dataclass(frozen=True, slots=True)
class Segments:
    """Paths, cut up.

    Args:
        words: The distinct segments.
        codes: For each segment of each path, one path after the other, its number among the words.
        offsets: Where each path begins in `codes`, and where the last one ends.
        deep: Whether something was left out at the end of each path.
    """

    words: pl.Series = field(repr=False)
    codes: Places
    offsets: Places
    deep: pl.Series


def segments(paths: pl.Series, *, most: int) -> Segments:
    """Cut paths at slashes, into so many segments at most, the one before the first slash not counted."""
    data, starts, ends = laid_out(paths.to_arrow().cast(pa.string()))
    room = int(np.minimum(ends - starts, most).sum(dtype=np.int64)) + len(starts)
    begins, stops = np.empty(room, np.int32), np.empty(room, np.int32)
    offsets, deep = np.zeros(len(starts) + 1, np.int32), np.zeros(len(starts), np.bool_)
    count = _cut(data, starts, ends, most, begins, stops, offsets, deep)
    codes, words = distinct(data, begins[:count], stops[:count])
    return Segments(
        pl.Series(words.cast(pa.string()), dtype=pl.String), codes, offsets, pl.Series(deep)
    )


def tails(texts: pl.Series) -> pl.Series:
    """The extension of each text that is in the list of `identifiers.TAIL`, else an empty string."""
    data, starts, ends = laid_out(texts.to_arrow().cast(pa.string()))
    begins = np.empty_like(starts)
    _find_tails(data, starts, ends, begins)
    codes, found = distinct(data, begins, ends)
    # a text may be cut inside a character, where nothing of the list can begin
    known = pl.Series(found).cast(pl.String, strict=False).str.extract(TAIL).fill_null("")
    return known.gather(codes)


@compiled
def _cut(
    data: Bytes, starts: Places, ends: Places, most: int, begins: Places, stops: Places, offsets: Places, deep: Mask
) -> int:  # fmt: skip
    base = address(data)
    count = 0
    for row in range(len(starts)):
        at, end = signed(starts[row]), signed(ends[row])
        begins[count] = at
        left = most
        while at < end:
            found = places(base, at, _SLASH)
            while found and at + lowest(found) < end:
                place = at + lowest(found)
                if left == 0:
                    deep[row] = True
                    end = place
                else:
                    stops[count] = place
                    count += 1
                    begins[count] = place + 1
                    left -= 1
                    found &= found - _BIT
            at += WIDTH
        stops[count] = end
        count += 1
        offsets[row + 1] = count
    return count


@compiled
def _find_tails(data: Bytes, starts: Places, ends: Places, begins: Places) -> None:
    """Where the last dot stands, or an at sign shortly before it; the end where there is none."""
    base = address(data)
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        place = end - 1
        while place >= start and byte(base, place) != _DOT:
            place -= 1
        if place < start:
            begins[row] = end
            continue
        begins[row] = place
        for at in range(max(start, place - _REACH), place):
            if byte(base, at) == _AT:
                begins[row] = at
                break
