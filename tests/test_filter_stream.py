"""`logscrub filter` as a stream and as a command: what arrives when, what is said, how it ends."""

from __future__ import annotations

import gzip
import os
import queue
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.errors import FormatError, SourceError
from logscrub.run.filter import Filtering, arrivals, filter_lines, filtering
from logscrub.run.prepare import Wishes
from logscrub.schema import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logscrub.run.scrubbing import Tally

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLANTED = (
    "jane.roe",
    "Xk9fQ2vT7bLm",
    "198.51.100.201",
    "2001:db8:beef::77",
    "roe@example.net",
    "planted-agent",
)


def work(policy: str = "", *settings_: str, **wishes: Any) -> Filtering:
    return filtering(Wishes(policy, settings_, **wishes), lambda: NOW)


def line(address: str, request: str, tail: str = '200 512 "-" "-"', user: str = "-") -> str:
    return f'{address} - {user} [22/Nov/2026:02:31:16 +0100] "{request}" {tail}'


# -------------------------------------------------------------------------------------------------------- the stream


def stream(data: bytes | Sequence[bytes], how: Filtering | None = None) -> tuple[bytes, Tally]:
    out: list[bytes] = []
    portions = [data] if isinstance(data, bytes) else data
    tally = filter_lines(portions, how or work(), lambda text: out.append(text.to_pybytes()))
    return b"".join(out), tally


GOOD = line("192.0.2.1", "GET / HTTP/1.1").encode()
SCRUBBED = line("192.0.2.0", "GET / HTTP/1.1").encode()


@given(st.lists(st.integers(1, 400), max_size=6))
def test_portions_do_not_matter(cuts: list[int]) -> None:
    """However the bytes arrive, the lines are the same, and every line is accounted for."""
    data = b"\n".join([GOOD, b"junk", b"", GOOD, GOOD, GOOD + b"\r", GOOD, GOOD, GOOD])
    portions, at = [], 0
    for cut in cuts:
        portions.append(data[at : at + cut])
        at += cut
    out, tally = stream([*portions, data[at:]])
    assert out == b"".join([SCRUBBED + b"\n"] * 7)
    assert (tally.lines, tally.rows, tally.blanks, dict(tally.rejects)) == (
        9,
        7,
        1,
        {Reason.STRUCTURE: 1},
    )


def test_the_format_is_judged_on_what_arrived_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines wait for a decision for at most a second, then go out as they come; a named format does not wait."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    seen: list[tuple[str, int]] = []
    out: list[bytes] = []

    def portions() -> Any:
        for step, portion in enumerate([GOOD + b"\n", b"", b"", GOOD + b"\n", GOOD]):
            clock[0] += 0.6
            yield portion
            seen.append((f"after {step}", len(out)))

    filter_lines(portions(), work(), lambda text: out.append(text.to_pybytes()))
    assert seen == [("after 0", 0), ("after 1", 0), ("after 2", 1), ("after 3", 2), ("after 4", 2)]
    assert len(out) == 3
    out.clear()
    seen.clear()
    filter_lines(portions(), work(format="combined"), lambda text: out.append(text.to_pybytes()))
    assert seen[0] == ("after 0", 1)


def test_a_flood_of_garbage_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dropped is told while the stream goes on, at most once a minute, and never without a reason."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    told: list[tuple[float, int]] = []

    def portions() -> Any:
        for portion in [GOOD + b"\n"] * 3 + [b"junk\n"] * 5:
            clock[0] += 25
            yield portion

    filter_lines(
        portions(), work(format="combined"), lambda _: None,
        dropped=lambda tally: told.append((clock[0], tally.rejects.total())),
    )  # fmt: skip
    assert told == [(200.0, 1), (275.0, 4)]


