"""Format strings of nginx and Apache become layouts, or are refused with the place that is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.errors import FormatError
from logscrub.formats import times
from logscrub.formats.apache import DIRECTIVES, compile_apache
from logscrub.formats.catalogue import entry, named, names, resolve
from logscrub.formats.draft import MAX_FORMAT
from logscrub.formats.layout import Escape, Kind, Layout, Role
from logscrub.formats.nginx import VARIABLES, compile_nginx
from logscrub.formats.scan import split_line
from logscrub.schema import Raw

if TYPE_CHECKING:
    from pathlib import Path

NGINX_COMBINED = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'

Row = tuple[str, Kind, Raw | Role | None, float]

DIRECTIVE_TABLE: list[Row] = [
    ("%a", Kind.TOKEN, Raw.ADDRESS, 1),
    ("%{c}a", Kind.TOKEN, None, 1),
    ("%A", Kind.TOKEN, None, 1),
    ("%B", Kind.NUMBER, Raw.BYTES, 1),
    ("%b", Kind.NUMBER, Raw.BYTES, 1),
    ("%{sid}C", Kind.FREE, None, 1),
    ("%{version}c", Kind.FREE, None, 1),
    ("%D", Kind.NUMBER, Raw.DURATION, 0.001),
    ("%{USER}e", Kind.FREE, None, 1),
    ("%f", Kind.FREE, None, 1),
    ("%F", Kind.FREE, None, 1),
    ("%h", Kind.TOKEN, Raw.ADDRESS, 1),
    ("%{c}h", Kind.TOKEN, None, 1),
    ("%H", Kind.TOKEN, Raw.PROTOCOL, 1),
    ("%{Referer}i", Kind.FREE, Raw.REFERER, 1),
    ("%{user-agent}i", Kind.FREE, Raw.AGENT, 1),
    ("%{Accept-Language}i", Kind.FREE, Raw.LANGUAGE, 1),
    ("%{Host}i", Kind.FREE, Raw.SITE, 1),
    ("%{X-Forwarded-For}i", Kind.FREE, Raw.FORWARDED, 1),
    ("%{Via}i", Kind.FREE, None, 1),
    ("%I", Kind.NUMBER, None, 1),
    ("%k", Kind.NUMBER, None, 1),
    ("%l", Kind.TOKEN, None, 1),
    ("%L", Kind.TOKEN, None, 1),
    ("%{c}L", Kind.TOKEN, None, 1),
    ("%m", Kind.TOKEN, Raw.METHOD, 1),
    ("%{note}n", Kind.FREE, None, 1),
    ("%{Location}o", Kind.FREE, None, 1),
    ("%O", Kind.NUMBER, Raw.BYTES, 1),
    ("%p", Kind.NUMBER, None, 1),
    ("%{canonical}p", Kind.NUMBER, None, 1),
    ("%{local}p", Kind.NUMBER, None, 1),
    ("%{remote}p", Kind.NUMBER, None, 1),
    ("%P", Kind.TOKEN, None, 1),
    ("%{pid}P", Kind.TOKEN, None, 1),
    ("%{tid}P", Kind.TOKEN, None, 1),
    ("%{hextid}P", Kind.TOKEN, None, 1),
    ("%q", Kind.FREE, Raw.QUERY, 1),
    ("%r", Kind.FREE, Role.REQUEST, 1),
    ("%R", Kind.TOKEN, None, 1),
    ("%s", Kind.NUMBER, Raw.STATUS, 1),
    ("%>s", Kind.NUMBER, Raw.STATUS, 1),
    ("%S", Kind.NUMBER, None, 1),
    ("%t", Kind.TIME, Role.TIME, 1),
    ("%T", Kind.NUMBER, Raw.DURATION, 1000),
    ("%{s}T", Kind.NUMBER, Raw.DURATION, 1000),
    ("%{ms}T", Kind.NUMBER, Raw.DURATION, 1),
    ("%{us}T", Kind.NUMBER, Raw.DURATION, 0.001),
    ("%u", Kind.FREE, None, 1),
    ("%U", Kind.FREE, Raw.PATH, 1),
    ("%v", Kind.TOKEN, Raw.SITE, 1),
    ("%V", Kind.TOKEN, Raw.SITE, 1),
    ("%{SSL_PROTOCOL}x", Kind.FREE, None, 1),
    ("%X", Kind.TOKEN, None, 1),
    ("%{N}^ti", Kind.FREE, None, 1),
    ("%{N}^to", Kind.FREE, None, 1),
]

VARIABLE_TABLE: list[Row] = [
    ("$remote_addr", Kind.TOKEN, Raw.ADDRESS, 1),
    ("$realip_remote_addr", Kind.TOKEN, None, 1),
    ("$http_x_forwarded_for", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_forwarded", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_x_real_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_cf_connecting_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_true_client_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_fastly_client_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_x_azure_clientip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_incap_client_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_x_sucuri_clientip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_fly_client_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_x_cluster_client_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_x_client_ip", Kind.FREE, Raw.FORWARDED, 1),
    ("$proxy_add_x_forwarded_for", Kind.FREE, Raw.FORWARDED, 1),
    ("$http_via", Kind.FREE, None, 1),
    ("$time_local", Kind.TIME, Role.TIME, 1),
    ("$time_iso8601", Kind.TIME, Role.TIME, 1),
    ("$msec", Kind.TIME, Role.TIME, 1),
    ("$request", Kind.FREE, Role.REQUEST, 1),
    ("$request_method", Kind.TOKEN, Raw.METHOD, 1),
    ("$server_protocol", Kind.TOKEN, Raw.PROTOCOL, 1),
    ("$request_uri", Kind.FREE, Role.TARGET, 1),
    ("$uri", Kind.FREE, Raw.PATH, 1),
    ("$document_uri", Kind.FREE, Raw.PATH, 1),
    ("$args", Kind.FREE, Raw.QUERY, 1),
    ("$query_string", Kind.FREE, Raw.QUERY, 1),
    ("$status", Kind.NUMBER, Raw.STATUS, 1),
    ("$body_bytes_sent", Kind.NUMBER, Raw.BYTES, 1),
    ("$bytes_sent", Kind.NUMBER, Raw.BYTES, 1),
    ("$request_time", Kind.NUMBER, Raw.DURATION, 1000),
    ("$upstream_response_time", Kind.FREE, None, 1),
    ("$http_referer", Kind.FREE, Raw.REFERER, 1),
    ("$http_user_agent", Kind.FREE, Raw.AGENT, 1),
    ("$http_accept_language", Kind.FREE, Raw.LANGUAGE, 1),
    ("$host", Kind.TOKEN, Raw.SITE, 1),
    ("$http_host", Kind.FREE, Raw.SITE, 1),
    ("$server_name", Kind.TOKEN, Raw.SITE, 1),
    ("$remote_user", Kind.FREE, None, 1),
    ("$cookie_session", Kind.FREE, None, 1),
    ("$made_by_a_map", Kind.FREE, None, 1),
    ("$request_id", Kind.TOKEN, None, 1),
]


def kept(layout: Layout) -> dict[str, str]:
    """What the layout keeps, with the name of the field it comes from."""
    return {str(field.keeps): field.name for field in layout.fields if field.keeps is not None}


@pytest.mark.parametrize(("text", "kind", "keeps", "scale"), DIRECTIVE_TABLE)
def test_every_directive_has_its_meaning(
    text: str, kind: Kind, keeps: Raw | Role | None, scale: float
) -> None:
    """A directive alone is read as mod_log_config's documentation says it is written."""
    (field,) = compile_apache(text, require_time=False).fields
    assert (field.name, field.kind, field.keeps, field.scale) == (text, kind, keeps, scale)


