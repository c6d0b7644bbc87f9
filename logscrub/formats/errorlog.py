"""Lines of the error logs of nginx and Apache, without what clients wrote into them.

A line is built anew from what is understood of it: time, level, process, numbers, closed lists of words, and fixed
texts of messages. What stands between becomes a name in braces, `{path}`. Only a configured server name is kept as it
is, and client addresses as the caller shows them; so it does not matter what a forged line claims to be.
"""

from __future__ import annotations

import errno
import os
import signal
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal

from logscrub.formats import moments
from logscrub.schema import METHODS, PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Template = tuple[tuple[str, ...], tuple[str, ...]]

_ADDRESS: Final = "\0"
"""Stands before and after an address until it is masked; nothing else that is kept holds it."""
_CUT: Final = (
    2000  # nginx cuts a line at 2,048 bytes: fields of a longer one may be a part of its message
)
_MOST_NAME: Final = 253
_HOST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*")
_HEX: Final = frozenset("0123456789ABCDEF")
_PLAIN: Final = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")
_LEVELS: Final = (*_PLAIN, *(f"trace{i}" for i in range(1, 9)))
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_REASONS: Final = frozenset(map(os.strerror, errno.errorcode)) | {
    "The timeout specified has expired", "Partial results are valid but processing is incomplete", "End of file found",
    "Format error", "Server failure", "Host not found", "Unimplemented", "Operation refused", "Operation timed out",
}  # fmt: skip
"""What the system, Apache's library and nginx's resolver say of the numbers of errors."""
_SIGNALS: Final = frozenset(one.name for one in signal.Signals)
_CALLS: Final = str.split("""
    accept accept4 access bind chmod chown close connect epoll_ctl epoll_wait eventfd fstat ftruncate getsockname
    getsockopt ioctl kevent kill link listen lseek lstat mkdir mmap open openat opendir pread pwrite pwritev read
    readdir readv realpath recv recvfrom recvmsg rename rmdir send sendfile sendmsg setsockopt shutdown socket
    socketpair stat unlink utimes write writev SSL_do_handshake SSL_read SSL_write SSL_shutdown SSL_sendfile
""")  # fmt: skip
_ACTIONS: Final = (
    "closing connection", "closing request", "connecting to upstream", "handling frames", "in auth state",
    "in http auth state", "in resolving client address", "in upstream auth state", "initializing request",
    "initializing session", "keepalive", "logging request", "prereading client data", "processing HTTP/2 connection",
    "proxying and reading from upstream", "proxying and sending to upstream", "proxying connection",
    "proxying upgraded connection", "reading PROXY protocol", "reading client pipelined request line",
    "reading client request body", "reading client request headers", "reading client request line",
    "reading response header from upstream", "reading upstream", "requesting certificate status",
    "sending request to upstream", "sending response to client", "sending to client", "SSL handshaking",
    "SSL handshaking to upstream", "waiting for request",
)  # fmt: skip
"""What nginx was doing: stands behind ` while `."""
_DOINGS: Final = ("changing binary", "exiting", "reconfiguring", "reopening logs", "shutting down")
_PROCESSES: Final = ("worker", "cache manager", "cache loader")
_WORDS: Final = frozenset(str.split("""
    access actions ajp alias allowmethods auth authn authnz authz autoindex balancer basic brotli buffer bybusyness
    byrequests bytraffic cache cgi cgid compat config connect cookie core crypto data dav dbd dbm debug deflate digest
    dir disk dumpio env evasive evasive20 event expires express ext fcgi fcgid fdpass file filter forensic form fs ftp
    groupfile hcheck headers heartbeat heartmonitor host html http http2 id ident imagemap include info isapi lbmethod
    ldap lock log logio lua macro magic md memcache mime mpm negotiation owner pagespeed passenger perl php php5 php7
    plain prefork proxy qos ratelimit redis reflector remoteip reqtimeout request rewrite scgi security2 sed session
    setenvif shm shmcb slotmem so socache speling ssl status substitute suexec systemd tls unique unixd user userdir
    usertrack uwsgi version vhost watchdog winnt worker wsgi wstunnel xml2enc xsendfile
""")) | {""}  # fmt: skip
"""What names of Apache's modules are made of."""
_NGINX: Final = (
    '"ssl_stapling" ignored, {text}', '"{path}" is not a directory', '"{path}" is not a file',
    '"{path}" is not a regular file', '"{path}" is not found', 'FastCGI sent in stderr: "{text}"', "OS: {text}",
    "[lua] {text}", "a client request body is buffered to a temporary file {path}", "aborting",
    "access forbidden by rule", "an upstream response is buffered to a temporary file {path}",
    "auth request unexpected status: {n}", 'broken header: "{text}"', "built by {text}",
    'cannot load certificate "{path}": {text}', "client SSL certificate verify error: ({n}:{text})",
    "client attempted to request the server name different from the one that was negotiated",
    "client closed connection", "client intended to send too large body: {n} bytes",
    "client intended to send too large chunked body: {n}+{n} bytes", "client prematurely closed connection",
    "client prematurely closed connection, so upstream connection is closed too",
    'client sent "Content-Length" and "Transfer-Encoding" headers at the same time',
    'client sent HTTP/1.1 request without "Host" header',
    'client sent duplicate {text}: "{header}", previous value: "{header}"',
    'client sent invalid "Content-Length" header', "client sent invalid chunked body",
    "client sent invalid header line", 'client sent invalid header line: "{header}"',
    "client sent invalid host header", "client sent invalid host in request line", "client sent invalid method",
    "client sent invalid request", "client sent invalid version", "client sent no required SSL certificate",
    "client sent plain HTTP request to HTTPS port", "client sent too large request", "client sent too long URI",
    "client sent too long header line", 'client sent too long header line: "{header}"',
    'client sent unknown "Transfer-Encoding": "{header}"', "client timed out",
    "client {client} closed keepalive connection", 'conflicting server name "{host}" on {socket}, ignored',
    'could not find named location "{text}"', 'delaying request, dry run, excess: {n}, by zone "{zone}"',
    'delaying request, excess: {n}, by zone "{zone}"', 'directory index of "{path}" is forbidden', "exit", "exiting",
    "getrlimit(RLIMIT_NOFILE): {n}:{n}", "gracefully shutting down", 'host not found in upstream "{host}"',
    "http2 flood detected", 'limiting connections by zone "{zone}"', 'limiting connections, dry run, by zone "{zone}"',
    'limiting requests, dry run, excess: {n} by zone "{zone}"', 'limiting requests, excess: {n} by zone "{zone}"',
    "lua entry thread aborted: {text}", "malloc({n}) failed", "nginx/{version}", "no live upstreams",
    "no resolver defined to resolve {host}", "no user/password was provided for basic authentication",
    "open socket #{n} left in connection {n}", "openresty/{version}", "peer closed connection in SSL handshake",
    "reconfiguring", "reopening logs", 'rewrite or internal redirection cycle while {text} "{path}"',
    "send() to syslog failed", "signal process started", "signal {n} ({signal}) received",
    "signal {n} ({signal}) received from {n}", "signal {n} ({signal}) received from {n}, {doing}",
    "signal {n} ({signal}) received, {doing}", "start worker processes", "start {process} process {n}",
    "still could not bind()", 'subrequests cycle while processing "{path}"', 'unsafe URI "{path}" was detected',
    "upstream SSL certificate verify error: ({n}:{text})", "upstream prematurely closed FastCGI stdout",
    "upstream prematurely closed connection",
    'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
    'upstream sent duplicate header line: "{header}", previous value: "{header}"', "upstream sent invalid header",
    'upstream sent invalid header: "{header}"', 'upstream sent more data than specified in "Content-Length" header',
    "upstream sent no valid HTTP/1.0 header", "upstream sent too big header",
    "upstream sent unexpected FastCGI record: {n}", "upstream server temporarily disabled", "upstream timed out",
    'user "{user}" was not found in "{path}"', 'user "{user}": password mismatch', 'using the "{text}" event method',
    '{call}() "{path}" failed', "{call}() failed", "{call}() failed (SSL: error:{code}:{text})",
    "{call}() failed (SSL: {text})", "{call}() reported that client prematurely closed connection",
    "{call}() reported that client prematurely closed connection, so upstream connection is closed too",
    "{call}() to {socket} failed", "{host} could not be resolved", "{n} worker_connections are not enough",
    "{n} worker_connections exceed open file resource limit: {n}", "{process} process {n} exited on signal {n}",
    "{process} process {n} exited on signal {n} (core dumped)", "{process} process {n} exited with code {n}",
)  # fmt: skip
"""nginx's messages, sorted: a brace comes behind all letters, so what is more particular is tried first."""
_AH: Final = {
    "00035": "access to {path} denied ({text}) because search permissions are missing on a component of the path",
    "00037": "Symbolic link not allowed or link target not accessible: {path}",
    "00045 00046": "child process {n} still did not exit, sending a {signal}",
    "00051": "child pid {n} exit signal {text}, possible coredump in {path}",
    "00052": "child pid {n} exit signal {text}", "00094": "Command line: '{command}'",
    "00098": "pid file {path} overwritten -- Unclean shutdown of previous Apache run?",
    "00112": "Warning: DocumentRoot [{path}] does not exist",
    "00124": "Request exceeded the limit of {n} internal redirects due to probable configuration error. {text}",
    "00126": "Invalid URI in request {request}", "00127": "Cannot map {path} to file",
    "00128 00130": "File does not exist: {path}", "00129": "Attempt to serve directory: {path}",
    "00132": "file permissions deny server access: {path}", "00135": "Invalid method in request {request}",
    "00161 00286 00484": "server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting",
    "00163 00292 00455 00489": "{software} configured -- resuming normal operations",
    "00169 00295 00491": "caught SIGTERM, shutting down",
    "00170 00296 00492": "caught SIGWINCH, shutting down gracefully",
    "00171 00297 00493": "SIGUSR1 received.  Doing graceful restart",
    "00173 00298 00494": "SIGHUP received.  Attempting to restart",
    "00558": "{text}: Could not reliably determine the server's fully qualified domain name, using {host}. {text}",
    "00898": "{text} returned by {path}", "00957": "{text}: attempt to connect to {upstream} failed",
    "01067": "Failed to read FastCGI header", "01070": "Error parsing script headers", "01071": "Got error '{text}'",
    "01075": "Error dispatching request to {upstream}: {text}",
    "01079": "failed to make connection to backend: {upstream}",
    "01084 01097": "pass request body failed to {upstream}",
    "01102": "error reading status line from remote server {upstream}",
    "01114": "HTTP: failed to make connection to backend: {upstream}",
    "01144": "No protocol handler was valid for the URL {path}. {text}",
    "01264": "script not found or unable to stat: {path}",
    "01276": "Cannot serve directory {path}: No matching DirectoryIndex {text}",
    "01614": "client used wrong authentication scheme: {path}",
    "01617": 'user {user}: authentication failure for "{path}": Password Mismatch',
    "01618": "user {user} not found: {path}", "01620": "Could not open password file: {path}",
    "01626": "authorization result of {text}", "01628": "authorization result: {text}",
    "01630 01797": "client denied by server configuration: {path}",
    "01631": 'user {user}: authorization failure for "{path}": {text}',
    "01996": "SSL handshake failed: HTTP spoken on HTTPS port; trying to send HTML error page",
    "02006": "SSL handshake stopped: connection was closed",
    "02008": "SSL library error {n} in handshake (server {host})",
    "02033": "No hostname was provided via SNI for a name based virtual host",
    "02039": "Certificate Verification: Error ({n}): {text}", "02042": "rejecting client initiated renegotiation",
    "02811": "stderr from {path}: {text}", "10244": "invalid URI path ({path})",
}  # fmt: skip
"""Apache's messages by their numbers."""
_UNNUMBERED: Final = (
    *_AH.values(), "user {user}: password mismatch: {path}", "Directory index forbidden by Options directive: {path}",
    "Premature end of script headers: {path}", "request failed: error reading the headers",
    "Graceful restart requested, doing restart", "suEXEC mechanism enabled (wrapper: {path})",
    "server reached MaxClients setting, consider raising the MaxClients setting",
)  # fmt: skip
"""Those of Apache 2.2, which has no numbers."""


