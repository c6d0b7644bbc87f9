"""Which format the first lines of a source are in.

It refuses when unsure, because a wrong guess misreads every row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from logscrub.formats import jsonl, plausible, shapes, w3c
from logscrub.formats.catalogue import named, names
from logscrub.formats.jsonmap import guess
from logscrub.formats.layout import Format, Kind
from logscrub.formats.lines import lines_of, split
from logscrub.formats.reading import taken_apart
from logscrub.formats.wrappers import unwrap, which
from logscrub.schema import HEADER, Block, Raw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logscrub.formats.lines import Lines
    from logscrub.formats.plausible import Span

SAMPLE_LINES: Final = 1000
SAMPLE_BYTES: Final = 1_048_576
"""Lines that an attacker made long and hard to read must not hold up the decision."""
_FEW: Final = 100
"""Lines that show what the others look like."""
_FIRST: Final = 20
"""Lines of which a format has to read one, to be tried on the others."""
ENOUGH: Final = 0.8
"""Share of the lines that a format has to read."""
_HOSTS: Final = 0.2
"""Share of the lines that have a host, in a format where they should; lighttpd has none for bad requests."""
_DEEPEST: Final = 3
"""Wrappers around one another."""

What = Literal["access", "error_log", "json", "binary", "utf16", "empty", "unknown"]


@dataclass(frozen=True, slots=True)
class Detection:
    """What the first lines are.

    Args:
        format: How to read them; None when unsure.
        share: The share of lines that the best candidate reads, 0 to 1.
        reason: Why, for people; never quotes a line.
        kind: What sort of file it is.
        structure: What the lines look like, without a letter of theirs: `token - [time] "…"`.
    """

    format: Format | None
    share: float
    reason: str
    kind: What
    structure: str

    @property
    def name(self) -> str:
        """The format's name, or empty."""
        return self.format.name if self.format else ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    format: Format
    spans: list[dict[str, Span] | None]
    """Where the kept fields of each line stand; None where it does not fit or is not plausible."""

    @property
    def count(self) -> int:
        return sum(spans is not None for spans in self.spans)


def detect(sample: bytes, count: int = SAMPLE_LINES) -> Detection:
    """Finds the catalogue's format that reads the lines, if exactly one does.

    A line counts for a format when it has its fields and they are plausible: the address is an
    address or a host name, the user has no blanks, the status has three digits. The best format
    needs `ENOUGH` of the lines, and no other may read as many of them differently. Wrappers are
    peeled off where the lines as they are fit nothing.

    Args:
        sample: The beginning of a source; a last line without its end is left out.
        count: How many lines to look at.
    """
    lines = _lines(sample, count)
    return _not_text(sample, lines) or _detect(lines, _DEEPEST)


def _detect(lines: list[bytes], deepest: int) -> Detection:
    if any(line.startswith(HEADER) for line in lines):
        headed = _headed(lines)
        # a client can write such a line where a line begins with what it sent
        if headed.format or lines[0].startswith(b"#"):
            return headed
    # not at the start of a source: a byte order mark tells no format
    block = Block.of(b"\n".join(lines), offset=1)
    found = lines_of(block)
    is_json = _share(lines, shapes.is_json) >= ENOUGH
    candidates = _of_json(lines, found) if is_json else _of_text(lines, found)
    best = max(candidates, key=lambda one: one.count, default=None)
    if is_json:
        # a format that is known outranks a guess that reads some lines more
        enough = (one for one in candidates if one.count >= ENOUGH * len(lines))
        best = next(enough, best)
    if best and best.count >= ENOUGH * len(lines):
        return _decide(best, [] if is_json else candidates, lines)
    return (_unwrapped(found, deepest) if deepest else None) or _explain(best, lines)


def _unwrapped(lines: Lines, deepest: int) -> Detection | None:
    """What is inside a wrapper, if there is one and its inside is known."""
    wrapper = which(lines)
    if not wrapper:
        return None
    inside, _, _ = unwrap(lines, wrapper)
    texts = [
        inside.data[begin:end].tobytes()
        for begin, end in zip(inside.starts.tolist(), inside.ends.tolist(), strict=True)
    ]
    texts = [text for text in texts if text.strip()]
    within = _detect(texts, deepest - 1) if texts else None
    if not within or not within.format:
        return None
    inner = within.format
    name, wrappers = f"{wrapper}/{inner.name}", (wrapper, *inner.wrappers)
    reason = f"{within.reason}, wrapped by {wrapper}"
    return replace(within, format=replace(inner, name=name, wrappers=wrappers), reason=reason)


def _not_text(sample: bytes, lines: list[bytes]) -> Detection | None:
    if shapes.is_utf16(sample):
        return _refusal("utf16", "the text is UTF-16; convert it to UTF-8 first")
    if not lines:
        return _refusal("empty", "there are no lines")
    if _share(lines, shapes.is_binary) >= 0.5:
        return _refusal("binary", "most lines hold bytes that no text has")
    return None


