"""What the process asks of the allocator of the C library."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As glibc's malloc.h numbers them."""
_KEPT: Final = 256 * 2**20
_LARGE: Final = 32 * 2**20
"""The most that every glibc accepts."""


def keep_freed_memory() -> None:
    """Let the next block have the memory of the last one: a page that is given back is cleared when it is taken again.

    Only where there is glibc; elsewhere nothing changes.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # the second call would do harm where the first is refused: thresholds no longer follow what is freed
    if adjust and adjust(_MMAP_THRESHOLD, _LARGE):
        adjust(_TRIM_THRESHOLD, _KEPT)
