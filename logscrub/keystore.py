"""Keys as files that only their owner reads.

One file for the instance key, one per key period. A destroyed key leaves an empty marker, so that it is never made
again. Keys never pass through the command line or the environment.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from logscrub.dataset import output_error
from logscrub.errors import KeyFileError
from logscrub.keys import Key, period_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_INSTANCE = "instance.key"
_PERIOD = re.compile(r"token-(\d{4}-\d{2}-\d{2})\.(key|destroyed)")


@dataclass(frozen=True, slots=True)
class PeriodKey:
    """State of one key period.

    Args:
        first_day: First day of the period.
        destroyed: Whether its key is gone.
    """

    first_day: date
    destroyed: bool


def init(folder: Path) -> bool:
    """Make the key folder and the instance key, once.

    Returns:
        Whether they were made now.

    Raises:
        KeyFileError: The folder is open to others.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise output_error(error, folder) from None
    if found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise KeyFileError(
            f"the key folder {folder} is open to others",
            hint=f"chown it to yourself and chmod 700 {folder}",
        )
    return _make(folder / _INSTANCE)


def instance_key(folder: Path) -> bytes:
    """The key under which sources are recognised, 32 bytes; made at first use."""
    init(folder)
    return _read(folder / _INSTANCE)


def period_keys(
    folder: Path, periods: Iterable[int], *, rotation_days: int, ttl_days: int, now: datetime
) -> dict[int, Key | None]:
    """The keys of some periods, made where they are missing and not over.

    Args:
        folder: The key folder.
        periods: Numbers as `keys.period_of` gives them.
        rotation_days: Length of a period.
        ttl_days: How long after the end of its period a key is kept.
        now: The present.

    Returns:
        None for each period whose key is destroyed or whose time is over.

    Raises:
        KeyFileError: A key file is malformed or open to others.
    """
    found: dict[int, Key | None] = {}
    for period in periods:
        name = period_name(period, rotation_days)
        path = folder / f"token-{name}.key"
        if _over(date.fromisoformat(name), rotation_days, ttl_days, now) or _marker(path).exists():
            found[period] = None
            continue
        _make(path)
        found[period] = Key(_read(path))
    return found


def listed(folder: Path) -> list[PeriodKey]:
    """All key periods there are traces of, oldest first."""
    names = [_PERIOD.fullmatch(entry.name) for entry in folder.iterdir()] if folder.is_dir() else []
    found = [PeriodKey(date.fromisoformat(m[1]), m[2] == "destroyed") for m in names if m]
    return sorted(found, key=lambda one: one.first_day)


def destroy(folder: Path, first_day: date) -> bool:
    """Unlink the key of one period and leave a marker.

    Returns:
        Whether there was a key.
    """
    path = folder / f"token-{first_day}.key"
    try:
        os.close(os.open(_marker(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o400))
        was_there = path.exists()
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(error, path) from None
    return was_there


def destroy_old(folder: Path, *, rotation_days: int, ttl_days: int, now: datetime) -> list[date]:
    """Destroy the keys whose time is over.

    Returns:
        First days of the periods concerned.
    """
    over = [
        one.first_day
        for one in listed(folder)
        if not one.destroyed and _over(one.first_day, rotation_days, ttl_days, now)
    ]
    for first_day in over:
        destroy(folder, first_day)
    return over


def _over(first_day: date, rotation_days: int, ttl_days: int, now: datetime) -> bool:
    return first_day + timedelta(days=rotation_days + ttl_days) <= now.astimezone(UTC).date()


def _marker(path: Path) -> Path:
    return path.with_suffix(".destroyed")


def _make(path: Path) -> bool:
    if path.exists():
        return False
    try:
        handle, draft = _draft(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.write(handle, secrets.token_hex(32).encode() + b"\n")
            os.fsync(handle)
            # linked in when complete: another process must never read half a key
            os.link(draft or f"/proc/self/fd/{handle}", path.name, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(handle)
            os.close(folder)
            if draft:
                draft.unlink(missing_ok=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise output_error(error, path) from None
    return True


def _draft(path: Path) -> tuple[int, Path | None]:
    """A file for a key in the making: without a name where there is such a thing, so that killing leaves none."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.open(path.parent, flags | os.O_TMPFILE, 0o400), None
    draft = path.with_name(f".{secrets.token_hex(8)}.new")
    return os.open(draft, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400), draft


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise KeyFileError(f"the key file {path} cannot be read", hint="check its owner") from None
    try:
        found = os.fstat(handle)
        text = os.read(handle, 128)
    finally:
        os.close(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise KeyFileError(f"the key file {path} is open to others", hint=f"chmod 400 {path}")
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise KeyFileError(
            f"the key file {path} is malformed",
            hint="it must hold 64 hexadecimal digits; restore it, a new key would not fit what is stored",
        )
    return key
