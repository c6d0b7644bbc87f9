"""`python -m benchmarks suite`: every goal for speed, measured beside its peers, with a table, a document and plots.

Contestants run in turn, so that a busy moment of the machine meets everybody. A goal compares two of them round by
round, in bytes of log a second, and the median of these ratios is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks import corpus, growth, inputs, measure, peers, plot
from benchmarks.ingest import FLOOR, Answer, answer, check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.corpus import Corpus
    from benchmarks.inputs import Input
    from benchmarks.measure import Run

_LOGSCRUB: Final = (sys.executable, "-m", "logscrub")
_LIBRARIES: Final = ("logscrub", "duckdb", "numba", "numpy", "polars", "pyarrow", "zlib-ng")


@dataclass(frozen=True, slots=True)
class Contestant:
    """One command over one input.

    Args:
        name: In tables and goals.
        input: What `inputs.make` makes by this name.
        peer: A name of `peers.PEERS`; empty for logscrub.
        command: Of logscrub.
        options: Of that command.
        rich: Under a policy with tokens, system, device, country and ASN.
        module: Run in place of logscrub.
        environment: On top of the usual.
    """

    name: str
    input: str
    peer: str = ""
    command: str = "ingest"
    options: tuple[str, ...] = ()
    rich: bool = False
    module: str = "logscrub"
    environment: tuple[tuple[str, str], ...] = ()


CONTESTANTS: Final = (
    Contestant("ingest typical", "typical"),
    Contestant("ingest with tokens, details, geo", "typical", rich=True),
    Contestant("ingest botnet", "botnet"),
    Contestant("ingest attack", "attack"),
    Contestant("ingest json", "json"),
    Contestant("ingest vhost", "vhost"),
    Contestant("ingest gz", "gz"),
    Contestant("ingest archive", "archive", options=("--jobs", "2")),
    Contestant("DuckDB regexp_extract", "typical", peer="duckdb"),
    Contestant("DuckDB read_csv", "typical", peer="duckdb-csv"),
    Contestant("Polars extract_groups", "typical", peer="polars"),
    Contestant("filter", "typical", command="filter"),
    Contestant("anonip", "typical", peer="anonip"),
    Contestant("rsyslog mmanon", "typical", peer="mmanon"),
    Contestant("advertools", "typical", peer="advertools"),
    Contestant("GoAccess", "typical", peer="goaccess"),
    Contestant("ingest, nothing made durable", "typical", module="benchmarks.undurable"),
    Contestant("ingest, small machine", "typical", environment=(("LOGSCRUB_SMALL", "1"),)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio of two contestants should be at least."""

    what: str
    ours: str
    theirs: str
    least: float


GOALS: Final = (
    Goal("`ingest`, against the floor", "ingest typical", FLOOR, 0.6),
    Goal("with tokens, OS, device, country and ASN, against the floor", "ingest with tokens, details, geo", FLOOR, 0.45),
    Goal("against DuckDB `regexp_extract`", "ingest typical", "DuckDB regexp_extract", 4),
    Goal("against DuckDB `read_csv`", "ingest typical", "DuckDB read_csv", 0),
    Goal("against Polars `extract_groups`", "ingest typical", "Polars extract_groups", 0),
    Goal("against advertools", "ingest typical", "advertools", 8),
    Goal("against GoAccess, which keeps counts only", "ingest typical", "GoAccess", 0),
    Goal("`filter` against anonip", "filter", "anonip", 15),
    Goal("`filter` against rsyslog's mmanon", "filter", "rsyslog mmanon", 0),
    Goal("`botnet` against `typical`", "ingest botnet", "ingest typical", 0.6),
    Goal("`attack` against `typical`", "ingest attack", "ingest typical", 0.5),
    Goal("`json` against `typical`", "ingest json", "ingest typical", 0),
    Goal("`vhost` against `typical`", "ingest vhost", "ingest typical", 0),
    Goal("`gz` against `typical`", "ingest gz", "ingest typical", 0.9),
    Goal("`archive`, `--jobs 2`, against `typical`", "ingest archive", "ingest typical", 0.9),
    Goal("against itself without fsync, a safe ledger and the hash chain", "ingest typical", "ingest, nothing made durable", 0.95),
    Goal("on a small machine, against the usual", "ingest, small machine", "ingest typical", 0),
)  # fmt: skip
"""A goal of 0 is a figure to know, not one to reach."""


