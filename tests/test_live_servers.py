"""Five real servers were sent the same hostile requests: each line of their logs is matched to what was sent."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from hostile import Request, Row, asked, differences, looked_up, rows, sent

from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.schema import REASONS, Block, Raw, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

ALL: Final = frozenset(Raw)
REQUEST: Final = (Raw.METHOD, Raw.PATH, Raw.QUERY, Raw.PROTOCOL)
BEGIN: Final = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
END: Final = datetime(2026, 11, 22, 2, 33, tzinfo=UTC)
_CONF: Final = {
    "nginx.conf": re.compile(r"log_format (\w+) (?:(escape=\w+) )?'(.*)';"),
    "httpd.conf": re.compile(r'LogFormat "(.*)" (\w+)$'),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a server is to have written: of which request, and what it says."""

    request: str
    row: Row


def _as_sent(row: Row, _: str) -> Row:
    return row


@dataclass(frozen=True, slots=True)
class Log:
    """One log.

    Args:
        file: Where it is.
        format: What `--format` takes; or the configuration beside the log, and its name there.
        lines: The lines that the server is to have written, given the requests.
        alters: What this format says otherwise, given the row and the name of the request.
        rejects: The requests whose lines are no rows, and why.
    """

    file: str
    format: str
    lines: Callable[[Iterable[Request]], list[Line]]
    alters: Callable[[Row, str], Row] = _as_sent
    rejects: Mapping[str, Reason] = field(default_factory=dict)


def names(several: str, value: Any) -> dict[str, Any]:
    """One value for several requests."""
    return dict.fromkeys(several.split(), value)


NGINX_UNREAD: Final = frozenset(
    [
        "space_path",
        "absuri",
        "connect",
        "options_star",
        "pri",
        "lower",
        "http30",
        "tls",
        "rdp",
        "t3",
        "nul",
        "crlfcrlf",
        "lf",
    ]
)
"""nginx refused the request line, so it knows none of its parts, and no header."""
NGINX_STATUS: Final = {
    **dict.fromkeys(NGINX_UNREAD | {"pct_bad", "pct_nul", "dotdot", "nul_hdr"}, 400),
    **names("crlfcrlf lf partial", 408),
    **names("auth_space auth_utf8 auth_quote auth_email", 404),
    **names("auth_wrong auth_empty", 401),
    **names("upstream1 upstream_redirect", 502),
    "http30": 505,
}
NGINX_LINES: Final[Mapping[str, int]] = {
    # HAProxy, which passes everything on twice, refuses these itself
    **names("rawutf8_path latin1_path space_path frag absuri connect pri http09 tls rdp t3 nul", 1),
    **names("crlfcrlf lf partial long70k longua ipv6 v4mapped unixsock", 1),
    "nothing": 0,
}


ADDRESSES: Final = {"ipv6": "::1", "v4mapped": "::ffff:127.0.0.1", "unixsock": "unix:"}


def nginx_lines(requests: Iterable[Request]) -> list[Line]:
    """Of each request one line that came straight, and two through HAProxy; then those to single listeners."""
    lines = []
    for request in requests:
        row = sent(request) | {Raw.ADDRESS: ADDRESSES.get(request.name, "127.0.0.1")}
        row[Raw.STATUS] = NGINX_STATUS.get(request.name, 200)
        if request.name == "nul_hdr":
            row[Raw.AGENT] = None
        proxied = row
        if request.name in {"http12", "http30"}:
            # HAProxy speaks 1.1 to servers, whatever clients speak
            proxied = row | {Raw.PROTOCOL: "HTTP/1.1", Raw.STATUS: 200}
        count = NGINX_LINES.get(request.name, 3)
        lines += [Line(request.name, one) for one in [row, proxied, proxied][:count]]
    return lines


def nginx_parts(row: Row, name: str) -> Row:
    """`$uri` without a query instead of the request."""
    if name in NGINX_UNREAD and row[Raw.STATUS] != 200:
        return row | dict.fromkeys(REQUEST)
    path = None if name in {"pct_bad", "pct_nul", "dotdot"} else looked_up(row[Raw.PATH])
    spoken = None if name == "http09" else row[Raw.PROTOCOL]
    return row | {Raw.PATH: path, Raw.QUERY: None, Raw.PROTOCOL: spoken}


