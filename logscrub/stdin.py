"""Standard input, drained from the first moment: whoever writes into the pipe must not wait for imports."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time

_PORTION = 2**20
_PORTIONS = 32

box: queue.Queue[bytes] = queue.Queue(_PORTIONS)
"""Portions as they arrived; an empty one marks the end."""
arrived: list[float] = []
"""When the first portion did, on the monotonic clock: its rows wait from then on, not from when imports are done."""
failures: list[OSError] = []
"""Why reading ended, when it was not the end of the pipe."""
_started = threading.Event()


def is_piped() -> bool:
    """Whether something other than a terminal feeds standard input."""
    return sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()


def drain() -> None:
    """Begin to read, in a thread; memory stays bounded because a full queue makes it wait."""
    if not _started.is_set():
        _started.set()
        threading.Thread(target=_read, daemon=True).start()


def _read() -> None:
    portion = b"."
    while portion:
        try:
            portion = os.read(0, _PORTION)
        except OSError as error:
            failures.append(error)
            portion = b""
        if not arrived:
            arrived.append(time.monotonic())
        box.put(portion)
