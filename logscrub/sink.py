"""Scrubbed tables become Parquet files in `staging/`, one per event date."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from logscrub.dataset import output_error, sync_folder
from logscrub.errors import OutputError
from logscrub.machine import SIZES
from logscrub.schema import COLUMNS, compact
from logscrub.transform import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from logscrub.transform import Scrubbed

_FINISHERS = 2
"""Files that are completed at the same time."""
_IDLE = 2
"""Batches without a row of a date after which those that are held are written."""
_WORTH = 8
"""Share of a row group that is worth one of its own: fewer rows take little memory."""
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Staged:
    """A finished file in staging.

    Args:
        name: Random, so that it tells nothing.
        date: Event date of its rows, UTC.
    """

    name: str
    date: date
    rows: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class _Part:
    """What belongs to one event date."""

    name: str = field(default_factory=lambda: f"{uuid4().hex}.parquet")
    held: list[pa.Table] = field(default_factory=list)
    held_rows: int = 0
    rows: int = 0
    touched: int = 0
    file: BinaryIO | None = None
    writer: pq.ParquetWriter | None = None


class Sink:
    """Collects the scrubbed rows of one batch.

    Nothing it writes is visible to readers; `finish` makes it durable, the ledger makes it exist.

    Args:
        staging: The folder to write in.
        sorts: Sort the rows of each file by all columns, see `Transform.sorts`.
    """

    def __init__(self, staging: Path, *, sorts: bool) -> None:
        self._staging = staging
        self._sorts = sorts
        self._parts: dict[int, _Part] = {}
        self._held = 0
        self._added = 0

    def add(self, scrubbed: Scrubbed) -> None:
        """Take over the rows of one block.

        Raises:
            OutputError: The disk refuses; the batch must be discarded.
        """
        self._added += 1
        for day, table in _by_day(scrubbed.table):
            part = self._parts.setdefault(day, _Part())
            part.touched = self._added
            part.held.append(table)
            part.held_rows += table.num_rows
            part.rows += table.num_rows
            self._held += table.num_rows
            if part.held_rows >= SIZES.group:
                self._write(part)
        for part in self._parts.values():
            # a day that is over: its rows would wait for the end of the file
            if part.held_rows >= SIZES.group // _WORTH and self._added - part.touched >= _IDLE:
                self._write(part)
        while self._held > SIZES.held:
            self._write(max(self._parts.values(), key=lambda part: part.held_rows))

    def finish(self, footer: Callable[[int], Mapping[str, str]]) -> tuple[Staged, ...]:
        """Complete all files and make them durable.

        Args:
            footer: Gives the key-value metadata of a file with so many rows.

        Raises:
            OutputError: The disk refuses; the batch must be discarded.
        """
        # sorting has an engine of its own for each file, with threads and memory of its own
        with ThreadPoolExecutor(1 if self._sorts else _FINISHERS) as pool:
            days = sorted(self._parts)
            work = [
                pool.submit(self._finish, day, self._parts[day], footer(self._parts[day].rows))
                for day in days
            ]
        try:
            staged = tuple(one.result() for one in work)
            if staged:
                sync_folder(self._staging)
        except OSError as error:
            raise output_error(error, self._staging) from None
        self._parts, self._held = {}, 0
        return staged

    def discard(self) -> None:
        """Throw away what was written."""
        for part in self._parts.values():
            for name in (part.name, f"{part.name}.unsorted"):
                (self._staging / name).unlink(missing_ok=True)
            for open_one in (part.writer, part.file):
                # a full disk refuses the rest of the buffers once more
                with suppress(OSError, ValueError, pa.ArrowException):
                    if open_one:
                        open_one.close()
            shutil.rmtree(self._staging / f"{part.name}.spill", ignore_errors=True)
        self._parts = {}
        self._held = 0

    def _write(self, part: _Part) -> None:
        table = pa.concat_tables(part.held).unify_dictionaries()
        self._held -= part.held_rows
        part.held, part.held_rows = [], 0
        try:
            if part.writer is None:
                part.file, part.writer = created(self._staging / part.name, TABLE)
            part.writer.write_table(table, row_group_size=1024 * 1024)
        except OSError as error:
            raise output_error(error, self._staging) from None

    def _finish(self, day: int, part: _Part, footer: Mapping[str, str]) -> Staged:
        if part.held:
            self._write(part)
        if self._sorts:
            self._close(part, {})
            self._sort(part)
        self._close(part, footer)
        return checked(self._staging / part.name, _EPOCH + timedelta(days=day), part.rows)

    def _close(self, part: _Part, footer: Mapping[str, str]) -> None:
        assert part.writer is not None
        assert part.file is not None
        completed(part.file, part.writer, footer)

    def _sort(self, part: _Part) -> None:
        """Rewrite a file in the order of its values; what does not fit in memory spills to staging."""
        unsorted = self._staging / f"{part.name}.unsorted"
        (self._staging / part.name).rename(unsorted)
        part.file, part.writer = created(self._staging / part.name, COLUMNS)
        # a folder of its own: engines of several workers give their files the same names
        spill = self._staging / f"{part.name}.spill"
        for batch in in_order([unsorted], spill):
            part.writer.write_table(pa.Table.from_batches([batch]).cast(COLUMNS))
        unsorted.unlink()
        shutil.rmtree(spill, ignore_errors=True)


def in_order(paths: Sequence[Path], spill: Path) -> Iterator[pa.RecordBatch]:
    """The rows of some files in the order of their values; what does not fit in memory spills.

    Raises:
        FullError: There is no room for it.
        OutputError: It could not be sorted for another reason.
    """
    import duckdb  # noqa: PLC0415 — only coarse times need it, and it takes 50 ms to load

    try:
        with duckdb.connect(config={"temp_directory": str(spill)}) as db:
            db.execute(
                f"SET memory_limit = '{SIZES.sorting}B'; SET threads = {min(2, SIZES.threads)}"
            )
            rows = db.sql(
                "SELECT * FROM read_parquet(?, hive_partitioning = false) ORDER BY ALL",
                params=[[str(one) for one in paths]],
            )
            reader = rows.to_arrow_reader(SIZES.group)
            assert reader is not None, "a SELECT has a result"
            yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if _is_full(error):
            raise output_error(OSError(errno.ENOSPC, ""), spill.parent) from None
        raise OutputError(
            f"the rows could not be sorted in {spill.parent}",
            hint="check the disk, and how much memory there is",
        ) from None


def _is_full(error: Exception) -> bool:
    """Whether the engine that sorts ran out of disk: it passes on the system's words, or names its own limit."""
    words = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
    # it sets that limit to what the disk has left when it starts
    return any(one in str(error) for one in (*words, "max_temp_directory_size"))


