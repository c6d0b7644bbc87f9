"""The MaxMind DB file format: the search tree as sorted ranges.

Source: the MaxMind DB file format specification, version 2.0. The tree is walked level by level
with arrays, so that a look-up later is one binary search; metadata and records are read by
maxminddb. Nothing here maps the file: a file that is overwritten while it is mapped kills the
process.

On a damaged file all functions raise `ValueError`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import maxminddb
import numpy as np
from maxminddb.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maxminddb.types import Record
    from numpy.typing import NDArray

_SEPARATOR = 16
_SHARED = 65_536
"""Nodes that may be walked twice: some databases let networks share a subtree."""

_UNFOLDED = 64
"""How much longer than the file its records may be as text. Sound ones share names: measured 4."""

# Wrong keys and kinds in metadata, and a map as a key of a map, are TypeErrors of the library.
_DAMAGE = (maxminddb.InvalidDatabaseError, TypeError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Ranges:
    """All addresses as runs with one record each, in address order, without gaps.

    Args:
        high: First 64 bits of the first address of each run; 0 for IPv4.
        low: Last 64 bits of it; for IPv4 its 32 bits.
        records: Offset of each run's record in the data section, -1 for none.
    """

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    records: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Database:
    """A database taken apart.

    Args:
        built: When it was made, seconds since 1970 UTC.
        content: The whole file.
        start: Where in it the data section begins.
        v4: The IPv4 addresses.
        v6: The IPv6 addresses; networks that stand for IPv4 (6to4 and the like) have no record.
    """

    built: int
    content: bytes
    start: int
    v4: Ranges
    v6: Ranges


def read(content: bytes) -> Database:
    """Take a whole database file apart."""
    try:
        # This mode reads into memory, in Python: no file, and nothing mapped.
        metadata = maxminddb.open_database(io.BytesIO(content), maxminddb.MODE_FD).metadata()
    except _DAMAGE:
        raise ValueError("no sound metadata") from None
    count, version, built = metadata.node_count, metadata.ip_version, metadata.build_epoch
    if not all(type(fact) is int for fact in (count, version, built, metadata.record_size)):
        raise ValueError("metadata of the wrong kind")
    if metadata.binary_format_major_version != 2 or version not in {4, 6} or not count:
        raise ValueError("not format version 2")
    nodes = _nodes(content, count, metadata.record_size)
    if version == 4:
        v4, v6 = _walk(nodes, 0, 32, count), _walk(nodes, count, 128, count)
    else:
        root4 = _root4(nodes)
        v4, v6 = _walk(nodes, root4, 32, count), _walk(nodes, 0, 128, root4)
    start = metadata.search_tree_size + _SEPARATOR
    size = len(content) - start
    return Database(built, content, start, _ordered(*v4, count, size), _ordered(*v6, count, size))


def records(database: Database, offsets: Iterable[int]) -> Iterator[Record]:
    """Decode the records at offsets in the data section, one at a time."""
    decoder = Decoder(database.content, database.start)
    budget = _UNFOLDED * len(database.content)
    for offset in offsets:
        try:
            record, end = decoder.decode(database.start + offset)
        except _DAMAGE:
            raise ValueError("record damaged") from None
        # The library limits each record; records that overlap could still make a file cost hours.
        budget -= end - database.start - offset + len(str(record))
        if budget < 0:
            raise ValueError("records overlap")
        yield record


def _nodes(content: bytes, count: int, width: int) -> NDArray[np.uint32]:
    """The left and right record of each node."""
    octets = np.frombuffer(content, np.uint8, count * width // 4).reshape(count, -1)
    parts = octets.astype(np.uint32)
    half = width // 8
    nodes = np.zeros((count, 2), np.uint32)
    for place in range(half):
        nodes[:, 0] = (nodes[:, 0] << np.uint32(8)) | parts[:, place]
        nodes[:, 1] = (nodes[:, 1] << np.uint32(8)) | parts[:, place - half]
    if width == 28:
        # The byte in the middle holds the first four bits of both records.
        nodes[:, 0] |= (parts[:, 3] >> np.uint32(4)) << np.uint32(24)
        nodes[:, 1] |= (parts[:, 3] & np.uint32(15)) << np.uint32(24)
    return nodes


def _root4(nodes: NDArray[np.uint32]) -> int:
    """Where the IPv4 addresses begin in an IPv6 tree: the record of `::/96`."""
    node = 0
    for _ in range(96):
        if node < len(nodes):
            node = int(nodes[node, 0])
    return node


def _walk(
    nodes: NDArray[np.uint32], root: int, bits: int, alias: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint32]]:
    """All leaves below a node: their first addresses, unordered, and their tree records.

    Nodes equal to `alias` count as leaves without data.
    """
    count = len(nodes)
    inner = np.array([root], np.uint32)
    high = low = np.zeros(1, np.uint64)
    found = [] if root < count else [(high, low, inner)]
    inner = inner[:0] if found else inner
    budget = 2 * count + _SHARED
    for bit in reversed(range(bits)):
        children = nodes[inner].reshape(-1)
        budget -= len(children)
        if budget < 0:
            raise ValueError("search tree has a cycle")
        high, low = high[: len(inner)].repeat(2), low[: len(inner)].repeat(2)
        word, shift = (high, bit - 64) if bit >= 64 else (low, bit)
        word[1::2] |= np.uint64(1 << shift)
        if alias < count:
            children = np.where(children == alias, np.uint32(count), children)
        leaf = children >= count
        found.append((high[leaf], low[leaf], children[leaf]))
        inner, high, low = children[~leaf], high[~leaf], low[~leaf]
    if len(inner):
        raise ValueError("search tree too deep")
    return (
        np.concatenate([one[0] for one in found]),
        np.concatenate([one[1] for one in found]),
        np.concatenate([one[2] for one in found]),
    )


def _ordered(
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
    leaves: NDArray[np.uint32],
    count: int,
    size: int,
) -> Ranges:
    order = np.lexsort((low, high))
    records = leaves[order].astype(np.int64) - (count + _SEPARATOR)
    records[leaves[order] == count] = -1
    # Records that point into the separator are below -1 here.
    if len(records) and not -1 <= records.min() <= records.max() < size:
        raise ValueError("search tree points outside the data")
    if (records[leaves[order] != count] < 0).any():
        raise ValueError("search tree points into the separator")
    return Ranges(high[order], low[order], records)
