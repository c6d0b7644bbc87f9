"""Commands that change a dataset, what a reader may see while they are stopped, and what must hold in the end."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import faults
import pyarrow.parquet as pq
from program import RECENT, lines

from logscrub import cli
from logscrub.dataset import Dataset, create, opened
from logscrub.errors import exit_codes
from logscrub.ledger import deletion_hash
from logscrub.run.expire import expire
from logscrub.run.ingest import writing
from logscrub.run.pinned import policy_of
from logscrub.run.pipe import ingest_pipe
from logscrub.run.prepare import Wishes, job_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faults import Call, Ended

    from logscrub.ledger import Ledger
    from logscrub.records import Segment

OLDER: Final = RECENT - timedelta(days=1)
LONG_AGO: Final = RECENT - timedelta(days=40)
BROKEN: Final = b"this is not a line of an access log\n"
SECOND: Final = "fsync,fdatasync,rename,renameat2,link,unlink,pwrite64"
"""Where a command is killed that goes on after the first time."""
CODES: Final = dict(exit_codes())

Counts = tuple[int, int, int, int]
"""Lines, rows, rejects, blank lines."""


def log(first: int, *days: datetime) -> bytes:
    """A log with 100 lines for each of two dates, a line that is none, and an empty one."""
    one, two = days
    return (
        lines(*range(first, first + 100), when=one) + BROKEN + b"\n"
        + lines(*range(first + 100, first + 200), when=two)
    )  # fmt: skip


LOGS: Final = {
    "a.log": log(0, OLDER, RECENT),
    "b.log": log(200, OLDER, RECENT),
    "old.log": log(400, LONG_AGO - timedelta(days=1), LONG_AGO),
}
ALL: Final[Counts] = (202, 200, 1, 1)
PIPED: Final = [
    lines(*range(600, 660), when=OLDER),
    lines(*range(660, 700), when=OLDER) + BROKEN + b"\n" + lines(*range(700, 720)),
    lines(*range(720, 800)),
]


def write_logs(folder: Path) -> None:
    """The logs, untouched for an hour."""
    for name, data in (LOGS | {f"portion{n}": data for n, data in enumerate(PIPED)}).items():
        (folder / name).write_bytes(data)
        past = datetime.now(UTC).timestamp() - 3600
        os.utime(folder / name, (past, past))


def command(*words: object) -> int:
    """One command line."""
    return cli.run([str(word) for word in words])


def files(logs: Path, out: Path) -> int:
    """Two files into a new dataset."""
    return command("ingest", logs / "a.log", logs / "b.log", "--out", out)


def pipe(logs: Path, out: Path) -> None:
    """A pipe that is committed after each of three portions."""
    dataset, now = Dataset(out), datetime.now(UTC)
    policy = policy_of(dataset, "")
    create(dataset)
    job = job_for(dataset, policy, Wishes(), now=now)
    with writing(dataset, policy, stamp=job.stamp) as (ledger, _removed):
        summary = ingest_pipe(dataset, ledger, portions(logs), job, flush=0)
    if error := summary.error():
        raise error


def portions(logs: Path) -> Iterator[bytes]:
    """What comes through the pipe; from files, as every process has another idea of what is recent."""
    for number in range(len(PIPED)):
        yield (logs / f"portion{number}").read_bytes()


def replace(logs: Path, out: Path) -> int:
    """A file again, whose rows share segments with those of another."""
    return command("ingest", logs / "a.log", "--replace", "--out", out)


def compact(_: Path, out: Path) -> int:
    """Four segments become two."""
    return command("compact", out)


def expire_folders(_: Path, out: Path) -> None:
    """Deletion on the day on which the older file is due."""
    expire(Dataset(out), now=LONG_AGO + timedelta(days=370))


def expire_segments(_: Path, out: Path) -> int:
    """Deletion under a policy that became shorter: single segments go, before their folder's day."""
    return command("expire", out)


def nothing(_logs: Path, _out: Path) -> None:
    """No dataset yet."""


