"""`python -m benchmarks formats`: how fast each format is read, beside the same requests as `combined`.

Every format in turn is ingested in pairs with `combined`, so that a busy moment of the machine meets both; a ratio is
the median over the pairs. Each answer is checked: as many rows as lines were written, and no reject but those that have
to be. The work is measured beside the command: the same stages on one thread, in processor seconds, without start,
commit and what other threads overlap. That is the steadier figure, and what a larger log would come closer to.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks import measure, stages
from benchmarks.corpus import size_of, write, yesterday
from benchmarks.ingest import answer, ingest
from benchmarks.shapes import SHAPES
from benchmarks.traffic import NEVER, PROFILES
from logscrub.formats.catalogue import resolve
from logscrub.formats.choice import AUTO, choose
from logscrub.formats.detect import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.corpus import Corpus
    from benchmarks.measure import Run
    from logscrub.formats.layout import Format

_LIBRARIES: Final = ("logscrub", "numba", "numpy", "polars", "pyarrow")
FIRST: Final = "combined"
GOAL: Final = 0.5
"""Of the MB/s of `combined`."""
PASSES: Final = 3
"""Over the stages, after one that compiles and loads."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log in one format.

    Args:
        path: The file.
        corpus: What is in it.
        format: What `--format` is told.
        detected: What `auto` takes it for, empty when it is unsure.
        reads: The format, compiled.
    """

    path: Path
    corpus: Corpus
    format: str
    detected: str
    reads: Format


def make(name: str, folder: Path, size: int) -> Log:
    """Write a log of `typical` traffic in the shape of a name of `SHAPES`, without lines that break off."""
    shape = SHAPES[name]
    path = folder / "access.log"
    profile = replace(PROFILES["typical"], broken_every=NEVER, shape=shape)
    corpus = write(path, size_bytes=size, end=yesterday(), profile=profile)
    with path.open("rb") as file:
        found = choose(file.read(SAMPLE_BYTES), AUTO).format
    reads = found if shape.format == AUTO else resolve(shape.format)
    assert reads is not None
    return Log(path, corpus, shape.format, found.name if found else "", reads)


def run_one(log: Log, work: Path, policy: str) -> Run:
    """Ingest a log into a new dataset.

    Raises:
        SystemExit: A row is missing, or there is one too many.
    """
    # the zone of times that do not say theirs; of no use to the others
    options = ["--format", log.format, "--timezone", "UTC"]
    with tempfile.TemporaryDirectory(dir=work) as name:
        ran, totals = ingest(log.path, Path(name) / "out", policy=policy, options=options)
        rows = answer(Path(name) / "out" / "data").rows
    of, rejects = log.corpus, totals["rejects"]
    got = (totals["lines"], totals["rows"], sum(rejects.values()), rows)
    due = (of.lines + of.heads, of.lines - of.broken, of.broken, of.lines - of.broken)
    if got != due:
        raise SystemExit(
            f"{log.format}: lines, rows, rejects and rows written should be {due}, but are {got}"
        )
    return ran


def work_of(logs: Sequence[Log], work: Path, policy: str) -> list[list[float]]:
    """Processor seconds of the stages for each log, in turn."""
    out: list[list[float]] = [[] for _ in logs]
    for _ in range(PASSES + 1):
        for log, seconds in zip(logs, out, strict=True):
            with tempfile.TemporaryDirectory(dir=work) as folder:
                spent = stages.measured(log.path, Path(folder), log.reads, policy=policy)
            seconds.append(sum(spent.values()))
    return [seconds[1:] for seconds in out]


def figures(
    log: Log, first: Log, runs: Sequence[Run], firsts: Sequence[Run], spent: list[list[float]]
) -> dict[str, Any]:
    """What the pairs say of a format."""
    size, rate = log.corpus.size, log.corpus.size / first.corpus.size
    walls, cpus = [run.wall for run in runs], [run.cpu for run in runs]
    return {
        "format": log.format,
        "detected": log.detected,
        **asdict(log.corpus),
        "mb_per_second": median(size / 1e6 / wall for wall in walls),
        "lines_per_second": median(log.corpus.lines / wall for wall in walls),
        "cpu_seconds_per_million_lines": median(cpu * 1e6 / log.corpus.lines for cpu in cpus),
        "ratio": rate * measure.ratio(walls, [run.wall for run in firsts]),
        "cpu_ratio": rate * measure.ratio(cpus, [run.cpu for run in firsts]),
        "work_mb_per_second": median(size / 1e6 / took for took in spent[0]),
        "work_ratio": rate * measure.ratio(*spent),
        "peak_bytes": max(run.peak for run in runs),
        "all_seconds": walls,
        "all_cpu_seconds": cpus,
        "all_work_seconds": spent[0],
    }


def contest(
    names: Sequence[str], work: Path, *, size: int, runs: int, policy: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each name, and its figures, measured in pairs with `FIRST`."""
    with tempfile.TemporaryDirectory(dir=work) as here:
        first = make(FIRST, Path(here), size)
        for name in names:
            with tempfile.TemporaryDirectory(dir=work) as folder:
                log = make(name, Path(folder), size)
                spent = work_of([log, first], work, policy)
                pairs = [
                    (run_one(log, work, policy), run_one(first, work, policy)) for _ in range(runs)
                ]
                ours, theirs = [run for run, _ in pairs], [run for _, run in pairs]
            yield name, figures(log, first, ours, theirs, spent)


