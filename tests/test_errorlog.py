"""Error logs: what is understood is kept, and nothing that a client wrote."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logscrub.formats import errorlog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Kind = Literal["nginx", "apache"]

SHOWN: Final = "NET"
N: Final = "2026/11/22 02:30:01 [error] 7#8: "
A: Final = "[Sun Nov 22 02:30:01.123456 2026] [core:error] [pid 1:tid 2] "
CLIENT: Final = ", client: 192.0.2.7, server: example.com"


def scrub(line: str | bytes, kind: Kind = "nginx") -> str | None:
    raw = line.encode() if isinstance(line, str) else line
    (shown,) = errorlog.scrub([raw], kind, lambda found: [SHOWN] * len(found))
    return None if shown is None else shown.decode()


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('open() "/srv/x" failed (2: No such file or directory)', 'open() "{path}" failed (2: No such file or directory)'),
        ('open() "/srv/x" failed (999: Jane was here)', 'open() "{path}" failed (999: {text})'),
        ('open() "/srv/" failed (2: jane)" failed (13: Permission denied)', 'open() "{path}" failed (13: Permission denied)'),
        ('limiting requests, excess: 5.459 by zone "one"', 'limiting requests, excess: 5.459 by zone "{zone}"'),
        ('limiting requests, excess: 192.0.2.7 by zone "one"', "{message}"),
        (
            "upstream timed out (110: Connection timed out) while reading response header from upstream",
            "upstream timed out (110: Connection timed out) while reading response header from upstream",
        ),
        ("upstream timed out while jane was here", "{message}"),
        (
            "SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking",
            "SSL_do_handshake() failed (SSL: error:0A00006C:{text}) while SSL handshaking",
        ),
        ("SSL_read() failed (SSL: jane)", "SSL_read() failed (SSL: {text})"),
        ("jane() failed (2: No such file or directory)", "{message} (2: No such file or directory)"),
        ("access forbidden by rule", "access forbidden by rule"),
        ("access forbidden by rule of jane", "{message}"),
        ('directory index of "/home/jane/" is forbidden', 'directory index of "{path}" is forbidden'),
        ('user "jane" was not found in "/etc/htp"', 'user "{user}" was not found in "{path}"'),
        ('user "a" was not found in "b" was not found in "/etc/htp"', 'user "{user}" was not found in "{path}"'),
        ('user "jane": password mismatch', 'user "{user}": password mismatch'),
        (
            'client sent invalid header line: "X: \\x00..." while reading client request headers',
            'client sent invalid header line: "{header}" while reading client request headers',
        ),
        (
            "client 192.0.2.7 closed keepalive connection (104: Connection reset by peer)",
            "client NET closed keepalive connection (104: Connection reset by peer)",
        ),
        ("client jane closed keepalive connection", "client {client} closed keepalive connection"),
        (
            'rewrite or internal redirection cycle while internally redirecting to "/x"',
            'rewrite or internal redirection cycle while {text} "{path}"',
        ),
        ("client intended to send too large body: 10485761 bytes", "client intended to send too large body: 10485761 bytes"),
        ("api.example.com could not be resolved (3: Host not found)", "{host} could not be resolved (3: Host not found)"),
        ("signal process started", "signal process started"),
        ("signal 15 (SIGTERM) received from 4, exiting", "signal 15 (SIGTERM) received from 4, exiting"),
        ("signal 15 (JANE) received from 4, exiting", "{message}"),
        ("worker process 11 exited with code 0", "worker process 11 exited with code 0"),
        ("nginx/1.27.4", "nginx/1.27.4"),
        ("nginx/192.0.2.7", "{message}"),
        ('using the "epoll" event method', 'using the "{text}" event method'),
        ("", "{message}"),
    ],
)  # fmt: skip
def test_messages_of_nginx(message: str, shown: str) -> None:
    """The fixed text is kept when all of it is known; what stands between is named."""
    assert scrub(N + message) == N + shown
    server = "{server}" if "{message}" in shown else "example.com"
    tail = f", client: {SHOWN}, server: {server}"
    assert scrub(N + "*5 " + message + CLIENT) == N + "* " + shown + tail


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("192.0.2.7", "NET"),
        ("2001:db8::7", "NET"),
        ("unix:", "unix:"),
        ("jane", "{client}"),
        ("192.0.2.7, server: ", "NET, server: "),
        ("192.0.2.7, server: _", "NET, server: _"),
        ("192.0.2.7, server: *.example.com", "NET, server: *.example.com"),
        ("192.0.2.7, server: 192.0.2.1:80", "NET, server: {server}"),
        ("192.0.2.7, server: 192.0.2.1", "NET, server: {server}"),
        ("192.0.2.7, server: ip-192-0-2-1.example.com", "NET, server: {server}"),
        ("192.0.2.7, server: [2001:db8::1]:80", "NET, server: {server}"),
        ("192.0.2.7, server: jane@example.com", "NET, server: {server}"),
        ('192.0.2.7, server: a.example, request: "GET /x?y HTTP/1.1"', 'NET, server: a.example, request: "GET {target} HTTP/1.1"'),
        ('192.0.2.7, server: a, request: "GET /a b HTTP/1.1"', 'NET, server: a, request: "GET {target} HTTP/1.1"'),
        ('192.0.2.7, server: a, request: "GET /x"', 'NET, server: a, request: "GET {target}"'),
        ('192.0.2.7, server: a, request: "GET /x', 'NET, server: a, request: "GET {target}"'),
        ('192.0.2.7, server: a, request: "JANE /x HTTP/1.1"', 'NET, server: a, request: "{request}"'),
        ('192.0.2.7, server: a, request: "\x16\x03\x01"', 'NET, server: a, request: "{request}"'),
        (
            '192.0.2.7, server: a, request: "POST /x HTTP/2.0", subrequest: "/y", upstream: "http://192.0.2.1:80/x", host: "jane.example.com:443", referrer: "https://example.com/?q=jane"',
            'NET, server: a, request: "POST {target} HTTP/2.0", subrequest: "{subrequest}", upstream: "{upstream}", host: "{host}", referrer: "{referrer}"',
        ),
        ('192.0.2.7, server: 0.0.0.0:143, login: "jane"', "NET, server: {server}"),
    ],
)  # fmt: skip
def test_fields_of_nginx(fields: str, shown: str) -> None:
    """Fields are named; what is not known is left out."""
    assert (
        scrub(f"{N}*5 client timed out, client: {fields}")
        == f"{N}* client timed out, client: {shown}"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (A + "[client 192.0.2.7:5678] AH00128: File does not exist: /srv/x", A + "[client NET] AH00128: File does not exist: {path}"),
        (A + "[client 2001:db8::7:5678] AH00128: nobody knows", A + "[client NET] AH00128: {message}"),
        (A + "[remote 192.0.2.7:80] AH99999: File does not exist: /srv/x", A + "[remote NET] AH99999: {message}"),
        (A + "[client jane] jane", A + "[client {client}] {message}"),
        (
            A + "(70014)End of file found: [client 192.0.2.7:5] AH02006: SSL handshake stopped: connection was closed",
            A + "(70014)End of file found: [client NET] AH02006: SSL handshake stopped: connection was closed",
        ),
        (
            A + "(13)Jane: [client 192.0.2.7:5] AH00132: file permissions deny server access: /x, referer: http://example.com/",
            A + "(13){text}: [client NET] AH00132: file permissions deny server access: {path}, referer: {referer}",
        ),
        (A.replace("core", "jane") + "x", A.replace("core", "{module}") + "{message}"),
        (A.replace("core:error", ":error").replace(":tid 2", "") + "x", A.replace("core:error", ":error").replace(":tid 2", "") + "{message}"),
        (A.replace("core:error", "ssl:trace4") + "ssl_engine_io.c(2202): [client 192.0.2.7:5] x", A.replace("core:error", "ssl:trace4") + "[client NET] {message}"),
        (
            "[Sun Nov 22 02:30:01 2026] [error] [client 192.0.2.7] File does not exist: /srv/favicon.ico, referer: http://jane.example/",
            "[Sun Nov 22 02:30:01 2026] [error] [client NET] File does not exist: {path}, referer: {referer}",
        ),
        (
            "[Sun Nov  1 02:30:01 2026] [error] [client 2001:db8::1234] (13)Permission denied: file permissions deny server access: /x",
            "[Sun Nov  1 02:30:01 2026] [error] [client NET] (13)Permission denied: file permissions deny server access: {path}",
        ),
        (
            "[Sun Nov 22 02:30:01 2026] [notice] Apache/2.2.22 (Debian) configured -- resuming normal operations",
            "[Sun Nov 22 02:30:01 2026] [notice] {software} configured -- resuming normal operations",
        ),
        (A + "AH00163: Apache/2.4.71 (Debian) configured -- resuming normal operations", A + "AH00163: {software} configured -- resuming normal operations"),
        (A + "AH00094: Command line: '/usr/sbin/apache2'", A + "AH00094: Command line: '{command}'"),
        (A + 'AH01617: user jane: authentication failure for "/x": Password Mismatch', A + 'AH01617: user {user}: authentication failure for "{path}": Password Mismatch'),
    ],
)  # fmt: skip
def test_lines_of_apache(line: str, shown: str) -> None:
    """Of 2.4 and of 2.2, with and without a process."""
    assert scrub(line, "apache") == shown


@pytest.mark.parametrize(
    "line",
    [
        "", "#0 /srv/app/index.php(12): login('jane')", '192.0.2.7 - - [22/Nov/2026:02:30:01 +0000] "GET / HTTP/1.1" 200 5',
        "2026/02/31 02:30:01 [error] 7#8: x", "2026/11/22 02:30:01 [jane] 7#8: x", "2026/11/22 02:30:01 [error] jane#8: x",
        "2026/11/22 02:30:01 [error] 7: x", "2026/11/22 02:30:01 [error", "2026-11-22 02:30:01 [error] 7#8: x",
        "[Sun Nov 31 02:30:01 2026] [error] x", "[Jan Nov 22 02:30:01 2026] [error] x", "[Sun Nov 22 02:30:01 2026] [jane] x",
        "[Sun Nov 22 02:30:01 2026] x", "[Sun Nov 22 02:30:01", "[]", "[",
    ],
)  # fmt: skip
def test_what_has_another_shape_is_dropped(line: str) -> None:
    """Lines of a program that writes into the same file, and lines cut at their beginning."""
    assert scrub(line, "nginx") is None
    assert scrub(line, "apache") is None


def test_addresses_are_asked_for_once() -> None:
    """All distinct ones together, without port, brackets and zone, in the order of the lines."""
    asked: list[list[str]] = []

    def mask(found: list[str]) -> list[str]:
        asked.append(found)
        return [f"<{len(one)}>" for one in found]

    lines = [
        f"{N}client timed out, client: {one}"
        for one in (
            "192.0.2.7",
            "2001:DB8::7%eth0",
            "192.0.2.7",
            "[2001:db8::1]:80",
            "192.0.2.77:80",
            "jane",
        )
    ]
    shown = errorlog.scrub([line.encode() for line in lines], "nginx", mask)
    assert asked == [["192.0.2.7", "2001:db8::7", "2001:db8::1", "192.0.2.77"]]
    tails = [(line or b"").decode().rpartition(": ")[2] for line in shown]
    assert tails == ["<9>", "<11>", "<9>", "<11>", "<10>", "{client}"]
    assert errorlog.scrub([b"x", N.encode()], "nginx", mask) == [None, N.encode() + b"{message}"]
    assert len(asked) == 1


CANARIES: Final = [
    "198.51.100.237", "198.51.100.237:5678", "[2001:db8:9d2c:77aa::91b7]", "[2001:db8:9d2c:77aa::91b7]:443",
    "2001:db8:9d2c:77aa::91b7", "::ffff:198.51.100.237", "jqdoe", "John Qdoe", "jqdoe@example.com", "s3cr3tT0ken",
    "https://jqdoe.example.com/?t=s3cr3tT0ken", "Mozilla/5.0 (X11; s3cr3tT0ken) Qzilla/1.0",
]  # fmt: skip
SECRETS: Final = re.compile(r"198\.51|237|9d2c|77aa|91b7|qdoe|s3cr3t|zilla", re.IGNORECASE)
PLACES: Final[dict[Kind, list[str]]] = {
    "nginx": [
        N + "{}", N + "*1 {}" + CLIENT, N + 'open() "/srv/{}" failed (2: No such file or directory)' + CLIENT,
        N + 'open() "/srv/x" failed (2: {})' + CLIENT, N + 'user "{}" was not found in "{}"' + CLIENT,
        N + "client {} closed keepalive connection", N + 'client sent invalid header line: "{}"' + CLIENT,
        N + "x, client: {}, server: a", N + "exiting, client: 192.0.2.7, server: a {}",
        N + 'exiting{}, client: 192.0.2.7, server: a, request: "GET /{}?{} HTTP/1.1"',
        N + 'exiting, client: 192.0.2.7, server: a, request: "{} / HTTP/1.1"',
        N + 'exiting, client: 192.0.2.7, server: a, request: "GET / {}", upstream: "{}", host: "{}", referrer: "{}", {}: "{}"',
        N + 'FastCGI sent in stderr: "PHP message: {}" while reading response header from upstream' + CLIENT,
        N + "SSL_do_handshake() failed (SSL: error:{}:{}) while SSL handshaking" + CLIENT,
        N + 'limiting requests, excess: {} by zone "{}"' + CLIENT, N + "{} could not be resolved (3: {})" + CLIENT,
        N + "[lua] x.lua:1: {}, context: ngx.timer" + CLIENT, N + "exiting while {}" + CLIENT,
        "2026/11/22 02:30:01 [{}] 7#8: x", "2026/11/22 02:30:01 [error] {}#8: x", "{} [error] 7#8: x", "{}",
    ],
    "apache": [
        A + "{}", A + "[client {}] {}", A + "[client 192.0.2.7:5] {}, referer: {}", A + "[remote {}] AH00128: {}",
        A + "[client 192.0.2.7:5] AH00128: File does not exist: {}", A + "({})x: exiting", A + "(2){}: exiting",
        A + '[client 192.0.2.7:5] AH01617: user {}: authentication failure for "{}": Password Mismatch',
        A + "[client 192.0.2.7:5] AH{}: x", A + "{}.c(12): x", A + "[{}] x", A.replace("core", "{}") + "x",
        A.replace("core:error", "{}") + "x", A.replace("tid 2", "tid {}") + "x", "[{}] [error] x", "{}",
        "[Sun Nov 22 02:30:01 2026] [error] [client {}] {}", "[Sun Nov 22 02:30:01 2026] [notice] {} configured -- resuming normal operations",
        A + '[client 192.0.2.7:5] ModSecurity: Access denied [hostname "{}"] [uri "{}"]', A + "[client 192.0.2.7:5] PHP Notice:  {}",
    ],
}  # fmt: skip


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize(
    ("kind", "place"), [(kind, place) for kind in PLACES for place in PLACES[kind]]
)
def test_what_is_planted_does_not_survive(kind: Kind, place: str, canary: str) -> None:
    """Addresses in every form, names, tokens, e-mail addresses, referers and user agents, in every field."""
    line = place.replace("{}", canary)
    assert SECRETS.search(line)
    assert not SECRETS.search(scrub(line, kind) or "")


PIECES: Final = [
    ", client: ", ", server: ", ', request: "', ', upstream: "', ', host: "', ', referrer: "', ", referer: ", '"', " (",
    ")", ": ", " while ", "[client ", "] ", "(2)", "AH00128: ", "*7 ", 'open() "', '" failed', "2: No such file or directory",
    "client ", " closed keepalive connection", 'user "', '": password mismatch', "client timed out", "GET / ", "HTTP/1.1",
    "reading client request line", "File does not exist: ", "\0", "\n", "\r", "192.0.2.7", ".", ":", " ", "\xe9", "{path}",
]  # fmt: skip
texts = st.lists(st.sampled_from([*PIECES, *CANARIES]) | st.text(max_size=5), max_size=14).map(
    "".join
)


@given(texts, texts, st.sampled_from([N, N + "*5 ", A, A + "[client 192.0.2.7:5] AH00128: ", ""]))
@example(
    'open() "/x" failed (2: s3cr3tT0ken)', ", client: 198.51.100.237, server: 198.51.100.237", N
)
def test_made_up_messages(one: str, two: str, head: str) -> None:
    """Whatever a message looks like. Only a word in the place of a configured server's name can stay."""
    for kind in PLACES:
        shown = scrub((head + one + two).encode("utf-8"), kind) or ""
        assert not SECRETS.search(re.sub(r", server: [A-Za-z0-9.*_-]*", "", shown))
        names = re.findall(r", server: (\S*)", shown)
        assert len(names) <= 1
        assert not any(re.search(r"198\.51|9d2c|@", name) for name in names)
        assert shown.isascii()
        assert "\n" not in shown
        assert "\0" not in shown


