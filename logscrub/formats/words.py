"""Bytes of many lines at once, eight to a machine word.

Reading eight bytes from each of n places costs one NumPy gather; what is asked of those bytes (is
it a digit, where is the first blank) is then plain arithmetic on n words. The tricks are those of
"Hacker's Delight", chapter 6. All words are little-endian, so the first byte of the text is the
lowest byte of the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

Bytes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]
Ints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Words: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]
Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]

PAD: Final = 128
"""Zero bytes that `padded` puts after the data, so that a gather at the last line stays inside."""
_STEP: Final = 2**17
_QUOTE: Final = 0x22
_NEWLINE: Final = 0x0A
QUOTES: Final = 4096
"""Quotes that a layout may have."""
STRIDE: Final = 16
"""Bytes that one step of `find` looks at."""

_ONES: Final = 0x0101010101010101
_HIGH: Final = np.uint64(0x80 * _ONES)
_LOW7: Final = np.uint64(0x7F * _ONES)


def padded(data: bytes) -> Bytes:
    """A copy of the bytes with `PAD` zero bytes after them."""
    out = np.empty(len(data) + PAD, np.uint8)
    out[: len(data)] = np.frombuffer(data, np.uint8)
    out[len(data) :] = 0
    return out


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the double quotes and line ends of a run of lines stand, found in one pass.

    Args:
        at: Their places, rising, and behind them places in the padding.
        ends: Where each line ends, its line end excluded.
        first: For each line the index in `at` of its first quote.
        count: How many quotes each line has.
    """

    at: Ints
    ends: Ints
    first: Ints
    count: Ints


def marks(data: Bytes, begin: int, end: int) -> Marks:
    """Find the quotes and line ends of the lines between two places.

    Args:
        data: Padded.
        begin: Where the first line begins.
        end: Where the last one ends; a last line without a line end is a line.
    """
    found = []
    for start in range(begin, end, _STEP):
        # 0x0A and 0x22 differ in two bits; what else remains without them is sorted out below.
        folded = data[start : min(start + _STEP, end)] | np.uint8(0x28)
        found.append(np.flatnonzero(folded == 0x2A) + start)
    at = np.concatenate(found) if found else np.empty(0, np.int64)
    byte = data[at]
    is_end = byte == _NEWLINE
    is_mark = is_end | (byte == _QUOTE)
    if not is_mark.all():
        at, is_end = at[is_mark], is_end[is_mark]
    last = np.flatnonzero(is_end)
    count = len(at)
    ends = at[last]
    if end > begin and (not len(ends) or ends[-1] != end - 1):
        last, ends = np.append(last, count), np.append(ends, end)
    first = np.empty_like(last)
    first[:1], first[1:] = 0, last[:-1] + 1
    at = np.append(at, np.full(QUOTES, len(data) - PAD))
    return Marks(at, ends, first, last - first)


def gather(data: Bytes, at: Ints, *, count: int) -> list[Words]:
    """The words that begin at each place: `count` arrays of eight bytes each.

    Args:
        data: Padded; `at + 8 * count` must lie inside.
        at: Any places, not aligned.
        count: How many words follow one another.
    """
    width = 8 * count
    view = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    rows = view[at].view("<u8").reshape(-1, count)
    return [rows[:, i] for i in range(count)]


