"""`logscrub follow`."""

from __future__ import annotations

import resource
import signal
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sdnotify import SystemdNotifier

from logscrub.cli import options
from logscrub.cli.terminal import counts, out, out_json, say, show_error, stoppable, tally
from logscrub.dataset import FOLLOW, Dataset, create
from logscrub.errors import INTERRUPTED, OutputError, PolicyError, UsageError
from logscrub.run import metrics
from logscrub.run.follow import follow
from logscrub.run.following import Following, Watch, complain, figures
from logscrub.run.ingest import writing
from logscrub.run.pinned import policy_of
from logscrub.run.prepare import Wishes, geo_notes, job_for
from logscrub.run.upkeep import Clock, Upkeep
from logscrub.run.warm import warming

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from logscrub.errors import LogscrubError
    from logscrub.ledger import Ledger
    from logscrub.run.batch import Job

PIPE_WAIT = 10.0
"""Seconds to wait for another writer to end: a service that restarts may start the new process first."""
_EVERY = 15.0
"""Seconds between two versions of the file with the metrics, about as often as it is collected."""


def command(
    target: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="The dataset to write into.")
    ],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH…]",
            help="Live files, folders, globs; none means the paths of the policy's sources.",
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
    flush: Annotated[
        float,
        typer.Option(
            "--flush",
            metavar="SECONDS",
            min=0.1,
            help="How long a line may wait to become a row that readers see.",
        ),
    ] = 5.0,
    distinct: Annotated[
        bool,
        typer.Option(
            "--distinct", help="What begins like a known file and ends earlier is a log of its own."
        ),
    ] = False,
    metrics_at: Annotated[
        str,
        typer.Option(
            "--metrics", metavar="[ADDR:]PORT", help="Serve Prometheus metrics; on loopback."
        ),
    ] = "",
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            "--metrics-file",
            metavar="FILE.prom",
            help="Write metrics for the node exporter's text collector.",
        ),
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> int:
    """Read live logs through rotation until stopped, each line once.

    A path also stands for its rotated generations, so nothing is missed that happens while this is stopped. Expires
    daily and compacts hourly. SIGTERM and Ctrl-C commit what was read; SIGHUP reads the policy and databases anew.
    """
    wishes = Wishes(
        policy, tuple(settings or ()), format_, format_from, site, timezone, geo, asn, keys,
        distinct=distinct,
    )  # fmt: skip
    dataset = Dataset(target)
    service = SystemdNotifier()
    rule = policy_of(dataset, policy)
    if not paths and not rule.sources:
        raise UsageError("nothing to follow", hint="name files or folders")
    create(dataset)
    _open_many_files()
    job = job_for(dataset, rule, wishes, now=datetime.now(UTC))
    if not quiet:
        for note in geo_notes(job.policy, geo, asn):
            say(note)
    teller = _Teller(quiet=quiet or as_json)
    with ExitStack() as held, stoppable() as stopped:
        ledger, recovered = held.enter_context(
            writing(dataset, rule, stamp=job.stamp, wait=PIPE_WAIT, mark=FOLLOW)
        )
        if recovered:
            teller(f"cleared away {recovered} files of a run that was stopped")
        held.enter_context(warming(job.transform))
        reload = held.enter_context(_Hangup(lambda: _job(dataset, ledger, wishes), service))
        beat = _Beat(service, metrics_file)
        state = Following(
            dataset, ledger, job, list(paths or ()), flush,
            Watch(lambda: bool(stopped()), reload, teller, beat),
            Upkeep(dataset, keys, Clock(lambda: datetime.now(UTC)), teller),
        )  # fmt: skip
        if metrics_at:
            place = held.enter_context(metrics.serve(metrics_at, lambda: beat.latest))
            teller(f"metrics at {place.url}")
            if place.note:
                teller(place.note)
        service.notify("READY=1")
        follow(state)
        service.notify("STOPPING=1")
    if as_json:
        out_json({"totals": tally(state.total) | {"segments": state.segments}})
    elif not quiet:
        out(counts(state.total))
    return INTERRUPTED if stopped() == signal.SIGINT else 0


def _job(dataset: Dataset, ledger: Ledger, wishes: Wishes) -> Job:
    """The job anew, under the policy that rules now; the one of the command line only chose the first.

    Raises:
        PolicyError: `policy.toml` is not the policy that was applied.
    """
    job = job_for(
        dataset, policy_of(dataset, ""), replace(wishes, policy=""), now=datetime.now(UTC)
    )
    if job.digest != ledger.policy_digest():
        raise PolicyError(
            f"{dataset.policy} is not the policy that was applied to this dataset",
            hint=f"apply it with a reason: logscrub policy apply {dataset.root} --policy FILE --reason …",
        )
    return job


def _open_many_files() -> None:
    """Let as many logs be open as the system allows anybody."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass(slots=True)
class _Teller:
    """Says what happens; a refusal always, and the same one only once."""

    quiet: bool
    _said: set[str] = field(default_factory=set)

    def __call__(self, text: str, error: LogscrubError | None = None) -> None:
        if error is None:
            if not self.quiet:
                say(text)
        elif text not in self._said:
            self._said.add(text)
            show_error(error)


class _Hangup:
    """SIGHUP makes the job anew, between two batches."""

    def __init__(self, make: Callable[[], Job], service: SystemdNotifier) -> None:
        self._make = make
        self._service = service
        self._wanted = False

    def __enter__(self) -> Callable[[bool], Job | None]:
        self._before = signal.signal(signal.SIGHUP, self._note)
        return self._reload

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._wanted = True

    def _reload(self, must: bool) -> Job | None:
        if not (must or self._wanted):
            return None
        self._wanted = False
        self._service.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            return self._make()
        finally:
            self._service.notify("READY=1")


@dataclass(slots=True)
class _Beat:
    """Tells the watchdog that all is well, and keeps the figures for whoever asks for them from another thread."""

    service: SystemdNotifier
    path: Path | None
    latest: metrics.Figures = field(default_factory=metrics.Figures)
    _looked: float = 0.0
    _written: float = 0.0

    def __call__(self, state: Following) -> None:
        now = time.monotonic()
        if now - self._looked < 1:
            return
        self._looked = now
        self.service.notify("WATCHDOG=1")
        self.latest = figures(state)
        if self.path and now - self._written >= _EVERY:
            self._written = now
            try:
                metrics.write(self.path, lambda: self.latest)
            except OutputError as error:
                # a full disk must not end what goes on by itself when there is room
                complain(state, error)
