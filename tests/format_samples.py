"""Lines of every format of the catalogue, as their servers write them, with personal data planted in each.

Every line is that of one request, or a variant that the format has too: no referer, IPv6, a request nobody can read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from program import RECENT

CLIENT: Final = "198.51.100.201"
CLIENT6: Final = "2001:db8:beef::77"
PEER: Final = "203.0.113.77"
"""A proxy, or whatever a header says of the client."""
USER: Final = "jane.roe"
SECRET: Final = "Xk9fQ2vT7bLm"
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 Planted/7.1"
SITE: Final = "planted.example"
PLANTED: Final = (
    CLIENT, CLIENT6, PEER, USER, SECRET, "planted", "40777", "roe@", "c0ffee", "192.0.2.80",
)  # fmt: skip
"""No part of this may be in scrubbed lines: addresses, user, token, agent, site, port, mail, request id, upstream."""

_AT: Final = RECENT.replace(microsecond=975_000)
_CLF: Final = f"{_AT:%d/%b/%Y:%H:%M:%S} +0000"
_ISO: Final = f"{_AT:%Y-%m-%dT%H:%M:%S}"
_HAPROXY: Final = f"{_AT:%d/%b/%Y:%H:%M:%S}.975"
_EPOCH: Final = f"{int(_AT.timestamp())}.975"
_TARGET: Final = f"/img/{SECRET}/logo.png?page=2&mail=roe@example.org&t={SECRET}"
_REQUEST: Final = f"GET {_TARGET} HTTP/1.1"
REFERER: Final = f"https://www.example.org/search?q={USER}"
_GARBAGE: Final = r"\x16\x03\x01\x02" + SECRET


@dataclass(frozen=True, slots=True)
class Sample:
    """Lines of one format.

    Args:
        lines: Without line ends.
        header: The lines before them.
    """

    lines: tuple[str, ...]
    header: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """As they stand in a file."""
        return "".join(f"{line}\n" for line in (*self.header, *self.lines)).encode()


def _clf(before: str = f"{CLIENT} - {USER}", behind: str = "", *, tail: bool = True) -> str:
    agents = f' "{REFERER}" "{AGENT}"' if tail else ""
    return f'{before} [{_CLF}] "{_REQUEST}" 200 512{agents}{behind}'


def _variants(before: str, behind: str = "", *, tail: bool = True) -> tuple[str, ...]:
    """A line, one of a client with IPv6, one without what may be missing, one whose request is none."""
    missing = ' "-" "-"' if tail else ""
    return (
        _clf(before.format(CLIENT), behind, tail=tail),
        _clf(before.format(CLIENT6), behind, tail=tail),
        f'{before.format(CLIENT)} [{_CLF}] "HEAD / HTTP/1.0" 304 0{missing}{behind}',
        f'{before.format(CLIENT)} [{_CLF}] "{_GARBAGE}" 400 157{missing}{behind}',
    )


def _objects(full: dict[str, Any], *less: str) -> tuple[str, ...]:
    """An object, and one without some of its keys."""
    return (
        json.dumps(full),
        json.dumps({key: value for key, value in full.items() if key not in less}, separators=(",", ":")),
    )  # fmt: skip


_ALB: Final = (
    f'https {_ISO}.186641Z app/lb/50dc {{}}:40777 192.0.2.80:80 0.000 0.014 0.000 200 200 34 366 "GET https://{SITE}:443{_TARGET} HTTP/2.0" '
    f'"{AGENT}" TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:x "Root=1-c0ffee" "{SITE}" "-" 0 {_ISO}.000000Z "forward" "-" "-"'
)  # fmt: skip
_HTTPLOG: Final = (
    f'{{}}:40777 [{_HAPROXY}] www~ back/n1 0/0/0/3/14 200 125 - - ---- 1/1/0/0/0 0/0{{}} "GET {_TARGET}#22x#22 HTTP/1.1"'
)  # fmt: skip
_UWSGI: Final = (
    f"[pid: 1042|app: 0|req: 1/1] {CLIENT} ({USER}) {{{{38 vars in 696 bytes}}}} [{_AT:%a %b %e %H:%M:%S %Y}] POST {_TARGET} => "
    "generated 47 bytes in 129 {} (HTTP/1.1 200) 3 headers in 120 bytes (1 switches on core 0)"
)  # fmt: skip
_S3: Final = (
    f"79a59df900b949e55d96a1e698fb planted-bucket [{_CLF}] {CLIENT} arn:aws:iam::1:user/{USER} c0ffee REST.GET.OBJECT img/{SECRET} "
    f'"{_REQUEST}" 200 - 113 2662992 14 12 "{REFERER}" "{AGENT}" -'
)  # fmt: skip
_ISTIO: Final = (
    f'[{_ISO}.310Z] "GET {_TARGET} HTTP/1.1" 200 - via_upstream - "-" 0 512 14 4 "{PEER}" "{AGENT}" "c0ffee" "{SITE}" "192.0.2.80:9080" '
    f"outbound|80||planted 192.0.2.80:4711 192.0.2.80:8080 {CLIENT}:40777 outbound_.80_._.planted default"
)  # fmt: skip
_CADDY: Final = {
    "level": "info", "ts": float(_EPOCH), "logger": "http.log.access", "msg": "handled request",
    "request": {
        "remote_ip": PEER, "remote_port": "40777", "client_ip": CLIENT, "proto": "HTTP/2.0", "method": "GET", "host": SITE,
        "uri": _TARGET,
        "headers": {
            "User-Agent": [AGENT], "Referer": [REFERER], "Cookie": [SECRET], "X-Forwarded-For": [PEER],
            "Accept-Language": ["de-CH,de;q=0.9"],
        },
        "tls": {"resumed": False, "server_name": SITE},
    },
    "user_id": USER, "duration": 0.014, "size": 512, "status": 200, "resp_headers": {"Server": ["Caddy"]},
}  # fmt: skip
_CADDY_OLD: Final = _CADDY | {
    "request": {
        "remote_addr": f"[{CLIENT6}]:40777", "proto": "HTTP/1.1", "method": "GET", "host": SITE, "uri": "/", "headers": {},
    },
    "user_id": "",
}  # fmt: skip
_CLOUDFRONT: Final = {
    "date": f"{_AT:%Y-%m-%d}", "time": f"{_AT:%H:%M:%S}", "x-edge-location": "FRA56-P9", "sc-bytes": "512", "c-ip": CLIENT,
    "cs-method": "GET", "cs(Host)": "d111.planted.example", "cs-uri-stem": f"/img/{SECRET}/logo.png", "sc-status": "200",
    "cs(Referer)": REFERER, "cs(User-Agent)": AGENT, "cs-uri-query": "page=2", "cs(Cookie)": SECRET,
    "x-edge-request-id": "c0ffee", "x-host-header": SITE, "cs-protocol": "https", "cs-bytes": "23", "time-taken": "0.014",
    "x-forwarded-for": PEER, "cs-protocol-version": "HTTP/2.0", "c-port": "40777",
}  # fmt: skip
_TRAEFIK: Final = {
    "ClientAddr": f"{CLIENT}:40777", "ClientHost": PEER, "ClientPort": "40777", "ClientUsername": USER,
    "DownstreamContentSize": 512, "DownstreamStatus": 200, "Duration": 14000000, "RequestCount": 191, "RequestHost": SITE,
    "RequestMethod": "GET", "RequestPath": _TARGET, "RequestProtocol": "HTTP/1.1",
    "ServiceURL": {"Scheme": "http", "Host": "192.0.2.80:80"}, "StartLocal": f"{_ISO}.975545005Z",
    "StartUTC": f"{_ISO}.975545005Z", "level": "info", "msg": "", "request_Referer": REFERER,
    "request_User-Agent": AGENT, "request_X-Real-Ip": PEER, "time": f"{_ISO}Z",
}  # fmt: skip
_ENVOY: Final = {
    ":authority": SITE, "bytes_received": 0, "bytes_sent": 512, "connection_termination_details": None,
    "downstream_remote_address": f"{CLIENT}:40777", "duration": 14, "method": "GET", "protocol": "HTTP/2",
    "requested_server_name": None, "response_code": 200, "start_time": f"{_ISO}.975Z", "upstream_host": "192.0.2.80:80",
    "user-agent": AGENT, "x-envoy-origin-path": _TARGET, "x-forwarded-for": PEER, "x-request-id": "c0ffee",
}  # fmt: skip
_GCP: Final = {
    "httpRequest": {
        "requestMethod": "GET", "requestUrl": f"https://{SITE}{_TARGET}", "requestSize": "34", "status": 200,
        "responseSize": "512", "userAgent": AGENT, "remoteIp": CLIENT, "referer": REFERER, "serverIp": "192.0.2.80",
        "latency": "0.014s", "protocol": "HTTP/1.1",
    },
    "insertId": "c0ffee", "jsonPayload": {"remoteIp": CLIENT}, "resource": {"type": "http_load_balancer"},
    "severity": "INFO", "timestamp": f"{_ISO}.975123Z", "trace": f"projects/x/traces/{SECRET}",
}  # fmt: skip
_CLOUDFLARE: Final = {
    "ClientIP": CLIENT, "ClientRequestHost": SITE, "ClientRequestMethod": "GET", "ClientRequestURI": _TARGET,
    "ClientRequestProtocol": "HTTP/2", "ClientRequestReferer": REFERER, "ClientRequestUserAgent": AGENT,
    "EdgeResponseBytes": 512, "EdgeResponseStatus": 200, "EdgeStartTimestamp": f"{_ISO}Z", "EdgeTimeToFirstByteMs": 14,
    "RayID": "c0ffee", "ClientSrcPort": 40777,
}  # fmt: skip
_FASTLY: Final = {
    "timestamp": f"{_ISO}+0000", "client_ip": CLIENT, "geo_country": "x", "geo_city": SECRET, "host": SITE, "url": _TARGET,
    "request_method": "GET", "request_protocol": "HTTP/1.1", "request_referer": REFERER, "request_user_agent": AGENT,
    "response_state": "MISS", "response_status": 200, "response_body_size": 512, "fastly_server": "cache",
}  # fmt: skip

SAMPLES: Final[dict[str, Sample]] = {
    "combined": Sample(_variants(f"{{}} - {USER}")),
    "common": Sample(_variants(f"{{}} - {USER}", tail=False)),
    "combinedio": Sample(_variants(f"{{}} - {USER}", " 777 888")),
    "vhost_combined": Sample(_variants(f"{SITE}:443 {{}} - {USER}")),
    "vhost_combined_no_port": Sample(_variants(f"{SITE} {{}} - {USER}")),
    "vhost_common": Sample(_variants(f"{SITE} {{}} - {USER}", tail=False)),
    "main": Sample(_variants(f"{{}} - {USER}", f' "{PEER}, {CLIENT6}"')),
    "ingress": Sample((
        *_variants(f"{{}} - {USER}", " 436 0.014 [ns-planted-80] [] 192.0.2.80:8080 612 0.013 200 c0ffee"),
        *_variants(f"{{0}} - [{PEER}] - {USER}", " 436 0.014 [ns-planted-80] 192.0.2.80:8080 612 0.013 200 c0ffee"),
    )),
    "nginx_proxy_manager": Sample((
        f'[{_CLF}] - 200 200 - GET https {SITE} "{_TARGET}" [Client {CLIENT}] [Length 512] [Gzip -] [Sent-to 192.0.2.80] "{AGENT}" "{REFERER}"',
        f'[{_CLF}] 404 - GET http {SITE} "/" [Client {CLIENT}] [Length 0] [Gzip -] "-" "-"',
    )),
    "npmplus": Sample((
        f'[{_CLF}] {SITE} {CLIENT} 0.014 "{_REQUEST}" 200 512 777 {REFERER} {AGENT}',
        f'[{_CLF}] {SITE} {CLIENT6} 0.000 "GET / HTTP/2.0" 207 125 440 - -',
    )),
    "bunkerweb": Sample((
        *_variants(f"{SITE} {{}} - c0ffee {USER}"),
        *_variants(f"{SITE} {{}} - {USER}"),
    )),
    "zoraxy": Sample((
        f"{_AT:%Y/%m/%d %H:%M:%S} [{_AT:%Y-%m-%d %H:%M:%S.%f}] [router:host-http] [origin:{SITE}] [client: {CLIENT}] [useragent: {AGENT}] GET {_TARGET} 404",
    )),
    "gandi": Sample((
        f'{SITE} {CLIENT} - {USER} [{_CLF}] (0.014 s) "{_REQUEST}" 200 512 "{REFERER}" "{AGENT}"',
        f'{SITE} {CLIENT} - - [{_CLF}] (0 s) "-" 408 0 "-" "-"',
    )),
    "combined_without_user": Sample((_clf(f"{CLIENT} -"), _clf(f"{CLIENT6} -"))),
    "combined_list": Sample((
        _clf(f"{PEER}, 192.0.2.80, {CLIENT} - {USER}"), _clf(f"{CLIENT6}, 192.0.2.80 {CLIENT} - {USER}"),
        _clf(f'"{PEER}, 192.0.2.80" {CLIENT} - {USER}'),
    )),
    "lighttpd": Sample(_variants(f"{{}} {SITE} {USER}")),
    "traefik": Sample((
        _clf(behind=' 262 "Host-host-1" "http://192.0.2.80:5601" 14ms'),
        f'{CLIENT6} - - [{_CLF}] "GET / HTTP/2.0" 404 19 "-" "-" 263 "-" "-" 0ms',
        f'{CLIENT} - - [{_CLF}] "GET / HTTP/2.0" 404 19 - - 263 "-" "-" 0ms',
    )),
    "haproxy": Sample((
        _HTTPLOG.format(CLIENT, ""), _HTTPLOG.format(CLIENT6, f" {{{USER}|{SITE}}}"),
        _HTTPLOG.format(CLIENT, f" {{{USER}#22|}}") + " 0/TLSv1.3/TLS_AES_128/planted",
        _HTTPLOG.format(CLIENT, "") + " 0/TLSv1.3",
        f'{CLIENT} - - [{_CLF}] "{_REQUEST}" 200 125 "" "" 40777 974 "f2" "b" "n1" 0 0 0 0 0 ---- 1 1 0 0 0 0 0 "{USER}" "" ',
        f'{CLIENT}:40777 [{_HAPROXY}] www www/<NOSRV> -1/-1/-1/-1/0 400 0 - - CR-- 1/1/0/0/0 0/0 {{|}} "<BADREQ>"',
        f'{CLIENT}:40777 [{_HAPROXY}] www back/n1 0/0/0/3/14 200 125 - - ---- 1/1/0/0/0 0/0 {{|}} "GET /{SECRET}',
        f'{CLIENT} - - [{_CLF}] "GET /{SECRET}',
    )),
    "envoy": Sample((
        f'[{_ISO}.310Z] "POST {_TARGET} HTTP/2" 204 - 154 512 14 100 "{CLIENT}" "{AGENT}" "c0ffee" "{SITE}" "tcp://192.0.2.80:80"',
        _ISTIO,
    )),
    "envoy_json": Sample(_objects(_ENVOY, "user-agent", "duration", "x-forwarded-for")),
    "aws_alb": Sample((
        _ALB.format(CLIENT), _ALB.format(CLIENT6) + ' "192.0.2.80:80" "200" "-" "-" TID_c0ffee',
        _ALB.format(CLIENT).replace(" 0.000 0.014 0.000 200 200 ", " -1 -1 -1 502 - ").replace(f'"{AGENT}"', '"-"'),
    )),
    "aws_elb": Sample((
        f'{_ISO}.945958Z my-lb {CLIENT}:40777 192.0.2.80:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://{SITE}:80{_TARGET} HTTP/1.1" "{AGENT}" - -',
        f'{_ISO}.945958Z my-lb {CLIENT}:40777 - -1 -1 -1 503 0 0 0 "GET http://{SITE}:80/ HTTP/1.1"',
    )),
    "aws_s3": Sample((
        _S3, _S3 + f" c0ffee= SigV4 ECDHE-RSA-AES128 AuthHeader {SITE} TLSv1.2 - -",
        _S3.replace(f'"{_REQUEST}"', "-").replace(f'"{REFERER}" "{AGENT}"', "- -"),
        _S3.replace(f'"{REFERER}"', "-"),
    )),
    "w3c": Sample(
        (
            f"{_AT:%Y-%m-%d %H:%M:%S} 192.0.2.80 GET /img/{SECRET}/logo.png page=2&t={SECRET} 443 {USER} {CLIENT} {AGENT.replace(' ', '+')} {REFERER} 200 0 0 14",
            f"{_AT:%Y-%m-%d %H:%M:%S} 192.0.2.80 GET / - 80 - {CLIENT6} - - 304 0 0 0",
            "#Software: Microsoft Internet Information Services 10.0",
            "#Version: 1.0",
            "#Fields: date time cs-method cs-uri-stem cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs-host sc-status sc-bytes time-taken",
            f"{_AT:%Y-%m-%d %H:%M:%S} GET /img/{SECRET} {USER} {CLIENT} HTTP/1.1 {AGENT.replace(' ', '+')} s={SECRET} {SITE} 200 512 14",
        ),
        (
            "#Software: Microsoft Internet Information Services 10.0",
            "#Version: 1.0",
            f"#Date: {_AT:%Y-%m-%d %H:%M:%S}",
            "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
        ),
    ),
    "cloudfront_json": Sample(_objects(_CLOUDFRONT, "x-host-header", "x-forwarded-for", "cs(Referer)")),
    "caddy": Sample((*_objects(_CADDY, "user_id", "size"), json.dumps(_CADDY_OLD))),
    "traefik_json": Sample(_objects(_TRAEFIK, "StartUTC", "request_Referer", "ServiceURL")),
    "gcp_lb": Sample(_objects(_GCP, "trace", "jsonPayload")),
    "cloudflare": Sample(_objects(_CLOUDFLARE, "ClientRequestReferer", "EdgeTimeToFirstByteMs")),
    "fastly": Sample(_objects(_FASTLY, "request_referer")),
    "squid": Sample((
        f"{_EPOCH}     14 {CLIENT} TCP_MISS/200 512 GET http://{SITE}{_TARGET} {USER} HIER_DIRECT/192.0.2.80 text/html",
        f"{_EPOCH} 123456 {CLIENT6} TCP_TUNNEL/200 512 CONNECT {SITE}:443 - HIER_DIRECT/192.0.2.80 -",
        f"{_EPOCH}      1 {CLIENT} TCP_DENIED/403 4038 GET http://{SITE}/ - HIER_NONE/- text/html",
    )),
    "squid_common": Sample((f'{CLIENT} - {USER} [{_CLF}] "GET http://{SITE}{_TARGET} HTTP/1.1" 200 512 TCP_MISS:HIER_DIRECT',)),
    "uwsgi": Sample((_UWSGI.format("msecs"), _UWSGI.format("micros"))),
}  # fmt: skip
"""The lines of each name of the catalogue."""
CLOUDFRONT: Final = Sample(
    (
        "\t".join([
            f"{_AT:%Y-%m-%d}", f"{_AT:%H:%M:%S}", "FRA56-P9", "512", CLIENT, "GET", "d111.planted.example", f"/img/{SECRET}/a%20b.png",
            "200", REFERER, AGENT.replace(" ", "%20"), f"page=2&t={SECRET}", "-", "Miss", "c0ffee", SITE, "https", "23", "0.014",
            PEER, "TLSv1.3", "HTTP/2.0", "40777",
        ]),
    ),
    (
        "#Version: 1.0",
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "  # noqa: ISC004 — one line
        "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
        "x-forwarded-for ssl-protocol cs-protocol-version c-port",
    ),
)  # fmt: skip
"""CloudFront's form of w3c: parted by tabs, escaped as URLs are."""
