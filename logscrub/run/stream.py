"""A source that grows: scrubbed as its bytes come, committed piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logscrub.blocks import Splitter
from logscrub.errors import BusyError, FormatError, OutputError, PastDueError
from logscrub.formats import hold
from logscrub.formats.choice import choose, judgeable
from logscrub.identity import HEAD, Chain
from logscrub.run.batch import Job, Outcome, batch_of, source_after
from logscrub.run.ingest import commit as commit_batch
from logscrub.run.scrubbing import Scrubbing, Tally
from logscrub.run.staging import SAMPLE
from logscrub.schema import Block, Reason
from logscrub.sink import Sink

if TYPE_CHECKING:
    from datetime import date

    from logscrub.dataset import Dataset
    from logscrub.formats.layout import Format
    from logscrub.ledger import Ledger
    from logscrub.records import Source


class MovedError(BusyError):
    """Somebody else read a source on in the meantime: what waits of it must be recognised anew."""


@dataclass(slots=True)
class Stream:
    """How far a growing source was read, and what of it waits for its commit.

    Args:
        job: The run; with what the ledger knew when the stream began.
        path: Where it is, `-` for a pipe.
        kind: `file` or `pipe`.
        format: Name, string or `auto`.
        site: What it is called, already judged.
        zone: For formats that do not say their offset.
        source: Its row in the ledger, None before its first commit.
        chain: Over all bytes up to `position`.
    """

    job: Job
    path: str = "-"
    kind: str = "pipe"
    format: str = "auto"
    site: str = ""
    zone: str = ""
    source: Source | None = None
    chain: Chain = field(init=False)
    splitter: Splitter = field(init=False)
    head: bytes = field(default=b"", repr=False)
    reads: Format | None = None
    decided: bool = False
    sink: Sink | None = None
    tally: Tally = field(default_factory=Tally)
    total: Tally = field(default_factory=Tally)
    committed: int = 0
    segments: int = 0
    due: date | None = None
    closure: date | None = None
    refused: PastDueError | None = None
    _proven: Chain = field(init=False)
    _header: bytes = field(init=False, repr=False)
    """The `#Fields:` line that rules behind what is committed."""
    _last: Outcome | None = None
    _beyond: Chain | None = None
    """`chain`, gone on by lines that the splitter gave up; their block follows."""

    def __post_init__(self) -> None:
        self.start_at(Chain(self.job.instance))

    def start_at(self, chain: Chain, header: bytes = b"") -> None:
        """Go on behind the bytes of a chain, under a `#Fields:` line if the log has such; what waits is dropped."""
        self.drop()
        self.chain, self._proven, self._beyond = chain, chain.copy(), None
        self.committed = chain.length
        self.splitter = Splitter(chain.length, dropped=self._pass, header=header)
        self.splitter.hold = hold(self.reads) if self.reads else None
        self.splitter.headed = bool(header) or bool(self.reads and self.reads.headed)
        self._header = header

    @property
    def position(self) -> int:
        """Bytes that were scrubbed, committed or not."""
        return self.chain.length

    @property
    def waits(self) -> bool:
        """Whether something that was read is not committed."""
        return self.sink is not None or self.splitter.pending > 0 or self.splitter.has_line

    def rewind(self) -> None:
        """Back to what is committed; the bytes behind it will be pushed again."""
        self.start_at(self._proven, self._header)
        # the bytes behind it come once more
        self.head = self.head[: self.committed]

    def drop(self) -> None:
        """Forget the rows that wait."""
        if self.sink:
            self.sink.discard()
        self.sink, self.tally = None, Tally()

    def push(self, chunk: bytes) -> None:
        """Take over the bytes that follow."""
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        self.splitter.push(chunk)

    def _pass(self, data: bytes) -> None:
        self._beyond = self._beyond or self.chain.copy()
        self._beyond.update(data)

    def judge(self, sample: bytes, name: str) -> None:
        """Decide on the format.

        Args:
            sample: Lines.
            name: What the source is called in the error.

        Raises:
            FormatError: None fits.
        """
        choice = choose(sample, self.format, self.job.reads)
        if choice.format is None:
            raise FormatError(f"{name}: {choice.refusal}", hint=choice.hint)
        # blank lines tell nothing: those that follow decide
        self.reads, self.decided = choice.format, choice.kind != "empty"
        self.splitter.hold, self.splitter.headed = hold(self.reads), self.reads.headed

    def take(self, *, final: bool = False) -> Block | None:
        """The whole lines that wait, None when there is none; the first ones decide on the format.

        Args:
            final: Nothing follows, so an unterminated last line counts.

        Raises:
            FormatError: No format fits.
        """
        block = self.splitter.take(final=final)
        if block is None or self.decided:
            return block
        sample = block.data[:SAMPLE]
        self.judge(
            sample if judgeable(sample) else block.data,
            "standard input" if self.kind == "pipe" else self.path,
        )
        if final or not (self.splitter.hold or self.splitter.headed):
            return block
        # parts of a line at its end belong to what follows, and headers in it rule there
        self.splitter.put_back(block)
        return self.splitter.take()

    def scrub(self, block: Block) -> None:
        """Scrub the lines that follow, as `take` gave them."""
        assert self.reads is not None
        transform = self.job.transform
        work = Scrubbing(
            self.reads, transform, self.zone, self.site, self.job.keys, datetime.now(UTC)
        )
        parsed, table = work.scrub([work.parse(block)])
        self.sink = self.sink or Sink(self.job.staging, sorts=transform.sorts)
        self.sink.add(table)
        self.tally.add(parsed, table.newest_ms)
        if len(block.overlong) and self._beyond:
            self.chain, self._beyond = self._beyond, None
        self.chain.update(block.data)

    def commit(self, out: Dataset, ledger: Ledger, *, state: str, basis: str) -> None:
        """Commit the rows that wait.

        Args:
            out: The dataset, held by its one writer.
            ledger: Its ledger.
            state: `open`, or `read` when nothing follows.
            basis: How the latest bound of the closure is known.

        Raises:
            OutputError: The disk refuses. `taken` tells whether the rows exist all the same.
            MovedError: The ledger has another position than the one this began at; nothing was committed.
        """
        if self.sink is None or self.reads is None or self.position <= self.committed:
            return
        job = replace(self.job, now=datetime.now(UTC))
        source = source_after(
            self.source, job, path=self.path, kind=self.kind, reads=self.reads, site=self.site, head=self.head,
            chain=self.chain, tally=self.tally,
        )  # fmt: skip
        source = replace(source, closed_latest=str(job.today), closed_basis=basis, state=state)
        try:
            batch, closure, due = batch_of(source, job, self.sink, self.tally, start=self.committed)
        except PastDueError as error:
            self.refused = error
            self.tally.rejects[Reason.PAST_DUE] += self.tally.rows
            self.tally.rows = 0
            self.sink.discard()
            batch, closure, due = batch_of(source, job, self.sink, self.tally, start=self.committed)
        outcome = Outcome(self.path, "read", self.reads.name, self.tally, batch, closure, due)
        try:
            commit_batch(out, ledger, outcome, stamp=job.stamp)
        except (OutputError, BusyError):
            there = next((one for one in ledger.sources() if one.id == source.id), None)
            position = there.position if there else 0
            ours = {one.name for one in batch.segments} <= {one.name for one in ledger.segments()}
            if position == source.position and ours:
                # the rows exist, and only their files are not where readers look: recovery moves them
                self._advance(source, outcome)
            elif position != self.committed:
                raise MovedError(
                    f"{self.path}: another process read this source in the meantime",
                    hint="a file is read on from there; begin a pipe anew",
                ) from None
            raise
        self._advance(source, outcome)

    def taken(self) -> Outcome | None:
        """What was committed since this was asked last."""
        last, self._last = self._last, None
        return last

    def _advance(self, source: Source, outcome: Outcome) -> None:
        assert outcome.batch is not None
        self._last = outcome
        self.total.include(self.tally)
        self.segments += len(outcome.batch.segments)
        self.source, self.committed, self._proven = source, self.position, self.chain.copy()
        self._header = self.splitter.header
        self.sink, self.tally = None, Tally()
        self.closure, self.due = outcome.closure or self.closure, outcome.due or self.due
