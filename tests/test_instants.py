"""Time stamps become instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.errors import FormatError
from logscrub.formats import instants, parse, stamps
from logscrub.formats.catalogue import resolve
from logscrub.formats.lines import lines_of, split
from logscrub.schema import Block, Raw, Reason

MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
ALL: Final = frozenset(Raw)


def read(apache: str, *times: str, zone: str | None = None) -> list[str | None]:
    """The instants of lines that hold nothing but a time and a status."""
    text = "".join(f"{time} 200\n" for time in times)
    found = parse(Block.of(text.encode(), offset=0), resolve(f"{apache} %>s"), ALL, zone=zone)
    assert found.rejects.by_reason().keys() <= {Reason.TIME}
    return [time.isoformat() for time in found.columns[Raw.TIME].to_pylist()]


@given(
    st.lists(
        st.datetimes(datetime(1971, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001 — local
        min_size=1,
        max_size=20,
    ),
    st.integers(-14 * 60, 14 * 60),
)
def test_clf_is_what_the_standard_reader_says(times: list[datetime], minutes: int) -> None:
    """Any date with any offset is the same instant in UTC."""
    east = timezone(timedelta(minutes=minutes))
    aware = [time.replace(microsecond=0, tzinfo=east) for time in times]
    texts = [f"[{t:%d}/{MONTHS[t.month - 1]}/{t.year:04}:{t:%H:%M:%S %z}]" for t in aware]
    assert read("%t", *texts) == [time.astimezone(UTC).isoformat() for time in aware]


@pytest.mark.parametrize(
    ("apache", "text", "instant"),
    [
        ("%{%s}t", "1795314601", "2026-11-22T02:30:01+00:00"),
        ("%{%s}t", "999999999", "2001-09-09T01:46:39+00:00"),
        ("%{msec}t", "1795314601975", "2026-11-22T02:30:01.975000+00:00"),
        ("%{usec}t", "1795314601975999", "2026-11-22T02:30:01.975000+00:00"),
        ("%{sec}t.%{msec_frac}t", "1795314601.975", "2026-11-22T02:30:01.975000+00:00"),
        ("%{sec}t%{usec_frac}t", "1795314601975000", "2026-11-22T02:30:01.975000+00:00"),
        ("%{%F %T}t %{%z}t", "2026-11-22 02:30:01 -0330", "2026-11-22T06:00:01+00:00"),
        ("%{%FT%T%z}t", "2026-11-22T02:30:01Z", "2026-11-22T02:30:01+00:00"),
        ("%{%FT%T%z}t", "2026-11-22T02:30:01+05:30", "2026-11-21T21:00:01+00:00"),
        (
            "%{%e %B %Y %I:%M:%S %p %z}t",
            " 1 May 2026 12:05:00 AM +0000",
            "2026-05-01T00:05:00+00:00",
        ),
        ("%{%a, %d %b %y %r %z}t", "Fri, 01 may 69 12:05:00 pm +0000", "1969-05-01T12:05:00+00:00"),
        ("%{%Y %j %H:%M %z}t", "2024 366 23:59 +0000", "2024-12-31T23:59:00+00:00"),
        ("%{%F %T %Z %z}t", "2026-11-22 02:30:01 XYZ +0100", "2026-11-22T01:30:01+00:00"),
        ("%t", "[31/Dec/2016:23:59:60 +0000]", "2016-12-31T23:59:59+00:00"),
        ("%t", "[29/Feb/2024:00:00:00 +0000]", "2024-02-29T00:00:00+00:00"),
    ],
)
def test_every_token(apache: str, text: str, instant: str) -> None:
    """Each token is read, alone and beside lines with another spelling."""
    assert read(apache, text) == [instant]


@pytest.mark.parametrize(
    "text",
    [
        "[31/Feb/2026:00:00:00 +0000]",
        "[29/Feb/2025:00:00:00 +0000]",
        "[00/Nov/2026:00:00:00 +0000]",
        "[22/Nov/2026:24:00:00 +0000]",
        "[22/Nov/2026:00:60:00 +0000]",
        "[22/Nov/2026:00:00:61 +0000]",
        "[22/Nov/2026:00:00:00 +2400]",
        "[22/Nov/2026:00:00:00 +0060]",
        "[22/Nov/0000:00:00:00 +0000]",
        "[22/Nox/2026:00:00:00 +0000]",
        "[22/Xov/2026:00:00:00 +0000]",
    ],
)
def test_no_such_time(text: str) -> None:
    """What has the shape of a time and is none is a reject, not a guess."""
    assert read("%t", text, "[22/Nov/2026:02:30:01 +0000]") == ["2026-11-22T02:30:01+00:00"]


def test_an_hour_that_occurs_twice_is_the_earlier_one() -> None:
    """When the clock is set back, a local time without an offset means its first occurrence."""
    got = read(
        "%{%F %T}t",
        "2026-10-25 01:59:59",
        "2026-10-25 02:30:00",
        "2026-10-25 03:00:00",
        zone="Europe/Berlin",
    )
    assert got == [
        "2026-10-24T23:59:59+00:00",
        "2026-10-25T00:30:00+00:00",
        "2026-10-25T02:00:00+00:00",
    ]


def test_an_offset_in_the_line_tells_both_hours_apart() -> None:
    """With an offset, the hour that occurs twice is two hours, whatever the zone given."""
    got = read(
        "%t", "[25/Oct/2026:02:30:00 +0200]", "[25/Oct/2026:02:30:00 +0100]", zone="Asia/Tokyo"
    )
    assert got == ["2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"]


@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)), min_size=1))  # noqa: DTZ001 — local
def test_zones_are_those_of_the_standard_library(times: list[datetime]) -> None:
    """Local times are read as `zoneinfo` does, first occurrence first."""
    texts = [f"{t:%Y-%m-%d %H:%M:%S}" for t in times]
    zone = ZoneInfo("America/New_York")
    want = [
        t.replace(microsecond=0, fold=0, tzinfo=zone).astimezone(UTC).isoformat() for t in times
    ]
    assert read("%{%F %T}t", *texts, zone="America/New_York") == want


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../etc/passwd", "a\0b"])
def test_a_zone_that_is_none(zone: str | None) -> None:
    """Without a zone, or with one there is none of, the format does not fit."""
    with pytest.raises(FormatError):
        read("%{%F %T}t", "2026-10-25 01:59:59", zone=zone)


@given(
    st.lists(
        st.sampled_from(
            [
                "[22/Nov/2026:02:30:01 +0000]",
                "[22/Nov/2026:02:30:60 -0330]",
                "[31/Apr/2026:02:30:01 +05:30]",
                "[01/dec/1970:00:00:00 Z]",
                "[01/Foo/1970:00:00:00 Z]",
            ]
        ),
        min_size=1,
    )
)
def test_both_readers_agree(texts: list[str]) -> None:
    """Time stamps read all at once and one by one have the same parts."""
    (of,) = resolve("%t %>s").layouts
    tokens = of.fields[0].time
    block = Block.of("".join(f"{text} 200\n" for text in texts).encode(), offset=0)
    found = split(lines_of(block), of)
    parts, bad = instants._parts(found.data, found.starts[0], found.ends[0], tokens, certain=True)
    for i, text in enumerate(texts):
        one = stamps.read(text.encode(), tokens) or stamps.read(text[1:-1].encode(), tokens)
        assert bad[i] == (one is None)
        assert one is None or one == {name: int(column[i]) for name, column in parts.items()}