def test_forged_fields() -> None:
    """A second client is a part of what the first one sent: neither is shown. Nor is a server behind a cut message."""
    forged = ", client: 198.51.100.237, server: s3cr3tT0ken"
    assert (
        scrub(f'{N}*1 open() "/srv/{forged}" failed (2: No such file or directory){CLIENT}')
        == N + "* {message}"
    )
    cut = f'{N}*1 exiting{forged}, request: "GET /{"x" * 2000}'
    assert scrub(cut) == N + '* exiting, client: NET, server: {server}, request: "GET {target}"'
    assert scrub(f'{N}*1 open() "/srv/{forged}') == N + "* {message}, client: NET, server: {server}"


@pytest.mark.parametrize(
    "piece",
    ['() "', " while ", ", client: ", " (", '"', ": ", "client sent duplicate ", "[client ", "1."],
)
def test_long_lines_take_no_longer_than_their_length(piece: str) -> None:
    """A megabyte of what templates look for, well within a second."""
    began = time.monotonic()
    for head, kind in ((N, "nginx"), (A, "apache"), (N + 'client sent duplicate x: "', "nginx")):
        scrub(head + piece * (2**20 // len(piece)), kind)  # type: ignore[arg-type]
    assert time.monotonic() - began < 3


def samples(cases: Path) -> Iterator[tuple[Kind, bytes, dict[str, Any]]]:
    for folder, kind in (("nginx-1.22.1", "nginx"), ("apache-2.4.71", "apache")):
        text = (cases / "logs/live-servers" / folder / "error.log").read_bytes()
        for line in text.removesuffix(b"\n").split(b"\n"):
            yield kind, line, {"remote_addr": "127.0.0.1"}  # type: ignore[misc]
    for one in map(json.loads, (cases / "parse/crowdsec.jsonl").read_text().splitlines()):
        if one["kind"] == "error_log":
            yield one["format"].removesuffix("_error"), one["line"].encode(), one["expected"]


def test_samples_are_understood(cases: Path) -> None:
    """Every line that real servers wrote is understood in full, and nothing of the client is left."""
    count = 0
    for kind, line, expected in samples(cases):
        shown = scrub(line, kind)
        assert shown is not None
        assert "{message}" not in shown
        for name in ("remote_addr", "remote_user", "host"):
            # a server may bear the name that the client asked for
            assert expected.get(name, "?") not in re.sub(r", server: \S*,", "", shown)
        assert not re.search(r"nosuch|John|alice|evil|passwd|/auth|127\.0", shown)
        count += 1
    assert count == 171
