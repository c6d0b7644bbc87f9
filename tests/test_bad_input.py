"""Whatever is fed in has one outcome: a message with a cure, an exit code, nothing lost, nothing shown."""

from __future__ import annotations

import bz2
import contextlib
import ctypes
import gzip
import json
import lzma
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from program import Done, count, line, lines, logscrub, numbers, rows

from logscrub import cli
from logscrub.identity import Chain

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = ("203.0.113.1", "alice", "secret", "Firefox", "ref.example", "hunter2")
"""What the generated lines hold and no message may show."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def run(out: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """One command in this process, its output searched for what lines hold."""

    def command(*arguments: object, target: Path = out) -> Done:
        code = cli.run(["ingest", *map(str, arguments), "--out", str(target), "--json"])
        done = Done(code, *capfd.readouterr())
        discreet(done)
        if done.out:
            account(done.document, target)
        return done

    return command


def discreet(done: Done) -> None:
    """Nothing of a line stands in what a command says; every error says what to do."""
    assert not [secret for secret in SECRETS if secret in done.out + done.err]
    assert "Traceback" not in done.err
    assert done.err.count("logscrub: error: ") <= done.err.count("logscrub: hint: ") + 1
    assert "internal error" not in done.err


def account(document: Any, target: Path) -> None:
    """Lines read are rows, rejects and blanks, for each source and in total; staging is empty."""
    for one in (document["totals"], *document["sources"]):
        assert one["lines"] == one["rows"] + one["blanks"] + sum(one["rejects"].values())
    assert list((target / "staging").iterdir()) == []


def quiet(path: Path, data: bytes) -> Path:
    """A file that nobody has touched for an hour."""
    path.write_bytes(data)
    past = time.time() - 3600
    os.utime(path, (past, past))
    return path


def upto(*limits: int) -> list[int]:
    return list(range(*limits))


def bulk(*limits: int) -> bytes:
    return lines(*range(*limits))


GARBAGE = b"hunter2 is no line of a log\n"

# ── text that is not what it should be ────────────────────────────────────────────────────────────────────────────────

ODD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 0, ""),
    "blank": (b"\n \n\t\r\n\n", 0, ""),
    "binary": (bytes(range(256)) * 600, 5, "bytes that no text has"),
    "utf-16": (bulk(0, 50).decode().encode("utf-16"), 5, "iconv"),
    "utf-16 without a mark": (bulk(0, 50).decode().encode("utf-16-le"), 5, "iconv"),
    "carriage returns only": (bulk(0, 50).replace(b"\n", b"\r"), 5, "convert the line ends"),
    "another format": (b"alice=hunter2;;203.0.113.9\n" * 50, 5, "--format"),
    "JSON": (b'{"user": "alice", "from": "203.0.113.9"}\n' * 50, 5, "docs/formats.md"),
    "cut gzip header": (b"\x1f\x8b\x08", 6, "tried again"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_log(run: Callable[..., Done], tmp_path: Path, out: Path, name: str) -> None:
    """Files without lines are no error; those that are no log are refused, with a cure, and publish nothing."""
    data, code, cure = ODD[name]
    done = run(quiet(tmp_path / "x.log", data))
    assert done.code == code
    assert cure in done.err
    assert count(out) == 0
    assert done.document["sources"][0]["status"] in {"empty", "read", "refused"}
    assert done.document["totals"]["blanks"] == (4 if name == "blank" else 0)


@pytest.mark.parametrize("name", ["binary", "utf-16", "another format"])
def test_what_is_no_log_in_a_folder_is_left(
    run: Callable[..., Done], tmp_path: Path, out: Path, name: str
) -> None:
    """In a folder the same file is listed as left, and the log beside it is taken."""
    folder = tmp_path / "logs"
    folder.mkdir()
    quiet(folder / "x.log", ODD[name][0])
    quiet(folder / "y.log", bulk(0, 5))
    done = run(folder)
    assert done.code == 0
    assert [Path(one["path"]).name for one in done.document["left"]] == ["x.log"]
    assert numbers(out) == upto(5)


def test_blank_lines_do_not_decide_the_format(
    run: Callable[..., Done], tmp_path: Path, out: Path
) -> None:
    """Two MiB of blank and overlong lines in front, by file or by pipe, do not hide the lines behind them."""
    data = b"\n" * 2**20 + b"x" * 70_000 + b"\n" + b"\n" * 2**20 + bulk(0, 20)
    vhost = b"".join(b"www.example.org:80 " + line(n) for n in range(20))
    totals = run(quiet(tmp_path / "x.log", data)).document["totals"]
    assert (totals["rows"], totals["blanks"], totals["rejects"]) == (20, 2**21, {"too_long": 1})
    done = logscrub("ingest", "-", "--out", out, "--json", stdin=b" \n" * 2**20 + vhost)
    assert done.document["sources"][0]["format"] == "vhost_combined"
    assert numbers(out) == sorted([*range(20)] * 2)


def test_holes_and_blobs_are_counted(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """NUL runs and a gzip blob in the middle cost their own lines only, each at its place."""
    blob = gzip.compress(random.Random(1).randbytes(300_000))
    data = bulk(0, 1200) + b"\0" * 5000 + b"\n" + bulk(1200, 1300) + blob + b"\n" + bulk(1300, 1400)
    done = run(quiet(tmp_path / "x.log", data))
    assert done.code == 0
    assert numbers(out) == upto(1400)
    assert set(done.document["totals"]["rejects"]) <= {"binary", "structure", "too_long"}
    assert done.document["totals"]["lines"] == 1400 + 1 + 1 + blob.count(b"\n")


def test_no_last_newline(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """The last line of a finished file counts without its end; a cut one is a reject."""
    assert run(quiet(tmp_path / "x.log", bulk(0, 10)[:-1])).document["totals"]["rows"] == 10
    assert run(quiet(tmp_path / "y.log", bulk(10, 20)[:-30])).document["totals"]["rejects"] == {
        "structure": 1
    }
    assert numbers(out) == upto(19)


@pytest.mark.parametrize("size", [70_000, 17 * 2**20 + 5])
@pytest.mark.parametrize("place", [0, 30])
def test_long_lines(
    run: Callable[..., Done], tmp_path: Path, out: Path, size: int, place: int
) -> None:
    """A line over 64 KiB, or over a whole block, is one reject where it stands; later growth is found exactly."""
    data = bulk(0, place) + b"x" * size + b"\n" + bulk(place, 60)
    log = quiet(tmp_path / "x.log", data)
    totals = run(log).document["totals"]
    assert (totals["lines"], totals["rows"], totals["rejects"]) == (61, 60, {"too_long": 1})
    quiet(log, data + bulk(60, 80))
    assert run(log).document["totals"]["lines"] == 20
    assert numbers(out) == upto(80)
    listed = ledger(out, "SELECT position, length, reason FROM reject")
    assert listed == [(len(bulk(0, place)), size, "too_long")]


def test_long_lines_in_a_pipe(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """Two lines longer than a block in a row: the file is recognised after the pipe, and the pipe after the file."""
    data = b"x" * (18 * 2**20) + b"\n" + b"y" * (17 * 2**20) + b"\n" + bulk(0, 30)
    done = logscrub("ingest", "-", "--out", out, "--json", stdin=data)
    account(done.document, out)
    assert done.document["totals"]["rejects"] == {"too_long": 2}
    assert run(quiet(tmp_path / "x.log", data)).document["totals"]["lines"] == 0
    again = logscrub(
        "ingest",
        "-",
        "--out",
        out,
        "--json",
        stdin=data + b"z" * (17 * 2**20) + b"\n" + bulk(30, 40),
    )
    assert again.document["totals"]["rejects"] == {"too_long": 1}
    assert numbers(out) == upto(40)


def test_memory_is_bounded_by_blocks_not_by_lines(tmp_path: Path, out: Path) -> None:
    """A line of 600 MiB, compressed, goes through in a quarter of its size."""
    log = tmp_path / "x.log.gz"
    with gzip.open(log, "wb", 1) as file:
        file.write(bulk(0, 5))
        for _ in range(600):
            file.write(b"/0123456789abcde" * 2**16)
        file.write(b"\n" + bulk(5, 10))
    code, peak, document = measured("ingest", log, "--out", out, "--json")
    assert code == 0
    assert document["totals"]["rejects"] == {"too_long": 1}
    assert numbers(out) == upto(10)
    assert peak < 400 * 2**20


def measured(*arguments: object) -> tuple[int, int, Any]:
    """Exit code, peak memory in bytes and document of one command."""
    script = (
        "import resource, subprocess, sys; p = subprocess.run([sys.executable, '-m', 'logscrub', *sys.argv[1:]]);"
        "print(p.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    code, peak = done.stderr.split()[-2:]
    return int(code), int(peak) * 1024, json.loads(done.stdout) if done.stdout else None


def ledger(out: Path, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(out / "ledger.db")) as db:
        return db.execute(sql).fetchall()


# ── a format that does not fit ────────────────────────────────────────────────────────────────────────────────────────


def test_a_format_is_judged_once(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """Wrong from the start: stop, with the structure only. A flood of garbage later: counted, with an alarm."""
    wrong = run(quiet(tmp_path / "w.log", bulk(0, 50)), "--format", "vhost_combined")
    assert wrong.code == 5
    assert "look like" in wrong.err
    assert "check --format" in wrong.err
    assert count(out) == 0
    flood = GARBAGE * 100_000
    log = quiet(tmp_path / "x.log", bulk(0, 1000) + flood)
    done = run(log)
    assert done.code == 0
    assert done.document["totals"]["rejects"] == {"structure": 100_000}
    assert "alarm: 99%" in done.document["sources"][0]["note"]
    quiet(log, bulk(0, 1000) + flood + bulk(1000, 1005))
    assert run(log).document["totals"]["rows"] == 5
    assert numbers(out) == upto(1005)


def test_a_format_is_judged_once_in_a_pipe(out: Path) -> None:
    """The same for a pipe: the first lines decide, before anything is committed."""
    wrong = logscrub("ingest", "-", "--out", out, stdin=GARBAGE * 50)
    discreet(wrong)
    assert wrong.code == 5
    assert "look like" in wrong.err
    assert count(out) == 0
    done = logscrub("ingest", "-", "--out", out, "--json", stdin=bulk(0, 1000) + GARBAGE * 9000)
    assert done.code == 0
    assert done.document["totals"]["rejects"] == {"structure": 9000}
    assert "alarm: 90%" in done.document["sources"][0]["note"]
    assert numbers(out) == upto(1000)


# ── damaged archives ──────────────────────────────────────────────────────────────────────────────────────────────────


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("hurt", ["cut", "flip"])
def test_only_whole_members_count(
    run: Callable[..., Done], tmp_path: Path, out: Path, kind: str, hurt: str
) -> None:
    """The intact member is in, nothing of the damaged one; it is tried again; the repaired file brings the rest once."""
    first, second = PACK[kind](bulk(0, 300)), PACK[kind](bulk(300, 900))
    bad = second[: len(second) * 2 // 3] if hurt == "cut" else flipped(second, len(second) // 2)
    log = quiet(tmp_path / "x.log.gz", first + bad)
    done = run(log)
    assert done.code == 3
    assert "x.log.gz" in done.err
    assert "--salvage" in done.err
    assert numbers(out) == upto(300)
    again = run(log)
    assert again.code == 6
    assert again.document["totals"]["lines"] == 0
    quiet(log, first + second)
    done = run(log)
    assert (done.code, done.document["totals"]["rows"]) == (0, 600)
    assert numbers(out) == upto(900)
    assert run(log).document["totals"]["lines"] == 0


def test_a_single_damaged_member_publishes_nothing(
    run: Callable[..., Done], tmp_path: Path, out: Path
) -> None:
    """Wrong checksum, cut, flipped: refused alone and piped in; then the repaired file is taken whole."""
    packed = gzip.compress(bulk(0, 900))
    for bad in (packed[:-8] + b"hunter2!", packed[:-2000], flipped(packed, len(packed) // 2)):
        done = run(quiet(tmp_path / "x.log.gz", bad))
        assert (done.code, count(out)) == (6, 0)
    piped = logscrub("ingest", "-", "--out", out, "--flush", "0.1", stdin=packed[:-2000])
    discreet(piped)
    assert (piped.code, count(out)) == (6, 0)
    assert "ingest it as a file" in piped.err
    assert run(quiet(tmp_path / "x.log.gz", packed)).code == 0
    assert numbers(out) == upto(900)


def test_salvage_of_what_was_cut_or_has_a_wrong_checksum(
    run: Callable[..., Done], tmp_path: Path, out: Path
) -> None:
    """Readable lines are taken and called unverified; the intact file then adds exactly what is missing."""
    packed = gzip.compress(bulk(0, 900))
    log = quiet(tmp_path / "x.log.gz", packed[:-1500])
    done = run(log, "--salvage")
    assert done.code == 3
    assert "unverified" in done.document["sources"][0]["note"]
    taken = count(out)
    assert 100 < taken < 900
    assert numbers(out) == upto(taken)
    assert run(log, "--salvage").document["totals"]["lines"] == 0
    assert run(quiet(log, packed)).document["totals"]["rows"] == 900 - taken
    assert numbers(out) == upto(900)
    other = quiet(tmp_path / "y.log.gz", gzip.compress(bulk(900, 1000))[:-8] + b"hunter2!")
    assert run(other, "--salvage").document["totals"]["rows"] == 100
    assert run(quiet(other, gzip.compress(bulk(900, 1000)))).document["totals"]["lines"] == 0
    assert numbers(out) == upto(1000)


def test_salvage_of_wrong_bytes_is_replaced_only_on_request(
    run: Callable[..., Done], tmp_path: Path, out: Path
) -> None:
    """After a flipped bit nobody knows which lines are right: the intact file is refused until --replace, never doubled."""
    log = tmp_path / "x.log.gz"
    packed = gzip.compress(bulk(0, 900))
    done = run(quiet(log, flipped(packed, len(packed) // 2)), "--salvage", "--format", "combined")
    assert done.code == 3
    before = count(out)
    assert before > 100
    quiet(log, packed)
    refused = run(log)
    assert refused.code == 6
    assert "--replace" in refused.err
    piped = logscrub("ingest", "-", "--out", out, stdin=bulk(0, 900))
    assert (piped.code, count(out)) == (6, before)
    assert "--replace" in piped.err
    assert run(log, "--replace").document["totals"]["rows"] == 900
    assert numbers(out) == upto(900)
    assert run(log).document["totals"]["lines"] == 0


def test_archives_that_are_something_else(
    run: Callable[..., Done], tmp_path: Path, out: Path
) -> None:
    """Content decides, not the name; zeros behind a member are padding, text behind it is reported."""
    assert run(quiet(tmp_path / "plain.gz", bulk(0, 10))).document["totals"]["rows"] == 10
    assert run(quiet(tmp_path / "gzip.log", gzip.compress(bulk(10, 20)) + bytes(512))).code == 0
    done = run(quiet(tmp_path / "tail.gz", gzip.compress(bulk(20, 30)) + GARBAGE))
    assert done.code == 3
    assert "last verified member" in done.document["sources"][0]["note"]
    assert run(quiet(tmp_path / "nothing.gz", gzip.compress(b""))).code == 0
    assert numbers(out) == upto(30)


BOMBS: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: gzip.compress(bytes(150 * 2**20), 1),
    "lines": lambda: zstandard.ZstdCompressor().compress(line(1) * (150 * 2**20 // len(line(1)))),
    "members": lambda: lzma.compress(line(1) * 100_000, preset=0) * 10,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path: Path, out: Path, name: str) -> None:
    """What expands a thousand times is refused in bounded memory, and publishes nothing, not even with --salvage."""
    log = quiet(tmp_path / "x.log", BOMBS[name]())
    code, peak, document = measured("ingest", log, "--out", out, "--json", "--salvage")
    assert code == (5 if name == "zeros" else 6)
    assert document["sources"][0]["status"] == "refused"
    assert name == "zeros" or "bomb" in document["sources"][0]["error"]["message"]
    assert count(out) == 0
    assert peak < 700 * 2**20


# ── the file system ───────────────────────────────────────────────────────────────────────────────────────────────────


def bound(*arguments: object) -> Done:
    """One command that rights hold for, even when root starts the tests."""

    def give_up() -> None:
        # prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH): the next program starts without them
        for capability in (1, 2):
            if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):
                os._exit(99)

    done = subprocess.run(
        [sys.executable, "-m", "logscrub", *map(str, arguments)],
        input=b"", capture_output=True, timeout=120, check=False, preexec_fn=give_up,
    )  # fmt: skip
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def modes(top: Path, mode: int) -> None:
    """Give all folders from `top` down a mode."""
    for folder in [Path(name) for name, _, _ in os.walk(top)]:
        folder.chmod(mode)


def test_without_rights(tmp_path: Path, out: Path) -> None:
    """Closed folders, folders that cannot be searched and closed files are named with a cure; the rest is committed."""
    logs = tmp_path / "logs"
    for name in ("closed", "listed", "good"):
        (logs / name).mkdir(parents=True)
        quiet(logs / name / f"{name}.log", bulk(0, 5))
    quiet(logs / "good" / "shut.log", bulk(5, 9)).chmod(0o000)
    (logs / "closed").chmod(0o000)
    (logs / "listed").chmod(0o400)
    try:
        done = bound("ingest", logs, logs / "closed" / "closed.log", "--out", out)
    finally:
        modes(logs, 0o700)
        (logs / "closed").chmod(0o700)
        (logs / "listed").chmod(0o700)
    discreet(done)
    assert done.code == 3
    closed = [
        logs / "closed",
        logs / "closed" / "closed.log",
        logs / "listed" / "listed.log",
        logs / "good" / "shut.log",
    ]
    for path in closed:
        assert f"{path} may not be read" in done.err
    assert "group adm" in done.err
    assert numbers(out) == upto(5)


def test_output_that_may_not_be_written(tmp_path: Path, out: Path) -> None:
    """A folder without rights, and a dataset that became read-only: one message, nothing changed; then it goes on."""
    log = quiet(tmp_path / "x.log", bulk(0, 5))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for mode in (0o500, 0o000):
        theirs.chmod(mode)
        for target in (theirs / "out", theirs):
            done = bound("ingest", log, "--out", target)
            assert done.code == (2 if (mode, target) == (0, theirs) else 8)
            assert "no permission to write" in done.err or "is not readable" in done.err
    theirs.chmod(0o700)
    assert list(theirs.iterdir()) == []
    assert bound("ingest", log, "--out", out).code == 0
    quiet(log, bulk(0, 9))
    for folder in ("staging", "data", "."):
        modes(out / folder, 0o500)
        done = bound("ingest", log, "--out", out)
        modes(out, 0o700)
        discreet(done)
        assert (done.code, "no permission to write" in done.err) == (8, True), done.err
    assert bound("ingest", log, "--out", out).code == 0
    assert numbers(out) == upto(9)


def test_things_that_are_no_files(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """FIFO, socket, device, link to itself, nothing: refused by name without waiting, left in a folder."""
    folder = tmp_path / "logs"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "up").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)
        server.bind("sock")
        os.chdir(here)
        expected = {
            "fifo": "a FIFO",
            "sock": "a socket",
            "loop": "link to itself",
            "none": "does not exist",
        }
        for name, what in expected.items():
            done = run(folder / name)
            assert (done.code, what in done.err) == (6, True)
            assert f"{folder / name} " in done.err
        assert run("/dev/null").code == 6
        quiet(folder / "a.log", bulk(0, 3))
        done = run(folder)
    assert done.code == 0
    assert {Path(one["path"]).name for one in done.document["left"]} >= {"fifo", "loop", "sock"}
    assert numbers(out) == upto(3)


def test_outputs_that_are_no_datasets(run: Callable[..., Done], tmp_path: Path) -> None:
    """A file, a folder below a file, a folder of other things: refused before anything is written."""
    log = quiet(tmp_path / "x.log", bulk(0, 3))
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for target, what in (
        (log, "is not a folder"),
        (log / "out", "cannot be"),
        (other, "holds other files"),
    ):
        done = run(log, target=target)
        assert (done.code, what in done.err) == (8, True)
    assert log.read_bytes() == bulk(0, 3)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_several_problems_at_once(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """Each is told with its own cure, the good files are in, and the run ends as partly done."""
    good = [quiet(tmp_path / f"good{n}.log", bulk(10 * n, 10 * n + 10)) for n in range(2)]
    bad = [
        quiet(tmp_path / "a.gz", gzip.compress(bulk(50, 60))[:-5]),
        quiet(tmp_path / "b.log", ODD["utf-16"][0]),
        tmp_path / "missing.log",
        quiet(
            tmp_path / "old.log", b"".join(line(1) for _ in range(3)).replace(b"/2026:", b"/2019:")
        ),
    ]
    done = run(*bad[:2], good[0], *bad[2:], good[1])
    assert done.code == 3
    codes = {
        Path(s["path"]).name: s["error"] and s["error"]["exit_code"]
        for s in done.document["sources"]
    }
    assert codes == {
        "good0.log": None,
        "good1.log": None,
        "a.gz": 6,
        "b.log": 5,
        "missing.log": 6,
        "old.log": 7,
    }
    assert all(path.name in done.err for path in bad)
    assert numbers(out) == upto(20)


# ── a full disk ───────────────────────────────────────────────────────────────────────────────────────────────────────


def wide(*limits: int) -> bytes:
    """Lines whose paths do not compress, so that rows need space."""
    rng = random.Random(7)
    return b"".join(line(n, path="/" + "-".join(rng.choices(WORDS, k=12))) for n in range(*limits))


WORDS = ["".join(random.Random(n).choices("bcdfghjklm", k=5)) for n in range(3000)]


@pytest.mark.parametrize("limit", [1_000, 300_000])
def test_a_file_size_limit(tmp_path: Path, out: Path, limit: int) -> None:
    """EFBIG in the ledger or in the Parquet: a message, nothing half committed, and the next run completes."""
    logs = [quiet(tmp_path / "a.log", wide(0, 50)), quiet(tmp_path / "b.log", wide(50, 12_000))]
    done = subprocess.run(
        [sys.executable, "-m", "logscrub", "ingest", *map(str, logs), "--out", str(out)],
        input=b"", capture_output=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    said = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    discreet(said)
    assert said.code in {8, 9}
    assert "hint" in said.err
    assert numbers(out) == (upto(50) if limit > 1_000 else [])
    assert logscrub("ingest", *logs, "--out", out).code == 0
    assert numbers(out) == upto(12_000)


FULL = """
mount -t tmpfs -o size=300k none "$1" || exit 77
"$2" -m logscrub ingest "$3" "$4" --out "$1/out"; echo "first $?"
mount -o remount,size=64m "$1"
"$2" -m logscrub ingest "$3" "$4" --out "$1/out"; echo "second $?"
cp -r "$1/out" "$5"
"""


def test_a_full_disk(tmp_path: Path, out: Path) -> None:
    """ENOSPC: a message, nothing half committed; with space again the next run completes. Needs user namespaces."""
    logs = [quiet(tmp_path / "a.log", wide(0, 50)), quiet(tmp_path / "b.log", wide(50, 12_000))]
    (tmp_path / "disk").mkdir()
    unshare = shutil.which("unshare")
    if not unshare:
        pytest.skip("no unshare here; the file size limit above tests the same path")
    done = subprocess.run(
        [unshare, "-Urm", "sh", "-c", FULL, "-", tmp_path / "disk", sys.executable, *logs, out],
        capture_output=True, check=False, text=True, timeout=120,
    )  # fmt: skip
    if "first" not in done.stdout:
        pytest.skip(
            "no mounts in user namespaces here; the file size limit above tests the same path"
        )
    discreet(Done(0, done.stdout, done.stderr))
    first = next(text for text in done.stdout.splitlines() if text.startswith("first"))
    assert first in {"first 8", "first 9"}
    assert "space" in done.stderr
    assert "second 0" in done.stdout
    assert numbers(out) == upto(12_000)


# ── configuration ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_wrong_settings(run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """A policy with a typo, an unknown zone, no date, a missing policy: said before a byte is read or written."""
    log = quiet(tmp_path / "x.log", bulk(0, 3))
    typo = tmp_path / "p.toml"
    typo.write_text(logscrub("policy", "show", "security-12m").out.replace("ipv4_bits", "ipv4_bit"))
    for arguments, code, cure in (
        (("--policy", typo), 4, "did you mean"),
        (("--policy", "securty-12m"), 4, "did you mean security-12m"),
        (("--timezone", "Mars/Phobos"), 4, "Europe/Brussels"),
        (("--closed-at", "yesterday"), 2, "YYYY-MM-DD"),
        (("--format", "combned"), 5, "combined"),
        (("--site", "other.example"), 4, "site"),
        (("--jobs", "0"), 2, "--help"),
    ):
        done = run(log, *arguments)
        assert (done.code, cure in done.err) == (code, True), (arguments, done.err)
    assert count(out) == 0


@pytest.mark.parametrize("name", ["instance.key", "token"])
def test_wrong_keys(run: Callable[..., Done], tmp_path: Path, out: Path, name: str) -> None:
    """Cut short, or readable by others: refused, never replaced, and the key is not shown."""
    run(quiet(tmp_path / "x.log", bulk(0, 3)), "--policy", "detection-90d")
    key = next(path for path in (out / "keys").iterdir() if path.name.startswith(name))
    good, more = key.read_bytes(), quiet(tmp_path / "y.log", bulk(3, 6))
    key.chmod(0o644)
    done = run(more)
    assert (done.code, f"chmod 400 {key}" in done.err) == (11, True)
    key.write_bytes(good[:40])
    key.chmod(0o400)
    done = run(more)
    assert (done.code, "64 hexadecimal digits" in done.err) == (11, True)
    assert good[:40].decode() not in done.err
    assert numbers(out) == upto(3)
    key.chmod(0o600)
    key.write_bytes(good)
    key.chmod(0o400)
    assert run(more).code == 0
    assert numbers(out) == upto(6)


def test_wrong_databases(cases: Path, run: Callable[..., Done], tmp_path: Path, out: Path) -> None:
    """Missing, no database, truncated, of the other kind: refused. None named: the column stays null and a note says so."""
    log = quiet(tmp_path / "x.log", bulk(0, 3))
    country = next(
        path for path in sorted((cases / "mmdb").rglob("*.mmdb")) if "Country-Test" in path.name
    )
    asn = next(path for path in sorted((cases / "mmdb").rglob("*.mmdb")) if "ASN-Test" in path.name)
    cut = tmp_path / "cut.mmdb"
    cut.write_bytes(country.read_bytes()[: country.stat().st_size // 2])
    for path in (tmp_path / "none.mmdb", log, cut, asn):
        done = run(log, "--policy", "details-12m", "--geo", path)
        assert (done.code, str(path) in done.err) == (12, True), done.err
    assert count(out) == 0
    done = run(log, "--policy", "details-12m")
    assert done.code == 0
    assert done.document["notes"] == [
        "the column country stays null: name a database with --geo FILE.mmdb"
    ]
    assert rows(out, "SELECT DISTINCT country FROM logs") == [(None,)]


# ── interruptions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_closed_streams(tmp_path: Path) -> None:
    """`| head -0` ends quietly with 141, and the rows are in; closed streams are nothing special."""
    log = quiet(tmp_path / "x.log", bulk(0, 5))
    program = f"{sys.executable} -m logscrub ingest"
    ends = {
        f"{program} {log} --out {tmp_path}/a -q --json | head -c 0; exit ${{PIPESTATUS[0]}}": 141,
        f"{program} {log} --out {tmp_path}/b >&-": 0,
        f"{program} {log} --out {tmp_path}/c <&- 2>&-": 0,
        f"{program} - --out {tmp_path}/d <&-": 0,
        f"{program} - --out {tmp_path}/e 0>{tmp_path}/writable": 6,
    }
    for script, code in ends.items():
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, check=False, text=True, timeout=60
        )
        discreet(Done(done.returncode, done.stdout, done.stderr))
        assert done.returncode == code, (script, done.stderr)
        if code == 141:
            assert done.stderr == ""
    assert [numbers(tmp_path / name) for name in "abc"] == [upto(5)] * 3


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "logscrub", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_ctrl_c_in_a_long_file(
    tmp_path: Path,
    out: Path,
    run: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    *,
    packed: bool,
) -> None:
    """What was read of a plain file is committed up to a whole line, nothing of an archive; the next run takes the rest."""
    total = 30_000
    log = quiet(tmp_path / "x.log", gzip.compress(bulk(0, total), 1) if packed else bulk(0, total))
    with monkeypatch.context() as patch:
        patch.setattr("logscrub.run.staging.Chain.copy", interrupting(Chain.copy, after=6))
        done = run(log)
    assert done.code == 130
    got = count(out)
    assert (0 < got < total) if not packed else got == 0, (
        "the signal came too late to show anything"
    )
    assert numbers(out) == upto(got)
    assert "next time" in done.document["sources"][0]["note"] or packed
    totals = run(log).document["totals"]
    assert (totals["rows"], totals["rejects"]) == (total - got, {})
    assert numbers(out) == upto(total)


def interrupting(function: Callable[..., Any], *, after: int) -> Callable[..., Any]:
    """The same function; its call number `after` presses Ctrl-C."""
    calls: list[None] = []

    def counted(*arguments: Any) -> Any:
        calls.append(None)
        if len(calls) == after:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
        return function(*arguments)

    return counted


def test_kill_at_any_moment(tmp_path: Path, out: Path) -> None:
    """SIGKILL ten times in a run over many files, and a start after each: every line exactly once."""
    files = 40
    for n in range(files):
        data = bulk(n * 500, n * 500 + 500)
        quiet(tmp_path / f"{n}.log", gzip.compress(data) if n % 2 else data)
    rng, killed, had = random.Random(11), 0, 0
    for _ in range(10):
        seen = set(out.glob("staging/*"))
        process = start("ingest", *(tmp_path / f"{n}.log" for n in range(files)), "--out", out)
        # not before it writes: the moments in which something can go wrong are those after the start
        while process.poll() is None and set(out.glob("staging/*")) <= seen:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        assert process.stderr
        process.stderr.close()
        now = numbers(out)
        assert len(now) == len(set(now)) >= had, "rows came twice or went away"
        assert len(now) % 500 == 0, "a file became visible in part"
        had = len(now)
    assert killed >= 5, "too few runs were cut short to show anything"
    done = logscrub(
        "ingest", *(tmp_path / f"{n}.log" for n in range(files)), "--out", out, "--json"
    )
    assert done.code == 0
    account(done.document, out)
    assert numbers(out) == upto(files * 500)


def test_copytruncate_while_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Done]
) -> None:
    """A file that is emptied and written anew under the reader is refused; its copy and the new lines arrive once."""
    log, copy = tmp_path / "access.log", tmp_path / "access.log.1"
    old, new = bulk(0, 20_000), bulk(20_000, 45_000)
    for shorter in (True, False):
        target = tmp_path / f"out{shorter}"
        quiet(log, old)
        pread, calls = os.pread, []

        def rotating(handle: int, size: int, offset: int) -> bytes:
            if offset and offset >= 2**20:
                calls.append(offset)  # noqa: B023
                if len(calls) == 2:  # noqa: B023
                    shutil.copy(log, copy)
                    log.write_bytes(new[: 2**20] if shorter else new)  # noqa: B023
            return pread(handle, size, offset)  # noqa: B023

        with monkeypatch.context() as patch:
            patch.setattr("logscrub.source.os.pread", rotating)
            done = run(log, target=target)
        assert done.code == 6
        assert "run the command again" in done.err
        assert count(target) == 0
        quiet(log, new)
        assert run(copy, log, target=target).code == 0
        assert numbers(target) == upto(45_000)


# ── files of others ───────────────────────────────────────────────────────────────────────────────────────────────────

TRUTH: dict[str, tuple[int, int, int, int]] = {
    # file: exit code, rows, rejects, blanks
    "bad_crc.log.gz": (6, 0, 0, 0),
    "bitflip.log.gz": (6, 0, 0, 0),
    "copytruncate_nul.log": (0, 88, 2, 0),
    "cr_only.log": (5, 0, 0, 0),
    "crlf.log": (0, 89, 1, 0),
    "gz_misnamed.log": (0, 999, 1, 0),
    "plain_misnamed.log.gz": (0, 89, 1, 0),
    "torn_interleaved.log": (5, 0, 0, 0),
    "trailing_garbage.log.gz": (3, 999, 1, 0),
    "truncated.log.gz": (6, 0, 0, 0),
    "truncated_last_line.log": (0, 100, 1, 0),
    "utf16le_bom.log": (5, 0, 0, 0),
    "utf8_bom.log": (0, 89, 1, 0),
    "zero_padded.log.gz": (0, 999, 1, 0),
}
"""Where it differs from all lines as rows: line 8,899 of the source is broken, and cut last lines are rejects."""


def test_the_rotation_set(
    cases: Path, long_policy: Path, run: Callable[..., Done], tmp_path: Path
) -> None:
    """Each file of the public set alone: the lines that its manifest counts, and the outcome written down here."""
    folder = cases / "logs/rotation-set"
    for number, one in enumerate(json.loads((folder / "manifest.json").read_text())["files"]):
        done = run(folder / one["file"], "--policy", long_policy, target=tmp_path / f"out{number}")
        whole, tail = one["lines_complete"], one["unterminated_tail_bytes"] > 0
        code, found, rejects, blanks = TRUTH.get(one["file"], (0, whole, 0, 0))
        totals = done.document["totals"]
        got = (done.code, totals["rows"], sum(totals["rejects"].values()), totals["blanks"])
        assert got == (code, found, rejects, blanks), one["file"]
        assert totals["lines"] == (0 if code in {5, 6} else whole + tail), one["file"]


def test_what_salvage_gets_out_of_the_rotation_set(
    cases: Path, long_policy: Path, run: Callable[..., Done], tmp_path: Path
) -> None:
    """Salvage finds every complete line before the first error; two torn lines cost themselves once the format is named."""
    folder = cases / "logs/rotation-set"
    lines_of = {
        one["file"]: one["lines_complete"]
        for one in json.loads((folder / "manifest.json").read_text())["files"]
    }
    for number, name in enumerate(("bad_crc.log.gz", "bitflip.log.gz", "truncated.log.gz")):
        done = run(
            folder / name, "--policy", long_policy, "--salvage", target=tmp_path / f"out{number}"
        )
        assert done.code == 3
        assert done.document["totals"]["lines"] == lines_of[name]
    torn = run(folder / "torn_interleaved.log", "--policy", long_policy, "--format", "combined")
    assert (torn.code, torn.document["totals"]["lines"], torn.document["totals"]["blanks"]) == (
        0,
        8,
        2,
    )
