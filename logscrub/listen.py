"""A socket that servers send their log to: opened so that only they can, and emptied by a process of its own."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import queue
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from logscrub.errors import SourceError, UsageError
from logscrub.receiver import HEAD, Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FORMS: Final = "use unix:PATH or udp:127.0.0.1:PORT"
_MODE: Final = 0o660
_PORTIONS: Final = 512
"""Portions that wait at most. A quiet site fills ten a second, so it may be long until they are taken."""
_PAUSE: Final = 0.1
_PATIENCE: Final = 5
"""Seconds that the receiving process has for its end."""
_PIPE: Final = 2**20
_UDP_QUEUE: Final = 2**22
_QUEUE_LENGTH: Final = Path("/proc/sys/net/unix/max_dgram_qlen")
_ENOUGH: Final = 512
"""Datagrams: what systemd sets when a machine starts; the kernel's own choice is 10."""
_SO_RXQ_OVFL: Final = 40
"""Linux, asm-generic/socket.h: each datagram tells how many were dropped before it."""
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from logscrub import receiver; receiver.serve(int(sys.argv[2]))"
)


@dataclass(slots=True)
class Listener:
    """A socket that is listened on.

    Args:
        box: Portions of whole lines as they arrived; an empty one marks the end.
        stop: Ends it: what was sent by then still arrives, then the end does. May be called again.
        counts: Of all that was put into the box.
        failure: Why it ended when nobody stopped it.
    """

    box: queue.Queue[bytes]
    stop: Callable[[], None]
    counts: Counts = field(default_factory=Counts)
    failure: SourceError | None = None


@contextmanager
def listening(target: str) -> Iterator[Listener]:
    """Receive a log through a datagram socket.

    Args:
        target: `unix:PATH` or `udp:HOST:PORT`.

    Yields:
        The listener. On leaving, the socket is gone and what is left in the box is dropped.

    Raises:
        UsageError: The target is none, is taken, or would let the network in.
        SourceError: The system refuses it, or the receiving process does not start.
    """
    stopping = threading.Event()
    with _opened(target) as place, _started(place.inlet, target) as (control, pipe):

        def stop() -> None:
            if not stopping.is_set():
                stopping.set()
                place.hide()
                control.close()

        listener = Listener(queue.Queue(_PORTIONS), stop)
        with _refusals(target):
            place.show()
        thread = threading.Thread(
            target=_fill, args=(listener, pipe, stopping, target), daemon=True
        )
        thread.start()
        try:
            yield listener
        finally:
            stop()
            while thread.is_alive():
                with suppress(queue.Empty):
                    listener.box.get(timeout=_PAUSE)


def lines(
    listener: Listener, stopped: Callable[[], object], *, wait: float = 0.2
) -> Iterator[bytes | None]:
    """What arrives, until it is stopped.

    Args:
        listener: From `listening`.
        stopped: Asked with each portion, and while there is none; true stops the listener.
        wait: Seconds after which None says that nothing came.

    Yields:
        Portions of whole lines.
    """
    while True:
        if stopped():
            listener.stop()
        try:
            portion = listener.box.get(timeout=wait)
        except queue.Empty:
            yield None
            continue
        if not portion:
            return
        yield portion


def warning(target: str) -> str:
    """A remark when the kernel queues so few lines that some will be lost, empty otherwise.

    Args:
        target: As for `listening`; the queue's length is that of the moment in which it begins.
    """
    try:
        length = int(_QUEUE_LENGTH.read_bytes())
    except (OSError, ValueError):
        return ""
    if length >= _ENOUGH or not target.startswith("unix:"):
        return ""
    return (
        f"the kernel queues only {length} lines for {target}, and bursts will lose some: set"
        f" net.unix.max_dgram_qlen to {_ENOUGH}, in the network namespace of this process, and start again"
    )


