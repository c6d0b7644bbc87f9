"""nginx and Apache themselves, in six formats each: what a hostile client sent is what the rows say."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import program
import pytest
from hostile import (
    FORGED_LINE,
    REQUESTS,
    Request,
    Row,
    asked,
    differences,
    looked_up,
    rows,
    sent,
    text,
)
from program import ingest

from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.schema import MAX_LINE, Block, Raw, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATH: Final = os.environ["PATH"] + ":/usr/sbin:/sbin"
MODULES: Final = Path("/usr/lib/apache2/modules")
ALL: Final = frozenset(Raw)
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="each client has an address of its own in 127.0.0.0/8"
)
REQUEST: Final = (Raw.METHOD, Raw.PATH, Raw.QUERY, Raw.PROTOCOL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, or None where there was no status line, and how many bytes."""

    status: int | None
    total: int
    body: int


def as_elsewhere(row: Row, _: Request) -> Row:
    """Most formats say it alike."""
    return row


@dataclass(frozen=True, slots=True)
class Format:
    """One log of a server.

    Args:
        name: What `--format` takes: a name of the catalogue, or the string.
        alters: What this format says otherwise than `$request` or `%r` and the whole headers do, given the row that
            is expected elsewhere and its request.
        total: Whether the size that is logged counts the head as well.
    """

    name: str
    alters: Callable[[Row, Request], Row] = as_elsewhere
    total: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """How to run one, what it writes, and where that is not what it was sent.

    Args:
        program: What is started.
        site: The virtual host that it logs.
        conf: Its configuration, with places for `room`, `port` and the lines of `logs`.
        line: The configuration of one log, with places for `number` and `text`.
        formats: The logs, and how the text of each stands in the configuration.
        odd: Where its lines differ from what was sent, and why.
        silent: The requests that give no line.
    """

    program: str
    site: Callable[[Request], str | None]
    conf: str
    line: str
    formats: Mapping[Format, str]
    odd: Mapping[str, tuple[Row, str]]
    silent: frozenset[str]


def parts(row: Row, request: Request) -> Row:
    """Where nginx could not read a request, its parts are missing; `$request` has the bytes all the same."""
    if request.name in NGINX_UNREAD:
        return row | dict.fromkeys(REQUEST)
    lost = dict.fromkeys((Raw.PATH, Raw.QUERY)) if request.name in NGINX_NO_URI else {}
    spoken = None if row[Raw.PROTOCOL] == "HTTP/0.9" else row[Raw.PROTOCOL]
    return row | {Raw.PROTOCOL: spoken} | lost


def decoded(row: Row, request: Request) -> Row:
    """`$uri` instead of the target: without the query, and a `?` that was escaped looks like one."""
    row = parts(row, request)
    return row | {Raw.PATH: looked_up(row[Raw.PATH]), Raw.QUERY: None}


def nginx_host(request: Request) -> str | None:
    """`$host`: the header without its port, where nginx has come to it."""
    if request.name in NGINX_UNREAD:
        return None
    host = request.header(b"Host").lower()
    return text(host[: host.find(b":", host.rfind(b"]") + 1) % (len(host) + 1)])


def conditional(row: Row, request: Request) -> Row:
    """`%m`, `%U%q` and `%H` instead of `%r`, and headers for some statuses only."""
    row = row | {Raw.PATH: looked_up(row[Raw.PATH])}
    if row[Raw.STATUS] in (400, 408):
        row[Raw.AGENT] = None
    if row[Raw.STATUS] != 400:
        row[Raw.REFERER] = None
    return row | APACHE_PARTS.get(request.name, {})


