"""What lines show that say themselves which fields they have: JSON and W3C lines lose those that are dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from logscrub.formats.layout import Kind, Layout, Role
from logscrub.formats.w3c import NAME
from logscrub.schema import HEADER, Raw

if TYPE_CHECKING:
    from logscrub.formats.layout import Field
    from logscrub.formats.lines import Split

_COLUMNS: Final[dict[Raw | Role, str]] = {
    Raw.SITE: "site", Raw.REFERER: "referer_host", Raw.LANGUAGE: "language", Raw.QUERY: "query", Raw.PATH: "path",
    Raw.METHOD: "method", Raw.PROTOCOL: "protocol", Raw.STATUS: "status", Raw.BYTES: "bytes_sent",
    Raw.DURATION: "duration_ms", Role.TARGET: "path", Role.REQUEST: "method",
}  # fmt: skip
"""The scrubbed column without which a field is not shown; time, address and user agent always are."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How scrubbed lines look.

    Args:
        layout: The literals and fields of a line.
        fields: Which field of the lines that were read each of its fields is.
        header: What stands before the first line, empty for nothing.
    """

    layout: Layout
    fields: tuple[int, ...]
    header: bytes = b""

    def of(self, found: Split) -> Split:
        """Where the fields that are shown stood."""
        if self.fields == tuple(range(len(found.starts))):
            return found
        rows = list(self.fields)
        return replace(found, starts=found.starts[rows], ends=found.ends[rows])


@lru_cache(maxsize=64)
def shown(layout: Layout, kept: frozenset[str]) -> Shown:
    """How lines of a layout look when they are scrubbed.

    Args:
        layout: As they were read.
        kept: The columns that the policy keeps.
    """
    if not layout.paths and layout.name != NAME:
        return Shown(layout, tuple(range(len(layout.fields))))
    fields = tuple(i for i, one in enumerate(layout.fields) if _is_shown(one, kept))
    narrow = [layout.fields[i] for i in fields]
    if layout.paths:
        return _object(layout, fields)
    (between,) = set(layout.literals[1:-1]) or {b" "}
    literals = (b"", *(between for _ in narrow[1:]), b"")
    header = HEADER + b" " + " ".join(one.name for one in narrow).encode() + b"\n"
    return Shown(replace(layout, literals=literals, fields=tuple(narrow)), fields, header)


def _is_shown(field: Field, kept: frozenset[str]) -> bool:
    if field.keeps is None or field.keeps is Raw.FORWARDED:
        return False
    return field.keeps not in _COLUMNS or _COLUMNS[field.keeps] in kept


def _object(layout: Layout, fields: tuple[int, ...]) -> Shown:
    """A line of JSON: the keys that are left, each where it was, in the order of the fields."""
    tree: dict[str, object] = {}
    for i in fields:
        *above, last = layout.paths[i][0]
        node = tree
        for key in above:
            below = node.setdefault(key, {})
            assert isinstance(below, dict)
            node = below
        node[last] = i
    literals, order = [b""], []
    for piece in _pieces(tree, layout):
        if isinstance(piece, int):
            order.append(piece)
            literals.append(b"")
        else:
            literals[-1] += piece
    chosen = tuple(replace(layout.fields[i], kind=_kind(layout.fields[i])) for i in order)
    line = replace(layout, literals=tuple(literals), fields=chosen, paths=())
    return Shown(line, tuple(order))


def _kind(field: Field) -> Kind:
    return field.kind if field.kind is Kind.NUMBER else Kind.QUOTED


def _pieces(node: object, layout: Layout) -> list[bytes | int]:
    if isinstance(node, int):
        if layout.fields[node].kind is Kind.NUMBER:
            return [node]
        return [b'"', node, b'"']
    assert isinstance(node, dict)
    is_list = all(key.isdigit() for key in node)
    out: list[bytes | int] = [b"[" if is_list else b"{"]
    for n, (key, below) in enumerate(node.items()):
        name = b"" if is_list else f'"{key.removeprefix("~")}":'.encode()
        out += [b"," * bool(n) + name, *_pieces(below, layout)]
    return [*out, b"]" if is_list else b"}"]