def layout(folder: Path, log: Log) -> str:
    """The format of a log, out of the configuration beside it if that is where it is."""
    conf, colon, name = log.format.partition(":")
    if not colon or conf not in _CONF:
        return log.format
    for line in (folder / log.file).with_name(conf).read_text("utf-8").splitlines():
        found = _CONF[conf].search(line)
        if found and found[1] == name:
            return f"{found[2]} {found[3]}" if found[2] else found[3]
        if found and found[2] == name:
            return found[1]
    raise AssertionError(log.format)


QUOTED: Final = "ua_quotes ref_logforge xff_garbage quote_path shellshock auth_quote auth_wrong"
"""Without an escape nobody can tell where a value with a quote in it ends."""

APACHE_STATUS: Final = {
    **names(
        "ua_ctrl space_path frag pct_bad dotdot absuri pri tls rdp t3 nul nul_hdr lf partial", 400
    ),
    **names("host_evil", 400),
    **names("lower weirdmethod", 501),
    **names("auth_space auth_utf8 auth_quote auth_email auth_wrong auth_empty", 401),
    **names("options_star log4j sqli", 200),
    "connect": 405,
}
APACHE_SAYS: Final[Mapping[str, Row]] = {
    "ua_ctrl": {Raw.AGENT: None},
    "nul_hdr": {Raw.AGENT: None},
    "space_path": asked(b"GET /a b"),
    "absuri": asked(b"GET http://user:XXXXXXXX@evil.example/x?y=1 HTTP/1.1"),
    "nul": asked(b"GET /nul"),
    "lf": asked(b"\n"),
}
"""A header with control characters is refused; %r ends at NUL and at the second blank, and masks passwords."""


def apache_lines(requests: Iterable[Request]) -> list[Line]:
    """Of each request one line, unless the connection said nothing."""
    return [
        Line(
            request.name,
            sent(request)
            | {Raw.ADDRESS: ADDRESSES.get(request.name, "127.0.0.1"), Raw.SITE: "localhost"}
            | {Raw.STATUS: APACHE_STATUS.get(request.name, 404)}
            | APACHE_SAYS.get(request.name, {}),
        )
        for request in requests
        if request.name not in {"crlfcrlf", "nothing", "v4mapped", "unixsock"}
    ]


def apache_parts(row: Row, name: str) -> Row:
    """`%m`, `%U`, `%q` and `%H` alone."""
    return row | {Raw.PATH: looked_up(row[Raw.PATH])} | APACHE_PARTS.get(name, {})


_PARTLESS: Final[Row] = dict.fromkeys(REQUEST) | {Raw.PROTOCOL: "HTTP/1.0"}
APACHE_PARTS: Final[Mapping[str, Row]] = {
    # of a request with bytes that no request has Apache says nothing, and takes others for HTTP/1.0
    **names("tls rdp t3 nul lf", _PARTLESS),
    "space_path": {Raw.PATH: "/a", Raw.PROTOCOL: "HTTP/1.0"},
    "pct_nul": {Raw.PATH: "/a"},
    "absuri": {Raw.PATH: "/x"},
    # an internal redirect, which %U shows here
    **names("connect log4j sqli", {Raw.PATH: "/index.html"}),
}

LIGHTTPD_STATUS: Final = {
    **names("ua_ctrl latin1_path pct_nul pct_nl absuri connect tls rdp t3 nul nul_hdr", 400),
    **names("crlfcrlf lf host_evil", 400),
    **names("options_star log4j sqli", 200),
    **names("http12 http30", 505),
    **names("lower weirdmethod", 501),
    "pri": 100,
    "long70k": 431,
}
LIGHTTPD_SAYS: Final[Mapping[str, Row]] = {
    "ua_ctrl": {Raw.AGENT: None},
    "nul_hdr": {Raw.AGENT: None},
    "absuri": asked(b"GET /x?y=1 HTTP/1.1"),
    "connect": asked(b"CONNECT  HTTP/1.1"),
    **names("http12 http30 tls rdp t3 long70k", asked(b"  ")),
    **names("lower weirdmethod", asked(b"  HTTP/1.1")),
}
"""A header with control characters is refused; without host and user; blanks where it does not know the words."""


