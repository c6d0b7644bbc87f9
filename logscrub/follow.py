"""One live file, read through rotation: its descriptor is the source, whatever its path leads to by now.

An inode says nothing once the descriptor is closed (it is given to the next file at once); while it is open it cannot
be given away. So a file is followed by its descriptor, and recognised by its bytes after a restart.
"""

from __future__ import annotations

import os
import re
import resource
import stat
import sys
import time
from typing import TYPE_CHECKING, Final, Literal

from logscrub.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Look = Literal["idle", "grown", "changed"]
Seen = tuple[tuple[int, int], int, int]
"""What was to be seen of a file from outside: device and inode, size, and when it was changed (nanoseconds)."""

_EDGE: Final = 1024
"""Bytes at the beginning, and before the place up to which was read, that must stay as they were."""
_SURE: Final = 1.0
"""Seconds that a file must stay shorter than what was read of it: network file systems tell stale sizes."""
_OTHERS: Final = 64
"""Files that the rest of a run has open at least: the ledger, locks, what is being written, merged or recognised."""
_ROTATED: Final = re.compile(r"[.-]\d[\d._-]*(\.(gz|bz2|xz|zst))?")
"""What rotation appends to a name: a number or a date, and a compression."""


class Tail:
    """An open file that may grow.

    Args:
        path: Where it was found.
        position: Bytes of it that were read already.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self.path = path
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        self._handle = os.open(path, flags)
        found = os.fstat(self._handle)
        self.is_regular = stat.S_ISREG(found.st_mode)
        self.key = (found.st_dev, found.st_ino)
        self._seen: tuple[int, int] | None = None
        self._short_since: float | None = None
        self._is_void = False
        self.go_to(position)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)

    def go_to(self, position: int) -> None:
        """Go on reading at a place; what is before it is taken as it is now."""
        self.position = position
        self._seen = None
        self._first = os.pread(self._handle, min(_EDGE, position), 0)
        self._last = os.pread(self._handle, min(_EDGE, position), max(0, position - _EDGE))

    def rewind(self, position: int) -> None:
        """Go back to a place before, in what was read; if that is no longer there, `look` will say so."""
        last = os.pread(self._handle, min(_EDGE, position), max(0, position - _EDGE))
        self._is_void = self._is_void or not self._is_as_before()
        self.position, self._seen = position, None
        self._first, self._last = self._first[:position], last

    @property
    def size(self) -> int:
        """Bytes that it has now."""
        return os.fstat(self._handle).st_size

    @property
    def seen(self) -> Seen:
        """What is to be seen of it now."""
        return _seen(os.fstat(self._handle))

    @property
    def is_deleted(self) -> bool:
        """Whether no name leads to it any more."""
        return os.fstat(self._handle).st_nlink == 0

    def is_at(self, path: Path) -> bool:
        """Whether a path leads to it."""
        found = seen(path)
        return found is not None and found[0] == self.key

    def look(self) -> Look:
        """Whether there is more to read, or the file is no longer the one that was read."""
        if self._is_void:
            return "changed"
        found = os.fstat(self._handle)
        now = (found.st_size, found.st_mtime_ns)
        if now == self._seen and self._short_since is None:
            return "idle"
        if found.st_size < self.position:
            return "changed" if self._is_short_for_sure(found.st_size) else "idle"
        self._short_since = None
        if not self._is_as_before():
            return "changed"
        if found.st_size == self.position:
            self._seen = now
            return "idle"
        return "grown"

    def read(self, most: int) -> bytes:
        """The bytes that follow, at most so many; none when the file changed while it was read."""
        data = os.pread(self._handle, most, self.position)
        # what was read may be of the next generation already: copytruncate, and a quick writer
        if self.size < self.position + len(data) or not self._is_as_before():
            return b""
        self.position += len(data)
        self._first = (self._first + data[: _EDGE - len(self._first)])[:_EDGE]
        self._last = (self._last + data)[-_EDGE:]
        return data

    def before(self, end: int | None = None) -> Iterator[bytes]:
        """The bytes from the beginning up to a place, or all of them, in portions."""
        place, end = 0, self.size if end is None else end
        while place < end and (data := os.pread(self._handle, min(2**20, end - place), place)):
            place += len(data)
            yield data

    def around(self, size: int) -> bytes:
        """Lines before and behind the place up to which was read, so many bytes of each at most."""
        start = max(0, self.position - size)
        data = os.pread(self._handle, self.position - start + size, start)
        return data[data.find(b"\n") + 1 :] if start else data

    def _is_as_before(self) -> bool:
        first = os.pread(self._handle, len(self._first), 0)
        last = os.pread(self._handle, len(self._last), self.position - len(self._last))
        return first == self._first and last == self._last

    def _is_short_for_sure(self, size: int) -> bool:
        if size and os.pread(self._handle, len(self._first), 0) != self._first[:size]:
            return True
        now = time.monotonic()
        self._short_since = self._short_since or now
        return now - self._short_since >= _SURE


def room() -> int:
    """How many live files may be open at once: what the system allows, without a quarter for everything else.

    Raises:
        SourceError: There is room for none.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return sys.maxsize
    if most <= _OTHERS:
        raise SourceError(
            f"no more than {most} files may be open, and {_OTHERS} are needed beside those that are followed",
            hint="raise the limit: LimitNOFILE= in the unit, or ulimit -n",
        )
    return most - max(_OTHERS, most // 4)


def opened(path: Path, position: int = 0) -> Tail:
    """Open a live file.

    Raises:
        SourceError: It is not there, not a regular file, or not readable.
    """
    try:
        tail = Tail(path, position)
    except OSError:
        raise SourceError(
            f"{path} cannot be opened", hint="check that it is there, and who may read it"
        ) from None
    if not tail.is_regular:
        tail.close()
        raise SourceError(
            f"{path} is not a regular file", hint="pipe it in instead: logscrub ingest -"
        )
    return tail


def seen(path: Path) -> Seen | None:
    """What is to be seen of a file, a symbolic link followed; None when there is none."""
    try:
        return _seen(os.stat(path))  # noqa: PTH116 — beside fstat
    except OSError:
        return None


def _seen(found: os.stat_result) -> Seen:
    return (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns


def begins_with(whole: Iterable[bytes], part: Iterable[bytes]) -> bool:
    """Whether a text is the beginning of another one; both in any portions."""
    longer, held = iter(whole), b""
    for chunk in part:
        while len(held) < len(chunk) and (more := next(longer, None)) is not None:
            held += more
        if held[: len(chunk)] != chunk:
            return False
        held = held[len(chunk) :]
    return True


def generations(path: Path) -> list[Path]:
    """A named file, where it is there, and what rotation made of it in the same folder."""
    found = [path] if path.exists() else []
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 — names only
    except OSError:
        return found
    rotated = sorted(name for name in names if is_generation(name, path.name))
    return found + [path.parent / name for name in rotated]


def is_generation(name: str, live: str) -> bool:
    """Whether a name is that of a live file after a rotation: `access.log.2.gz`, `access.log-20261122`."""
    return name.startswith(live) and _ROTATED.fullmatch(name[len(live) :]) is not None
