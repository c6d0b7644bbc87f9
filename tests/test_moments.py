"""Time stamps of any spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logscrub.compiled import padded
from logscrub.formats.moments import NONE, read, read_one

if TYPE_CHECKING:
    from collections.abc import Callable

MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
ZONES: Final = ["", "Z", "z", " Z", "+00:00", "+0000", "+00", " UTC", " GMT", "utc", " +0000"]
ODD_ZONES: Final = ["-03:30", " +0545", "-12", "+14:00", "+23:59", "+24:00", "+00:60", " ", "  Z", "+1", " PST", "+1:00"]  # fmt: skip
T = TypeVar("T")
NOW: Final = 1_795_314_601
"""2026-11-22 02:30:01"""


def read_all(texts: list[bytes], between: bytes = b"7") -> list[tuple[int, int] | None]:
    """The texts as fields of a block, with bytes between them that could be a part of a time."""
    ends = np.cumsum([len(text) + len(between) for text in texts], dtype=np.int32) - len(between)
    starts = ends - np.array([len(text) for text in texts], np.int32)
    local, east, bad = read(padded(between.join(texts) + between), starts, ends)
    assert not local[bad].any()
    assert not east[bad].any()
    rows = zip(local.tolist(), east.tolist(), bad.tolist(), strict=True)
    return [None if wrong else (ms, offset) for ms, offset, wrong in rows]


def ms_of(time: datetime) -> int:
    """Milliseconds since 1970 of a naive time, cut."""
    return (time - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 — local


def clock(parts: tuple[int, ...]) -> str:
    hour, minute, second = parts
    return f"{hour:02}:{minute:02}:{second:02}"


def one_of(usual: st.SearchStrategy[T], odd: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Three usual ones for each odd one."""
    return st.sampled_from([usual, usual, usual, odd]).flatmap(lambda strategy: strategy)