_COMBINED: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
_MAIN: Final = f'{_COMBINED} "$http_x_forwarded_for"'
_JSON: Final = (
    'escape=json {"at":"$time_iso8601","who":"$remote_addr","user":"$remote_user","line":"$request",'
    '"code":$status,"sent":$body_bytes_sent,"took":$request_time,"from":"$http_referer",'
    '"with":"$http_user_agent","for":"$http_x_forwarded_for","site":"$host"}'
)
_INGRESS: Final = (
    '$remote_addr - $remote_user [$time_local] "$request_method $uri $server_protocol" $status '
    '$body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time '
    "[$proxy_host] [] $upstream_addr $upstream_response_length $upstream_response_time "
    "$upstream_status $request_id"
)
_VHOST: Final = (
    '$host:$server_port $remote_addr [$msec] "$request" $status $bytes_sent "$http_referer" '
    '"$http_user_agent" $request_time'
)
_APART: Final = (
    '$time_iso8601|$remote_addr|$request_method|"$request_uri"|"$args"|$server_protocol|$status|'
    '$body_bytes_sent|"$http_user_agent"|"$http_cookie"'
)
_NGINX_CONF: Final = """\
daemon off; worker_processes 1; pid {room}/nginx.pid; error_log {room}/error.txt crit; {user}
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {room}/t1; proxy_temp_path {room}/t2; fastcgi_temp_path {room}/t3;
  uwsgi_temp_path {room}/t4; scgi_temp_path {room}/t5;
  large_client_header_buffers 4 128k; client_header_timeout 1s; lingering_close off;
{logs}
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok\\n"; }} }}
}}
"""
NGINX_UNREAD: Final = frozenset(
    [
        "forge_path",
        "blanks",
        "tab",
        "absolute",
        "connect",
        "star",
        "lower",
        "symbol_method",
        "http30",
        "no_version",
        "ftp",
        "tls",
        "rdp",
        "t3",
        "http2",
        "nul_path",
        "forged_line",
        "line_ends",
    ]
)
NGINX_NO_URI: Final = frozenset({"dots", "percent", "percent_nul"})
"""Refused for what the path decodes to: method and protocol are known, `$uri` and `$request_uri` are empty."""
NGINX: Final = Server(
    "nginx",
    nginx_host,
    _NGINX_CONF,
    "  log_format f{number} {escape}'{text}'; access_log {room}/{number}.log f{number};",
    {
        Format("combined"): _COMBINED,
        Format("main"): _MAIN,
        Format(_JSON): _JSON,
        Format(_INGRESS, decoded): _INGRESS,
        Format(_VHOST, total=True): _VHOST,
        Format(_APART, parts): _APART,
    },
    {
        "http09": ({Raw.STATUS: 200}, "HTTP/0.9 has no status line"),
        "line_ends": ({Raw.STATUS: 408}, "nginx closes without a word when time is up"),
        "partial": ({Raw.STATUS: 408, Raw.SITE: None}, "the same, before the host was read"),
        "percent": ({Raw.SITE: None}, "refused before the host was read"),
        "percent_nul": ({Raw.SITE: None}, "refused before the host was read"),
        "dots": ({Raw.SITE: None}, "refused before the host was read"),
        "host_blank": ({Raw.SITE: None}, "no host has a blank"),
        "forge_cr": ({Raw.AGENT: None}, "a header with CR is refused"),
        "nul_header": ({Raw.AGENT: None}, "a header with NUL is refused"),
    },
    frozenset({"nothing"}),
)


