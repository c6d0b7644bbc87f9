"""The vocabulary of logscrub: blocks, parsed tables, rejects, and the columns that are written.

Everything here is a value. All other modules import it, and it imports none of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA_VERSION = 1

MAX_LINE = 65_536
"""Bytes of the longest line that is parsed; nginx and Apache can log 70 to 210 kB, which is always an attack."""

HEADER = b"#Fields:"
"""What the line of a W3C log begins with that says which fields the lines below it have."""

PAD = 128
"""Zero bytes behind data that compiled loops read, so that a look ahead at the last value stays inside."""


class Reason(StrEnum):
    """Why a line gave no row. The line itself is never kept."""

    TOO_LONG = "too_long"
    """Longer than `MAX_LINE` bytes."""
    BINARY = "binary"
    """Holds a NUL byte: a hole left by truncation, UTF-16, or a blob."""
    STRUCTURE = "structure"
    """Does not have the fields of the format."""
    TIME = "time"
    """The time stamp is not a time."""
    NUMBER = "number"
    """A status, size or duration is not a number that fits its column."""
    PAST_DUE = "past_due"
    """Came through a pipe after the policy had it gone already."""


REASONS: tuple[Reason, ...] = tuple(Reason)

# The methods registered for HTTP (RFC 9110, RFC 5789, WebDAV RFC 4918 and its extensions) that real logs show.
METHODS: frozenset[str] = frozenset(
    {
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH",
        "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE", "PRI", "QUERY",
    }
)  # fmt: skip
PROTOCOLS: frozenset[str] = frozenset({"HTTP/0.9", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"})
OTHER = "other"

_TEXT = pa.string()
_LABELS = pa.list_(pa.field("element", _TEXT))
COLUMNS = pa.schema(
    [
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("site", _TEXT),
        ("client_net", _TEXT),
        ("client_token", _TEXT),
        ("ip_version", pa.uint8()),
        ("country", _TEXT),
        ("asn", pa.uint32()),
        ("method", _TEXT),
        ("protocol", _TEXT),
        ("path", _TEXT),
        ("query", _TEXT),
        ("status", pa.uint16()),
        ("bytes_sent", pa.uint64()),
        ("duration_ms", pa.uint32()),
        ("referer_host", _TEXT),
        ("language", _TEXT),
        ("browser", _TEXT),
        ("browser_version", _TEXT),
        ("os", _TEXT),
        ("device", _TEXT),
        ("bot", _TEXT),
        ("threats", _LABELS),
        ("threat_rules", _LABELS),
    ]
)
"""Schema version 1: every file has all of these, in this order; what a policy does not keep is null."""


class Raw(StrEnum):
    """The raw fields a format can hand on. Whatever else a line holds is dropped while parsing.

    Types in `Parsed.columns`: TIME `timestamp[ms, UTC]`, STATUS `uint16`, BYTES `uint64`, DURATION `uint32`
    (milliseconds), all others `dictionary<int32, string>`: decoded as the server escaped them, null when missing.
    """

    TIME = "time"
    ADDRESS = "address"
    SITE = "site"
    METHOD = "method"
    PROTOCOL = "protocol"
    PATH = "path"
    """The request target up to, not including, the first `?` or `#`; may still be an absolute URI."""
    QUERY = "query"
    """What follows the `?`, without it."""
    STATUS = "status"
    BYTES = "bytes"
    DURATION = "duration"
    REFERER = "referer"
    AGENT = "agent"
    LANGUAGE = "language"
    FORWARDED = "forwarded"
    """What a proxy's header says about the client; read only when the policy trusts proxies."""


@dataclass(frozen=True, slots=True)
class Rejects:
    """Lines that gave no row: where they stand and why, never what they say.

    Args:
        offsets: int64, in the decompressed source.
        lengths: int64, bytes without the line end.
        reasons: uint8, index into `REASONS`.
    """

    offsets: np.ndarray[tuple[int], np.dtype[np.int64]]
    lengths: np.ndarray[tuple[int], np.dtype[np.int64]]
    reasons: np.ndarray[tuple[int], np.dtype[np.uint8]]

    def __len__(self) -> int:
        return len(self.offsets)

    def __add__(self, other: Rejects) -> Rejects:
        return Rejects(
            np.concatenate([self.offsets, other.offsets]),
            np.concatenate([self.lengths, other.lengths]),
            np.concatenate([self.reasons, other.reasons]),
        )

    def by_reason(self) -> dict[Reason, int]:
        """How many lines each reason has, only those that occur."""
        counts = np.bincount(self.reasons, minlength=len(REASONS))
        return {reason: int(n) for reason, n in zip(REASONS, counts, strict=True) if n}