def with_pipe_to_come(logs: Path, out: Path) -> int:
    """A dataset with one file."""
    return command("ingest", logs / "a.log", "--out", out)


def merged(logs: Path, out: Path) -> int:
    """A dataset whose segments have rows of two files each."""
    return files(logs, out) or compact(logs, out)


def aged(logs: Path, out: Path) -> int:
    """A dataset with a file that is due earlier than the other."""
    return command("ingest", logs / "old.log", logs / "b.log", "--out", out)


def shortened(logs: Path, out: Path) -> int:
    """The same under a policy by which the older one is due today."""
    return aged(logs, out) or command(
        "policy", "apply", out, "--policy", "strict-30d", "--reason", "less is enough"
    )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command, and its law.

    Args:
        prepare: Makes the dataset it starts from.
        act: The command. Run again it finishes what was stopped.
        shown: Whether a reader may see these rows at any moment, given their numbers.
        counts: What the ledger says of each source at the end.
        kept: Numbers of the rows at the end.
        discards: Whether stopping it can leave something to throw away.
    """

    prepare: Callable[[Path, Path], int | None]
    act: Callable[[Path, Path], int | None]
    shown: Callable[[Counter[int]], bool]
    counts: dict[str, Counts]
    kept: range | Sequence[int]
    discards: bool = True


def _once(numbers: range | Sequence[int]) -> Callable[[Counter[int]], bool]:
    """Some of these, none twice."""
    return lambda seen: seen <= Counter(numbers)


def _exactly(*choices: range) -> Callable[[Counter[int]], bool]:
    """One of these sets of rows, each once."""
    return lambda seen: any(seen == Counter(one) for one in choices)


_BOTH: Final = {"a.log": ALL, "b.log": ALL}
_AGED: Final = {"old.log": ALL, "b.log": ALL}
_WITH_PIPE: Final = [*range(200), *range(600, 800)]

SCENARIOS: Final = {
    "files": Scenario(nothing, files, _once(range(400)), _BOTH, range(400)),
    "pipe": Scenario(
        with_pipe_to_come, pipe, _once(_WITH_PIPE), {"a.log": ALL, "-": ALL}, _WITH_PIPE
    ),
    "replace": Scenario(merged, replace, _exactly(range(400)), _BOTH, range(400)),
    "compact": Scenario(files, compact, _exactly(range(400)), _BOTH, range(400)),
    "expire": Scenario(
        aged, expire_folders, _exactly(range(200, 400), range(200, 600)), _AGED, range(200, 400),
        discards=False,
    ),
    "shortened": Scenario(
        shortened, expire_segments, lambda seen: Counter(range(200, 400)) <= seen <= Counter(range(200, 600)),
        _AGED, range(200, 400), discards=False,
    ),
}  # fmt: skip


def visible(out: Path) -> Counter[int]:
    """The rows that a listing of the dataset shows, by number."""
    seen: Counter[int] = Counter()
    for path in (out / "data").rglob("*.parquet"):
        seen.update(pq.read_table(path, columns=["bytes_sent"], partitioning=None)[0].to_pylist())
    return seen


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stopped command left.

    Args:
        forward: Whether there is something to finish.
        discard: Whether there is something to throw away.
        strangers: Files in `data/` that the ledger does not know.
    """

    forward: bool
    discard: bool
    strangers: list[str]


def left_by(out: Path) -> Stopped:
    """Look at a dataset without touching it."""
    known = states(out)
    waiting = {name for name, state in known.items() if state == "staged"}
    staged = {path.name for path in out.glob("staging/*")}
    return Stopped(
        forward=bool(set(known.values()) - {"published", "expired"}),
        discard=bool({name for name in staged if not name.startswith("old-")} - waiting),
        strangers=[path.name for path in out.glob("data/**/*.parquet") if path.name not in known],
    )


