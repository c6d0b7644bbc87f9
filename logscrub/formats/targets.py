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

from logscrub.formats import unescape, views, words
from logscrub.schema import Raw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logscrub.formats.layout import Escape
    from logscrub.formats.words import Bytes, Ints, Mask

_METHOD_REACH: Final = 32
_PROTOCOL_REACH: Final = 16
_MISSING: Final = len("- - -")
_FRONT: Final = _PROTOCOL_REACH
_BLANK: Final = 0x20
_METHOD: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_")
HTTP_09: Final = "HTTP/0.9"
UNREADABLE: Final = ""
"""Stands for a method or protocol that is there but cannot be read; null is one that is missing."""


@dataclass(frozen=True, slots=True)
class _Values:
    """Distinct values laid out for gathers: bytes before the first one, padding behind the last."""

    data: Bytes = field(repr=False)
    starts: Ints
    ends: Ints

    @property
    def missing(self) -> Mask:
        """Where the server wrote nothing, or only `-` and blanks."""
        length = self.ends - self.starts
        result: Mask = length == 0
        for i in np.flatnonzero(length <= _MISSING).tolist():
            result[i] = not self.data[self.starts[i] : self.ends[i]].tobytes().strip(b" -")
        return result


@dataclass(frozen=True, slots=True)
class _Request:
    """Request lines taken apart.

    Args:
        methods: The first words, null where one cannot be a method.
        target_start: Where each target begins.
        target_end: Where it ends; the protocol, if any, begins one blank later.
        spoken: Whether there is a protocol.
        blank: Whether the target holds a blank.
        is_target: Whether the target has the form of one.
        readable: Whether method and target can be believed.
    """

    methods: pa.Array
    target_start: Ints
    target_end: Ints
    spoken: Mask
    blank: Mask
    is_target: Mask
    readable: Mask

    def target(self, data: Bytes, keep: Mask) -> _Values:
        """The targets, empty where they are not to be kept."""
        return _Values(
            data, np.where(keep, self.target_start, 0), np.where(keep, self.target_end, 0)
        )


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
        For each wanted one a `string` or `dictionary<int32, string>` as long as `values`.
    """
    at = _lay_out(values)
    request = _take_apart(at)
    missing = at.missing
    readable = request.readable & ~missing
    lost = ~readable & ~missing
    out: dict[Raw, pa.Array] = {}
    for raw in wanted:
        if raw is Raw.METHOD:
            out[raw] = _closed(request.methods, lost=lost, null=missing)
        elif raw is Raw.PROTOCOL:
            start = np.where(request.spoken & readable, request.target_end + 1, at.ends)
            spelt = views.texts(at.data, start, at.ends, escape).cast(pa.string())
            silent = readable & ~request.spoken
            spelt = pc.if_else(pa.array(silent & ~request.blank), HTTP_09, spelt)
            out[raw] = _closed(spelt, lost=lost | (silent & request.blank), null=missing)
        else:
            out[raw] = _part(request.target(at.data, readable & request.is_target), escape, raw)
    return out


def of_targets(values: pa.Array, escape: Escape, wanted: Iterable[Raw]) -> dict[Raw, pa.Array]:
    """Path and query of request targets; null where there is none, or the form is another."""
    at = _lay_out(values)
    keep = _is_target(at.data, at.starts, at.ends)
    part = _Values(at.data, np.where(keep, at.starts, 0), np.where(keep, at.ends, 0))
    return {raw: _part(part, escape, raw) for raw in wanted}


def of_queries(values: pa.Array, escape: Escape) -> pa.Array:
    """Query strings without the `?` that Apache's `%q` begins with."""
    at = _lay_out(values)
    marked = (at.data[at.starts] == ord("?")) & (at.ends > at.starts)
    return views.texts(at.data, at.starts + marked, at.ends, escape)


def of_methods(values: pa.Array) -> pa.Array:
    """Methods logged alone: `UNREADABLE` where the word cannot be one."""
    at = _lay_out(values)
    methods, is_method = _words(at.data, at.starts, at.ends)
    return _closed(methods, lost=~is_method & ~at.missing, null=at.missing)


def _lay_out(values: pa.Array) -> _Values:
    raw = unescape.bytes_of(values)
    data = np.zeros(_FRONT + len(raw) + words.PAD, np.uint8)
    data[_FRONT : _FRONT + len(raw)] = raw
    offsets = unescape.offsets_of(values) + _FRONT
    return _Values(data, offsets[:-1], offsets[1:])


