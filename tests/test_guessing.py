"""What a thief of the ledger, the instance key and the rows can guess of the octets that were masked.

The thief is given everything but those octets: every other byte of every line, and which lines are of one visitor. So
what keeps an octet secret is only how many of them must be guessed together before a stored hash says yes or no.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import pytest
from program import RECENT, ingest, line, logscrub, rows

from logscrub.dataset import Dataset, create
from logscrub.identity import HEAD, Chain, head_fingerprint
from logscrub.run.ingest import ingest_files, writing
from logscrub.run.pinned import policy_of
from logscrub.run.pipe import ingest_pipe
from logscrub.run.prepare import Wishes, job_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

NETS = (b"192.0.2.", b"198.51.100.", b"203.0.113.")
FEASIBLE = 2**17
"""Combinations that the thief of these tests tries; a real one has more time."""
SAFE = 2**32
"""Combinations that a hash must stand for at least: an hour or so of one core, where the hash is over 1 KiB."""
NOW = datetime.now(UTC)

Candidates = dict[int, list[int]]


@dataclass(frozen=True, slots=True)
class Log:
    """A log, and what the thief does not know of it.

    Args:
        lines: Visitor, what stands before the octet, what stands behind it.
        octets: Of each visitor.
    """

    lines: tuple[tuple[int, bytes, bytes], ...]
    octets: tuple[int, ...]

    @property
    def data(self) -> bytes:
        return self.with_octets(dict(enumerate(self.octets)))

    def with_octets(self, octets: dict[int, int], first: int | None = None) -> bytes:
        """The bytes, or those of the first lines, under a guess."""
        return b"".join(
            before + str(octets[visitor]).encode() + behind
            for visitor, before, behind in self.lines[:first]
        )

    def beginning(self, size: int) -> int:
        """How many lines can reach into the first bytes."""
        total = 0
        for number, (_, before, behind) in enumerate(self.lines):
            if total >= size:
                return number
            total += len(before) + 1 + len(behind)
        return len(self.lines)


def log_of(visitors: Sequence[int], *, seed: int, length: int = 150) -> Log:
    """A combined log: one line for each number of a visitor, of about so many bytes."""
    dice = random.Random(seed)
    count = max(visitors) + 1
    agents = [f"Mozilla/5.0 (X11; rv:{n}.0) Gecko".encode() for n in range(count)]
    found = []
    for number, visitor in enumerate(visitors):
        stamp = (RECENT + timedelta(seconds=number)).strftime("%d/%b/%Y:%H:%M:%S +0000").encode()
        behind = b' - - [%s] "GET /p/%d HTTP/1.1" 200 %d "-" "%s' % (
            stamp,
            number,
            number,
            agents[visitor],
        )
        behind += b" " + b"x" * max(0, length - 18 - len(behind)) + b'"\n'
        found.append((visitor, NETS[visitor % 3], behind))
    return Log(tuple(found), tuple(dice.randrange(256) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class Loot:
    """What a ledger tells of one source.

    Args:
        ranges: Start, stop and lines of its batches.
        rejects: Position and length.
    """

    key: bytes
    head_len: int
    head: bytes | None
    chain: bytes | None
    position: int
    ranges: tuple[tuple[int, int, int], ...]
    rejects: tuple[tuple[int, int], ...]


def stolen(out: Path) -> list[Loot]:
    """Copy the ledger with its journal, and read all of it."""
    copy = out.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in out.glob("ledger.db*"):
        shutil.copy(path, copy)
    key = bytes.fromhex((out / "keys" / "instance.key").read_text())
    db = sqlite3.connect(copy / "ledger.db")
    try:
        found = []
        for one, head_len, head, chain, position in db.execute(
            "SELECT id, head_len, head, chain, position FROM source ORDER BY rowid"
        ).fetchall():
            ranges = db.execute(
                "SELECT start, stop, lines FROM batch WHERE source = ? ORDER BY start", (one,)
            )
            rejects = db.execute(
                "SELECT position, length FROM reject JOIN batch ON batch.id = reject.batch WHERE source = ?"
                " ORDER BY position",
                (one,),
            )
            found.append(Loot(key, head_len, head, chain, position, tuple(ranges), tuple(rejects)))
        return found
    finally:
        db.close()


def by_length(log: Log, loot: Loot) -> Candidates:
    """What ranges of a single line leave of each octet: the number of its digits."""
    found: Candidates = {visitor: list(range(256)) for visitor in range(len(log.octets))}
    number = 0
    for start, stop, count in loot.ranges:
        if count == 1:
            visitor, before, behind = log.lines[number]
            digits = stop - start - len(before) - len(behind)
            found[visitor] = [one for one in found[visitor] if len(str(one)) == digits]
        number += count
    return found


def space(candidates: Candidates, visitors: set[int]) -> int:
    """How many combinations there are."""
    return prod(len(candidates[one]) for one in visitors)


def narrowed(
    candidates: Candidates, visitors: set[int], is_right: Callable[[dict[int, int]], bool]
) -> None:
    """Try all combinations, if they can be tried, and keep those that a hash says yes to."""
    if space(candidates, visitors) > FEASIBLE:
        return
    names = sorted(visitors)
    right = [
        guess
        for guess in product(*(candidates[one] for one in names))
        if is_right(dict(zip(names, guess, strict=True)))
    ]
    for place, one in enumerate(names):
        candidates[one] = sorted({guess[place] for guess in right})


def head_visitors(log: Log, loot: Loot) -> set[int]:
    """Whose octets the head hash is over."""
    return {visitor for visitor, _, _ in log.lines[: log.beginning(loot.head_len)]}


def attack(log: Log, loot: Loot) -> Candidates:
    """All that lengths, the head and the chain leave of each octet."""
    found = by_length(log, loot)
    first = log.beginning(loot.head_len)

    def begins_so(guess: dict[int, int]) -> bool:
        head = log.with_octets(guess, first)[: loot.head_len]
        return head_fingerprint(loot.key, head) == loot.head

    def is_so(guess: dict[int, int]) -> bool:
        chain = Chain(loot.key)
        chain.update(log.with_octets(guess)[: loot.position])
        return chain.value() == loot.chain

    if loot.head:
        narrowed(found, head_visitors(log, loot), begins_so)
    if loot.chain:
        narrowed(found, set(found), is_so)
    return found


def recovered(log: Log, found: Candidates) -> dict[int, int]:
    """Octets of which the thief is sure; he is never wrong."""
    sure = {visitor: values[0] for visitor, values in found.items() if len(values) == 1}
    assert all(log.octets[visitor] == value for visitor, value in sure.items())
    return sure


def quiet(path: Path, data: bytes) -> Path:
    """A file that nobody has touched for an hour."""
    path.write_bytes(data)
    past = time.time() - 3600
    os.utime(path, (past, past))
    return path


def pipe(out: Path, chunks: Iterator[bytes | None]) -> None:
    """Read a pipe that commits after each portion."""
    dataset = Dataset(out)
    create(dataset)
    policy = policy_of(dataset, "")
    job = job_for(dataset, policy, Wishes(), now=NOW)
    with writing(dataset, policy, stamp=job.stamp) as (ledger, _):
        summary = ingest_pipe(dataset, ledger, chunks, job, flush=0)
    assert summary.error() is None


def read(out: Path, *paths: Path) -> None:
    """Read files, in this process."""
    dataset = Dataset(out)
    create(dataset)
    policy = policy_of(dataset, "")
    job = job_for(dataset, policy, Wishes(), now=NOW)
    with writing(dataset, policy, stamp=job.stamp) as (ledger, _):
        summary = ingest_files(dataset, ledger, [str(path) for path in paths], job)
    assert summary.error() is None


def drop(log: Log) -> Iterator[bytes | None]:
    """One line a portion."""
    for visitor, before, behind in log.lines:
        yield before + str(log.octets[visitor]).encode() + behind
        yield None


SEVERAL = log_of([n % 12 for n in range(120)], seed=1)


def is_safe(log: Log, loot: Loot) -> None:
    """Nothing is recovered, no octet narrowed down, and neither hash can be tried out."""
    found = attack(log, loot)
    assert recovered(log, found) == {}
    assert {len(values) for values in found.values()} == {256}
    assert loot.head is None or space(found, head_visitors(log, loot)) >= SAFE
    assert loot.chain is None or space(found, set(found)) >= SAFE


def test_a_file_of_several_visitors_tells_no_octet(tmp_path: Path) -> None:
    """Also once the raw file is gone and the hashes are all that is left of it."""
    out, log = tmp_path / "out", quiet(tmp_path / "a.log", SEVERAL.data)
    ingest(out, log)
    (before,) = stolen(out)
    assert rows(out, "SELECT DISTINCT client_net FROM logs ORDER BY 1") == [
        ("192.0.2.0/24",), ("198.51.100.0/24",), ("203.0.113.0/24",),
    ]  # fmt: skip
    is_safe(SEVERAL, before)
    log.unlink()
    read(out, quiet(tmp_path / "b.log", line(1)))
    is_safe(SEVERAL, stolen(out)[0])


def test_a_pipe_tells_lengths_of_lines_until_its_batches_are_joined(tmp_path: Path) -> None:
    """One line a commit: before `compact` the number of digits of each octet shows, afterwards nothing does."""
    out = tmp_path / "out"
    pipe(out, drop(SEVERAL))
    (before,) = stolen(out)
    assert len(before.ranges) == 120
    narrow = {len(values) for values in by_length(SEVERAL, before).values()}
    assert narrow <= {10, 90, 156}
    assert len(narrow) > 1, "the thief of this test cannot measure"
    assert logscrub("compact", out).code == 0
    (after,) = stolen(out)
    assert [(start, count) for start, _, count in after.ranges] == [(0, 120)]
    is_safe(SEVERAL, after)


def test_rejects_between_lines_tell_how_many_digits_an_octet_has(tmp_path: Path) -> None:
    """Their places are kept. One row between two of them has a known length: 10, 90 or 156 octets are left, no less."""
    followed = {number for number in range(120) if number % 9 < 2}
    data = b"".join(
        before
        + str(SEVERAL.octets[visitor]).encode()
        + behind
        + b"garbage\n" * (number in followed)
        for number, (visitor, before, behind) in enumerate(SEVERAL.lines)
    )
    out = tmp_path / "out"
    read(out, quiet(tmp_path / "a.log", data))
    (loot,) = stolen(out)
    place = dict(zip(sorted(followed), loot.rejects, strict=True))
    found: Candidates = {visitor: list(range(256)) for visitor in range(12)}
    for number, (visitor, before, behind) in enumerate(SEVERAL.lines):
        if number in place and number - 1 in place:
            digits = place[number][0] - sum(place[number - 1]) - 1 - len(before) - len(behind)
            found[visitor] = [one for one in found[visitor] if len(str(one)) == digits]
    assert recovered(SEVERAL, found) == {}
    assert {len(values) for values in found.values()} & {10, 90, 156}
    assert min(len(values) for values in found.values()) >= 10


ONE = log_of([0], seed=2)


def test_one_line_can_be_guessed_while_its_raw_file_is_there(tmp_path: Path) -> None:
    """The attack works where it may, so the other tests could fail; then the hashes go, and it does not."""
    out, log = tmp_path / "out", quiet(tmp_path / "a.log", ONE.data)
    read(out, log)
    (loot,) = stolen(out)
    assert loot.head_len < HEAD
    assert recovered(ONE, attack(ONE, loot)) == {0: ONE.octets[0]}
    log.unlink()
    read(out, quiet(tmp_path / "b.log", line(1)))
    loot, _ = stolen(out)
    assert (loot.head, loot.chain) == (None, None)
    # what is left is the length of the only line
    assert len(attack(ONE, loot)[0]) in {10, 90, 156}
    for path in out.glob("ledger.db*"):
        assert head_fingerprint(loot.key, ONE.data) not in path.read_bytes()


@pytest.mark.parametrize("visitors", [1, 2])
def test_a_head_of_few_visitors_tells_no_octet(visitors: int, tmp_path: Path) -> None:
    """Lines of 240 bytes, as in real logs: the first 1,024 bytes are of one or two visitors, then come others."""
    log = log_of([n % visitors if n < 5 else n % 12 for n in range(120)], seed=3, length=240)
    out, path = tmp_path / "out", quiet(tmp_path / "a.log", log.data)
    read(out, path)
    path.unlink()
    read(out, quiet(tmp_path / "b.log", line(1)))
    loot = stolen(out)[0]
    assert recovered(log, attack(log, loot)) == {}


def test_a_long_log_of_one_visitor_tells_no_octet(tmp_path: Path) -> None:
    """A host that only a monitor asks: 256 guesses over however many lines."""
    log = log_of([0] * 600, seed=4, length=150)
    assert len(log.data) > 2**16
    out, path = tmp_path / "out", quiet(tmp_path / "a.log", log.data)
    read(out, path)
    path.unlink()
    read(out, quiet(tmp_path / "b.log", line(1)))
    loot = stolen(out)[0]
    assert recovered(log, attack(log, loot)) == {}


def history(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Position and chain after each commit that SQLite's journal still holds."""
    journal = (folder / "ledger.db-wal").read_bytes()
    size = 24 + struct.unpack(">I", journal[8:12])[0] if journal else 1
    for end in range(32 + size, len(journal) + 1, size):
        head = journal[end - size : end - size + 24]
        if head[8:16] != journal[16:24] or not struct.unpack(">I", head[4:8])[0]:
            continue
        earlier = folder / "earlier"
        shutil.rmtree(earlier, ignore_errors=True)
        earlier.mkdir()
        shutil.copy(folder / "ledger.db", earlier)
        (earlier / "ledger.db-wal").write_bytes(journal[:end])
        db = sqlite3.connect(earlier / "ledger.db")
        try:
            yield from db.execute("SELECT position, chain FROM source")
        except sqlite3.OperationalError:
            # before the tables were made
            continue
        finally:
            db.close()


