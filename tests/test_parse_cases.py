"""Lines of twenty formats with the fields that others say they have: ours are the same, or the reason stands here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from logscrub.formats import parse
from logscrub.formats.detect import detect
from logscrub.schema import Block, Raw
from logscrub.scrubbers.address_forms import packed

if TYPE_CHECKING:
    from pathlib import Path

CLOUDFRONT: Final = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes "
    "time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    "fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end"
)
"""The cases have lines without the header of their file."""
DIFFERENT: Final = {
    (
        "crowdsec",
        12,
        "host",
    ): "the host of an absolute URI is no site; the load balancer names none (`-`)",
    ("crowdsec", 14, "host"): "as above",
    ("crowdsec", 18, "host"): "the host that was asked for; theirs is the name of the distribution",
    ("crowdsec", 19, "host"): "as above",
    (
        "crowdsec",
        90,
        "remote_addr",
    ): "the peer; theirs is what X-Forwarded-For says, which anybody can write",
    (
        "beats2018",
        12,
        "remote_addr",
    ): "the peer, behind the list; theirs is the first of X-Forwarded-For",
    ("beats2018", 14, "remote_addr"): "as above",
}
"""File, row and field; why ours is right. Seven of 114 rows, of 202 with those of `apachelogs`, which all agree."""


def cases_of(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file."""
    text = (folder / f"parse/{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["crowdsec", "beats2018"])
def test_lines_of_others(cases: Path, name: str) -> None:
    """Each access line is detected and read as its owner reads it; no other line is taken for one."""
    different: set[tuple[str, int, str]] = set()
    for number, case in enumerate(cases_of(cases, name)):
        header = CLOUDFRONT if case["format"] == "aws_cloudfront" else case.get("header", "")
        data = "".join(f"{line}\n" for line in (header, case["line"]) if line).encode()
        found = detect(data)
        if case["kind"] != "access":
            assert found.format is None, (name, number)
            continue
        assert found.format is not None, (name, number, found.reason)
        parsed = parse(Block.of(data, offset=0), found.format, frozenset(Raw), zone="UTC")
        assert parsed.rows == 1, (name, number)
        row = {raw: column[0].as_py() for raw, column in parsed.columns.items()}
        different |= {(name, number, field) for field in _differences(row, case["expected"])}
    assert different == {key for key in DIFFERENT if key[0] == name}


_SAME: Final = {
    "status": Raw.STATUS, "bytes": Raw.BYTES, "user_agent": Raw.AGENT, "referer": Raw.REFERER, "method": Raw.METHOD,
    "protocol": Raw.PROTOCOL, "host": Raw.SITE,
}  # fmt: skip


def _differences(row: dict[Raw, Any], expected: dict[str, Any]) -> list[str]:
    out = [
        field
        for field, raw in _SAME.items()
        if field in expected and not _alike(row.get(raw), expected[field])
    ]
    # Caddy decides on the client by its own trusted proxies
    address = expected.get("client_ip", expected.get("remote_addr"))
    if address and packed(address.encode()) != packed((row[Raw.ADDRESS] or "").encode()):
        out.append("remote_addr")
    if "target" in expected and not _same_target(row, expected["target"]):
        out.append("target")
    return out


def _alike(ours: object, theirs: object) -> bool:
    """The same, or both missing: theirs are as logged, with blanks as `+` in logs of IIS."""
    if isinstance(theirs, str) and isinstance(ours, str):
        return theirs == ours or theirs.replace("+", " ") == ours
    return ours == theirs or (ours or None) == (theirs or None)


def _same_target(row: dict[Raw, Any], theirs: str | None) -> bool:
    path, query = row.get(Raw.PATH), row.get(Raw.QUERY)
    ours = None if path is None else path + (f"?{query}" if query else "")
    # an absolute URI loses its host only when it is scrubbed
    return (
        ours == theirs or (ours or "").partition("://")[2].partition("/")[2] == (theirs or "/")[1:]
    )