def states(out: Path) -> dict[str, str]:
    """The state of each segment; a copy of the ledger is asked, as asking changes its files."""
    with tempfile.TemporaryDirectory() as folder:
        for path in out.glob("ledger.db*"):
            shutil.copy(path, folder)
        db = sqlite3.connect(Path(folder) / "ledger.db")
        try:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'segment'").fetchone():
                return {}
            return dict(db.execute("SELECT name, state FROM segment"))
        finally:
            db.close()


def check(out: Path, scenario: Scenario) -> None:
    """Everything that must hold after a command and its recovery."""
    assert visible(out) == Counter(scenario.kept), "rows are missing, or twice"
    with opened(Dataset(out)) as ledger:
        segments = ledger.segments()
        assert {one.state for one in segments} <= {"published", "expired"}
        here = [one for one in segments if one.state == "published"]
        _check_files(out, here)
        _check_sources(ledger, here, scenario)
        _check_deletions(ledger, {one.name: one for one in segments if one.state == "expired"})
    assert not (left := left_over(out)), f"left over: {left}"


def _check_files(out: Path, segments: Sequence[Segment]) -> None:
    """What the ledger says of each file, and nothing else, is there."""
    found = {path.name: path for path in out.glob("data/**/*") if path.is_file()}
    assert set(found) == {one.name for one in segments}, "files and ledger differ"
    for one in segments:
        content = found[one.name].read_bytes()
        assert (found[one.name].parent, len(content)) == (out / "data" / one.folder, one.bytes)
        assert hashlib.sha256(content).hexdigest() == one.sha256
        assert pq.read_metadata(found[one.name]).num_rows == one.rows


def _check_sources(ledger: Ledger, segments: Sequence[Segment], scenario: Scenario) -> None:
    """Each source is there once, whole, and its counts add up."""
    kept = Counter[str]()
    for segment in segments:
        for source, count in segment.sources:
            kept[source] += count
    names = {one.id: Path(one.path).name or "-" for one in ledger.sources()}
    assert sorted(names.values()) == sorted(scenario.counts), "a source is missing, or twice"
    for one in ledger.sources():
        own = sorted(
            (b for b in ledger.batches() if b["source"] == one.id), key=lambda b: int(b["start"])
        )
        assert [b["start"] for b in own] == [0, *(b["stop"] for b in own[:-1])], "a gap"
        assert own[-1]["stop"] == one.position == size_of(names[one.id]), "not read to its end"
        read, rows, blanks = (sum(b[what] for b in own) for what in ("lines", "rows", "blanks"))
        rejects = sum(sum(b["rejects"].values()) for b in own)
        assert (read, rows, rejects, blanks) == scenario.counts[names[one.id]], "wrong counts"
        assert read == rows + rejects + blanks
        assert kept[one.id] in {0, rows}, "rows of a source are missing"


def _check_deletions(ledger: Ledger, expired: dict[str, Segment]) -> None:
    """Each deletion is recorded once, in one chain."""
    link = ""
    for entry in ledger.deletions():
        assert entry["previous"] == link, "the log of deletions is broken"
        link = deletion_hash(link, entry["at"], expired.pop(entry["segment"]), entry["reason"])
        assert entry["hash"] == link
    assert not expired, "a deletion is not recorded"


def size_of(name: str) -> int:
    """Bytes of a source."""
    return len(b"".join(PIPED)) if name == "-" else len(LOGS[name])