def lighttpd_lines(requests: Iterable[Request]) -> list[Line]:
    """Of each request one line, unless the connection said nothing."""
    return [
        Line(
            request.name,
            sent(request)
            | {Raw.ADDRESS: "127.0.0.1", Raw.STATUS: LIGHTTPD_STATUS.get(request.name, 404)}
            | LIGHTTPD_SAYS.get(request.name, {}),
        )
        for request in requests
        if request.name not in {"nothing", "http09", "partial", *ADDRESSES}
    ]


def straight_lines(requests: Iterable[Request]) -> list[Line]:
    """A second run, past HAProxy, through datagrams, into which the longest line does not fit."""
    first = {line.request: line for line in reversed(nginx_lines(requests))}
    impatient = {Raw.STATUS: 400}  # this client did not wait for the server to give up
    return [
        Line(name, line.row | (impatient if name in {"crlfcrlf", "lf", "partial"} else {}))
        for name, line in reversed(first.items())
        if name != "long70k"
    ]


def ingress_parts(row: Row, name: str) -> Row:
    """The format of that name reads method, `$uri` and protocol as one request, so what is missing in it shows."""
    if name in {"pct_bad", "pct_nul", "dotdot"}:
        return row | asked(b"GET  HTTP/1.1")
    return row | asked(b"GET /http09") if name == "http09" else nginx_parts(row, name)


CADDY_SILENT: Final = frozenset(
    [
        "ua_ctrl",
        "space_path",
        "pct_bad",
        "options_star",
        "http09",
        "http30",
        "tls",
        "rdp",
        "t3",
        "nul",
        "nul_hdr",
        "crlfcrlf",
        "lf",
        "nothing",
        "partial",
        "host_evil",
    ]
)
"""Go's server answers these itself."""


def caddy_lines(requests: Iterable[Request]) -> list[Line]:
    """Of each request that got to Caddy one line; its status is 0, because `respond` said none."""
    return [
        Line(request.name, sent(request) | {Raw.ADDRESS: "127.0.0.1", Raw.STATUS: None})
        for request in requests
        if request.name not in CADDY_SILENT and request.name not in ADDRESSES
    ]


HAPROXY_REFUSED: Final = frozenset(
    [
        "rawutf8_path",
        "latin1_path",
        "space_path",
        "frag",
        "absuri",
        "connect",
        "http09",
        "tls",
        "rdp",
        "t3",
        "nul",
        "long70k",
        "longua",
        "crlfcrlf",
        "lf",
        "nothing",
        "partial",
    ]
)
"""HAProxy says nothing of these but that they are bad."""
HAPROXY_STATUS: Final = {
    **dict.fromkeys(HAPROXY_REFUSED, 400),
    **names("nul_hdr pct_bad pct_nul dotdot options_star lower", 400),
    **names("crlfcrlf lf nothing partial", 408),
    **names("auth_space auth_utf8 auth_quote auth_email", 404),
    **names("auth_wrong auth_empty", 401),
    **names("upstream1 upstream_redirect", 502),
}


def haproxy_lines(requests: Iterable[Request]) -> list[Line]:
    """Of each request two lines, of httplog and of httplog clf; neither has referer or agent."""
    lines = []
    for request in requests:
        row = asked(b"<BADREQ>" if request.name in HAPROXY_REFUSED else request.line)
        row |= {Raw.ADDRESS: "127.0.0.1", Raw.STATUS: HAPROXY_STATUS.get(request.name, 200)}
        both = [row, row]
        if request.name == "long8k":
            # cut at 1,024 bytes, in the request: in clf what follows it is gone as well
            both = [row | dict.fromkeys(REQUEST), row | dict.fromkeys((*REQUEST, Raw.STATUS))]
        # it waits for more after `PRI`, and closes without a word
        if request.name not in {"pri", *ADDRESSES}:
            lines += [Line(request.name, one) for one in both]
    return lines


