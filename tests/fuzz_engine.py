"""Mutating fuzzer: inputs that behave in a new way are kept, failures are made small.

Compiled loops show no coverage, so what a check says it saw (verdicts, reasons, layouts) takes its place: an input that
gives a new answer is one to go on from. A step runs in a process of its own, so that one that crashes or hangs is
known by its input too.
"""

from __future__ import annotations

import faulthandler
import gc
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    Check = Callable[[bytes, int], Hashable]

MOST: Final = 1 << 18
"""Bytes of the longest input."""
HANGS: Final = 30.0
"""Seconds after which a step is taken for one that does not end."""
PER_BYTE: Final = 2e-5
"""Seconds that a byte may take: much more than any does, and less than a square costs."""
AT_ONCE: Final = 0.25
"""Seconds that any input may take."""
GROWTH: Final = 50 << 20
"""Bytes by which the process may grow."""
SIZES: Final = (8_192, 32_768)
"""Bytes of a stretched input; four times as many may take so much longer:"""
STEEPEST: Final = 10.0
DEPTHS: Final = (*16 * (0,), 1, 1, 1, 2)
"""How much a step checks: what takes long, seldom."""
NOTHING: Final = 0.02
"""Seconds that are not worth a look."""
STRETCHED: Final = 400
"""One step in so many repeats a piece of the input very often."""
MOST_KEPT: Final = 20_000
"""Bytes of the longest input to go on from."""
MOST_POOL: Final = 3000
"""Inputs to go on from; then a new one takes the place of another."""
MOST_SEEN: Final = 20_000
"""Answers that are remembered."""
WARM: Final = 2000
"""Steps after which memory counts."""
MINIMISE: Final = 40.0
"""Seconds for making a failure small."""
_NASTY: Final = (
    b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\r\r\n", b"\t", b" ", b'"', b"'", b"\\", b'\\"',
    b"\\x", b"\\x2", b"\\x22", b"\\u", b"\\ud83e", b"\\u0000", b"\\u000a", b"\\n", b"#", b"#22", b"#2", b"%", b"%2", b"%00", b"%0a", b"%25", b"+",
    b"-", b".", b",", b":", b";", b"=", b"/", b"?", b"{", b"}", b"[", b"]", b"(", b")", b"$", b"${", b"%{", b"{{", b"}}", b"|", b"<", b">", b"~", b"_",
    b"0", b"00", b"-1", b"1e400", b"1e9", b"18446744073709551616", b"9" * 40, b"0" * 40, b"-9223372036854775809", b"4294967296", b"0.0000000001",
    b"NaN", b"null", b"true", b'""', b'"a":', b'{"', b"[[[[", b"#Fields: ", b"#Fields: date time c-ip\n", b"2026-11-22", b"02:30:01", b"203.0.113.7",
    b"22/Nov/2026:02:30:01 +0000", b"31/Feb/2026:24:61:99 -9999", b"2026-11-22T02:30:01Z", b"HTTP/1.1", b"GET / HTTP/1.1", b" - ", b" | ",
)  # fmt: skip


# ---- what is done to bytes