def left_over(out: Path) -> list[str]:
    """What is in a dataset that has no business there, beside keys."""
    usual = {"data", "staging", "keys", "policy.toml", "ledger.db", "lock", "ingest.lock"}
    found = [path.name for path in out.iterdir() if path.name not in usual]
    return found + [f"staging/{path.name}" for path in out.glob("staging/*")]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a command is stopped again and again.

    Args:
        scenario: The command.
        folder: Holds its logs, the dataset it starts from, and what is left of the last run.
        calls: Those by which it changes the dataset when nothing stops it.
    """

    scenario: Scenario
    folder: Path
    calls: tuple[Call, ...]


def bench(scenario: Scenario, folder: Path) -> Bench:
    """Prepare a dataset, and see what the command does with a copy of it."""
    write_logs(folder)
    prepared = faults.run(scenario.prepare, folder, folder / "before", root=folder / "before")
    assert prepared.code == 0, prepared.said
    made = Bench(scenario, folder, ())
    out = _fresh(made)
    done = faults.run(scenario.act, folder, out, root=out, trace=folder / "trace")
    assert done.code == 0, done.said
    settle(made, out)
    check(out, scenario)
    calls = tuple(call for call in done.calls if call.changes)
    assert len({call.thread for call in calls}) == 1, "strace counts for each thread"
    return replaced(made, calls=calls)


def _fresh(bench: Bench) -> Path:
    out = bench.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    if (bench.folder / "before").exists():
        shutil.copytree(bench.folder / "before", out)
    return out


def stopped(
    bench: Bench, call: Call, fault: str, *, before: Callable[[], None] = lambda: None
) -> tuple[Path, Ended]:
    """Run the command on a copy of its dataset, with a fault at one call.

    Args:
        bench: The command.
        call: Where.
        fault: For strace, as in `signal=SIGKILL` or `error=EIO`; with `+` at this call and all later ones of its name.
        before: Called when the copy is made.
    """
    out = _fresh(bench)
    before()
    inject = f"{call.name}:{fault.rstrip('+')}:when={call.number}{'+' * fault.endswith('+')}"
    trace = bench.folder / "trace"
    return out, faults.run(
        bench.scenario.act, bench.folder, out, root=out, trace=trace, inject=inject
    )


def stop_again(bench: Bench, out: Path, number: int) -> None:
    """Run the command once more on what is left, and kill it too."""
    inject = f"{SECOND}:signal=SIGKILL:when={number}"
    trace = bench.folder / "trace"
    faults.run(bench.scenario.act, bench.folder, out, root=out, trace=trace, inject=inject)


def look(bench: Bench, out: Path) -> Stopped:
    """See a stopped dataset as a reader does, then as recovery will."""
    seen = visible(out)
    assert bench.scenario.shown(seen), "a reader sees rows twice, too early, or not at all"
    left = left_by(out)
    assert left.strangers == [], "a file is visible that the ledger does not hold"
    return left


def recover(bench: Bench, out: Path) -> None:
    """Run the command again, and check that everything is as if nothing had happened."""
    again = faults.run(bench.scenario.act, bench.folder, out, root=out)
    assert again.code == 0, again.said
    settle(bench, out)
    check(out, bench.scenario)


def settle(bench: Bench, out: Path) -> None:
    """What compact leaves to the next writer."""
    if bench.scenario.act is compact:
        writer = faults.run(command, "ingest", bench.folder / "b.log", "--out", out, root=out)
        assert writer.code == 0, writer.said


def is_proper(ended: Ended) -> bool:
    """Whether a command that the disk let down ended as promised: a listed error and no value of a line."""
    is_told = ended.code == 0 or (ended.code in CODES and "error: " in ended.said)
    told = ("Traceback", "internal error", "secret", "203.0.113.")
    return is_told and not any(text in ended.said for text in told)


def near_the_turn(calls: Sequence[Call]) -> list[Call]:
    """Of each name the last call before and the first after rows appear or vanish."""
    turn = next(
        place for place, one in enumerate(calls)
        if one.name.startswith(("rename", "unlink")) and any(path.split("/")[0] == "data" for path in one.paths)
    )  # fmt: skip
    chosen: dict[int, None] = {}
    for name in dict.fromkeys(one.name for one in calls):
        places = [place for place, one in enumerate(calls) if one.name == name]
        before = [place for place in places if place < turn]
        chosen |= dict.fromkeys([*before[-1:], *[p for p in places if p >= turn][:1]])
    return [calls[place] for place in sorted(chosen)]


@contextmanager
def telling(call: Call, fault: str) -> Iterator[None]:
    """Say in a failure where the command was stopped."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"after {fault} at {call.name} no. {call.number}: {call.text}")
        raise
