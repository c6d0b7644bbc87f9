"""What no cell may hold, whatever scrubbed it: a whole address, an e-mail address, a raw user agent."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logscrub.schema import COLUMNS
from logscrub.scrubbers import percent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from io import BufferedReader

Kind = Literal["address", "email", "agent"]

NETWORK: Final = "client_net"
"""The one column in which networks may stand."""
_SITE: Final = "site"
_TEXTS: Final = tuple(one.name for one in COLUMNS if one.type == pa.string())
_LISTS: Final = tuple(one.name for one in COLUMNS if pa.types.is_list(one.type))

# All run in Rust's regex engine, which cannot backtrack, over values decoded as the scrubbers decode them.
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_GROUP: Final = "[0-9a-f]{1,4}"
_PART: Final = r"[^@/\s=:,;()&]"
_SHAPES: Final[dict[Kind, str]] = {
    "address": (
        # A letter behind it makes it a version: `app-1.2.3.7z`.
        rf"(?i)(?:^|[^0-9])(?:{_OCTET}(?:\.{_OCTET}){{3}}|{_OCTET}(?:-{_OCTET}){{3}})(?:[^0-9a-z]|$)"
        rf"|(?:{_GROUP}:){{7}}{_GROUP}|{_GROUP}::|::{_GROUP}"
    ),
    "email": rf"{_PART}@{_PART}+\.[^@/\s=:,;()&.]{{2,}}",
    "agent": r"Mozilla/[0-9.]+ \(|\([^()]*;[^()]*\)",
}
_RETINA: Final = r"(?i)@[1-9](?:\.[0-9])?x(\.[a-z0-9]{2,11}(?:[/&]|$))"
"""Files of images for fine screens, `photo@2x.jpg`, which the scrubbers keep."""


def leaks(
    file: BufferedReader, *, widths: Mapping[int, int], sites: Collection[str] = ()
) -> Counter[tuple[str, Kind]]:
    """Look at every distinct text of a file, those that no row uses too; one column of one row group at a time.

    Args:
        file: Parquet with the columns of `schema.COLUMNS`.
        widths: Bits of a network that may be kept at most, by IP version.
        sites: Names that may stand in the column `site`, whatever they look like.

    Returns:
        How many cells of which column look like what; an unused entry of a dictionary counts as one.

    Raises:
        pyarrow.ArrowException: It cannot be read.
    """
    found: Counter[tuple[str, Kind]] = Counter()
    parquet = pq.ParquetFile(file, read_dictionary=list(_TEXTS), pre_buffer=False)
    for group in range(parquet.num_row_groups):
        for name in (*_TEXTS, *_LISTS):
            # a thread that still holds a Python file when the interpreter ends brings the process down
            column = parquet.read_row_group(group, columns=[name], use_threads=False).column(0)
            for chunk in _encoded(column):
                chunk.dictionary.validate(full=True)
                used = np.bincount(chunk.indices.drop_null(), minlength=len(chunk.dictionary))
                for kind, hits in _hits(name, chunk.dictionary, widths, sites):
                    found[name, kind] += int(np.maximum(used[hits], 1).sum())
    return +found


def _encoded(column: pa.ChunkedArray) -> list[pa.DictionaryArray]:
    if pa.types.is_list(column.type):
        column = pc.list_flatten(column).dictionary_encode()
    chunks: list[pa.DictionaryArray] = column.chunks
    return chunks


def _hits(
    column: str, values: pa.StringArray, widths: Mapping[int, int], sites: Collection[str]
) -> Iterator[tuple[Kind, np.ndarray[tuple[int], np.dtype[np.uint32]]]]:
    """The places of the values that look like each kind."""
    texts = pl.Series(values, dtype=pl.String)
    if column == _SITE:
        texts = texts.set(texts.is_in(list(sites)), "")
    texts = percent.decode(percent.decode(texts))
    for kind, shape in _SHAPES.items():
        if kind == "address" and column == NETWORK:
            open_ones = [_tells_more(text, widths) for text in texts]
            yield kind, np.flatnonzero(np.array(open_ones, np.bool_)).astype(np.uint32)
        else:
            seen = texts.str.replace_all(_RETINA, "$1") if kind == "email" else texts
            yield kind, seen.str.contains(shape).arg_true().to_numpy()


def _tells_more(network: str, widths: Mapping[int, int]) -> bool:
    """Whether a text is no network, or one of which more is kept than may be."""
    try:
        read = ipaddress.ip_network(network)
    except ValueError:
        return True
    return read.prefixlen > widths[read.version]