def test_the_table_of_directives_is_whole() -> None:
    """No directive is known that the golden table leaves out."""
    assert {
        text[1:].partition("}")[2] or text[1:].lstrip(">") for text, *_ in DIRECTIVE_TABLE
    } == DIRECTIVES


@pytest.mark.parametrize(("text", "kind", "keeps", "scale"), VARIABLE_TABLE)
def test_every_variable_has_its_meaning(
    text: str, kind: Kind, keeps: Raw | Role | None, scale: float
) -> None:
    """A variable alone is read as nginx.org says it is written; braces around its name change nothing."""
    (field,) = compile_nginx(text, require_time=False).fields
    assert (field.name, field.kind, field.keeps, field.scale) == (text, kind, keeps, scale)
    braced = compile_nginx(f"${{{text[1:]}}}", require_time=False)
    assert braced.fields == (field,)


def test_every_variable_that_keeps_something_is_in_the_golden_table() -> None:
    """No variable hands on raw data that the golden table does not name."""
    gives = {
        f"${name}"
        for name in VARIABLES
        if compile_nginx(f"${name}", require_time=False).fields[0].keeps is not None
    }
    assert gives == {text for text, _, keeps, _ in VARIABLE_TABLE if keeps is not None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('%t "%r" %m %U %q %H', {"Role.REQUEST": "%r"}),
        ("%t %m %U %q", {"method": "%m", "path": "%U", "query": "%q"}),
        ("%t %U%q", {"Role.TARGET": "%U%q"}),
        ("%t %s %>s %<s", {"status": "%>s"}),
        ("%t %b %O", {"bytes": "%b"}),
        ("%t %O %b", {"bytes": "%b"}),
        ("%t %T %{ms}T %D", {"duration": "%D"}),
        ("%t %h %a", {"address": "%a"}),
        ("%t %V %v", {"site": "%v"}),
        ('%t "%400r" "%r"', {"Role.REQUEST": "%r"}),
        ('%t "%r" "%!400r"', {"Role.REQUEST": "%r"}),
        ('%t "%400,501{User-agent}i"', {"agent": "%400,501{User-agent}i"}),
        ("%t %!200,304,302{Referer}i", {"referer": "%!200,304,302{Referer}i"}),
        ("%t %<{Referer}i %{Referer}i", {"referer": "%{Referer}i"}),
    ],
)
def test_the_better_of_several_is_kept(text: str, expected: dict[str, str]) -> None:
    """Where several directives could give the same, one does: whole before parts, always before sometimes."""
    found = kept(compile_apache(text))
    assert found.pop("Role.TIME") == "%t"
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$request $request_uri $uri $args $request_method", {"Role.REQUEST": "$request"}),
        ("$uri $request_uri $args", {"Role.TARGET": "$request_uri"}),
        ("$uri $args", {"path": "$uri", "query": "$args"}),
        ("$uri$is_args$args", {"Role.TARGET": "$uri$is_args$args"}),
        ("$uri?$args", {"path": "$uri", "query": "$args"}),
        ("$bytes_sent $body_bytes_sent", {"bytes": "$body_bytes_sent"}),
        ("$http_host $server_name $host", {"site": "$host"}),
    ],
)
def test_the_better_of_several_variables_is_kept(text: str, expected: dict[str, str]) -> None:
    """As for Apache: `$request_uri` before `$uri`, `$body_bytes_sent` before `$bytes_sent`."""
    found = kept(compile_nginx(f"$time_local {text}"))
    assert found.pop("Role.TIME") == "$time_local"
    assert found == expected


