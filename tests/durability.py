"""What a power cut may take, judged from a trace: a file or a name counts as kept only once it was fsynced.

File systems promise no more than that: bytes last after fsync of the file, a name after fsync of its folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faults import Call

_LOG: Final = "ledger.db-wal"
"""Where the ledger writes what it commits."""
_LEDGER: Final = "ledger.db"
_SYNCING: Final = {"fsync", "fdatasync"}
_WRITING: Final = {"write", "writev", "pwrite64", "pwritev", "ftruncate"}
_OPENING: Final = {"open", "openat", "openat2"}
_REMOVING: Final = {"unlink", "unlinkat", "rmdir"}


@dataclass(slots=True)
class _Disk:
    """Paths below the dataset.

    Args:
        content: Files with bytes that may be lost.
        names: Files and folders whose name may be lost.
        gone: Those whose removal may be lost.
        unsaid: Segments that were completed since the ledger was last made durable.
    """

    content: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    unsaid: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)

    def sync(self, path: str) -> None:
        """After fsync of a file or folder."""
        if path in self.content and path.endswith(".parquet"):
            self.unsaid.add(PurePath(path).name)
        self.content.discard(path)
        self.names = {one for one in self.names if str(PurePath(one).parent) != path}
        self.gone = {one for one in self.gone if str(PurePath(one).parent) != path}
        if path == _LOG:
            self.unsaid.clear()

    def move(self, old: str, new: str) -> None:
        """Everything below one path lies below another from now on."""
        for what in ("content", "names", "gone", "segments"):
            setattr(self, what, {_moved(one, old, new) for one in getattr(self, what)})

    def forget(self, path: str) -> None:
        """What is removed need not last, nor what was in it."""
        for what in ("content", "names", "gone", "segments"):
            setattr(self, what, {one for one in getattr(self, what) if not _is_below(one, path)})

    def below(self, top: str) -> set[str]:
        """Names of segments in a folder, or of the one that this is."""
        return {PurePath(one).name for one in self.segments if _is_below(one, top)}


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if _is_below(path, old) else path


def _matters(path: str) -> bool:
    return path.endswith(".parquet") or _is_below(path, "data")


def faults_in(calls: Iterable[Call]) -> list[str]:
    """Where a power cut could leave a dataset that recovery cannot bring back, in plain words.

    Two laws: when the ledger writes, everything it may speak of is kept already; and what enters `data/` is what the
    ledger holds for good.

    Args:
        calls: Of a command, in their order.
    """
    disk, found = _Disk(), []
    for call in calls:
        if call.changes and not call.failed:
            found += _before(disk, call)
            _apply(disk, call)
    return list(dict.fromkeys(found))


def _before(disk: _Disk, call: Call) -> list[str]:
    """What is wrong with making this call now."""
    if call.name in _WRITING and call.paths[0] == _LOG:
        lost = {
            "its bytes": {one for one in disk.content if one.endswith(".parquet")},
            "its name": {one for one in disk.names if _matters(one)},
            "its removal": {one for one in disk.gone if _is_below(one, "data")},
        }
        return [
            f"the ledger goes on, and {what} can be lost: {_kind(one)}"
            for what, some in lost.items()
            for one in sorted(some)
        ]
    if call.name.startswith(("rename", "link")) and _is_below(call.paths[-1], "data"):
        early = disk.below(call.paths[0]) & disk.unsaid
        early |= disk.below(call.paths[0]) if _LOG in disk.content else set()
        return [f"{_kind(call.paths[-1])} is shown before the ledger has it for good"] * bool(early)
    return []


def _apply(disk: _Disk, call: Call) -> None:
    first, last = call.paths[0], call.paths[min(1, len(call.paths) - 1)]
    if call.name in _SYNCING:
        disk.sync(first)
    elif call.name == "ftruncate" and first == _LOG and _LEDGER not in disk.content:
        # all that was in it is in the ledger's own file for good
        disk.content.discard(first)
    elif call.name in _WRITING:
        disk.content.add(first)
    elif call.name in _OPENING or call.name.startswith("mkdir"):
        disk.names.add(first)
        if first.endswith(".parquet"):
            disk.segments.add(first)
    elif call.name.startswith("link"):
        disk.names.add(last)
        disk.segments |= {last} if first in disk.segments else set()
    elif "RENAME_EXCHANGE" in call.text:
        disk.move(first, "(aside)")
        disk.move(last, first)
        disk.move("(aside)", last)
        disk.names |= {first, last}
    elif call.name.startswith("rename"):
        disk.move(first, last)
        disk.names.add(last)
        disk.gone.add(first)
    elif call.name in _REMOVING:
        path = f"{first}/{_quoted(call)}" if call.name == "unlinkat" else first
        disk.forget(path)
        disk.gone.add(path)


def _quoted(call: Call) -> str:
    return call.text.split('"')[1]


def _kind(path: str) -> str:
    """A path without what is random or depends on the day."""
    parts = [
        part.split("=")[0] if "=" in part else f"*{PurePath(part).suffix}" if len(part) > 30 else part
        for part in PurePath(path).parts
    ]  # fmt: skip
    return "/".join(parts)
