"""Retention: calendar arithmetic and the plan of an expiry."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.errors import PolicyError
from logscrub.policy import Period, Policy, Retention
from logscrub.records import Segment
from logscrub.retention import (
    Plan,
    add_months,
    closure_of,
    due_date,
    local_day,
    plan,
)

dates = st.dates(dt.date(1999, 1, 1), dt.date(2105, 12, 31))
periods = st.integers(1, 400).map(lambda n: Period(days=n)) | st.integers(1, 60).map(
    lambda n: Period(months=n)
)
policies = periods.map(lambda period: Policy("a policy", "a reason", Retention(period)))
segments = st.lists(
    st.builds(
        Segment,
        sources=st.just((("source", 1),)),
        bytes=st.just(1),
        sha256=st.just(""),
        policy=st.just(""),
        state=st.just("published"),
        name=st.uuids().map(lambda one: f"{one}.parquet"),
        due=dates,
        date=dates,
        closure=dates,
        rows=st.integers(0, 10**9),
    ),
    max_size=8,
    unique_by=lambda segment: segment.name,
)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def year() -> Policy:
    return Policy("a policy", "a reason", Retention(Period(months=12)))


def state(**changes: str) -> Segment:
    days = {key: day(changes[key]) for key in ("due", "closure")}
    return Segment(
        name="a.parquet", sources=(("source", 1),), date=days["closure"], rows=1, bytes=1, sha256="", policy="",
        state="published", **days,
    )  # fmt: skip


def decided(result: Plan) -> list[Segment]:
    return [decision.segment for decision in (*result.remove, *result.keep)]


# --- calendar ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        # dateutil.relativedelta, pandas.DateOffset and DuckDB's INTERVAL give the same
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2023-02-28", 12, "2024-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2023-01-31", 1, "2023-02-28"),
        ("2023-01-31", 2, "2023-03-31"),
        ("2026-11-22", 12, "2027-11-22"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2099-02-28", 12, "2100-02-28"),
        ("2096-02-29", 48, "2100-02-28"),
        ("2026-11-30", 0, "2026-11-30"),
        ("9999-06-30", 12, "9999-12-31"),
    ],
)
def test_months_are_clamped_at_month_ends(start: str, months: int, end: str) -> None:
    """The same day, or the last of the month where there is none."""
    assert add_months(day(start), months) == day(end)


@given(dates, st.integers(0, 1200))
def test_months_land_in_the_right_month(start: dt.date, months: int) -> None:
    """Exactly that many months on, and never on a later day of the month."""
    end = add_months(start, months)
    assert (end.year - start.year) * 12 + end.month - start.month == months
    assert end.day <= start.day
    assert end.day == start.day or (end + dt.timedelta(days=1)).day == 1


@given(dates, dates, periods)
def test_due_dates_keep_their_order(one: dt.date, other: dt.date, period: Period) -> None:
    """What closed earlier is due no later."""
    first, second = sorted((one, other))
    assert due_date(first, period) <= due_date(second, period)


@given(dates, periods)
def test_periods_last_as_long_as_they_say(closure: dt.date, period: Period) -> None:
    """The days between closure and due lie within the period's shortest and longest."""
    assert period.shortest <= (due_date(closure, period) - closure).days <= period.longest


@given(dates, periods, periods)
def test_a_period_within_another_is_due_no_later(
    closure: dt.date, one: Period, other: Period
) -> None:
    """Period.within means what it says on every day, and is not just always false."""
    if one.within(other):
        assert due_date(closure, one) <= due_date(closure, other)
    assert one.within(other) or other.within(one) or bool(one.months) != bool(other.months)


def test_the_calendar_ends() -> None:
    """Nothing overflows at its last day."""
    assert due_date(dt.date.max, Period(days=1)) == dt.date.max
    assert due_date(dt.date.max, Period(months=1)) == dt.date.max


@pytest.mark.parametrize(
    ("instant", "timezone", "expected"),
    [
        ("2025-01-01T00:30:00+00:00", "UTC", "2025-01-01"),
        ("2025-01-01T00:30:00+00:00", "America/New_York", "2024-12-31"),
        ("2025-01-01T00:30:00+00:00", "Asia/Hong_Kong", "2025-01-01"),
        ("2025-01-01T15:59:59+00:00", "Asia/Hong_Kong", "2025-01-01"),
        ("2025-01-01T16:00:00+00:00", "Asia/Hong_Kong", "2025-01-02"),
        # both changes of summer time: midnight in Brussels is 23:00 UTC in winter, 22:00 UTC in summer
        ("2026-03-28T22:59:59+00:00", "Europe/Brussels", "2026-03-28"),
        ("2026-03-28T23:00:00+00:00", "Europe/Brussels", "2026-03-29"),
        ("2026-03-29T21:59:59+00:00", "Europe/Brussels", "2026-03-29"),
        ("2026-03-29T22:00:00+00:00", "Europe/Brussels", "2026-03-30"),
        ("2026-10-25T22:59:59+00:00", "Europe/Brussels", "2026-10-25"),
        ("2026-10-25T23:00:00+00:00", "Europe/Brussels", "2026-10-26"),
        ("1969-12-31T23:59:59+00:00", "UTC", "1969-12-31"),
    ],
)
def test_days_are_those_of_the_zone(instant: str, timezone: str, expected: str) -> None:
    """The calendar day where the policy says, through both changes of summer time."""
    milliseconds = int(dt.datetime.fromisoformat(instant).timestamp()) * 1000
    assert local_day(milliseconds, timezone) == day(expected)
    assert local_day(milliseconds + 999, timezone) == day(expected)


