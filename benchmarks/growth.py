"""What `ingest` takes as the log grows, and as it gets more cores."""

from __future__ import annotations

import os
import sys
import tempfile
from shutil import which
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import inputs, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.inputs import Input

Point = dict[str, float]
"""`at` (MB of log, or cores), `seconds`, `mb_per_second`, `peak_bytes`."""


def measured(work: Path, size: int, *, large: bool, runs: int) -> dict[str, list[Point]]:
    """Run `ingest` over logs of a tenth, a third and all of `size` bytes, ten times as much when asked for, and on fewer cores."""
    found: dict[str, list[Point]] = {"size": [], "cores": []}
    for of_size in (size // 10, size // 3, size):
        of = inputs.make("typical", work, of_size)
        found["size"].append(_point(of, work, of.corpus.size / 1e6, runs=runs))
    if which("taskset"):
        for cores in range(1, (os.cpu_count() or 1) + 1):
            pinned = ("taskset", "-c", f"0-{cores - 1}")
            found["cores"].append(_point(of, work, cores, pinned, runs=runs))
    if large:
        of = inputs.make("typical", work, 10 * size)
        # it does not fit beside the others in everybody's page cache; two runs count
        found["size"].append(_point(of, work, of.corpus.size / 1e6, runs=2))
    return found


def _point(of: Input, work: Path, at: float, before: Sequence[str] = (), *, runs: int) -> Point:
    os.sync()
    took = []
    for _ in range(runs + 1):
        with tempfile.TemporaryDirectory(dir=work) as name:
            took.append(
                measure.run(
                    [
                        *before,
                        sys.executable,
                        "-m",
                        "logscrub",
                        "ingest",
                        str(of.path),
                        "--out",
                        f"{name}/out",
                        "--quiet",
                    ]
                )
            )
    # the first run fills the caches
    seconds = median(run.wall for run in took[1:])
    peak = median(run.peak for run in took[1:])
    print(f"{at:.0f}: {seconds:.2f} s, {peak / 1e6:.0f} MB", file=sys.stderr)
    return {
        "at": round(at),
        "seconds": seconds,
        "mb_per_second": of.corpus.size / 1e6 / seconds,
        "peak_bytes": peak,
    }


def table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The figures as a reader wants them; empty without any."""
    if not found:
        return ""
    rows = [
        f"| {point['at']:,} {'MB' if across == 'size' else 'cores'} | {point['seconds']:.2f} | {point['mb_per_second']:.0f} "
        f"| {point['peak_bytes'] / 1e6:.0f} |"
        for across, points in found.items()
        for point in points
    ]
    return "\n".join(
        ["| `ingest` with | seconds | MB/s | peak MB |", "|---|---|---|---|", *rows, "\n"]
    )
