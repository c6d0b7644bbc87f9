"""Syslog datagrams through a socket: one line each, in order, none forged, none uncounted."""

from __future__ import annotations

import array
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub import listen, receiver, syslog
from logscrub.errors import SourceError, UsageError
from logscrub.formats.catalogue import named
from logscrub.formats.lines import lines_of, split
from logscrub.listen import Listener, listening
from logscrub.schema import MAX_LINE, Block, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

NGINX = Path("/usr/sbin/nginx")
LINE = b'192.0.2.7 - - [22/Nov/2026:02:32:34 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5"'
HEAD = b"<190>Nov 22 02:32:34 host nginx: "
MARK = b"\xef\xbb\xbf"


# ---- framing


@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        b"<190>Nov  2 02:32:34 host nginx: ",
        b"<190>Nov 22 02:32:34 nginx: ",
        b"Nov 22 02:32:34 host nginx: ",
        b"Nov 22 02:32:34 nginx: ",
        b"<134>Nov 22 02:30:01 haproxy[10080]: ",
        b"<134>Nov 22 02:30:01 localhost haproxy[10080]: ",
        b"<0>Nov 22 02:30:01 2001:db8::7 tag: ",
        b"<134>1 2026-11-22T13:29:09.697296+00:00 - haproxy 7816 - - ",
        b"<171>1 2025-11-05T20:47:03.000000+00:00 host nginx - - - ",
        b"<165>1 - - - - - - ",
        b'<165>1 2003-10-11T22:14:15.003Z host app - ID47 [a@32473 iut="3" x="\\"] \\\\ \\]"][b] ',
        b"<165>1 2003-10-11T22:14:15.003Z host app - ID47 - " + MARK,
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\0", b"\n\0"])
def test_the_message_comes_out_of_its_frame(head: bytes, end: bytes) -> None:
    """What nginx, HAProxy and RFC 5424's examples send."""
    assert syslog.message(head + LINE + end) == LINE


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\n",
        LINE,
        b"<190>" + LINE,
        b"<192>Nov 22 02:32:34 host nginx: " + LINE,
        b"<1234>Nov 22 02:32:34 host nginx: " + LINE,
        b"<>Nov 22 02:32:34 host nginx: " + LINE,
        b"<-1>Nov 22 02:32:34 host nginx: " + LINE,
        b"<190Nov 22 02:32:34 host nginx: " + LINE,
        b"<190>Nov 22 02:32 host nginx: " + LINE,
        b"<190>Nov 22 02:32:34 host nginx " + LINE,
        b"<190>Nov 22 02:32:34  nginx: " + LINE,
        b"<190>Nov 22 02:32:34",
        b"<190>nov 22 02:32:34 host nginx: " + LINE,
        b"1 2026-11-22T13:29:09Z - haproxy 7816 - - " + LINE,
        b"<190>2 2026-11-22T13:29:09Z - haproxy 7816 - - " + LINE,
        b"<190>1 2026-11-22T13:29:09Z - haproxy 7816 -",
        b"<190>1 2026-11-22T13:29:09Z -  haproxy 7816 - - " + LINE,
        b'<190>1 2026-11-22T13:29:09Z - haproxy 7816 - [a x="1" ' + LINE,
        b'<190>1 2026-11-22T13:29:09Z - haproxy 7816 - [a x="1]\\"] ' + LINE[:9],
        b"<190>1 2026-11-22T13:29:09Z - haproxy 7816 - -x " + LINE,
        b"<190>1 2026-11-22T13:29:09Z - haproxy 7816 - x " + LINE,
        b"2026-11-22T13:29:09Z " + LINE,
    ],
)
def test_broken_frames_have_no_message(datagram: bytes) -> None:
    """A guess would misread a line, so there is none."""
    assert syslog.message(datagram) is None


