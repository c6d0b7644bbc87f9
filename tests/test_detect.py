"""The format of a log is found among the known ones, or refused."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.formats import shapes
from logscrub.formats.catalogue import named
from logscrub.formats.detect import _Candidate, _decide, detect
from logscrub.formats.scan import split_line
from logscrub.formats.serverconf import choose
from logscrub.schema import MAX_LINE

if TYPE_CHECKING:
    from pathlib import Path

TIME = "[21/Nov/2026:12:00:00 +0000]"
REQUEST = '"GET /a HTTP/1.1"'
COMMON = f"192.0.2.1 - - {TIME} {REQUEST} 200 12"
COMBINED = f'{COMMON} "-" "Example/1.0"'
SAMPLES = {
    "combined": COMBINED,
    "common": COMMON,
    "combinedio": f"{COMBINED} 100 300",
    "vhost_combined": f"www.example.com:443 {COMBINED}",
    "vhost_combined_no_port": f"www.example.com {COMBINED}",
    "vhost_common": f"www.example.com {COMMON}",
    "main": f'{COMBINED} "198.51.100.7, 203.0.113.5"',
    "lighttpd": COMBINED.replace(" - - ", " www.example.com - "),
    "combined_list": COMBINED.replace("192.0.2.1", "198.51.100.1, 192.0.2.1"),
    "combined_without_user": COMBINED.replace("192.0.2.1 -", "192.0.2.1"),
}


def sample(*lines: str) -> bytes:
    """The lines as a file."""
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_found(name: str) -> None:
    """Lines of a format are found as that format and no other, whatever the line end."""
    for end in (b"\n", b"\r\n"):
        found = detect((SAMPLES[name].encode() + end) * 5)
        assert (found.kind, found.name, found.share) == ("access", name, 1.0)
        assert found.format == named(name)


@pytest.mark.parametrize(
    "line",
    [
        COMBINED.replace("192.0.2.1", "2001:db8::1"),
        COMBINED.replace("192.0.2.1", "::ffff:192.0.2.1"),
        COMBINED.replace("192.0.2.1", "dialup-435.example.net"),
        COMBINED.replace("192.0.2.1", "unix:"),
        COMBINED.replace(" - - ", " - jdoe "),
        COMBINED.replace(REQUEST, '""'),
        COMBINED.replace(REQUEST, r'"\x16\x03\x01"'),
    ],
)
def test_odd_lines_are_still_combined(line: str) -> None:
    """Host names, IPv6, sockets, users, requests that are none."""
    assert detect(sample(line)).name == "combined"


@pytest.mark.parametrize(
    "line",
    [
        COMBINED.replace("192.0.2.1", "www.example.com 192.0.2.1").replace(" - - ", " - "),
        COMBINED.replace(" - - ", " - John Doe "),
        COMBINED.replace(" - - ", " -  "),
        COMBINED.replace("192.0.2.1", "-"),
        COMBINED.replace(" 200 ", " 20 "),
        COMBINED.replace(" 200 ", " - "),
        COMBINED + " 0.005",
        f'"{COMBINED}"',
    ],
)
def test_look_alikes_are_refused(line: str) -> None:
    """A virtual host or a list in front, a missing user, a tail, a syslog head: another format, not rejects."""
    found = detect(sample(line))
    assert (found.kind, found.format, found.name) == ("unknown", None, "")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"\n \n\t\r\n", "empty"),
        (b"2026/11/21 12:00:00 [error] 12#34: *5 open() failed\n" * 3, "error_log"),
        (
            b"[Sat Nov 21 12:00:00.123456 2026] [core:error] [pid 1:tid 2] AH1: text\n" * 3,
            "error_log",
        ),
        (b"[Sat Nov 21 12:00:00 2026] [error] [client 192.0.2.1] text\n" * 3, "error_log"),
        (b"2026-11-21 12:00:00: (server.c.1) text\n" * 3, "error_log"),
        (b'{"ts": 1, "request": "GET /"}\n' * 3, "json"),
        (bytes(range(256)) * 20, "binary"),
        (gzip.compress(COMBINED.encode() * 50), "binary"),
        (b"\0" * 5000, "binary"),
        (sample(COMBINED).decode().encode("utf-16"), "utf16"),
        (sample(COMBINED).decode().encode("utf-16-le"), "utf16"),
        (sample(COMBINED).decode().encode("utf-16-be"), "utf16"),
        (b"some text that is no log\n" * 3, "unknown"),
        (sample(*[COMBINED] * 3).replace(b"\n", b"\r"), "unknown"),
    ],
)
def test_other_files_are_told_apart(data: bytes, kind: str) -> None:
    """What is no access log is refused, with what it is instead and why."""
    found = detect(data)
    assert (found.format, found.kind) == (None, kind)
    assert found.reason


def test_four_lines_in_five_are_enough() -> None:
    """0.8 of the lines that are not blank have to fit; below, it is refused."""
    fits, junk = [COMBINED] * 8, ["a b c d e"] * 2
    assert detect(sample(*fits, *junk, "", " ")).name == "combined"
    refused = detect(sample(*fits, *junk, "a b c d e"))
    assert (refused.format, refused.kind) == (None, "unknown")
    assert "8 of 11" in refused.reason


def test_only_the_first_lines_count() -> None:
    """Lines after `count` are not looked at, and a last line that the sample cut does not count."""
    assert detect(sample(*[COMBINED] * 3, *["junk"] * 50), 3).name == "combined"
    assert detect(sample(COMBINED) + COMBINED.encode()[:30]).share == 1.0
    assert detect(COMBINED.encode()).name == "combined"


def test_an_overlong_line_does_not_count() -> None:
    """A line that would be a reject for its length is no evidence."""
    long = COMBINED.replace("/a", "/" + "a" * MAX_LINE)
    assert detect(sample(long)).format is None


def test_two_readings_of_the_same_lines_are_refused() -> None:
    """When another format reads more than a fifth of the lines differently, nothing is chosen."""
    lines = [COMMON.encode()] * 10
    ours = _Candidate(named("common"), [{"address": (0, 9)}] * 10)
    few = _Candidate(named("main"), [{"address": (1, 9)}] * 2 + [None] * 8)
    many = _Candidate(named("main"), [{"address": (1, 9)}] * 3 + [None] * 7)
    assert _decide(ours, [ours, few], lines).format == named("common")
    refused = _decide(ours, [ours, many], lines)
    assert refused.format is None
    assert refused.reason == "common and main read the same lines differently"


def test_the_structure_shows_no_letter_of_the_lines() -> None:
    """Counts and shapes only."""
    found = detect(sample(COMMON + " 0.5 zz [zz]", COMMON + " 7.5 yy [yy]", "x"))
    assert found.structure == (
        'token - - [time] "…" number number number token […] (2 of 3); token (1 of 3)'
    )


_WORDS = {"token", "number", "[time]", "[…]", "…", "lines:", "of", '"…"', '""', '"-"'}


@given(st.lists(st.text(st.characters(codec="ascii", categories=["Lu"]), min_size=1), min_size=1))
def test_no_word_of_a_line_is_quoted(words: list[str]) -> None:
    """Whatever the capital letters of the lines: none is in the structure or in the reason."""
    found = detect(sample(*words, " ".join(words), f'"{" ".join(words)}"', f"[{words[0]}]"))
    assert not any(char.isupper() for char in found.structure + found.reason)


@given(st.binary(max_size=300))
def test_any_bytes_are_detected_or_refused(data: bytes) -> None:
    """No input raises, and only an access log comes with a layout."""
    found = detect(data)
    assert (found.format is not None) == (found.kind == "access")


@given(st.binary(max_size=60).filter(lambda line: b"\n" not in line))
def test_masks_keep_the_length(line: bytes) -> None:
    """A mask has no digit but 9 and no letter but a, and is as long as the text."""
    masked = shapes.mask(line)
    assert len(masked) == len(line)
    assert {chr(byte) for byte in masked if byte < 128 and chr(byte).isalnum()} <= {"9", "a"}


LIVE = {
    "nginx-1.22.1/combined.log": "combined",
    "nginx-1.22.1/buffered.log.gz": "combined",
    "nginx-1.22.1/main.log": "main",
    "nginx-1.22.1/vhost.log": "vhost_combined",
    "apache-2.4.71/combined.log": "combined",
    "apache-2.4.71/common.log": "common",
    "apache-2.4.71/other_vhosts_access.log": "vhost_combined",
    "lighttpd-1.4.69/access.log": "lighttpd",
    "nginx-1.22.1/error.log": "error_log",
    "apache-2.4.71/error.log": "error_log",
    "lighttpd-1.4.69/error.log": "error_log",
    "nginx-1.22.1/escape_json.log": "json",
    "nginx-1.22.1/json_unquoted_missing.log": "json",
    "caddy-2.6.2/access.log": "caddy",
    "nginx-1.22.1/escape_none.log": "unknown",
    "nginx-1.22.1/ingress.log": "ingress",
    "nginx-1.22.1/syslog_raw.log": "syslog/combined",
    "apache-2.4.71/kitchen_sink.log": "unknown",
    "haproxy-2.6.12/syslog_raw.log": "syslog/haproxy",
}


def test_live_logs(cases: Path) -> None:
    """Each log of a real server is found by its format, or refused as what it is."""
    folder = cases / "logs/live-servers"
    files = [
        entry["file"]
        for entry in json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    ]
    assert sorted(LIVE) == sorted(files)
    for file, expected in LIVE.items():
        data = (folder / file).read_bytes()
        found = detect(gzip.decompress(data) if file.endswith(".gz") else data)
        assert (found.name or found.kind) == expected, file


@pytest.mark.parametrize(
    ("log", "conf", "name"),
    [
        ("nginx-1.22.1/ingress.log", "nginx-1.22.1/nginx.conf", "ingress"),
        ("nginx-1.22.1/escape_json.log", "nginx-1.22.1/nginx.conf", "j"),
        ("nginx-1.22.1/vhost.log", "nginx-1.22.1/nginx.conf", "vhost"),
        ("apache-2.4.71/kitchen_sink.log", "apache-2.4.71/httpd.conf", "kitchen"),
    ],
)
def test_a_format_from_the_configuration_reads_its_log(
    cases: Path, log: str, conf: str, name: str
) -> None:
    """What detection refuses, the server's own configuration reads: every line that is not too long."""
    folder = cases / "logs/live-servers"
    layout = choose((folder / conf).read_text("utf-8"), name)
    lines = (folder / log).read_bytes().removesuffix(b"\n").split(b"\n")
    unread = [line for line in lines if not isinstance(split_line(line, layout), list)]
    assert all(len(line) > MAX_LINE for line in unread)
    assert len(unread) <= 1
