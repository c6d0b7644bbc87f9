"""`follow` beside a real nginx under load, rotated by the real logrotate, while it is killed again and again."""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from program import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = float(os.environ.get("LOGSCRUB_SOAK", "60")) / 4
"""Of each way to rotate; `make soak` takes longer."""
NEEDED = ("nginx", "logrotate", "ab")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
MODES = {
    "create": "create\ndelaycompress\ncompress",
    "compressed at once": "create\ncompress",
    "dated, in another folder": "create\ndateext\ndateformat -%Y%m%d-%s\nolddir {old}\nnocompress",
    "copytruncate": "copytruncate\ncompress\ndelaycompress",
}
_NGINX = """\
daemon off; worker_processes 2; pid {room}/nginx.pid; error_log {room}/error.txt crit; {user}
events {{ worker_connections 256; }}
http {{
  # a connection has one request here, so its number stands for the line
  log_format numbered '$remote_addr - - [$time_local] "$request" $status $connection "-" "$http_user_agent"';
  access_log {room}/log/access.log numbered;
  client_body_temp_path {room}/t1; proxy_temp_path {room}/t2; fastcgi_temp_path {room}/t3;
  uwsgi_temp_path {room}/t4; scgi_temp_path {room}/t5; keepalive_timeout 0;
  server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}
}}
"""
_LOGROTATE = """\
{room}/log/access.log {{
  rotate 10000
  {mode}
  postrotate
    kill -USR1 $(cat {room}/nginx.pid)
  endscript
}}
"""
pytestmark = [
    pytest.mark.skipif(
        any(shutil.which(one, path=PATH) is None for one in NEEDED),
        reason=f"needs {', '.join(NEEDED)}",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="logrotate refuses folders of others"),
]


@dataclass(frozen=True)
class Site:
    """A server, and what rotates its log."""

    room: Path
    port: int
    conf: Path

    def rotate(self) -> None:
        command = ["logrotate", "-f", "-s", str(self.room / "state"), str(self.conf)]
        subprocess.run(command, env={**os.environ, "PATH": PATH}, check=True, capture_output=True)

    def load(self, seconds: float) -> subprocess.Popen[bytes]:
        command = ["ab", "-q", "-r", "-c", "4", "-t", str(int(seconds)), "-n", "100000000"]
        return subprocess.Popen(
            [*command, f"http://127.0.0.1:{self.port}/index"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def files(self) -> list[Path]:
        return [*(self.room / "log").iterdir(), *(self.room / "old").iterdir()]


@contextmanager
def site(room: Path, mode: str) -> Iterator[Site]:
    """Nginx on a port of its own; it ends with the block."""
    for name in ("log", "old"):
        (room / name).mkdir(mode=0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (room / "nginx.conf").write_text(_NGINX.format(room=room, port=port, user="user root;"))
    conf = room / "logrotate.conf"
    conf.write_text(_LOGROTATE.format(room=room, mode=MODES[mode].format(old=room / "old")))
    conf.chmod(0o644)
    nginx = subprocess.Popen(
        [
            shutil.which("nginx", path=PATH) or "",
            "-c",
            str(room / "nginx.conf"),
            "-e",
            str(room / "error.txt"),
        ]
    )
    try:
        until = time.monotonic() + 10
        while not _answers(port) and time.monotonic() < until:
            time.sleep(0.05)
        yield Site(room, port, conf)
    finally:
        nginx.terminate()
        nginx.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def follower(room: Path) -> subprocess.Popen[bytes]:
    """`follow` over everything rotation leaves."""
    with (room / "err.txt").open("ab") as said:
        return subprocess.Popen(
            [
                sys.executable, "-m", "logscrub", "follow", str(room / "log" / "access.log"), str(room / "old"),
                "--out", str(room / "out"), "--flush", "0.5", "--quiet",
            ],
            stderr=said,
        )  # fmt: skip


def lines_of(files: list[Path]) -> list[int]:
    """The numbers of all lines that the server's files hold."""
    found = []
    for path in files:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        # copytruncate may cut a copy, and begin the file anew, inside a line
        found += [
            int(number)
            for number in re.findall(
                rb'^127[^"]*"[^"]*" 204 (\d+) "-" "[^"]*"$', text, re.MULTILINE
            )
        ]
    return sorted(found)


def _catch_up(out: Path, count: int) -> None:
    """Wait until so many rows are there, as long as more of them come."""
    before, now = -1, 0
    while before < now < count:
        before, until = now, time.monotonic() + 20
        while now == before and time.monotonic() < until:
            time.sleep(1)
            now = len(numbers(out))


@pytest.mark.parametrize("mode", MODES)
def test_no_line_is_lost_or_doubled(tmp_path: Path, mode: str) -> None:
    """Every line of the server's files is a row, once; what copytruncate itself loses never was in a file for long."""
    dice = random.Random(mode)
    kills = 0
    with site(tmp_path, mode) as server:
        load = server.load(SECONDS)
        process = follower(tmp_path)
        end, rotation = time.monotonic() + SECONDS, time.monotonic() + 1
        life = time.monotonic() + dice.uniform(1.0, 3.0)
        while time.monotonic() < end:
            now = time.monotonic()
            if now >= rotation:
                server.rotate()
                # dated names have seconds
                rotation = now + dice.uniform(1.1, 2.0)
            if now >= life:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                process, life = follower(tmp_path), now + dice.uniform(1.0, 3.0)
            time.sleep(0.02)
        load.wait(20)
    there = lines_of(server.files())
    _catch_up(tmp_path / "out", len(there))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0, (tmp_path / "err.txt").read_text()
    rows = numbers(tmp_path / "out")
    print(
        f"{mode}: {len(there)} lines, {kills} kills, {len(server.files())} files, {len(rows) - len(there)} rows more"
    )
    assert kills >= SECONDS / 4
    assert len(rows) > 1_000
    assert len(set(rows)) == len(rows)
    if mode == "copytruncate":
        assert set(there) <= set(rows)
    else:
        assert rows == there