def scrub(
    lines: Sequence[bytes],
    kind: Literal["nginx", "apache"],
    mask: Callable[[list[str]], list[str]],
) -> list[bytes | None]:
    """Mask lines of an error log.

    Args:
        lines: Without line ends.
        kind: Whose they are.
        mask: Given distinct addresses, tells what is shown for each; called once, if there are any.

    Returns:
        For each line what is shown of it; None where it has not the shape of such a line.

    >>> line = b'2026/11/22 02:30:01 [error] 7#7: *1 open() "/srv/x" failed (2: No such file or directory)'
    >>> scrub([line + b", client: 192.0.2.7, server: _"], "nginx", lambda found: ["192.0.2.0/24"])
    [b'2026/11/22 02:30:01 [error] 7#7: * open() "{path}" failed (2: No such file or directory), \
client: 192.0.2.0/24, server: _']
    """
    read = _nginx if kind == "nginx" else _apache
    found = [read(line.decode("latin-1")) for line in lines]
    parts = [(one or "").split(_ADDRESS) for one in found]
    addresses = list(dict.fromkeys(address for line in parts for address in line[1::2]))
    shown = dict(zip(addresses, mask(addresses), strict=True)) if addresses else {}
    for line in parts:
        line[1::2] = [shown[address] for address in line[1::2]]
    return ["".join(line).encode() if one else None for one, line in zip(found, parts, strict=True)]


