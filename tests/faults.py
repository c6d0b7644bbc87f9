"""A piece of work in a process of its own, whose system calls strace lists, refuses, or answers with SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from logscrub import dataset, sink
from logscrub.cli import _ended_by, _spare_pandas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

WRITING: Final = (
    "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "symlink",
    "mkdir", "mkdirat", "rmdir", "write", "writev", "pwrite64", "pwritev", "ftruncate", "truncate", "fallocate",
    "open", "openat", "openat2", "chmod", "fchmod", "fchmodat",
)  # fmt: skip
"""Calls that change what a disk holds; of those that open, the ones that create."""
_OPENING: Final = {"open", "openat", "openat2"}
_LOADED: Final = (
    *(f"logscrub.cli.{name}" for name in ("ingest", "compact", "expire", "policy")),
    "crawleruseragents", "dateutil.relativedelta", "duckdb", "numba.core.unsafe.bytes", "numba.cpython.hashing",
    "numba.cpython.unicode", "numba.misc.quicksort", "numpy.ma", "typer._adapters", "ua_parser_builtins",
)  # fmt: skip
"""Imported before processes fork. Imports only: nothing may have begun a thread by then."""
_LONGEST: Final = 120.0
_BEGUN = re.compile(r"(\d+) +(\w+)\((.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of a trace.

    Args:
        thread: Who made it.
        name: As strace calls it.
        number: The how many-th of this name in its thread: what strace counts for `when=`.
        text: Its arguments and its result, as strace shows them.
        paths: Those below the traced folder, relative to it; the folder itself is `.`.
    """

    thread: int
    name: str
    number: int
    text: str
    paths: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether it writes below the traced folder."""
        is_read = self.name in _OPENING and "O_CREAT" not in self.text
        return bool(self.paths) and not is_read

    @property
    def failed(self) -> bool:
        """Whether the system refused it, on its own account or because it was told to."""
        return re.search(r"\) += -1 ", self.text) is not None

    @property
    def injected(self) -> bool:
        """Whether it is the one that was made to fail."""
        return "(INJECTED)" in self.text


@dataclass(frozen=True, slots=True)
class Ended:
    """How a piece of work ended.

    Args:
        code: Its exit code; negative for a signal.
        said: What it printed.
        calls: Its calls that change files, and all that open one.
    """

    code: int
    said: str
    calls: tuple[Call, ...] = ()

    @property
    def killed(self) -> bool:
        """Whether it was stopped by SIGKILL."""
        return self.code == -signal.SIGKILL


class _AtOnce:
    """Stands in for a pool of threads: strace counts the calls of each thread for itself."""

    def __init__(self, _workers: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 — handed on to whoever asks for the result
            done.set_exception(error)
        return done


def unavailable() -> str:
    """Why processes cannot be traced here; empty when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-f", "-o", os.devnull, "-e", "inject=fsync:error=EIO:when=1", "true"],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    return "" if done.returncode == 0 else f"tracing is not permitted here: {done.stderr.strip()}"


def run(
    work: Callable[..., int | None],
    *arguments: object,
    root: Path,
    trace: Path | None = None,
    inject: str = "",
) -> Ended:
    """Do a piece of work in a process of its own, and wait for its end.

    Args:
        work: A function of a module that the process can import. What it raises becomes an exit code, as in a command.
        arguments: For it.
        root: Calls that concern nothing in this folder are not looked at.
        trace: Where strace writes; None runs without it.
        inject: For strace, as in `fsync:error=EIO:when=3`.
    """
    context = _context()
    here, there = context.Pipe()
    said = root.parent / f"{root.name}.said"
    process = context.Process(target=_work, args=(there, said, work, arguments))
    process.start()
    there.close()
    try:
        # once it has loaded what it needs, as strace counts from when it attaches
        here.recv()
        tracer = _attach(process.pid or 0, trace, inject) if trace else None
        here.send(None)
        process.join(_LONGEST)
        assert process.exitcode is not None, "it hangs"
    finally:
        process.kill()
        process.join()
        here.close()
    if tracer:
        tracer.communicate(timeout=_LONGEST)
    calls = tuple(_calls(trace, root)) if trace else ()
    return Ended(process.exitcode, said.read_text(errors="replace"), calls)


def _context() -> ForkServerContext:
    """Processes that begin with everything loaded: what takes a second is done once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_LOADED])
    return context


def _work(
    start: Connection, said: Path, work: Callable[..., int | None], arguments: tuple[object, ...]
) -> None:
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    vars(sink)["ThreadPoolExecutor"] = _AtOnce
    vars(dataset)["_GRACE"] = 0.0
    _spare_pandas()
    start.send(None)
    start.recv()
    try:
        code = work(*arguments)
    except BaseException as error:  # noqa: BLE001 — as the command line does
        code = int(error.code or 0) if isinstance(error, SystemExit) else _ended_by(error)
    sys.exit(code)


def _attach(process: int, trace: Path, inject: str) -> subprocess.Popen[str]:
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-s", "0", "-o", trace, "-e", "signal=none",
         "-e", f"trace={','.join(f'?{name}' for name in WRITING)}",
         *(["-e", f"inject={inject}"] if inject else []), "-p", str(process)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr
    said = tracer.stderr.readline()
    assert "attached" in said, said
    return tracer


def _calls(trace: Path, root: Path) -> Iterator[Call]:
    below = re.compile(rf"""["<]{re.escape(str(root))}(?:/([^">]*))?[">]""")
    counts: dict[tuple[str, str], int] = {}
    for thread, name, text in _joined(trace.read_text(errors="replace").splitlines()):
        number = counts[thread, name] = counts.get((thread, name), 0) + 1
        paths = [path or "." for path in below.findall(text)]
        yield Call(int(thread), name, number, text, tuple(paths))


def _joined(lines: list[str]) -> list[list[str]]:
    """`[thread, name, text]` of each call, put together where another thread came in between."""
    found: list[list[str]] = []
    open_ones: dict[str, list[str]] = {}
    for line in lines:
        if match := _BEGUN.match(line):
            found.append(list(match.groups()))
            open_ones[match[1]] = found[-1]
        elif (match := _RESUMED.match(line)) and match[1] in open_ones:
            open_ones[match[1]][2] += match[2]
    return found