def test_combined_of_both_servers_is_one_layout() -> None:
    """The combined of nginx keeps what the catalogue's keeps, in the same kinds; only the ident is Apache's own."""
    ours = [field for field in named("combined").layouts[0].fields if field.name != "%l"]
    theirs = compile_nginx(NGINX_COMBINED).fields
    assert [(f.kind, f.keeps, f.time) for f in ours] == [(f.kind, f.keeps, f.time) for f in theirs]
    assert [f.kind for f in theirs] == [
        Kind.TOKEN, Kind.FREE, Kind.TIME, Kind.QUOTED, Kind.NUMBER, Kind.NUMBER, Kind.QUOTED, Kind.QUOTED,
    ]  # fmt: skip
    assert named("combined").layouts[0].escape is Escape.BACKSLASH


def test_brackets_of_the_apache_time_are_literals() -> None:
    """`%t` writes its brackets itself; `%{}t`, `%{begin}t` and `%{end:}t` are the same."""
    for text in ("%t", "%{}t", "%{begin}t", "%{begin:}t", "%{end}t", "%{end:}t"):
        layout = compile_apache(f"%h {text} x")
        assert layout.literals == (b"", b" [", b"] x")
        assert layout.fields[1].time == times.CLF


def test_quotes_enclose_one_field_or_several() -> None:
    """Only a field that fills its quotes is quoted; a request in parts ends at its blanks."""
    layout = compile_nginx('$msec "$request_method $uri $server_protocol" "$http_referer" "$a $b"')
    assert [field.kind for field in layout.fields[1:]] == [
        Kind.TOKEN, Kind.FREE, Kind.TOKEN, Kind.QUOTED, Kind.QUOTED,
    ]  # fmt: skip
    assert layout.literals[1:5] == (b' "', b" ", b" ", b'" "')


