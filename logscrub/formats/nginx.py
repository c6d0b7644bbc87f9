"""nginx `log_format` strings. Source: ngx_http_log_module.c, nginx.org's list of variables."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Final, Literal, get_args

from logscrub.errors import FormatError
from logscrub.formats import times
from logscrub.formats.draft import MAX_FORMAT, Draft, Piece, assemble
from logscrub.formats.layout import Escape, Kind, Layout, Role
from logscrub.formats.proxies import HEADERS
from logscrub.schema import Raw

EscapeName = Literal["default", "json", "none"]
ESCAPES: Final[dict[str, Escape]] = {
    "default": Escape.BACKSLASH,
    "json": Escape.JSON,
    "none": Escape.NONE,
}

_KEPT: Final[tuple[Draft, ...]] = (
    # rank 0 wins over 1, where a format has several that give the same.
    Draft("remote_addr", Kind.TOKEN, Raw.ADDRESS),
    Draft("time_local", Kind.TIME, Role.TIME, time=times.CLF),
    Draft("time_iso8601", Kind.TIME, Role.TIME, time=times.ISO8601),
    Draft("msec", Kind.TIME, Role.TIME, time=times.EPOCH),
    Draft("request", Kind.FREE, Role.REQUEST),
    Draft("request_uri", Kind.FREE, Role.TARGET, 1),
    # Normalised and decoded by nginx: %2F and // are lost, so the target as it was sent is better.
    Draft("uri", Kind.FREE, Raw.PATH, 2),
    Draft("document_uri", Kind.FREE, Raw.PATH, 3),
    Draft("args", Kind.FREE, Raw.QUERY, 2),
    Draft("query_string", Kind.FREE, Raw.QUERY, 3),
    Draft("request_method", Kind.TOKEN, Raw.METHOD, 1),
    Draft("server_protocol", Kind.TOKEN, Raw.PROTOCOL, 1),
    Draft("status", Kind.NUMBER, Raw.STATUS),
    # Without the head, as Apache's %b: what analysts compare.
    Draft("body_bytes_sent", Kind.NUMBER, Raw.BYTES),
    Draft("bytes_sent", Kind.NUMBER, Raw.BYTES, 1),
    Draft("request_time", Kind.NUMBER, Raw.DURATION, scale=1000.0),
    Draft("http_referer", Kind.FREE, Raw.REFERER),
    Draft("http_user_agent", Kind.FREE, Raw.AGENT),
    Draft("http_accept_language", Kind.FREE, Raw.LANGUAGE),
    # $host has neither port nor capitals; $server_name is `_` in many catch-all servers.
    Draft("host", Kind.TOKEN, Raw.SITE),
    Draft("server_name", Kind.TOKEN, Raw.SITE, 1),
    Draft("http_host", Kind.FREE, Raw.SITE, 2),
    *(
        Draft("http_" + name.lower().replace("-", "_"), Kind.FREE, Raw.FORWARDED, rank)
        for rank, name in enumerate(HEADERS)
    ),
    # X-Forwarded-For and the peer itself behind it.
    Draft("proxy_add_x_forwarded_for", Kind.FREE, Raw.FORWARDED),
)
_DROPPED: Final[dict[Kind, str]] = {
    # Written by the server itself, so their shape is certain; any other may hold anything.
    Kind.NUMBER: """
        connection connection_requests connection_time gzip_ratio pid proxy_protocol_port
        realip_remote_port remote_port request_length server_port tcpinfo_rtt tcpinfo_rttvar
        tcpinfo_snd_cwnd tcpinfo_rcv_space
    """,
    Kind.TOKEN: """
        hostname http2 http3 https is_args nginx_version pipe proxy_protocol_addr
        realip_remote_addr request_completion request_id scheme server_addr ssl_cipher
        ssl_protocol ssl_session_reused upstream_cache_status
    """,
}
_TABLE: Final[dict[str, Draft]] = {draft.name: draft for draft in _KEPT} | {
    name: Draft(name, kind) for kind, names in _DROPPED.items() for name in names.split()
}
VARIABLES: Final = frozenset(_TABLE)
"""The variables whose shape is known; any other is read as free text and dropped."""

_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def compile_nginx(
    text: str, *, escape: str = "default", name: str = "custom", require_time: bool = True
) -> Layout:
    """Compiles a `log_format` string with any variables, `$name` or `${name}`.

    A variable that is not in the table is read as text that may hold anything, and dropped.

    Args:
        text: The strings of the `log_format`, joined, as nginx sees them after its own
            configuration escapes.
        escape: `default`, `json` or `none`, as in `log_format … escape=…`.
        name: What the layout is called.
        require_time: Refuse a format whose lines do not say when they were written.

    Raises:
        FormatError: The text is not a `log_format`, or its lines could not be read back for
            certain.
    """
    if escape not in ESCAPES:
        close = get_close_matches(escape, ESCAPES, n=1)
        raise FormatError(
            f"escape={escape[:60]} is not an escape of nginx",
            hint=f"did you mean {close[0]}"
            if close
            else f"one of {', '.join(get_args(EscapeName))}",
        )
    if len(text) > MAX_FORMAT:
        raise FormatError("the format is too long", hint=f"at most {MAX_FORMAT} characters")
    pieces: list[Piece] = []
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        end = dollar if dollar >= 0 else len(text)
        pieces.append(_bytes(text[at:end]))
        at = end
        if dollar >= 0:
            variable, at = _variable(text, dollar)
            pieces.append(_draft(variable))
    return assemble(pieces, name=name, escape=ESCAPES[escape], require_time=require_time)


def _variable(text: str, dollar: int) -> tuple[str, int]:
    """The name of the variable at this dollar sign, and where the text goes on."""
    braced = text.startswith("{", dollar + 1)
    begin = dollar + 1 + braced
    end = begin
    while end < len(text) and text[end] in _NAME:
        end += 1
    if braced and not text.startswith("}", end):
        raise FormatError(
            f"the brace at column {dollar + 2} of the format is not closed", hint="write ${name}"
        )
    if end == begin:
        raise FormatError(
            f"the $ at column {dollar + 1} of the format has no variable name",
            hint="nginx has no way to log a dollar sign itself",
        )
    return text[begin:end], end + braced


def _draft(variable: str) -> Draft:
    known = _TABLE.get(variable.lower()) or Draft(variable, Kind.FREE)
    return replace(known, name=f"${variable}")


def _bytes(text: str) -> bytes:
    # A lone surrogate comes from an argument that was not UTF-8: those were its bytes.
    return text.encode("utf-8", "surrogateescape")
