"""Request lines and request targets, taken apart once per distinct value.

`METHOD target PROTOCOL` is split from both ends, because servers log blanks in a target as they
are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.compiled import Bytes, Grid, Mask, Places, compiled, inner, laid_out
from logscrub.formats import unescape
from logscrub.lexicon import distinct
from logscrub.schema import Raw
from logscrub.wide import address, byte, occurrences, signed, word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logscrub.formats.layout import Escape

    Marks = np.ndarray[tuple[int, int], np.dtype[np.bool_]]

_METHOD_REACH: Final = 32
"""Bytes in which the first word of a request must end."""
_PROTOCOL_REACH: Final = 16
"""Bytes in which its last word must begin."""
_MISSING: Final = len("- - - ")
_BLANK: Final = 0x20
_ASKS: Final = ord("?")
_HASH: Final = ord("#")
_DASH: Final = ord("-")
_HTTP, _CONNECT, _PLAIN, _SECURE = (
    np.uint64(int.from_bytes(text, "little"))
    for text in (b"HTTP/", b"CONNECT", b"http://", b"https://")
)
_METHOD: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_")
HTTP_09: Final = "HTTP/0.9"
UNREADABLE: Final = ""
"""Stands for a method or protocol that is there but cannot be read; null is one that is missing."""


@dataclass(frozen=True, slots=True)
class _Values:
    """Distinct values, padded."""

    data: Bytes = field(repr=False)
    starts: Places
    ends: Places

    @property
    def missing(self) -> Mask:
        """Where the server wrote nothing, or only `-` and blanks."""
        length = self.ends - self.starts
        result: Mask = length == 0
        for i in np.flatnonzero(length <= _MISSING).tolist():
            result[i] = not self.data[self.starts[i] : self.ends[i]].tobytes().strip(b" -")
        return result

    def where(self, keep: Mask) -> _Values:
        """The values, empty where they are not to be kept."""
        return _Values(self.data, self.starts * keep, self.ends * keep)


@dataclass(frozen=True, slots=True)
class _Requests:
    """Request lines taken apart.

    Args:
        methods: The first words, empty where none ends within reach.
        targets: What follows, up to the protocol.
        spoken: Whether there is a protocol; it begins one blank behind the target.
        blank: Whether the target holds a blank.
        is_target: Whether the target has the form of one.
        connect: Whether the method is CONNECT, and the target something without a blank.
    """

    methods: _Values
    targets: _Values
    spoken: Mask
    blank: Mask
    is_target: Mask
    connect: Mask


def of_requests(values: pa.Array, escape: Escape, wanted: Iterable[Raw]) -> dict[Raw, pa.Array]:
    """Method, path, query and protocol of whole request lines.

    A request is readable when its first word is made of letters, `-` and `_`, and its target begins
    with `/`, `http://` or `https://`, or is `*`; after CONNECT also any target without a blank,
    which then gives no path. Without a protocol it is HTTP/0.9. Of a request that is not readable,
    method and protocol are `UNREADABLE`, path and query null; of a missing one all four are null.

    Args:
        values: Distinct request lines, `binary`, as the server wrote them.
        escape: How it escapes.
        wanted: Which of the four to build.

    Returns:
        For each wanted one a `string` array as long as `values`.
    """
    values, escape = unescape.as_sent(values, escape)
    at = _lay_out(values)
    request = _take_apart(at)
    methods, is_method = _words(request.methods)
    missing = at.missing
    readable = is_method & (request.is_target | request.connect) & ~missing
    lost = ~readable & ~missing
    out: dict[Raw, pa.Array] = {}
    for raw in wanted:
        if raw is Raw.METHOD:
            out[raw] = _closed(methods, lost=lost, null=missing)
        elif raw is Raw.PROTOCOL:
            start = np.where(request.spoken & readable, request.targets.ends + 1, at.ends)
            spelt = _texts(at.data, start, at.ends, escape)
            silent = readable & ~request.spoken
            spelt = pc.if_else(pa.array(silent & ~request.blank), HTTP_09, spelt)
            out[raw] = _closed(spelt, lost=lost | (silent & request.blank), null=missing)
        else:
            out[raw] = _part(request.targets.where(readable & request.is_target), escape, raw)
    return out


def of_targets(values: pa.Array, escape: Escape, wanted: Iterable[Raw]) -> dict[Raw, pa.Array]:
    """Path and query of request targets; null where there is none, or the form is another."""
    values, escape = unescape.as_sent(values, escape)
    at = _lay_out(values)
    is_target = np.empty(len(values), np.bool_)
    _mark_targets(at.data, at.starts, at.ends, is_target)
    return {raw: _part(at.where(is_target), escape, raw) for raw in wanted}


def of_queries(values: pa.Array, escape: Escape) -> pa.Array:
    """Query strings without the `?` that Apache's `%q` begins with."""
    values, escape = unescape.as_sent(values, escape)
    at = _lay_out(values)
    marked = (at.data[at.starts] == ord("?")) & (at.ends > at.starts)
    return _texts(at.data, at.starts + marked, at.ends, escape)


