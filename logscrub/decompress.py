"""Compressed bytes become plain bytes, in bounded steps, with the last point that a checksum vouches for."""

from __future__ import annotations

import bz2
import lzma
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import zstandard
from zlib_ng import zlib_ng as _typed

from logscrub.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

zlib_ng: Any = _typed
"""As `zlib`, at twice its speed; its types leave out `copy` and say that `error` is a value."""
STEP = 2**20
"""Bytes that come out of a decompressor at most at a time."""
SNIFF = 6
"""Bytes that are enough to tell the compression."""
_MEMORY_LIMIT = 128 * 2**20
_BITE = 1024
_SMALL_STEP = 8192
_RATIO = 1000
_RATIO_FROM = 64 * 2**20

_MAGIC: dict[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def compression(head: bytes) -> str:
    """Name of the compression that the first bytes show, `none` for plain text."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "none")


class _Member(Protocol):
    """One member, stream or frame: what zlib, bz2, lzma and zstd have in common here."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def feed(self, data: bytes) -> bytes: ...
    @property
    def hungry(self) -> bool: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib_ng.decompressobj(wbits=31)
        self._broken = False

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    @property
    def hungry(self) -> bool:
        return not self._inner.unconsumed_tail and not self._broken

    def feed(self, data: bytes) -> bytes:
        if self._broken:
            raise zlib_ng.error
        given = self._inner.unconsumed_tail + data
        before = self._inner.copy()
        try:
            return bytes(self._inner.decompress(given, STEP))
        except zlib_ng.error:
            # zlib loses what it made in a call that fails
            self._broken = True
            return _before_damage(before, given)


def _before_damage(inner: Any, data: bytes) -> bytes:  # noqa: ANN401 — see `zlib_ng`
    """What comes out before the damage, byte by byte at its edge."""
    made = bytearray()
    for size in (4096, 256, 16, 1):
        while True:
            saved = inner.copy()
            try:
                out = inner.decompress(data, size)
            except zlib_ng.error:
                inner = saved
                break
            data = inner.unconsumed_tail
            made += out
            if not out:
                break
    # the last bytes may come out of the very call that meets the wrong checksum
    try:
        for place in range(len(data)):
            made += inner.decompress(data[place : place + 1])
    except zlib_ng.error:
        pass
    return bytes(made)


class _Bounded:
    """bz2 and lzma share one interface."""

    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._inner = inner
        self._error: Exception | None = None

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def hungry(self) -> bool:
        return self._inner.needs_input and self._error is None

    def feed(self, data: bytes) -> bytes:
        """Up to `STEP` bytes in small steps: a step that fails loses what it made."""
        if self._error:
            raise self._error
        made = bytearray()
        while len(made) < STEP:
            try:
                made += self._inner.decompress(data, _SMALL_STEP)
            except (OSError, lzma.LZMAError, ValueError) as error:
                self._error = error
                break
            data = b""
            if self._inner.eof or self._inner.needs_input:
                break
        return bytes(made)


_MEMBERS: dict[str, Callable[[], _Member]] = {
    "gzip": _Gzip,
    "bzip2": lambda: _Bounded(bz2.BZ2Decompressor()),
    "xz": lambda: _Bounded(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)),
}


@dataclass(slots=True)
class Progress:
    """How far a stream has come.

    Args:
        taken: Compressed bytes read.
        given: Decompressed bytes handed out.
        verified: Decompressed bytes up to the last checksum that passed.
        bomb: The stream was given up because it expands too much.
    """

    taken: int = 0
    given: int = 0
    verified: int = 0
    bomb: bool = False


def plain(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Pass bytes through; every one of them counts as verified."""
    for chunk in chunks:
        progress.taken += len(chunk)
        progress.given += len(chunk)
        progress.verified = progress.given
        yield chunk


def decompress(kind: str, chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Decompress all members of a stream in bounded memory.

    Args:
        kind: What `compression` said.
        chunks: The compressed bytes, non-empty portions.
        progress: Is kept up to date.

    Yields:
        Plain bytes, at most about `STEP` at a time.

    Raises:
        SourceError: The stream is damaged, ends early, is followed by something else, or is a bomb. What
            `progress.verified` says is right all the same.
    """
    if kind == "none":
        yield from plain(chunks, progress)
        return
    source = _zstd(chunks, progress) if kind == "zstd" else _members(kind, chunks, progress)
    try:
        for data in source:
            progress.given += len(data)
            _refuse_bomb(progress)
            yield data
    except (zlib_ng.error, OSError, EOFError, lzma.LZMAError, ValueError, zstandard.ZstdError):
        raise SourceError(
            f"the {kind} data is damaged after {progress.verified} verified bytes of text",
            hint="it is tried again next time; --salvage takes the lines that can still be read",
        ) from None


def _members(kind: str, chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    make = _MEMBERS[kind]
    member = make()
    started, fresh = False, True
    for chunk in chunks:
        progress.taken += len(chunk)
        data = chunk
        while data or not member.hungry:
            if fresh:
                # gzip files on tapes and block devices are padded with zeros
                data = data.lstrip(b"\0") if started else data
                if not data:
                    break
            started, fresh = True, False
            if out := member.feed(data):
                yield out
            data = b""
            if member.eof:
                progress.verified = progress.given
                data, member, fresh = member.unused_data, make(), True
    if not fresh:
        raise EOFError


def _zstd(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    engine = zstandard.ZstdDecompressor(max_window_size=_MEMORY_LIMIT)
    frame = engine.decompressobj()
    fresh = True
    for chunk in chunks:
        progress.taken += len(chunk)
        data = chunk
        while data:
            # this library has no max_length: a bite of n bytes can give n / 4 blocks of 128 KiB
            bite, data = data[:_BITE], data[_BITE:]
            fresh = False
            if out := frame.decompress(bite):
                yield out
            if frame.eof:
                progress.verified = progress.given
                data = frame.unused_data + data
                frame, fresh = engine.decompressobj(), True
    if not fresh:
        raise EOFError


def _refuse_bomb(progress: Progress) -> None:
    if progress.given > _RATIO_FROM and progress.given > _RATIO * max(progress.taken, 1):
        progress.bomb = True
        raise SourceError(
            f"the data expands more than {_RATIO} times: this looks like a decompression bomb",
            hint="look at it with other tools; access logs shrink 10 to 30 times",
        )