def _nginx(line: str) -> str | None:
    stamp, level, rest = line[:19], *_enclosed(line[20:])
    process, _, rest = rest.partition(": ")
    pid, _, thread = process.partition("#")
    good = line[4:5] == "/" and line[19:20] == " " and level in _LEVELS
    if not good or not (_digits(pid) and _digits(thread)) or not _is_time(stamp):
        return None
    number, _, after = rest.partition(" ")
    numbered = number == "*" or (number.startswith("*") and _digits(number[1:]))
    message, has_client, fields = (after if numbered else rest).partition(", client: ")
    head = f"{stamp} [{level}] {pid}#{thread}: {'* ' if numbered else ''}"
    if ", client: " in fields:
        # one of them is a part of what a client sent, and nobody can tell which
        return head + "{message}"
    shown = _message(message)
    whole = len(line) <= _CUT and "{message}" not in shown
    return head + shown + (_fields(fields, whole=whole) if has_client else "")


def _message(text: str) -> str:
    """A message of nginx: what happened, the system's reason, and what was being done."""
    what, doing = text, ""
    before, _, action = text.rpartition(" while ")
    if action in _ACTIONS:
        what, doing = before, f" while {action}"
    before, _, reason = what.removesuffix(")").rpartition(" (")
    number, _, said = reason.partition(": ")
    why = ""
    if what.endswith(")") and _digits(number, 6):
        what, why = before, f" ({number}: {said if said in _REASONS else '{text}'})"
    return _first_match(_NGINX_TEMPLATES, what) + why + doing