def test_numbers_and_times_in_quotes_keep_their_kind() -> None:
    """JSON formats quote everything; a time is still found by its shape and a number checked."""
    layout = compile_nginx('{"t":"$time_iso8601","s":"$status","u":"$uri"}', escape="json")
    assert [field.kind for field in layout.fields] == [Kind.TIME, Kind.NUMBER, Kind.QUOTED]
    assert layout.escape is Escape.JSON


@pytest.mark.parametrize(
    ("text", "name", "zoned"),
    [
        ("%{%Y-%m-%d}t %{%H:%M:%S}t %{%z}t", ["%{%Y-%m-%d}t", "%{%H:%M:%S}t", "%{%z}t"], True),
        ("%{%Y-%m-%d %H:%M:%S}t", ["%{%Y-%m-%d %H:%M:%S}t"], False),
        ("%{%s}t@%{%z}t", ["%{%s}t"], True),
        ("%t %{msec_frac}t", ["%t", "%{msec_frac}t"], True),
        ("%t %{usec}t", ["%{usec}t"], True),
        ("%{end:%s}t %{begin:%s}t", ["%{begin:%s}t"], True),
        ("%{end:%s}t", ["%{end:%s}t"], True),
        ("%{%d/%b/%y %I:%M %p}t", ["%{%d/%b/%y %I:%M %p}t"], False),
        ("%{%FT%T}t.%{msec_frac}t%{%z}t", ["%{%FT%T}t", "%{msec_frac}t%{%z}t"], True),
    ],
)
def test_the_fullest_instant_is_kept(text: str, name: list[str], zoned: bool) -> None:  # noqa: FBT001 — a column of the table
    """Of several times those are kept that make the fullest instant, of the begin of the request if it is there."""
    layout = compile_apache(text)
    assert [field.name for field in layout.fields if field.keeps is Role.TIME] == name
    assert layout.zoned is zoned


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("%h", "no time"),
        ("%h %200t", "no time"),
        ("%{%Y-%m-%d}t", "lacks the hour, minute"),
        ("%{%H:%M:%S}t", "lacks the year, month, day"),
        ("%{begin:%F}t %{end:%T}t", "lacks"),
        ("", "no field"),
        ("plain text", "no field"),
    ],
)
def test_a_format_without_a_full_time_is_refused(text: str, missing: str) -> None:
    """No closure could be known: the message says what is missing, and that is refused unless asked for."""
    with pytest.raises(FormatError, match=missing):
        compile_apache(text)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("%t %", "ends inside the directive at column 4", "%%"),
        ("%t %{Referer", "brace at column 5", ""),
        ("%t %Z", "'%Z' at column 4", ""),
        ("%t %G", "'%G' at column 4", ""),
        ("%t %{x}b", "in braces", "write %b"),
        ("%t %{nope}T", "in braces", "%{ms}T or %{s}T or %{us}T"),
        ("%t %i", "needs a name", "write %{…}i"),
        ("%{%Q}t", "%Q, which is not a time token", ""),
        ("%{%}t", "single %", "%%"),
        ("%t %h%u", "%h and %u touch", "blank"),
        (r"%t\n%h", "line break", "one line"),
    ],
)
def test_wrong_apache_formats_are_refused(text: str, what: str, hint: str) -> None:
    """The message names the directive or the column, and says what to write."""
    with pytest.raises(FormatError) as caught:
        compile_apache(text)
    assert what in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "escape", "what"),
    [
        ("$time_local $", "default", r"\$ at column 13"),
        ("$time_local ${status", "default", "brace at column 14"),
        ("$time_local ${}", "default", "no variable name"),
        ("$time_local $remote_addr$status", "default", "touch"),
        ("$time_local $uri$args", "default", "touch"),
        ("$time_local$status", "default", "touch"),
        ("$remote_addr", "default", "no time"),
        ("$time_local", "jsn", "escape=jsn"),
        ("$time_local\n$uri", "default", "line break"),
        ("$time_local" + " " * MAX_FORMAT, "default", "too long"),
    ],
)
def test_wrong_nginx_formats_are_refused(text: str, escape: str, what: str) -> None:
    """What nginx would refuse, and what could not be read back."""
    with pytest.raises(FormatError, match=what):
        compile_nginx(text, escape=escape)


