"""`follow`: live files into a dataset, through rotation, until stopped.

A file is read by its descriptor (`follow.Tail`) into a stream that is committed every few seconds. What is committed
and how far it reaches is one transaction of the ledger, so a restart goes on exactly there: it finds each source by its
bytes (`run.adopt`), whatever it is called by then.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from logscrub.dataset import locked, publish
from logscrub.errors import BusyError, FullError, LogscrubError, PolicyChangedError
from logscrub.run.adopt import discover
from logscrub.run.following import (
    close,
    commit_all,
    complain,
    flush,
    guarded,
    is_over,
    make_room,
    read,
)
from logscrub.run.pipe import PATIENCE

if TYPE_CHECKING:
    from logscrub.run.batch import Job
    from logscrub.run.following import Following

_TICK: Final = 0.25
_LOCK_WAIT: Final = 60.0
_FIRST_PAUSE: Final = 1.0
_LAST_PAUSE: Final = 60.0


def follow(state: Following) -> None:
    """Run until stopped; then commit what was read."""
    with ThreadPoolExecutor(1) as aside:
        while not state.watch.stop():
            began, state.hurry = time.monotonic(), False
            try:
                if began >= state.paused_until:
                    turn(state)
            except PolicyChangedError:
                _reload(state)
            except (FullError, BusyError) as error:
                _pause(state, error)
            state.upkeep.turn(state.job, aside)
            state.watch.beat(state)
            if not state.hurry:
                time.sleep(max(0.0, _TICK - (time.monotonic() - began)))
        try:
            commit_all(state)
        finally:
            for one in list(state.files.values()):
                one.stream.drop()
                one.tail.close()


def turn(state: Following) -> None:
    """Look, read what there is, and commit what has waited long enough."""
    if state.pause:
        with locked(state.out, "lock", wait=_LOCK_WAIT):
            publish(state.out, state.ledger, stamp=state.upkeep.dated(state.job).stamp)
    if job := _reloaded(state, must=False):
        commit_all(state)
        _use(state, job)
    discover(state)
    for one in list(state.files.values()):
        guarded(state, one, read)
    now = time.monotonic()
    for one in list(state.files.values()):
        if one.oldest is not None and now - one.oldest >= state.flush * PATIENCE:
            guarded(state, one, flush)
        if one.oldest is None and is_over(one, now):
            guarded(state, one, close)
    make_room(state, now)
    if state.pause and now >= state.paused_until:
        state.pause = 0.0
        state.watch.tell("going on where it stopped", None)


def _pause(state: Following, error: LogscrubError) -> None:
    """Nothing can be written: drop what waits, and read it again later."""
    if not state.pause:
        complain(state, error)
    _wait(state)
    _rewind(state)


def _wait(state: Following) -> None:
    state.pause = min(max(2 * state.pause, _FIRST_PAUSE), _LAST_PAUSE)
    state.paused_until = time.monotonic() + state.pause


def _rewind(state: Following) -> None:
    for one in state.files.values():
        one.stream.rewind()
        one.tail.rewind(one.stream.committed)
        one.oldest = None


def _reload(state: Following) -> None:
    _rewind(state)
    if job := _reloaded(state, must=True):
        _use(state, job)
    else:
        _wait(state)


def _reloaded(state: Following, *, must: bool) -> Job | None:
    """The job anew; None when that was not asked for, or is not possible: then the old one goes on."""
    try:
        return state.watch.reload(must)
    except LogscrubError as error:
        complain(state, error)
        return None


def _use(state: Following, job: Job) -> None:
    state.job = job
    for one in state.files.values():
        one.stream.job = job
    state.watch.tell(f"the policy is {job.policy.name} now", None)
