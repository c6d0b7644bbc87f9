"""`follow` in this process, turn by turn, and a server whose log it follows."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import pytest
from program import line

from logscrub import follow as tails
from logscrub.dataset import FOLLOW, Dataset, create
from logscrub.errors import BusyError, FullError
from logscrub.ledger import Ledger
from logscrub.profiles import read
from logscrub.run import adopt, follow, upkeep
from logscrub.run.following import Following, Watch, commit_all
from logscrub.run.ingest import writing
from logscrub.run.prepare import Wishes, job_for
from logscrub.run.upkeep import Clock, Upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from logscrub.errors import LogscrubError


@dataclass
class Follower:
    """One run of `follow` that takes its turns when it is told to."""

    out: Path
    paths: Sequence[str]
    flush: float = 0.0
    precision: Literal["second", "hour"] = "second"
    said: list[str] = field(default_factory=list)
    errors: list[LogscrubError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = ExitStack()
        dataset, base = Dataset(self.out), read("security-12m")[0]
        policy = replace(base, time=replace(base.time, precision=self.precision))
        create(dataset)
        job = job_for(dataset, policy, Wishes(), now=datetime.now(UTC))
        ledger, _ = self.held.enter_context(writing(dataset, policy, stamp=job.stamp, mark=FOLLOW))
        self.state = Following(
            dataset, ledger, job, list(self.paths), self.flush,
            Watch(lambda: False, lambda _: None, self._tell),
            Upkeep(dataset, None, Clock(lambda: datetime.now(UTC)), self._tell),
        )  # fmt: skip

    def _tell(self, text: str, error: LogscrubError | None) -> None:
        (self.errors if error else self.said).append(error or text)  # type: ignore[arg-type]

    def turn(self, times: int = 1) -> None:
        """Look, read, commit."""
        for _ in range(times):
            follow.turn(self.state)

    def loop(self) -> None:
        """One turn as the loop of `follow` takes it: a full disk is a pause, which is over at once."""
        self.state.paused_until = 0.0
        try:
            self.turn()
        except (FullError, BusyError) as error:
            follow._pause(self.state, error)

    def keep_up(self, *, hourly: bool = True) -> None:
        """What is done beside following, as if the day, and the hour, were over."""
        keep = self.state.upkeep
        keep.expired_on, keep.tried_at = None, -upkeep.HOURLY
        keep.merged_at = -upkeep.HOURLY if hourly else time.monotonic()
        for _ in range(2):
            with ThreadPoolExecutor(1) as aside:
                keep.turn(self.state.job, aside)

    def stop(self, *, cleanly: bool = True) -> None:
        """End; or be killed: what was not committed is gone."""
        if cleanly:
            commit_all(self.state)
        for one in self.state.files.values():
            one.stream.drop()
            one.tail.close()
        self.held.close()


def impatient(patch: pytest.MonkeyPatch) -> None:
    """Nothing waits for a clock."""
    for module, name in (
        (adopt, "_LOOK"), (adopt, "_THOROUGH"), (adopt, "_AGAIN"), (tails, "_SURE"),
    ):  # fmt: skip
        patch.setattr(module, name, 1e-9)


@contextmanager
def refusing(number: int, *, late: bool) -> Iterator[None]:
    """The disk refuses one transaction of the ledger.

    Args:
        number: How many go well before it.
        late: All of it is there, and only the answer is a refusal.
    """
    whole, left = Ledger.transaction, number

    @contextmanager
    def transaction(ledger: Ledger) -> Iterator[None]:
        nonlocal left
        left -= 1
        is_refused = left == -1
        with whole(ledger):
            yield
            if is_refused and not late:
                raise FullError("no space left for the ledger")
        if is_refused:
            raise FullError("no space left for the ledger")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "transaction", transaction)
        yield


class Server:
    """Writes lines that are told apart by their number into a log that is rotated under its hands."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.live = folder / "access.log"
        self.folder = folder
        self.count = 0
        self.written: list[int] = []
        self._half = b""
        self._old: list[int] = []
        self._handle = self._open()

    def _open(self) -> int:
        return os.open(self.live, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, number: int = 1) -> None:
        """Whole lines; the half of one that was begun is finished first."""
        text = self._half
        self._half = b""
        for _ in range(number):
            self.count += 1
            self.written.append(self.count)
            text += line(self.count)
        os.write(self._handle, text)

    def begin(self) -> None:
        """The first half of a line."""
        if not self._half:
            self.count += 1
            self.written.append(self.count)
            whole = line(self.count)
            os.write(self._handle, whole[:40])
            self._half = whole[40:]

    @property
    def has_begun(self) -> bool:
        """Whether half a line waits for its rest."""
        return bool(self._half)

    def generation(self, number: int) -> list[Path]:
        """A rotated file, packed or not, or both while gzip is at work."""
        names = (f"access.log.{number}", f"access.log.{number}.gz")
        return [self.folder / name for name in names if (self.folder / name).exists()]

    def shift(self) -> None:
        """`.1` becomes `.2`, and so on."""
        for number in range(40, 0, -1):
            for path in self.generation(number):
                path.rename(path.with_name(path.name.replace(f"log.{number}", f"log.{number + 1}")))

    def rotate(self, *, late: int = 0) -> None:
        """Rename and reopen; old workers write on for a while."""
        self.finish()
        self.shift()
        self.live.rename(self.folder / "access.log.1")
        if late:
            self.write(late)
        os.close(self._handle)
        self._handle = self._open()

    def copy(self) -> None:
        """The first half of copytruncate."""
        self.finish()
        self.shift()
        shutil.copyfile(self.live, self.folder / "access.log.1")

    def truncate(self) -> None:
        """The second half; what was written in between is lost by nature, so nothing is."""
        os.truncate(self.live, 0)

    def finish(self) -> None:
        """Write the rest of a line that was begun."""
        if self._half:
            os.write(self._handle, self._half)
            self._half = b""

    def pack(self, *, half: bool = False) -> bool:
        """`.1` becomes `.1.gz`; half: gzip is still at work."""
        plain, packed = self.folder / "access.log.1", self.folder / "access.log.1.gz"
        if not plain.exists():
            return False
        data = gzip.compress(plain.read_bytes())
        packed.write_bytes(data[: len(data) // 2] if half else data)
        if not half:
            plain.unlink()
        return True

    def remove(self) -> None:
        """The live log is deleted, and made anew."""
        self.finish()
        self.live.unlink()
        os.close(self._handle)
        self._handle = self._open()

    def replace(self) -> None:
        """A copy of the live log, under its name; the server writes on into the copy."""
        draft = self.folder / ".draft"
        draft.write_bytes(self.live.read_bytes())
        draft.rename(self.live)
        os.close(self._handle)
        self._handle = self._open()

    def close(self) -> None:
        """End."""
        self.finish()
        os.close(self._handle)