def run_one(one: Contestant, of: Input, here: Path) -> tuple[Run, Answer | None]:
    """Run a contestant once, and check that no line is lost; `ingest` comes with its answer.

    Raises:
        SystemExit: Its answer is wrong.
    """
    if one.peer:
        ran = measure.run(
            [sys.executable, "-m", "benchmarks.peers", one.peer, str(of.path), str(here)]
        )
        kept = of.corpus.lines - of.corpus.broken
        # some take broken lines for lines, each in its way
        rows = int(ran.output.split()[-1])
        if not kept * 0.99 <= rows <= of.corpus.lines:
            raise SystemExit(f"wrong answer: {one.name} found {rows} rows of {kept}")
        if one.peer in peers.ANONYMISED:
            whole = peers.left_whole(of.path, here / peers.ANONYMISED[one.peer])
            if whole or rows != of.corpus.lines:
                raise SystemExit(
                    f"wrong answer: {one.name} wrote {rows} lines, {whole} of them with the whole address"
                )
        return ran, None
    if one.command == "filter":
        # as it is used: from a file, to nowhere; what it says goes to standard error
        script = f'exec "$@" < "{of.path}" | wc -l'
        ran = measure.run(["sh", "-c", script, "sh", *_LOGSCRUB, "filter", "--quiet"])
        if int(ran.output) != of.corpus.lines - of.corpus.broken:
            raise SystemExit(f"wrong answer: filter wrote {ran.output.strip()} lines")
        return ran, None
    options = inputs.details(here) if one.rich else list(one.options)
    ran = measure.run(
        [
            sys.executable,
            "-m",
            one.module,
            "ingest",
            str(of.path),
            "--out",
            str(here / "out"),
            "--json",
            "--format",
            of.format,
            *options,
        ],
        environment=dict(one.environment),
    )
    totals: dict[str, Any] = json.loads(ran.output)["totals"]
    found = answer(here / "out" / "data")
    check(totals, found, of.corpus)
    return ran, found


def floor_of(of: Input, here: Path) -> Run:
    """The floor over the table that `ingest` left in `here`."""
    data = here / "out" / "data"
    ran = measure.run(
        [sys.executable, "-m", "benchmarks.floor", str(of.path), str(data), str(here)]
    )
    said = json.loads(ran.output)
    return replace(ran, wall=said["wall"], cpu=said["cpu"])


def rounds(
    entered: Sequence[Contestant], of: Mapping[str, Input], work: Path, *, runs: int
) -> tuple[dict[str, list[Run]], dict[str, Answer]]:
    """Everybody in turn, `runs` times, after one round that fills the caches; and what the rows of each input came to."""
    found: dict[str, list[Run]] = {who: [] for who in (*(one.name for one in entered), FLOOR)}
    answers: dict[str, Answer] = {}
    # what was just generated is written to the disk before anybody's clock runs
    os.sync()
    for turn in range(runs + 1):
        for one in entered:
            with tempfile.TemporaryDirectory(dir=work) as name:
                ran, said = run_one(one, of[one.input], Path(name))
                took = {one.name: ran}
                # every dataset has keys of its own, so tokens differ
                if (
                    said
                    and not one.rich
                    and answers.setdefault(one.input, said).digest != said.digest
                ):
                    raise SystemExit(f"wrong answer: {one.name} wrote other rows than before")
                if one.name == "ingest typical":
                    took[FLOOR] = floor_of(of[one.input], Path(name))
            for who, run in took.items():
                print(f"{turn or 'first'}: {who} {run.wall:.2f} s", file=sys.stderr)
                found[who] += [run] if turn else []
    return found, answers


def figures(
    entered: Sequence[Contestant],
    of: Mapping[str, Input],
    found: Mapping[str, list[Run]],
    answers: Mapping[str, Answer],
) -> dict[str, dict[str, Any]]:
    """Medians of what each contestant took."""
    out = {}
    for one in (*entered, Contestant(FLOOR, "typical")):
        # the floor writes what `ingest typical` wrote, and does not run without it
        if not found[one.name]:
            continue
        log, runs = of[one.input].corpus, found[one.name]
        out[one.name] = {
            "bytes": log.size,
            "seconds": median(run.wall for run in runs),
            "mb_per_second": median(log.size / 1e6 / run.wall for run in runs),
            "lines_per_second": median(log.lines / run.wall for run in runs),
            "cpu_seconds_per_million_lines": median(run.cpu * 1e6 / log.lines for run in runs),
            "peak_bytes": max(run.peak for run in runs),
            "bytes_out_per_line": _per_line(one, log, answers.get(one.input)),
            "all_seconds": [run.wall for run in runs],
        }
    return out


