"""`follow`: what it takes on, when it lets go, and how it behaves as a service."""

from __future__ import annotations

import errno
import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb
import pytest
from following import Follower, Server, impatient, refusing
from program import count, ingest, line, lines, logscrub, numbers

from logscrub import dataset
from logscrub.run import following, upkeep
from logscrub.run.expire import expire
from logscrub.run.following import figures
from logscrub.run.upkeep import PROBATION, Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "log")
    yield one
    one.close()


def followed(
    tmp_path: Path, *paths: object, precision: Literal["second", "hour"] = "second"
) -> Follower:
    return Follower(
        tmp_path / "out",
        [str(path) for path in paths or [tmp_path / "log" / "access.log"]],
        precision=precision,
    )


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_a_log_that_is_missing_at_the_start_is_read_when_it_comes(tmp_path: Path) -> None:
    """A path is a wish, not a file."""
    (tmp_path / "log").mkdir()
    one = followed(tmp_path)
    one.turn()
    (tmp_path / "log" / "access.log").write_bytes(lines(1, 2))
    one.turn(2)
    assert numbers(tmp_path / "out") == [1, 2]
    one.stop()


def test_a_path_stands_for_its_rotated_generations(tmp_path: Path) -> None:
    """Rotated while nobody followed: packed or not, dated or numbered, and nothing of another log."""
    log = tmp_path / "log"
    log.mkdir()
    (log / "access.log-20261121.gz").write_bytes(gzip.compress(lines(1)))
    (log / "access.log.2.gz").write_bytes(gzip.compress(lines(2)))
    (log / "access.log.1").write_bytes(lines(3))
    (log / "access.log").write_bytes(lines(4))
    (log / "access.log.bak").write_bytes(lines(5))
    (log / "access.logger").write_bytes(lines(6))
    one = followed(tmp_path)
    one.turn(2)
    one.stop()
    assert numbers(tmp_path / "out") == [1, 2, 3, 4]


def test_a_symbolic_link_to_the_current_log_is_followed_when_it_is_moved(tmp_path: Path) -> None:
    """As cronolog keeps one."""
    log = tmp_path / "log"
    log.mkdir()
    (log / "a").write_bytes(lines(1))
    (log / "current.log").symlink_to(log / "a")
    one = followed(tmp_path, log / "current.log")
    one.turn(2)
    append(log / "a", lines(2))
    (log / "b").write_bytes(lines(3))
    (log / "current.log").unlink()
    (log / "current.log").symlink_to(log / "b")
    one.turn(3)
    one.stop()
    assert numbers(tmp_path / "out") == [1, 2, 3]


def test_folders_and_globs_gain_files(tmp_path: Path) -> None:
    """New files appear; what is no access log is left alone."""
    log = tmp_path / "log"
    log.mkdir()
    one = followed(tmp_path, log, tmp_path / "more" / "*.log")
    one.turn()
    (log / "error.log").write_bytes(b"2026/11/22 error\n")
    (log / "a.access.log").write_bytes(lines(1))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.log").write_bytes(lines(2))
    one.turn(3)
    one.stop()
    assert numbers(tmp_path / "out") == [1, 2]
    assert not one.errors


def test_logs_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    """Two sites that one monitor asks: neither hides the other, however much the first has grown."""
    log = tmp_path / "log"
    log.mkdir()
    same = line(7) * 10
    (log / "one.log").write_bytes(same + lines(*range(20, 60)))
    one = followed(tmp_path, log / "one.log", log / "two.log")
    one.turn(2)
    (log / "two.log").write_bytes(same)
    one.turn(2)
    append(log / "two.log", lines(1))
    one.turn(2)
    one.stop()
    assert numbers(tmp_path / "out") == sorted([7] * 20 + [*range(20, 60), 1])


def test_the_same_log_by_follow_and_by_ingest(server: Server, tmp_path: Path) -> None:
    """Stopped, rotated, packed and given to `ingest`: only the rest is taken. And the reverse."""
    server.write(5)
    one = followed(tmp_path)
    one.turn(2)
    one.stop()
    server.write(3)
    server.rotate()
    server.pack()
    done = ingest(tmp_path / "out", server.folder)
    assert done["totals"]["rows"] == 3
    server.write(2)
    assert ingest(tmp_path / "out", server.folder)["totals"]["rows"] == 2
    server.write(4)
    again = followed(tmp_path)
    again.turn(2)
    again.stop()
    assert numbers(tmp_path / "out") == list(range(1, 15))
    assert again.state.total.rows == 4


