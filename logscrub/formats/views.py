"""Text columns out of places in a block, without copying the text.

An Arrow `binary_view` is 16 bytes a value: its length, its first four bytes, and either eight more
or where it stands. So a column of views is arithmetic on places; Arrow then finds the distinct
values, and only those become text.
https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from logscrub.formats import unescape, words

if TYPE_CHECKING:
    from logscrub.formats.layout import Escape
    from logscrub.formats.words import Bytes, Ints

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
    length = ends - starts
    low, high = words.gather(data, starts, count=2)
    size = np.minimum(length, _INLINE)
    low, high = low & _KEEP_LOW[size], high & _KEEP_HIGH[size]
    views = np.empty((len(starts), 2), np.uint64)
    views[:, 0] = length.astype(np.uint64) | (low << np.uint64(32))
    inline = (low >> np.uint64(32)) | (high << np.uint64(32))
    views[:, 1] = np.where(length <= _INLINE, inline, starts.astype(np.uint64) << np.uint64(32))
    array = pa.Array.from_buffers(
        pa.binary_view(), len(starts), [None, pa.py_buffer(views), pa.py_buffer(data)]
    )
    encoded = array.dictionary_encode()
    values = encoded.dictionary.cast(pa.binary())
    return encoded.indices.to_numpy(), values


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
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    mapped = encoded.indices.fill_null(-1).to_numpy()[numbers]
    missing = mapped < 0
    mask = missing if missing.any() else None
    indices = pa.array(mapped.astype(np.int32, copy=False), pa.int32(), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary)
