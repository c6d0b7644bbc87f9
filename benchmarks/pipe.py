"""`python -m benchmarks pipe`: how long does a line wait for its row, at any rate, and how soon is the first one read?

Lines go into `ingest - --flush`, and the dataset is looked at until each of them is a row that a reader can see. The
first line goes through `filter` as well, which writes it as soon as it is parsed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq

from benchmarks.corpus import write, yesterday

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOGSCRUB: Final = (sys.executable, "-m", "logscrub")
RATES: Final = (1, 100, 10_000, 100_000, 0)
"""Lines a second; 0 is as fast as they are taken."""
_LOOK: Final = 0.02
_TICK: Final = 0.05


def first_parse(lines: Sequence[bytes], *, runs: int) -> float:
    """Median seconds from starting `filter` until the first line is out, while the pipe stays open."""
    took = []
    for _ in range(runs):
        began = time.monotonic()
        with subprocess.Popen(
            [*_LOGSCRUB, "filter", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin
            assert process.stdout
            # as many as decide the format at once
            process.stdin.write(b"".join(lines[:100]))
            process.stdin.flush()
            assert process.stdout.readline()
            took.append(time.monotonic() - began)
            process.stdin.close()
            process.stdout.read()
    return median(took)


def waits(
    lines: Sequence[bytes], out: Path, *, rate: int, flush: float, seconds: float
) -> list[float]:
    """Seconds that each portion of lines waited for its rows, at so many lines a second.

    Raises:
        SystemExit: Not every line became a row.
    """
    sent: list[tuple[int, float]] = []
    process = subprocess.Popen(
        [*_LOGSCRUB, "ingest", "-", "--out", str(out), "--flush", str(flush), "--json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    feeder = threading.Thread(
        target=_feed, args=(process, lines, sent), kwargs={"rate": rate, "seconds": seconds}
    )
    feeder.start()
    seen = list(_arrivals(process, out))
    feeder.join()
    assert process.stdout
    totals = json.loads(process.stdout.read())["totals"]
    if not sent or not (totals["lines"] == sent[-1][0] == totals["rows"] == seen[-1][0]):
        raise SystemExit(f"wrong answer: {totals} of {sent[-1:]} lines, {seen[-1:]} seen")
    rows = [count for count, _ in seen]
    return [seen[bisect_right(rows, count - 1)][1] - at for count, at in sent]


def _feed(
    process: subprocess.Popen[bytes], lines: Sequence[bytes], sent: list[tuple[int, float]], *, rate: int, seconds: float
) -> None:  # fmt: skip
    assert process.stdin
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        wanted = int((now - began) * rate) + 1 if rate else count + 10_000
        if wanted > count:
            portion = [lines[place % len(lines)] for place in range(count, wanted)]
            # the clock of a line runs from before it is handed over: a full pipe is a wait too
            sent.append((wanted, time.monotonic()))
            process.stdin.write(b"".join(portion))
            process.stdin.flush()
            count = wanted
        else:
            time.sleep(_TICK)
    process.stdin.close()


def _arrivals(process: subprocess.Popen[bytes], out: Path) -> Iterator[tuple[int, float]]:
    """Rows that a reader can see, and since when."""
    known: set[Path] = set()
    rows = 0
    while True:
        has_ended = process.poll() is not None
        now = time.monotonic()
        new = set(out.glob("data/*/*/*.parquet")) - known
        for path in new:
            rows += pq.read_metadata(path).num_rows
        known |= new
        if new:
            yield rows, now
        if has_ended:
            return
        time.sleep(_LOOK)


def main(argv: Sequence[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pipe", description=__doc__)
    parser.add_argument("--flush", type=float, default=5.0, help="as of `ingest` (default: 5)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each rate (default: 20)")
    parser.add_argument("--runs", type=int, default=5, help="of the first parse (default: 5)")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        log = Path(name) / "access.log"
        write(log, size_bytes=20_000_000, end=yesterday())
        # whole lines only: a reject is no row
        lines = [
            line for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b'"\n')
        ]
        lines = [line for line in lines if b'] "\\x16' not in line]
        print(f"First parse after {first_parse(lines, runs=options.runs):.2f} s.\n")
        print("| lines a second | longest wait, s | median, s |\n|---|---|---|")
        for rate in RATES:
            found = waits(
                lines,
                Path(name) / f"out{rate}",
                rate=rate,
                flush=options.flush,
                seconds=options.seconds,
            )
            print(
                f"| {rate or 'as fast as taken'} | {max(found):.2f} | {median(found):.2f} |",
                flush=True,
            )
    return 0