def test_a_running_pipe_tells_no_octet(tmp_path: Path) -> None:
    """A copy of the ledger and its journal, made while lines come one by one: each chain value is over one line more."""
    out, folder = tmp_path / "out", tmp_path / "copy"
    log = Log(SEVERAL.lines[:40], SEVERAL.octets)

    def chunks() -> Iterator[bytes | None]:
        yield from drop(log)
        shutil.copytree(out, folder)

    pipe(out, chunks())
    key = bytes.fromhex((folder / "keys" / "instance.key").read_text())
    values = dict(history(folder))
    found: Candidates = {visitor: list(range(256)) for visitor in range(len(log.octets))}
    chain = Chain(key)
    for visitor, before, behind in log.lines:
        right = []
        for octet in found[visitor]:
            longer = chain.copy()
            longer.update(before + str(octet).encode() + behind)
            if values.get(longer.length) == longer.value():
                right.append((octet, longer))
        if not right:
            break
        found[visitor], chain = [right[0][0]], right[0][1]
    assert recovered(log, found) == {}


def test_what_is_forgotten_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite leaves the bytes of what it deletes in its pages, unless it is told or built to overwrite them."""
    connect = sqlite3.connect

    def as_usually_built(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*arguments, **options)
        db.execute("PRAGMA secure_delete = OFF")
        return db

    monkeypatch.setattr("logscrub.ledger_file.sqlite3.connect", as_usually_built)
    out, log = tmp_path / "out", quiet(tmp_path / "a.log", ONE.data)
    read(out, log)
    (loot,) = stolen(out)
    assert loot.head
    assert loot.chain
    log.unlink()
    read(out, quiet(tmp_path / "b.log", line(1)))
    left = b"".join(path.read_bytes() for path in out.glob("ledger.db*"))
    # eight bytes of a hash are enough to say yes to one guess of 256
    pieces = [one[at : at + 8] for one in (loot.head, loot.chain) for at in range(25)]
    assert [piece for piece in pieces if piece in left] == []
