"""Figures of a long run for Prometheus: over HTTP, or in a file for the node exporter.

Nothing of a log line can get into them: a figure is a number, and a label is a path that the operator named or a word
of a closed list. What is not on the list is counted as `other`.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import (
    CollectorRegistry,
    generate_latest,
    make_wsgi_app,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from logscrub import __version__, errors
from logscrub.dataset import output_error
from logscrub.errors import OutputError, UsageError
from logscrub.schema import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client.core import Metric

    from logscrub.errors import LogscrubError

LOOPBACK: Final = "127.0.0.1"
_OTHER: Final = "other"
_MODE: Final = 0o644
"""The node exporter is another user."""
_PATIENCE: Final = 30.0
"""Seconds that a client may take for its request."""
_PLACE: Final = re.compile(
    r"(?:(?:\[(?P<six>[0-9a-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[^\s:/@\[\]]+))?:)?(?P<port>\d{1,5})",
    re.ASCII | re.IGNORECASE,
)

_KINDS: Final[dict[type[LogscrubError], str]] = {
    errors.BusyError: "busy",
    errors.FormatError: "format",
    errors.FullError: "full",
    errors.GeoError: "geo",
    errors.KeyFileError: "key",
    errors.LedgerError: "ledger",
    errors.OutputError: "output",
    errors.OverdueError: "overdue",
    errors.PastDueError: "past_due",
    errors.PolicyError: "policy",
    errors.SourceError: "source",
}
KINDS: Final = (*_KINDS.values(), "clock", _OTHER)
"""Every kind of error that is counted; `clock` is time that jumped, which no error stands for."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind its end a followed file is.

    Args:
        path: As the operator named it; never a name made from what a client sent. Lags of one path are added up.
        bytes: There and not committed yet.
        seconds: Since the oldest of these bytes was seen, 0 when there is none.
    """

    path: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run has done since it started, and how it stands now.

    Args:
        lines: Read, and committed as rows, rejects or blank lines; so are the next three.
        rejects: By reason.
        bytes: Of the lines, decompressed.
        errors: By kind, see `KINDS` and `kind_of`.
        sources: One for each followed file.
        open_sources: Sources that are not closed yet.
        deleted_but_open_bytes: Size of files that have no name any more and are still being read.
        oldest_open: Epoch seconds of the first event day of the oldest source not yet closed.
        overdue: Segments past their day and still there.
        last_expiry: Epoch seconds of the last expiry that went well, None before the first.
        last_commit: Epoch seconds of the last commit, None before the first.
        paused: Nothing is read because the disk is full.
    """

    lines: int = 0
    rows: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    blanks: int = 0
    bytes: int = 0
    segments: int = 0
    commits: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[Lag, ...] = ()
    open_sources: int = 0
    deleted_but_open_bytes: int = 0
    oldest_open: float | None = None
    overdue: int = 0
    last_expiry: float | None = None
    last_commit: float | None = None
    paused: bool = False
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where figures are served.

    Args:
        url: What Prometheus has to ask.
        note: A warning in plain words when other machines may reach it, empty otherwise.
    """

    url: str
    note: str


# Name, what it is, and where it comes from.
_TOTALS: Final[tuple[tuple[str, str, Callable[[Figures], int]], ...]] = (
    ("logscrub_lines_total", "Lines read and committed.", lambda now: now.lines),
    ("logscrub_rows_total", "Rows committed.", lambda now: now.rows),
    ("logscrub_blank_lines_total", "Blank lines, which give no row.", lambda now: now.blanks),
    ("logscrub_read_bytes_total", "Bytes of the lines read.", lambda now: now.bytes),
    ("logscrub_segments_total", "Parquet files written.", lambda now: now.segments),
    ("logscrub_commits_total", "Commits.", lambda now: now.commits),
)
_SPLIT_TOTALS: Final[
    tuple[tuple[str, str, str, Sequence[str], Callable[[Figures], Mapping[str, int]]], ...]
] = (
    (
        "logscrub_rejects_total", "Lines that gave no row because they could not be read, by reason.",
        "reason", (*REASONS, _OTHER), lambda now: now.rejects,
    ),
    (
        "logscrub_errors_total", "Errors, by kind; lines that could not be read are not among them.",
        "kind", KINDS, lambda now: now.errors,
    ),
)  # fmt: skip
_LAGS: Final[tuple[tuple[str, str, Callable[[Lag], float]], ...]] = (
    ("logscrub_lag_bytes", "Bytes of a followed file that are not committed yet.", lambda one: one.bytes),
    (
        "logscrub_lag_seconds",
        "Seconds since the oldest byte that is not committed was seen; 0 when there is none.",
        lambda one: one.seconds,
    ),
)  # fmt: skip
_GAUGES: Final[tuple[tuple[str, str, Callable[[Figures], float | None]], ...]] = (
    ("logscrub_open_sources", "Log files that are not closed yet.", lambda now: now.open_sources),
    (
        "logscrub_deleted_open_bytes",
        "Size of log files that were deleted and are still being read.",
        lambda now: now.deleted_but_open_bytes,
    ),
    (
        "logscrub_oldest_open_timestamp_seconds",
        "First day in the oldest log file that is not closed yet.",
        lambda now: now.oldest_open,
    ),
    (
        "logscrub_overdue_segments",
        "Parquet files that had to be gone by now and are still there.",
        lambda now: now.overdue,
    ),
    (
        "logscrub_last_expiry_timestamp_seconds",
        "When what was due was last deleted, or nothing was due.",
        lambda now: now.last_expiry,
    ),
    (
        "logscrub_last_commit_timestamp_seconds",
        "When rows were last committed.",
        lambda now: now.last_commit,
    ),
    (
        "logscrub_paused",
        "1 while nothing is read because the disk is full, 0 otherwise.",
        lambda now: now.paused,
    ),
)


def kind_of(error: LogscrubError) -> str:
    """Under which of `KINDS` an error is counted."""
    return next((_KINDS[kind] for kind in type(error).__mro__ if kind in _KINDS), _OTHER)


@dataclass(frozen=True, slots=True)
class Collector:
    """What a registry of prometheus_client asks; every answer is made of one call, so its figures fit together."""

    figures: Callable[[], Figures]

    def collect(self) -> Iterator[Metric]:
        """The figures of now, as metrics; a figure that is None has no sample."""
        now = self.figures()
        yield InfoMetricFamily(
            "logscrub_build", "The version that runs.", value={"version": now.version}
        )
        for name, text, total in _TOTALS:
            yield CounterMetricFamily(name, text, value=total(now))
        for name, text, label, words, given in _SPLIT_TOTALS:
            split = CounterMetricFamily(name, text, labels=[label])
            for word, count in _within(words, given(now)).items():
                split.add_metric([word], count)
            yield split
        for name, text, gauge in _GAUGES:
            yield GaugeMetricFamily(name, text, value=gauge(now))
        behind = _by_path(now.sources)
        for name, text, value in _LAGS:
            lags = GaugeMetricFamily(name, text, labels=["source"])
            for one in behind:
                lags.add_metric([one.path], value(one))
            yield lags


def _within(words: Iterable[str], counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of all words of a closed list, zeros included: an increase from nothing at all is none to Prometheus."""
    known = dict.fromkeys(map(str, words), 0)
    for word, count in dict(counts).items():
        known[word if word in known else _OTHER] += count
    return known


