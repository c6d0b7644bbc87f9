"""Which source a raw file is, and how far it was read, proven by the rows that are stored of it.

A file is a source when the rows stored of that source are the first rows of the file, each as often. Sums of keyed
hashes of rows are compared, so the order of the stored rows does not matter, nor how many there are.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logscrub import keystore
from logscrub.blocks import BLOCK_SIZE, Splitter
from logscrub.errors import LogscrubError, OutputError, SourceError
from logscrub.formats import hold
from logscrub.formats.choice import AUTO, choose
from logscrub.identity import HEAD, Chain
from logscrub.keys import period_name, period_of
from logscrub.machine import SIZES
from logscrub.run.batch import source_after
from logscrub.run.recognise import SALVAGED, recognise
from logscrub.run.scrubbing import Scrubbing, Tally, scrubbed
from logscrub.run.staging import QUIET_SECONDS, sample_of
from logscrub.schema import COLUMNS, Block, Raw, joined
from logscrub.source import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from logscrub.dataset import Dataset
    from logscrub.keys import Key
    from logscrub.records import Segment, Source
    from logscrub.run.batch import Job
    from logscrub.schema import Parsed
    from logscrub.source import Input
    from logscrub.transform import Scrubbed

    Sums = NDArray[np.uint64]

_NOT_COMPARED: Final = {
    "country", "asn", "referer_host", "browser", "browser_version", "os", "device", "bot", "threats", "threat_rules",
}  # fmt: skip
"""Columns that newer databases, lists and rules fill differently."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What rows are compared by.

    Args:
        columns: Those of `schema.COLUMNS` that count.
        keys: The keys that are there, by period; tokens of other periods do not count.
        rotation: Days of a period.
        seeds: Random, so that nobody can write lines for the sums they give.
    """

    columns: tuple[str, ...]
    keys: Mapping[int, Key]
    rotation: int
    seeds: tuple[int, ...]


@dataclass(slots=True)
class Stored:
    """What `data/` holds of one source.

    Args:
        sums: Of the hashes of its rows, modulo 2**64 each.
        newest: The latest closure that counted for any of them.
        policies: Digests of the policies that they were made by.
    """

    sums: Sums = field(default_factory=lambda: np.zeros(2, np.uint64))
    rows: int = 0
    newest: date = date.min
    policies: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Repeating(Scrubbing):
    """Scrubs with the keys that are there, and makes none."""

    present: Mapping[int, Key] = field(default_factory=dict)

    def scrub(self, parts: Sequence[Parsed]) -> tuple[Parsed, Scrubbed]:
        """As `Scrubbing.scrub`."""
        parsed = joined(parts)
        keys = {period: self.present.get(period) for period in self.transform.periods(parsed)}
        return parsed, self.transform.apply(parsed, keys=keys, site_name=self.site)


def comparison(job: Job) -> Comparison:
    """What can be compared under the policy and with the keys of a job."""
    keys = _keys(job)
    barred = _NOT_COMPARED if keys else {*_NOT_COMPARED, "client_token"}
    columns = tuple(name for name in COLUMNS.names if name not in barred)
    return Comparison(
        columns,
        keys,
        job.policy.address.rotation.days,
        (secrets.randbits(63), secrets.randbits(63)),
    )


def _keys(job: Job) -> dict[int, Key]:
    rule = job.policy.address
    if rule.mode != "hash":
        return {}
    days = [one.first_day for one in keystore.listed(job.keys) if not one.destroyed]
    moments = np.array(days, "datetime64[ms]").astype(np.int64)
    numbers = [int(one) for one in period_of(moments, rule.rotation.days)]
    # a period that another rotation made has no number, and asking for it would make a key
    known = [
        number
        for number, day in zip(numbers, days, strict=True)
        if period_name(number, rule.rotation.days) == str(day)
    ]
    found = keystore.period_keys(
        job.keys, known, rotation_days=rule.rotation.days, ttl_days=rule.key_ttl.days, now=job.now
    )
    return {number: key for number, key in found.items() if key}


def stored_rows(
    out: Dataset, segments: Sequence[Segment], how: Comparison | None
) -> dict[str, Stored]:
    """What `data/` holds of each source.

    Args:
        out: The dataset.
        segments: Its segments.
        how: What to compare rows by; None leaves the sums at nought and the rows unread.

    Raises:
        OutputError: A segment is damaged.
    """
    found: dict[str, Stored] = {}
    for one in segments:
        for source, rows in one.sources:
            mine = found.setdefault(source, Stored())
            mine.rows += rows
            mine.newest = max(mine.newest, one.closure)
            mine.policies.add(one.policy)
        if how:
            try:
                _add(out, one, how, found)
            except (OSError, pa.ArrowException):
                raise OutputError(
                    f"the segment {one.folder}/{one.name} cannot be read",
                    hint="check the disk, or restore it from a backup; moved out of data/, its rows are given up",
                ) from None
    return found


def _add(out: Dataset, one: Segment, how: Comparison, found: Mapping[str, Stored]) -> None:
    ends = np.cumsum([rows for _, rows in one.sources])
    start = 0
    with pq.ParquetFile(out.data / one.folder / one.name) as file:
        for batch in file.iter_batches(SIZES.group, columns=list(how.columns)):
            sums = hashes(pa.Table.from_batches([batch]), how)
            first = int(np.searchsorted(ends, start, side="right"))
            for (source, rows), end in zip(one.sources[first:], ends[first:], strict=True):
                begin = int(end) - rows - start
                if begin >= len(sums):
                    break
                found[source].sums += sums[max(begin, 0) : int(end) - start].sum(axis=0)
            start += len(sums)


def hashes(table: pa.Table, how: Comparison) -> Sums:
    """Two keyed hashes of each row.

    Args:
        table: With the columns of `how`; dictionaries and plain strings are the same.
        how: What to compare rows by.
    """
    plain = table.select(how.columns).cast(pa.schema([COLUMNS.field(name) for name in how.columns]))
    if "client_token" in how.columns:
        moments = plain["timestamp"].cast(pa.int64()).to_numpy()
        counts = np.isin(period_of(moments, how.rotation), list(how.keys))
        tokens = pc.if_else(pa.array(counts), plain["client_token"], None)
        plain = plain.set_column(how.columns.index("client_token"), "client_token", tokens)
    frame = pl.DataFrame(plain)
    return np.stack([frame.hash_rows(seed).to_numpy() for seed in how.seeds], axis=1)


def prove(
    inputs: Sequence[Input], job: Job, how: Comparison, stored: Mapping[str, Stored]
) -> tuple[dict[str, tuple[Source, Tally]], list[tuple[str, str]]]:
    """Find the source of each raw file.

    Args:
        inputs: The raw files.
        job: As for an ingest of them.
        how: What to compare rows by.
        stored: What `stored_rows` gave for it.

    Returns:
        For each source found its row in a ledger and where its lines went; and `(path, why)` of the other files.
    """
    proofs: dict[str, tuple[Source, Tally]] = {}
    others = []
    for one in inputs:
        left = {source: rows for source, rows in stored.items() if source not in proofs}
        known = [source for source, _ in proofs.values()]
        try:
            found = _proof(one, job, how, left, known)
        except LogscrubError as error:
            found = error.what
        if isinstance(found, str):
            others.append((str(one.path), found))
        else:
            proofs[found[0].id] = found
    return proofs, others


def _proof(
    one: Input, job: Job, how: Comparison, left: Mapping[str, Stored], known: Sequence[Source]
) -> tuple[Source, Tally] | str:
    """The source that a file is, or why it proves nothing."""
    sample = sample_of(one.path)
    if not sample:
        return "empty"
    choice = choose(sample, job.format if one.format == AUTO else one.format, job.reads)
    if choice.format is None:
        return choice.reason
    site = one.site or job.site
    work = _Repeating(
        choice.format,
        job.transform,
        one.timezone or job.timezone,
        site,
        job.keys,
        job.now,
        how.keys,
    )
    with Opened(one.path) as opened:
        source = _longest(opened, work, how, left)
        verified = opened.progress.verified
        if not source:
            again = recognise(opened.chunks(), known, job.instance)
            return "a copy of a proven source" if again.source else "begins like no source"
        chain, tally = _prefix(opened, work, left[source].rows, Chain(job.instance))
        if tally.rows != left[source].rows:
            return "changed while it was read"
        closed = datetime.fromtimestamp(opened.modified, UTC).date()
    after = source_after(
        None, job, path=str(one.path.absolute()), kind="file", reads=choice.format, site=site, head=sample[:HEAD],
        chain=chain, tally=tally,
    )  # fmt: skip
    state = "read" if chain.length <= verified else SALVAGED
    return replace(
        after, id=source, state=state, closed_latest=str(closed), closed_basis="modification time"
    ), tally


def _longest(opened: Opened, work: _Repeating, how: Comparison, left: Mapping[str, Stored]) -> str:
    """The source with most rows of those whose rows the file begins with; empty for none."""
    best, at, total = "", 0, np.zeros(2, np.uint64)
    waiting = sorted(left, key=lambda one: left[one].rows, reverse=True)
    for _, table in scrubbed(_blocks(opened, work), work):
        sums = total + np.cumsum(hashes(table.table, how), axis=0, dtype=np.uint64)
        while waiting and left[waiting[-1]].rows <= at + len(sums):
            one = waiting.pop()
            if np.array_equal(sums[left[one].rows - at - 1], left[one].sums):
                best = one
        if len(sums):
            at, total = at + len(sums), sums[-1]
    return best


def _prefix(opened: Opened, work: _Repeating, rows: int, chain: Chain) -> tuple[Chain, Tally]:
    """The chain and the counts of so many rows, and of the lines without a row behind them."""
    tally = Tally()
    for block in _blocks(opened, work, chain.update):
        parsed, part = work.parse(block), block
        if is_end := tally.rows + parsed.rows > rows:
            part = _cut(block, work, rows - tally.rows)
            parsed = work.parse(part)
        tally.add(parsed, pc.max(parsed.columns[Raw.TIME].cast(pa.int64())).as_py())
        chain.update(part.data)
        if is_end:
            break
    return chain, tally


def _cut(block: Block, work: _Repeating, rows: int) -> Block:
    """The first lines of a block that give so many rows, as many lines as there are."""
    data = block.data
    ends = [0, *(np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1).tolist()]

    def part(end: int) -> Block:
        return replace(
            Block.of(data[:end], offset=block.offset, overlong=block.overlong), header=block.header
        )

    return part(ends[bisect_right(ends, rows, key=lambda end: work.parse(part(end)).rows) - 1])


def _blocks(
    opened: Opened, work: _Repeating, dropped: Callable[[bytes], object] = lambda _: None
) -> Iterator[Block]:
    """The whole lines of a file, up to where it is damaged; as `staging` takes them."""
    splitter = Splitter(dropped=dropped)
    splitter.hold, splitter.headed = hold(work.reads), work.reads.headed
    is_whole = (
        opened.compression != "none" or work.now.timestamp() - opened.modified >= QUIET_SECONDS
    )
    try:
        for chunk in opened.chunks():
            splitter.push(chunk)
            if splitter.pending >= BLOCK_SIZE and (block := splitter.take()):
                yield block
    except SourceError:
        if opened.void:
            raise
        is_whole = False
    if block := splitter.take(final=is_whole):
        yield block
