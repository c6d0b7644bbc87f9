"""A pipe into a dataset: committed every few seconds, recognised when it repeats a known source."""

from __future__ import annotations

import errno
import queue
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from logscrub.blocks import BLOCK_SIZE, Splitter
from logscrub.decompress import SNIFF, Progress, compression, decompress
from logscrub.errors import FormatError, LogscrubError, PastDueError, SourceError
from logscrub.formats.choice import choose_layout, judgeable
from logscrub.identity import HEAD, Chain
from logscrub.machine import SIZES
from logscrub.run.batch import Job, Outcome, Status, alarm, batch_of, source_after
from logscrub.run.ingest import Summary, commit, with_ledger
from logscrub.run.recognise import SALVAGED, ambiguous, candidates, refuse_salvaged
from logscrub.run.scrubbing import Scrubbing, Tally
from logscrub.run.staging import SAMPLE
from logscrub.run.warm import warming
from logscrub.schema import Block, Reason
from logscrub.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logscrub.dataset import Dataset
    from logscrub.formats.layout import Layout
    from logscrub.ledger import Ledger
    from logscrub.records import Source

_PATIENCE = 0.85
"""Share of the flush time that rows wait; the rest is for scrubbing and committing them."""


@dataclass(slots=True)
class _Pipe:
    """Where the pipe stands."""

    out: Dataset
    ledger: Ledger
    job: Job
    splitter: Splitter = field(init=False)
    chain: Chain = field(init=False)
    beyond: Chain | None = None
    """`chain`, gone on by lines that the splitter gave up; their block follows."""
    compressed: bool = False
    head: bytes = field(default=b"", repr=False)
    layout: Layout | None = None
    decided: bool = False
    waiting: list[Source] | None = None
    source: Source | None = None
    salvaged: Source | None = None
    sink: Sink | None = None
    tally: Tally = field(default_factory=Tally)
    total: Tally = field(default_factory=Tally)
    position: int = 0
    committed: int = 0
    segments: int = 0
    skipped: int = 0
    due: date | None = None
    closure: date | None = None
    refused: PastDueError | None = None

    def __post_init__(self) -> None:
        self.chain = Chain(self.job.instance)
        self.job = with_ledger(self.job, self.ledger)
        self.splitter = Splitter(dropped=self._pass)

    def _pass(self, data: bytes) -> None:
        self.beyond = self.beyond or self.chain.copy()
        self.beyond.update(data)


