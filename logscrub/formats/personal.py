"""Which personal data the fields of logs hold, by what servers call them.

Sources: nginx.org's list of variables, mod_log_config and mod_ssl, the documents named in `catalogue.toml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from logscrub.formats.layout import Role
from logscrub.formats.nginx import VARIABLES
from logscrub.formats.notation import FIELDS
from logscrub.formats.proxies import HEADERS
from logscrub.schema import Raw

if TYPE_CHECKING:
    from collections.abc import Mapping

MAY: Final = "may be personal"
"""What is said of a field that nobody here knows: whoever set the server up decides what is in it."""
ADDRESS: Final = "address"
URL: Final = "URL"
HOST: Final = "host asked for"
BROWSER: Final = "browser"
COOKIE: Final = "cookies"
USER: Final = "user"
_ID: Final = "id that joins logs"
_PORT: Final = "port of the client"
_CERTIFICATE: Final = "client's certificate"
_HEADER: Final = "other headers"
_PLACE: Final = "place"
_LOGIN: Final = "credentials"

KEPT: Final[Mapping[Raw | Role | None, str]] = {
    Raw.ADDRESS: ADDRESS,
    Raw.FORWARDED: ADDRESS,
    Raw.SITE: HOST,
    Raw.PATH: URL,
    Raw.QUERY: URL,
    Role.REQUEST: URL,
    Role.TARGET: URL,
    Raw.REFERER: URL,
    Raw.AGENT: BROWSER,
    Raw.LANGUAGE: BROWSER,
}
"""What fields that are read hold of a person before they are scrubbed; others hold nothing personal."""

_NO: Final = ""
_NGINX: Final = {
    ADDRESS: """
        remote_addr binary_remote_addr realip_remote_addr proxy_protocol_addr proxy_protocol_tlv_*
        proxy_add_x_forwarded_for the_real_ip upstream_addr server
    """,
    _PORT: "remote_port realip_remote_port proxy_protocol_port",
    USER: "remote_user jwt_* oidc_* mqtt_preread_*",
    _CERTIFICATE: "ssl_client_*",
    URL: """
        request request_uri uri document_uri args query_string arg_* request_filename fastcgi_path_info
        fastcgi_script_name secure_link memcached_key invalid_referer hls_uri sent_http_location upstream_http_location
    """,
    "body of the request": "request_body request_body_file",
    COOKIE: "cookie_* uid_got uid_set upstream_cookie_* sent_http_set_cookie upstream_http_set_cookie",
    _ID: "request_id req_id ssl_session_id session_log_id session_log_binary_id",
    BROWSER: "ssl_ciphers ssl_curves ssl_sigalgs ssl_alpn_protocol tcpinfo_*",
    _PLACE: "geoip_* geoip2_*",
    HOST: "host server_name ssl_server_name ssl_preread_server_name ssl_ech_outer_server_name",
    _NO: """
        ssl_client_verify ssl_client_v_* upstream_status upstream_*_time upstream_response_length upstream_bytes_*
        proxy_upstream_name proxy_alternative_upstream_name proxy_host proxy_port namespace ingress_name service_name
        service_port content_length limit_req_status limit_conn_status
    """,
}
_APACHE: Final = {
    ADDRESS: "a h",
    USER: "l u",
    URL: "r U q f",
    HOST: "v V",
    COOKIE: "C",
    _ID: "L",
    _NO: "A B b I O S D T F H k m p P R s t X",
}
_VARIABLES_OF_APACHE: Final = {
    ADDRESS: "remote_addr remote_host",
    _PORT: "remote_port",
    USER: "remote_user remote_ident",
    _CERTIFICATE: "ssl_client_*",
    HOST: "ssl_tls_sni server_name http_host",
    _ID: "unique_id ssl_session_id",
    _NO: "ssl_client_verify ssl_client_v_* ssl_protocol ssl_cipher* ssl_version_* ssl_session_resumed https",
}
"""Of `%{…}e` and `%{…}x`."""
_HEADERS: Final = {
    ADDRESS: " ".join((*HEADERS, "Via")).lower(),
    URL: "referer location origin",
    COOKIE: "cookie set-cookie",
    _LOGIN: "authorization proxy-authorization x-api-key x-auth-token x-csrf-token",
    BROWSER: "user-agent accept-language sec-ch-*",
    HOST: "host x-forwarded-host",
    _ID: "x-request-id x-correlation-id x-amzn-trace-id traceparent cf-ray",
}
_NAMED: Final = {
    ADDRESS: "upstream, peer, httprequest.serverip",
    _PORT: "client port, c-port, request.remote_port, clientport, clientsrcport",
    USER: "user, ident, user_id, requester, cs-username, clientusername",
    _CERTIFICATE: "request.tls, tlsclientsubject",
    URL: "key, cut request, redirect url, cs-uri, cs-uri-stem, cs-uri-query, cs(referer), requestline",
    COOKIE: "request cookie, response cookie, cs(cookie), cookies",
    _HEADER: """
        captured headers, headers, request.headers, resp_headers, request_*, origin_*, downstream_*, requestheaders
    """,
    _ID: "request id, trace id, x-edge-request-id, traceid, trace, spanid, rayid",
    BROWSER: "cs(user-agent), cs(accept-language), ja3hash, ja4",
    _PLACE: "x-edge-location, clientcity, geo_city",
    HOST: "server name, x-host-header, cs-host, cs(host)",
    "a second log line": "common_log",
    MAY: "failure, jsonpayload, more fields, rest",
    _NO: """
        server, date, time, clock, router, count, total, state, connections, queues, errors, tls, milliseconds,
        frontend, backend, target, upstream local, downstream local, tr, tw, tc, flags, bytes received, received bytes,
        upstream time, details, termination, cluster, route, type, elb, request time, response time, target status,
        backend status, cipher, target group, certificate, rule, creation time, actions, error reason, owner,
        bucket, operation, error code, object size, turnaround, version id, cache, hierarchy, pid, app, variables,
        s-ip, s-port, s-sitename, s-computername, sc-substatus, sc-win32-status, sc-status, sc-bytes, cs-bytes,
        cs-method, cs-version, cs-protocol, cs-protocol-version, time-taken, x-edge-result-type,
        x-edge-response-result-type, x-edge-detailed-result-type, ssl-protocol, ssl-cipher, fle-status,
        fle-encrypted-fields, time-to-first-byte, sc-content-type, sc-content-len, sc-range-start, sc-range-end
    """,
}
"""Of logscrub's own notation, W3C logs, and keys of JSON, without capitals."""