def _headed(lines: list[bytes]) -> Detection:
    """A W3C log: whether its lines are what its headers say."""
    found = taken_apart(Block.of(b"\n".join(lines), offset=1), named(w3c.NAME))
    rows, heads = sum(split.rows for _, split in found), sum(split.blanks for _, split in found)
    structure, share = shapes.structure(lines[:_FEW]), rows / max(len(lines) - heads, 1)
    if share < ENOUGH and len(lines) > heads:
        reason = f"the #Fields line is that of {rows} of {len(lines) - heads} lines"
        return Detection(None, share, reason, "unknown", structure)
    reason = f"the #Fields lines read {rows} of {len(lines) - heads} lines"
    return Detection(named(w3c.NAME), share, reason, "access", structure)


def _of_text(lines: list[bytes], waiting: Lines) -> list[_Candidate]:
    formats = [one for one in map(named, names()) if one.layouts and not one.layouts[0].paths]
    few = waiting.of(np.arange(min(_FIRST, len(waiting))))
    first = [one for one in formats if any(split(few, layout).rows for layout in one.layouts)]
    tried = [_candidate(one, lines, waiting) for one in first or formats]
    return [one for one in tried if _has_hosts(one)]


def _has_hosts(candidate: _Candidate) -> bool:
    """Whether a format that has a host in front, or in the place of the ident, finds one often enough."""
    bare = any(
        one.keeps is Raw.SITE and one.kind is not Kind.QUOTED
        for layout in candidate.format.layouts
        for one in layout.fields
    )
    hosts = sum(spans is not None and str(Raw.SITE) in spans for spans in candidate.spans)
    return not bare or hosts >= _HOSTS * candidate.count


def _of_json(lines: list[bytes], waiting: Lines) -> list[_Candidate]:
    """What reads the objects: the formats that are known, and last the best guess."""
    known = [one for one in map(named, names()) if one.layouts and one.layouts[0].paths]
    seen = Counter(
        path
        for line in islice(lines, _FEW)
        for path, kind in jsonl.keys(line)
        if kind in ("string", "number")
    )
    most = min(len(lines), _FEW) * ENOUGH
    guessed = guess([path for path, count in seen.items() if count >= most])
    tried = [*known, *([Format.of(guessed)] if guessed else [])]
    return [_candidate(one, lines, waiting) for one in tried]


def _explain(best: _Candidate | None, lines: list[bytes]) -> Detection:
    """Why no format of the catalogue will do."""
    structure = shapes.structure(lines)
    if _share(lines, shapes.is_error) >= 0.5:
        return _refusal("error_log", "the lines are those of a server's error log", structure)
    if _share(lines, shapes.is_json) >= ENOUGH:
        return _refusal("json", "the lines are JSON with keys that tell no format", structure)
    if len(lines) == 1 and lines[0].count(b"\r") > 1:
        return _refusal("unknown", "the lines end with CR alone; convert the line ends", structure)
    reason = (
        f"no known format fits: {best.format.name} reads {best.count} of {len(lines)} lines"
        if best and best.count
        else "no known format reads any of the lines"
    )
    return Detection(None, best.count / len(lines) if best else 0.0, reason, "unknown", structure)


def _decide(best: _Candidate, candidates: Sequence[_Candidate], lines: list[bytes]) -> Detection:
    share = best.count / len(lines)
    structure = shapes.structure(lines[:_FEW])
    for other in candidates:
        differs = sum(
            theirs is not None and ours is not None and theirs != ours
            for ours, theirs in zip(best.spans, other.spans, strict=True)
        )
        if len(lines) - differs < ENOUGH * len(lines):
            reason = f"{best.format.name} and {other.format.name} read the same lines differently"
            return Detection(None, share, reason, "unknown", structure)
    reason = f"{best.format.name} reads {best.count} of {len(lines)} lines"
    return Detection(best.format, share, reason, "access", structure)


def _refusal(kind: What, reason: str, structure: str = "") -> Detection:
    return Detection(None, 0.0, reason, kind, structure)


def _lines(sample: bytes, count: int) -> list[bytes]:
    lines = sample[:SAMPLE_BYTES].split(b"\n", count)
    # What follows the last line end is a line that the sample cut, or everything after `count`
    # lines.
    if len(lines) > 1:
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines]
    return [line for line in lines if line.strip()]


def _share(lines: list[bytes], test: Callable[[bytes], bool]) -> float:
    return sum(map(test, lines)) / len(lines) if lines else 0.0


def _candidate(
    format: Format,  # noqa: A002 — the word of the option
    lines: list[bytes],
    waiting: Lines,
) -> _Candidate:
    """Where the fields stand of those lines that one of the layouts reads plausibly."""
    out: list[dict[str, Span] | None] = [None] * len(lines)
    for layout in format.layouts:
        left = np.array([i for i, spans in enumerate(out) if spans is None], np.int64)
        found = split(waiting.of(left), layout)
        rows = np.searchsorted(waiting.offsets, found.lines.offsets)
        starts, ends = found.starts - found.lines.starts, found.ends - found.lines.starts
        by = plausible.judge(layout)
        for i, begun, ended in zip(rows.tolist(), starts.T.tolist(), ends.T.tolist(), strict=True):
            out[i] = plausible.kept(lines[i], list(zip(begun, ended, strict=True)), by)
    return _Candidate(format, out)