years = st.integers(1890, 2110) | st.integers(0, 9999) | st.sampled_from([1899, 1900, 9999, 2000])
real = st.datetimes(datetime(1899, 12, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 — local
dates = one_of(
    real.map(lambda t: (t.year, t.month, t.day)),
    st.tuples(years, st.integers(0, 13), st.integers(0, 32)),
)
clocks = one_of(
    real.map(lambda t: (t.hour, t.minute, t.second)),
    st.tuples(st.integers(0, 25), st.integers(0, 61), st.integers(0, 62)),
).map(clock)
fractions = st.tuples(
    st.sampled_from(".,"), st.text("0123456789", min_size=1, max_size=12) | st.just("")
).map("".join)
fractions = st.just("") | fractions
zones = one_of(st.sampled_from(ZONES), st.sampled_from(ODD_ZONES))
names = one_of(st.sampled_from(MONTHS), st.sampled_from(["nov", "NOV", "nOv", "Nox", "août"]))
days = one_of(st.sampled_from(["Sun", "sun", "MON"]), st.sampled_from(["Xyz", "S1n"]))
weekdays = one_of(st.just("Sun, "), st.sampled_from(["Mon,", "Sun,  ", "Sun ,"]))
digits = st.text("0123456789", min_size=0, max_size=21)

iso = st.builds(
    lambda d, mark, between, c, f, z: f"{d[0]:04}{mark}{d[1]:02}{mark}{d[2]:02}{between}{c}{f}{z}",
    dates, st.sampled_from("----/."), st.sampled_from("TTtt  _"), clocks, fractions, zones,
)  # fmt: skip
common = st.builds(
    lambda d, name, c, f, z: f"{d[2]:02}/{name}/{d[0]:04}:{c}{f}{z}", dates, names, clocks, fractions, zones
)  # fmt: skip
ctime = st.builds(
    lambda w, d, name, c, f, pad, end: f"{w} {name} {d[2]:{pad}} {c}{f} {d[0]:04}{end}",
    days, dates, names, clocks, fractions, st.sampled_from(["2", "02", ""]), one_of(st.just(""), st.sampled_from([" ", "Z"])),
)  # fmt: skip
mail = st.builds(
    lambda w, d, name, c, f, pad, z: f"{w}{d[2]:{pad}} {name} {d[0]:04} {c}{f}{z}",
    weekdays, dates, names, clocks, fractions, st.sampled_from(["", "02"]), zones,
)  # fmt: skip
counts = st.builds(
    lambda a, b, c: a + b + c,
    digits | st.integers(NOW - 10, NOW + 10).map(str),
    st.just("") | digits.map(".{}".format),
    st.just("") | st.builds("{}{}".format, st.sampled_from(["e", "E", "e+", "e-"]), st.integers(0, 120)),
)  # fmt: skip
brackets = one_of(st.sampled_from(["{}", "[{}]"]), st.sampled_from(["[{}", "{}]", "[[{}]]"]))
spelt = st.builds(
    lambda text, around: around.format(text).encode(), iso | common | ctime | mail | counts, brackets
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A time stamp with a byte or two changed, left out or put in."""
    text = bytearray(draw(spelt))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        new = draw(st.sampled_from([b"", *(b"%c" % one for one in b" 09-+:/.,TZeN[]\x00\xce")]))
        text[at : at + draw(st.integers(0, 1))] = new
    return bytes(text)


@given(st.lists(spelt | mutated() | st.binary(max_size=40), min_size=1), st.sampled_from([b"7", b"-", b".", b" ", b""]))  # fmt: skip
@example([b"abc -11-22T02:30:01 2026", b"17e8", b"1", b"", b"[]", b"9" * 5000], b"e")
def test_both_readers_agree(texts: list[bytes], between: bytes) -> None:
    """Whatever the text, and whatever follows it."""
    assert read_all(texts, between) == [read_one(text) for text in texts]


naive = st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 — local
SPELLINGS: Final[list[Callable[[datetime], str]]] = [
    lambda t: t.isoformat(),
    lambda t: t.isoformat(" ", "milliseconds"),
    lambda t: t.isoformat("t", "microseconds").replace(".", ",") + "999",
    lambda t: f"{t.year:04}{t:/%m/%d %H:%M:%S.%f}",
    lambda t: f"{t.day:02}/{MONTHS[t.month - 1]}/{t.year:04}{t::%H:%M:%S.%f}",
    lambda t: f"[{t.day:02}/{MONTHS[t.month - 1].upper()}/{t.year:04}{t::%H:%M:%S.%f}]",
    lambda t: f"Sun {MONTHS[t.month - 1]} {t.day:2} {t:%H:%M:%S.%f} {t.year:04}",
    lambda t: f"Sun, {t.day} {MONTHS[t.month - 1]} {t.year:04} {t:%H:%M:%S.%f}",
]


@given(naive)
def test_every_spelling_of_a_time_is_that_time(time: datetime) -> None:
    """To the millisecond, cut."""
    texts = [spell(time).encode() for spell in SPELLINGS]
    assert read_all(texts) == [(ms_of(time), NONE)] * len(SPELLINGS)


@given(naive.map(lambda t: t.replace(microsecond=0)), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_zones_are_what_the_standard_library_says(time: datetime, minutes: int) -> None:
    """Any offset, as the standard library writes it."""
    aware = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    texts = [aware.isoformat(), f"{aware:%d/%b/}{time.year:04}{aware::%H:%M:%S %z}"]
    if time.year > 1999:
        texts.append(format_datetime(aware))
    assert read_all([text.encode() for text in texts]) == [(ms_of(time), minutes)] * len(texts)


STANDARD: Final = ["", "Z", "+00:00", "+0000", "+00", "-03:30", "+0545", "-12", "+14:00", "+23:59"]


@given(iso)
def test_iso_is_what_the_standard_library_reads(text: str) -> None:
    """What `fromisoformat` accepts is accepted here, and the same, where it is not more lenient than the standard."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return
    tail = text[19:].lstrip(".,0123456789")
    lenient = tail not in STANDARD or text[10] == "_" or text.removesuffix(tail)[-1] in ".,"
    if lenient or time.year < 1900:
        return
    east = (
        NONE if time.tzinfo is None else (time.utcoffset() or timedelta()) // timedelta(minutes=1)
    )
    assert read_one(text.encode()) == (ms_of(time.replace(tzinfo=None)), east)


FORMATS: Final = [
    "%d/%b/%Y:%H:%M:%S %z", "[%d/%b/%Y:%H:%M:%S %z]", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S GMT",
]  # fmt: skip


@given(naive, st.sampled_from(FORMATS))
def test_the_others_are_what_strptime_reads(time: datetime, format_: str) -> None:
    """What `strftime` writes, `strptime` reads as the same."""
    text = time.replace(tzinfo=UTC).strftime(format_)
    found = read_one(text.encode())
    assert found is not None
    assert found[0] == ms_of(datetime.strptime(text, format_).replace(tzinfo=None))  # noqa: DTZ007 — local


@given(st.integers(0, 10**11 - 1), digits.filter(bool))
def test_counts(seconds: int, fraction: str) -> None:
    """Seconds with any fraction, and the same number with an exponent; whole ms, µs and ns."""
    ms = seconds * 1000 + int(fraction.ljust(3, "0")[:3])
    whole = str(seconds)
    texts = [f"{whole}.{fraction}", f"{whole[0]}.{whole[1:]}{fraction}e{len(whole) - 1}"]
    assert read_all([text.encode() for text in texts]) == [(ms, 0)] * 2


@given(st.integers(10**8, 10**11 - 1), st.integers(0, 999_999_999))
def test_magnitudes(seconds: int, nanos: int) -> None:
    """A whole number says by its size what it counts."""
    ms = seconds * 1000 + nanos // 10**6
    if ms >= 10**11:
        assert read_one(b"%d" % ms) == (ms, 0)
        assert read_one(b"%d" % (ms * 1000 + nanos // 1000 % 1000)) == (ms, 0)
    exact_ns = seconds * 10**9 + nanos
    if exact_ns >= 10**17:
        assert read_one(b"%d" % exact_ns) == ((ms, 0) if exact_ns < 2**63 else None)


@pytest.mark.parametrize(
    ("text", "ms", "east"),
    [
        (b"2026-11-22T02:30:01", NOW * 1000, NONE),
        (b"2026-11-22T02:30:01.9759999999Z", NOW * 1000 + 975, 0),
        (b"2026-11-22 02:30:01,9 +0100", NOW * 1000 + 900, 60),
        (b"2026/11/22 02:30:01", NOW * 1000, NONE),
        (b"[22/Nov/2026:02:30:01.971]", NOW * 1000 + 971, NONE),
        (b"22/nov/2026:02:30:01 -0330", NOW * 1000, -210),
        (b"Sun Nov 22 02:30:01 2026", NOW * 1000, NONE),
        (b"Sun Nov 22 02:30:01.123456 2026", NOW * 1000 + 123, NONE),
        (b"Sun, 22 Nov 2026 02:30:01 GMT", NOW * 1000, 0),
        (b"1795314601", NOW * 1000, 0),
        (b"1795314601.975", NOW * 1000 + 975, 0),
        (b"1795314601975", NOW * 1000 + 975, 0),
        (b"1795314601975.9", NOW * 1000 + 975, 0),
        (b"1795314601975999", NOW * 1000 + 975, 0),
        (b"1795314601975999999", NOW * 1000 + 975, 0),
        (b"1.795314601975e+09", NOW * 1000 + 975, 0),
        (b"1.795314601975E12", NOW * 1000 + 975, 0),
        (b"0", 0, 0),
        (b"2016-12-31T23:59:60Z", 1_483_228_799_000, 0),
        (b"1900-01-01T00:00:00Z", -2_208_988_800_000, 0),
        (b"9999-12-31T23:59:59.999Z", 253_402_300_799_999, 0),
        (b"2024-02-29T00:00:00-00:00", 1_709_164_800_000, 0),
    ],
)
def test_known_stamps(text: bytes, ms: int, east: int) -> None:
    """Each spelling with a value known from elsewhere."""
    assert read_one(text) == (ms, east)
    assert read_all([text]) == [(ms, east)]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"-", b"[]", b"-1795314601", b"+1795314601", b"1795314601.", b".5", b"1e", b"1e-5", b"1e100",
        b"9" * 19, b"9" * 20, b"9" * 5000, b"2026-02-31T00:00:00Z", b"2025-02-29T00:00:00Z",
        b"1900-02-29T00:00:00Z", b"2026-00-01T00:00:00Z", b"2026-13-01T00:00:00Z", b"2026-11-00T00:00:00Z",
        b"2026-11-22T24:00:00Z", b"2026-11-22T00:60:00Z", b"2026-11-22T00:00:61Z", b"1899-12-31T23:59:59Z",
        b"2026-11/22T00:00:00Z", b"2026-11-22", b"2026-11-22T00:00Z", b"2026-11-22T00:00:00.Z",
        b"2026-11-22T00:00:00+24:00", b"2026-11-22T00:00:00+00:60", b"2026-11-22T00:00:00 CET",
        b"2026-11-22T00:00:00Z ", b" 2026-11-22T00:00:00Z", b"22/Foo/2026:02:30:01", b"22-Nov-2026:02:30:01",
        b"Sun Nov 22 02:30:01 UTC 2026", b"Sun Nov 22 02:30:01 26", b"Sunday, 22 Nov 2026 02:30:01 GMT",
        b"abc -11-22T02:30:01 2026", b"\xef\xbc\x92026-11-22T02:30:01Z",
    ],
)  # fmt: skip
def test_no_times(text: bytes) -> None:
    """What the calendar, the clock or the spelling does not know."""
    assert read_one(text) is None
    assert read_all([text, b"1795314601"]) == [None, (NOW * 1000, 0)]


def test_nothing() -> None:
    """No rows are no error."""
    assert read_all([]) == []
    assert datetime.fromtimestamp(NOW, UTC).isoformat() == "2026-11-22T02:30:01+00:00"