def _by_path(sources: Iterable[Lag]) -> list[Lag]:
    """One lag per path: a rotated file shares its successor's, and a repeated series spoils the whole answer."""
    found: dict[str, Lag] = {}
    for one in sources:
        # a path may hold bytes that are not UTF-8, a label may not
        path = one.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        old = found.get(path, Lag(path, 0, 0.0))
        found[path] = Lag(path, old.bytes + one.bytes, max(old.seconds, one.seconds))
    return list(found.values())


def _registry(collect: Callable[[], Figures]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Collector(collect))
    return registry


@contextmanager
def serve(address: str, collect: Callable[[], Figures]) -> Iterator[Endpoint]:
    """Answer Prometheus over HTTP until the end of the block; requests are not logged.

    Args:
        address: `PORT` or `:PORT` for this machine only, `HOST:PORT`, `[IPV6]:PORT`; port 0 takes a free one.
        collect: Gives the figures of now. It is called in other threads, so it must not change what it gave before.

    Raises:
        UsageError: It is not an address, or not one of this machine.
        OutputError: The port is in use, or needs privileges.
    """
    host, port = _place(address)
    registry = _registry(collect)
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, ValueError) as error:
        raise _unusable(error, port) from None
    # without these a silent client keeps a thread, and a failure prints the client's address or a traceback
    handler: Any = server.RequestHandlerClass
    server.RequestHandlerClass = type("Handler", (handler,), {"timeout": _PATIENCE})
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.set_app(_careful(make_wsgi_app(registry)))
    try:
        yield _endpoint(*server.socket.getsockname()[:2])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _place(address: str) -> tuple[str, int]:
    match = _PLACE.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(
            "--metrics does not name an address and a port",
            hint="give PORT, ADDRESS:PORT or [IPV6]:PORT, such as 9641, 127.0.0.1:9641 or [::1]:9641",
        )
    return match["six"] or match["host"] or LOOPBACK, int(match["port"])


def _unusable(error: OSError | ValueError, port: int) -> UsageError | OutputError:
    # a name that cannot be encoded is a ValueError
    code = error.errno if isinstance(error, OSError) and not isinstance(error, gaierror) else None
    if code == errno.EADDRINUSE:
        return OutputError(
            f"port {port} of --metrics is in use",
            hint="name another port, or stop what listens there",
        )
    if code in {errno.EACCES, errno.EPERM}:
        return OutputError(
            f"no permission to listen at port {port}", hint="name a port from 1024 on"
        )
    if code in {None, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return UsageError(
            "the address given to --metrics is not one of this machine",
            hint="give only the port to listen on this machine alone",
        )
    return OutputError(
        f"cannot listen at port {port} ({errno.errorcode.get(code, 'unknown error')})",
        hint="name another address or port",
    )


def _endpoint(host: str, port: int) -> Endpoint:
    url = f"http://[{host}]:{port}/metrics" if ":" in host else f"http://{host}:{port}/metrics"
    if ip_address(host).is_loopback:
        return Endpoint(url, "")
    return Endpoint(
        url,
        f"anybody who can reach port {port} sees the paths of the logs and how much is in them; "
        "let a firewall decide who can",
    )


def _careful(app: WSGIApplication) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception:  # noqa: BLE001 — a traceback can show values
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"the figures could not be collected\n"]

    return answer


def write(path: Path, collect: Callable[[], Figures]) -> None:
    """Replace a file by the figures of now; whoever reads it sees the old ones or the new ones.

    Args:
        path: For the node exporter, a name in its folder that ends in `.prom`.
        collect: Gives the figures of now.

    Raises:
        OutputError: It cannot be written.
    """
    text = generate_latest(_registry(collect))
    waiting = path.parent / f".{path.name}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        # left behind by a run that was killed
        waiting.unlink(missing_ok=True)
        with os.fdopen(os.open(waiting, flags, _MODE), "wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(text)
        waiting.replace(path)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink(missing_ok=True)
        raise output_error(error, path) from None
