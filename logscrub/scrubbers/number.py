"""Numbers made coarser, and words held to a vocabulary."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from logscrub.schema import METHODS, OTHER, PROTOCOLS


def powers_of_two(values: pa.UInt64Array) -> pa.UInt64Array:
    """Round down to a power of two.

    Args:
        values: `uint64`, say bytes sent.

    Returns:
        The largest power of two that is not above each value; 0 and null stay.

    Keeps: the order of magnitude.
    Loses: the exact size, which tells one file or one answer from another.

    >>> powers_of_two(pa.array([0, 1, 1023, 1024], pa.uint64())).to_pylist()
    [0, 1, 512, 1024]
    """
    numbers = values.fill_null(0).to_numpy()
    # All bits below the highest one are set, then taken away: exact, where a logarithm is not.
    for width in (1, 2, 4, 8, 16, 32):
        numbers = numbers | (numbers >> width)
    missing = values.is_null().to_numpy(zero_copy_only=False)
    return pa.array(numbers ^ (numbers >> 1), pa.uint64(), mask=missing)


def vocabulary(values: pa.StringArray, allowed: frozenset[str], other: str) -> pa.StringArray:
    """Keep words of a closed list.

    Args:
        values: Distinct words, compared as they are: `get` is not `GET`.
        allowed: The list.
        other: What stands for every other word, the empty one too.

    Returns:
        As many words; null stays.

    Keeps: words of the list.
    Loses: everything else, which is the client's free text.

    >>> vocabulary(pa.array(["GET", "get", None]), frozenset({"GET"}), "other").to_pylist()
    ['GET', 'other', None]
    """
    known = pc.is_in(values, value_set=pa.array(sorted(allowed), pa.string()))
    kept = pc.if_else(known, values, pa.scalar(other))
    return pc.if_else(values.is_valid(), kept, pa.scalar(None, pa.string()))


def method(values: pa.StringArray) -> pa.StringArray:
    """Keep request methods of `schema.METHODS`, else `other`."""
    return vocabulary(values, METHODS, OTHER)


def protocol(values: pa.StringArray) -> pa.StringArray:
    """Keep protocols of `schema.PROTOCOLS`, else `other`."""
    return vocabulary(values, PROTOCOLS, OTHER)
