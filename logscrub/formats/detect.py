"""Which format the first lines of a source are in.

It refuses when unsure, because a wrong guess misreads every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from logscrub.formats import shapes
from logscrub.formats.catalogue import CATALOGUE, named
from logscrub.formats.lines import split
from logscrub.schema import Block, Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from logscrub.formats.layout import Layout

SAMPLE_LINES: Final = 1000
SAMPLE_BYTES: Final = 1_048_576
"""Lines that an attacker made long and hard to read must not hold up the decision."""
_FEW: Final = 100
"""Lines that show what the others look like."""
ENOUGH: Final = 0.8
"""Share of the lines that a format has to read."""

What = Literal["access", "error_log", "json", "binary", "utf16", "empty", "unknown"]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Detection:
    """What the first lines are.

    Args:
        layout: How to read them; None when unsure.
        name: The layout's name in the catalogue, or empty.
        share: The share of lines that the best candidate reads, 0 to 1.
        reason: Why, for people; never quotes a line.
        kind: What sort of file it is.
        structure: What the lines look like, without a letter of theirs: `token - [time] "…"`.
    """

    layout: Layout | None
    name: str
    share: float
    reason: str
    kind: What
    structure: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    layout: Layout
    spans: list[dict[str, Span] | None]
    """Where the kept fields of each line stand; None where it does not fit or is not plausible."""

    @property
    def count(self) -> int:
        return sum(spans is not None for spans in self.spans)


def detect(sample: bytes, count: int = SAMPLE_LINES) -> Detection:
    """Finds the catalogue's format that reads the lines, if exactly one does.

    A line counts for a format when it has its fields and they are plausible: the address is an
    address or a host name, the user has no blanks, the status has three digits. The best format
    needs `ENOUGH` of the lines, and no other may read as many of them differently.

    Args:
        sample: The beginning of a source; a last line without its end is left out.
        count: How many lines to look at.
    """
    lines = _lines(sample, count)
    if refused := _not_text(sample, lines):
        return refused
    # not at the start of a source: a byte order mark tells no format
    block = Block.of(b"\n".join(lines), offset=1)
    candidates = [_candidate(named(name), lines, block) for name in CATALOGUE]
    best = max(candidates, key=lambda candidate: candidate.count)
    if best.count >= ENOUGH * len(lines):
        return _decide(best, candidates, lines)
    return _explain(best, lines)


def _not_text(sample: bytes, lines: list[bytes]) -> Detection | None:
    if shapes.is_utf16(sample):
        return _refusal("utf16", "the text is UTF-16; convert it to UTF-8 first")
    if not lines:
        return _refusal("empty", "there are no lines")
    if _share(lines, shapes.is_binary) >= 0.5:
        return _refusal("binary", "most lines hold bytes that no text has")
    return None


def _explain(best: _Candidate, lines: list[bytes]) -> Detection:
    """Why no format of the catalogue will do."""
    structure = shapes.structure(lines)
    if _share(lines, shapes.is_error) >= 0.5:
        return _refusal("error_log", "the lines are those of a server's error log", structure)
    if _share(lines, shapes.is_json) >= ENOUGH:
        return _refusal("json", "the lines are JSON; say in which format they are", structure)
    if len(lines) == 1 and lines[0].count(b"\r") > 1:
        return _refusal("unknown", "the lines end with CR alone; convert the line ends", structure)
    reason = (
        f"no known format fits: {best.layout.name} reads {best.count} of {len(lines)} lines"
        if best.count
        else "no known format reads any of the lines"
    )
    return Detection(None, "", best.count / len(lines), reason, "unknown", structure)


def _decide(best: _Candidate, candidates: list[_Candidate], lines: list[bytes]) -> Detection:
    share = best.count / len(lines)
    structure = shapes.structure(lines[:_FEW])
    for other in candidates:
        differs = sum(
            theirs is not None and ours is not None and theirs != ours
            for ours, theirs in zip(best.spans, other.spans, strict=True)
        )
        if len(lines) - differs < ENOUGH * len(lines):
            reason = f"{best.layout.name} and {other.layout.name} read the same lines differently"
            return Detection(None, "", share, reason, "unknown", structure)
    reason = f"{best.layout.name} reads {best.count} of {len(lines)} lines"
    return Detection(best.layout, best.layout.name, share, reason, "access", structure)


def _refusal(kind: What, reason: str, structure: str = "") -> Detection:
    return Detection(None, "", 0.0, reason, kind, structure)


def _lines(sample: bytes, count: int) -> list[bytes]:
    lines = sample[:SAMPLE_BYTES].split(b"\n", count)
    # What follows the last line end is a line that the sample cut, or everything after `count`
    # lines.
    if len(lines) > 1:
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines]
    return [line for line in lines if line.strip()]


def _share(lines: list[bytes], test: Callable[[bytes], bool]) -> float:
    return sum(map(test, lines)) / len(lines)


def _candidate(layout: Layout, lines: list[bytes], block: Block) -> _Candidate:
    found = split(block, layout)
    begins = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])])
    rows = np.searchsorted(begins, found.line_starts)
    starts, ends = found.starts - found.line_starts, found.ends - found.line_starts
    out: list[dict[str, Span] | None] = [None] * len(lines)
    for row, begun, ended in zip(rows.tolist(), starts.T.tolist(), ends.T.tolist(), strict=True):
        out[row] = _plausible(lines[row], layout, list(zip(begun, ended, strict=True)))
    return _Candidate(layout, out)


def _plausible(line: bytes, layout: Layout, spans: list[Span]) -> dict[str, Span] | None:
    values = {
        field.name: line[begin:end]
        for field, (begin, end) in zip(layout.fields, spans, strict=True)
    }
    kept = {
        str(field.keeps): span
        for field, span in zip(layout.fields, spans, strict=True)
        if field.keeps is not None
    }
    address, site, status = (
        line[slice(*kept[str(raw)])] if str(raw) in kept else None
        for raw in (Raw.ADDRESS, Raw.SITE, Raw.STATUS)
    )
    plausible = _is_client(address or b"", values) and _is_site(site) and _is_status(status)
    return kept if plausible else None


def _is_client(address: bytes, values: dict[str, bytes]) -> bool:
    user, ident = values.get("%u", b"-"), values.get("%l", b"-")
    is_address = _is_address(address)
    return (
        (is_address or _is_host(address))
        # A blank in the user means that there is a field more in front; nothing is escape=none.
        and user != b""
        and b" " not in user
        # An address behind a name: the first field is the virtual host, not the client.
        and (is_address or not _is_address(ident))
    )


def _is_site(site: bytes | None) -> bool:
    return site is None or _is_host(site) or _is_address(site)


def _is_status(status: bytes | None) -> bool:
    return status is not None and len(status) == 3 and status.isdigit()


def _is_address(value: bytes) -> bool:
    if value == b"unix:":
        return True
    try:
        ip_address(value.decode("ascii").strip("[]"))
    except ValueError:
        return False
    return True


def _is_host(value: bytes) -> bool:
    shape = shapes.mask(value)
    return b"a" in shape and len(value) <= 253 and not shape.strip(b"a9.-_")  # RFC 1035, 2.3.4
