"""Spans of calendar time: how long something is kept, and which of two spans is the shorter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from logscrub.errors import PolicyError

MOST_MONTHS = 1_200
MOST_DAYS = 36_525
"""A century. Whoever writes more means "for ever", which no policy here can say."""

_WORDS = re.compile(r"([0-9]{1,5}) (day|month)s?")
_MONTHS_OF_ALL_YEARS = 4_800
"""The Gregorian calendar repeats after 400 years."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole calendar months, or of days; both at once have no one meaning, so they are refused.

    Args:
        months: Calendar months, 0 or more.
        days: Days, 0 or more.

    Raises:
        PolicyError: A part is negative, or both are set.

    >>> str(Period(months=12)), str(Period(days=1))
    ('12 months', '1 day')
    """

    months: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        if self.months < 0 or self.days < 0 or (self.months and self.days):
            raise PolicyError(
                "a period is a number of months or a number of days",
                hint='write it as "12 months" or "90 days"',
            )

    def __str__(self) -> str:
        count, word = (self.months, "month") if self.months else (self.days, "day")
        return f"{count} {word}" + ("" if count == 1 else "s")

    def __bool__(self) -> bool:
        return bool(self.months or self.days)

    @property
    def shortest(self) -> int:
        """The fewest days it can last, whenever it starts."""
        return min(_lengths(self.months)) if self.months else self.days

    @property
    def longest(self) -> int:
        """The most days it can last, whenever it starts."""
        return max(_lengths(self.months)) if self.months else self.days

    def within(self, other: Period) -> bool:
        """Whether it never lasts longer than `other`, on whatever day both start.

        >>> Period(days=365).within(Period(months=12)), Period(days=30).within(Period(months=1))
        (True, False)
        """
        if self.months and other.months:
            return self.months <= other.months
        return self.longest <= other.shortest


def read_period(text: str) -> Period | None:
    """The period that a text such as `12 months` or `1 day` means, or None when it is no such text."""
    found = _WORDS.fullmatch(text)
    if found is None:
        return None
    count = int(found[1])
    return Period(months=count) if found[2] == "month" else Period(days=count)


@cache
def _lengths(months: int) -> tuple[int, ...]:
    """How many days that many months last, from every month of the calendar.

    Where the day is clamped (31 January + 1 month), the span is again a run of whole months, one later:
    so these sums hold the shortest and the longest span of all.
    """
    ends = [0, *accumulate(_days_of(i) for i in range(_MONTHS_OF_ALL_YEARS + months))]
    return tuple(ends[i + months] - ends[i] for i in range(_MONTHS_OF_ALL_YEARS))


def _days_of(month: int) -> int:
    year, index = divmod(month, 12)
    if index == 1:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if index in {3, 5, 8, 10} else 31
