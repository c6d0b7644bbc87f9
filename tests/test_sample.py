"""The sample log of the demo: what its counts promise, and that nobody real is in it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from benchmarks import sample

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 3, 4)
DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
COMBINED = re.compile(
    r'(\S+) - (.+?) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)'
    r' "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"'
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("sample") / "access.log"
    sample.write(path, today=TODAY)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return text.split("\n")[:-1]


@pytest.fixture(scope="module")
def hits(lines: list[str]) -> list[re.Match[str]]:
    """The lines that an independent pattern for the combined format takes and whose time is a time."""
    found = [COMBINED.fullmatch(line) for line in lines]
    return [hit for hit in found if hit and "/Foo/" not in hit[3]]


def _is_documentation(text: str) -> bool:
    address = ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in DOCUMENTATION if network.version == mapped.version)


def test_counts(lines: list[str], hits: list[re.Match[str]]) -> None:
    """Lines, rows, broken and blank lines are as many as the module says."""
    blank = sum(not line.strip() for line in lines)
    assert (len(lines), len(hits), blank) == (sample.LINES, sample.ROWS, sample.BLANK)
    assert len(lines) - len(hits) - blank == sample.BROKEN


def test_same_day_same_bytes(tmp_path: Path) -> None:
    """A day gives always the same log, and another day the same one moved."""
    for name, today in (("a", TODAY), ("b", TODAY), ("c", TODAY + timedelta(days=1))):
        sample.write(tmp_path / name, today=today)
    first, again, later = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again
    assert len(first) == len(later)
    assert first != later


def test_times(hits: list[re.Match[str]]) -> None:
    """Time ascends, on each of the ten days before today and on no other."""
    months = {name: number for number, name in enumerate(sample._MONTHS, 1)}
    times = [
        datetime(
            int(t[7:11]),
            months[t[3:6]],
            int(t[:2]),
            int(t[12:14]),
            int(t[15:17]),
            int(t[18:20]),
            tzinfo=UTC,
        )
        for t in (hit[3] for hit in hits)
    ]
    assert times == sorted(times)
    assert {time.date() for time in times} == {
        TODAY - timedelta(days=day) for day in range(1, sample.DAYS + 1)
    }


def test_documentation_addresses(lines: list[str], hits: list[re.Match[str]]) -> None:
    """Clients, and whatever else looks like an address, are from the ranges set aside for documentation."""
    assert all(_is_documentation(hit[1]) for hit in hits)
    elsewhere = re.findall(r"(?<![\d./])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", "\n".join(lines))
    # Chrome's version, 141.0.0.0, has the shape of an address.
    assert all(_is_documentation(text) for text in elsewhere if not text.endswith(".0.0.0"))


@pytest.mark.parametrize(
    ("what", "least", "pattern"),
    [
        ("IPv6 clients", 100, r"^2001:db8:"),
        ("mapped clients", 1, r"^::ffff:"),
        ("crawlers", 50, r"Googlebot|bingbot|GPTBot|ClaudeBot"),
        ("sweeps", 80, r"^(203\.0\.113|2001:db8:66).*\" 404 "),
        ("guessed passwords", 40, r"^(203\.0\.113|2001:db8:66).*POST /login .*\" 401 "),
        ("a guess that was right", 1, r"^203\.0\.113.*POST /login .*\" 303 "),
        ("logins", 10, r"POST /login .*\" 303 "),
        ("SQL injection", 4, r"(?i)union\+select|%27%20or"),
        ("path traversal", 4, r"\.\./|\.\.%2f"),
        ("log4shell in the agent", 2, r'\$\{jndi:[^"]*"$'),
        ("TLS to a plain port", 2, r'"\\x16\\x03'),
        ("nginx escapes", 1, r"\\x22"),
        ("Apache escapes", 2, r"\\\""),
        ("e-mail addresses", 2, r"GET [^ ]*(%40|@)example\.org"),
        ("tokens", 2, r"GET [^ ]*[0-9a-f]{16}"),
        ("user names", 3, r"^\S+ - (tmarsh|hazel quill) \["),
        ("referers with a query", 10, r'" \d{3} \S+ "https://[^"]*\?'),
        ("an outage", 20, r'" 50[23] '),
    ],
)
def test_has(lines: list[str], what: str, least: int, pattern: str) -> None:
    """The demo and its questions find what they look for."""
    assert sum(bool(re.search(pattern, line)) for line in lines) >= least, what


def test_browsers(hits: list[re.Match[str]]) -> None:
    """Browsers of several families come, none of them as often as all others together."""
    families = ("Edg/", "OPR/", "SamsungBrowser/", "Firefox/", "CriOS/", "Chrome/", "Version/")
    found = [next((one for one in families if one in hit[8]), "") for hit in hits]
    counts = {one: found.count(one) for one in families}
    assert min(counts.values()) > 0
    assert max(counts.values()) < sum(counts.values()) * 0.6


def test_command(tmp_path: Path, lines: list[str]) -> None:
    """The command writes what the function writes."""
    path = tmp_path / "access.log"
    assert sample.main([str(path), "--today", TODAY.isoformat()]) == 0
    assert path.read_text(encoding="utf-8").split("\n")[:-1] == lines
