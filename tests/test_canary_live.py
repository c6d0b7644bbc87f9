"""Planted values through live logs: in no output byte, file name, message or metric, in success and in failure."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from program import count, logscrub
from test_canary import PLANTED, leaks, planted, unclean

from logscrub.formats.catalogue import resolve

if TYPE_CHECKING:
    from pathlib import Path

LINES = planted(*resolve("combined").layouts)


@pytest.mark.parametrize("policy", ["security-12m", "detection-90d", "strict-30d"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_planted_survives_following(tmp_path: Path, policy: str, end: int) -> None:
    """Live, rotated and packed logs, one that fits no format, a damaged archive; then merged, checked and looked at."""
    log, out = tmp_path / "log", tmp_path / "out"
    log.mkdir()
    (log / "access.log").write_bytes(LINES)
    (log / "access.log.1.gz").write_bytes(gzip.compress(LINES[: len(LINES) // 2]))
    (log / "access.log.2.gz").write_bytes(gzip.compress(LINES)[:200])
    (log / "other.access.log").write_bytes("\n".join(PLANTED).encode() * 20 + b"\n")
    os.utime(log / "access.log.2.gz", (1, 1))
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "logscrub", "follow", str(log / "access.log"), str(log / "other.access.log"),
             "--out", str(out), "--policy", policy, "--flush", "0.3", "--distinct", "--format", "combined",
             "--metrics-file", str(tmp_path / "figures.prom")],
            stdout=said, stderr=said,
        )  # fmt: skip
    until = time.monotonic() + 30
    while not (count(out) and (tmp_path / "figures.prom").exists()) and time.monotonic() < until:
        time.sleep(0.1)
    with (log / "access.log").open("ab") as more:
        more.write(LINES)
    (log / "access.log").rename(log / "access.log.1")
    (log / "access.log").write_bytes(LINES + LINES)
    time.sleep(2)
    process.send_signal(end)
    process.wait(10)
    assert count(out) > 0
    texts = [(tmp_path / "said").read_bytes(), (tmp_path / "figures.prom").read_bytes()]
    for command in ("compact", "verify", "status", "expire"):
        done = logscrub(command, out)
        assert done.code == 0, (command, done.out, done.err)
        texts += [done.out.encode(), done.err.encode()]
    assert [leaks(text) for text in texts] == [[]] * len(texts)
    assert not unclean(out)
