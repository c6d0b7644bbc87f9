"""From bytes to scrubbed tables, with reading, scrubbing and writing overlapped."""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from logscrub import keystore
from logscrub.formats import parse
from logscrub.identity import CLIENTS
from logscrub.ledger import MAX_LISTED_REJECTS
from logscrub.machine import SIZES, give_back_libraries
from logscrub.schema import REASONS, Raw, Reason, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from logscrub.formats.layout import Format
    from logscrub.schema import Block, Parsed
    from logscrub.transform import Scrubbed, Transform

T = TypeVar("T")
R = TypeVar("R")

_MOST_BLOCKS = 8
"""Blocks of a batch, however few rows they give."""


@dataclass(frozen=True, slots=True)
class Scrubbing:
    """How to turn the blocks of one source into scrubbed tables.

    Args:
        reads: The format of its lines.
        transform: The compiled policy.
        zone: IANA name for lines that do not say their offset, empty for none.
        site: What the source is called, empty to take it from the line.
        keys: The key folder.
        now: The present, which decides whether a key period is over.
    """

    reads: Format
    transform: Transform
    zone: str
    site: str
    keys: Path
    now: datetime

    def parse(self, block: Block) -> Parsed:
        """Take the lines of one block apart."""
        return parse(
            block, self.reads, self.transform.needs,
            zone=self.zone or None, lexicons=self.transform.lexicons,
        )  # fmt: skip

    def scrub(self, parts: Sequence[Parsed]) -> tuple[Parsed, Scrubbed]:
        """Scrub what was parsed, blocks that follow one another together."""
        parsed = joined(parts)
        rule = self.transform.policy.address
        keys = keystore.period_keys(
            self.keys, self.transform.periods(parsed), rotation_days=rule.rotation.days,
            ttl_days=rule.key_ttl.days, now=self.now,
        )  # fmt: skip
        return parsed, self.transform.apply(parsed, keys=keys, site_name=self.site)


@dataclass(slots=True)
class Tally:
    """Where every line went.

    Args:
        lines: `rows + blanks + sum(rejects)`, always.
        formats: Rows by the name of the layout that read them.
        listed: `(position, length, reason)` of the first rejects.
        newest_ms: Newest event, None without rows.
        clients: Most different addresses of one batch, counted up to `CLIENTS`.
    """

    lines: int = 0
    rows: int = 0
    blanks: int = 0
    rejects: Counter[Reason] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    listed: list[tuple[int, int, str]] = field(default_factory=list)
    newest_ms: int | None = None
    clients: int = 0

    def add(self, parsed: Parsed, newest_ms: int | None) -> None:
        """Count one block."""
        self.lines += parsed.lines
        self.rows += parsed.rows
        self.blanks += parsed.blanks
        self.rejects.update(parsed.rejects.by_reason())
        self.formats.update({name: rows for name, rows in parsed.formats.items() if rows})
        room = MAX_LISTED_REJECTS - len(self.listed)
        rejects = parsed.rejects
        for place, length, reason in zip(
            rejects.offsets[:room], rejects.lengths[:room], rejects.reasons[:room], strict=True
        ):
            self.listed.append((int(place), int(length), str(REASONS[reason])))
        self._newer(newest_ms)
        if self.clients < CLIENTS and (addresses := parsed.columns.get(Raw.ADDRESS)) is not None:
            numbers = addresses.indices if pa.types.is_dictionary(addresses.type) else addresses
            self.clients = max(self.clients, min(CLIENTS, pc.count_distinct(numbers).as_py()))

    def include(self, other: Tally) -> None:
        """Count everything that another tally counted."""
        self.lines += other.lines
        self.rows += other.rows
        self.blanks += other.blanks
        self.rejects.update(other.rejects)
        self.formats.update(other.formats)
        self.listed += other.listed[: MAX_LISTED_REJECTS - len(self.listed)]
        self.clients = max(self.clients, other.clients)
        self._newer(other.newest_ms)

    def _newer(self, newest_ms: int | None) -> None:
        if newest_ms is not None:
            self.newest_ms = max(newest_ms, self.newest_ms or newest_ms)


def scrubbed(blocks: Iterable[Block], scrubbing: Scrubbing) -> Iterator[tuple[Parsed, Scrubbed]]:
    """Parse and scrub blocks, several at the same time, and give the rows back in order.

    Blocks are scrubbed in batches, because a batch has each distinct value once and the cost of a call once. Memory is
    bounded: no more is read ahead than the threads have work for.
    """
    give_back_libraries()
    with ThreadPoolExecutor(SIZES.threads) as pool:
        parsed = _side_by_side(pool, scrubbing.parse, ahead(blocks), waiting=SIZES.threads + 1)
        tables = _side_by_side(pool, scrubbing.scrub, _batches(parsed), waiting=1)
        yield from islice(tables, 1)
        # the first batch had loops and engines loaded
        give_back_libraries()
        yield from tables


def _batches(parsed: Iterable[Parsed]) -> Iterator[list[Parsed]]:
    batch: list[Parsed] = []
    for one in parsed:
        batch.append(one)
        # lines that give few rows, or long ones, may not pile up
        if len(batch) == _MOST_BLOCKS or sum(part.rows for part in batch) >= SIZES.batch:
            yield batch
            batch = []
    if batch:
        yield batch


def _side_by_side(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], *, waiting: int
) -> Iterator[R]:
    """What `work` gives for each item, in their order, while up to so many more are under way."""
    futures: deque[Future[R]] = deque()
    try:
        for item in items:
            futures.append(pool.submit(work, item))
            if len(futures) > waiting:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()


def ahead(items: Iterable[T], *, depth: int = 2) -> Iterator[T]:
    """Produce items in a thread of their own, at most `depth` of them in advance."""
    room, ready = threading.Semaphore(depth), queue.SimpleQueue[tuple[bool, Any]]()
    stopped = threading.Event()

    def produce() -> None:
        try:
            for item in items:
                room.acquire()
                if stopped.is_set():
                    return
                ready.put((True, item))
            ready.put((False, None))
        except BaseException as error:  # noqa: BLE001 — handed on to the consumer
            ready.put((False, error))

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while True:
            is_item, value = ready.get()
            if is_item:
                room.release()
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stopped.set()
        room.release()
        thread.join()