def test_a_rotated_file_is_finished_after_a_quiet_minute(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its last line, ended or not; the ledger has how and when, and its segments are merged."""
    one = followed(tmp_path)
    server.write(2)
    one.turn(2)
    server.begin()
    server.live.rename(server.folder / "access.log.1")
    one.turn(2)
    assert len(one.state.files) == 1
    monkeypatch.setattr(following, "ROTATED_WAIT", 0.0)
    one.turn()
    assert not one.state.files
    assert one.state.upkeep.closed
    (source,) = one.state.ledger.sources()
    assert (source.state, source.closed_basis) == ("read", "rotated while it was followed")
    assert source.position == (server.folder / "access.log.1").stat().st_size
    one.stop()


def test_a_deleted_file_is_read_to_its_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptor holds it; the figures say what it costs."""
    one = followed(tmp_path)
    server.write(1)
    one.turn(2)
    server.live.unlink()
    server.write(2)
    one.turn()
    assert figures(one.state).deleted_but_open_bytes > 0
    monkeypatch.setattr(following, "ROTATED_WAIT", 0.0)
    one.turn(2)
    one.stop()
    assert numbers(tmp_path / "out") == [1, 2, 3]


def test_rows_wait_no_longer_than_flush(server: Server, tmp_path: Path) -> None:
    """Not committed before their time, and then at once."""
    one = followed(tmp_path)
    one.state.flush = 0.5
    server.write(1)
    one.turn()
    assert count(tmp_path / "out") == 0
    time.sleep(0.5)
    one.turn()
    assert count(tmp_path / "out") == 1
    one.stop()


def test_a_packed_copy_in_another_folder_adds_nothing(server: Server, tmp_path: Path) -> None:
    """An archive of what is still being followed, shorter than that: neither while it is followed nor afterwards."""
    server.write(40)
    one = followed(tmp_path, server.live, tmp_path / "archive")
    one.turn(2)
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "2026.access.gz").write_bytes(gzip.compress(server.live.read_bytes()))
    server.write(5)
    one.turn(3)
    one.stop()
    again = followed(tmp_path, tmp_path / "archive", server.live)
    again.turn(3)
    again.stop()
    assert numbers(tmp_path / "out") == list(range(1, 46))


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    ("where", "precision"),
    [
        ("files", "second"),
        ("folders", "second"),
        ("ledger", "second"),
        ("files", "hour"),
        ("sorting", "hour"),
    ],
)
def test_a_full_disk_pauses_and_resumes(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    precision: Literal["second", "hour"],
    *,
    is_restarted: bool,
) -> None:
    """Nothing is lost, nothing doubled, one message; `expire` goes on meanwhile. Killed in its pause, it is no worse."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    def refuse_to_sort(**_: object) -> None:
        raise duckdb.IOException(f'Could not write file "x": {os.strerror(errno.ENOSPC)}')

    one = followed(tmp_path, precision=precision)
    server.write(2)
    one.turn(2)
    with ExitStack() as full:
        patch = full.enter_context(monkeypatch.context())
        server.write(3)
        for _ in range(3):
            if where == "ledger":
                full.enter_context(refusing(0, late=False))
            else:
                module, name = {
                    "files": (os, "fsync"),
                    "folders": (dataset, "sync_folder"),
                    "sorting": (duckdb, "connect"),
                }[where]
                patch.setattr(module, name, refuse_to_sort if where == "sorting" else refuse)
            one.loop()
    assert figures(one.state).paused
    assert len([error for error in one.errors if "no space" in error.what]) == 1
    expire(one.state.out, now=datetime.now(UTC))
    if is_restarted:
        one.stop(cleanly=False)
        one = followed(tmp_path, precision=precision)
    server.write(1)
    one.loop()
    one.loop()
    assert not figures(one.state).paused
    one.stop()
    assert numbers(tmp_path / "out") == list(range(1, 7))
    again = followed(tmp_path, precision=precision)
    server.write(1)
    again.turn(2)
    again.stop()
    assert again.state.total.rows == 1
    assert numbers(tmp_path / "out") == list(range(1, 8))


def test_a_young_log_keeps_its_identity_through_restarts(server: Server, tmp_path: Path) -> None:
    """Its first kilobyte comes in pieces: half a line, a restart, a refused commit, another restart, an archive."""
    server.write(1)
    server.begin()
    for _ in range(3):
        one = followed(tmp_path)
        one.turn(2)
        server.write(1)
        one.turn()
        rewind(one)
        one.turn()
        one.stop()
        server.begin()
    server.rotate()
    server.pack()
    last = followed(tmp_path)
    last.turn(2)
    last.stop()
    assert numbers(tmp_path / "out") == server.written


def rewind(one: Follower) -> None:
    """As after a refused commit."""
    from logscrub.run import follow  # noqa: PLC0415 — its loop alone is meant

    follow._rewind(one.state)


def test_a_truncation_during_a_pause_is_noticed(server: Server, tmp_path: Path) -> None:
    """The rest is in the copy, the new generation is read from its start, although it is longer by now."""
    one = followed(tmp_path)
    server.write(10)
    one.turn(2)
    server.write(5)
    server.copy()
    server.truncate()
    server.write(60)
    rewind(one)
    one.turn(4)
    one.stop()
    again = followed(tmp_path)
    again.turn(3)
    again.stop()
    assert numbers(tmp_path / "out") == server.written


def test_a_file_that_is_replaced_by_a_longer_copy_is_read_on(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rsync`, `sed -i`: a new inode at the same path that begins with all that was read."""
    one = followed(tmp_path)
    server.write(50)
    one.turn(2)
    new = server.folder / ".temporary"
    new.write_bytes(server.live.read_bytes() + lines(51))
    new.rename(server.live)
    one.turn(2)
    monkeypatch.setattr(following, "ROTATED_WAIT", 0.0)
    one.turn(4)
    one.stop()
    assert numbers(tmp_path / "out") == list(range(1, 52))