_BASE: Final = '%h %l %u %t "%r" %>s'
_HEADERS: Final = '"%{Referer}i" "%{User-Agent}i"'
_TIMED: Final = '%a %D %{ms}T "%{X-Forwarded-For}i" %t "%m %U%q %H" %>s %B "%!400,408{User-Agent}i" "%400{Referer}i"'
_STAMPED: Final = '%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t %a "%r" %s %O %{us}T %{remote}p'
_APACHE_CONF: Final = """\
ServerRoot {room}
PidFile {room}/httpd.pid
DefaultRuntimeDir {room}
Listen 127.0.0.1:{port}
ServerName localhost
ErrorLog {room}/error.txt
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule reqtimeout_module {modules}/mod_reqtimeout.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_basic_module {modules}/mod_auth_basic.so
{user}
StartServers 1
RequestReadTimeout header=1
LimitRequestLine 200000
LimitRequestFieldSize 200000
TraceEnable off
AllowEncodedSlashes On
DocumentRoot {room}
AliasMatch ^ {room}/ok.txt
<Directory {room}>
Require all granted
</Directory>
<LocationMatch "^/user_">
AuthType Basic
AuthName users
AuthUserFile {room}/users.txt
Require valid-user
</LocationMatch>
{logs}
"""
_PARTLESS: Final[Row] = dict.fromkeys(REQUEST) | {Raw.PROTOCOL: "HTTP/1.0"}
APACHE_PARTS: Final[Mapping[str, Row]] = {
    # Apache goes on with the first two words of a request that it refuses, as if it were HTTP/1.0
    "forge_path": {Raw.PATH: '/forge_path"', Raw.PROTOCOL: "HTTP/1.0"},
    "blanks": {Raw.PATH: "/blanks/a", Raw.PROTOCOL: "HTTP/1.0"},
    "tab": {Raw.PATH: "/tab/a", Raw.PROTOCOL: "HTTP/1.0"},
    "no_version": {Raw.PROTOCOL: "HTTP/1.0"},
    "ftp": {Raw.PATH: "/ftp", Raw.PROTOCOL: "HTTP/1.0"},
    "forged_line": {Raw.PROTOCOL: "HTTP/1.0"},
    # of a request with bytes that no request has it says nothing
    **dict.fromkeys(("bare_lf", "tls", "rdp", "t3", "nul_path", "line_ends"), _PARTLESS),
    # logged alone, a path says nothing of the host, and an escaped `?` begins the query
    "absolute": {Raw.PATH: "/absolute"},
    "connect": {Raw.PATH: "/"},
    "percent_ask": {Raw.QUERY: "b"},
    "percent_nul": {Raw.PATH: "/percent_nul/a"},
    # a method that cannot be one does not make the path unreadable when it stands apart
    "symbol_method": {Raw.PATH: "/symbol_method", Raw.PROTOCOL: "HTTP/1.1"},
}
APACHE: Final = Server(
    "apache2",
    lambda _: "localhost",
    _APACHE_CONF,
    'LogFormat "{text}" f{number}\nCustomLog {room}/{number}.log f{number}',
    {
        Format("combined"): f"{_BASE} %b {_HEADERS}",
        Format("common"): f"{_BASE} %b",
        Format("vhost_combined", total=True): f"%v:%p {_BASE} %O {_HEADERS}",
        Format("combinedio"): f"{_BASE} %b {_HEADERS} %I %O",
        Format(_TIMED, conditional): _TIMED,
        Format(_STAMPED, total=True): _STAMPED,
    },
    {
        "http09": ({Raw.STATUS: 200}, "HTTP/0.9 has no status line"),
        "line_ends": ({Raw.STATUS: 408}, "Apache closes without a word when time is up"),
        "ua_controls": ({Raw.AGENT: None}, "a header with control characters is refused"),
        "forge_cr": ({Raw.AGENT: None}, "a header with CR is refused"),
        "nul_header": ({Raw.AGENT: None}, "a header with NUL is refused"),
        "ua_twice": ({Raw.AGENT: "first, second"}, "headers of one name are joined"),
        "forge_fold": ({Raw.AGENT: f"a {FORGED_LINE.decode()}"}, "folded headers are joined"),
        "forge_path": (asked(b'GET /forge_path" 200'), "%r ends at the second blank too many"),
        "blanks": (asked(b"GET /blanks/a b"), "%r ends at the second blank too many"),
        "tab": (asked(b"GET /tab/a b"), "%r shows a blank for the tab, and ends there"),
        "nul_path": (asked(b"GET /nul_path"), "%r ends at a NUL"),
        "bare_lf": (asked(b"GET /bare_lf HTTP/1.1\n"), "%r keeps the line end that is refused"),
        "absolute": (
            asked(b"GET http://user:XXXXXXXX@shop.example/absolute?y=1 HTTP/1.1"),
            "%r masks the password",
        ),
    },
    frozenset({"nothing"}),
)
SERVERS: Final = {"nginx": NGINX, "apache": APACHE}


