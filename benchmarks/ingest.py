"""`python -m benchmarks ingest`: how fast is `logscrub ingest`, beside the floor and DuckDB, and is its answer right?

The question it answers: what share of the machine's speed reaches the user who runs the command, start-up, commit
and all. Runs alternate, so that a busy moment of the machine meets everybody; medians are printed, and ratios are
taken run by run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import duckdb

from benchmarks import measure, stages, traffic
from benchmarks.corpus import SEED, Corpus, size_of, write, yesterday
from benchmarks.measure import Run
from logscrub.formats.catalogue import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOGSCRUB = (sys.executable, "-m", "logscrub")
_LIBRARIES = ("logscrub", "duckdb", "numpy", "polars", "pyarrow")
OURS, FLOOR, PEER = "logscrub ingest", "floor", "DuckDB regexp_extract"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the scrubbed table says, whatever the order of its rows and files.

    Args:
        rows: How many.
        digest: Sum over all rows of a hash over all columns, hexadecimal.
        size: Bytes of the Parquet files.
    """

    rows: int
    digest: str
    size: int


def answer(data: Path) -> Answer:
    """Read the scrubbed table below `data`."""
    files = sorted(data.rglob("*.parquet"))
    pattern = str(data / "**" / "*.parquet").replace("'", "''")
    source = f"read_parquet('{pattern}', hive_partitioning = false)"
    row = duckdb.execute(
        f"SELECT count(*), sum(hash(logs)::HUGEINT) FROM {source} AS logs"
    ).fetchone()
    assert row is not None
    return Answer(int(row[0]), f"{int(row[1]):x}", sum(path.stat().st_size for path in files))


def check(totals: dict[str, Any], found: Answer, corpus: Corpus) -> None:
    """Raise when a line of the corpus is not accounted for, or a row is missing."""
    expected = {"lines": corpus.lines, "rows": corpus.lines - corpus.broken, "blanks": 0}
    got = {name: totals[name] for name in expected}
    if got != expected or found.rows != expected["rows"]:
        raise SystemExit(
            f"wrong answer: expected {expected}, the command said {got}, the files hold {found.rows} rows"
        )
    rejects = totals["rejects"]
    count = sum(rejects.values()) if isinstance(rejects, dict) else rejects
    if count != corpus.broken:
        raise SystemExit(
            f"wrong answer: expected {corpus.broken} rejects, the command said {count}"
        )


def ingest(
    log: Path, out: Path, *, policy: str, options: Sequence[str] = ()
) -> tuple[Run, dict[str, Any]]:
    """Run the command once into a new dataset; give what it took and the totals it printed."""
    command = [
        *_LOGSCRUB,
        "ingest",
        str(log),
        "--out",
        str(out),
        "--policy",
        policy,
        "--json",
        *options,
    ]
    ran = measure.run(command)
    return ran, dict(json.loads(ran.output)["totals"])


def contest(
    log: Path, work: Path, corpus: Corpus, *, runs: int, policy: str
) -> tuple[dict[str, list[Run]], Answer]:
    """Run everybody in turn, once to fill the caches and then `runs` times, and check each answer.

    Returns:
        The runs that count, by contestant, and the answer that all runs gave.

    Raises:
        SystemExit: An answer is wrong.
    """
    runs_of: dict[str, list[Run]] = {OURS: [], FLOOR: [], PEER: []}
    answers: set[Answer] = set()
    for turn in range(runs + 1):
        with tempfile.TemporaryDirectory(dir=work) as name:
            here = Path(name)
            ours, totals = ingest(log, here / "out", policy=policy)
            found = answer(here / "out" / "data")
            check(totals, found, corpus)
            answers.add(found)
            floor = _floor(log, here / "out" / "data", here, corpus)
            peer = measure.run([sys.executable, "-m", "benchmarks.peers", "duckdb", str(log), name])
        took = {OURS: ours, FLOOR: floor, PEER: peer}
        said = ", ".join(f"{who} {run.wall:.2f} s" for who, run in took.items())
        print(f"{f'run {turn} of {runs}' if turn else 'to warm up'}: {said}", file=sys.stderr)
        for who, run in took.items() if turn else ():
            runs_of[who].append(run)
    if len({(one.rows, one.digest) for one in answers}) != 1:
        raise SystemExit("wrong answer: runs over the same bytes gave different rows")
    return runs_of, answers.pop()


def _floor(log: Path, data: Path, out: Path, corpus: Corpus) -> Run:
    ran = measure.run([sys.executable, "-m", "benchmarks.floor", str(log), str(data), str(out)])
    said = json.loads(ran.output)
    if (said["line_ends"], said["rows"]) != (corpus.lines, corpus.lines - corpus.broken):
        raise SystemExit("wrong answer: the floor did not see the lines and rows of the corpus")
    # Its own clock: neither reading the table beforehand nor starting Python is part of it.
    return Run(said["wall"], said["cpu"], ran.peak, ran.peak_proportional, "")