def _fields(text: str, *, whole: bool) -> str:
    """The fields of a line of nginx from its client on; a server is named only after a message that is `whole`."""
    client, _, rest = text.partition(", ")
    out = [", client: ", _masked(client)]
    if rest.startswith("server: "):
        server = rest.removeprefix("server: ").partition(", ")[0]
        out += [", server: ", server if whole and _is_name(server) else "{server}"]
    _, has_request, request = f", {rest}".partition(', request: "')
    if has_request:
        out.append(f', request: "{_request(request)}"')
    for name in ("subrequest", "upstream", "host", "referrer"):
        if f', {name}: "' in request:
            out.append(f', {name}: "{{{name}}}"')
    return "".join(out)


def _request(text: str) -> str:
    """The method and the protocol of a quoted request, and whatever follows it."""
    line = text.partition('", ')[0].removesuffix('"')
    method, protocol = line.partition(" ")[0], line.rpartition(" ")[2]
    if method not in METHODS:
        return "{request}"
    return f"{method} {{target}} {protocol}" if protocol in PROTOCOLS else f"{method} {{target}}"


def _apache(line: str) -> str | None:
    stamp, rest = _enclosed(line)
    source, rest = _enclosed(rest)
    module, colon, level = source.rpartition(":")
    if stamp[:3] not in _DAYS or stamp[3:4] != " " or level not in _LEVELS or not _is_time(stamp):
        return None
    named = module if _WORDS.issuperset(module.split("_")) else "{module}"
    out = [f"[{stamp}] [{named}{colon}{level}] "]
    process, after = _enclosed(rest)
    pid, _, thread = process.removeprefix("pid ").partition(":tid ")
    if process.startswith("pid ") and _digits(pid) and (not thread or _digits(thread)):
        out.append(f"[{process}] ")
        rest = after
    before, rest = _reason(_without_place(rest))
    out.append(before)
    peer, after = _enclosed(rest)
    role, _, address = peer.partition(" ")
    if role in ("client", "remote"):
        out.append(f"[{role} {_masked(address, ported=bool(colon))}] ")
        rest = after
    before, rest = _reason(rest)
    return "".join([*out, before, _apache_message(rest)])


