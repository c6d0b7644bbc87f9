"""The distinct values of text fields, numbered as they first occur and remembered over blocks: a log repeats itself.

Only values that no block before had are decoded and scrubbed; all rows else are numbers. In memory only, and bounded,
because attackers choose the values.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
import pyarrow as pa

from logscrub.compiled import PAD, Bytes, Places, Words, compiled, laid_out

Array = TypeVar("Array", bound=np.ndarray[Any, Any])

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from logscrub.schema import Raw

    Derive = Callable[[pa.Array], Mapping[Raw, pa.Array]]
    Columns = dict[Raw, tuple[pa.DictionaryArray, "Lexicon"]]

MOST_VALUES: Final = 2**17
"""Values after which a lexicon is full, and a new one takes its place."""
MOST_BYTES: Final = 8 * 2**20
_LEAST: Final = 1024
_ONE: Final = np.uint64(1)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)
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
            _words(data), starts, ends, self._seed, self._slots, self._hashes, self._offsets,
            _words(self._bytes), self.count, numbers,
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
            self._hashes = _grown(self._hashes, self.count, 2 * needed)
            self._offsets = _grown(self._offsets, self.count + 1, 2 * needed + 1)
        used = int(self._offsets[self.count])
        if used + size + PAD > len(self._bytes):
            self._bytes = _grown(self._bytes, used, 2 * (used + size) + PAD)
        if 2 * needed > len(self._slots):
            self._slots = np.zeros(1 << (2 * needed).bit_length(), np.uint64)
            _place(self._hashes, self.count, self._slots)


def _grown(old: Array, used: int, size: int) -> Array:
    new = np.empty(size, old.dtype)
    new[:used] = old[:used]
    return cast("Array", new)


def _words(data: Bytes) -> Words:
    """The eight bytes that begin at each place, as one number."""
    return np.ndarray((len(data) - 7,), np.uint64, data, strides=(1,))


@compiled
def _number(
    words: Words, starts: Places, ends: Places, seed: np.uint64, slots: Words, hashes: Words, offsets: Places,
    stored: Words, count: int, numbers: Places,
) -> int:  # fmt: skip
    mask = np.uint64(len(slots) - 1)
    for row in range(len(starts)):
        at = np.uint64(starts[row])
        size = np.uint64(max(ends[row] - starts[row], 0))
        whole = size // np.uint64(8)
        # bytes beyond the value are shifted out of its last word
        tail = np.uint64(64) - (size % np.uint64(8)) * np.uint64(8)
        value = seed ^ size
        for i in range(whole):
            value = (value ^ words[at + np.uint64(i * 8)]) * _FACTOR
            value ^= value >> _SHIFT
        if tail < np.uint64(64):
            value = (value ^ (words[at + whole * np.uint64(8)] << tail)) * _FACTOR
            value ^= value >> _SHIFT
        # a slot holds half of the hash and the number plus one, so that others are passed by unseen
        tag = value & _TAG
        slot = value & mask
        found = np.int32(-1)
        while slots[slot] != 0:
            if slots[slot] & _TAG == tag:
                number = np.int32(slots[slot] & _NUMBER) - 1
                other = np.uint64(offsets[number])
                if np.uint64(offsets[number + 1]) - other == size:
                    differs = np.uint64(0)
                    for i in range(whole):
                        step = np.uint64(i * 8)
                        differs |= words[at + step] ^ stored[other + step]
                    if tail < np.uint64(64):
                        step = whole * np.uint64(8)
                        differs |= (words[at + step] ^ stored[other + step]) << tail
                    if differs == 0:
                        found = number
                        break
            slot = (slot + _ONE) & mask
        if found < 0:
            found = np.int32(count)
            count += 1
            slots[slot] = tag | np.uint64(count)
            hashes[found] = value
            begin = np.uint64(offsets[found])
            offsets[found + 1] = begin + size
            # whole words: what they hold beyond the value, the next one overwrites
            for i in range(whole + _ONE):
                stored[begin + np.uint64(i * 8)] = words[at + np.uint64(i * 8)]
        numbers[row] = found
    return count


@compiled
def _place(hashes: Words, count: int, slots: Words) -> None:
    mask = np.uint64(len(slots) - 1)
    for number in range(count):
        slot = hashes[number] & mask
        while slots[slot] != 0:
            slot = (slot + _ONE) & mask
        slots[slot] = hashes[number] & _TAG | np.uint64(number + 1)


class _Field:
    """One field of a layout: its raw values, and the number of the text that each of them gives."""

    def __init__(self) -> None:
        self._raw = Lexicon()
        self._texts: dict[Raw, Lexicon] = {}
        self._numbers: dict[Raw, Places] = {}
        self._adding = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether another one should take its place."""
        return self._raw.is_full or any(one.is_full for one in self._texts.values())

    def columns(self, data: Bytes, starts: Places, ends: Places, derive: Derive) -> Columns:
        """As `Lexicons.texts`."""
        with self._adding:
            known = self._raw.count
            rows = self._raw.number(data, starts, ends)
            if self._raw.count > known or not self._numbers:
                for raw, texts in derive(self._raw.values(known)).items():
                    self._add(raw, texts.cast(pa.string()), known)
            return {
                raw: (_column(of[rows], self._texts[raw]), self._texts[raw])
                for raw, of in self._numbers.items()
            }

    def _add(self, raw: Raw, texts: pa.Array, known: int) -> None:
        """Number the texts of the raw values from `known` on."""
        added = self._texts.setdefault(raw, Lexicon()).number(*laid_out(texts))
        added[texts.is_null().to_numpy(zero_copy_only=False)] = -1
        of = self._numbers.get(raw, np.empty(0, np.int32))
        if known + len(added) > len(of):
            of = _grown(of, known, 2 * (known + len(added)))
        of[known : known + len(added)] = added
        self._numbers[raw] = of


class Lexicons:
    """The lexicons of all text fields of a run."""

    def __init__(self) -> None:
        self._fields: dict[Hashable, _Field] = {}
        self._choosing = threading.Lock()

    def __reduce__(self) -> tuple[type[Lexicons], tuple[()]]:
        """Start empty in another process."""
        return (Lexicons, ())

    def texts(
        self, key: Hashable, data: Bytes, starts: Places, ends: Places, derive: Derive
    ) -> Columns:
        """The text columns that a field gives.

        Args:
            key: What the field is; the same key goes with the same `derive`.
            data: Padded.
            starts: Where each value begins.
            ends: Where it ends.
            derive: Makes the texts of distinct values (`binary`) that are new.

        Returns:
            For each column `dictionary<int32, string>`, whose dictionary may hold more than these rows use, and the
            lexicon it comes from: while that is the same, a dictionary begins as those before it did.
        """
        with self._choosing:
            field = self._fields.get(key)
            if field is None or field.is_full:
                field = self._fields[key] = _Field()
        try:
            return field.columns(data, starts, ends, derive)
        except BaseException:
            # what was numbered and not derived would be given the texts of others
            self._fields.pop(key, None)
            raise


def _column(numbers: Places, lexicon: Lexicon) -> pa.DictionaryArray:
    indices = pa.array(numbers, mask=numbers < 0)
    return pa.DictionaryArray.from_arrays(indices, lexicon.values(kind=pa.string()), safe=False)


def distinct(data: Bytes, starts: Places, ends: Places) -> tuple[Places, pa.Array]:
    """The distinct values among places in the data: for each place its number, and the values as `binary`."""
    lexicon = Lexicon()
    return lexicon.number(data, starts, ends), lexicon.values()
