"""Text columns out of places in a block, without copying the text.

An Arrow `binary_view` is 16 bytes a value: its length, its first four bytes, and either eight more
or where it stands. So a column of views is arithmetic on places; Arrow then finds the distinct
values, and only those become text.
https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa

from logscrub.formats import unescape, words

if TYPE_CHECKING:
    from logscrub.formats.layout import Escape
    from logscrub.formats.words import Bytes, Ints

Views: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.uint64]]

_INLINE: Final = 12
_KEEP_LOW: Final = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(_INLINE + 1)], np.uint64)
_KEEP_HIGH: Final = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(_INLINE + 1)], np.uint64)


def distinct(data: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, pa.Array]:
    """The distinct values among places in the data, in the order in which they first occur.

    Args:
        data: Padded with `words.padded`; at most 2 GiB.
        starts: Where each value begins.
        ends: Where each ends, not before its start.

    Returns:
        For each place the number of its value (int32), and the values as `binary`.
    """
    return encoded(data, of(data, starts, ends))


def encoded(data: Bytes, views: Views) -> tuple[Ints, pa.Array]:
    """The distinct values among views into the data, as `distinct` gives them."""
    array = pa.Array.from_buffers(
        pa.binary_view(), len(views), [None, pa.py_buffer(views), pa.py_buffer(data)]
    )
    found = array.dictionary_encode()
    return found.indices.to_numpy(), found.dictionary.cast(pa.binary())


def of(data: Bytes, starts: Ints, ends: Ints) -> Views:
    """The views, one row of 16 bytes for each place; see `distinct`."""
    views = np.empty((len(starts), 2), np.uint64)
    length = ends - starts
    (low,) = words.gather(data, starts, count=1)
    views[:, 0] = length.astype(np.uint64) | (low << np.uint64(32))
    views[:, 1] = starts << 32
    short = np.flatnonzero(length <= _INLINE)
    if len(short):
        low, high = words.gather(data, starts[short], count=2)
        size = length[short]
        low, high = low & _KEEP_LOW[size], high & _KEEP_HIGH[size]
        views[short, 0] = size.astype(np.uint64) | (low << np.uint64(32))
        views[short, 1] = (low >> np.uint64(32)) | (high << np.uint64(32))
    return views


def texts(data: Bytes, starts: Ints, ends: Ints, escape: Escape) -> pa.Array:
    """Decoded text of places in the data, `dictionary<int32, string>`; null where there is none."""
    numbers, values = distinct(data, starts, ends)
    return through(numbers, unescape.decode(values, escape))


def through(numbers: Ints, values: pa.Array) -> pa.Array:
    """The column that has value `numbers[i]` in row `i`, as a dictionary without equal entries.

    Args:
        numbers: int32, indices into `values`.
        values: `string` or `dictionary<int32, string>`, may hold nulls and equal values.
    """
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    indices = coded.indices.take(pa.array(numbers))
    return pa.DictionaryArray.from_arrays(indices, coded.dictionary, safe=False)
