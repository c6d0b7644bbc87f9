"""When rows must be gone: calendar arithmetic, and the plan of an expiry as a value with its reasons in it.

The rules are section 7 of the design: months count once from the closure date and are clamped at month ends;
whatever is due goes at the start of that day, which is never late under either reading of "at most 12 months".
"""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logscrub.policy import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logscrub.policy import Period, Policy
    from logscrub.records import Segment

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one segment, and why.

    Args:
        segment: Which.
        due: The day on which it must be gone: the earlier of what was fixed at ingest and what the policy now says.
        overdue_days: Days since `due`; 0 on the day itself and before.
        reason: One line in plain words.
    """

    segment: Segment
    due: dt.date
    overdue_days: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Every segment exactly once, in the order given."""

    remove: tuple[Decision, ...]
    keep: tuple[Decision, ...]


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day of the month, that many months later; the last day of that month where it has no such day.

    Ends at the last day of the calendar, 9999-12-31.

    >>> add_months(dt.date(2024, 2, 29), 12)
    datetime.date(2025, 2, 28)
    """
    years, index = divmod(day.month - 1 + months, 12)
    year = day.year + years
    if year > dt.MAXYEAR:
        return dt.date.max
    month = index + 1
    return dt.date(year, month, min(day.day, monthrange(year, month)[1]))


def due_date(closure: dt.date, period: Period) -> dt.date:
    """The day at whose start rows of a log file closed on `closure` must be gone."""
    start = add_months(closure, period.months)
    return start + dt.timedelta(days=min(period.days, (dt.date.max - start).days))


def local_day(instant_ms_utc: int, timezone: str) -> dt.date:
    """The calendar day of an instant in a time zone.

    Args:
        instant_ms_utc: Milliseconds since 1970-01-01T00:00Z. Beyond the calendar its first or last day is meant.
        timezone: IANA name.

    Raises:
        PolicyError: There is no such time zone.

    >>> [local_day(1735691400000, name).day for name in ("UTC", "America/New_York")]
    [1, 31]
    """
    where = zone(timezone)
    try:
        return (_EPOCH + dt.timedelta(milliseconds=instant_ms_utc)).astimezone(where).date()
    except OverflowError:
        return dt.date.max if instant_ms_utc > 0 else dt.date.min


def closure_of(newest_event: dt.date, *, now: dt.date, closed_at: dt.date | None) -> dt.date:
    """The closure date that counts: a log file cannot have closed before its last line.

    Args:
        newest_event: The day of the newest event in the source.
        now: Today; a time stamp from the future does not lengthen the keeping.
        closed_at: What the operator says; a later date has no effect.
    """
    return min(newest_event, now, closed_at or now)


def plan(
    segments: Sequence[Segment],
    policy: Policy,
    today: dt.date,
    *,
    held: frozenset[str] = frozenset(),
) -> Plan:
    """What is removed today and what is kept, segment by segment.

    Args:
        segments: All of a dataset.
        policy: What the policy now says; it can bring a due date forward, never back.
        today: The day in the policy's time zone, see `local_day`.
        held: Names that a legal hold keeps.
    """
    decided = [(segment.name in held, _decide(segment, policy, today)) for segment in segments]
    remove = tuple(one for is_held, one in decided if one.due <= today and not is_held)
    keep = tuple(
        _held(one) if is_held else one for is_held, one in decided if is_held or one.due > today
    )
    return Plan(remove, keep)


def _decide(segment: Segment, policy: Policy, today: dt.date) -> Decision:
    period = policy.retention.period
    says_now = due_date(segment.closure, period)
    due = min(segment.due, says_now)
    if due == says_now:
        source = f"closed on {segment.closure} + {period}"
    else:
        source = f"closed on {segment.closure}, fixed at ingest"
    overdue = max((today - due).days, 0)
    days = f"{overdue} day{'' if overdue == 1 else 's'}"
    late = f", {days} overdue" if overdue else ""
    return Decision(segment, due, overdue, f"due on {due} ({source}){late}")


def _held(decision: Decision) -> Decision:
    return Decision(
        decision.segment,
        decision.due,
        decision.overdue_days,
        f"kept by a legal hold; {decision.reason}",
    )
