"""Scrubbed values become JSON objects again: of each line the keys that are kept, where they stood in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.formats import jsonl
from logscrub.formats.layout import Kind
from logscrub.lexicon import distinct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from logscrub.compiled import Places
    from logscrub.formats.layout import Layout
    from logscrub.formats.lines import Split

    Choices = NDArray[np.int16]
    Path = tuple[str, ...]

Tree: TypeAlias = "dict[str, Tree | int]"
_ABSENT: Final = -1
_QUOTE: Final = ord('"')
_NULL: Final = b"null"


def objects(found: Split, columns: Sequence[pa.Array | None], layout: Layout) -> pa.BinaryArray:
    """Write lines that are JSON objects.

    Args:
        found: Where the values that are shown stand.
        columns: The scrubbed value of each field in each line, still without quotes; None where no line has one.
        layout: Their fields, and the places in the object that each may come from.

    Returns:
        One line for each row, each with its line end. A key is there where the line had it, at the same place.
    """
    choices = _choices(found, layout)
    values = [_value(found, column, layout, i) for i, column in enumerate(columns)]
    alike, numbers = _distinct(choices)
    parts, rows = [], []
    for number, chosen in enumerate(alike):
        here = np.flatnonzero(numbers == number)
        paths = [
            some[choice] if choice > _ABSENT else None
            for some, choice in zip(layout.paths, chosen, strict=True)
        ]
        parts.append(_alike(values, paths, pa.array(here)))
        rows.append(here)
    if len(parts) < 2:
        return parts[0] if parts else pa.array([], pa.binary())
    return pa.concat_arrays(parts).take(pa.array(np.argsort(np.concatenate(rows))))


def _distinct(choices: Choices) -> tuple[list[list[int]], Places]:
    """The distinct columns, and which of them each column is."""
    columns = np.ascontiguousarray(choices.T)
    count, size = columns.shape
    kind = pa.binary(size * columns.itemsize)
    values = pa.Array.from_buffers(kind, count, [None, pa.py_buffer(columns)]).dictionary_encode()
    alike = np.frombuffer(b"".join(values.dictionary.to_pylist()), np.int16).reshape(-1, size)
    return alike.tolist(), values.indices.to_numpy()


def _choices(found: Split, layout: Layout) -> Choices:
    """Which of its paths each field has in each line, one row a field; `_ABSENT` where it has none."""
    has = found.starts < found.ends
    out = np.where(has, 0, _ABSENT).astype(np.int16)
    flat = [(i, n) for i, some in enumerate(layout.paths) for n in range(len(some))]
    if len(flat) > len(layout.paths):
        single = tuple((layout.paths[i][n],) for i, n in flat)
        starts, ends, _ = jsonl.index(
            found.data, found.lines.starts, found.lines.ends, single, holed=False
        )
        for row, (i, n) in reversed(list(enumerate(flat))):
            out[i, starts[row] < ends[row]] = n
    for i, some in enumerate(layout.paths):
        bare = np.flatnonzero(~has[i])
        if len(bare):
            out[i, bare] = _empty(found, bare, some)
    return out


def _empty(found: Split, rows: NDArray[np.integer], paths: Sequence[Path]) -> Choices:
    """Which of the paths leads to nothing in each line: to `""` or `null`. How deep it stands is not looked at."""
    numbers, lines = distinct(found.data, found.lines.starts[rows], found.lines.ends[rows])
    out = np.full(len(lines), _ABSENT, np.int16)
    for n, path in reversed(list(enumerate(paths))):
        *_, last = path
        is_item = last.isdigit() and len(path) > 1
        key = path[-2] if is_item else last
        case = "(?i)" if key.startswith("~") else ""
        name = re.escape(json.dumps(key.removeprefix("~"), ensure_ascii=False))
        opens = r"\[[ \t]*" if is_item else ""
        pattern = rf'{case}{name}[ \t]*:[ \t]*{opens}(?:""|null)'
        out[pc.match_substring_regex(lines, pattern).to_numpy(zero_copy_only=False)] = n
    return out[numbers]


def _value(found: Split, column: pa.Array | None, layout: Layout, i: int) -> pa.Array:
    """The scrubbed values of a field as they stand in an object."""
    is_number = layout.fields[i].kind is Kind.NUMBER
    if column is None:
        return pa.repeat(pa.scalar(_NULL if is_number else b'""'), found.rows)
    quoted = pc.binary_join_element_wise(b'"', column, b'"', b"")
    if not is_number:
        return quoted
    starts = found.starts[i]
    texts = (starts < found.ends[i]) & (found.data[starts - 1] == _QUOTE)
    return pc.if_else(pc.and_(pa.array(texts), pc.not_equal(column, _NULL)), quoted, column)


def _alike(
    values: Sequence[pa.Array], paths: Sequence[Path | None], rows: pa.Array
) -> pa.BinaryArray:
    """Some of the lines, which have the same keys."""
    tree: Tree = {}
    for i, path in enumerate(paths):
        if path is not None:
            _grow(tree, path, i)
    literals, order = [b""], []
    for piece in _pieces(tree):
        if isinstance(piece, int):
            order.append(piece)
            literals.append(b"")
        else:
            literals[-1] += piece
    pieces: list[pa.Array | pa.Scalar] = []
    for before, i in zip(literals, order, strict=False):
        pieces += [pa.scalar(before), values[i].take(rows)]
    pieces.append(pa.repeat(pa.scalar(literals[-1] + b"\n"), len(rows)))
    return pc.binary_join_element_wise(*pieces, b"")


def _grow(tree: Tree, path: Path, i: int) -> None:
    """Put a field in its place, unless another one is there or on the way."""
    *above, last = path
    node = tree
    for key in above:
        below = node.setdefault(key, {})
        if isinstance(below, int):
            return
        node = below
    node.setdefault(last, i)


def _pieces(node: Tree | int, *, top: bool = True) -> Iterator[bytes | int]:
    if isinstance(node, int):
        yield node
    elif not top and all(key.isdigit() for key in node):
        for n in range(1 + max(map(int, node))):
            yield b"," if n else b"["
            below = node.get(str(n))
            if below is None:
                yield _NULL
            else:
                yield from _pieces(below, top=False)
        yield b"]"
    else:
        for n, (key, below) in enumerate(node.items()):
            name = json.dumps(key.removeprefix("~"), ensure_ascii=False)
            yield (b"," if n else b"{") + name.encode("utf-8", "surrogatepass") + b":"
            yield from _pieces(below, top=False)
        yield b"}" if node else b"{}"