def of_methods(values: pa.Array) -> pa.Array:
    """Methods logged alone: `UNREADABLE` where the word cannot be one."""
    at = _lay_out(values)
    methods, is_method = _words(at)
    return _closed(methods, lost=~is_method & ~at.missing, null=at.missing)


def _lay_out(values: pa.Array) -> _Values:
    return _Values(*laid_out(values))


def _texts(data: Bytes, starts: Places, ends: Places, escape: Escape) -> pa.Array:
    """Decoded text of places in the data, `string`; null where there is none."""
    numbers, values = distinct(data, starts, ends)
    return unescape.decode(values, escape).take(pa.array(numbers))


def _words(at: _Values) -> tuple[pa.Array, Mask]:
    """The words as text, and which of them are made of what methods are made of."""
    numbers, values = distinct(at.data, at.starts, at.ends)
    found = values.to_pylist()
    good = [bool(word) and _METHOD.issuperset(word) and word != b"-" for word in found]
    text = pa.array(
        [word.decode("ascii") if ok else None for word, ok in zip(found, good, strict=True)],
        pa.string(),
    )
    mask: Mask = np.array(good, np.bool_)[numbers] if len(numbers) else np.zeros(0, np.bool_)
    return text.take(pa.array(numbers)), mask


def _closed(text: pa.Array, *, lost: Mask, null: Mask) -> pa.Array:
    filled = pc.if_else(pa.array(lost), UNREADABLE, text)
    return pc.if_else(pa.array(null), pa.scalar(None, pa.string()), filled)


def _take_apart(at: _Values) -> _Requests:
    count = len(at.starts)
    places = np.empty((3, count), np.int32)
    marks = np.empty((4, count), np.bool_)
    _split_requests(at.data, at.starts, at.ends, places, marks)
    return _Requests(_Values(at.data, at.starts, places[0]), _Values(at.data, *places[1:]), *marks)


def _part(target: _Values, escape: Escape, raw: Raw) -> pa.Array:
    """The path or the query of each target."""
    places = np.empty((3, len(target.starts)), np.int32)
    _split_targets(target.data, target.starts, target.ends, places)
    path_ends, query_starts, query_ends = places
    if raw is Raw.PATH:
        return _texts(target.data, target.starts, path_ends, escape)
    return _texts(target.data, query_starts, query_ends, escape)


@compiled
def _split_requests(data: Bytes, starts: Places, ends: Places, places: Grid, marks: Marks) -> None:
    base = address(data)
    for row in range(len(starts)):
        start, end = signed(starts[row]), signed(ends[row])
        method_end = start
        for at in range(start, min(end, start + _METHOD_REACH)):
            if byte(base, at) == _BLANK:
                method_end = at
                break
        target_start = min(method_end + 1, end)
        target_end = end
        spoken = False
        for at in range(end - 1, max(target_start, end - _PROTOCOL_REACH) - 1, -1):
            if byte(base, at) == _BLANK:
                spoken = _begins(base, at + 1, end, _HTTP, 5)
                # a format of parts shows a protocol that is missing
                missing = end - at == 2 and byte(base, at + 1) == _DASH
                target_end = at if spoken or missing else end
                break
        blank = occurrences(base, target_start, target_end, _BLANK) > 0
        connect = method_end - start == 7 and _begins(base, start, end, _CONNECT, 7)
        places[0, row], places[1, row], places[2, row] = method_end, target_start, target_end
        marks[0, row], marks[1, row] = spoken, blank
        marks[2, row] = _is_target(base, target_start, target_end)
        marks[3, row] = connect and target_end > target_start and not blank


@compiled
def _mark_targets(data: Bytes, starts: Places, ends: Places, is_target: Mask) -> None:
    for row in range(len(starts)):
        is_target[row] = _is_target(address(data), signed(starts[row]), signed(ends[row]))


@inner
def _is_target(base: int, start: int, end: int) -> bool:
    size = end - start
    first = byte(base, start)
    if size > 0 and first == ord("/"):
        return True
    if size == 1 and first == ord("*"):
        return True
    plain = size > 7 and _begins(base, start, end, _PLAIN, 7)
    return plain or (size > 8 and _begins(base, start, end, _SECURE, 8))


@inner
def _begins(base: int, at: int, end: int, text: np.uint64, size: int) -> bool:
    """Whether a text of up to eight bytes stands at a place and ends before another."""
    return end - at >= size and (word(base, at) ^ text) << np.uint64(64 - 8 * size) == 0


@compiled
def _split_targets(data: Bytes, starts: Places, ends: Places, places: Grid) -> None:
    """Where each path ends, and where each query begins and ends."""
    base = address(data)
    for row in range(len(starts)):
        end = signed(ends[row])
        path_end = signed(starts[row])
        while path_end < end and byte(base, path_end) != _ASKS and byte(base, path_end) != _HASH:
            path_end += 1
        query_start = query_end = end
        if path_end < end and byte(base, path_end) == _ASKS:
            query_start = query_end = path_end + 1
            while query_end < end and byte(base, query_end) != _HASH:
                query_end += 1
        places[0, row], places[1, row], places[2, row] = path_end, query_start, query_end