def _per_line(one: Contestant, log: Corpus, said: Answer | None) -> float | None:
    is_dataset = said and one.command == "ingest" and not one.peer and not one.rich
    return round(said.size / log.lines, 2) if said and is_dataset else None


def ratios(found: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What became of each goal whose contestants ran."""
    out = []
    for goal in GOALS:
        if goal.ours in found and goal.theirs in found:
            ours, theirs = found[goal.ours], found[goal.theirs]
            speeds = [
                (ours["bytes"] / own) / (theirs["bytes"] / other)
                for own, other in zip(ours["all_seconds"], theirs["all_seconds"], strict=True)
            ]
            out.append(
                {
                    **asdict(goal),
                    "found": median(speeds),
                    "lowest": min(speeds),
                    "highest": max(speeds),
                }
            )
    return out


def markdown(result: Mapping[str, Any]) -> str:
    """The figures as a reader wants them."""
    rows = [
        f"| {who} | {of['bytes'] / 1e6:,.0f} | {of['mb_per_second']:.0f} | {of['lines_per_second'] / 1e6:.2f} "
        f"| {of['cpu_seconds_per_million_lines']:.2f} | {of['peak_bytes'] / 1e6:.0f} | {of['bytes_out_per_line'] or ''} |"
        for who, of in result["contestants"].items()
    ]
    goals = [
        f"| {one['what']} | {one['least'] or ''} | {one['found']:.2f} | {one['lowest']:.2f} to {one['highest']:.2f} "
        f"| {'' if not one['least'] else 'yes' if one['found'] >= one['least'] else 'no'} |"
        for one in result["goals"]
    ]
    absent = f"\nNot installed here: {', '.join(result['absent'])}.\n" if result["absent"] else ""
    return f"""\
Medians of {result["runs"]} alternating runs on {result["cores"]} cores; answers checked.
{absent}
| ratio of MB/s, round by round | goal | median | all rounds | reached |
|---|---|---|---|---|
{chr(10).join(goals)}

| | MB | MB/s | M lines/s | CPU s per M lines | peak MB | bytes out a line |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

{growth.table(result["growth"])}
`logscrub --help`: {result["help_seconds"]:.2f} s.
"""


def main(argv: Sequence[str]) -> int:
    """Make the inputs, run everybody, write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks suite", description=__doc__)
    parser.add_argument(
        "--size", type=corpus.size_of, default="1GB", help="of each log (default: 1GB)"
    )
    parser.add_argument("--runs", type=int, default=5, help="that count (default: 5)")
    parser.add_argument(
        "--large", action="store_true", help="ten times --size as well, for time and memory"
    )
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="contestants whose name has it; repeatable"
    )
    parser.add_argument(
        "--work", type=Path, help="folder for temporary files (default: the system's)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("benchmarks/results"), help="folder for the results"
    )
    options = parser.parse_args(argv)
    entered = [
        one for one in CONTESTANTS
        if not options.only or any(part in one.name for part in options.only)
    ]  # fmt: skip
    absent = sorted({one.peer for one in entered if one.peer and not peers.installed(one.peer)})
    if absent:
        print(f"left out: {', '.join(map(peers.how_to_install, absent))}", file=sys.stderr)
    entered = [one for one in entered if one.peer not in absent]
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name)
        of = {
            name: inputs.make(name, work, options.size)
            for name in sorted({one.input for one in entered})
        }
        found = figures(entered, of, *rounds(entered, of, work, runs=options.runs))
        scales = {}
        if not options.only:
            scales = growth.measured(work, options.size, large=options.large, runs=options.runs)
    result = {
        "runs": options.runs,
        **measure.machine(_LIBRARIES),
        "absent": absent,
        "help_seconds": measure.start_up([*_LOGSCRUB, "--help"], runs=options.runs),
        "goals": ratios(found),
        "growth": scales,
        "contestants": found,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "suite.json").write_text(
        json.dumps(result, indent=2) + "\n", encoding="utf-8"
    )
    (options.results / "suite.md").write_text(markdown(result), encoding="utf-8")
    plot.draw(result, options.results)
    print(markdown(result))
    return 0
