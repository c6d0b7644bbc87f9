"""What the process asks of the allocator of the C library."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As glibc's malloc.h numbers them."""
_KEPT: Final = 256 * 2**20
_LARGE: Final = 64 * 2**20


def keep_freed_memory() -> None:
    """Let the next block have the memory of the last one: a page that is given back is cleared when it is taken again.

    Only where there is glibc; elsewhere nothing changes.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if adjust:
        adjust(_TRIM_THRESHOLD, _KEPT)
        adjust(_MMAP_THRESHOLD, _LARGE)