def _reason(text: str) -> tuple[str, str]:
    """The system's reason, `(2)No such file or directory: `, if a text begins with one, and what follows it."""
    number, closed, after = text[1:].partition(")")
    said, colon, after = after.partition(": ")
    if not (text.startswith("(") and _digits(number, 6) and closed and colon):
        return "", text
    return f"({number}){said if said in _REASONS else '{text}'}: ", after


def _apache_message(text: str) -> str:
    message, has_referer, _ = text.partition(", referer: ")
    tail = ", referer: {referer}" if has_referer else ""
    number = message[2:7]
    if message.startswith("AH") and _digits(number) and message[7:9] == ": ":
        known = _AH_TEMPLATES.get(number, ())
        return f"AH{number}: {_first_match(known, message[9:])}{tail}"
    return _first_match(_UNNUMBERED_TEMPLATES, message) + tail


def _without_place(text: str) -> str:
    """Without the place in Apache's source, `mod_ssl.c(1234): `, that debugging levels show."""
    place, colon, after = text.partition("): ")
    name, _, line = place.partition("(")
    return after if colon and name.endswith((".c", ".cpp")) and _digits(line) else text


def _enclosed(text: str) -> tuple[str, str]:
    """What the brackets hold with which a text begins, and what follows them and a blank."""
    inside, _, after = text[1:].partition("]")
    return (inside, after.removeprefix(" ")) if text.startswith("[") else ("", text)


def _is_time(text: str) -> bool:
    return len(text) <= 31 and moments.read_one(text.encode("latin-1")) is not None


def _digits(text: str, most: int = 20) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most


def _is_name(text: str) -> bool:
    """Whether it is a configured name, or none; never an address, nor a name that is made of one."""
    at = text[:_MOST_NAME].replace("-", ".").split(".")
    fours = zip(at, at[1:], at[2:], at[3:], strict=False)
    made = [all(map(str.isdigit, (a[-1:], b, c, d[:1]))) for a, b, c, d in fours]
    return len(text) <= _MOST_NAME and _HOST.issuperset(text) and not any(made)


def _masked(text: str, *, ported: bool = False) -> str:
    """An address that `scrub` has masked; Apache's has a port behind the last colon, and no brackets."""
    if text == "unix:":
        return text
    before = text.rpartition(":")[0]
    bare = before.removeprefix("[").removesuffix("]")
    forms = (bare, text) if ported or "." in bare or before.endswith("]") else (text, bare)
    for form in forms:
        try:
            return f"{_ADDRESS}{ip_address(form.strip('[]').partition('%')[0])}{_ADDRESS}"
        except ValueError:
            continue
    return "{client}"


def _compiled(template: str) -> Template:
    """The texts of a template, and the names between them."""
    pieces = template.replace("}", "{").split("{")
    return tuple(pieces[::2]), tuple(pieces[1::2])


def _first_match(templates: Sequence[Template], text: str) -> str:
    return next((shown for one in templates if (shown := _filled(one, text))), "{message}")


def _filled(template: Template, text: str) -> str | None:
    """The template, filled with what it keeps of a text; None when that does not fit."""
    (first, *literals), names = template
    if not names:
        return first if text == first else None
    last = len(text) - len(literals[-1])
    if not text.startswith(first) or not text.endswith(literals[-1]):
        return None
    out, at = [first], len(first)
    for i, (name, literal) in enumerate(zip(names, literals, strict=True)):
        end = last if i == len(names) - 1 else text.find(literal, at)
        if end < at or (shown := _shown(name, text[at:end])) is None:
            return None
        out += [shown, literal]
        at = end + len(literal)
    return "".join(out)


def _shown(name: str, text: str) -> str | None:
    """What is shown of the text where a template has a name; None when it cannot stand there."""
    if name == "client":
        return _masked(text)
    good = {
        "n": _digits(text.replace(".", "", 1)),
        "code": len(text) == 8 and _HEX.issuperset(text),
        "version": len(text) <= 12 and all(map(_digits, text.split("."))) and text.count(".") == 2,
        "call": text in _CALLS,
        "signal": text in _SIGNALS,
        "doing": text in _DOINGS,
        "process": text in _PROCESSES,
    }
    if name not in good:
        return f"{{{name}}}"
    return text if good[name] else None


_NGINX_TEMPLATES: Final = tuple(map(_compiled, _NGINX))
_AH_TEMPLATES: Final = {
    number: (_compiled(text),) for numbers, text in _AH.items() for number in numbers.split()
}
_UNNUMBERED_TEMPLATES: Final = tuple(map(_compiled, _UNNUMBERED))
