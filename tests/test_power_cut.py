"""The power is cut at system calls of a command: the file system stops, forgets what was not fsynced, and is mounted anew.

It needs root, loop devices and the right to mount; where that is not given, the tests say so as expected failures.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import crash
import faults
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = os.environ.get("LOGSCRUB_CRASH") == "all"
SYSTEMS: Final = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q"),
}
SIZE: Final = 320 * 2**20
"""Bytes of a disk; xfs wants 300 MiB. The file behind it is sparse."""
GOING_DOWN: Final = 0x8004587D
"""The ioctl by which xfs and ext4 stop at once."""
NO_LOG_FLUSH: Final = 2
NOT_PERMITTED = re.compile(r"permi|denied|must be superuser|only root|loop device", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of its own.

    Args:
        image: The file behind it.
        path: Where it is mounted.
    """

    image: Path
    path: Path

    def mount(self) -> None:
        """Mount it, or tell why this machine does not let us."""
        done = subprocess.run(
            ["mount", "-o", "loop", self.image, self.path], capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            assert NOT_PERMITTED.search(done.stderr), done.stderr
            pytest.xfail(f"mounting is not permitted here: {done.stderr.splitlines()[0]}")

    def cut(self) -> None:
        """Lose the power, and come back."""
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(handle, GOING_DOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)
        self.unmount()
        self.mount()

    def unmount(self) -> None:
        """Let go of it, and of the device over its image: a second one beside it would read what the first has not written."""
        subprocess.run(["umount", self.path], check=True)
        until = time.monotonic() + 10
        while _devices(self.image) and time.monotonic() < until:
            time.sleep(0.01)

    def sync(self) -> None:
        """Make durable what is there by now."""
        subprocess.run(["sync", "-f", self.path], check=True)


def _devices(image: Path) -> str:
    """The loop devices over a file; the last unmount lets go of them a moment later."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    command = ["losetup", "--associated", str(image)]
    done = subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    return done.stdout


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """An empty disk with the file system that the test names."""
    maker, *options = SYSTEMS[request.param]
    if not (program := shutil.which(maker, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")):
        pytest.skip(f"{maker} is not installed")
    if reason := faults.unavailable():
        pytest.skip(reason)
    made = Disk(tmp_path / "image", tmp_path / "disk")
    made.path.mkdir()
    with made.image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run([program, *options, made.image], check=True, capture_output=True)
    made.mount()
    yield made
    made.unmount()
    made.image.unlink()


on_each = pytest.mark.parametrize("disk", SYSTEMS, indirect=True)


def contents(out: Path) -> dict[Path, bytes]:
    """Every file of a dataset."""
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


@on_each
@pytest.mark.parametrize("name", crash.SCENARIOS if ALL else ("files", "compact", "expire"))
def test_power_is_cut(disk: Disk, name: str) -> None:
    """What the ledger called published is still there, what it called expired is not; the next run is exact."""
    bench = crash.bench(crash.SCENARIOS[name], disk.path)
    calls = crash.near_the_turn(bench.calls)
    taken = 0
    for call in bench.calls[::2] if ALL else calls[::3]:
        with crash.telling(call, "a power cut"):
            out, _ = crash.stopped(bench, call, "signal=SIGKILL", before=disk.sync)
            said, had = crash.states(out), contents(out)
            disk.cut()
            taken += contents(out) != had
            left = {path.name for path in out.glob("data/**/*.parquet")}
            assert {one for one in said if said[one] == "published"} <= left, "a segment is lost"
            assert not {one for one in said if said[one] == "expired"} & left, "a segment is back"
            crash.look(bench, out)
            crash.recover(bench, out)
    assert taken, "no cut took anything, so nothing is shown"


@on_each
def test_a_cut_takes_what_was_not_synced(disk: Disk) -> None:
    """The simulation simulates."""
    (disk.path / "kept").write_bytes(b"x")
    disk.sync()
    (disk.path / "lost").write_bytes(b"x")
    disk.cut()
    assert (disk.path / "kept").read_bytes() == b"x"
    assert not (disk.path / "lost").exists()