def test_a_small_log_is_known_while_it_is_packed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few clients, compressed at once: its hashes stay until the archive was met, and go when that is gone for long."""
    one = followed(tmp_path)
    server.write(3)
    one.turn(2)
    server.rotate()
    server.pack()
    one.turn(2)
    monkeypatch.setattr(following, "ROTATED_WAIT", 0.0)
    one.turn()
    one.state.upkeep._merge()
    one.turn(2)
    assert numbers(tmp_path / "out") == [1, 2, 3]
    (source,) = one.state.ledger.sources()
    assert source.path.endswith("access.log.1.gz")
    (server.folder / "access.log.1.gz").unlink()
    monkeypatch.setattr(upkeep, "HOURLY", -5.0)
    one.state.upkeep._merge()
    assert one.state.ledger.sources()[0].head is None
    one.stop()


def test_a_clock_that_leaps_deletes_nothing_for_a_day() -> None:
    """Forwards or backwards; small corrections are no leap."""
    wall, steady = [datetime(2026, 11, 22, tzinfo=UTC)], [100.0]
    clock = Clock(lambda: wall[0], lambda: steady[0])

    def pass_by(seconds: float, *, leap: float = 0) -> bool:
        wall[0] += timedelta(seconds=seconds + leap)
        steady[0] += seconds
        return clock.has_leapt()

    assert not pass_by(86_400 * 3, leap=30)
    assert clock.is_trusted()
    for leap in (400 * 86_400, -400 * 86_400):
        assert pass_by(1, leap=leap)
        assert not clock.is_trusted()
        assert not pass_by(PROBATION - 10)
        assert not clock.is_trusted()
        assert not pass_by(20)
        assert clock.is_trusted()


def test_a_clock_that_leaps_forgets_no_source(server: Server, tmp_path: Path) -> None:
    """What was renamed a moment ago is not long gone because the clock says so."""
    one = followed(tmp_path)
    server.write(1)
    one.turn(2)
    server.live.unlink()
    wall = [datetime.now(UTC)]
    one.state.upkeep.clock = Clock(lambda: wall[0])
    wall[0] += timedelta(days=400)
    one.keep_up()
    assert one.state.ledger.sources()[0].head is not None
    one.stop()


# --- as a process ----------------------------------------------------------------------------------


class Service:
    """`logscrub follow` as a service manager starts it."""

    def __init__(
        self, room: Path, *options: str, environment: dict[str, str] | None = None
    ) -> None:
        self.room = room
        with (room / "said").open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "logscrub", "follow", str(room / "log" / "access.log"), "--out", str(room / "out"),
                 "--flush", "0.5", *options],
                stdout=subprocess.PIPE, stderr=said, env={**os.environ, **(environment or {})},
            )  # fmt: skip

    def wait_for(self, is_so: Callable[[], bool], seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < until, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    @property
    def said(self) -> str:
        return (self.room / "said").read_text()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=10)
        return self.process.returncode, out.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_commits_what_was_read(
    server: Server, tmp_path: Path, number: int, code: int
) -> None:
    """Within five seconds, although the flush is far away."""
    server.write(3)
    service = Service(tmp_path, "--flush", "600")
    service.wait_for(lambda: "following" in service.said)
    time.sleep(0.6)
    began = time.monotonic()
    ended, out = service.end(number)
    assert time.monotonic() - began < 5
    assert ended == code, service.said
    assert "3 lines = 3 rows" in out
    assert numbers(tmp_path / "out") == [1, 2, 3]


def test_it_speaks_with_its_service_manager(server: Server, tmp_path: Path) -> None:
    """Ready, alive, reloading, stopping, in the protocol of sd_notify(3)."""
    server.write(1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        heard: list[str] = []

        def hear(text: str) -> None:
            while not any(text in one for one in heard):
                heard.append(manager.recv(4096).decode())

        service = Service(tmp_path, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        hear("READY=1")
        hear("WATCHDOG=1")
        heard.clear()
        service.process.send_signal(signal.SIGHUP)
        hear("RELOADING=1")
        hear("READY=1")
        assert service.end()[0] == 0
        hear("STOPPING=1")


def test_a_policy_is_applied_while_it_runs(server: Server, tmp_path: Path) -> None:
    """Rows before and after are each under the policy of their time; no line is lost or doubled."""
    server.write(2)
    service = Service(tmp_path)
    service.wait_for(lambda: count(tmp_path / "out") == 2)
    done = logscrub(
        "policy", "apply", tmp_path / "out", "--policy", "strict-30d", "--reason", "less is enough"
    )
    assert done.code == 0, done.err
    server.write(2)
    service.wait_for(lambda: count(tmp_path / "out") == 4)
    assert service.end()[0] == 0
    assert "the policy is strict-30d now" in service.said
    shown = logscrub("query", tmp_path / "out", "SELECT count(client_net) AS n FROM logs")
    assert shown.out.split() == ["n", "2"]


def test_a_reload_that_fails_changes_nothing(server: Server, tmp_path: Path) -> None:
    """An edited policy that nobody applied, and a broken one: said, and it goes on as before."""
    server.write(1)
    service = Service(tmp_path)
    service.wait_for(lambda: count(tmp_path / "out") == 1)
    policy = tmp_path / "out" / "policy.toml"
    text = policy.read_text()
    for wrong, told in ((text.replace("12 months", "11 months"), "not the policy"), ("x", "TOML")):
        policy.write_text(wrong)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for(lambda told=told: told in service.said)  # type: ignore[misc]
    server.write(1)
    service.wait_for(lambda: count(tmp_path / "out") == 2)
    assert service.end()[0] == 0


def test_two_writers_exclude_each_other(server: Server, tmp_path: Path) -> None:
    """The second ends with code 10, `expire`, `compact` and `status` work beside the first."""
    server.write(1)
    service = Service(tmp_path)
    service.wait_for(lambda: count(tmp_path / "out") == 1)
    assert logscrub("ingest", server.folder, "--out", tmp_path / "out").code == 10
    for command in ("expire", "compact", "status", "verify"):
        done = logscrub(command, tmp_path / "out")
        assert done.code == 0, (command, done.out, done.err)
    assert service.end()[0] == 0


def test_an_output_that_vanishes_ends_it_with_a_clear_error(server: Server, tmp_path: Path) -> None:
    """Not in a pause: nobody would notice."""
    server.write(1)
    service = Service(tmp_path)
    service.wait_for(lambda: count(tmp_path / "out") == 1)
    (tmp_path / "out" / "staging").rename(tmp_path / "elsewhere")
    server.write(1)
    out, _ = service.process.communicate(timeout=20)
    assert service.process.returncode == 8, (service.said, out)
    assert "staging" in service.said
    assert "203.0.113" not in service.said


def test_nothing_to_follow_is_an_error(tmp_path: Path) -> None:
    """Wrong use, its own code."""
    assert logscrub("follow", "--out", tmp_path / "out").code == 2


PAGE = (Path(__file__).parents[1] / "docs" / "live.md").read_text(encoding="utf-8")
CALLS = [
    call for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for call in block.splitlines()
]


@pytest.mark.parametrize("call", CALLS)
def test_the_commands_of_the_page_work(tmp_path: Path, call: str) -> None:
    """Each one runs as written, with the paths of a server replaced, until it is told to stop."""
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "access.log").write_bytes(lines(*range(5)))
    fields = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
    with gzip.open(tmp_path / "u_ex261121.log.gz", "wb") as file:
        file.write(fields + b"2026-11-21 10:00:00 192.0.2.7 GET / 200\n")
    shell = (
        call.replace("/var/log", str(tmp_path))
        .replace("/var/lib/logscrub", str(tmp_path / "out"))
        .replace("/run/logscrub", str(tmp_path))
        .replace("/var/lib/haproxy/logscrub", str(tmp_path))
        .replace("tail -F", "cat")
        .replace("goaccess --log-format=COMBINED -", "tee scrubbed.log")
        .replace("logscrub ", "timeout --preserve-status --signal TERM 6 logscrub ", 1)
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    if "filter" in call:
        assert ".0 " in (tmp_path / "scrubbed.log").read_text(encoding="utf-8")
    assert count(tmp_path / "out") == (0 if "--listen" in call or "filter" in call else 5)


def test_the_page_has_commands() -> None:
    """The test above is not empty."""
    assert len(CALLS) >= 5
