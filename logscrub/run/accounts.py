"""The ledger against itself: no byte twice or left out, no row unaccounted for, no deletion edited."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final

from logscrub.ledger import deletion_hash
from logscrub.records import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from logscrub.records import Source

_HINT: Final = "the ledger was edited or is damaged: restore it from a backup"
_REPLACED: Final = "replaced by reading its source again"
"""The reason of deletions after which other segments hold the rows, see `dataset.publish`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be.

    Args:
        code: One word for its kind.
        what: What is wrong and where, lower case, without a full stop; never a value of the data.
        hint: What to do about it, in the same style.
    """

    code: str
    what: str
    hint: str


def accounts(
    sources: Sequence[Source],
    segments: Sequence[Segment],
    batches: Sequence[Mapping[str, Any]],
    deletions: Sequence[Mapping[str, Any]],
) -> Iterator[Finding]:
    """Whether what a ledger says agrees.

    Args:
        sources: All sources.
        segments: Segments in every state.
        batches: Those that hold, see `Ledger.batches`.
        deletions: The log of deletions, oldest first.
    """
    yield from _segments(segments)
    yield from _batches(sources, batches)
    yield from _rows(sources, segments, batches, deletions)
    yield from _deletions(segments, deletions)


def _segments(segments: Sequence[Segment]) -> Iterator[Finding]:
    for one in segments:
        if one.rows != sum(rows for _, rows in one.sources):
            what = (
                f"the rows of the segment {one.name} are not the sum of its sources' in the ledger"
            )
            yield Finding("rows", what, _HINT)


def _batches(sources: Sequence[Source], batches: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Each source is covered from its first byte to its position, and each of its lines is counted once."""
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    wrong = Counter[str]()
    for one in batches:
        ranges[one["source"]].append((one["start"], one["stop"]))
        counted = one["rows"] + one["blanks"] + sum(one["rejects"].values())
        wrong[one["source"]] += one["lines"] != counted
    for source in sources:
        starts, stops = (
            zip(*sorted(ranges[source.id]), strict=True) if ranges[source.id] else ((), ())
        )
        if (*starts, source.position) != (0, *stops):
            what = f"{_named(source)}: its batches leave bytes out, or overlap, or do not end at its position"
            yield Finding("batches", what, _HINT)
        if wrong[source.id]:
            what = f"{_named(source)}: the lines of a batch are not the sum of its rows, blank lines and rejects"
            yield Finding("batches", what, _HINT)


def _rows(
    sources: Sequence[Source],
    segments: Sequence[Segment],
    batches: Sequence[Mapping[str, Any]],
    deletions: Sequence[Mapping[str, Any]],
) -> Iterator[Finding]:
    """Rows that were read are there, or deleted on record."""
    read, here = Counter[str](), Counter[str]()
    for batch in batches:
        read[batch["source"]] += batch["rows"]
    live = [one for one in segments if one.state in {"staged", "published", "expiring"}]
    for source, rows in chain.from_iterable(one.sources for one in live):
        here[source] += rows
    gone: dict[str, list[int]] = defaultdict(list)
    shares = {one.name: one.sources for one in segments if one.state == "expired"}
    for entry in reversed(deletions):
        if entry["reason"] != _REPLACED:
            for source, rows in shares.get(entry["segment"], ()):
                gone[source].append(rows)
    known = {one.id: _named(one) for one in sources}
    for source in dict.fromkeys([*known, *read, *here, *gone]):
        # what was deleted before its source was read again is in none of its batches any more
        if read[source] - here[source] not in {0, *accumulate(gone[source])}:
            what = (
                f"{known.get(source, f'the unknown source {source}')}: {read[source]:,} rows were read,"
                f" {here[source]:,} are there, and {sum(gone[source]):,} are recorded as deleted"
            )
            yield Finding("rows", what, _HINT)


def _deletions(
    segments: Sequence[Segment], deletions: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The log of deletions is one unbroken chain, and tells of the segments that are gone and no others."""
    expired = {(one.name, str(one.due), one.rows) for one in segments if one.state == "expired"}
    recorded = {(one["segment"], one["due"], one["rows"]) for one in deletions}
    if recorded != expired:
        what = f"{len(recorded ^ expired)} deletions are in the log or among the segments, but not in both alike"
        yield Finding("deletions", what, _HINT)
    previous = ""
    for entry in deletions:
        link = deletion_hash(previous, entry["at"], _as_segment(entry), entry["reason"])
        if (entry["previous"], entry["hash"]) != (previous, link):
            what = f"the log of deletions is broken at entry {entry['id']}: it, or one before it, was changed"
            yield Finding("deletions", what, _HINT)
            return
        previous = link


def _as_segment(entry: Mapping[str, Any]) -> Segment:
    """A segment as far as the log of deletions knows it."""
    due = date.fromisoformat(entry["due"])
    return Segment(entry["segment"], (), due, due, due, entry["rows"], 0, "", "", "expired")


def _named(source: Source) -> str:
    return f"source {source.id} ({source.path})"