@given(st.lists(st.sampled_from([b"\n", b" ", b"\t\n", b"\r\n"]), max_size=150), st.integers(0, 3))
def test_blank_lines_decide_nothing(blanks: list[bytes], after: int) -> None:
    """However many blank lines come first, the format is that of the first other lines."""
    vhost = b"www.example.org:443 " + GOOD + b"\n"
    out, tally = stream(
        [*blanks[: len(blanks) // 2], b"".join(blanks[len(blanks) // 2 :]), b"\n", vhost * after]
    )
    assert out == (b"_other:- " + SCRUBBED + b"\n") * after
    assert tally.blanks == b"".join(blanks).count(b"\n") + 1


def test_a_bad_first_line_is_waited_out() -> None:
    """A stream is not given up for its first line, as long as the first hundred decide."""
    out, tally = stream([b"\x16\x03\x01 nonsense\n", b"", *[GOOD + b"\n"] * 99])
    assert out.count(b"\n") == 99
    assert tally.rejects.total() == 1


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (os.urandom(0) + bytes(range(256)) * 20, FormatError, "standard input"),
        (gzip.compress(GOOD, mtime=0), SourceError, "compressed"),
        ("\n".join(["GET /"] * 9).encode("utf-16"), FormatError, "UTF-16"),
        (b"hello jane.roe\n" * 200, FormatError, "no known format"),
        (b'{"a": "jane.roe"}\n' * 20, FormatError, "JSON"),
    ],
)
def test_what_is_no_log_is_refused(data: bytes, kind: type[Exception], text: str) -> None:
    """Binary, compressed and unknown input is refused with a reason that quotes nothing of it."""
    with pytest.raises(kind, match=text) as caught:
        stream(data)
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\n", b" \n\t\n\n"])
def test_nothing_gives_nothing(data: bytes) -> None:
    """No lines, or only blank ones, are no error."""
    out, tally = stream(data)
    assert (out, tally.lines, tally.blanks) == (b"", data.count(b"\n"), data.count(b"\n"))


def test_what_waits_is_taken_together() -> None:
    """Portions that are there are joined; an empty one says that nothing came, until the end."""
    box: queue.Queue[bytes] = queue.Queue()
    for portion in (b"a", b"b", b"c"):
        box.put(portion)
    arriving = arrivals(box, lambda: False, wait=0.01)
    assert next(arriving) == b"abc"
    assert next(arriving) == b""
    box.put(b"d")
    box.put(b"")
    assert list(arriving) == [b"d"]


# ------------------------------------------------------------------------------------------------------- the command


def child(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "logscrub", "filter", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)


def test_a_line_goes_out_before_the_next_one_comes() -> None:
    """`tail -f`: each line is answered while the pipe stays open; a last line without its end counts at the end."""
    with child("-f", "combined") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        for _ in range(3):
            process.stdin.write(GOOD + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == SCRUBBED + b"\n"
        process.stdin.write(b"junk\n" + GOOD)
        process.stdin.close()
        assert process.stdout.read() == SCRUBBED + b"\n"
        notes = process.stderr.read().decode()
        assert process.wait() == 0
    assert "combined" in notes
    assert "1 of 5 lines dropped: structure 1" in notes


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly(number: int, code: int) -> None:
    """Ctrl-C and SIGTERM: whole lines are out, the summary is printed, half a line is not passed on."""
    with child("-f", "combined") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(GOOD + b"\n" + GOOD[:40])
        process.stdin.flush()
        assert process.stdout.readline() == SCRUBBED + b"\n"
        process.send_signal(number)
        assert process.stdout.read() == b""
        assert b"0 of 1 lines dropped" in process.stderr.read()
        assert process.wait() == code


def test_a_closed_output_is_no_noise() -> None:
    """`| head`: exit code 141 and not a word."""
    reader, writer = os.pipe()
    with child("-q", "-f", "combined", stdout=writer) as process:
        os.close(writer)
        os.close(reader)
        _, notes = process.communicate((GOOD + b"\n") * 3)
        assert (process.returncode, notes) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "data", "code", "text"),
    [
        ((), b"", 0, b"0 of 0 lines dropped"),
        (("-",), bytes(range(256)) * 40, 5, b"hint"),
        ((), gzip.compress(GOOD * 9, mtime=0), 6, b"zcat"),
        (("access.log",), b"", 2, b"logscrub filter < FILE"),
        (("-p", "detection-90d"), b"", 4, b"--keys"),
        (("--set", "agent.os=true"), b"", 4, b"tighten"),
        (("-q", "-f", "combined"), GOOD + b"\njunk\n", 0, b""),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], data: bytes, code: int, text: bytes) -> None:
    """Each way to end has its exit code and says on standard error what to do; `-q` says nothing."""
    with child(*arguments) as process:
        _, notes = process.communicate(data)
    assert process.returncode == code
    assert text in notes
    assert "-q" not in arguments or not notes


def test_a_canary_is_on_no_output() -> None:
    """Neither standard output nor standard error quotes a line, whether it fits or not."""
    data = line(
        "198.51.100.201",
        "GET /?t=Xk9fQ2vT7bLm HTTP/1.1",
        '200 5 "https://roe@example.net/" "planted-agent"',
        "jane.roe",
    ).encode()
    for arguments in (
        (),
        ("-f", "combined"),
        ("-f", "common"),
        ("-f", "$remote_addr|$time_iso8601|$status"),
    ):
        with child(*arguments) as process:
            out, notes = process.communicate(
                data + b"\n" + data[:60] + b"\n" + data + b"\n" + data + b"\n" + data
            )
        assert not [word for word in PLANTED if word.encode() in out + notes]