def profile(name: str, work: Path | None, size: int, policy: str) -> str:
    """The share of each stage, for one format."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        log = make(name, Path(folder), size)
        return stages.table(log.path, Path(folder), log.reads, policy=policy)


def _row(name: str, of: Mapping[str, Any]) -> str:
    return (
        f"| `{name}` | {of['size'] / of['lines']:.0f} | {of['mb_per_second']:.0f} | {of['lines_per_second'] / 1e6:.2f} "
        f"| {of['cpu_seconds_per_million_lines']:.2f} | {of['ratio']:.2f} | {of['work_mb_per_second']:.0f} | {of['work_ratio']:.2f} "
        f"| {'' if of['detected'] == of['format'] else of['detected'] or 'unsure'} |"
    )


def markdown(result: Mapping[str, Any]) -> str:
    """The figures as a reader wants them."""
    found = result["formats"]
    slow = {
        what: ", ".join(f"`{name}`" for name, of in found.items() if of[what] < GOAL) or "none"
        for what in ("ratio", "work_ratio")
    }
    rows = "\n".join(_row(name, of) for name, of in found.items())
    return f"""\
`typical` traffic, {result["size"] / 1e6:,.0f} MB in each format, policy {result["policy"]}; medians of {result["runs"]} pairs of runs of the command, and of
{PASSES} passes over the stages, each with `{FIRST}`, on {result["cores"]} cores; rows checked. Below {GOAL} of `{FIRST}`: {slow["ratio"]}; without
the start: {slow["work_ratio"]}.

| format | bytes a line | MB/s | M lines/s | CPU s per M lines | MB/s against `{FIRST}` | one thread, no start: MB per CPU second | against `{FIRST}` | `auto`, where it says otherwise |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def main(argv: Sequence[str]) -> int:
    """Run every format, write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks formats", description=__doc__)
    parser.add_argument("--size", type=size_of, default="100MB", help="of each log (default: 100MB)")  # fmt: skip
    parser.add_argument("--runs", type=int, default=5, help="pairs that count (default: 5)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="formats whose name has it; repeatable")  # fmt: skip
    parser.add_argument("--policy", default="security-12m")
    parser.add_argument("--work", type=Path, help="folder for temporary files (default: the system's)")  # fmt: skip
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), help="folder for the results")  # fmt: skip
    parser.add_argument(
        "--profile", action="store_true", help="print the share of each stage instead"
    )
    options = parser.parse_args(argv)
    names = [
        name for name in SHAPES if not options.only or any(part in name for part in options.only)
    ]
    if options.profile:
        for name in names:
            print(
                f"{name}\n\n{profile(name, options.work, options.size, options.policy)}\n",
                flush=True,
            )
        return 0
    result: dict[str, Any] = {
        "size": options.size,
        "policy": options.policy,
        "runs": options.runs,
        **measure.machine(_LIBRARIES),
        "formats": {},
    }
    options.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        for name, found in contest(
            names, Path(folder), size=options.size, runs=options.runs, policy=options.policy
        ):
            print(_row(name, found), file=sys.stderr)
            result["formats"][name] = found
            # as far as it got, because it takes long
            (options.results / "formats.md").write_text(markdown(result), "utf-8")
            (options.results / "formats.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")  # fmt: skip
    print(markdown(result))
    return 0
