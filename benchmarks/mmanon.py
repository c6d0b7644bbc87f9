"""rsyslog's mmanon as a peer of `filter`: a daemon of our own reads the log and writes it with shortened addresses.

It opens no socket, and reads and writes nothing but the log and files below the folder it is given.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "mmanon.log"
"""The file it writes."""
_EVERY: Final = 0.02
"""Seconds between two looks at what was written."""
_SLOWEST: Final = 2_000_000
"""Bytes a second; a daemon that is slower does not work."""

# The default policy keeps 24 and 40 bits. Nothing may be dropped: the reader waits while the queue is full, however
# long, and one worker keeps the order.
_CONFIG: Final = """\
global(workDirectory={folder} maxMessageSize="64k")
main_queue(queue.type="FixedArray" queue.size="10000" queue.dequeueBatchSize="1024" queue.workerThreads="1"
           queue.timeoutEnqueue="600000")
module(load="imfile")
module(load="mmanon")
template(name="line" type="string" string="%msg%\\n")
ruleset(name="anonymise") {{
  action(type="mmanon" ipv4.bits="8" ipv6.bits="88")
  action(type="omfile" file={target} template="line" ioBufferSize="256k")
}}
input(type="imfile" file={log} tag="log" ruleset="anonymise")
"""


def works() -> bool:
    """Whether there is an rsyslogd that takes the configuration, mmanon included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = _command(folder / "access.log", folder)
        try:
            checked = subprocess.run(
                [*command, "-N1"], check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=30
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
        return checked.returncode == 0


def mmanon(log: Path, out: Path) -> int:
    """Write the log with shortened addresses, to `NAME` in `out`; its rows are the lines it writes.

    Raises:
        SystemExit: The daemon ended, or took far too long.
    """
    target = out / NAME
    target.touch()
    until = time.monotonic() + 60 + log.stat().st_size / _SLOWEST
    with _daemon(_command(log, out)) as daemon, target.open("rb") as written:
        with log.open("rb") as source:
            wanted = _line_ends(source)
        found = _line_ends(written)
        while found < wanted:
            if daemon.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"rsyslogd wrote {found} lines of {wanted}")
            time.sleep(_EVERY)
            found += _line_ends(written)
    return found


def _command(log: Path, out: Path) -> list[str]:
    """The daemon in the foreground, without a file for its process id."""
    config = out / "mmanon.conf"
    quoted = {"folder": out, "target": out / NAME, "log": log.absolute()}
    config.write_text(
        _CONFIG.format(**{key: json.dumps(str(path)) for key, path in quoted.items()}),
        encoding="utf-8",
    )
    # a daemon's folder is not on everybody's path
    found = which("rsyslogd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return [found or "rsyslogd", "-n", "-iNONE", "-f", str(config)]


@contextmanager
def _daemon(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            yield daemon
        finally:
            daemon.terminate()
            try:
                daemon.wait(timeout=30)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _line_ends(file: BinaryIO) -> int:
    """Of what has not been read yet."""
    return sum(part.count(b"\n") for part in iter(lambda: file.read(2**20), b""))