def test_configuration_escapes_are_decoded() -> None:
    r"""A pasted `\"%r\"` is a quoted request, `\t` a TAB, `%%` a percent sign, other backslashes stay."""
    layout = compile_apache(r"%t\t\"%r\" 100%% \d")
    assert layout.literals == (b"[", b']\t"', b'" 100% \\d')
    assert layout.fields[1].kind is Kind.QUOTED


def test_dropped_fields_with_blanks_become_one() -> None:
    """Lists of upstreams follow each other without quotes: one dropped field, which a scrubbed line shows as dashes."""
    layout = compile_nginx(
        "$time_local $status [$proxy_host] $upstream_addr $upstream_status $request_id"
    )
    last = layout.fields[-1]
    assert (last.kind, last.keeps, last.empty) == (Kind.FREE, None, b"-] - - -")
    line = b"21/Nov/2026:12:00:00 +0000 502 [up] 192.0.2.1:1, 192.0.2.2:1 502, 502 0123456789abcdef"
    spans = split_line(line, layout)
    assert isinstance(spans, list)
    assert line[slice(*spans[1])] == b"502"


def test_an_ipv6_host_before_a_port() -> None:
    """In `$host:$server_port` the colon that counts is the one before the port."""
    layout = compile_nginx("$host:$server_port $time_local")
    line = b"[2001:db8::1]:8080 21/Nov/2026:12:00:00 +0000"
    spans = split_line(line, layout)
    assert isinstance(spans, list)
    assert line[slice(*spans[0])] == b"[2001:db8::1]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%d/%b/%Y:%H:%M:%S %z", times.CLF),
        ("%Y-%m-%dT%H:%M:%S%z", times.ISO8601),
        ("%FT%T%z", times.ISO8601),
        ("%D%t%R", ("%m", "/", "%d", "/", "%y", "\t", "%H", ":", "%M")),
        ("%c", ("%a", " ", "%b", " ", "%e", " ", "%H", ":", "%M", ":", "%S", " ", "%Y")),
        ("%r", ("%I", ":", "%M", ":", "%S", " ", "%p")),
        ("%h", ("%b",)),
        ("%%d", ("%%", "d")),
        ("on %j", ("on ", "%j")),
        ("sec", ("%sec",)),
        ("msec", ("%msec",)),
        ("usec", ("%usec",)),
        ("msec_frac", ("%msec_frac",)),
        ("usec_frac", ("%usec_frac",)),
        ("%msec", ("%m", "sec")),
        ("", ()),
    ],
)
def test_time_formats_become_tokens(text: str, expected: tuple[str, ...]) -> None:
    """Shorthands are expanded, literals stay whole, and Apache's words are no strftime."""
    assert times.tokens(text) == expected


@pytest.mark.parametrize("text", ["%^", "%<a", "%200a", "%Q", "%", "%E", "%-d", "%d %"])
def test_wrong_time_formats_are_refused(text: str) -> None:
    """Tokens that strftime does not have, or that cannot be read back."""
    with pytest.raises(FormatError):
        times.tokens(text)


