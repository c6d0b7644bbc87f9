"""`logscrub ingest`."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from logscrub import listen, stdin
from logscrub.cli import options
from logscrub.cli.terminal import (
    counts,
    out,
    out_json,
    safe,
    say,
    show_error,
    stoppable,
    tally,
)
from logscrub.dataset import Dataset, create
from logscrub.errors import INTERRUPTED, UsageError
from logscrub.run.ingest import Summary, Watch, ingest_files, writing
from logscrub.run.pinned import policy_of
from logscrub.run.pipe import ingest_pipe, portions, unreadable
from logscrub.run.prepare import Wishes, geo_notes, job_for, settings_note
from logscrub.run.scrubbing import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logscrub.ledger import Ledger
    from logscrub.run.batch import Job, Outcome
    from logscrub.source import Input


PIPE_WAIT = 10.0
"""Seconds that a pipe waits for another writer to end: a server that reloads starts the new reader first."""


def command(
    target: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="The dataset to write into.")
    ],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH…|-]", help="Files, folders, globs; - or nothing for standard input."
        ),
    ] = None,
    policy: options.PolicyName = "",
    settings: options.Settings = None,
    format_: options.Format = "auto",
    format_from: options.FormatFrom = "",
    site: options.Site = "",
    timezone: options.Timezone = "",
    geo: options.Geo = None,
    asn: options.Asn = None,
    keys: options.Keys = None,
    closed_at: Annotated[
        str,
        typer.Option(
            "--closed-at",
            metavar="DATE",
            help="The logs were closed no later than this; only earlier counts.",
        ),
    ] = "",
    listen_on: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="SOCKET",
            help="Receive syslog datagrams until stopped: unix:PATH or udp:127.0.0.1:PORT.",
        ),
    ] = "",
    flush: Annotated[
        float,
        typer.Option(
            "--flush",
            metavar="SECONDS",
            min=0.1,
            help="How long a row of a pipe may wait for its commit.",
        ),
    ] = 5.0,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", metavar="N", min=1, help="Files to work on at the same time."),
    ] = 1,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Read known files again, under a changed policy, and swap their rows."
        ),
    ] = False,
    distinct: Annotated[
        bool,
        typer.Option(
            "--distinct", help="What begins like a known file and ends earlier is a log of its own."
        ),
    ] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Take the readable lines of damaged archives too.")
    ] = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> int:
    """Read access logs into scrubbed Parquet, each line once.

    Reads files, folders, globs and standard input, plain or .gz .bz2 .xz .zst, told by content. Reading the same
    logs again, renamed, re-compressed or grown, adds only what is new.
    """
    wishes = Wishes(
        policy, tuple(settings or ()), format_, format_from, site, timezone, geo, asn, keys,
        options.day(closed_at), salvage, replace, distinct,
    )  # fmt: skip
    dataset = Dataset(target)
    with stoppable() as stopped:
        summary, job = _ingest(
            dataset,
            list(paths or ()),
            wishes,
            listen_on,
            flush=flush,
            jobs=jobs,
            stopped=stopped,
            quiet=quiet or as_json,
        )
    notes = geo_notes(job.policy, geo, asn)
    if as_json:
        out_json(_document(summary, job) | {"notes": notes})
    elif not quiet:
        for note in notes:
            say(note)
        _print_total(summary, job, dataset)
    if error := summary.error():
        if error not in [one.error for one in summary.outcomes]:
            show_error(error)
        return error.exit_code
    return INTERRUPTED if stopped() == signal.SIGINT else 0


def _ingest(
    dataset: Dataset, paths: Sequence[str], wishes: Wishes, target: str, *, flush: float, jobs: int,
    stopped: Callable[[], int], quiet: bool,
) -> tuple[Summary, Job]:  # fmt: skip
    now = datetime.now(UTC)
    policy = policy_of(dataset, wishes.policy)
    if target and (paths or wishes.replace):
        raise UsageError(
            "--listen reads a socket and nothing else", hint="leave out PATH and --replace"
        )
    pipe = not target and (
        paths == ["-"] or (not paths and not policy.sources and stdin.is_piped())
    )
    if not target and not pipe and not paths and not policy.sources:
        raise UsageError("nothing to read", hint="name files or folders, or pipe lines in")
    if wishes.replace and pipe:
        raise UsageError(
            "a pipe cannot replace a source", hint="name the file after ingest --replace"
        )
    create(dataset)
    job = job_for(dataset, policy, wishes, now=now)
    with writing(dataset, policy, stamp=job.stamp, wait=PIPE_WAIT if pipe or target else 0) as (
        ledger,
        recovered,
    ):
        if recovered and not quiet:
            say(f"cleared away {recovered} files of a run that was stopped")
        if target:
            summary = _listen(
                dataset, ledger, job, target, flush=flush, stopped=stopped, quiet=quiet
            )
        elif pipe:
            stdin.drain()
            summary = ingest_pipe(
                dataset,
                ledger,
                portions(stdin.box, lambda: bool(stopped())),
                job,
                flush=flush,
                began=stdin.arrived[0] if stdin.arrived else None,
                stop=lambda: bool(stopped()),
            )
            if stdin.failures:
                summary = unreadable(summary, stdin.failures[0])
            for one in summary.outcomes:
                _print_outcome(one, quiet=quiet)
        else:
            summary = _files(dataset, ledger, paths, job, jobs=jobs, stopped=stopped, quiet=quiet)
    return summary, job


def _listen(
    dataset: Dataset, ledger: Ledger, job: Job, target: str, *, flush: float, stopped: Callable[[], int],
    quiet: bool,
) -> Summary:  # fmt: skip
    if note := listen.warning(target):
        say(note)
    with listen.listening(target) as listener:
        if not quiet:
            say(f"listening on {target}")
        chunks = listen.lines(listener, stopped)
        summary = ingest_pipe(dataset, ledger, chunks, job, flush=flush, live=True)
    if listener.failure:
        outcomes = [replace(one, error=one.error or listener.failure) for one in summary.outcomes]
        summary = Summary(outcomes)
    for one in summary.outcomes:
        _print_outcome(one, quiet=quiet)
    if not quiet:
        say(
            f"{target} · "
            + ", ".join(f"{n:,} {what}" for what, n in listener.counts._asdict().items())
        )
    return summary


def _files(
    dataset: Dataset,
    ledger: Ledger,
    paths: Sequence[str],
    job: Job,
    *,
    jobs: int,
    stopped: Callable[[], int],
    quiet: bool,
) -> Summary:
    with _progress(show=not quiet) as (begin, progress):

        def done(outcome: Outcome) -> None:
            _print_outcome(outcome, quiet=quiet)

        watch = Watch(begin, progress, done, lambda: bool(stopped()))
        return ingest_files(dataset, ledger, paths, job, jobs=jobs, watch=watch)


@contextmanager
def _progress(
    *, show: bool
) -> Iterator[tuple[Callable[[Sequence[Input]], None], Callable[[Path, int, int], None]]]:
    """One bar over the bytes of all inputs, on a terminal only."""
    if not (show and sys.stderr.isatty()):
        yield (lambda _: None), (lambda _path, _read, _lines: None)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, speed="")
        seen: dict[Path, tuple[int, int]] = {}

        def begin(inputs: Sequence[Input]) -> None:
            bar.update(
                task, total=sum(one.path.stat().st_size for one in inputs if one.path.is_file())
            )

        def progress(path: Path, read: int, lines: int) -> None:
            seen[path] = (read, lines)
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = sum(count for _, count in seen.values()) / elapsed if elapsed else 0.0
            bar.update(
                task, description=safe(path.name), completed=sum(size for size, _ in seen.values()),
                speed=f"{rate:,.0f} lines/s",
            )  # fmt: skip

        yield begin, progress


def _print_outcome(one: Outcome, *, quiet: bool) -> None:
    if one.error and one.status == "refused":
        show_error(one.error)
        return
    if quiet:
        if one.error:
            show_error(one.error)
        return
    parts = [one.path if one.path != "-" else "standard input"]
    if one.status == "read":
        parts.append(f"{one.format}: {counts(one.tally)}")
        if one.due:
            parts.append(f"{_many(one.segments, 'segment')}, closed {one.closure}, due {one.due}")
    if one.note:
        parts.append(one.note)
    say(" · ".join(parts))
    if one.error:
        show_error(one.error)


def _total(summary: Summary) -> Tally:
    total = Tally()
    for one in summary.outcomes:
        if one.status == "read":
            total.include(one.tally)
    return total


def _print_total(summary: Summary, job: Job, dataset: Dataset) -> None:
    total = _total(summary)
    read = [one for one in summary.outcomes if one.status == "read"]
    known = sum(one.status == "known" for one in summary.outcomes)
    for path, why in summary.left:
        say(f"{path} · left: {why}")
    if note := settings_note(job.settings):
        say(note)
    segments = sum(one.segments for one in read)
    dues = sorted(one.due for one in read if one.due)
    out(f"{counts(total)}")
    out(
        f"{_many(len(read), 'source')} read, {known} already known, {len(summary.left)} left, "
        f"{_many(segments, 'segment')} under {dataset.data}"
        + (f", due {dues[0]} to {dues[-1]}" if dues else "")
    )


def _document(summary: Summary, job: Job) -> dict[str, Any]:
    total = _total(summary)
    return {
        "policy": {"name": job.policy.name, "digest": job.digest, "settings": list(job.settings)},
        "totals": tally(total) | {"segments": sum(one.segments for one in summary.outcomes)},
        "sources": [
            {
                "path": one.path, "status": one.status, "format": one.format, **tally(one.tally),
                "segments": one.segments, "closure": one.closure, "due": one.due, "note": one.note,
                "error": {"message": one.error.what, "hint": one.error.hint, "exit_code": one.error.exit_code}
                if one.error else None,
            }
            for one in summary.outcomes
        ],
        "left": [{"path": path, "why": why} for path, why in summary.left],
    }  # fmt: skip


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