def created(path: Path, schema: pa.Schema) -> tuple[BinaryIO, pq.ParquetWriter]:
    """A new file, and what writes Parquet into it as every file of a dataset is written."""
    handle = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640
    )
    file = os.fdopen(handle, "wb")
    writer = pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        version="2.6",
        use_dictionary=True,
        write_statistics=True,
        # an embedded Arrow schema would let dictionary and plain strings differ from file to file
        store_schema=False,
    )
    return file, writer


def completed(file: BinaryIO, writer: pq.ParquetWriter, footer: Mapping[str, str]) -> None:
    """Write the footer, and make the file durable."""
    if footer:
        writer.add_key_value_metadata(dict(footer))
    writer.close()
    file.flush()
    os.fsync(file.fileno())
    file.close()


def checked(path: Path, day: date, rows: int) -> Staged:
    """Look at a file that was just completed.

    Raises:
        OutputError: It does not hold as many rows.
    """
    found = pq.read_metadata(path).num_rows
    if found != rows:
        raise OutputError(
            f"{path} holds {found} rows instead of {rows} after writing",
            hint="check the disk; nothing was committed",
        )
    with path.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return Staged(path.name, day, rows, path.stat().st_size, digest)


def _by_day(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    if not table.num_rows:
        return
    instants = table.column("timestamp").cast(pa.int64()).to_numpy()
    first, last = int(instants.min()) // _DAY_MS, int(instants.max()) // _DAY_MS
    if first == last:
        yield first, table
        return
    days = instants // _DAY_MS
    for number in np.unique(days):
        yield int(number), _compacted(table.filter(pa.array(days == number)))


def _compacted(table: pa.Table) -> pa.Table:
    columns = [
        compact(column.combine_chunks()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, schema=table.schema)
