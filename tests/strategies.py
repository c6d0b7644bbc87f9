"""Hypothesis strategies for log lines and blocks: well-formed, damaged, and hostile."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from logscrub.formats import stamps
from logscrub.formats.catalogue import resolve
from logscrub.formats.layout import Escape, Kind, Layout

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from logscrub.formats.layout import Field

FORMATS: Final = (
    "combined",
    "common",
    "vhost_combined",
    '$remote_addr [$time_iso8601] "$request_method $request_uri $server_protocol" $status $request_time',
    '$msec|$remote_addr|$status|$body_bytes_sent|"$http_user_agent"',
    'escape=json {"t":"$time_iso8601","a":"$remote_addr","s":$status,"u":"$upstream_status","ua":"$http_user_agent"}',
    'escape=none $remote_addr $remote_user [$time_local] "$request" $status "$http_user_agent" $request_time',
    "%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t %a %>s %D %B",
    "%{%A, %e. %B %Y %I:%M:%S %p}t %h %u %s",
    "%{usec}t %a:%{remote}p %s %I",
)
"""Formats that between them have every kind of field, token and escape."""

TIMES: Final = (
    b"22/Nov/2026:02:30:01 +0000",
    b"31/Feb/2026:24:61:99 -9999",
    b"2026-11-22T02:30:01+05:30",
    b"2026-11-22T02:30:01Z",
    b"1795314601.975",
    b"1795314601975000",
    b"22/Nov/2026 02:30:01.123 +0100",
    b"22/Nov/2026 02:30:60.999 Z",
    b"Sunday,  2. November 2026 12:30:01 pm",
    b"Foo",
)
_NASTY: Final = (
    b"-",
    b"",
    b" ",
    b'"',
    b'""',
    b"\\",
    b'\\"',
    b'\\\\"',
    b" [",
    b'] "',
    b'" ',
    b'" "',
    b"\\x22",
    b"\xff",
    b"\x00",
    b"\r",
    b"\t",
    b"GET /a b?c HTTP/1.1",
    b"203.0.113.7",
    b"2001:db8::1:443",
    b"200",
    b"0.004",
    b"-1",
    b"99999999999999999999",
    *TIMES,
)
SAFE: Final = st.sampled_from(
    (b"-", b"203.0.113.7", b"2001:db8::7", b"GET", b"/a?b=c", b"HTTP/1.1")
)


@cache
def layout(text: str) -> Layout:
    """The layout of one of `FORMATS`, compiled once."""
    return resolve(text).layouts[0]


LAYOUTS: Final = st.sampled_from(FORMATS).map(layout)


def pieces() -> SearchStrategy[bytes]:
    """Values as an attacker would choose them."""
    return st.one_of(
        st.sampled_from(_NASTY),
        st.binary(max_size=6),
        st.lists(st.sampled_from(_NASTY), max_size=4).map(b"".join),
        st.integers(1, 130).map(lambda n: b"x" * n),
    )


def _value(field: Field) -> SearchStrategy[bytes]:
    if field.kind is Kind.TIME:
        fits = [text for text in TIMES if stamps.end(text, 0, field.time) == len(text)]
        return st.sampled_from([*fits * 9, *TIMES])
    if field.kind is Kind.NUMBER:
        return st.one_of(
            st.integers(-2, 10**21).map(lambda n: b"%d" % n),
            st.sampled_from(
                (b"200", b"404", b"-", b"", b"0.004", b"12.5", b".5", b"5.", b"-1", b"1.2.3")
            ),
        )
    return st.one_of(SAFE, SAFE, SAFE, pieces())


@st.composite
def lines(draw: st.DrawFn, of: Layout) -> bytes:
    """A line that has the literals of the layout, with good and bad values, sometimes damaged."""
    line = of.literals[0]
    for field, literal in zip(of.fields, of.literals[1:], strict=True):
        line += draw(_value(field)) + literal
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(pieces()) + line[at + draw(st.integers(0, 3)) :]
    return line.replace(b"\n", b"")


@st.composite
def blocks(draw: st.DrawFn, of: Layout) -> bytes:
    """Some lines of a layout, between them some that are nothing of the kind."""
    line = st.one_of(lines(of), lines(of), lines(of), pieces().map(lambda b: b.replace(b"\n", b"")))
    ends = st.sampled_from((b"\n", b"\n", b"\r\n"))
    text = b"".join(one + draw(ends) for one in draw(st.lists(line, max_size=12)))
    return text[:-1] if text and draw(st.booleans()) else text


def escaped(value: bytes, how: Escape, *, apache: bool = False) -> bytes:
    """What a server logs for the value: nginx, or Apache with its letters and lower-case digits."""
    letters = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 8: b"\\b"}
    if how is Escape.JSON:
        coded = {c: b"\\u%04X" % c for c in range(0x20)} | letters
    elif apache:
        coded = {c: b"\\x%02x" % c for c in (*range(0x20), *range(0x7F, 0x100))} | letters
        coded[0x0B] = b"\\v"
    else:
        coded = {c: b"\\x%02X" % c for c in (*range(0x20), 0x22, 0x5C, *range(0x7F, 0x100))}
    return b"".join(coded.get(c, bytes((c,))) for c in value)
