"""Lines that are JSON objects: where the values of wanted paths stand in them.

`index` reads all lines of a block in one compiled loop (`logscrub.formats.jsonfast`). What it has to say of a line is
fixed by `read_line`, which reads one, byte by byte: a line is one object as RFC 8259 has it, but for bytes above 0x7f
in strings, which may be anything, as servers write them. Wanted values that stand there twice are refused: one of
them may be forged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, count
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from logscrub.compiled import padded
from logscrub.formats.jsonfast import (
    DEEPEST,
    FIELDS,
    HEAD,
    LONGEST,
    MARKS,
    ROOT,
    TABLE,
    TARGET,
    hash_of,
    read_lines,
)
from logscrub.schema import MAX_LINE, Reason

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from logscrub.compiled import Bytes, Grid, Ints, Places
    from logscrub.formats.fast import Verdict

Path: TypeAlias = tuple[str, ...]
"""Keys from the line inward. `~` before one: upper and lower case of ASCII letters are the same. An item of an array
has its place for a key: `"0"` is the first."""
Paths: TypeAlias = tuple[tuple[Path, ...], ...]
"""For each field the paths it may come from, the best one first."""

MOST_KEYS: Final = 1000
"""Paths that `keys` names."""
# no place at which they could go on in two ways, so nothing to go back to
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_ESCAPE: Final = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_ESCAPES: Final = re.compile(rb"(?:\\u[0-9A-Fa-f]{4})+|\\.")
_BLANKS: Final = re.compile(rb"[ \t\n\r]*")
_OTHERS: Final = {
    "number": re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"),
    "bool": re.compile(rb"true|false"),
    "null": re.compile(rb"null"),
}
_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_CLOSES: Final = {b"{": b"}", b"[": b"]"}
_CONTAINER: Final = "container"
_Names: TypeAlias = tuple[bytes | int, ...]
_Value: TypeAlias = tuple[_Names, str, int, int]
"""The keys that lead to a value (a number in an array), its kind, and where it begins and ends."""


def index(
    data: Bytes, starts: Places, ends: Places, paths: Paths, *, holed: bool
) -> tuple[Grid, Grid, Verdict]:
    """What each line is, and where the values of its fields begin and end.

    The value of a field is that of the first of its paths, in their order, that is there and is a string that is not
    empty (its content, still escaped), a number, `true` or `false` (its text). Without one the field begins and ends
    at the same place.

    Args:
        data: Padded.
        starts: Where each line begins.
        ends: Where it ends, its line end excluded.
        paths: For each field the paths it may come from.
        holed: Whether there is a NUL anywhere in the data.

    Returns:
        Starts and ends of the values, one row a field and one column a line, and the verdict on each line. Where a
        line does not fit its places mean nothing.
    """
    of = program(paths)
    grid = (len(paths), len(starts))
    field_starts, field_ends = np.empty(grid, np.int32), np.empty(grid, np.int32)
    verdict = np.empty(len(starts), np.uint8)
    nodes, stack = np.full(3 * of.nodes, -1, np.int64), np.empty(2 * DEEPEST, np.int64)
    name = np.empty(of.longest // 8 + 3, np.int64)
    read_lines(
        data, starts, ends, MAX_LINE, holed, of.code, nodes, stack, name, field_starts, field_ends, verdict
    )  # fmt: skip
    return field_starts, field_ends, verdict


def read_line(line: bytes, paths: Paths) -> list[tuple[int, int]] | Reason:
    """Where the value of each field stands in one line, or why the line does not fit; as `index`, exactly."""
    if len(line) > MAX_LINE:
        return Reason.TOO_LONG
    if b"\0" in line:
        return Reason.BINARY
    wanted = _beginnings(paths)
    found: dict[Path, tuple[int, int]] = {}
    try:
        for names, kind, start, stop in _walk(line):
            for path in wanted:
                if _leads(path, names):
                    if path in found:
                        return Reason.STRUCTURE
                    found[path] = (0, 0) if kind in (_CONTAINER, "null") else (start, stop)
    except _NotJsonError:
        return Reason.STRUCTURE
    spans = [[found[path] for path in choices if path in found] for choices in paths]
    return [next((span for span in some if span[0] < span[1]), (0, 0)) for some in spans]


def keys(line: bytes) -> list[tuple[Path, str]]:
    """The paths of all values that are neither object nor array, and what they are; none if the line does not fit.

    Returns:
        At most `MOST_KEYS` paths as they stand in the line, each once, with "string", "number", "bool" or "null". Of an
        array only the first item is looked at. A `~` is put before a key that begins with one.
    """
    found: dict[Path, str] = {}
    if len(line) > MAX_LINE:
        return []
    try:
        for names, kind, _, _ in _walk(line):
            later = any(isinstance(name, int) and name for name in names)
            if kind != _CONTAINER and not later and len(found) < MOST_KEYS:
                found.setdefault(tuple(map(_element, names)), kind)
    except _NotJsonError:
        return []
    return list(found.items())


class _NotJsonError(Exception):
    """A line is not one JSON object."""


def _walk(line: bytes) -> Iterator[_Value]:
    """Every value inside a line, in order, an object or array before what is in it."""
    at = _behind_blanks(line, 0)
    if line[at : at + 1] != b"{":
        raise _NotJsonError
    at = yield from _inside(line, at, (), 1)
    if at < len(line):
        raise _NotJsonError


def _inside(line: bytes, at: int, within: _Names, depth: int) -> Generator[_Value, None, int]:
    """Every value in an object or array that begins at a place; gives back what is behind it and blanks."""
    if depth > DEEPEST:
        raise _NotJsonError
    keyed, closes = line[at : at + 1] == b"{", _CLOSES[line[at : at + 1]]
    at = _behind_blanks(line, at + 1)
    if line[at : at + 1] == closes:
        return _behind_blanks(line, at + 1)
    for nth in count():
        names: _Names = (*within, nth)
        if keyed:
            stop = _string_end(line, at)
            names = (*within, _decoded(line[at + 1 : stop]))
            at = _behind(line, _behind_blanks(line, stop + 1), b":")
        at = yield from _value(line, at, names, depth)
        if line[at : at + 1] == closes:
            break
        at = _behind(line, at, b",")
    return _behind_blanks(line, at + 1)


def _value(line: bytes, at: int, names: _Names, depth: int) -> Generator[_Value, None, int]:
    """A value and what is in it; gives back what is behind it and blanks."""
    if line[at : at + 1] in _CLOSES:
        yield names, _CONTAINER, at, at
        return (yield from _inside(line, at, names, depth + 1))
    if line[at : at + 1] == b'"':
        stop = _string_end(line, at)
        yield names, "string", at + 1, stop
        return _behind_blanks(line, stop + 1)
    for kind, pattern in _OTHERS.items():
        if here := pattern.match(line, at):
            yield names, kind, at, here.end()
            return _behind_blanks(line, here.end())
    raise _NotJsonError


def _string_end(line: bytes, at: int) -> int:
    """The place of the quote that ends the string whose first quote is at a place."""
    at = _behind(line, at, b'"', blanks=False)
    while line[at : at + 1] != b'"':
        here = _ESCAPE.match(line, at) or _PLAIN.match(line, at)
        if not here or here.end() == at:
            raise _NotJsonError
        at = here.end()
    return at


def _behind(line: bytes, at: int, wanted: bytes, *, blanks: bool = True) -> int:
    """What is behind a byte that must stand at a place, and behind the blanks after it."""
    if line[at : at + 1] != wanted:
        raise _NotJsonError
    return _behind_blanks(line, at + 1) if blanks else at + 1


def _behind_blanks(line: bytes, at: int) -> int:
    here = _BLANKS.match(line, at)
    return here.end() if here else at


def _decoded(key: bytes) -> bytes:
    """What a key says, in UTF-8."""
    return _ESCAPES.sub(
        lambda here: str(json.loads(b'"%b"' % here[0])).encode("utf-8", "surrogatepass"), key
    )


def _element(name: bytes | int) -> str:
    text = str(name) if isinstance(name, int) else name.decode("utf-8", "replace")
    return "~" + text if text.startswith("~") else text


def _leads(path: Path, names: _Names) -> bool:
    """Whether keys of a line are those of a path."""
    return len(path) == len(names) and all(map(_is, path, names))


def _is(element: str, name: bytes | int) -> bool:
    text = name if isinstance(name, bytes) else b"%d" % name
    wanted = _bytes(element)
    return wanted[1:].lower() == text.lower() if wanted[:1] == b"~" else wanted == text


def _bytes(element: str) -> bytes:
    return element.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=64)
def _beginnings(paths: Paths) -> tuple[Path, ...]:
    """Every path, and every path to an object or array on its way; each once."""
    every = (path[:size] for some in paths for path in some for size in range(1, len(path) + 1))
    return tuple(dict.fromkeys(every))


@dataclass(frozen=True, slots=True)
class Program:
    """Wanted paths as the loop reads them.

    Args:
        code: See the names in `jsonfast`.
        nodes: How many beginnings of paths there are.
        longest: Bytes of the longest key.
    """

    code: Ints = field(repr=False)
    nodes: int
    longest: int


@lru_cache(maxsize=64)
def program(paths: Paths) -> Program:
    """The paths as the loop reads them."""
    nodes = {path: i for i, path in enumerate(_beginnings(paths))}
    longest = max((len(_bytes(path[-1])) for path in nodes), default=0)
    code = [0] * HEAD
    code[LONGEST] = longest
    # no mark is at the end of the head
    code[ROOT + MARKS] = HEAD - 1
    code[ROOT + TARGET] = _state(frozenset([()]), nodes, code)
    code[FIELDS] = len(code)
    code.append(len(paths))
    for choices in paths:
        code += [len(choices), *(nodes[path] for path in choices)]
    return Program(np.array(code, np.int64), len(nodes), longest)


def _state(reached: frozenset[Path], nodes: dict[Path, int], code: list[int]) -> int:
    """Write down which keys lead on from beginnings of paths that end at the same place; where that is, 0 for none."""
    after = [path for path in nodes if path[:-1] in reached]
    if not after:
        return 0
    last = dict.fromkeys(_bytes(path[-1]) for path in after)
    # one that is asked for as it stands is found before the same one in any case, and leads where both lead
    exact = [(text, False) for text in last if text[:1] != b"~"]
    folded = dict.fromkeys((text[1:].lower(), True) for text in last if text[:1] == b"~")
    edges = []
    for text, any_case in (*exact, *folded):
        behind = frozenset(
            path for path in after if _is(path[-1], text) and (path[-1][:1] == "~" or not any_case)
        )
        edges.append((text, _edge(text, behind, nodes, code, any_case=any_case)))
    items = len(code)
    places = [(int(text), edge) for text, edge in edges if _is_place(text)]
    code += [len(places), *chain.from_iterable(places)]
    mask = 2 ** (2 * len(edges)).bit_length() - 1
    table = [0] * (mask + 1)
    for text, edge in edges:
        slot = hash_of(padded(text), len(text)) & mask
        while table[slot]:
            slot = (slot + 1) & mask
        table[slot] = edge
    code += [mask, items, *table]
    return len(code) - len(table) - TABLE


def _edge(
    text: bytes, behind: frozenset[Path], nodes: dict[Path, int], code: list[int], *, any_case: bool
) -> int:
    """Write down a key and what it leads to; where that is."""
    target = _state(behind, nodes, code)
    marks = len(code)
    code += [len(behind), *sorted(nodes[path] for path in behind)]
    edge = len(code)
    case = bytes(0x20 * (any_case and one in _LETTERS) for one in text)
    code += [len(text), target, marks]
    code += chain.from_iterable(zip(_words(case), _words(text), strict=True))
    return edge


def _is_place(text: bytes) -> bool:
    """Whether a key is the place of an item, which lines are too short to have above five digits."""
    return text.isdigit() and len(text) <= 5 and text == b"%d" % int(text)


def _words(text: bytes) -> Iterator[int]:
    """Eight bytes a number."""
    return map(int, np.frombuffer(text + bytes(-len(text) % 8), np.int64))