def test_a_frame_may_be_empty() -> None:
    """A message of no bytes is a blank line, with and without the blank before it."""
    for datagram in (HEAD, HEAD.rstrip(), b"<190>1 - - - - - -", b"<190>1 - - - - - - \n"):
        assert syslog.message(datagram) == b""


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30).map(
    str.encode
)
hosts = words.filter(lambda word: not word.endswith(b":"))
messages = st.binary(max_size=300).map(lambda text: text.rstrip(b"\n\0"))
priorities = st.integers(0, 191).map(lambda number: b"<%d>" % number)
stamps = st.datetimes().map(lambda when: f"{when:%b} {when.day:2d} {when:%H:%M:%S} ".encode())
values = st.binary(max_size=30).map(
    lambda text: text.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"]", b"\\]")
)
names = words.map(lambda word: bytes(b for b in word if b not in b'"]=') or b"x")
elements = st.builds(
    lambda name, pairs: b"[" + name + b"".join(b' %s="%s"' % pair for pair in pairs) + b"]",
    names,
    st.lists(st.tuples(names, values), max_size=3),
)  # fmt: skip
ends = st.sampled_from([b"", b"\n", b"\0", b"\n\0"])


def joined(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


old_frames = joined(
    st.just(b"") | priorities,
    stamps,
    st.just(b"") | hosts.map(lambda host: host + b" "),
    words.map(lambda tag: tag + b": "),
)
new_frames = joined(
    priorities,
    st.just(b"1 "),
    st.lists(words, min_size=5, max_size=5).map(lambda head: b" ".join([*head, b""])),
    st.just(b"-") | st.lists(elements, min_size=1, max_size=3).map(b"".join),
)


@given(old_frames, messages, ends)
def test_rfc_3164_comes_back(frame: bytes, message: bytes, end: bytes) -> None:
    """With and without priority and host, whatever the message holds."""
    assert syslog.message(frame + message + end) == message


@given(new_frames, messages, ends)
def test_rfc_5424_comes_back(frame: bytes, message: bytes, end: bytes) -> None:
    """Structured data may hold brackets, quotes and blanks; a mark in front of the text is not part of it."""
    assert syslog.message(frame + b" " + MARK + message + end) == message
    assert syslog.message(frame + b" " + message + end) == message.removeprefix(MARK)
    assert syslog.message(frame + end) == b""


pieces = st.sampled_from(
    [*[bytes([b]) for b in b'<>1 [-]"\\:\n\0'], HEAD, LINE, b"<190>1 - - - - - ", MARK]
)


@given(st.binary(max_size=200) | st.lists(pieces, max_size=20).map(b"".join))
def test_any_datagram_is_one_line(datagram: bytes) -> None:
    """Nothing raises, and what comes out has one line end, at its end."""
    text = syslog.message(datagram)
    assert text is None or (text in datagram and not text.endswith((b"\n", b"\0")))
    line, counts = receiver._line(datagram, 0, 0, receiver.Counts())
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert counts == (1, text is None, 0, 0)


@pytest.mark.parametrize(
    "bomb",
    [b"[", b'[a="', b"\\", b'"', b" ", b"]", b'[a="\\', b"[a]", b"x: ", b"\n", b"\0", b"<190>"],
)
@pytest.mark.parametrize("head", [b"", HEAD, b"<190>1 - - - - - ", b'<190>1 - - - - - [a="'])
def test_long_frames_take_linear_time(head: bytes, bomb: bytes) -> None:
    """The largest datagram that is looked at, made to be hard."""
    datagram = head + bomb * (receiver.LONGEST // len(bomb))
    began = time.perf_counter()
    syslog.message(datagram)
    assert time.perf_counter() - began < 1


# ---- what formats make of the lines


@pytest.mark.parametrize(
    ("datagram", "flags", "reason"),
    [
        (HEAD + LINE, 0, None),
        (HEAD + LINE + b"\n" + LINE, 0, Reason.BINARY),
        (HEAD + LINE + b"\n\n", 0, None),
        (HEAD + b"\n" + LINE, 0, Reason.BINARY),
        (HEAD + b" \n ", 0, Reason.BINARY),
        (LINE, 0, Reason.BINARY),
        (b"", 0, Reason.BINARY),
        (HEAD + LINE, socket.MSG_TRUNC, Reason.TOO_LONG),
        (LINE + b"\n" + LINE, socket.MSG_TRUNC, Reason.TOO_LONG),
        (HEAD + b"x" * (MAX_LINE + 1), 0, Reason.TOO_LONG),
    ],
)
def test_each_datagram_is_one_row_or_one_reject(
    datagram: bytes, flags: int, reason: Reason | None
) -> None:
    """A line end inside forges nothing; neither does what was cut off."""
    line, _ = receiver._line(datagram, flags, 0, receiver.Counts())
    found = split(lines_of(Block.of(line + LINE + b"\n", offset=1)), *named("combined").layouts)
    assert found.rows == 2 - (reason is not None)
    assert found.rejects.by_reason() == ({reason: 1} if reason else {})
    assert found.blanks == 0


def test_what_is_cut_is_too_long_for_every_format() -> None:
    """So nothing that fits into a line is lost by the limit."""
    assert receiver.LONGEST >= MAX_LINE + 4096


# ---- sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a socket has little room."""
    path = Path(tempfile.mkdtemp(prefix="listen-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def sender(path: Path) -> socket.socket:
    """A socket that waits for room, as no server does."""
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    out.settimeout(30)
    out.connect(str(path))
    return out


def send(path: Path, *datagrams: bytes) -> None:
    with sender(path) as out:
        for datagram in datagrams:
            out.send(datagram)


def taken(listener: Listener, count: int) -> list[bytes]:
    """So many lines, or what comes within some seconds."""
    found: list[bytes] = []
    for portion in listen.lines(listener, lambda: False, wait=20):
        if portion is None:
            break
        assert portion.endswith(b"\n")
        found += portion[:-1].split(b"\n")
        if len(found) >= count:
            break
    return found


def rest(listener: Listener) -> list[bytes]:
    """Everything, to the end."""
    return [
        line
        for portion in listen.lines(listener, lambda: True)
        if portion
        for line in portion[:-1].split(b"\n")
    ]


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def receiving() -> psutil.Process:
    """The receiving process of this one."""
    (found,) = [
        child for child in psutil.Process().children() if "receiver" in " ".join(child.cmdline())
    ]
    return found


def test_lines_arrive_in_order(folder: Path) -> None:
    """From one sender, in both frames, and each counts."""
    path = folder / "s"
    expected = [b"line %d" % number for number in range(2000)]
    with listening(f"unix:{path}") as listener:
        send(path, *(HEAD + line for line in expected))
        assert taken(listener, len(expected)) == expected
        send(path, b"<190>1 - - - - - - last\n")
        assert taken(listener, 1) == [b"last"]
        assert listener.counts == (2001, 0, 0, 0)
    assert leftovers(folder) == []


def test_a_single_line_does_not_wait(folder: Path) -> None:
    """A line of a quiet site is there within a moment."""
    with listening(f"unix:{folder}/s") as listener:
        for _ in range(3):
            began = time.monotonic()
            send(folder / "s", HEAD + b"x")
            assert taken(listener, 1) == [b"x"]
            assert time.monotonic() - began < 5


def test_everything_that_was_received_is_counted(folder: Path) -> None:
    """One line per datagram: broken, cut, forged or empty."""
    path = folder / "s"
    with listening(f"unix:{path}") as listener:
        send(
            path, HEAD + LINE, LINE, b"", HEAD + b"x" * receiver.LONGEST, HEAD + LINE + b"\n" + LINE, HEAD,
        )  # fmt: skip
        found = taken(listener, 6)
        assert found == [
            LINE, b"\0", b"\0", b"\0" * receiver.LONGEST, LINE + b"\0" + LINE, b"",
        ]  # fmt: skip
        assert listener.counts == receiver.Counts(received=6, broken=2, truncated=1)


def test_a_slow_reader_makes_the_sender_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: when box and pipe are full nothing is taken; and nothing is lost then."""
    monkeypatch.setattr(listen, "_PORTIONS", 2)
    path, count = folder / "s", 40_000
    expected = [b"%06d" % number + b"x" * 200 for number in range(count)]
    with listening(f"unix:{path}") as listener:
        thread = threading.Thread(target=send, args=(path, *(HEAD + one for one in expected)))
        thread.start()
        thread.join(2)
        assert thread.is_alive()
        assert listener.box.full()
        assert listener.counts.received < count / 2
        found = taken(listener, count)
        thread.join()
    assert found == expected


def test_a_stop_takes_what_was_sent(folder: Path) -> None:
    """Then the end comes; asking twice does no harm; nobody can send any more."""
    path = folder / "s"
    with listening(f"unix:{path}") as listener, sender(path) as out:
        for number in range(5):
            out.send(HEAD + b"%d" % number)
        listener.stop()
        listener.stop()
        assert not path.exists()
        assert rest(listener) == [b"0", b"1", b"2", b"3", b"4"]
        with pytest.raises(ConnectionRefusedError):
            out.send(HEAD + b"late")
        assert listener.failure is None


def test_a_stop_ends_while_someone_keeps_sending(folder: Path) -> None:
    """A busy server does not hold up the end."""
    path = folder / "s"

    def flood() -> None:
        with sender(path) as out:
            while True:
                try:
                    out.send(HEAD + LINE)
                except ConnectionRefusedError:
                    return

    with listening(f"unix:{path}") as listener:
        thread = threading.Thread(target=flood)
        thread.start()
        assert taken(listener, 100)
        began = time.monotonic()
        assert rest(listener)
        assert time.monotonic() - began < 10
        thread.join()


def test_leaving_without_reading_ends_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when box and pipe are full."""
    monkeypatch.setattr(listen, "_PORTIONS", 1)
    path = folder / "s"
    with listening(f"unix:{path}"):
        child = receiving()
        thread = threading.Thread(target=flood_until_refused, args=(path,))
        thread.start()
        time.sleep(1)
    thread.join(10)
    assert not thread.is_alive()
    assert not child.is_running()


def flood_until_refused(path: Path) -> None:
    with sender(path) as out:
        try:
            while True:
                out.send(HEAD + b"x" * 1000)
        except ConnectionRefusedError:
            pass


def test_a_receiver_that_dies_is_a_failure(folder: Path) -> None:
    """What it had handed on is there; then comes the end, with the reason."""
    path = folder / "s"
    with listening(f"unix:{path}") as listener:
        send(path, HEAD + b"x")
        assert taken(listener, 1) == [b"x"]
        receiving().kill()
        assert list(listen.lines(listener, lambda: False)) in ([], [None])
        assert isinstance(listener.failure, SourceError)
    assert leftovers(folder) == []


def test_signals_to_the_whole_group_do_not_stop_the_receiver(folder: Path) -> None:
    """Ctrl-C and systemd reach every process; the parent alone says when to end."""
    path = folder / "s"
    with listening(f"unix:{path}") as listener:
        for number in (signal.SIGINT, signal.SIGTERM):
            receiving().send_signal(number)
        send(path, HEAD + b"x")
        assert taken(listener, 1) == [b"x"]


def test_descriptors_that_are_sent_along_stay_out(folder: Path) -> None:
    """Otherwise whoever may write could use up those of the receiver."""
    path = folder / "s"
    with listening(f"unix:{path}") as listener, sender(path) as out:
        out.send(HEAD + b"ready")
        assert taken(listener, 1) == [b"ready"]
        before = receiving().num_fds()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [out.fileno()] * 50))]
        for _ in range(50):
            out.sendmsg([HEAD + b"x"], rights)
        assert taken(listener, 50) == [b"x"] * 50
        assert receiving().num_fds() == before


# ---- the path of a unix socket


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_group_and_owner_may_write_whatever_the_umask(folder: Path, mask: int) -> None:
    """And nobody else."""
    before = os.umask(mask)
    try:
        with listening(f"unix:{folder}/s"):
            assert (folder / "s").stat().st_mode & 0o7777 == 0o660
    finally:
        os.umask(before)
    assert leftovers(folder) == []


def test_nobody_can_send_before_the_mode_is_set(folder: Path) -> None:
    """The socket is made in a folder that only its owner enters, and moved when it is ready."""
    before = os.umask(0)
    try:
        place = listen._unix(f"{folder}/s")
    finally:
        os.umask(before)
    (room,) = folder.iterdir()
    assert room.stat().st_mode & 0o7777 == 0o700
    place.show()
    assert leftovers(folder) == ["s"]
    place.hide()
    assert leftovers(folder) == []
    place.inlet.close()


def test_a_stale_socket_is_replaced(folder: Path) -> None:
    """A process that was killed leaves its socket behind."""
    path = folder / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    with listening(f"unix:{path}") as listener:
        send(path, HEAD + b"x")
        assert taken(listener, 1) == [b"x"]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_live_socket_is_refused(folder: Path, kind: socket.SocketKind) -> None:
    """Two listeners would each get half of the lines; someone else's service would be cut off."""
    path = folder / "s"
    with socket.socket(socket.AF_UNIX, kind) as alive:
        alive.bind(str(path))
        if kind is socket.SOCK_STREAM:
            alive.listen()
        number = path.stat().st_ino
        with pytest.raises(UsageError, match="in use"), listening(f"unix:{path}"):
            pass
        assert path.stat().st_ino == number
    assert leftovers(folder) == ["s"]


def test_other_files_are_refused(folder: Path) -> None:
    """Nothing that is not a socket is ever replaced or removed."""
    (folder / "file").write_bytes(b"x")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    names = sorted(leftovers(folder))
    for name in names:
        with pytest.raises(UsageError, match="is no socket"), listening(f"unix:{folder}/{name}"):
            pass
    assert sorted(leftovers(folder)) == names
    assert (folder / "file").read_bytes() == b"x"


def test_the_socket_of_a_successor_is_left_alone(folder: Path) -> None:
    """Who ends removes its own socket only."""
    path = folder / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        with listening(f"unix:{path}"):
            path.unlink()
            other.bind(str(path))
        assert leftovers(folder) == ["s"]


def test_what_the_system_refuses_is_said(folder: Path) -> None:
    """No folder, no room for the name."""
    with pytest.raises(SourceError, match="ENOENT"), listening(f"unix:{folder}/none/s"):
        pass
    deep = folder / ("d" * 100)
    deep.mkdir()
    with pytest.raises(UsageError, match="too long"), listening(f"unix:{deep}/s"):
        pass
    assert leftovers(deep) == []


@pytest.mark.parametrize(
    "target", ["", "unix:", "udp:", "tcp:127.0.0.1:514", "/run/s", "unix", "udp:127.0.0.1", "udp:127.0.0.1:x",
               "udp:127.0.0.1:0", "udp:127.0.0.1:65536", "udp:127.0.0.1:-1", "udp::514", "udp:example.org:514"],
)  # fmt: skip
def test_what_is_no_target_is_refused(target: str) -> None:
    """With the two forms that are."""
    with pytest.raises(UsageError) as caught, listening(target):
        pass
    assert "unix:PATH" in caught.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]", "[2001:db8::1]", "::ffff:192.0.2.1"])  # fmt: skip