def test_times_beyond_the_calendar_are_its_ends() -> None:
    """A time stamp of no year is not an error: `closure_of` then takes today."""
    assert local_day(2**62, "UTC") == dt.date.max
    assert local_day(-(2**62), "UTC") == dt.date.min
    assert local_day(253402300799000, "Asia/Hong_Kong") == dt.date.max


def test_unknown_zones_are_refused() -> None:
    """A zone that is not in the database is an error of the policy."""
    with pytest.raises(PolicyError, match="unknown time zone"):
        local_day(0, "Mars/Olympus")


# --- closure -------------------------------------------------------------------------------------


@given(dates, dates, st.none() | dates)
def test_closure_is_never_later_than_anything_known(
    newest: dt.date, now: dt.date, closed_at: dt.date | None
) -> None:
    """Not later than the newest event, than now, or than what the operator says; later words change nothing."""
    found = closure_of(newest, now=now, closed_at=closed_at)
    assert found == min(day for day in (newest, now, closed_at) if day is not None)


# --- plan ----------------------------------------------------------------------------------------


@given(segments, policies, dates, st.data())
def test_remove_and_keep_partition_the_input(
    states: list[Segment], policy: Policy, today: dt.date, data: st.DataObject
) -> None:
    """Each segment is decided once, in order, with one line of reason; held ones stay."""
    held = frozenset(one.name for one in states if data.draw(st.booleans()))
    result = plan(states, policy, today, held=held)
    assert sorted(one.name for one in decided(result)) == sorted(one.name for one in states)
    for part in (result.remove, result.keep):
        order = [states.index(decision.segment) for decision in part]
        assert order == sorted(order)
    assert not held & {decision.segment.name for decision in result.remove}
    for decision in (*result.remove, *result.keep):
        segment = decision.segment
        assert decision.due == min(segment.due, due_date(segment.closure, policy.retention.period))
        assert decision.overdue_days == max((today - decision.due).days, 0)
        assert decision.reason
        assert "\n" not in decision.reason
    assert all(decision.due <= today for decision in result.remove)
    assert all(decision.due > today or decision.segment.name in held for decision in result.keep)


@given(segments, policies, dates, st.integers(0, 4000))
def test_a_later_day_never_shrinks_remove(
    states: list[Segment], policy: Policy, today: dt.date, later: int
) -> None:
    """What is due stays due."""
    now = plan(states, policy, today)
    then = plan(states, policy, today + dt.timedelta(days=later))
    assert {one.segment.name for one in now.remove} <= {one.segment.name for one in then.remove}


@given(segments, policies, policies, dates)
def test_a_policy_only_brings_forward(
    states: list[Segment], one: Policy, other: Policy, today: dt.date
) -> None:
    """A shorter period removes no less, and no policy keeps a segment past the day fixed at ingest."""
    removed = [{d.segment.name for d in plan(states, p, today).remove} for p in (one, other)]
    if one.retention.period.within(other.retention.period):
        assert removed[0] >= removed[1]
    fixed = {segment.name for segment in states if segment.due <= today}
    assert all(fixed <= part for part in removed)


@pytest.mark.parametrize(
    ("changes", "today", "is_removed", "overdue", "reason"),
    [
        (
            {"due": "2027-11-22", "closure": "2026-11-22"}, "2027-11-21", False, 0,
            "due on 2027-11-22 (closed on 2026-11-22 + 12 months)",
        ),
        (
            {"due": "2027-11-22", "closure": "2026-11-22"}, "2027-11-22", True, 0,
            "due on 2027-11-22 (closed on 2026-11-22 + 12 months)",
        ),
        (
            {"due": "2027-11-22", "closure": "2026-11-22"}, "2027-11-23", True, 1,
            "due on 2027-11-22 (closed on 2026-11-22 + 12 months), 1 day overdue",
        ),
        (
            {"due": "2026-12-22", "closure": "2026-11-22"}, "2027-01-01", True, 10,
            "due on 2026-12-22 (closed on 2026-11-22, fixed at ingest), 10 days overdue",
        ),
        (
            {"due": "2028-11-22", "closure": "2026-11-22"}, "2027-11-22", True, 0,
            "due on 2027-11-22 (closed on 2026-11-22 + 12 months)",
        ),
        (
            {"due": "2025-02-28", "closure": "2024-02-29"}, "2025-02-28", True, 0,
            "due on 2025-02-28 (closed on 2024-02-29 + 12 months)",
        ),
    ],
)  # fmt: skip
def test_decisions_say_why(
    changes: dict[str, str],
    today: str,
    is_removed: bool,  # noqa: FBT001 — a column of the table above
    overdue: int,
    reason: str,
) -> None:
    """Gone at the start of the due day; the earlier of two due dates counts; the reason is one plain line."""
    result = plan([state(**changes)], year(), day(today))
    assert bool(result.remove) == is_removed
    (decision,) = (*result.remove, *result.keep)
    assert (decision.overdue_days, decision.reason) == (overdue, reason)


def test_a_hold_keeps_and_says_so() -> None:
    """What a legal hold keeps is not removed, and its overdue days still count."""
    segment = state(due="2027-11-22", closure="2026-11-22")
    result = plan([segment], year(), day("2027-12-02"), held=frozenset({"a.parquet"}))
    assert not result.remove
    (decision,) = result.keep
    assert decision.reason.startswith("kept by a legal hold; due on 2027-11-22")
    assert decision.overdue_days == 10
