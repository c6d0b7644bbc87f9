"""Opening what is to be read, safely, and finding it in folders and globs."""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from logscrub.decompress import SNIFF, Progress, compression, decompress
from logscrub.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from logscrub.policy import SourceRule

_READ = 2**20
_FIRST = 1024
"""Bytes by which a file is seen to begin anew."""
_LEFT_NAMES = re.compile(r"error|\.(tmp|swp|swx|part|lock|pid|sock)$|^\.|~$", re.IGNORECASE)
SITE_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,99}")
"""What a site may look like: it may become part of a path or a page."""


class Opened:
    """One regular file, open for reading; compression is told by its content.

    `void` is set when nothing that was read counts: the file changed meanwhile, or is a bomb.

    Args:
        path: As the user named it.

    Raises:
        SourceError: It is not there, not a regular file, or not readable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # O_NONBLOCK: opening a FIFO would otherwise wait for its writer
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            self._handle = os.open(path, flags)
        except OSError as error:
            raise _cannot_open(error, path) from None
        found = os.fstat(self._handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._handle)
            hint = "name the files in it" if stat.S_ISDIR(found.st_mode) else _KIND_HINT
            raise SourceError(f"{path} is {_kind(found.st_mode)}, not a file", hint=hint)
        self.void = False
        self._first = os.pread(self._handle, _FIRST, 0)
        self.device_inode = (found.st_dev, found.st_ino)
        self.size = found.st_size
        self.modified = found.st_mtime
        self.compression = compression(self._first[:SNIFF])
        self.progress = Progress()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._handle)

    def chunks(self) -> Iterator[bytes]:
        """The plain bytes from the beginning; `progress` is reset.

        Raises:
            SourceError: Damage, or the file was replaced while it was read; `void` tells which.
        """
        self.progress = Progress()
        try:
            yield from decompress(self.compression, self._raw(), self.progress)
        except SourceError as error:
            self.void = self.void or self.progress.bomb
            raise SourceError(f"{self.path}: {error.what}", hint=error.hint) from None

    def check(self) -> None:
        """Check that what was read so far is still what the file holds.

        Raises:
            SourceError: The file became shorter, or begins differently; `void` is set.
        """
        found = os.fstat(self._handle)
        self.modified = found.st_mtime
        again = os.pread(self._handle, len(self._first), 0)
        self.void = found.st_size < self.progress.taken or again != self._first
        if self.void:
            raise changed()

    def _raw(self) -> Iterator[bytes]:
        position = 0
        while chunk := os.pread(self._handle, _READ, position):
            position += len(chunk)
            yield chunk
        self.check()


def changed() -> SourceError:
    """The error for a file that is no longer the one whose reading began."""
    return SourceError(
        "the file was truncated or replaced while it was read; nothing of this reading counts",
        hint="copytruncate does this when it rotates; run the command again",
    )


_KIND_HINT = "pipe it in instead: logscrub ingest - --out OUT < FILE"


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    )  # fmt: skip
    return next((name for test, name in kinds if test(mode)), "something special")


def _cannot_open(error: OSError, path: Path) -> SourceError:
    causes = {
        errno.ENOENT: ("does not exist", "check the path"),
        errno.EACCES: (
            "may not be read",
            "give the user that runs logscrub the right, usually group adm",
        ),
        errno.EPERM: (
            "may not be read",
            "give the user that runs logscrub the right, usually group adm",
        ),
        errno.ELOOP: ("is a symbolic link to itself", "name the file itself"),
        errno.ENXIO: ("is a socket, not a file", _KIND_HINT),
    }
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    what, hint = causes.get(
        error.errno or 0, (f"cannot be opened ({name})", "check the path and the disk")
    )
    return SourceError(f"{path} {what}", hint=hint)


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read.

    Args:
        path: Where it lies.
        chosen: The user named it, rather than a folder above it: what does not fit is refused, not left.
        format: Name or string, `auto` to detect.
        site: What the policy's sources call it, empty when they say nothing.
        timezone: For formats that do not say their offset.
    """

    path: Path
    chosen: bool = True
    format: str = "auto"
    site: str = ""
    timezone: str = ""


