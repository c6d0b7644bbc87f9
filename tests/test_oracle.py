"""`apachelogs`, which others wrote, reads the same lines in the same formats and finds the same values.

Where the two differ has a name here: `MEANS` for what logscrub makes of a value, `LOOSE` for lines that nobody can read
for certain, `fits` for numbers that have no place in their column, `theirs` and `moment` for what apachelogs cannot do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest
from apachelogs import InvalidEntryError, LogParser  # type: ignore[import-untyped]
from hostile import Row, asked, rows, target, text
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import escaped

from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.formats.layout import Escape
from logscrub.schema import Block, Raw, Reason

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ALL: Final = frozenset(Raw)
REQUEST: Final = (Raw.METHOD, Raw.PATH, Raw.QUERY, Raw.PROTOCOL)

_NASTY: Final = (
    b'"', b"\\", b'\\"', b'" ', b' "', b"-", b" - ", b"] ", b" [", b"|", b"\t", b"\n", b"\r\n", b"\x00", b"\xff",
    "é日🦀".encode(), b"\\x41", b"?", b"#", b"%20", b" 200 1 ", b"[22/Nov/2026:02:30:01 +0000]", b"/a", b"HTTP/1.1", b"GET ",
)  # fmt: skip
_TEXT: Final = st.one_of(
    st.sampled_from((b"", b"-", b"Mozilla/5.0 (X11)", b"https://ref.example/?q=1")),
    st.lists(st.one_of(st.sampled_from(_NASTY), st.binary(max_size=3)), max_size=5).map(b"".join),
)
_TARGET: Final = _TEXT.map(lambda value: b"/" + value)
# httpd takes a request apart at blanks, so a query never has one
_QUERY: Final = st.one_of(
    st.just(b""), _TEXT.map(lambda value: b"?" + value.replace(b" ", b"").partition(b"#")[0])
)
_LINE: Final = st.one_of(
    _TEXT,
    st.tuples(
        st.sampled_from((b"GET", b"POST", b"FOO-BAR", b"get", b"G@T", b"CONNECT")),
        st.one_of(_TARGET, st.sampled_from((b"*", b"shop.example:443", b"http://u:p@shop.example/"))),
        st.sampled_from((b"HTTP/1.1", b"HTTP/0.9", b"HTTP/", b"HTTP/1.1\n", b"FTP/1")),
    ).map(b" ".join),
)  # fmt: skip
_WORD: Final = st.one_of(
    st.sampled_from((b"-", b"GET", b"HTTP/1.1", b"shop.example", b"x\xff", b"a\\b", b"x\x00")),
    st.text("abcXYZ019.-_/@", min_size=1, max_size=12).map(str.encode),
)
_ADDRESS: Final = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.just("2001:db8::192.0.2.1")
).map(str.encode)


def _number(top: int) -> SearchStrategy[bytes]:
    return st.one_of(st.integers(0, top), st.integers(0, 600)).map(lambda number: b"%d" % number)


_STATUS: Final = st.integers(100, 999).map(lambda number: b"%d" % number)


@dataclass(frozen=True, slots=True)
class Directive:
    """What a directive logs.

    Args:
        values: What Apache has for it.
        raw: What logscrub reads from it; None where it drops it.
        rank: The lowest counts, where several give the same.
    """

    values: SearchStrategy[bytes]
    raw: Raw | None = None
    rank: int = 0


DIRECTIVES: Final[dict[str, Directive]] = {
    "%a": Directive(_ADDRESS, Raw.ADDRESS),
    "%h": Directive(_ADDRESS, Raw.ADDRESS, 1),
    "%m": Directive(_WORD, Raw.METHOD, 2),
    "%U": Directive(_TARGET, Raw.PATH, 2),
    "%>U": Directive(_TARGET, Raw.PATH, 3),
    "%q": Directive(_QUERY, Raw.QUERY, 2),
    "%H": Directive(_WORD, Raw.PROTOCOL, 2),
    "%>s": Directive(st.one_of(_STATUS, st.just(b"-")), Raw.STATUS, 1),
    "%s": Directive(_STATUS, Raw.STATUS, 2),
    "%<s": Directive(_STATUS, Raw.STATUS, 3),
    "%B": Directive(_number(2**65), Raw.BYTES),
    "%b": Directive(st.one_of(_number(2**64), st.just(b"-")), Raw.BYTES, 1),
    "%O": Directive(_number(2**64), Raw.BYTES, 2),
    "%D": Directive(_number(2**43), Raw.DURATION),
    "%{us}T": Directive(_number(2**43), Raw.DURATION),
    "%{ms}T": Directive(_number(2**33), Raw.DURATION, 2),
    "%T": Directive(_number(2**23), Raw.DURATION, 4),
    "%{s}T": Directive(_number(2**23), Raw.DURATION, 4),
    "%{Referer}i": Directive(_TEXT, Raw.REFERER),
    "%!200,304{Referer}i": Directive(_TEXT, Raw.REFERER, 8),
    "%{User-Agent}i": Directive(_TEXT, Raw.AGENT),
    "%400,501{User-agent}i": Directive(_TEXT, Raw.AGENT, 8),
    "%{accept-language}i": Directive(_TEXT, Raw.LANGUAGE),
    "%v": Directive(_WORD, Raw.SITE),
    "%V": Directive(_WORD, Raw.SITE, 2),
    "%r": Directive(_LINE),
    "%>r": Directive(_LINE, rank=1),
    **dict.fromkeys(
        ["%{Cookie}i", "%{x}o", "%{x}n", "%{X}e", "%{x}^ti", "%f", "%u"], Directive(_TEXT)
    ),
    **dict.fromkeys(["%l", "%{c}h", "%R"], Directive(_WORD)),
    **dict.fromkeys(["%A", "%{c}a"], Directive(_ADDRESS)),
    **dict.fromkeys(
        ["%k", "%p", "%P", "%I", "%S", "%{remote}p", "%{tid}P"], Directive(_number(2**31))
    ),
    "%X": Directive(st.sampled_from((b"+", b"-", b"X"))),
}
LOOSE: Final = (_TEXT, _TARGET, _LINE)
"""Values that may hold anything: without quotes around it, one that holds what follows it is ambiguous."""

WHOLE: Final = frozenset({"%r", "%>r"})

_Writer = Callable[[datetime], str]


def _since(when: datetime, unit: timedelta) -> str:
    return str((when - datetime(1970, 1, 1, tzinfo=UTC)) // unit)


def _strftime(form: str) -> _Writer:
    return lambda when: when.strftime(form)


TIMES: Final[dict[str, _Writer]] = {
    **dict.fromkeys(("%t", "%{begin}t", "%{end}t"), _strftime("[%d/%b/%Y:%H:%M:%S %z]")),
    "%{end:%d/%b/%Y %T %z}t": _strftime("%d/%b/%Y %H:%M:%S %z"),
    "%{%F %R:%S%z}t": _strftime("%Y-%m-%d %H:%M:%S%z"),
    "%{%A, %e. %B %Y %I:%M:%S %p %z}t": _strftime("%A, %e. %B %Y %I:%M:%S %p %z"),
    "%{%y%j %T %z}t": _strftime("%y%j %H:%M:%S %z"),
    "%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t": lambda when: (
        f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}{when:%z}"
    ),
    # without an offset; logscrub is told that the server's clock shows UTC
    "%{begin:%F %T}t.%{begin:usec_frac}t": lambda when: (
        f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    ),
    **dict.fromkeys(("%{sec}t", "%{%s}t"), lambda when: _since(when, timedelta(seconds=1))),
    "%{msec}t": lambda when: _since(when, timedelta(milliseconds=1)),
    "%{usec}t": lambda when: _since(when, timedelta(microseconds=1)),
}
_TOKENS: Final = re.compile(
    f"({'|'.join(map(re.escape, sorted([*DIRECTIVES, *TIMES, '%%'], key=len, reverse=True)))})"
)
REAL: Final = (
    '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O',
    '%a %D %{ms}T "%{Cookie}i" %t "%m %U%q %H" %>s %B "%400,501{User-agent}i" "%!200,304{Referer}i"',
    '%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t %a:%{remote}p "%r" %s %O %{us}T',
    '[%t] "%u"; %v|%h|%U%q|%s',
)


@dataclass(frozen=True, slots=True)
class Case:
    """A format, a line in it, and what it was made of: the value of each directive."""

    format: str
    line: str
    values: dict[str, bytes]
    when: datetime
    ambiguous: bool


@st.composite
def formats(draw: st.DrawFn) -> str:
    """Any directives that give different things, in any order, one of them a time; text in quotes but for at most one."""
    chosen = draw(
        st.lists(
            st.sampled_from(sorted(DIRECTIVES)),
            max_size=7,
            unique_by=lambda one: DIRECTIVES[one].raw or one,
        )
    )
    whole = WHOLE.intersection(chosen)
    parts = [one for one in chosen if not (whole and DIRECTIVES[one].raw in REQUEST)]
    parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from(sorted(TIMES))))
    loose = draw(st.integers(0, len(parts)))
    quoted = [
        f'"{one}"'
        if at != loose and one in DIRECTIVES and DIRECTIVES[one].values in (*LOOSE, _QUERY)
        else one
        for at, one in enumerate(parts)
    ]
    gaps = st.sampled_from((" ", " ", " ", " | ", "|", ", ", "\t", ";", " %% ", " ] "))
    return (
        draw(st.sampled_from(("", "", "> ")))
        + quoted[0]
        + "".join(draw(gaps) + part for part in quoted[1:])
    )


@st.composite
def cases(draw: st.DrawFn, of: SearchStrategy[str]) -> Case:
    """A line as Apache writes it."""
    form = draw(of)
    offset = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    when = draw(
        st.datetimes(datetime(1971, 1, 1), datetime(2068, 12, 31), timezones=st.just(offset))  # noqa: DTZ001 — bounds have no zone
    )
    tokens = _TOKENS.split(form)
    line, values, ambiguous = tokens[0], {}, False
    for before, token, after in zip(tokens[:-2:2], tokens[1::2], tokens[2::2], strict=True):
        if token == "%%":
            said = "%"
        elif token in TIMES:
            said = TIMES[token](when)
        else:
            values[token] = draw(DIRECTIVES[token].values)
            said = escaped(values[token], Escape.BACKSLASH, apache=True).decode("ascii")
            loose = DIRECTIVES[token].values in LOOSE and not before.endswith('"')
            ambiguous |= loose and after in said
        line += said + after
    return Case(form, line, values, when, ambiguous)


def ours(case: Case) -> tuple[Row | None, Reason | None]:
    """The row that logscrub reads, or why there is none."""
    found = parse(Block.of(case.line.encode(), offset=0), resolve(case.format), ALL, zone="UTC")
    return next(iter(rows(found)), None), next(iter(found.rejects.by_reason()), None)


def theirs(case: Case) -> Any:
    """What apachelogs reads, or None; a bracket in a user name makes it take more than the time for the time."""
    try:
        return LogParser(case.format, encoding="bytes").parse(case.line)
    except (InvalidEntryError, ValueError):
        return None


UNITS: Final = {"%D": 0.001, "%{us}T": 0.001, "%{ms}T": 1, "%T": 1000, "%{s}T": 1000}
MEANS: Final[dict[Raw, Callable[[Any, str], object]]] = {
    # a word that cannot be a method is unreadable
    Raw.METHOD: lambda value, _: text(value) and asked(value + b" /")[Raw.METHOD],
    # an escaped `?` in it cannot be told from one that begins the query
    Raw.PATH: lambda value, _: target(value)[Raw.PATH],
    Raw.QUERY: lambda value, _: text(value.removeprefix(b"?")),
    Raw.STATUS: lambda value, _: int(value) if text(value) else None,
    # nothing is a size as well
    Raw.BYTES: lambda value, _: int(value) if text(value) else 0,
    Raw.DURATION: lambda value, token: round(int(value) * UNITS[token]),
}
"""What logscrub makes of a value; of all others it makes the text, and null where nothing or `-` is logged."""


def _plain(value: bytes, _: str) -> str | None:
    return text(value)


def expected(values: dict[str, bytes], form: str) -> Row:
    """The row that follows from the values of directives."""
    row: Row = {}
    if "%U%q" in form:
        # one target, whose fragment is dropped; `%U` is decoded, so it may hold what looks like one
        row |= target(values["%U"] + values["%q"])
        values = {token: value for token, value in values.items() if token not in {"%U", "%q"}}
    for token in sorted(values, key=lambda one: DIRECTIVES[one].rank):
        if token in WHOLE:
            row = asked(values[token]) | row
        elif raw := DIRECTIVES[token].raw:
            row.setdefault(raw, MEANS.get(raw, _plain)(values[token], token))
    return row


def raw_values(entry: Any, case: Case) -> dict[str, bytes]:
    """The values that apachelogs read, as bytes again; it has None for `-`."""
    return {
        token: b"-" if value is None else value if isinstance(value, bytes) else str(value).encode()
        for token, value in entry.directives.items()
        if token in case.values
    }


def fits(row: Row) -> bool:
    """Whether the numbers have a place in their columns."""
    tops = {Raw.DURATION: 2**32, Raw.BYTES: 2**64, Raw.STATUS: 2**16}
    return all(int(str(row[raw] or 0)) < top for raw, top in tops.items() if raw in row)


def moment(entry: Any) -> datetime:
    """The time that apachelogs read; without an offset it is of UTC."""
    names = ("request_time", "begin_request_time", "end_request_time")
    found: datetime = next(getattr(entry, name) for name in names if getattr(entry, name, None))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@given(cases(st.one_of(formats(), st.sampled_from(REAL))))
@settings(max_examples=250)
def test_both_read_alike(case: Case) -> None:
    """Both find what was written, but for lines that are ambiguous: there logscrub may also give up, and no more."""
    row, reason = ours(case)
    entry = theirs(case)
    true = expected(case.values, case.format)
    if case.ambiguous:
        if row is None:
            assert reason in {Reason.STRUCTURE, Reason.NUMBER, Reason.TIME}
            return
        row.pop(Raw.TIME)
        read = expected(raw_values(entry, case), case.format) if entry else true
        assert row in (true, read)
        return
    assert entry is not None
    assert expected(raw_values(entry, case), case.format) == true
    if not fits(true):
        assert reason is Reason.NUMBER
        return
    assert row is not None, reason
    # apachelogs computes with floating point; columns have milliseconds
    when = row.pop(Raw.TIME)
    assert isinstance(when, datetime)
    assert abs(moment(entry) - when) <= timedelta(milliseconds=1)
    assert abs(case.when - when) < timedelta(seconds=1)
    assert row == true


DAMAGE: Final = ("", " ", '"', "-", "|", "[", "]", '" "', "0", "x", '"-"', " - ")


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("%t|%{Cookie}n|%A|%h|%s", "[22/Nov/2026:02:30:01 +0000]|a=b|192.0.2.1|198.51.100.1|200"),
        (
            "%t|%f|%{c}a|%a|%{User-Agent}i",
            "[22/Nov/2026:02:30:01 +0000]|-|192.0.2.1|198.51.100.1|curl",
        ),
        ("%t %u %k %h %s", "[22/Nov/2026:02:30:01 +0000] - 1 198.51.100.1 200"),
    ],
)
def test_dropped_fields_side_by_side(form: str, line: str) -> None:
    """Unquoted text that is dropped and a dropped field behind it leave the next field its own value."""
    row, _ = ours(Case(form, line, {}, datetime.now(UTC), ambiguous=False))
    assert row is not None
    assert row[Raw.ADDRESS] == "198.51.100.1"


@given(cases(st.one_of(formats(), st.sampled_from(REAL))), st.floats(0, 1), st.sampled_from(DAMAGE))
@settings(max_examples=100)
def test_damaged_lines(case: Case, place: float, piece: str) -> None:
    """A damaged line that both can read they read alike."""
    # broken escapes are read in different ways: here they stay as they are
    assume("\\" not in case.line)
    at = round(place * len(case.line))
    case = replace(case, line=case.line[:at] + piece + case.line[at + len(piece) % 2 :])
    row, _ = ours(case)
    entry = theirs(case)
    if row and entry and not case.ambiguous:
        row.pop(Raw.TIME)
        assert row == expected(raw_values(entry, case), case.format)