def mutated(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Bytes with one to a few things done to them."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        data = rng.choice(_STEPS)(data, rng, others)
    return data[:MOST]


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    at = rng.randint(0, len(data))
    return at, min(len(data), at + rng.choice((1, 1, 2, 3, 8, 40, 200)))


def _flip(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _byte(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + rng.randint(0, 1) :]


def _insert(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(_NASTY) + data[at + rng.choice((0, 0, 1, 4)) :]


def _delete(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at, end = _span(data, rng)
    return data[:at] + data[end:]


def _repeat(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at, end = _span(data, rng)
    most = 70_000 // (end - at + 1) if not rng.randrange(40) else 300 // (end - at + 1)
    return data[:end] + data[at:end] * rng.randint(1, 1 + most) + data[end:]


def _splice(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    begin, end = _span(other, rng)
    at = rng.randint(0, len(data))
    piece = other[begin:end] if rng.randrange(3) else other[begin:]
    return data[:at] + piece + (data[at:] if rng.randrange(2) else b"")


def _move(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at, end = _span(data, rng)
    rest = data[:at] + data[end:]
    to = rng.randint(0, len(rest))
    return rest[:to] + data[at:end] + rest[to:]


def _cut(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    return data[: rng.randint(0, len(data))]


def _number(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    """Another number in the place of one."""
    places = [i for i in range(len(data)) if 0x30 <= data[i] <= 0x39][:200]
    if not places:
        return data
    at = end = rng.choice(places)
    while end < len(data) and 0x30 <= data[end] <= 0x39:
        end += 1
    value = rng.choice((b"0", b"", b"-", b"%d" % rng.getrandbits(rng.choice((4, 16, 33, 65, 200)))))
    return data[:at] + value + data[end:]


def _nest(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    """A part put into brackets, many of them."""
    at, end = _span(data, rng)
    left, right = rng.choice(
        ((b"[", b"]"), (b'{"a":', b"}"), (b"{", b"}"), (b"(", b")"), (b'"', b'"'), (b"\\", b""))
    )
    deep = rng.choice((1, 2, 31, 32, 33, 64, 65, 1000, 9000))
    return data[:at] + left * deep + data[at:end] + right * deep + data[end:]


def _lines(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Lines of this and another input, in another order."""
    some = (data + b"\n" * rng.randint(0, 1) + rng.choice(others)[1:]).splitlines(keepends=True)[
        :40
    ]
    return b"".join(rng.choice(some) for _ in range(rng.randint(1, 6))) if some else data


_STEPS: Final = (
    _flip, _byte, _byte, _insert, _insert, _insert, _delete, _delete, _repeat, _splice, _splice, _move, _cut, _number, _nest, _lines,
)  # fmt: skip


# ---- failures


@dataclass(slots=True)
class Failure:
    """What went wrong, and the smallest input known."""

    key: str
    told: str
    data: bytes


class TooSlowError(Exception):
    """A step took too long for its bytes."""


def failure(check: Check, data: bytes) -> Failure | None:
    """What goes wrong with an input."""
    try:
        check(data, 2)
    except Exception as error:  # noqa: BLE001 — anything is a finding
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1]
        told = "".join(traceback.format_exception(error)[-12:])
        return Failure(
            f"{type(error).__name__} {Path(last.filename).name}:{last.name}:{last.lineno}",
            told,
            data,
        )
    return None


def minimised(check: Check, found: Failure, seconds: float = MINIMISE) -> Failure:
    """The smallest input that fails in the same way, as far as time allows."""
    until = time.monotonic() + seconds
    step = max(1, len(found.data) // 2)
    while time.monotonic() < until:
        at, shorter = 0, False
        while at < len(found.data) and time.monotonic() < until:
            candidate = found.data[:at] + found.data[at + step :]
            again = failure(check, candidate)
            if again and again.key == found.key:
                found, shorter = again, True
            else:
                at += step
        if step == 1 and not shorter:
            break
        step = max(1, step // 2)
    for at in range(len(found.data)):
        for plain in b"a0":
            if time.monotonic() > until or found.data[at] in b"a0 \n":
                break
            again = failure(check, found.data[:at] + bytes([plain]) + found.data[at + 1 :])
            if again and again.key == found.key:
                found = again
                break
    return found


# ---- runs


@dataclass(slots=True)
class Run:
    """How a family was fuzzed.

    Args:
        executions: Steps.
        kept: Inputs that behaved in a new way.
        slowest: Seconds per byte of the slowest step over a thousand bytes.
        grown: Bytes by which the process grew after it was warm.
        failures: By what went wrong.
    """

    executions: int = 0
    kept: int = 0
    slowest: float = 0.0
    grown: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)


def fuzz(
    check: Check, seeds: Sequence[bytes], *, seconds: float, seed: int, steps: int = 0, going_on: bool = False,
    now: mmap.mmap | None = None,
) -> Run:  # fmt: skip
    """Run a check on mutated seeds, for some time or for so many steps.

    Args:
        check: Raises when something is wrong, otherwise says what it saw; see `fuzz_families.Family`.
        seeds: Inputs to begin with.
        seconds: For how long.
        seed: Of the random numbers.
        steps: How many steps at most, and then nothing is measured, so that a run is the same everywhere; 0 for any
            number.
        going_on: Whether to go on after a failure.
        now: Where the input of the moment is noted.
    """
    rng, pool, run = Random(seed), list(seeds), Run()
    seen: set[Hashable] = set()
    for one in seeds:
        _note(now, one, watch=False)
        _step(check, one, rng.choice(DEPTHS) if steps else 2, run, seen)
    until, warm = time.monotonic() + seconds, 0
    while time.monotonic() < until and not (steps and run.executions >= steps):
        if run.failures and not going_on:
            break
        # what was found last is the least known
        base = pool[-1 - int(rng.random() ** 2 * len(pool))]
        if not steps and not rng.randrange(STRETCHED):
            data = _stretched(base, rng, check, run, now)
        else:
            data = mutated(base, rng, pool)
        _note(now, data)
        begin = time.perf_counter()
        if _step(check, data, rng.choice(DEPTHS), run, seen) and len(data) < MOST_KEPT:
            run.kept += 1
            pool.append(data)
            if len(pool) > MOST_POOL:
                del pool[rng.randrange(MOST_POOL)]
        if not steps:
            _measure(check, data, time.perf_counter() - begin, run)
        run.executions += 1
        if run.executions == WARM:
            warm = _resident()
    gc.collect()
    run.grown = max(0, _resident() - warm - sum(map(len, pool))) if warm else 0
    if not steps and run.grown > GROWTH:
        run.failures["memory"] = Failure("memory", f"the process grew by {run.grown >> 20} MB", b"")
    return run


def _step(check: Check, data: bytes, depth: int, run: Run, seen: set[Hashable]) -> bool:
    """Whether an input behaves in a way not seen before; a failure is noted."""
    try:
        saw = check(data, depth)
    except Exception:  # noqa: BLE001 — anything is a finding
        _add(run, check, failure(check, data))
        return False
    is_new = saw not in seen
    if len(seen) >= MOST_SEEN:
        seen.clear()
    seen.add(saw)
    return is_new


def _measure(check: Check, data: bytes, took: float, run: Run) -> None:
    if len(data) > 1000:
        run.slowest = max(run.slowest, took / len(data))
    if took > AT_ONCE + PER_BYTE * len(data):
        _add(run, check, failure(check, data) or _slow(check, data))


def _note(now: mmap.mmap | None, data: bytes, *, watch: bool = True) -> None:
    """Note an input where the parent sees it; the first ones are not watched, as loops are compiled meanwhile."""
    if now is not None:
        now[: 8 + len(data)] = len(data).to_bytes(8, "little") + data
    if now is not None and watch:
        faulthandler.dump_traceback_later(HANGS, exit=True)


def _add(run: Run, check: Check, found: Failure | None) -> None:
    if found and found.key not in run.failures:
        faulthandler.cancel_dump_traceback_later()
        run.failures[found.key] = minimised(check, found) if "TooSlow" not in found.key else found


def _least(check: Check, data: bytes, tries: int = 3) -> float:
    """The shortest time that a step takes."""
    best = float("inf")
    for _ in range(tries):
        begin = time.process_time()
        check(data, 2)
        best = min(best, time.process_time() - begin)
    return best


def _slow(check: Check, data: bytes) -> Failure | None:
    took = _least(check, data)
    if took <= AT_ONCE + PER_BYTE * len(data):
        return None
    return Failure(f"TooSlow {len(data)}", f"{took:.3f} s for {len(data)} bytes", data)


def _stretched(base: bytes, rng: Random, check: Check, run: Run, now: mmap.mmap | None) -> bytes:
    """An input of which a piece is repeated very often; what takes more than linear time is noted."""
    at, end = _span(base, rng)
    piece, head, tail = (
        base[at:end] or rng.choice(_NASTY),
        base[:end],
        base[end:] * rng.randrange(2),
    )
    small, large = (head + piece * ((size - len(base)) // len(piece)) + tail for size in SIZES)
    _note(now, large)
    with suppress(Exception):  # the step that follows tells it
        took = _least(check, large, 1)
        if took > NOTHING and took > STEEPEST * _least(check, small):
            took, before = _least(check, large), _least(check, small)
            if took > STEEPEST * before:
                told = f"{before:.4f} s for {len(small)} bytes, {took:.4f} s for {len(large)}: {head!r} + n * {piece!r} + {tail!r}"
                run.failures.setdefault("steep", Failure("steep", told, large))
    return large


def _resident() -> int:
    """Bytes of memory that the process has now; 0 where nobody tells."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def watched(work: Callable[[mmap.mmap], int]) -> int:
    """Work in a process of its own; one that dies is told with the input it died of.

    Args:
        work: Told where to note the input of the moment; gives the exit code.
    """
    now = mmap.mmap(-1, MOST + 4096)
    child = os.fork()
    if not child:
        faulthandler.enable()
        code = work(now)
        sys.stdout.flush()
        os._exit(code)
    try:
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return 130
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):
        size = int.from_bytes(now[:8], "little")
        print(
            f"the process ended with {code}; its last input, {size} bytes:\n{now[8 : 8 + size].hex()}"
        )
        return 3
    return code
