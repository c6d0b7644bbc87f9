"""Entry point: answers `--version` and `--help` without imports, and drains a pipe while imports load."""

from __future__ import annotations

import gc
import os
import sys
from importlib import resources

from logscrub import __version__

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_FROM_PIPE = {"ingest", "filter"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: Without the program's name; None for those of the process.

    Returns:
        The exit code, see `logscrub --help`.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--version"]:
        print(f"logscrub {__version__}")
        return 0
    if given in (["--help"], ["-h"]):
        print(
            (resources.files("logscrub") / "cli" / "help.txt").read_text(encoding="utf-8"), end=""
        )
        return 0
    if given and given[0] in _FROM_PIPE and "--help" not in given:
        from logscrub import stdin  # noqa: PLC0415 — before everything that takes long

        if stdin.is_piped():
            stdin.drain()
    # the pool that Arrow would choose keeps what was freed, and a web server comes first
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # the algebra library would start a thread a processor, and nothing here multiplies matrices
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_freed_memory()
    # what is loaded stays; looking through it for garbage takes a tenth of a run, most of it at the very end
    gc.disable()
    from logscrub.cli import run  # noqa: PLC0415 — what is answered above needs none of it

    return run(given)


def _keep_freed_memory() -> None:
    """Let the next block have the memory of the last one: a page that is given back is cleared when it is taken again.

    The numbers are those of glibc's malloc.h; other systems are left as they are.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 — not for what is answered above

        adjust = getattr(ctypes.CDLL(None), "mallopt", None)
        if adjust:
            adjust(_TRIM_THRESHOLD, 256 * 2**20)
            adjust(_MMAP_THRESHOLD, 64 * 2**20)


if __name__ == "__main__":
    sys.exit(main())