LONG: Final = {"long70k": Reason.TOO_LONG}
LOGS: Final = (
    Log("nginx-1.22.1/combined.log", "combined", nginx_lines, rejects=LONG),
    Log("nginx-1.22.1/buffered.log.gz", "combined", nginx_lines, rejects=LONG),
    Log("nginx-1.22.1/main.log", "nginx.conf:main", nginx_lines, rejects=LONG),
    Log("nginx-1.22.1/main.log", "main", nginx_lines, rejects=LONG),
    Log("nginx-1.22.1/vhost.log", "nginx.conf:vhost", nginx_lines, rejects=LONG),
    Log("nginx-1.22.1/escape_json.log", "nginx.conf:j", nginx_lines, rejects=LONG),
    Log(
        "nginx-1.22.1/escape_none.log",
        "nginx.conf:none",
        nginx_lines,
        rejects={**LONG, **names(QUOTED, Reason.STRUCTURE), **names("tls rdp nul", Reason.BINARY)},
    ),
    Log("nginx-1.22.1/ingress.log", "nginx.conf:ingress", nginx_lines, nginx_parts),
    Log("apache-2.4.71/combined.log", "combined", apache_lines, rejects=LONG),
    Log("apache-2.4.71/common.log", "common", apache_lines, rejects=LONG),
    Log("apache-2.4.71/other_vhosts_access.log", "vhost_combined", apache_lines, rejects=LONG),
    Log(
        "apache-2.4.71/other_vhosts_access.log",
        "httpd.conf:vhost_combined",
        apache_lines,
        rejects=LONG,
    ),
    Log("apache-2.4.71/kitchen_sink.log", "httpd.conf:kitchen", apache_lines, apache_parts, LONG),
    Log("lighttpd-1.4.69/access.log", "combined", lighttpd_lines),
    Log("lighttpd-1.4.69/access.log", "lighttpd", lighttpd_lines),
    Log("nginx-1.22.1/ingress.log", "ingress", nginx_lines, ingress_parts),
    Log("nginx-1.22.1/syslog_raw.log", "syslog/combined", straight_lines),
    Log("caddy-2.6.2/access.log", "caddy", caddy_lines, rejects=LONG),
    Log("haproxy-2.6.12/syslog_raw.log", "syslog/haproxy", haproxy_lines),
)


@pytest.fixture(scope="module")
def requests(cases: Path) -> list[Request]:
    """What was sent to every server, in this order."""
    lines = (cases / "logs/live-servers/requests.jsonl").read_text("utf-8").splitlines()
    return [Request(one["name"], b64decode(one["request_b64"])) for one in map(json.loads, lines)]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: f"{log.file} {log.format}")
def test_line_by_line(cases: Path, requests: list[Request], log: Log) -> None:
    """Each line is the row of one request, as it was sent, or a reject that is expected; there are no others."""
    folder = cases / "logs/live-servers"
    data = (folder / log.file).read_bytes()
    data = gzip.decompress(data) if log.file.endswith(".gz") else data
    found = parse(Block.of(data, offset=0), resolve(layout(folder, log)), ALL, zone="UTC")
    lines = log.lines(requests)
    starts = [0, *(at.end() for at in re.finditer(rb"\n", data))][:-1]
    refused = dict(zip(found.rejects.offsets.tolist(), found.rejects.reasons.tolist(), strict=True))
    given = iter(rows(found))
    last = BEGIN
    wrong: list[object] = []
    assert len(starts) == len(lines)
    for start, line in zip(starts, lines, strict=True):
        reason = REASONS[refused[start]] if start in refused else None
        if reason != log.rejects.get(line.request):
            wrong.append((line.request, reason))
        if reason:
            continue
        row = next(given)
        when = row[Raw.TIME]
        assert isinstance(when, datetime)
        assert last.replace(microsecond=0) <= when < END, line.request
        last = when
        known = log.alters(line.row, line.request)
        if odd := differences(row, known):
            wrong.append((line.request, odd, {raw: known[raw] for raw in odd}))
    assert wrong == []
    assert next(given, None) is None
