"""A pipe into a dataset: committed every few seconds, recognised when it repeats a known source."""

from __future__ import annotations

import errno
import queue
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from logscrub.blocks import BLOCK_SIZE, last_header
from logscrub.decompress import SNIFF, Progress, compression, decompress
from logscrub.errors import LogscrubError, SourceError
from logscrub.machine import SIZES
from logscrub.run.batch import Job, Outcome, Status, alarm
from logscrub.run.ingest import Summary, with_ledger
from logscrub.run.recognise import SALVAGED, ambiguous, candidates, refuse_salvaged
from logscrub.run.stream import Stream
from logscrub.run.warm import warming
from logscrub.schema import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logscrub.dataset import Dataset
    from logscrub.ledger import Ledger
    from logscrub.records import Source

PATIENCE = 0.85
"""Share of the flush time that rows wait; the rest is for scrubbing and committing them."""


@dataclass(slots=True)
class _Pipe:
    """Where the pipe stands.

    Args:
        stream: What was read of it.
        compressed: Nothing is committed before its checksum.
        waiting: Known sources that it may still turn out to be, None before its head is compared.
        salvaged: One of them whose text was damaged.
        skipped: Bytes that a known source holds.
    """

    out: Dataset
    ledger: Ledger
    stream: Stream
    compressed: bool = False
    waiting: list[Source] | None = None
    salvaged: Source | None = None
    skipped: int = 0


def ingest_pipe(
    out: Dataset,
    ledger: Ledger,
    chunks: Iterator[bytes | None],
    job: Job,
    *,
    flush: float,
    began: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    live: bool = False,
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
        live: Plain lines that nobody sends twice: neither decompressed nor compared with known sources.

    Returns:
        One outcome. Whole lines are committed; what an interruption cuts off in mid-line is not a line.
    """
    job = with_ledger(job, ledger)
    stream = Stream(job, format=job.format, site=job.site, zone=job.timezone)
    pipe = _Pipe(out, ledger, stream, waiting=[] if live else None)
    try:
        with warming(job.transform):
            _read(pipe, chunks if live else _plain(pipe, chunks), flush, began, stop)
    except LogscrubError as error:
        return Summary([_outcome(pipe, "refused" if not stream.committed else "read", error)])
    finally:
        stream.drop()
    if stream.position == 0:
        return Summary([Outcome("-", "empty", note="empty")])
    return Summary([_outcome(pipe, "read" if stream.total.lines else "known", stream.refused)])


def _outcome(pipe: _Pipe, status: Status, error: LogscrubError | None) -> Outcome:
    stream = pipe.stream
    skipped = f"{pipe.skipped} bytes were read before and skipped" if pipe.skipped else ""
    left = stream.position + stream.splitter.pending - stream.committed
    rest = f"{left:,} bytes were read and not committed" if left else ""
    note = "; ".join(filter(None, (skipped, rest, alarm(stream.total))))
    if status == "known":
        note = "already read"
    return Outcome(
        "-", status, stream.reads.name if stream.reads else "", stream.total, None, stream.closure, stream.due,
        note, error, segments=stream.segments,
    )  # fmt: skip


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
    stream = pipe.stream
    oldest: float | None = None
    for chunk in chunks:
        if chunk:
            oldest, began = oldest or began or time.monotonic(), None
            stream.push(chunk)
        is_time = oldest is not None and time.monotonic() - oldest >= flush * PATIENCE
        if stream.splitter.pending >= BLOCK_SIZE or is_time:
            _scrub(pipe, stream.take())
        is_much = stream.position - stream.committed >= SIZES.commit
        if (is_time or is_much) and not pipe.compressed:
            _commit(pipe)
            oldest = None
    if pipe.compressed and stop():
        raise SourceError(
            "standard input: interrupted before its checksum; nothing of it was taken",
            hint="pipe it in again",
        )
    _scrub(pipe, stream.take(final=not stop()))
    _commit(pipe, final=True)


def _scrub(pipe: _Pipe, block: Block | None) -> None:
    """Scrub a block, in pieces that end where a known source does."""
    if block is None:
        return
    job = pipe.stream.job
    if pipe.waiting is None:
        pipe.waiting = candidates(pipe.stream.head, job.known, job.instance)
    for piece in _pieces(block, [one.position for one in pipe.waiting]):
        pipe.stream.scrub(piece)
        _compare(pipe)


def _pieces(block: Block, marks: list[int]) -> Iterator[Block]:
    start = 0
    if len(block.overlong):
        yield Block.of(offset=block.offset, overlong=block.overlong)
    for mark in marks:
        cut = mark - block.offset
        if start < cut < block.size:
            yield _piece(block, start, cut)
            start = cut
    yield _piece(block, start, block.size)


def _piece(block: Block, start: int, end: int) -> Block:
    header = last_header(block.data[:start], block.header)
    return Block.of(block.data[start:end], offset=block.offset + start, header=header)


def _compare(pipe: _Pipe) -> None:
    """Drop what a known source turns out to hold already."""
    waiting, stream = pipe.waiting or [], pipe.stream
    while waiting and waiting[0].position <= stream.position:
        known = waiting.pop(0)
        if known.position == stream.position and known.chain == stream.chain.value():
            stream.source = known
            pipe.skipped = stream.committed = known.position
            stream.drop()
        elif known.state == SALVAGED:
            pipe.salvaged = known
    if pipe.salvaged and not waiting and stream.source is None:
        raise refuse_salvaged("standard input", pipe.salvaged)


def _commit(pipe: _Pipe, *, final: bool = False) -> None:
    stream = pipe.stream
    if pipe.waiting:
        # until the chain is compared these rows may be known ones
        if not final:
            return
        if stream.source is None and pipe.waiting[-1].state == SALVAGED:
            raise refuse_salvaged("standard input", pipe.waiting[-1])
        if not stream.job.distinct:
            raise ambiguous("standard input", pipe.waiting[-1])
        pipe.waiting = []
    state, basis = ("read", "end of the pipe") if final else ("open", "still open")
    stream.commit(pipe.out, pipe.ledger, state=state, basis=basis)


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
    left = -1
    while left:
        if left < 0 and stop():
            # what is there still counts; a writer that never pauses must not keep the run from ending
            left = box.qsize()
            continue
        try:
            chunk = box.get(timeout=wait)
        except queue.Empty:
            yield None
            continue
        if not chunk:
            return
        yield chunk
        left -= left > 0