@dataclass(frozen=True, slots=True)
class Run:
    """What a server answered and wrote.

    Args:
        answers: By the name of the request.
        logs: In the order of `Server.formats`.
        begin: Before the first request.
        end: After the last.
    """

    answers: Mapping[str, Answer]
    logs: Mapping[Format, bytes]
    begin: datetime
    end: datetime


def address(request: Request) -> str:
    """Every request comes from an address of its own, which the client cannot forge: it is whom a row is of."""
    return f"127.0.1.{REQUESTS.index(request) + 1}"


def ask(request: Request, port: int) -> Answer:
    """Sends a request and counts what comes back until the server closes."""
    came = b""
    with socket.socket() as client:
        client.settimeout(5)
        client.bind((address(request), 0))
        client.connect(("127.0.0.1", port))
        client.sendall(request.data)
        if not request.data:
            client.shutdown(socket.SHUT_WR)
        while part := client.recv(65_536):
            came += part
    if not came.startswith(b"HTTP/"):
        return Answer(None, len(came), len(came))
    head, _, body = came.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), len(came), len(body))


def configured(server: Server, room: Path, port: int) -> str:
    """The configuration with one log for each format."""
    root = os.geteuid() == 0
    nginx = server is NGINX
    logs = []
    for number, written in enumerate(server.formats.values()):
        escape = "escape=json " if written.startswith("escape=json ") else ""
        quoted = written.removeprefix(escape)
        logs.append(
            server.line.format(
                number=number,
                room=room,
                escape=escape,
                text=quoted if nginx else quoted.replace('"', '\\"'),
            )
        )
    user = ("user root;" if nginx else "User www-data\nGroup www-data") if root else ""
    return server.conf.format(
        room=room, port=port, user=user, logs="\n".join(logs), modules=MODULES
    )


