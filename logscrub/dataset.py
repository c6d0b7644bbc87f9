"""The output folder: where things lie, who may touch it, and how files appear and vanish in it.

`data/` is a plain Hive dataset. A file appears in it only after the ledger holds it, by one rename, and vanishes only
after the ledger says so: a listing never shows a row twice or one that is not committed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from logscrub.errors import BusyError, FullError, LedgerError, OutputError
from logscrub.ledger import open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logscrub.ledger import Ledger
    from logscrub.records import Segment

_FOLDER_MODE = 0o750
FOLLOW = "follow"
"""The mark of a writer that looks at the policy before each commit, and can read its lines again."""
_RETIRED = "old-"
"""How a folder in staging begins that a listing may still refer to."""
_GRACE = 2.0
"""Seconds that it is kept for."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The paths of one output folder.

    Args:
        root: What the user calls OUT.
    """

    root: Path

    @property
    def data(self) -> Path:
        """The Parquet that readers see."""
        return self.root / "data"

    @property
    def staging(self) -> Path:
        """What is not committed yet, or no longer."""
        return self.root / "staging"

    @property
    def policy(self) -> Path:
        """The policy of this dataset."""
        return self.root / "policy.toml"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.root / "ledger.db"

    @property
    def keys(self) -> Path:
        """Where keys lie unless the user says otherwise."""
        return self.root / "keys"


def create(dataset: Dataset) -> None:
    """Make the folders of a dataset where they are not there yet.

    Raises:
        OutputError: They cannot be made, or the folder holds something else.
    """
    root = dataset.root
    try:
        if os.path.lexists(root) and not root.is_dir():
            raise OutputError(
                f"{root} is not a folder", hint="name a new or empty folder with --out"
            )
        if root.is_dir() and not _is_ours(dataset):
            raise OutputError(
                f"the folder {root} holds other files", hint="name a new or empty folder with --out"
            )
        for folder in (root, dataset.data, dataset.staging):
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, root) from None


def _is_ours(dataset: Dataset) -> bool:
    """Whether a folder is empty, or holds nothing but what logscrub puts into one."""
    names = {"data", "staging", "policy.toml", "lock", "ingest.lock", "keys", "ledger.db"}
    found = {entry.name for entry in dataset.root.iterdir()}
    return dataset.ledger.exists() or found <= names


def exists(dataset: Dataset) -> None:
    """Check that a folder is a dataset.

    Raises:
        OutputError: It is not there, or not one of ours.
    """
    if not dataset.root.is_dir():
        raise OutputError(
            f"there is no folder {dataset.root}", hint="name the folder given to --out"
        )
    if not dataset.data.is_dir():
        raise OutputError(
            f"the folder {dataset.root} is not a dataset of logscrub",
            hint="name the folder given to --out",
        )


def output_error(error: OSError, path: Path) -> OutputError:
    """Say what the operating system refused and what to do, without its own text.

    Args:
        error: What happened.
        path: The file or folder concerned.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return FullError(
            f"no space left for {path}: what was not committed is dropped",
            hint="free some space and run the command again; it goes on where it stopped",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return OutputError(
            f"no permission to write {path}",
            hint="check its owner and mode, and that the disk is writable",
        )
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return OutputError(
        f"{path} cannot be written or read ({name})", hint="check the path and the disk"
    )


@contextmanager
def locked(dataset: Dataset, name: str, *, wait: float = 0.0, mark: str = "") -> Iterator[None]:
    """Hold one of the two locks of a dataset.

    Args:
        dataset: Whose.
        name: `lock` for one commit, expiry or recovery; `ingest.lock` for the life of a writer.
        wait: Seconds to wait for it.
        mark: What others find in it, see `holder`.

    Raises:
        BusyError: Somebody else holds it.
    """
    path = dataset.root / name
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise output_error(error, path) from None
    try:
        _acquire(handle, dataset, time.monotonic() + wait)
        if name == "ingest.lock":
            os.ftruncate(handle, 0)
            os.write(handle, mark.encode())
        yield
    finally:
        os.close(handle)


def holder(dataset: Dataset) -> str:
    """What the last writer wrote into `ingest.lock`: `FOLLOW`, or nothing."""
    try:
        return (dataset.root / "ingest.lock").read_text(encoding="ascii")
    except OSError:
        return ""


def _acquire(handle: int, dataset: Dataset, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise BusyError(
                    f"another logscrub process is writing to {dataset.root}",
                    hint="wait until it has finished, or stop it; expire, status and query work beside it",
                ) from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def opened(dataset: Dataset, *, make: bool = False) -> Iterator[Ledger]:
    """The ledger of a dataset, closed at the end.

    Args:
        dataset: Whose.
        make: Create it in a dataset that has no segment yet.
    """
    ledger = open_ledger(dataset.ledger, create=make and not any(dataset.data.iterdir()))
    try:
        yield ledger
    finally:
        ledger.close()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: without this a rename can vanish in a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(dataset: Dataset, ledger: Ledger, *, stamp: str) -> None:
    """Bring the files into the state that the ledger says, whatever happened before.

    Idempotent: it is the second half of a commit, and all of recovery.

    Args:
        dataset: Whose files.
        ledger: Its ledger.
        stamp: Now, ISO 8601.

    Raises:
        LedgerError: A committed segment is nowhere.
    """
    try:
        gone, merged = ledger.segments("replaced"), ledger.segments("merged")
        if gone:
            _swap(dataset, ledger, dataset.data)
        else:
            for folder in sorted({one.folder for one in merged}):
                _swap(dataset, ledger, dataset.data / folder)
        if staged := ledger.segments("staged"):
            _move_in(dataset, staged)
            ledger.set_state([one.name for one in staged], "published")
        if gone:
            ledger.record_deletions(gone, reason="replaced by reading its source again", at=stamp)
        if merged:
            ledger.forget_merged()
    except OSError as error:
        raise output_error(error, dataset.data) from None


def _move_in(dataset: Dataset, segments: Sequence[Segment]) -> None:
    folders = set()
    for segment in segments:
        folder = dataset.data / segment.folder
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        waiting = dataset.staging / segment.name
        if waiting.exists():
            waiting.rename(folder / segment.name)
        elif not (folder / segment.name).exists():
            raise _lost(segment)
        folders |= {folder, folder.parent}
    for folder in folders | {dataset.data}:
        sync_folder(folder)


def _lost(segment: Segment) -> LedgerError:
    return LedgerError(
        f"the committed segment {segment.name} is lost",
        hint="restore it from a backup, or ingest its source again with --replace",
    )


def _swap(dataset: Dataset, ledger: Ledger, top: Path) -> None:
    """Exchange a folder for a tree of hard links without what is replaced or merged, in one system call."""
    tree = dataset.staging / f"new-{uuid4().hex}"
    tree.mkdir(mode=_FOLDER_MODE)
    for segment in ledger.segments("published", "staged"):
        target = dataset.data / segment.folder
        if not target.is_relative_to(top):
            continue
        places = (target / segment.name, dataset.staging / segment.name)
        found = next((place for place in places if place.exists()), None)
        if found is None:
            raise _lost(segment)
        folder = tree / target.relative_to(top)
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        os.link(found, folder / segment.name)
    for name, _, _ in os.walk(tree):
        sync_folder(Path(name))
    if top.exists():
        # readers that listed the old folder go on reading it until it is swept away
        exchange(tree, top)
    sync_folder(top.parent)
    tree.rename(dataset.staging / f"{_RETIRED}{uuid4().hex}")
    for segment in ledger.segments("staged"):
        if (dataset.data / segment.folder / segment.name).exists():
            (dataset.staging / segment.name).unlink(missing_ok=True)


def sweep(dataset: Dataset) -> None:
    """Remove folders that were exchanged, once whoever listed them has had time to open what he saw."""
    if retired := list(dataset.staging.glob(f"{_RETIRED}*")):
        time.sleep(_GRACE)
        for entry in retired:
            shutil.rmtree(entry, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Swap two folders of one file system atomically.

    Raises:
        OutputError: The platform or the file system cannot.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*names, 0x2)  # RENAME_SWAP
    else:
        at_cwd, rename_exchange = -100, 0x2
        failed = libc.renameat2(at_cwd, names[0], at_cwd, names[1], rename_exchange)
    if failed:
        raise output_error(OSError(ctypes.get_errno(), ""), other)


def unstage(dataset: Dataset, ledger: Ledger, segments: Sequence[Segment]) -> None:
    """Remove staged files that a commit did not take."""
    taken = {one.name for one in ledger.segments("staged", "published")}
    for one in segments:
        if one.name not in taken:
            (dataset.staging / one.name).unlink(missing_ok=True)


def can_exchange(dataset: Dataset) -> bool:
    """Whether the file system can swap two folders, which merging needs; NFS and some others cannot."""
    pair = [dataset.staging / f"new-{uuid4().hex}" for _ in range(2)]
    try:
        for folder in pair:
            folder.mkdir()
        exchange(*pair)
    except (OSError, OutputError):
        return False
    finally:
        for folder in pair:
            shutil.rmtree(folder, ignore_errors=True)
    return True


def clean_staging(dataset: Dataset, ledger: Ledger) -> int:
    """Remove what a stopped writer left behind. Only for the holder of `ingest.lock`.

    Returns:
        How many files were removed.
    """
    waiting = {one.name for one in ledger.segments("staged")}
    removed = 0
    try:
        for entry in dataset.staging.iterdir():
            if entry.name in waiting or entry.name.startswith(_RETIRED):
                continue
            removed += 1
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise output_error(error, dataset.staging) from None
    return removed
