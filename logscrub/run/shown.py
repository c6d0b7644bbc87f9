"""Which fields scrubbed lines show: W3C and JSON lines lose those that are dropped, all others keep their places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from logscrub.formats.catalogue import MORE
from logscrub.formats.layout import Kind, Layout, Role
from logscrub.formats.w3c import NAME
from logscrub.schema import HEADER, Raw

if TYPE_CHECKING:
    from logscrub.formats.layout import Field
    from logscrub.formats.lines import Split

AGENT: Final = "agent"
"""Stands among the kept columns for anything that is kept of user agents."""
_COLUMNS: Final[dict[Raw | Role, str]] = {
    Raw.SITE: "site", Raw.REFERER: "referer_host", Raw.LANGUAGE: "language", Raw.QUERY: "query", Raw.PATH: "path",
    Raw.METHOD: "method", Raw.PROTOCOL: "protocol", Raw.STATUS: "status", Raw.BYTES: "bytes_sent",
    Raw.DURATION: "duration_ms", Raw.AGENT: AGENT, Role.TARGET: "path", Role.REQUEST: "method path query protocol",
}  # fmt: skip
"""The columns without which a field is not shown; time and address, by which formats are told, always are."""
_TELLING: Final = "x-edge-location"
"""Tells readers of W3C logs that units and escapes are those of CloudFront; nothing is shown in it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How scrubbed lines look.

    Args:
        layout: The literals and fields of a line; of JSON the fields, with quotes around texts.
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
        kept: The columns that the policy keeps, and `AGENT`.
    """
    if not layout.paths and layout.name != NAME:
        return _known(layout)
    fields = tuple(i for i, one in enumerate(layout.fields) if _is_shown(one, kept))
    narrow = tuple(layout.fields[i] for i in fields)
    if layout.paths:
        return Shown(_values(layout, fields), fields)
    between = layout.literals[1] if len(layout.fields) > 1 else b" "
    literals = (b"", *(between for _ in narrow[1:]), b"")
    header = HEADER + b" " + " ".join(one.name for one in narrow).encode() + b"\n"
    return Shown(replace(layout, literals=literals, fields=narrow), fields, header)


def _known(layout: Layout) -> Shown:
    """A line with all of its fields, but for those at its end that nobody knows."""
    fields = tuple(range(len(layout.fields)))
    if not layout.name.endswith(MORE):
        return Shown(layout, fields)
    *literals, last, _ = layout.literals
    less = replace(layout, literals=(*literals, last[:-1]), fields=layout.fields[:-1])
    return Shown(less, fields[:-1])


def _is_shown(field: Field, kept: frozenset[str]) -> bool:
    if field.keeps is None or field.keeps is Raw.FORWARDED:
        return field.name == _TELLING
    return field.keeps not in _COLUMNS or not kept.isdisjoint(_COLUMNS[field.keeps].split())


def _values(layout: Layout, fields: tuple[int, ...]) -> Layout:
    """The values of JSON objects one after the other."""
    chosen = [layout.fields[i] for i in fields]
    chosen = [one if one.kind is Kind.NUMBER else replace(one, kind=Kind.QUOTED) for one in chosen]
    marks = [b"" if one.kind is Kind.NUMBER else b'"' for one in chosen]
    literals = (before + b"," + after for before, after in pairwise(marks))
    return replace(
        layout, literals=(marks[0], *literals, marks[-1]), fields=tuple(chosen),
        paths=tuple(layout.paths[i] for i in fields),
    )  # fmt: skip