@dataclass(slots=True)
class Found:
    """What the paths of a command line come to.

    Args:
        inputs: Files to read, oldest first.
        left: `(path, why)` of files in folders that are not access logs.
        refused: What was named and cannot be read.
    """

    inputs: list[Input] = field(default_factory=list)
    left: list[tuple[Path, str]] = field(default_factory=list)
    refused: list[tuple[Path, SourceError]] = field(default_factory=list)


def find(paths: Sequence[str], rules: Sequence[SourceRule], *, out: Path) -> Found:
    """Expand files, folders and globs.

    Args:
        paths: As given; none means the paths of the rules.
        rules: `[[sources]]` of the policy.
        out: The dataset, which is never read.
    """
    found = Found()
    wanted = list(paths) or [_glob_of(rule.path) for rule in rules]
    seen: set[Path] = set()
    for text in wanted:
        path = Path(text)
        # os.path: what may not be looked at is no error here but when it is opened
        if os.path.isdir(path):  # noqa: PTH112 — Path.is_dir raises
            _walk(path, found, rules, seen, _real(out))
        elif glob.has_magic(text) and not os.path.lexists(path):
            matches = sorted(Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207 — absolute patterns
            if not matches:
                error = SourceError(
                    f"no file matches {text}", hint="quote patterns, and check the path"
                )
                found.refused.append((path, error))
            for match in matches:
                if os.path.isfile(match) and _real(match) not in seen:  # noqa: PTH113 — Path.is_file raises
                    seen.add(_real(match))
                    found.inputs.append(_described(match, rules, chosen=False))
        elif _real(path) not in seen:
            seen.add(_real(path))
            found.inputs.append(_described(path, rules, chosen=True))
    found.inputs.sort(key=lambda one: (_modified(one.path), str(one.path)))
    return found


def _walk(top: Path, found: Found, rules: Sequence[SourceRule], seen: set[Path], out: Path) -> None:
    def refuse(error: OSError) -> None:
        found.refused.append((Path(error.filename), _cannot_open(error, Path(error.filename))))

    for folder, below, names in os.walk(top, onerror=refuse):
        here = Path(folder)
        below[:] = sorted(name for name in below if _real(here / name) != out)
        for name in sorted(names):
            path = here / name
            try:
                is_regular = stat.S_ISREG(path.lstat().st_mode)
            except OSError as error:
                found.refused.append((path, _cannot_open(error, path)))
                continue
            if not is_regular:
                found.left.append((path, "not a regular file"))
            elif _LEFT_NAMES.search(name):
                found.left.append(
                    (path, "error log" if "error" in name.lower() else "not a log by its name")
                )
            elif _real(path) not in seen:
                seen.add(_real(path))
                found.inputs.append(_described(path, rules, chosen=False))


def _real(path: Path) -> Path:
    """Without symbolic links; unlike `Path.resolve` it takes a loop of them as it is."""
    return Path(os.path.realpath(path))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _described(path: Path, rules: Sequence[SourceRule], *, chosen: bool) -> Input:
    for rule in rules:
        if match := _pattern(rule.path).fullmatch(str(path.absolute())):
            site = (rule.site or match.groupdict().get("site", "")).lower()
            good = site if not site or SITE_NAME.fullmatch(site) else "_other"
            return Input(path, chosen, rule.format, good, rule.timezone)
    return Input(path, chosen)


def _glob_of(pattern: str) -> str:
    return pattern.replace("{site}", "*")


def _pattern(text: str) -> re.Pattern[str]:
    """A path pattern of the policy; it runs on the operator's file names, never on lines."""
    parts = re.split(r"(\{site\}|\*\*|\*|\?)", text)
    meaning = {"{site}": r"(?P<site>[^/]+?)", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts))
