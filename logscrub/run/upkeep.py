"""What `follow` does beside following: expiry every day, merging every hour, and a look at the clock."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from logscrub.dataset import opened, sweep
from logscrub.errors import LogscrubError, OverdueError
from logscrub.run.compact import compact
from logscrub.run.expire import expire
from logscrub.run.metrics import kind_of
from logscrub.run.recognise import forget_small

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor
    from pathlib import Path

    from logscrub.dataset import Dataset
    from logscrub.run.batch import Job

HOURLY: Final = 3600.0
AFTER_CLOSURE: Final = 60.0
"""Seconds between two merges when a source was closed in between."""
LEAP: Final = 3600.0
"""Seconds by which a clock may be set without anybody asking why."""
PROBATION: Final = 86_400.0
"""Seconds that a clock must run on after a leap before anything is deleted by it."""


def running() -> float:
    """Seconds on a clock that nobody sets; it goes on while the machine sleeps, where there is such a one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(slots=True)
class Clock:
    """Tells whether the wall clock can be trusted to delete by.

    Args:
        wall: The wall clock.
        steady: A clock that nobody sets.
    """

    wall: Callable[[], datetime]
    steady: Callable[[], float] = running
    trusted_from: float = 0.0
    _base: tuple[datetime, float] = field(init=False)

    def __post_init__(self) -> None:
        self._base = (self.wall(), self.steady())

    def has_leapt(self) -> bool:
        """Whether the clock was set by more than an hour since the last look."""
        wall, steady = self.wall(), self.steady()
        expected = self._base[0] + timedelta(seconds=steady - self._base[1])
        self._base = (wall, steady)
        if abs((wall - expected).total_seconds()) < LEAP:
            return False
        self.trusted_from = steady + PROBATION
        return True

    def is_trusted(self) -> bool:
        """Whether it ran on for a day since it was last set."""
        return self.steady() >= self.trusted_from


@dataclass(slots=True)
class Upkeep:
    """What is done beside following, in a thread of its own.

    Args:
        out: The dataset.
        keys: Key folder, None for the dataset's own.
        clock: The wall clock, and whether it can be trusted.
        tell: Told what was done or went wrong.
        closed: A source was seen to be closed since the last merge.
    """

    out: Dataset
    keys: Path | None
    clock: Clock
    tell: Callable[[str, LogscrubError | None], None]
    closed: bool = False
    merged_at: float = field(default_factory=time.monotonic)
    expired_on: date | None = None
    tried_at: float = 0.0
    last_expiry: datetime | None = None
    overdue: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    _under_way: Future[None] | None = None

    def dated(self, job: Job) -> Job:
        """The job, now."""
        return replace(job, now=self.clock.wall())

    def turn(self, job: Job, aside: ThreadPoolExecutor) -> None:
        """Begin what is due; called often, and never waits."""
        if self._under_way and not self._under_way.done():
            return
        self._under_way = None
        if self.clock.has_leapt():
            self.errors["clock"] += 1
            self.tell(
                "the clock was set by more than an hour: follow deletes nothing for a day", None
            )
        now = time.monotonic()
        today = self.dated(job).today
        if (
            self.expired_on != today
            and self.clock.is_trusted()
            and now - self.tried_at >= AFTER_CLOSURE
        ):
            self.tried_at = now
            self._under_way = aside.submit(self._guarded, lambda: self._expire(today))
        elif now - self.merged_at >= (AFTER_CLOSURE if self.closed else HOURLY):
            self.closed, self.merged_at = False, now
            self._under_way = aside.submit(self._guarded, self._merge)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as caught:  # noqa: BLE001 — nobody asks the thread for it
            error = (
                caught
                if isinstance(caught, LogscrubError)
                else LogscrubError(
                    f"upkeep failed ({type(caught).__name__})", hint="please report this line"
                )
            )
            self.overdue = max(self.overdue, 1) if isinstance(error, OverdueError) else self.overdue
            self.errors[kind_of(error)] += 1
            self.tell(error.what, error)

    def _expire(self, today: date) -> None:
        now = self.clock.wall()
        done = expire(self.out, now=now, keys=self.keys)
        self.expired_on, self.last_expiry, self.overdue = today, now, 0
        if done.deleted:
            self.tell(f"deleted {done.deleted} segments that were due", None)

    def _merge(self) -> None:
        now = self.clock.wall().astimezone(UTC)
        # by a clock that was set, what was seen a minute ago is long gone
        if self.clock.is_trusted():
            self._forget(now)
        done = compact(self.out, stamp=_stamp(now))
        sweep(self.out)
        if done.before:
            self.tell(f"merged {done.before} segments into {done.after}", None)

    def _forget(self, now: datetime) -> None:
        with opened(self.out) as ledger:
            recently = _stamp(now - timedelta(seconds=HOURLY))
            forget_small(ledger, spare=lambda one: one.last_seen >= recently)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