NO_REJECTS = Rejects(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))


@dataclass(frozen=True, slots=True)
class Block:
    """A run of whole lines of one source.

    Args:
        padded: The bytes, ending with a line end unless it is the last line of the source, and `PAD` zero bytes.
        offset: Where the first byte stands in the decompressed source.
        overlong: Lines over `MAX_LINE` that were left out, as rejects.
        header: Of a W3C log the `#Fields:` line that rules at the first line.
    """

    padded: bytes = field(repr=False)
    offset: int
    overlong: Rejects = NO_REJECTS
    header: bytes = field(default=b"", repr=False)

    @classmethod
    def of(
        cls,
        *data: bytes | memoryview,
        offset: int,
        overlong: Rejects = NO_REJECTS,
        header: bytes = b"",
    ) -> Block:
        """A block of these portions, one after the other."""
        return cls(b"".join([*data, bytes(PAD)]), offset, overlong, header)

    @property
    def size(self) -> int:
        """Bytes without the padding."""
        return len(self.padded) - PAD

    @property
    def data(self) -> bytes:
        """A copy without the padding."""
        return self.padded[:-PAD]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The raw fields of one block. In memory only; never leaves the process.

    `lines == rows + len(rejects) + blanks` always holds.

    Args:
        rows: How many lines fitted the format.
        columns: The fields that were asked for and that the format has, `rows` long each; see `Raw`.
        rejects: The lines that did not fit.
        blanks: Lines of nothing but blanks, and the `#` lines of W3C logs.
        lexicons: For a text column what its dictionary belongs to: blocks of the same lexicon have dictionaries that
            begin alike and only grow.
        formats: How many rows each layout gave, by its name.
    """

    rows: int
    columns: Mapping[Raw, pa.Array] = field(repr=False)
    rejects: Rejects
    blanks: int
    lexicons: Mapping[Raw, object] = field(default_factory=dict, repr=False)
    formats: Mapping[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """All lines of the block."""
        return self.rows + len(self.rejects) + self.blanks


def joined(parts: Sequence[Parsed]) -> Parsed:
    """Blocks that follow one another, as one.

    Args:
        parts: At least one. A column that one of them lacks is null there.
    """
    if len(parts) == 1:
        return parts[0]
    common = {
        raw: lexicon
        for raw, lexicon in parts[-1].lexicons.items()
        if all(part.lexicons.get(raw) is lexicon for part in parts)
    }
    types = {raw: column.type for part in parts for raw, column in part.columns.items()}
    columns = {}
    for raw, kind in types.items():
        chunks = [
            part.columns[raw] if raw in part.columns else pa.nulls(part.rows, kind)
            for part in parts
        ]
        if raw in common:
            indices = pa.concat_arrays([chunk.indices for chunk in chunks])
            # blocks are parsed side by side, so the last one need not know most
            values = max((chunk.dictionary for chunk in chunks), key=len)
            columns[raw] = pa.DictionaryArray.from_arrays(indices, values, safe=False)
        else:
            if pa.types.is_dictionary(kind):
                chunks = [compact(chunk) for chunk in chunks]
            columns[raw] = pa.chunked_array(chunks).unify_dictionaries().combine_chunks()
    return Parsed(
        sum(part.rows for part in parts),
        columns,
        sum((part.rejects for part in parts), NO_REJECTS),
        sum(part.blanks for part in parts),
        common,
        dict(sum((Counter(part.formats) for part in parts), Counter())),
    )


def compact(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Drop dictionary entries that no row uses: they would be written all the same."""
    size = len(column.dictionary)
    used = np.zeros(size, bool)
    used[column.indices.drop_null().to_numpy()] = True
    if used.all():
        return column
    renumber = pa.array(np.cumsum(used, dtype=np.int32) - 1)
    return pa.DictionaryArray.from_arrays(
        renumber.take(column.indices), column.dictionary.filter(pa.array(used))
    )