def _by_name(words: Mapping[str, str], between: str | None = None) -> dict[str, str]:
    return {name.strip(): what for what, names in words.items() for name in names.split(between)}


_TABLES: Final = {
    "$": _by_name(_NGINX),
    "%": _by_name(_APACHE),
    "e": _by_name(_VARIABLES_OF_APACHE),
    "header": _by_name(_HEADERS),
    "-": _by_name(_NAMED, ","),
}
_DIRECTIVE: Final = re.compile(
    r"%[!<>,0-9]*(?:\{(?P<param>[^}]*)\})?[!<>,0-9]*(?P<letter>\^t[io]|[A-Za-z])"
)
_VARIABLE: Final = re.compile(r"\$\w+")
_BETWEEN: Final = re.compile(r"(?<=\W)(?=-\w)")
_TAIL: Final = re.compile(r"\W+$")


def parts(name: str) -> list[str]:
    """The fields that were made one, because they are dropped together: `$a] [$b` is `$a` and `$b`."""
    if name.startswith("-"):
        several = _BETWEEN.split(name)
        return [_TAIL.sub("", one) or one for one in several] if len(several) > 1 else several
    one = {"$": _VARIABLE, "%": _DIRECTIVE}.get(name[:1])
    return ([found[0] for found in one.finditer(name)] if one else []) or [name]


def personal(name: str) -> str:
    """What personal data a field holds.

    Args:
        name: As its server calls it: `$remote_user`, `%{Cookie}i`, `cs(Cookie)`, `-user`, or a place in JSON.

    Returns:
        A few words; `MAY` when the field is not known; empty for none.
    """
    if name.startswith("$"):
        return _variable(name[1:].lower())
    if found := _DIRECTIVE.fullmatch(name):
        return _directive(found["letter"], (found["param"] or "").lower())
    plain = name.removeprefix("-")
    known = _looked_up("-", plain.lower())
    if known is None and plain in FIELDS:
        return KEPT.get(FIELDS[plain].keeps, _NO)
    return MAY if known is None else known


def _variable(name: str) -> str:
    known = _looked_up("$", name)
    if known is None and name.startswith("http_"):
        return _header(name.removeprefix("http_").replace("_", "-"))
    if known is None:
        return _NO if name in VARIABLES else MAY
    return known


def _directive(letter: str, param: str) -> str:
    if letter in {"i", "o"}:
        return _header(param)
    if letter in {"e", "x"}:
        known = _looked_up("e", param)
        return MAY if known is None else known
    if letter == "p" and param == "remote":
        return _PORT
    return _TABLES["%"].get(letter, MAY)


def _header(name: str) -> str:
    known = _looked_up("header", name)
    return MAY if known is None else known


def _looked_up(table: str, name: str) -> str | None:
    """By the name itself, else by the longest pattern with a `*` that it fits."""
    names = _TABLES[table]
    if name in names:
        return names[name]
    fitting = [one for one in names if "*" in one and _fits(name, one)]
    return names[max(fitting, key=len)] if fitting else None


def _fits(name: str, pattern: str) -> bool:
    before, _, behind = pattern.partition("*")
    return name.startswith(before) and name.endswith(behind) and len(name) >= len(pattern)