def ingest_pipe(
    out: Dataset,
    ledger: Ledger,
    chunks: Iterator[bytes | None],
    job: Job,
    *,
    flush: float,
    began: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Read one pipe to its end.

    Args:
        out: The dataset, held by `writing`.
        ledger: Its ledger.
        chunks: Portions of bytes as they arrive; None when nothing came for a while.
        job: The run.
        flush: Seconds a row may wait for its commit.
        began: When the first bytes arrived, on the monotonic clock, if that was before this call.
        stop: Whether the reading was ended from outside, so that the rest is not a whole line.

    Returns:
        One outcome. Whole lines are committed; what an interruption cuts off in mid-line is not a line.
    """
    pipe = _Pipe(out, ledger, job)
    try:
        with warming(job.transform):
            _read(pipe, _plain(pipe, chunks), flush, began, stop)
    except LogscrubError as error:
        return Summary([_outcome(pipe, "refused" if not pipe.committed else "read", error)])
    finally:
        if pipe.sink:
            pipe.sink.discard()
    if pipe.position == 0:
        return Summary([Outcome("-", "empty", note="empty")])
    return Summary([_outcome(pipe, "read" if pipe.total.lines else "known", pipe.refused)])


def _outcome(pipe: _Pipe, status: Status, error: LogscrubError | None) -> Outcome:
    skipped = f"{pipe.skipped} bytes were read before and skipped" if pipe.skipped else ""
    note = "; ".join(filter(None, (skipped, alarm(pipe.total))))
    if status == "known":
        note = "already read"
    return Outcome(
        "-",
        status,
        pipe.layout.name if pipe.layout else "",
        pipe.total,
        None,
        pipe.closure,
        pipe.due,
        note,
        error,
        segments=pipe.segments,
    )


def _plain(pipe: _Pipe, chunks: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """Decompress when the first bytes say so; a compressed pipe counts only when all its checksums passed."""
    first = b""
    for chunk in chunks:
        if chunk is None:
            if first and compression(first) == "none":
                break
            continue
        first += chunk
        if len(first) >= SNIFF:
            break
    kind = compression(first)
    if kind == "none":
        if first:
            yield first
        yield from chunks
        return

    def raw() -> Iterator[bytes]:
        yield first
        yield from (chunk for chunk in chunks if chunk)

    pipe.compressed = True
    try:
        yield from decompress(kind, raw(), Progress())
    except SourceError as error:
        raise SourceError(
            f"standard input: {error.what}; nothing of it was taken",
            hint="ingest it as a file: its intact members are taken, with --salvage all readable lines",
        ) from None


def _read(
    pipe: _Pipe, chunks: Iterator[bytes | None], flush: float, began: float | None,
    stop: Callable[[], bool],
) -> None:  # fmt: skip
    oldest: float | None = None
    for chunk in chunks:
        if chunk:
            oldest, began = oldest or began or time.monotonic(), None
            if len(pipe.head) < HEAD:
                pipe.head += chunk[: HEAD - len(pipe.head)]
            pipe.splitter.push(chunk)
        is_time = oldest is not None and time.monotonic() - oldest >= flush * _PATIENCE
        if pipe.splitter.pending >= BLOCK_SIZE or is_time:
            _scrub(pipe, pipe.splitter.take())
        is_much = pipe.position - pipe.committed >= SIZES.commit
        if (is_time or is_much) and not pipe.compressed:
            _commit(pipe)
            oldest = None
    if pipe.compressed and stop():
        raise SourceError(
            "standard input: interrupted before its checksum; nothing of it was taken",
            hint="pipe it in again",
        )
    _scrub(pipe, pipe.splitter.take(final=not stop()))
    _commit(pipe, final=True)


def _scrub(pipe: _Pipe, block: Block | None) -> None:
    """Scrub a block, in pieces that end where a known source does."""
    if block is None:
        return
    if pipe.waiting is None:
        pipe.waiting = candidates(pipe.head, pipe.job.known, pipe.job.instance)
    for piece in _pieces(block, [one.position for one in pipe.waiting]):
        _scrub_piece(pipe, piece)
        _compare(pipe)


def _pieces(block: Block, marks: list[int]) -> Iterator[Block]:
    start = 0
    if len(block.overlong):
        yield Block.of(offset=block.offset, overlong=block.overlong)
    for mark in marks:
        cut = mark - block.offset
        if start < cut < block.size:
            yield Block.of(block.data[start:cut], offset=block.offset + start)
            start = cut
    yield Block.of(block.data[start:], offset=block.offset + start)


def _scrub_piece(pipe: _Pipe, block: Block) -> None:
    if not pipe.decided or pipe.layout is None:
        sample = block.data[:SAMPLE]
        sample = sample if judgeable(sample) else block.data
        choice = choose_layout(sample, pipe.job.format, pipe.job.layout)
        if choice.layout is None:
            raise FormatError(f"standard input: {choice.refusal}", hint=choice.hint)
        # blank lines tell nothing: those that follow decide
        pipe.layout, pipe.decided = choice.layout, choice.kind != "empty"
    transform = pipe.job.transform
    work = Scrubbing(
        pipe.layout, transform, pipe.job.timezone, pipe.job.site, pipe.job.keys, datetime.now(UTC)
    )
    parsed, table = work.scrub([work.parse(block)])
    pipe.sink = pipe.sink or Sink(pipe.job.staging, sorts=transform.sorts)
    pipe.sink.add(table)
    pipe.tally.add(parsed, table.newest_ms)
    if len(block.overlong) and pipe.beyond:
        pipe.chain, pipe.beyond = pipe.beyond, None
    pipe.chain.update(block.data)
    pipe.position = pipe.chain.length


def _compare(pipe: _Pipe) -> None:
    """Drop what a known source turns out to hold already."""
    waiting = pipe.waiting or []
    while waiting and waiting[0].position <= pipe.chain.length:
        known = waiting.pop(0)
        if known.position == pipe.chain.length and known.chain == pipe.chain.value():
            pipe.source = known
            pipe.skipped = pipe.committed = known.position
            _drop(pipe)
        elif known.state == SALVAGED:
            pipe.salvaged = known
    if pipe.salvaged and not waiting and pipe.source is None:
        raise refuse_salvaged("standard input", pipe.salvaged)


def _drop(pipe: _Pipe) -> None:
    if pipe.sink:
        pipe.sink.discard()
    pipe.sink, pipe.tally = None, Tally()


def _commit(pipe: _Pipe, *, final: bool = False) -> None:
    if pipe.waiting:
        # until the chain is compared these rows may be known ones
        if not final:
            return
        if pipe.source is None and pipe.waiting[-1].state == SALVAGED:
            raise refuse_salvaged("standard input", pipe.waiting[-1])
        if not pipe.job.distinct:
            raise ambiguous("standard input", pipe.waiting[-1])
        pipe.waiting = []
    if pipe.sink is None or pipe.layout is None or pipe.position <= pipe.committed:
        return
    job = replace(pipe.job, now=datetime.now(UTC))
    source = source_after(
        pipe.source, job, path="-", kind="pipe", layout=pipe.layout, site=job.site, head=pipe.head,
        chain=pipe.chain, newest_ms=pipe.tally.newest_ms,
    )  # fmt: skip
    source = replace(
        source,
        position=pipe.position,
        closed_latest=str(job.today),
        closed_basis="end of the pipe" if final else "still open",
        state="read" if final else "open",
    )
    try:
        batch, closure, due = batch_of(source, job, pipe.sink, pipe.tally, start=pipe.committed)
    except PastDueError as error:
        pipe.refused = error
        pipe.tally.rejects[Reason.PAST_DUE] += pipe.tally.rows
        pipe.tally.rows = 0
        pipe.sink.discard()
        batch, closure, due = batch_of(source, job, pipe.sink, pipe.tally, start=pipe.committed)
    outcome = Outcome("-", "read", pipe.layout.name, pipe.tally, batch, closure, due)
    commit(pipe.out, pipe.ledger, outcome, stamp=job.stamp)
    pipe.total.include(pipe.tally)
    pipe.segments += len(batch.segments)
    pipe.source, pipe.committed, pipe.tally, pipe.sink = source, pipe.position, Tally(), None
    pipe.closure, pipe.due = closure or pipe.closure, due or pipe.due


def unreadable(summary: Summary, error: OSError) -> Summary:
    """The summary of a pipe whose end was a refusal of the system."""
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    failure = SourceError(
        f"standard input cannot be read ({name})",
        hint="check what it comes from; a folder is named, not piped in",
    )
    return Summary(
        [
            replace(
                one, error=one.error or failure, status=one.status if one.tally.lines else "refused"
            )
            for one in summary.outcomes
        ]
    )


def portions(
    box: queue.Queue[bytes], stop: Callable[[], bool], *, wait: float = 0.2
) -> Iterator[bytes | None]:
    """The bytes a draining thread put in a queue; an empty one ends the pipe.

    Args:
        box: Filled by the thread that reads standard input.
        stop: True ends the reading once what arrived is handed on.
        wait: Seconds after which None says that nothing came.

    Raises:
        SourceError: Never for the pipe itself; kept for symmetry with files.
    """
    while True:
        try:
            chunk = box.get(timeout=wait)
        except queue.Empty:
            if stop():
                return
            yield None
            continue
        if not chunk:
            return
        yield chunk
