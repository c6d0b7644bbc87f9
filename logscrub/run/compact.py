"""`compact`: small segments become few, with the same rows and the same due date.

A merge is a commit like any other: the ledger's transaction decides, and the folder of the date is exchanged for one
with the merged file in a single system call, so no listing shows a row twice or misses one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from logscrub import dataset as folder
from logscrub.dataset import locked, opened, output_error, sync_folder
from logscrub.errors import OutputError
from logscrub.machine import SIZES
from logscrub.run.pinned import ruling_policy
from logscrub.schema import COLUMNS
from logscrub.sink import checked, completed, created, in_order
from logscrub.transform import sorts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from logscrub.dataset import Dataset
    from logscrub.ledger import Ledger
    from logscrub.records import Segment

SMALL: Final = 16 * 2**20
"""Bytes below which a segment is worth merging."""
MOST: Final = 128 * 2**20
"""Bytes that are merged into one at most."""
_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was merged.

    Args:
        before: Segments that went into others.
        after: Segments that took their place.
        rows: Rows in them.
    """

    before: int = 0
    after: int = 0
    rows: int = 0


def groups(segments: Iterable[Segment], *, sorts: bool) -> list[list[Segment]]:
    """Which segments become one: small ones of the same folder, closure and policy.

    Args:
        segments: The published ones, in the order of their commits.
        sorts: Rows are sorted by all columns, so those of several sources could not be told apart any more.
    """

    def kind(one: Segment) -> tuple[str, str, str, str]:
        return one.folder, str(one.closure), one.policy, one.sources[0][0] if sorts else ""

    found = []
    small = sorted((one for one in segments if one.bytes < SMALL), key=kind)
    for _, alike in groupby(small, key=kind):
        group: list[Segment] = []
        for one in alike:
            if sum(part.bytes for part in group) + one.bytes > MOST:
                found.append(group)
                group = []
            group.append(one)
        found.append(group)
    return [group for group in found if len(group) > 1]


def compact(out: Dataset, *, stamp: str, stop: Callable[[], bool] = lambda: False) -> Compaction:
    """Merge what is small, one folder after the other; ingest and expiry go on in between.

    Args:
        out: The dataset.
        stamp: Now, ISO 8601.
        stop: Asked between merges.
    """
    done = Compaction()
    with locked(out, "lock", wait=_WAIT):
        can_exchange = folder.can_exchange(out)
    if not can_exchange:
        raise OutputError(
            f"the file system of {out.root} cannot swap folders, which merging needs",
            hint="nothing was changed; leave the small segments as they are, or move the dataset to a local disk",
        )
    with opened(out) as ledger:
        ordered = sorts(ruling_policy(out, ledger))
        ledger.join_batches()
        for names in [[one.name for one in group] for group in _groups(ledger, ordered)]:
            if stop():
                break
            with locked(out, "lock", wait=_WAIT):
                here = {one.name: one for one in ledger.segments("published")}
                group = [here[name] for name in names if name in here]
                if len(group) < 2:
                    continue
                ledger.merge(group, _merged(out, group, sorts=ordered))
                folder.publish(out, ledger, stamp=stamp)
            rows = sum(one.rows for one in group)
            done = Compaction(done.before + len(group), done.after + 1, done.rows + rows)
    return done


def _groups(ledger: Ledger, ordered: bool) -> list[list[Segment]]:  # noqa: FBT001 — handed on
    return groups(ledger.segments("published"), sorts=ordered)


def _merged(out: Dataset, group: Sequence[Segment], *, sorts: bool) -> Segment:
    """Stage the rows of some segments as one."""
    paths = [out.data / one.folder / one.name for one in group]
    spill = out.staging / f"{uuid4().hex}.spill"
    rows = in_order(paths, spill) if sorts else _rows(paths)
    try:
        return rewritten(out, group, rows, [share for one in group for share in one.sources])
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def without(out: Dataset, one: Segment, source: str) -> Segment:
    """Stage the rows of a segment that are of other sources."""
    place, parts = 0, []
    table = pq.read_table(out.data / one.folder / one.name, partitioning=None)
    for who, count in one.sources:
        if who != source:
            parts.append(table.slice(place, count))
        place += count
    rows = pa.concat_tables(parts).to_batches()
    return rewritten(out, [one], rows, [share for share in one.sources if share[0] != source])


def rewritten(
    out: Dataset,
    old: Sequence[Segment],
    rows: Iterable[pa.RecordBatch],
    shares: Sequence[tuple[str, int]],
) -> Segment:
    """Stage a segment with rows of others.

    Args:
        out: The dataset.
        old: Where they were; of one folder, closure and policy.
        rows: In the order of `shares`, or sorted.
        shares: `(source, rows)`; neighbours of the same source become one.

    Raises:
        OutputError: The disk refuses; nothing changed.
    """
    sources = tuple(
        (source, sum(count for _, count in some))
        for source, some in groupby(shares, key=lambda one: one[0])
    )
    path = out.staging / f"{uuid4().hex}.parquet"
    footer = _footer(out, old, sources)
    try:
        file, writer = created(path, COLUMNS)
        for batch in rows:
            writer.write_table(pa.Table.from_batches([batch]).cast(COLUMNS))
        completed(file, writer, footer)
        sync_folder(out.staging)
        done = checked(path, old[0].date, sum(count for _, count in sources))
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise output_error(error, out.staging) from None
        raise
    return replace(
        old[0], name=done.name, sources=sources, rows=done.rows, bytes=done.bytes, sha256=done.sha256, state="staged",
        due=min(one.due for one in old),
    )  # fmt: skip


def _rows(paths: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """The rows of some files, one after the other, in row groups of a good size."""
    held: list[pa.Table] = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            held += [file.read_row_group(place) for place in range(file.num_row_groups)]
        if sum(table.num_rows for table in held) >= SIZES.group:
            yield from pa.concat_tables(held).combine_chunks().to_batches()
            held = []
    if held:
        yield from pa.concat_tables(held).combine_chunks().to_batches()


def _footer(
    out: Dataset, old: Sequence[Segment], sources: Sequence[tuple[str, int]]
) -> dict[str, str]:
    """What the footers of several files say, together."""
    files = [out.data / one.folder / one.name for one in old]
    read = [
        {key.decode(): value.decode() for key, value in pq.read_metadata(path).metadata.items()}
        for path in files
    ]  # fmt: skip
    kept = {name for one in read for name in one["logscrub.kept"].split(",")}
    return {key: value for key, value in read[0].items() if key.startswith("logscrub.")} | {
        "logscrub.sources": ",".join(dict.fromkeys(source for source, _ in sources)),
        "logscrub.source_rows": json.dumps(sources),
        "logscrub.kept": ",".join(name for name in COLUMNS.names if name in kept),
        "logscrub.rows": str(sum(count for _, count in sources)),
        "logscrub.batch_rejects": str(sum(int(one["logscrub.batch_rejects"]) for one in read)),
    }