def test_the_catalogue_compiles() -> None:
    """Every layout of every entry has a time, an address and a status, and says where it comes from."""
    for name in names():
        found = entry(name)
        assert found.name == found.format.name == name
        assert found.about
        assert found.origin
        assert found.format.headed or found.format.layouts
        for layout in found.format.layouts:
            assert layout.name.partition(" ")[0] == name
            assert {"Role.TIME", "address"} <= set(kept(layout))
            assert "status" in kept(layout) or "cut" in layout.fields[-1].name


@pytest.mark.parametrize(
    ("text", "name", "escape", "fields"),
    [
        ("combined", "combined", Escape.BACKSLASH, 9),
        (" main ", "main", Escape.BACKSLASH, 10),
        (NGINX_COMBINED, "custom", Escape.BACKSLASH, 8),
        ('escape=json {"t":"$time_iso8601","u":"$uri"}', "custom", Escape.JSON, 2),
        ("escape=none $time_local $uri", "custom", Escape.NONE, 2),
        (r"%h %l %u %t \"%r\" %>s %b", "custom", Escape.BACKSLASH, 7),
        ("$time_local 100% $status", "custom", Escape.BACKSLASH, 2),
    ],
)
def test_a_format_option_is_a_name_or_a_string(
    text: str, name: str, escape: Escape, fields: int
) -> None:
    """What has `$name` in it is nginx's, what has `%x` in it Apache's, the rest is a name."""
    (layout,) = resolve(text).layouts
    assert (layout.name, layout.escape, len(layout.fields)) == (name, escape, fields)


def test_a_misspelt_name_gets_a_suggestion() -> None:
    """`combned` is told about `combined`."""
    with pytest.raises(FormatError, match="no format of that name") as caught:
        resolve("combned")
    assert caught.value.hint == "did you mean combined?"


_PIECES = st.sampled_from([
    "%", "%h", "%t", "%{", "}", "%{%Y}t", "%{begin:", "%>s", "%!200", "%^ti", "$", "${", "$status",
    "$time_local", "$uri", "$is_args", "$args", "%U", "%q", '"', " ", ":", "\\", "\n", "é", "\udcff",
    "escape=json ", "x", "[",
])  # fmt: skip
ANY_FORMAT = st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=14).map("".join))


@given(ANY_FORMAT, st.booleans())
def test_compiling_either_works_or_raises_a_format_error(text: str, require_time: bool) -> None:  # noqa: FBT001 — drawn by Hypothesis
    """Whatever the text: a layout that keeps each raw field once and separates its fields, or a `FormatError`."""
    layouts = []
    for compile_text in (compile_nginx, compile_apache):
        with suppress(FormatError):
            layouts.append(compile_text(text, require_time=require_time))
    for layout in layouts:
        assert len(layout.literals) == len(layout.fields) + 1
        assert all(layout.literals[1:-1])
        singles = [field.keeps for field in layout.fields if isinstance(field.keeps, Raw)]
        assert len(singles) == len(set(singles))
        assert not {Raw.PATH, Raw.QUERY} & set(singles) or Role.TARGET not in {
            field.keeps for field in layout.fields
        }


@given(ANY_FORMAT)
def test_resolving_either_works_or_raises_a_format_error(text: str) -> None:
    """What a user may write after `--format` never ends in another exception."""
    with suppress(FormatError):
        found = resolve(text)
        assert found.layouts or found.headed


def test_formats_of_others(cases: Path) -> None:
    """Bad formats are refused, with times in their place; all others compile, and most of their lines split."""
    rows = [
        json.loads(line)
        for line in (cases / "parse/apachelogs.jsonl").read_text("utf-8").splitlines()
    ]
    bad = [row for row in rows if row["kind"] == "bad_format"]
    good = [row for row in rows if row["kind"] in {"parse", "parse_time"}]
    assert bad
    assert good
    for row in bad:
        is_time = row["expected"]["error"] == "malformed_time_directive"
        with pytest.raises(FormatError):
            (times.tokens if is_time else compile_apache)(row["log_format"])
    unread = []
    for row in good:
        layout = compile_apache(row["log_format"], require_time=False)
        found = split_line(row["input"].encode(), layout)
        if not isinstance(found, list):
            unread.append((row["log_format"], str(found)))
    assert unread == []
