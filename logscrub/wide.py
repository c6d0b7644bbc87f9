"""Steps that processors have and Python has no word for, above all over 64 bytes at a time.

Compiled loops call them like functions; Numba puts the instructions in their place, as wide as the processor has them.
They read at an address without asking who owns it: whoever calls a loop holds the arrays, and gives them
`schema.PAD` bytes more than they have data.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from logscrub.compiled import inner

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH: Final = 64
"""Bytes a step; one bit for each in a mask, the first byte the lowest."""

_BIT: Final = ir.IntType(1)
_BYTE: Final = ir.IntType(8)
_INT: Final = ir.IntType(32)
_WORD: Final = ir.IntType(64)
_PAIR: Final = ir.IntType(128)
_WIDE: Final = ir.VectorType(_BYTE, WIDTH)


def _step(result: Any, build: Callable[..., Any]) -> Any:
    """A function for loops, made of instructions.

    Args:
        result: The type it gives.
        build: Makes them out of LLVM's builder and what it is given: of an array where its data begin, of a number
            64 bits.
    """

    def typed(_context: Any, *given: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            plain = [
                context.make_array(kind)(context, builder, value).data
                if isinstance(kind, types.Array)
                else context.cast(builder, value, kind, types.int64)
                for kind, value in zip(signature.args, values, strict=True)
            ]
            return build(builder, *plain)

        return result(*given), generate

    # Numba asks how many arguments there are; the builder stands where its own context does
    typed.__signature__ = signature(build)  # type: ignore[attr-defined]
    return intrinsic(typed)


def _pointer(builder: Any, base: Any, at: Any, kind: Any) -> Any:
    return builder.inttoptr(builder.add(base, at), kind.as_pointer())


def _load(builder: Any, base: Any, at: Any, kind: Any) -> Any:
    return builder.load(_pointer(builder, base, at, kind), align=1)


def _put(builder: Any, base: Any, at: Any, value: Any) -> Any:
    builder.store(value, _pointer(builder, base, at, _WORD), align=1)
    return value


def _put_integer(builder: Any, base: Any, at: Any, value: Any) -> Any:
    builder.store(builder.trunc(value, _INT), _pointer(builder, base, at, _INT), align=1)
    return value


def _fetch(builder: Any, base: Any, at: Any) -> Any:
    pointer = _BYTE.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _INT, _INT, _INT])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
    builder.call(prefetch, [_pointer(builder, base, at, _BYTE), _INT(0), _INT(3), _INT(1)])
    return at


def _places(builder: Any, base: Any, at: Any, byte: Any) -> Any:
    zeros = ir.Constant(ir.VectorType(_INT, WIDTH), [0] * WIDTH)
    nothing = ir.Constant(_WIDE, ir.Undefined)
    first = builder.insert_element(nothing, builder.trunc(byte, _BYTE), _INT(0))
    all_of_them = builder.shuffle_vector(first, nothing, zeros)
    same = builder.icmp_unsigned("==", _load(builder, base, at, _WIDE), all_of_them)
    return builder.bitcast(same, _WORD)


def _differing(builder: Any, base: Any, at: Any, other: Any, other_at: Any) -> Any:
    left, right = _load(builder, base, at, _WIDE), _load(builder, other, other_at, _WIDE)
    return builder.bitcast(builder.icmp_unsigned("!=", left, right), _WORD)


def _mixed(builder: Any, one: Any, other: Any) -> Any:
    product = builder.mul(builder.zext(one, _PAIR), builder.zext(other, _PAIR))
    high = builder.trunc(builder.lshr(product, _PAIR(64)), _WORD)
    return builder.xor(high, builder.trunc(product, _WORD))


address: Final = cast(
    "Callable[[np.ndarray[Any, Any]], int]",
    _step(types.int64, lambda builder, array: builder.ptrtoint(array, _WORD)),
)
"""`address(array)`: where its data begin; the `base` of what follows, to which `at` is added, in bytes."""

byte: Final = cast(
    "Callable[[int, int], int]",
    _step(
        types.int64, lambda builder, base, at: builder.zext(_load(builder, base, at, _BYTE), _WORD)
    ),
)
"""`byte(base, at)`: one byte."""

word: Final = cast(
    "Callable[[int, int], np.uint64]",
    _step(types.uint64, lambda builder, base, at: _load(builder, base, at, _WORD)),
)
"""`word(base, at)`: eight bytes as one number, the first byte the lowest."""

number: Final = cast(
    "Callable[[int, int], int]",
    _step(types.int64, lambda builder, base, at: _load(builder, base, at, _WORD)),
)
"""`number(base, at)`: as `word`, with a sign."""

integer: Final = cast(
    "Callable[[int, int], int]",
    _step(
        types.int64, lambda builder, base, at: builder.sext(_load(builder, base, at, _INT), _WORD)
    ),
)
"""`integer(base, at)`: 32 bits with a sign, as `compiled.Places` holds them."""

signed: Final = cast("Callable[[Any], int]", _step(types.int64, lambda builder, value: value))
"""`signed(value)`: any number as 64 bits with a sign, the type that all sums here have."""

put: Final = cast("Callable[[int, int, int], int]", _step(types.int64, _put))
"""`put(base, at, value)`: write 64 bits."""

put_integer: Final = cast("Callable[[int, int, int], int]", _step(types.int64, _put_integer))
"""`put_integer(base, at, value)`: write 32 bits."""

fetch: Final = cast("Callable[[int, int], int]", _step(types.int64, _fetch))
"""`fetch(base, at)`: have what stands there brought near, for a look that comes soon; wrong places do no harm."""

places: Final = cast("Callable[[int, int, int], np.uint64]", _step(types.uint64, _places))
"""`places(base, at, byte)`: a mask of the 64 bytes that are a certain one."""

differing: Final = cast(
    "Callable[[int, int, int, int], np.uint64]", _step(types.uint64, _differing)
)
"""`differing(base, at, other, other_at)`: a mask of the 64 bytes that are others in the other place."""

lowest: Final = cast(
    "Callable[[np.uint64], int]",
    _step(types.int64, lambda builder, mask: builder.cttz(mask, _BIT(0))),
)
"""`lowest(mask)`: the place of the lowest bit that is set; 64 where none is."""

count: Final = cast(
    "Callable[[np.uint64], int]", _step(types.int64, lambda builder, mask: builder.ctpop(mask))
)
"""`count(mask)`: how many bits are set."""

mixed: Final = cast("Callable[[np.uint64, np.uint64], np.uint64]", _step(types.uint64, _mixed))
"""`mixed(one, other)`: both halves of their product, one on the other."""


@inner
def same(base: int, at: int, other: int, other_at: int, size: int) -> bool:
    """Whether the same bytes stand in two places."""
    while size > 0:
        # what is beyond them is shifted out
        if differing(base, at, other, other_at) << np.uint64(WIDTH - min(size, WIDTH)):
            return False
        at += WIDTH
        other_at += WIDTH
        size -= WIDTH
    return True


@inner
def occurrences(base: int, at: int, end: int, wanted: int) -> int:
    """How often a byte stands between two places."""
    found = 0
    while at + WIDTH <= end:
        found += count(places(base, at, wanted))
        at += WIDTH
    if at < end:
        # what is beyond the end is shifted out
        found += count(places(base, at, wanted) << np.uint64(WIDTH - (end - at)))
    return found