def _words(data: Bytes, starts: Ints, ends: Ints) -> tuple[pa.Array, Mask]:
    """The words as text, and which of them are made of what methods are made of."""
    numbers, values = views.distinct(data, starts, ends)
    found = values.to_pylist()
    good = [bool(word) and _METHOD.issuperset(word) and word != b"-" for word in found]
    text = pa.array(
        [word.decode("ascii") if ok else None for word, ok in zip(found, good, strict=True)],
        pa.string(),
    )
    mask: Mask = np.array(good, np.bool_)[numbers] if len(numbers) else np.zeros(0, np.bool_)
    return views.through(numbers, text).cast(pa.string()), mask


def _closed(text: pa.Array, *, lost: Mask, null: Mask) -> pa.Array:
    filled = pc.if_else(pa.array(lost), UNREADABLE, text)
    return pc.if_else(pa.array(null), pa.scalar(None, pa.string()), filled)


def _connects(methods: pa.Array) -> Mask:
    result: Mask = pc.equal(methods, "CONNECT").fill_null(False).to_numpy(zero_copy_only=False)
    return result


def _protocol_start(data: Bytes, starts: Ints, ends: Ints) -> Ints:
    """Where the last word begins if that is `HTTP/…` and not the only word; else -1."""
    low, high = words.gather(data, ends - _PROTOCOL_REACH, count=2)
    place = words.last(words.equal(high, _BLANK))
    place = np.where(place >= 0, place + 8, words.last(words.equal(low, _BLANK)))
    start = ends - _PROTOCOL_REACH + place + 1
    good = (place >= 0) & (start > starts)
    start = np.where(good, start, 0)
    good &= words.matches(data, start, b"HTTP/")
    return np.where(good, start, -1)


def _is_target(data: Bytes, starts: Ints, ends: Ints) -> Mask:
    length = ends - starts
    path = (length > 0) & (data[starts] == ord("/"))
    star = (length == 1) & (data[starts] == ord("*"))
    plain = words.matches(data, starts, b"http://") & (length > 7)
    secure = words.matches(data, starts, b"https://") & (length > 8)
    result: Mask = path | star | plain | secure
    return result


def _has_blank(data: Bytes, starts: Ints, ends: Ints) -> Mask:
    return _next(np.flatnonzero(data == _BLANK), starts, ends) < ends


def _next(places: Ints, starts: Ints, ends: Ints) -> Ints:
    """The first of the sorted places from each start on; the end where none is before it."""
    if not len(places):
        return ends
    found = places[np.minimum(np.searchsorted(places, starts), len(places) - 1)]
    return np.where((found >= starts) & (found < ends), found, ends)


def _take_apart(at: _Values) -> _Request:
    method_end = words.find(at.data, at.starts, stop=(_BLANK,), reach=_METHOD_REACH)
    ends_inside = (method_end > at.starts) & (method_end < at.ends)
    method_end = np.where(ends_inside, method_end, at.starts)
    methods, is_method = _words(at.data, at.starts, method_end)
    target_start = np.minimum(method_end + 1, at.ends)
    protocol_start = _protocol_start(at.data, target_start, at.ends)
    spoken = protocol_start >= 0
    target_end = np.where(spoken, protocol_start - 1, at.ends)
    blank = _has_blank(at.data, target_start, target_end)
    is_target = _is_target(at.data, target_start, target_end)
    connect = _connects(methods) & (target_end > target_start) & ~blank
    return _Request(
        methods=methods,
        target_start=target_start,
        target_end=target_end,
        spoken=spoken,
        blank=blank,
        is_target=is_target,
        readable=ends_inside & is_method & (is_target | connect),
    )


def _part(target: _Values, escape: Escape, raw: Raw) -> pa.Array:
    """The path or the query of each target."""
    marks = np.flatnonzero((target.data == ord("?")) | (target.data == ord("#")))
    path_end = _next(marks, target.starts, target.ends)
    if raw is Raw.PATH:
        return views.texts(target.data, target.starts, path_end, escape)
    asked = (path_end < target.ends) & (target.data[path_end] == ord("?"))
    start = np.where(asked, path_end + 1, target.ends)
    hashes = np.flatnonzero(target.data == ord("#"))
    return views.texts(target.data, start, _next(hashes, start, target.ends), escape)
