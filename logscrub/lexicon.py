"""Distinct values, numbered as they first occur: a log repeats itself."""

from __future__ import annotations

import secrets
from typing import Any, Final, TypeVar, cast

import numpy as np
import pyarrow as pa

from logscrub.compiled import Bytes, Places, Words, compiled, inner
from logscrub.machine import SIZES
from logscrub.schema import PAD
from logscrub.wide import address, fetch, mixed, same, signed, word

Array = TypeVar("Array", bound=np.ndarray[Any, Any])

MOST_VALUES: Final = SIZES.values
"""Values after which a lexicon is full, and a new one takes its place."""
MOST_BYTES: Final = SIZES.value_bytes
_LEAST: Final = 1024
_ONE: Final = np.uint64(1)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_TAG: Final = np.uint64(0xFFFFFFFF_00000000)
_NUMBER: Final = np.uint64(0x00000000_FFFFFFFF)
_HALF: Final = np.uint64(32)
_AHEAD: Final = 8
_SOON: Final = 32
"""Hashes that are kept until their row comes; more than twice `_AHEAD`."""


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
            self._bytes, self.count, numbers, np.empty(_SOON, np.uint64),
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
        # two numbers a slot, and at least a third of the slots free
        if 3 * needed > len(self._slots):
            self._slots = np.zeros(1 << (3 * needed).bit_length(), np.uint64)
            _place(self._hashes, self._offsets, self.count, self._slots)


def grown(old: Array, used: int, size: int) -> Array:
    """A larger array that begins with what is used of the old one."""
    new = np.empty(size, old.dtype)
    new[:used] = old[:used]
    return cast("Array", new)


@compiled
def _number(
    data: Bytes, starts: Places, ends: Places, seed: np.uint64, slots: Words, hashes: Words, offsets: Places,
    stored: Bytes, count: int, numbers: Places, soon: Words,
) -> int:  # fmt: skip
    base, table, kept = address(data), address(slots), address(stored)
    mask = np.uint64(len(slots) // 2 - 1)
    rows = len(starts)
    for step in range(rows + 2 * _AHEAD):
        # memory is slow to answer, so it is asked some rows before: for the slot, then for the value
        if step < rows:
            at = signed(starts[step])
            value = _hash(base, at, max(signed(ends[step]) - at, 0), seed)
            soon[step % _SOON] = value
            fetch(table, signed(value & mask) * 16)
        if step >= _AHEAD:
            fetch(
                kept,
                signed(slots[((soon[(step - _AHEAD) % _SOON] & mask) << _ONE) + _ONE] & _NUMBER),
            )
        row = step - 2 * _AHEAD
        if row < 0:
            continue
        at = signed(starts[row])
        size = max(signed(ends[row]) - at, 0)
        value = soon[row % _SOON]
        slot = value & mask
        tag = value & _TAG
        found = -1
        while slots[slot << _ONE] != 0:
            where = slots[(slot << _ONE) + _ONE]
            alike = slots[slot << _ONE] & _TAG == tag and signed(where >> _HALF) == size
            if alike and same(base, at, kept, signed(where & _NUMBER), size):
                found = signed(slots[slot << _ONE] & _NUMBER) - 1
                break
            slot = (slot + _ONE) & mask
        if found < 0:
            found = count
            count += 1
            begin = offsets[found]
            offsets[found + 1] = begin + size
            hashes[found] = value
            _fill(slots, slot, value, found, begin, size)
            for i in range(size):
                stored[begin + i] = data[at + i]
        numbers[row] = found
    return count


@inner
def _fill(
    slots: Words, slot: np.uint64, value: np.uint64, number: int, begin: int, size: int
) -> None:
    """A slot holds half of the hash and the number plus one, and how long the value is and where it begins."""
    slots[slot << _ONE] = value & _TAG | np.uint64(number + 1)
    slots[(slot << _ONE) + _ONE] = np.uint64(size) << _HALF | np.uint64(begin)


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
def _place(hashes: Words, offsets: Places, count: int, slots: Words) -> None:
    mask = np.uint64(len(slots) // 2 - 1)
    for number in range(count):
        slot = hashes[number] & mask
        while slots[slot << _ONE] != 0:
            slot = (slot + _ONE) & mask
        begin = signed(offsets[number])
        _fill(slots, slot, hashes[number], number, begin, offsets[number + 1] - begin)


def distinct(data: Bytes, starts: Places, ends: Places) -> tuple[Places, pa.Array]:
    """The distinct values among places in the data: for each place its number, and the values as `binary`."""
    lexicon = Lexicon()
    return lexicon.number(data, starts, ends), lexicon.values()
