"""Distinct values, numbered as they first occur: a log repeats itself."""

from __future__ import annotations

import secrets
from typing import Any, Final, TypeVar, cast

import numpy as np
import pyarrow as pa

from logscrub.compiled import Bytes, Places, Words, compiled, inner
from logscrub.schema import PAD
from logscrub.wide import address, mixed, same, signed, word

Array = TypeVar("Array", bound=np.ndarray[Any, Any])

MOST_VALUES: Final = 2**17
"""Values after which a lexicon is full, and a new one takes its place."""
MOST_BYTES: Final = 8 * 2**20
_LEAST: Final = 1024
_ONE: Final = np.uint64(1)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_TAG: Final = np.uint64(0xFFFFFFFF_00000000)
_NUMBER: Final = np.uint64(0x00000000_FFFFFFFF)


class Lexicon:
    """Distinct values, numbered from 0 in the order in which they first occur.

    A hash table over the bytes. Its seed is secret, so that nobody can prepare values that collide.
    """

    def __init__(self) -> None:
        self.count = 0
        self._seed = np.uint64(secrets.randbits(64))
        self._slots: Words = np.zeros(4 * _LEAST, np.uint64)
        self._hashes: Words = np.empty(_LEAST, np.uint64)
        self._offsets = np.zeros(_LEAST + 1, np.int32)
        self._bytes = np.empty(64 * _LEAST, np.uint8)

    @property
    def is_full(self) -> bool:
        """Whether it holds as much as it may."""
        return self.count >= MOST_VALUES or int(self._offsets[self.count]) >= MOST_BYTES

    def number(self, data: Bytes, starts: Places, ends: Places) -> Places:
        """The number of each value; those that are new are added.

        Args:
            data: Padded with `compiled.padded`.
            starts: Where each value begins.
            ends: Where it ends.
        """
        self._reserve(len(starts), int((ends - starts).sum(dtype=np.int64)))
        numbers = np.empty(len(starts), np.int32)
        self.count = _number(
            data, starts, ends, self._seed, self._slots, self._hashes, self._offsets,
            self._bytes, self.count, numbers,
        )  # fmt: skip
        return numbers

    def values(self, begin: int = 0, *, kind: pa.DataType | None = None) -> pa.Array:
        """The values from a number on, as `binary` or another type of the same layout, without a copy."""
        offsets = self._offsets[begin : self.count + 1]
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._bytes)]
        return pa.Array.from_buffers(kind or pa.binary(), len(offsets) - 1, buffers)

    def _reserve(self, values: int, size: int) -> None:
        """Make room. What `values` gave before keeps the arrays it was given."""
        needed = self.count + values
        if needed > len(self._hashes):
            self._hashes = grown(self._hashes, self.count, 2 * needed)
            self._offsets = grown(self._offsets, self.count + 1, 2 * needed + 1)
        used = int(self._offsets[self.count])
        if used + size + PAD > len(self._bytes):
            self._bytes = grown(self._bytes, used, 2 * (used + size) + PAD)
        if 2 * needed > len(self._slots):
            self._slots = np.zeros(1 << (2 * needed).bit_length(), np.uint64)
            _place(self._hashes, self.count, self._slots)


def grown(old: Array, used: int, size: int) -> Array:
    """A larger array that begins with what is used of the old one."""
    new = np.empty(size, old.dtype)
    new[:used] = old[:used]
    return cast("Array", new)


@compiled
def _number(
    data: Bytes, starts: Places, ends: Places, seed: np.uint64, slots: Words, hashes: Words, offsets: Places,
    stored: Bytes, count: int, numbers: Places,
) -> int:  # fmt: skip
    base, kept = address(data), address(stored)
    mask = np.uint64(len(slots) - 1)
    for row in range(len(starts)):
        at = signed(starts[row])
        size = max(signed(ends[row]) - at, 0)
        value = _hash(base, at, size, seed)
        # a slot holds half of the hash and the number plus one, so that others are passed by unseen
        tag = value & _TAG
        slot = value & mask
        found = -1
        while slots[slot] != 0:
            if slots[slot] & _TAG == tag:
                number = signed(slots[slot] & _NUMBER) - 1
                other = signed(offsets[number])
                if offsets[number + 1] - other == size and same(base, at, kept, other, size):
                    found = number
                    break
            slot = (slot + _ONE) & mask
        if found < 0:
            found = count
            count += 1
            slots[slot] = tag | np.uint64(count)
            hashes[found] = value
            begin = offsets[found]
            offsets[found + 1] = begin + size
            for i in range(size):
                stored[begin + i] = data[at + i]
        numbers[row] = found
    return count


@inner
def _hash(base: int, at: int, size: int, seed: np.uint64) -> np.uint64:
    """As wyhash does: products of secret numbers with the text, both halves of them folded together."""
    other = seed * _FACTOR
    value = seed ^ np.uint64(size)
    end = at + size
    while at + 16 < end:
        value = mixed(value ^ word(base, at), other ^ word(base, at + 8))
        at += 16
    # bytes beyond the value are shifted out
    low, high = min(end - at, 8), min(max(end - at - 8, 0), 8)
    value ^= word(base, at) << np.uint64(64 - 8 * low) if low else np.uint64(0)
    other ^= word(base, at + 8) << np.uint64(64 - 8 * high) if high else np.uint64(0)
    return mixed(mixed(value, other), _FACTOR ^ seed)


@compiled
def _place(hashes: Words, count: int, slots: Words) -> None:
    mask = np.uint64(len(slots) - 1)
    for number in range(count):
        slot = hashes[number] & mask
        while slots[slot] != 0:
            slot = (slot + _ONE) & mask
        slots[slot] = hashes[number] & _TAG | np.uint64(number + 1)


def distinct(data: Bytes, starts: Places, ends: Places) -> tuple[Places, pa.Array]:
    """The distinct values among places in the data: for each place its number, and the values as `binary`."""
    lexicon = Lexicon()
    return lexicon.number(data, starts, ends), lexicon.values()