def runs(data: Bytes, at: Ints, size: int) -> tuple[Ints, Ints]:
    """Places one after the other that hold the same bytes, taken together.

    Lines of a log that follow one another mostly have the same time stamp.

    Args:
        data: Padded; `size` bytes rounded up to whole words must lie inside.
        at: Any places.
        size: How many bytes to compare.

    Returns:
        The indices of the places at which a run begins, and for each place the number of its run.
    """
    begins = np.zeros(len(at), np.bool_)
    begins[:1] = True
    for i, word in enumerate(gather(data, at, count=-(-size // 8))):
        keep = np.uint64((1 << 8 * min(8, size - 8 * i)) - 1)
        begins[1:] |= ((word[1:] ^ word[:-1]) & keep) != 0
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def digits(word: Words) -> Words:
    """The high bit of each byte that is an ASCII digit; all other bits are zero."""
    return _between(word, word, 0x30, 0x39)


def letters(word: Words) -> Words:
    """The high bit of each byte that is an ASCII letter; all other bits are zero."""
    return _between(word | np.uint64(0x20 * _ONES), word, 0x61, 0x7A)


def _between(folded: Words, word: Words, first: int, last: int) -> Words:
    low = folded & _LOW7
    reached = low + np.uint64((0x80 - first) * _ONES)
    passed = low + np.uint64((0x7F - last) * _ONES)
    result: Words = reached & ~passed & ~word & _HIGH
    return result


def equal(word: Words, byte: int) -> Words:
    """The high bit of each byte that equals `byte`; all other bits are zero."""
    other = word ^ np.uint64(byte * _ONES)
    result: Words = ~(((other & _LOW7) + _LOW7) | other | _LOW7)
    return result


def first(flags: Words) -> Ints:
    """Which byte is the lowest that is flagged; negative where none is."""
    lowest = flags & (~flags + np.uint64(1))
    return _exponent(lowest)


def last(flags: Words) -> Ints:
    """Which byte is the highest that is flagged; negative where none is."""
    return _exponent(flags)


def _exponent(word: Words) -> Ints:
    # A double holds the place of the highest bit in its exponent; zero gives -128.
    result: Ints = ((word.astype(np.float64).view(np.int64) >> 52) - 1023) >> 3
    return result


def are_below_ten(word: Words) -> Mask:
    """Whether each of the eight bytes is 0 to 9."""
    result: Mask = (((word & _LOW7) + np.uint64(0x76 * _ONES) | word) & _HIGH) == 0
    return result


def number(word: Words) -> Words:
    """The value of eight digits given as bytes 0 to 9 (not their characters)."""
    pairs = word * np.uint64(10) + (word >> np.uint64(8))
    even = (pairs & np.uint64(0x000000FF000000FF)) * np.uint64(0x000F424000000064)
    odd = ((pairs >> np.uint64(16)) & np.uint64(0x000000FF000000FF)) * np.uint64(0x0000271000000001)
    result: Words = (even + odd) >> np.uint64(32)
    return result


def find(data: Bytes, at: Ints, *, stop: tuple[int, ...], reach: int) -> Ints:
    """Where the first byte that is one of `stop` stands, at or after each place.

    Args:
        data: Padded.
        at: Where to begin.
        stop: Byte values, at least one.
        reach: How far to look; a multiple of `STRIDE`, at most `PAD - STRIDE`.

    Returns:
        Places in `data`, or -1 where there is none within reach.
    """
    found = _find_step(data, at, stop)
    for skipped in range(STRIDE, reach, STRIDE):
        open_rows = np.flatnonzero(found < 0)
        if not len(open_rows):
            break
        found[open_rows] = _find_step(data, at[open_rows] + skipped, stop)
    return found


def _find_step(data: Bytes, at: Ints, stop: tuple[int, ...]) -> Ints:
    low, high = gather(data, at, count=2)
    place = first(_any(low, stop))
    missed = np.flatnonzero(place < 0)
    if len(missed):
        later = first(_any(high[missed], stop))
        place[missed] = np.where(later < 0, later, later + 8)
    return np.where(place < 0, -1, at + place)


def _any(word: Words, stop: tuple[int, ...]) -> Words:
    flags = equal(word, stop[0])
    for byte in stop[1:]:
        flags |= equal(word, byte)
    return flags


def matches(data: Bytes, at: Ints, text: bytes) -> Mask:
    """Whether `text` stands at each place.

    Args:
        data: Padded.
        at: Places; `at + len(text)` must lie inside.
        text: Any bytes; empty text stands everywhere.
    """
    if len(text) <= 3:  # three gathers of one aligned byte are cheaper than one of eight
        result = np.ones(len(at), np.bool_)
        for i, byte in enumerate(text):
            result &= data[at + i] == byte
        return result
    result = np.ones(len(at), np.bool_)
    for begin in range(0, len(text), 8):
        part = text[begin : begin + 8]
        (word,) = gather(data, at + begin, count=1)
        keep = np.uint64((1 << 8 * len(part)) - 1)
        result &= (word & keep) == np.uint64(int.from_bytes(part, "little"))
    return result
