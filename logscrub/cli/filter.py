"""`logscrub filter`."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from logscrub import stdin
from logscrub.cli import options
from logscrub.cli.terminal import say, stoppable
from logscrub.errors import CLOSED_PIPE, INTERRUPTED, UsageError
from logscrub.run.filter import arrivals, filter_lines, filtering
from logscrub.run.prepare import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from logscrub.run.filter import Filtering
    from logscrub.run.scrubbing import Tally


def command(
    source: Annotated[
        str, typer.Argument(metavar="[-]", help="Standard input; nothing else is read.")
    ] = "-",
    policy: options.PolicyName = "",
    settings: options.Settings = None,
    format_: options.Format = "auto",
    format_from: options.FormatFrom = "",
    timezone: options.Timezone = "",
    keys: options.Keys = None,
    quiet: options.Quiet = False,
) -> int:
    """Scrub log lines on their way to another program.

    Lines on standard input become lines of the same format on standard output, as soon as they arrive: for
    GoAccess, AWStats and the like. Addresses stay addresses: a network is shown as its first one (203.0.113.0), a
    token as one in fd00::/8, none as 0.0.0.0. What the policy does not keep becomes what the server writes for a
    missing value; JSON and W3C lines lose those fields. Times of any spelling become ISO 8601 in UTC. A wrapped line
    (syslog/combined, docker/caddy) comes out without its wrapper, which names hosts and containers. Lines that do not
    fit the format are dropped and counted on standard error, never passed through.

    Error logs have to be named: --format nginx-error or apache-error. Of each line the time, the level, numbers and
    the fixed words of known messages are left; client addresses become networks, all else a name in braces: {path}.

    What is written is yours to delete: retention covers datasets only.
    """
    if source != "-":
        raise UsageError(
            "filter reads standard input only",
            hint="logscrub filter < FILE, or zcat FILE | logscrub filter",
        )
    wishes = Wishes(policy, tuple(settings or ()), format_, format_from, "", timezone, keys=keys)
    work = filtering(wishes, lambda: datetime.now(UTC))
    stdin.drain()
    _widen_pipe()
    return _filter(work, (lambda _: None) if quiet else (lambda text: say(f"logscrub: {text}")))


def _filter(work: Filtering, note: Callable[[str], None]) -> int:
    with stoppable() as stopped:
        try:
            tally = filter_lines(
                arrivals(stdin.box, lambda: bool(stopped())),
                work,
                _write,
                stop=lambda: bool(stopped()),
                chosen=lambda choice: note(choice.reason),
                dropped=lambda tally: note(_summary(tally)),
            )
        except BrokenPipeError:  # the library around the command would end with exit code 1
            return CLOSED_PIPE
    note(_summary(tally))
    return INTERRUPTED if stopped() == signal.SIGINT else 0


_PIPE_BYTES = 2**20
"""What Linux lets anybody have (pipe(7)); the default is 64 KiB, at which writers wait more often."""


def _widen_pipe() -> None:
    widen = getattr(fcntl, "F_SETPIPE_SZ", None)
    if widen is not None:
        with suppress(OSError):  # a file or a terminal, or the user has too many pipes
            fcntl.fcntl(0, widen, _PIPE_BYTES)


def _write(lines: pa.Buffer) -> None:
    """Straight to the pipe: whoever reads it must not wait for a buffer to fill."""
    left = memoryview(lines)
    while left:
        left = left[os.write(sys.stdout.fileno(), left) :]


def _summary(tally: Tally) -> str:
    dropped = sum(tally.rejects.values())
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(tally.rejects.items()))
    blank = f", {tally.blanks:,} blank" if tally.blanks else ""
    return f"{dropped:,} of {tally.lines:,} lines dropped{f': {reasons}' if reasons else ''}{blank}"
