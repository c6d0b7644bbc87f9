"""Loops over bytes, compiled to machine code by Numba the first time they run, and the arrays they take.

Compiled loops hold no Python lock, so threads run them side by side. The machine code is kept in Numba's cache
(`__pycache__` next to the source, or the user's cache folder, or `NUMBA_CACHE_DIR`), so only the first run on a
machine spends some five seconds on it.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.core.caching import FunctionCache

from logscrub.schema import PAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

Bytes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]
Places: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int32]]
Grid: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int32]]
Ints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Words: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]
Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]

_SHARED: Final = tuple(
    (path.stat().st_mtime_ns, path.stat().st_size)
    for path in (Path(__file__), Path(__file__).with_name("wide.py"))
)
"""Changes when what all loops may use changes."""

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
"""No Python lock, no memory of Numba's (loops do not allocate, and nobody counts who refers to their arrays), and no
way in from C."""

F = TypeVar("F", bound="Callable[..., Any]")


def compiled(function: F) -> F:
    """Compile a function of numbers and NumPy arrays.

    Its loops may index outside an array unseen, as in C: callers hand over padded data and places inside it. A loop
    uses constants and loops of its own module, of this one and of `wide` only: no other file is watched for changes.
    """
    loop: Any = njit(**_OPTIONS)(function)
    # without a folder that may be written to, loops are compiled anew in every process
    with suppress(RuntimeError):
        loop._cache = _Kept(function)  # noqa: SLF001 — as njit(cache=True) does
    return cast("F", loop)


def inner(function: F) -> F:
    """Compile a function that only compiled loops call; it becomes a part of them, and is kept with them."""
    loop: Any = njit(**_OPTIONS | {"no_cpython_wrapper": True})(function)
    ask = loop.get_call_template
    # else it is compiled once more for every constant that is handed to it
    loop.get_call_template = lambda given, named: ask([*map(types.unliteral, given)], named)
    return cast("F", loop)


class _Kept(FunctionCache):
    """Machine code on disk, as long as neither the file of the loop nor what all loops share changes.

    Where it is damaged, or the disk is full, loops are compiled again: no reason to stop.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        file = self._cache_file
        file._source_stamp = (file._source_stamp, _SHARED)  # noqa: SLF001 — Numba knows the file of the loop only

    def load_overload(self, signature: Any, context: Any) -> Any:  # noqa: ANN401 — Numba says no types
        """What is kept, without loading first what only compiling needs: a tenth of a second."""
        with self._guard_against_spurious_io_errors():
            return self._load_overload(signature, context)  # type: ignore[no-untyped-call]

    @contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 — whatever reading a damaged file may raise
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]


def padded(data: bytes | Bytes) -> Bytes:
    """A copy of the bytes with `PAD` zero bytes behind them."""
    out = np.empty(len(data) + PAD, np.uint8)
    out[: len(data)] = np.frombuffer(data, np.uint8)
    out[len(data) :] = 0
    # as arrays over `bytes` are: a loop is compiled for each kind of array
    out.flags.writeable = False
    return out


def laid_out(values: pa.Array) -> tuple[Bytes, Places, Places]:
    """The values of a `binary` or `string` array as padded data, and where each begins and ends; null is empty."""
    offsets = offsets_of(values).astype(np.int32)
    return padded(bytes_of(values)), offsets[:-1], offsets[1:]


def offsets_of(values: pa.Array) -> Ints:
    """Where the values of a `binary` or `string` array stand in `bytes_of` it: one offset more than values."""
    if not len(values):
        return np.zeros(1, np.int64)
    count = len(values) + 1
    offsets = np.frombuffer(values.buffers()[1], np.int32, count, 4 * values.offset)
    return offsets.astype(np.int64) - int(offsets[0])


def bytes_of(values: pa.Array) -> Bytes:
    """All values of a `binary` or `string` array one after the other."""
    buffer = values.buffers()[2] if len(values) else None
    if buffer is None:
        return np.empty(0, np.uint8)
    offsets = np.frombuffer(values.buffers()[1], np.int32, len(values) + 1, 4 * values.offset)
    return np.frombuffer(buffer, np.uint8, int(offsets[-1]) - int(offsets[0]), int(offsets[0]))