@contextmanager
def running(server: Server, room: Path) -> Iterator[int]:
    """The server on a port of its own; it ends, and has written everything, with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    conf = room / "server.conf"
    conf.write_text(configured(server, room, port), encoding="utf-8")
    (room / "users.txt").touch()
    (room / "ok.txt").write_text("ok\n", encoding="utf-8")
    for name in ("ok.txt", "users.txt"):
        # whatever a test before has made of the umask
        (room / name).chmod(0o644)
    program = shutil.which(server.program, path=PATH) or ""
    options = ["-e", room / "error.txt", "-c", conf] if server is NGINX else ["-X", "-f", conf]
    process = subprocess.Popen([program, *map(str, options)])
    try:
        until = time.monotonic() + 10
        while not _listens(port) and time.monotonic() < until:
            assert process.poll() is None, (room / "error.txt").read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=SERVERS)
def run(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Run]]:
    """A server that has been sent all requests."""
    server = SERVERS[request.param]
    if shutil.which(server.program, path=PATH) is None or not (server is NGINX or MODULES.is_dir()):
        pytest.skip(f"needs {server.program}")
    # pytest's own folders are for nobody else, and Apache gives up its rights
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        room.chmod(0o755)
        begin = datetime.now(UTC)
        with running(server, room) as port, ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: ask(one, port), REQUESTS))
        end = datetime.now(UTC)
        logs = [(room / f"{number}.log").read_bytes() for number in range(len(server.formats))]
        yield (
            server,
            Run(
                {one.name: answer for one, answer in zip(REQUESTS, answers, strict=True)},
                dict(zip(server.formats, logs, strict=True)),
                begin,
                end,
            ),
        )


def expected(server: Server, run: Run, form: Format, request: Request) -> Row:
    """What a log says of a request."""
    answer = run.answers[request.name]
    row: Row = {
        **sent(request),
        Raw.STATUS: answer.status,
        Raw.BYTES: answer.total if form.total else answer.body,
        Raw.SITE: server.site(request),
        Raw.ADDRESS: address(request),
    }
    return form.alters(row | server.odd.get(request.name, ({}, ""))[0], request)


def test_every_request_is_a_row(run: tuple[Server, Run]) -> None:
    """Every log has a line for every request that was answered, and of the lines only one is too long for a row."""
    server, done = run
    for form, log in done.logs.items():
        found = parse(Block.of(log, offset=0), resolve(form.name), ALL)
        assert found.lines == len(REQUESTS) - len(server.silent)
        long = {"too_long_url"} if Raw.QUERY in found.columns else set()
        assert found.rejects.by_reason() == ({Reason.TOO_LONG: 1} if long else {})
        for offset in found.rejects.offsets.tolist():
            assert b"/too_long_url?" in log[offset : log.index(b"\n", offset)]
        who = [str(row[Raw.ADDRESS]) for row in rows(found)]
        without = server.silent | long
        assert sorted(who) == sorted(address(one) for one in REQUESTS if one.name not in without)


def test_rows_say_what_was_sent(run: tuple[Server, Run]) -> None:
    """Each row of each format has the bytes that were sent and the status that came back, in the time of the run."""
    server, done = run
    sender = {address(request): request for request in REQUESTS}
    wrong = []
    for form, log in done.logs.items():
        for row in rows(parse(Block.of(log, offset=0), resolve(form.name), ALL)):
            request = sender[str(row[Raw.ADDRESS])]
            known = expected(server, done, form, request)
            if odd := differences(row, known):
                wrong.append((form.name, request.name, odd, {raw: known[raw] for raw in odd}))
            when = row[Raw.TIME]
            assert isinstance(when, datetime)
            assert done.begin - timedelta(seconds=1) <= when <= done.end
            took = row.get(Raw.DURATION, 0)
            assert isinstance(took, int)
            assert took < 5_000
    assert wrong == []


def test_formats_agree(run: tuple[Server, Run]) -> None:
    """All formats say the same of a request, as far as they say the same thing, and of the same second."""
    _, done = run
    said: dict[tuple[object, Raw], set[object]] = {}
    for form, log in done.logs.items():
        for row in rows(parse(Block.of(log, offset=0), resolve(form.name), ALL)):
            shared = set(row) - {Raw.DURATION, Raw.ADDRESS}
            if form.alters is not as_elsewhere:
                shared &= {Raw.STATUS, Raw.TIME, Raw.BYTES}
            if form.total:
                shared -= {Raw.BYTES}
            for raw in shared:
                value = row[raw]
                told = value.replace(microsecond=0) if isinstance(value, datetime) else value
                said.setdefault((row[Raw.ADDRESS], raw), set()).add(told)
    assert {key: values for key, values in said.items() if len(values) > 1} == {}


def test_program_with_the_configuration(run: tuple[Server, Run], tmp_path: Path) -> None:
    """`ingest --format-from` the server's own configuration gives as many rows, from these clients only."""
    server, done = run
    out = tmp_path / "out"
    for number, (form, log) in enumerate(done.logs.items()):
        (tmp_path / f"{number}.log").write_bytes(log)
        conf = tmp_path / "server.conf"
        conf.write_text(configured(server, tmp_path, 80), encoding="utf-8")
        document = ingest(out, tmp_path / f"{number}.log", "--format-from", f"{conf}:f{number}")
        lines = log.count(b"\n")
        long = max(map(len, log.splitlines())) > MAX_LINE
        assert document["totals"]["lines"] == lines, form.name
        assert document["totals"]["rows"] == lines - long, form.name
        assert document["totals"]["rejects"] == ({"too_long": 1} if long else {}), form.name
    nets = program.rows(out, "SELECT DISTINCT client_net FROM logs")
    assert nets == [("127.0.1.0/24",)]
