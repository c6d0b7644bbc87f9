"""One file is read, scrubbed and staged; nothing of it exists until its batch is committed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logscrub.blocks import BLOCK_SIZE, Splitter
from logscrub.errors import FormatError, LogscrubError, SourceError
from logscrub.formats import hold, w3c
from logscrub.formats.choice import choose, judgeable
from logscrub.identity import HEAD, Chain
from logscrub.run.batch import Outcome, alarm, batch_of, source_after
from logscrub.run.recognise import (
    SALVAGED,
    Recognised,
    ambiguous,
    pieces,
    recognise,
    refuse_salvaged,
    same_family,
)
from logscrub.run.scrubbing import Scrubbing, Tally, ahead, scrubbed
from logscrub.schema import MAX_LINE
from logscrub.sink import Sink
from logscrub.source import Opened, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from logscrub.formats.choice import Choice
    from logscrub.formats.layout import Format
    from logscrub.records import Source
    from logscrub.run.batch import Job
    from logscrub.schema import Block
    from logscrub.source import Input

SAMPLE = 2**20
"""Bytes of the first lines by which a format is judged; more when those tell nothing."""
_FEW_LINES = 100
_FIRST = 2**16
"""Bytes at the start of a wrapped log that show what is in it."""
QUIET_SECONDS = 60
"""A plain file untouched for so long is finished: its unterminated last line counts."""


def stage(
    one: Input,
    job: Job,
    *,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[int, int], None] = lambda _read, _lines: None,
) -> Outcome:
    """Read one file as far as it is new, and stage its rows.

    Args:
        one: The file.
        job: The run.
        stop: Asked between portions; True ends the reading, and what was read counts.
        watch: Told the bytes of the file read, and the lines scrubbed, so far.

    Returns:
        The outcome; errors that concern this file only are in it.
    """
    try:
        with Opened(one.path) as opened:
            return _stage(one, opened, job, stop, watch)
    except LogscrubError as error:
        return Outcome(str(one.path), "refused", error=error)


def _stage(
    one: Input,
    opened: Opened,
    job: Job,
    stop: Callable[[], bool],
    watch: Callable[[int, int], None],
) -> Outcome:
    path = str(one.path)
    sample, damage = _sample(opened.chunks())
    if not sample:
        return Outcome(path, "empty", note="empty")
    found = recognise(opened.chunks(), job.known, job.instance)
    if found.source and found.verdict == "salvaged" and not job.replace:
        raise refuse_salvaged(path, found.source)
    if found.source and found.verdict == "shorter" and not same_family(path, found.source.path):
        if not job.distinct:
            raise ambiguous(path, found.source)
        found = Recognised("new")
    if found.source and not (job.replace and found.verdict != "shorter"):
        if found.verdict != "grown":
            note = _KNOWN[found.verdict]
            return Outcome(path, "known", found.source.format, note=note, known=found.source.id)
        sample, damage = _sample(_skip(opened.chunks(), found.source.position))
        sample = _before(opened, found.source) + sample
    start = found.source.position if found.source and not job.replace else 0
    choice, damage = _choice(one, opened, job, sample, damage)
    if choice.format is None:
        if damage and not job.salvage:
            raise damage
        if one.chosen or found.source or "access" in one.path.name:
            # a format that changed must not pass for a file of another kind
            raise FormatError(f"{path}: {choice.refusal}", hint=choice.hint)
        return Outcome(path, "left", note=choice.reason)
    head = _sample(opened.chunks())[0][:HEAD] if start else sample[:HEAD]
    proof = found.source.chain if found.source and start else None
    reading = _Reading(one, opened, job, choice.format, start, proof, stop, watch)
    return _conclude(reading, found, head)


def _choice(
    one: Input, opened: Opened, job: Job, sample: bytes, damage: SourceError | None
) -> tuple[Choice, SourceError | None]:
    """What reads the file, and the damage that was met before that was known."""
    wanted = job.format if one.format == "auto" else one.format
    choice = choose(sample, wanted, job.reads)
    if choice.format is None and (damage := damage or _damage(opened)):
        # damage spoils what follows it, so what comes before it decides
        first = b"\n".join(sample.split(b"\n", _FEW_LINES)[:_FEW_LINES]) + b"\n"
        early = choose(first, wanted, job.reads)
        choice = early if early.format else choice
    return choice, damage


def _damage(opened: Opened) -> SourceError | None:
    """Whether compressed data is damaged: a broken block may give much before its checksum tells."""
    if opened.compression == "none":
        return None
    try:
        for _ in opened.chunks():
            pass
    except SourceError as error:
        return error
    return None


_KNOWN = {
    "complete": "already read",
    "shorter": "already read, further than this copy goes",
}


def _sample(chunks: Iterator[bytes]) -> tuple[bytes, SourceError | None]:
    """The first bytes, the first lines that tell a format among them, and the damage that was met on the way."""
    first = bytearray()
    try:
        for chunk in chunks:
            first += chunk
            if len(first) >= SAMPLE:
                break
        if len(first) < SAMPLE or judgeable(bytes(first)):
            return bytes(first), None
        rest = bytes(first.rpartition(b"\n")[2])
        for chunk in chunks:
            # a line that is overlong stays so when it is cut here
            rest = rest[: MAX_LINE + 1] + chunk
            if telling := judgeable(rest):
                return bytes(first) + b"\n" + telling, None
            rest = rest.rpartition(b"\n")[2]
    except SourceError as error:
        if not first:
            raise
        return bytes(first), error
    return bytes(first), None


def _skip(chunks: Iterator[bytes], start: int) -> Iterator[bytes]:
    left = start
    for chunk in chunks:
        if left >= len(chunk):
            left -= len(chunk)
        else:
            yield chunk[left:]
            left = 0


def _before(opened: Opened, source: Source) -> bytes:
    """Lines of what is known that have to be seen to tell the format of those that are new."""
    if source.format == w3c.NAME:
        return _ruling(opened.chunks(), source.position) + b"\n"
    if "/" not in source.format:
        return b""
    # of a wrapped log there may be nothing new but parts of lines
    first = _sample(opened.chunks())[0]
    return first[: first.rfind(b"\n", 0, _FIRST) + 1]


def _ruling(chunks: Iterator[bytes], start: int) -> bytes:
    """The `#Fields:` line that rules at a place."""
    splitter = Splitter()
    splitter.headed = True
    for chunk in pieces(chunks, [start]):
        splitter.push(chunk)
        splitter.take(final=splitter.end >= start)
        if splitter.end >= start:
            break
    return splitter.header


@dataclass(slots=True)
class _Reading:
    """One pass over the bytes of a file from `start` on."""

    one: Input
    opened: Opened
    job: Job
    reads: Format
    start: int
    proof: bytes | None
    """Chain value that the known source has at `start`."""
    stop: Callable[[], bool]
    watch: Callable[[int, int], None]
    tally: Tally = field(default_factory=Tally)
    chain: Chain = field(init=False)
    verified: int = 0
    stopped: bool = False
    held: int = 0
    """Bytes of whole lines at the end that wait for what follows."""

    def run(self, limit: int | None) -> Sink:
        """Scrub everything up to `limit` (a byte position; None is the end) into a new sink."""
        self.tally = Tally()
        scrubbing = Scrubbing(
            self.reads, self.job.transform, self.one.timezone or self.job.timezone,
            self.one.site or self.job.site, self.job.keys, self.job.now,
        )  # fmt: skip
        sink = Sink(self.job.staging, sorts=self.job.transform.sorts)
        try:
            for parsed, table in ahead(scrubbed(self._blocks(limit), scrubbing), depth=1):
                self.tally.add(parsed, table.newest_ms)
                sink.add(table)
        except BaseException:
            sink.discard()
            raise
        return sink

    @property
    def is_finished(self) -> bool:
        """Whether the file will not grow: it is compressed, or nobody touched it for a while."""
        age = self.job.now.timestamp() - self.opened.modified
        return self.opened.compression != "none" or age >= QUIET_SECONDS

    def _blocks(self, limit: int | None) -> Iterator[Block]:
        # the header that rules at the start stands somewhere before it
        begin = 0 if self.reads.headed else self.start
        splitter = Splitter(begin)
        splitter.hold, splitter.headed = hold(self.reads), self.reads.headed
        for chunk in self._chained(limit, begin):
            splitter.push(chunk)
            if splitter.end == self.start:
                # a line without its end was a row of the run before
                splitter.take(final=True)
                continue
            block = splitter.take() if splitter.pending >= BLOCK_SIZE else None
            if block and block.offset >= self.start:
                yield block
        final = limit is None and not self.stopped and self.is_finished
        if block := splitter.take(final=final):
            yield block
        self.held = 0 if final else splitter.whole

    def _chained(self, limit: int | None, begin: int) -> Iterator[bytes]:
        """The new bytes; `chain` ends where the last whole line does."""
        running = Chain(self.job.instance)
        self.chain = running.copy()
        for chunk in pieces(self.opened.chunks(), [self.start]):
            self.watch(self.opened.progress.taken, self.tally.lines)
            if self.proof and running.length == self.start and running.value() != self.proof:
                self.opened.void = True
                raise changed()
            data = chunk if limit is None else chunk[: limit - running.length]
            before = running.length
            cut = data.rfind(b"\n") + 1
            running.update(data[:cut])
            if cut:
                self.chain = running.copy()
            running.update(data[cut:])
            if before + len(data) > begin:
                yield data[max(0, begin - before) :]
            if self.stop():
                self.stopped = True
                self.opened.check()
                return
            if limit is not None and running.length >= limit:
                return
        if limit is None and self.is_finished:
            self.chain = running


def _conclude(reading: _Reading, found: Recognised, head: bytes) -> Outcome:
    job, opened = reading.job, reading.opened
    damage: SourceError | None = None
    try:
        sink = reading.run(None)
        if reading.held:
            sink.discard()
            sink = reading.run(reading.chain.length - reading.held)
    except SourceError as error:
        if opened.void:
            raise
        damage, reading.verified = error, opened.progress.verified
        limit = opened.progress.given if job.salvage else reading.verified
        if limit <= reading.start:
            raise
        sink = reading.run(limit)
    if reading.stopped and opened.compression != "none":
        sink.discard()
        return Outcome(
            str(reading.one.path), "known", note="interrupted: it will be read again from its start"
        )
    try:
        return _staged(reading, found, head, sink, damage)
    except BaseException:
        sink.discard()
        raise


def _staged(
    reading: _Reading, found: Recognised, head: bytes, sink: Sink, damage: SourceError | None
) -> Outcome:
    job, tally, one = reading.job, reading.tally, reading.one
    replacing = job.replace and found.source is not None
    position = reading.chain.length
    if position <= reading.start:
        sink.discard()
        return Outcome(str(one.path), "known", note="no whole line is new", error=damage)
    source = source_after(
        found.source, job, path=str(one.path.absolute()), kind="file", reads=reading.reads, site=one.site or job.site,
        head=head, chain=reading.chain, tally=tally,
    )  # fmt: skip
    closed = datetime.fromtimestamp(reading.opened.modified, UTC).date()
    source = replace(
        source,
        state=_state(reading, damage),
        closed_latest=str(closed),
        closed_basis="modification time",
    )
    batch, closure, due = batch_of(
        source,
        job,
        sink,
        tally,
        start=found.source.position if found.source else 0,
        replacing=replacing,
    )
    return Outcome(
        str(one.path),
        "read",
        reading.reads.name,
        tally,
        batch,
        closure,
        due,
        "; ".join(filter(None, _notes(reading, source.state, replacing=replacing))),
        damage,
        replacing,
        len(batch.segments),
    )


def _state(reading: _Reading, damage: SourceError | None) -> str:
    if damage is None:
        return "open" if reading.stopped else "read"
    return "damaged" if reading.chain.length <= reading.verified else SALVAGED


def _notes(reading: _Reading, state: str, *, replacing: bool) -> Iterator[str]:
    if replacing:
        yield "took the place of the rows of this source"
    if reading.start:
        yield "went on where the last run stopped"
    if state == SALVAGED:
        yield "damaged: the readable lines were taken, unverified"
    elif state == "damaged":
        yield "damaged: taken up to the last verified member"
    if reading.stopped:
        yield "interrupted: the rest is taken next time"
    yield alarm(reading.tally)


def sample_of(path: Path) -> bytes:
    """The first bytes of a file, decompressed.

    Raises:
        SourceError: It cannot be read.
    """
    with Opened(path) as opened:
        return _sample(opened.chunks())[0]
