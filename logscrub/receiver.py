"""The process that empties a socket: datagrams in, portions of lines out.

Senders do not wait: the kernel keeps as few as 11 datagrams, and what comes on top of them is lost. A thread beside the
scrubbing waits for Python's lock with each one: it was seen to lose one line in twenty where this process lost none.
"""

from __future__ import annotations

import selectors
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from logscrub import syslog

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 2**17
"""Bytes that are taken of a datagram; what is longer holds a line that is too long for every format."""
HEAD: Final = struct.Struct("=5Q")
"""In front of each portion: its bytes, and the counts up to its end."""
_PORTION: Final = 2**16
_PAUSE: Final = 0.1
"""Seconds that a line waits for others to share its portion."""
_BURST: Final = 256
_LAST: Final = 0.25
"""Seconds for what is queued in the end: a busy sender never ends."""
_DROPPED: Final = struct.Struct("=I")
"""What a datagram tells of those dropped before it."""
_BROKEN: Final = b"\0\n"
"""A line that every format rejects, so that each datagram is accounted for."""
_TOO_LONG: Final = b"\0" * LONGEST + b"\n"


class Counts(NamedTuple):
    """What came of the datagrams. Each one received is one line.

    Args:
        received: Taken from the socket.
        broken: Of these, without the framing of syslog; each is a line that is rejected.
        truncated: Of these, longer than `LONGEST`; each is a line that is rejected.
        dropped: By the kernel, because its queue was full. Only UDP on Linux tells; of a unix socket the sender knows.
    """

    received: int = 0
    broken: int = 0
    truncated: int = 0
    dropped: int = 0


def serve(number: int) -> None:
    """Be the receiving process.

    Args:
        number: The socket's descriptor. The end of standard input ends it, standard output takes what it receives.
    """
    # Ctrl-C and systemd speak to all processes of a group; the parent alone decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=number) as inlet:
        receive(inlet, 0, sys.stdout.buffer)


def receive(inlet: socket.socket, control: int, outlet: IO[bytes]) -> None:
    """Hand datagrams on as portions of lines.

    Args:
        inlet: A datagram socket.
        control: A descriptor whose end is the end of the receiving.
        outlet: Takes a head and its portion, again and again; the first one, without lines, says that all is ready.
    """
    portion: list[bytes] = []
    size, began, counts = 0, 0.0, Counts()
    with suppress(BrokenPipeError):
        _write(outlet, portion, counts)
        for datagram in _datagrams(inlet, control):
            now = time.monotonic()
            if datagram is not None:
                began = began if portion else now
                line, counts = _line(*datagram, counts)
                portion.append(line)
                size += len(line)
            if portion and (datagram is None or size >= _PORTION or now - began >= _PAUSE):
                _write(outlet, portion, counts)
                portion, size = [], 0


def _write(outlet: IO[bytes], portion: list[bytes], counts: Counts) -> None:
    joined = b"".join(portion)
    outlet.write(HEAD.pack(len(joined), *counts) + joined)
    outlet.flush()


def _line(datagram: bytes, flags: int, dropped: int, before: Counts) -> tuple[bytes, Counts]:
    """Exactly one line, whatever was sent, and the counts with it."""
    received, broken, truncated, known = before
    received, dropped = received + 1, max(dropped, known)
    if flags & socket.MSG_TRUNC:
        return _TOO_LONG, Counts(received, broken, truncated + 1, dropped)
    text = syslog.message(datagram)
    if text is None:
        return _BROKEN, Counts(received, broken + 1, truncated, dropped)
    # a line end inside must not begin a second row: with a NUL in its place the line is rejected
    return text.replace(b"\n", b"\0") + b"\n", Counts(received, broken, truncated, dropped)


def _datagrams(inlet: socket.socket, control: int) -> Iterator[tuple[bytes, int, int] | None]:
    """Datagrams with their flags and how many were dropped so far; None while nothing comes, and at the end."""
    inlet.setblocking(False)
    space = memoryview(bytearray(LONGEST))
    end = float("inf")
    with selectors.DefaultSelector() as ready:
        ready.register(inlet, selectors.EVENT_READ)
        ready.register(control, selectors.EVENT_READ)
        while time.monotonic() < end:
            found = {key.fd for key, _ in ready.select(_PAUSE)}
            if control in found:
                ready.unregister(control)
                end = time.monotonic() + _LAST
            elif inlet.fileno() in found:
                yield from _queued(inlet, space)
            elif end < float("inf"):
                break
            else:
                yield None
    yield None


def _queued(inlet: socket.socket, space: memoryview) -> Iterator[tuple[bytes, int, int]]:
    # descriptors can come with a datagram of a unix socket; where there is no room for them they stay out
    room = 0 if inlet.family == socket.AF_UNIX else socket.CMSG_SPACE(_DROPPED.size)
    with suppress(BlockingIOError):
        for _ in range(_BURST):
            size, extra, flags, _ = inlet.recvmsg_into([space], room)
            dropped = max((_DROPPED.unpack(data)[0] for *_, data in extra), default=0)
            yield bytes(space[:size]), flags, dropped
