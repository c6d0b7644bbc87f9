"""Several files at the same time: processes of their own that only stage; their parent commits."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from logscrub.errors import LogscrubError
from logscrub.machine import keep_freed_memory
from logscrub.run.staging import stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.synchronize import Event

    from logscrub.run.batch import Job, Outcome
    from logscrub.source import Input

_work: list[tuple[Job, Event]] = []
"""In a worker: the run, whose transform remembers what the files before held, and what ends the reading."""


def stage_together(
    inputs: Sequence[Input], job: Job, *, workers: int, stop: Callable[[], bool]
) -> Iterator[Outcome]:
    """Stage files side by side.

    Args:
        inputs: Files that have nothing to do with one another.
        job: The run.
        workers: Processes.
        stop: Asked while waiting; True ends the reading, and what was read counts.

    Yields:
        Outcomes in the order of the inputs; of a stopped run only those of files that were begun.

    Raises:
        LogscrubError: A worker died.
    """
    # spawn: forking a process that runs threads of Arrow and Polars can hang the child
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    with ProcessPoolExecutor(workers, context, _begin, (job, ended)) as pool:
        futures = [pool.submit(_stage, one) for one in inputs]
        for future in futures:
            while not future.done():
                wait([future], timeout=0.2)
                if stop() and not ended.is_set():
                    ended.set()
                    for waiting in futures:
                        waiting.cancel()
            if future.cancelled():
                continue
            try:
                yield future.result()
            except BrokenProcessPool:
                raise LogscrubError(
                    "a worker ended unexpectedly", hint="a smaller --jobs needs less memory"
                ) from None


def _begin(job: Job, ended: Event) -> None:
    # Ctrl-C reaches the whole group of processes; the parent alone decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    keep_freed_memory()
    # what is loaded stays, as in the parent
    gc.freeze()
    _work.append((job, ended))


def _stage(one: Input) -> Outcome:
    job, ended = _work[-1]
    return stage(one, job, stop=ended.is_set)
