"""Entry point: answers `--version` and `--help` without imports, and drains a pipe while imports load."""

from __future__ import annotations

import gc
import sys
from importlib import resources

from logscrub import __version__

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
    from logscrub import machine  # noqa: PLC0415 — not for what is answered above

    machine.prepare()
    # what is loaded stays; looking through it for garbage takes a tenth of a run, most of it at the very end
    gc.disable()
    from logscrub.cli import run  # noqa: PLC0415 — what is answered above needs none of it

    return run(given)


if __name__ == "__main__":
    sys.exit(main())
