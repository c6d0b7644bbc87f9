"""Runs a program and tells what it took: time, CPU, memory of the whole process tree."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EVERY = 0.05
"""Seconds between two looks at the memory. A single process is never under-read: the kernel keeps its highest."""
_SHARED_EVERY = 20
"""Looks at the resident memory for one at the proportional: that one walks all pages, and would slow down what is
measured by a fifth."""
_KIB = 1 if sys.platform == "darwin" else 1024


# A process inherits the highest memory figure of the one that starts it, so a small one has to start it.
_LAUNCH = """
import json, os, sys, time
begin = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - begin
figures = [wall, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
os.write(int(sys.argv[1]), json.dumps(figures).encode())
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a program took.

    Args:
        wall: Seconds from start to end.
        cpu: Seconds of processor time, of the program and the children it waited for.
        peak: Bytes: the most its processes held together (RSS, pages they share counted for each), as sampled,
            or the kernel's highest figure for one of them, whichever is more.
        peak_proportional: Bytes: the same with shared pages divided by those who share them (PSS), sampled only;
            0 where the system does not tell.
        output: What it printed.
    """

    wall: float
    cpu: float
    peak: int
    peak_proportional: int
    output: str


def _usual() -> dict[str, str]:
    """The environment, without what keeps Python from keeping its bytecode: users start from that."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Run:
    """Run a program to its end.

    Raises:
        RuntimeError: It failed; the text is the end of what it said.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as report, subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LAUNCH, str(writing), *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[writing],
        env={**_usual(), **(environment or {})},
    ) as launcher:  # fmt: skip
        os.close(writing)
        looks = _Looks(launcher.pid)
        looks.start()
        output, complaints = launcher.communicate()
        looks.ended.set()
        looks.join()
        said = report.read()
    if not said:
        raise RuntimeError(f"{command[0]} could not be started: {_tail(complaints)}")
    wall, status, cpu, highest = json.loads(said)
    if status:
        raise RuntimeError(f"{command[0]} ended with {status}: {_tail(complaints)}")
    return Run(wall, cpu, max(looks.peak, highest * _KIB), looks.proportional, output.decode())


def _tail(complaints: bytes) -> str:
    return complaints.decode(errors="replace")[-2_000:]


class _Looks(threading.Thread):
    """Samples the memory of all processes that descend from one.

    Args:
        pid: The launcher, which is not counted itself.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.ended = threading.Event()
        self.peak = 0
        self.proportional = 0

    def run(self) -> None:
        """Look until `ended` is set."""
        look = 0
        while not self.ended.wait(_EVERY):
            look += 1
            with suppress(psutil.Error):
                tree = self._root.children(recursive=True)
                self.peak = max(self.peak, _sum(tree, "rss"))
                if look % _SHARED_EVERY == 0:
                    self.proportional = max(self.proportional, _sum(tree, "pss"))


def _sum(tree: Sequence[psutil.Process], kind: str) -> int:
    held = 0
    for process in tree:
        # A process may end between the listing and the look.
        with suppress(psutil.Error):
            memory = process.memory_info() if kind == "rss" else process.memory_full_info()
            held += int(getattr(memory, kind, 0))
    return held


def start_up(command: Sequence[str], *, runs: int) -> float:
    """Median seconds from start to end of a program that does little; the first run, which fills caches, not counted."""
    return median([run(command).wall for _ in range(runs + 1)][1:])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of how many times faster we were, run by run: `theirs / ours`, in seconds each."""
    return median(other / own for own, other in zip(ours, theirs, strict=True))


def machine(libraries: Sequence[str]) -> dict[str, Any]:
    """What figures depend on, without a name of the machine: cores, and the versions of Python and libraries."""
    bound = hasattr(os, "sched_getaffinity")
    return {
        "cores": len(os.sched_getaffinity(0)) if bound else os.cpu_count(),
        "versions": {
            "python": platform.python_version(),
            **{one: version(one) for one in libraries},
        },
    }