def test_the_network_is_refused(host: str) -> None:
    """Raw lines would cross it in the clear, and anyone could send some."""
    with pytest.raises(UsageError, match="this machine alone"), listening(f"udp:{host}:15514"):
        pass


def test_a_killed_parent_takes_its_receiver_along(folder: Path) -> None:
    """And the next one can begin at once, in the place of the dead socket."""
    path = folder / "s"
    code = (
        "import sys, time; from logscrub.listen import listening\n"
        "with listening(sys.argv[1]): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, f"unix:{path}"], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()
    assert path.exists()
    with listening(f"unix:{path}") as listener:
        send(path, HEAD + b"x")
        assert taken(listener, 1) == [b"x"]


def test_a_short_queue_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's default loses lines in bursts."""
    length = folder / "length"
    monkeypatch.setattr(listen, "_QUEUE_LENGTH", length)
    assert listen.warning("unix:/s") == ""
    length.write_text("512\n")
    assert listen.warning("unix:/s") == ""
    length.write_text("10\n")
    assert "only 10 lines" in listen.warning("unix:/s")
    assert listen.warning("udp:127.0.0.1:514") == ""


# ---- UDP


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_udp_on_this_machine(host: str) -> None:
    """The port is taken meanwhile, and free again afterwards."""
    port = free_port(socket.SOCK_DGRAM)
    for _ in range(2):
        with (
            listening(f"udp:{host}:{port}") as listener,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
        ):
            out.sendto(HEAD + b"x", ("127.0.0.1", port))
            assert taken(listener, 1) == [b"x"]
            assert listener.counts == (1, 0, 0, 0)
            with pytest.raises(SourceError, match="EADDRINUSE"), listening(f"udp:{host}:{port}"):
                pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it drops")
def test_what_the_kernel_drops_of_udp_is_counted() -> None:
    """Sent = received + dropped."""
    place = listen._udp(f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
    with place.inlet as inlet, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        inlet.setblocking(False)
        inlet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        for _ in range(500):
            out.sendto(HEAD + b"x" * 100, inlet.getsockname())
        space = memoryview(bytearray(1000))
        found = list(receiver._queued(inlet, space))
        assert 1 < len(found) < 500
        # the number comes with the next one that finds room
        out.sendto(HEAD, inlet.getsockname())
        found += receiver._queued(inlet, space)
        assert len(found) + found[-1][2] == 501


# ---- servers


@pytest.fixture
def nginx(folder: Path) -> Iterator[int]:
    """A server that logs to the socket `s` of the folder; its port."""
    if not NGINX.exists():
        pytest.skip("nginx is not installed")
    port = free_port(socket.SOCK_STREAM)
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
        {user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn;
        events {{ worker_connections 64; }}
        http {{
          {temporary}
          access_log syslog:server=unix:{folder}/s combined;
          server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}
        }}""")
    with subprocess.Popen(
        [NGINX, "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL
    ) as server:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port
        server.terminate()
        server.wait(20)


def test_every_request_to_nginx_arrives(folder: Path, nginx: int) -> None:
    """No more are asked at a time than the shortest queue holds."""
    found: list[bytes] = []
    with (
        listening(f"unix:{folder}/s") as listener,
        socket.create_connection(("127.0.0.1", nginx), timeout=20) as client,
        client.makefile("rb") as answer,
    ):
        for number in range(300):
            client.sendall(b'GET /%d HTTP/1.1\r\nHost: x\r\nUser-Agent: a"b\\c\r\n\r\n' % number)
            while answer.readline().strip():
                pass
            if number % 10 == 9:
                found += taken(listener, 10)
        assert listener.counts == (300, 0, 0, 0)
    assert [line.split()[6] for line in found] == [b"/%d" % number for number in range(300)]
    whole = split(lines_of(Block.of(b"\n".join(found), offset=1)), *named("combined").layouts)
    assert whole.rows == 300
    assert (folder / "error.log").read_bytes() == b""


def test_nginx_finds_the_next_listener(folder: Path, nginx: int) -> None:
    """What is asked while nobody listens is lost; so is one line more where nothing was asked meanwhile."""

    def ask(number: int) -> None:
        with socket.create_connection(("127.0.0.1", nginx), timeout=20) as client:
            client.sendall(b"GET /%d HTTP/1.0\r\n\r\n" % number)
            while client.recv(1000):
                pass

    found: list[list[bytes]] = []
    for numbers in ([0, 1], [3, 4], [5, 6]):
        with listening(f"unix:{folder}/s") as listener:
            for number in numbers:
                ask(number)
            # a line is sent after its answer
            time.sleep(0.2)
            found.append([line.split()[6] for line in rest(listener)])
        if numbers == [0, 1]:
            ask(2)
    assert found == [[b"/0", b"/1"], [b"/3", b"/4"], [b"/6"]]