def summary(runs_of: dict[str, list[Run]], found: Answer, corpus: Corpus) -> dict[str, Any]:
    """All figures, for `--json` and for the table: medians, and ratios taken run by run."""
    walls = {who: [run.wall for run in runs] for who, runs in runs_of.items()}
    cpus = {who: [run.cpu for run in runs] for who, runs in runs_of.items()}
    figures = {
        who: {
            "seconds": median(walls[who]),
            "mb_per_second": median(corpus.size / 1e6 / wall for wall in walls[who]),
            "lines_per_second": median(corpus.lines / wall for wall in walls[who]),
            "cpu_seconds": median(run.cpu for run in runs),
            "cpu_seconds_per_million_lines": median(run.cpu * 1e6 / corpus.lines for run in runs),
            "peak_bytes": max(run.peak for run in runs),
            "peak_proportional_bytes": max(run.peak_proportional for run in runs),
            "all_seconds": walls[who],
        }
        for who, runs in runs_of.items()
    }
    return {
        "corpus": asdict(corpus),
        "answer": asdict(found),
        "bytes_out_per_line": found.size / corpus.lines,
        "contestants": figures,
        "ratio_to_floor": measure.ratio(walls[OURS], walls[FLOOR]),
        "ratio_to_duckdb": measure.ratio(walls[OURS], walls[PEER]),
        "cpu_ratio_to_floor": measure.ratio(cpus[OURS], cpus[FLOOR]),
        "cpu_ratio_to_duckdb": measure.ratio(cpus[OURS], cpus[PEER]),
    }


def markdown(result: dict[str, Any]) -> str:
    """The figures as a reader wants them."""
    corpus, found = result["corpus"], result["answer"]
    rows = [
        f"| {who} | {of['mb_per_second']:.0f} | {of['lines_per_second'] / 1e6:.2f} | {of['seconds']:.2f} "
        f"| {of['cpu_seconds']:.2f} | {of['cpu_seconds_per_million_lines']:.2f} | {of['peak_bytes'] / 1e6:.0f} |"
        for who, of in result["contestants"].items()
    ]
    return f"""\
Input: {corpus["size"] / 1e6:,.0f} MB, {corpus["lines"]:,} lines, digest {corpus["digest"][:16]}; {result["input"]},
policy {result["policy"]}; medians of {result["runs"]} alternating runs on {result["cores"]} cores.

| | MB/s | M lines/s | seconds | CPU seconds | CPU s per M lines | peak MB |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

- `ingest` reaches {result["ratio_to_floor"]:.2f} of the floor, {result["ratio_to_duckdb"]:.2f} times DuckDB;
  by CPU seconds {result["cpu_ratio_to_floor"]:.2f} and {result["cpu_ratio_to_duckdb"]:.2f}.
- {found["rows"]:,} rows, {corpus["broken"]} rejects, digest {found["digest"][:16]}, the same in all runs;
  {result["bytes_out_per_line"]:.1f} bytes of Parquet a line.
- `logscrub --version`: {result["start_up_seconds"]:.2f} s.
"""


def main(argv: Sequence[str]) -> int:
    """Make the log, run everybody, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ingest", description=__doc__)
    parser.add_argument("--size", type=size_of, default="400MB", help="of the log (default: 400MB)")
    parser.add_argument(
        "--runs", type=int, default=5, help="that count (default: 5); one more fills the caches"
    )
    parser.add_argument("--input", choices=sorted(traffic.PROFILES), default="typical")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="print the share of each stage instead of running contestants",
    )
    parser.add_argument("--policy", default="security-12m")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--end", type=date.fromisoformat, help="last day of the log (default: yesterday, UTC)"
    )
    parser.add_argument(
        "--work", type=Path, help="folder for temporary files (default: the system's)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name)
        corpus = write(
            work / "access.log", size_bytes=options.size, end=options.end or yesterday(),
            profile=options.input, seed=options.seed,
        )  # fmt: skip
        print(f"{corpus.digest}  {corpus.lines} lines", file=sys.stderr)
        if options.profile:
            form = resolve(traffic.PROFILES[options.input].shape.format)
            print(stages.table(work / "access.log", work, form, policy=options.policy))
            return 0
        runs_of, found = contest(
            work / "access.log", work, corpus, runs=options.runs, policy=options.policy
        )
    result = {
        "input": options.input,
        "policy": options.policy,
        "runs": options.runs,
        **measure.machine(_LIBRARIES),
        "start_up_seconds": measure.start_up([*_LOGSCRUB, "--version"], runs=options.runs),
        **summary(runs_of, found, corpus),
    }
    print(markdown(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0