@contextmanager
def _started(inlet: socket.socket, target: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The receiving process, which needs the standard library and this package alone.

    Yields:
        What ends it by being closed, and what it writes.
    """
    number = inlet.fileno()
    package = Path(__file__).parents[1]
    with _refusals(target):
        # what it says when it fails could quote a datagram
        child = subprocess.Popen(  # noqa: S603 — ourselves
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(package), str(number)], bufsize=_PIPE, pass_fds=[number],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    # the child has the only one: senders are told when it dies
    inlet.close()
    control, pipe = child.stdin, child.stdout
    assert control
    assert pipe
    with suppress(OSError, AttributeError):  # Linux alone has it
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
    try:
        if len(pipe.read(HEAD.size)) < HEAD.size:
            raise SourceError(
                f"the receiver of {target} did not start", hint="see whether memory is short"
            )
        yield control, pipe
    finally:
        control.close()
        try:
            child.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        pipe.close()


def _fill(listener: Listener, pipe: IO[bytes], stopping: threading.Event, target: str) -> None:
    """Move portions into the box; while that is full the receiver has to wait, and the senders' lines are lost."""
    while len(head := pipe.read(HEAD.size)) == HEAD.size:
        size, *counts = HEAD.unpack(head)
        portion = pipe.read(size)
        listener.counts = Counts(*counts)
        if portion:
            listener.box.put(portion)
    if not stopping.is_set():
        listener.failure = SourceError(
            f"the receiver of {target} ended unexpectedly", hint="what was received by then is in"
        )
    listener.box.put(b"")


@dataclass(frozen=True, slots=True)
class _Place:
    """A socket, and how senders come to find it, and no longer find it."""

    inlet: socket.socket
    show: Callable[[], object] = lambda: None
    hide: Callable[[], object] = lambda: None


@contextmanager
def _opened(target: str) -> Iterator[_Place]:
    kind, _, where = target.partition(":")
    kinds = {"unix": _unix, "udp": _udp}
    if kind not in kinds or not where:
        raise UsageError(f"{target} is no socket to listen on", hint=_FORMS)
    with _refusals(target):
        place = kinds[kind](where)
    try:
        yield place
    finally:
        place.hide()
        place.inlet.close()


@contextmanager
def _refusals(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        raise SourceError(
            f"cannot listen on {target} ({name})",
            hint="check the folder, its rights, and who else listens",
        ) from None


def _unix(where: str) -> _Place:
    path = Path(where)
    _refuse_taken(path)
    # nobody else can enter this folder, so nobody can send before the mode is set, whatever the umask
    room = Path(tempfile.mkdtemp(prefix=".logscrub-", dir=path.parent))
    bound = room / "s"
    inlet = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def clear() -> None:
        bound.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            room.rmdir()

    try:
        inlet.bind(str(bound))
        bound.chmod(_MODE)
        ours = bound.stat()
    except BaseException as error:
        inlet.close()
        clear()
        if isinstance(error, OSError) and error.errno is None:
            raise UsageError(
                f"{path} is too long for a socket",
                hint="use a shorter path, such as unix:/run/logscrub/nginx.sock",
            ) from None
        raise

    def hide() -> None:
        clear()
        with suppress(OSError):
            if os.path.samestat(ours, path.lstat()):
                path.unlink()

    def show() -> None:
        bound.replace(path)
        clear()

    return _Place(inlet, show, hide)


def _refuse_taken(path: Path) -> None:
    """Let only what a dead process left behind be replaced.

    Raises:
        UsageError: The path is something else.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(
            f"{path} exists and is no socket", hint="name another path; nothing was changed"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
        except OSError:
            pass  # of another kind, or not for us: not dead
    raise UsageError(f"{path} is in use", hint="another process listens there; name another path")


def _udp(where: str) -> _Place:
    host, _, port = where.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        address, number = ipaddress.ip_address(host), int(port)
    except ValueError:
        address, number = None, 0
    if address is None or not 0 < number < 2**16:
        raise UsageError(f"udp:{where} is no address and port", hint=_FORMS)
    if not address.is_loopback:
        raise UsageError(
            f"udp:{where} is not an address of this machine alone",
            hint=f"raw lines would cross the network for everyone to read: {_FORMS}",
        )
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    inlet = socket.socket(family, socket.SOCK_DGRAM)
    try:
        inlet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_QUEUE)
        if sys.platform == "linux":
            inlet.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        inlet.bind((str(address), number))
    except OSError:
        inlet.close()
        raise
    return _Place(inlet)
