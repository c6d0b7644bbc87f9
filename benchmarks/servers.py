"""What servers write beside the request itself: when, how long, from which port, and numbers that join logs.

Values depend on the number of the line alone, so that every format tells of the same requests.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

Ints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]

TIMES: Final = {
    "clf": "%d/%b/%Y:%H:%M:%S",
    "iso": "%Y-%m-%dT%H:%M:%S",
    "day": "%Y-%m-%d",
    "clock": "%H:%M:%S",
    "stamp": "%b %e %H:%M:%S",
    "ctime": "%a %b %e %H:%M:%S %Y",
    "epoch": "%s",
}
"""Spellings of the time, without what is below a second."""


def mix(numbers: Ints) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """64 bits that look random, the same for the same number: the finaliser of SplitMix64."""
    z = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def digits(numbers: Ints) -> pa.Array:
    """Whole numbers as text."""
    return pc.cast(pa.array(numbers), pa.string())


def written(name: str, row: Ints, seconds: Ints, first: date) -> pa.Array:
    """A value for each line.

    Args:
        name: Of `TIMES` or `_OTHERS`.
        row: The numbers of the lines.
        seconds: When each was written, in seconds from the start of the log; ascending.
        first: The first day of the log, UTC.
    """
    return _stamps(seconds, first, TIMES[name]) if name in TIMES else _OTHERS[name](row)


def _stamps(seconds: Ints, first: date, spelling: str) -> pa.Array:
    distinct, codes = np.unique(seconds, return_inverse=True)
    begin = datetime.combine(first, time(), UTC)
    moments = (begin + timedelta(seconds=at) for at in distinct.tolist())
    # %s of strftime is that of the machine's own zone
    epoch = spelling == TIMES["epoch"]
    texts = [str(int(at.timestamp())) if epoch else at.strftime(spelling) for at in moments]
    return pa.array(texts, pa.string()).take(pa.array(codes))


def _below(row: Ints, bound: int) -> Ints:
    return (mix(row + 2**40 + bound) >> np.uint64(2)).astype(np.int64) % bound


def _padded(numbers: Ints, width: int, fill: str = "0") -> pa.Array:
    return pc.utf8_lpad(digits(numbers), width, fill)


def _milliseconds(row: Ints) -> Ints:
    """How long requests took: most of them a few milliseconds, some a second."""
    chance = _below(row, 2**20) / 2.0**20
    return 1 + (chance * chance * chance * chance * 1_400).astype(np.int64)


def _seconds(row: Ints) -> pa.Array:
    took = _milliseconds(row)
    return pc.binary_join_element_wise(digits(took // 1_000), _padded(took % 1_000, 3), ".")


def _hex(row: Ints, words: int) -> pa.Array:
    bits = np.stack([mix(row + 2**41 + k * 2**36) for k in range(words)], axis=1)
    offsets = np.arange(len(row) + 1, dtype=np.int32) * (16 * words)
    text = pa.py_buffer(bits.tobytes().hex().encode())
    return pa.Array.from_buffers(pa.string(), len(row), [None, pa.py_buffer(offsets), text])


_OTHERS: Final[dict[str, Callable[[Ints], pa.Array]]] = {
    "count": lambda row: digits(row + 1),
    "port": lambda row: digits(1_024 + _below(row, 64_000)),
    "received": lambda row: digits(300 + _below(row, 600)),
    "ms": lambda row: digits(_milliseconds(row)),
    "padded": lambda row: _padded(_milliseconds(row), 6, " "),
    "took": _seconds,
    "nano": lambda row: digits(_milliseconds(row) * 10**6 + _below(row, 10**6)),
    "milli": lambda row: _padded(_below(row, 10**3), 3),
    "micro": lambda row: _padded(_below(row, 10**6), 6),
    "nine": lambda row: _padded(_below(row, 10**9), 9),
    "ray": lambda row: _hex(row, 1),
    "id": lambda row: _hex(row, 2),
}
"""Sizes are bytes; `took` is seconds, `padded` milliseconds; `milli`, `micro` and `nine` the digits below a second."""
