"""The exact parser of one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LAYOUTS, SAFE, escaped, layout, lines

from logscrub.formats.layout import Escape, Layout
from logscrub.formats.scan import is_number, split_line
from logscrub.formats.unescape import unescape
from logscrub.schema import MAX_LINE, Reason

COMBINED = layout("combined")
LINE = b'203.0.113.7 - - [22/Nov/2026:02:30:01 +0000] "GET / HTTP/1.1" 200 12 "-" "ua"'


def fields(line: bytes, of: Layout = COMBINED) -> list[bytes]:
    """The values of a line that must fit."""
    found = split_line(line, of)
    assert not isinstance(found, Reason)
    return [line[start:end] for start, end in found]


def test_a_plain_line_has_its_nine_fields() -> None:
    """Each field is what stands between its literals."""
    assert fields(LINE) == [
        b"203.0.113.7", b"-", b"-", b"22/Nov/2026:02:30:01 +0000",
        b"GET / HTTP/1.1", b"200", b"12", b"-", b"ua",
    ]  # fmt: skip


@given(
    user=st.binary(min_size=1).filter(lambda b: b.strip()),
    request=st.binary(),
    referer=st.binary(),
    agent=st.binary(),
    apache=st.booleans(),
)
def test_no_client_can_forge_a_field(
    *, user: bytes, request: bytes, referer: bytes, agent: bytes, apache: bool
) -> None:
    """Whatever clients send, escaped by the server, comes back whole and moves no other field."""
    sent = [user, request, referer, agent]
    logged = [escaped(value, Escape.BACKSLASH, apache=apache) for value in sent]
    line = b'203.0.113.7 - %b [22/Nov/2026:02:30:01 +0000] "%b" 418 12 "%b" "%b"' % tuple(logged)
    found = fields(line)
    assert found[0] == b"203.0.113.7"
    assert found[3] == b"22/Nov/2026:02:30:01 +0000"
    assert found[5] == b"418"
    assert [unescape(found[i], json=False) for i in (2, 4, 7, 8)] == sent


@pytest.mark.parametrize(
    "user",
    [
        b"John Doe",
        b"nosuch user] \\x22x",
        b"x [22/Nov/2026:02:30:01 +0000] y",
        b'x [22/Nov/2026:02:30:01 +0000] \\"GET / HTTP/1.1\\" 200 1',
        b'""',
        b"",
        b"[ [ [",
    ],
)
def test_a_user_name_ends_at_the_time_stamp(user: bytes) -> None:
    """A name may hold blanks, brackets, and even something like a time stamp."""
    line = LINE.replace(b" - - ", b" - %b " % user)
    assert fields(line)[2] == user
    assert fields(line)[5] == b"200"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", Reason.STRUCTURE),
        (LINE[:-1], Reason.STRUCTURE),
        (LINE + b" ", Reason.STRUCTURE),
        (LINE + b'"', Reason.STRUCTURE),
        (LINE.replace(b" 200 ", b" two "), Reason.STRUCTURE),
        (LINE.replace(b"Nov/2026", b"11/2026"), Reason.STRUCTURE),
        (LINE.replace(b"ua", b"u\0a"), Reason.BINARY),
        (LINE.replace(b'"ua', b'"' + b"u" * MAX_LINE), Reason.TOO_LONG),
    ],
)
def test_lines_that_do_not_fit_have_a_reason(line: bytes, reason: Reason) -> None:
    """A cut, longer, binary or overlong line is refused as what it is."""
    assert split_line(line, COMBINED) is reason


def test_a_quote_decides_nothing_where_nothing_is_escaped() -> None:
    """With escape=none another number of quotes than the format's makes a line ambiguous."""
    of = layout(
        'escape=none $remote_addr $remote_user [$time_local] "$request" $status "$http_user_agent" $request_time'
    )
    good = b'203.0.113.7  [22/Nov/2026:02:30:01 +0000] "GET / HTTP/1.1" 200 "u\\" 0.004'
    assert fields(good, of)[5] == b"u\\"
    assert split_line(good.replace(b'"u', b'"u"'), of) is Reason.STRUCTURE


def test_the_port_is_what_follows_the_last_colon() -> None:
    """An IPv6 address before `:port` keeps its own colons."""
    of = layout("%{usec}t %a:%{remote}p %s %I")
    assert fields(b"1795314601975000 2001:db8::7:443 200 5", of)[1:3] == [b"2001:db8::7", b"443"]


@pytest.mark.parametrize("text", [b"", b"-", b"0", b"-1", b"0.004", b"18446744073709551615"])
def test_numbers(text: bytes) -> None:
    """What servers write for numbers is one."""
    assert is_number(text)


@pytest.mark.parametrize(
    "text", [b"--", b"1.", b".5", b"1e3", b"1 ", b"+1", b"1,2", b"1.2.3", b"9" * 40]
)
def test_no_numbers(text: bytes) -> None:
    """What looks nearly like a number is none."""
    assert not is_number(text)


@given(st.data())
def test_fields_and_literals_make_up_the_line(data: st.DataObject) -> None:
    """Where a line fits, its literals and fields put together are the line."""
    of = data.draw(LAYOUTS)
    line = data.draw(lines(of))
    found = split_line(line, of)
    if not isinstance(found, Reason):
        values = [line[start:end] for start, end in found]
        together = b"".join(a + b for a, b in zip(of.literals, [*values, b""], strict=True))
        assert together == line


@given(st.data())
def test_never_raises(data: st.DataObject) -> None:
    """Any bytes are fields or have a reason."""
    line = data.draw(st.binary() | SAFE)
    found = split_line(line, data.draw(LAYOUTS))
    assert isinstance(found, (Reason, list))
