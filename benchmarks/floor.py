"""The least that any program must do: find the ends of the lines, and write the table that logscrub wrote.

`python -m benchmarks.floor LOG DATA OUT` reads the scrubbed table from DATA, and only then starts the clock. Two
threads take what there is to do: each Parquet file, with the writer's options of `logscrub.sink`, then the log in
blocks. Nothing is parsed, scrubbed, made durable or recorded.
It prints one JSON document: seconds, CPU seconds, rows, line ends.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

THREADS = 2
_BLOCK = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Floor:
    """What the floor took.

    Args:
        wall: Seconds.
        cpu: Seconds of processor time.
        rows: Rows written.
        line_ends: Line ends found.
    """

    wall: float
    cpu: float
    rows: int
    line_ends: int


def floor(log: Path, data: Path, out: Path) -> Floor:
    """Scan `log` and write the table of the Parquet files below `data` again below `out`."""
    tables = [_groups(path) for path in sorted(data.rglob("*.parquet"))]
    size = log.stat().st_size
    begin, began = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as threads:
        # The longest first, so that no thread is idle at the end.
        longest = sorted(enumerate(tables), key=lambda item: -sum(len(group) for group in item[1]))
        written = [
            threads.submit(_write, out / f"{number}.parquet", groups) for number, groups in longest
        ]
        found = [threads.submit(_line_ends, log, at) for at in range(0, size, _BLOCK)]
        rows, ends = sum(one.result() for one in written), sum(one.result() for one in found)
    return Floor(time.perf_counter() - begin, time.process_time() - began, rows, ends)


def _groups(path: Path) -> list[pa.Table]:
    """The row groups of a file; strings as dictionaries, the form that is cheapest to write."""
    with pq.ParquetFile(path) as plain:
        strings = [field.name for field in plain.schema_arrow if pa.types.is_string(field.type)]
    with pq.ParquetFile(path, read_dictionary=strings) as file:
        return [file.read_row_group(number) for number in range(file.num_row_groups)]


def _write(path: Path, groups: Sequence[pa.Table]) -> int:
    if not groups:
        return 0
    options = {"compression": "zstd", "version": "2.6", "use_dictionary": True, "write_statistics": True, "store_schema": False}  # fmt: skip
    with pq.ParquetWriter(path, groups[0].schema, **options) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, len(group)))
    return sum(len(group) for group in groups)


def _line_ends(log: Path, at: int) -> int:
    with log.open("rb") as file:
        file.seek(at)
        data = np.frombuffer(file.read(_BLOCK), np.uint8)
    # Where they are, not only how many: whoever wants the lines needs the places.
    return len(np.flatnonzero(data == ord("\n")))


def main(argv: Sequence[str]) -> int:
    """Measure the floor once."""
    log, data, out = map(Path, argv)
    print(json.dumps(asdict(floor(log, data, out))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
