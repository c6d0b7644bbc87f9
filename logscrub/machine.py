"""How much memory this machine lets us have, what follows from that, and what is asked of its C library."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

_SMALL_MACHINE: Final = 2 * 2**30
_SMALL_LIMIT: Final = 768 * 2**20
"""Bytes: what a run may take on a usual machine; a container that is held to less is small however large its host."""
_CHOICE: Final = "LOGSCRUB_SMALL"
"""Environment variable: 1 for the sizes of a small machine, 0 for the usual ones."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""As glibc's malloc.h numbers them."""
_MADV_DONTNEED: Final = 4
_CALLS: Final = count()
_FIRST_CALLS: Final = 2
"""Before the first block, and after the first batch."""
_WORTH: Final = 256
"""KiB of a mapping below which giving it back is not worth a system call."""
_MAPPING: Final = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is held at once. None of it changes what comes out.

    Args:
        threads: Blocks that are worked on at the same time.
        block: Bytes a block aims at: large enough to vectorise, small enough to bound memory by.
        batch: Rows that are scrubbed together.
        group: Rows of a row group.
        held: Rows held in memory over all dates of a source.
        values: Values after which a lexicon is full, and a new one takes its place.
        value_bytes: The same in bytes.
        commit: Bytes of a pipe that are committed even when their time has not come.
        lines: Bytes of lines that `filter` works on together.
        sorting: Bytes that sorting may take before it spills.
        large: Bytes from which an allocation is a mapping of its own.
        kept: Bytes of freed memory that the allocator keeps.
    """

    threads: int
    block: int
    batch: int
    group: int
    held: int
    values: int
    value_bytes: int
    commit: int
    lines: int
    sorting: int
    large: int
    kept: int


USUAL: Final = Sizes(
    threads=min(4, os.cpu_count() or 1), block=6 * 2**20, batch=128 * 1024, group=128 * 1024, held=1024 * 1024,
    values=2**17, value_bytes=8 * 2**20, commit=64 * 2**20, lines=12 * 2**20, sorting=256 * 2**20,
    large=32 * 2**20, kept=256 * 2**20,
)  # fmt: skip
"""`large` is the most that every glibc accepts."""
SMALL: Final = Sizes(
    threads=1, block=2**20, batch=16 * 1024, group=32 * 1024, held=128 * 1024,
    values=2**14, value_bytes=2**20, commit=16 * 2**20, lines=2**20, sorting=64 * 2**20,
    large=2**18, kept=4 * 2**20,
)  # fmt: skip


def is_small() -> bool:
    """Whether to run in little memory: as `LOGSCRUB_SMALL` says, else by the machine and its container."""
    if choice := os.environ.get(_CHOICE):
        return choice != "0"
    return _physical() < _SMALL_MACHINE or _limit() < _SMALL_LIMIT


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return _SMALL_MACHINE


def _limit() -> int:
    """The lowest limit of the control groups that this process is in, both versions."""
    limits = [_SMALL_LIMIT]
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return _SMALL_LIMIT
    for group in groups:
        _, kinds, inside = group.split(":", 2)
        if kinds in {"", "memory"}:
            top = Path("/sys/fs/cgroup") / kinds
            name = "memory.limit_in_bytes" if kinds else "memory.max"
            # in a container the group itself may not be visible: then its own is at the top
            here = top / inside.lstrip("/")
            for folder in (here, *here.parents):
                if folder.is_relative_to(top):
                    limits += _number(folder / name)
    return min(limits)


def _number(path: Path) -> list[int]:
    try:
        return [int(path.read_text(encoding="ascii"))]
    except (OSError, ValueError):
        return []


IS_SMALL: Final = is_small()
SIZES: Final = SMALL if IS_SMALL else USUAL


def prepare() -> None:
    """Set what libraries read when they are loaded, and tell the allocator what to keep. Called before either."""
    # the pool that Arrow would choose keeps what was freed, and a web server comes first
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # the algebra library would start a thread a processor, and nothing here multiplies matrices
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if IS_SMALL:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let the next block have the memory of the last one: a page that is given back is cleared when it is taken again.

    Only where there is glibc; elsewhere nothing changes.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # the second call would do harm where the first is refused: thresholds no longer follow what is freed
    if adjust and adjust(_MMAP_THRESHOLD, SIZES.large):
        adjust(_TRIM_THRESHOLD, SIZES.kept)
    if adjust and IS_SMALL:
        adjust(_ARENA_MAX, 1)


def give_back_libraries() -> None:
    """Let go of the pages of libraries that only their loading touched: some 80 MB.

    What is needed after all comes back from the page cache. Only mappings that nobody ever wrote to are let go, on
    Linux; a page of our own would be lost.
    """
    # it takes 10 ms, and what a first file has loaded is not loaded again by the next
    if sys.platform != "linux" or (next(_CALLS) >= _FIRST_CALLS and not IS_SMALL):
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _untouched(Path("/proc/self/smaps").read_bytes()):
        advise(start, end - start, _MADV_DONTNEED)


def _untouched(smaps: bytes) -> list[tuple[int, int]]:
    """Addresses of mapped files that cannot be written to, and of which no page is a copy."""
    found, place, resident = [], (0, 0), 0
    is_file = False
    for line in smaps.splitlines():
        if match := _MAPPING.match(line):
            place = int(match[1], 16), int(match[2], 16)
            is_file = match[4] != b"0" and b"w" not in match[3]
        elif line.startswith(b"Rss:"):
            resident = int(line.split()[1])
        elif (
            line.startswith(b"Anonymous:")
            and is_file
            and resident > _WORTH
            and int(line.split()[1]) == 0
        ):
            found.append(place)
    return found
