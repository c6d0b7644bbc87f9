"""A block as rows: wrappers off, then each layout of the format in turn, line by line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from logscrub.formats import w3c
from logscrub.formats.columns import columns_of
from logscrub.formats.lexicons import Lexicons
from logscrub.formats.lines import lines_of, split, together
from logscrub.formats.wrappers import WRAPPERS, held_back, unwrap
from logscrub.schema import REASONS, Reason, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logscrub.compiled import Mask
    from logscrub.formats.layout import Format, Layout
    from logscrub.formats.lines import Lines, Split
    from logscrub.schema import Block, Parsed, Raw, Rejects

_STRUCTURE: Final = REASONS.index(Reason.STRUCTURE)


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines of a block that one layout reads.

    Args:
        layout: The layout.
        found: Where the fields of its rows stand.
        parsed: Its rows, the rejects and the blank lines that were met on the way.
    """

    layout: Layout
    found: Split
    parsed: Parsed


def parse(
    block: Block,
    format: Format,  # noqa: A002 — the word of the option
    wanted: frozenset[Raw],
    *,
    zone: str | None = None,
    lexicons: Lexicons | None = None,
) -> Parsed:
    """Turn a block into columns and rejects.

    Args:
        block: Whole lines of one source.
        format: How they are read.
        wanted: The fields to build.
        zone: IANA name of the server's time zone; needed when the lines do not say their offset from UTC.
        lexicons: What is remembered of the blocks before.

    Returns:
        As `columns.columns_of`, the rows in the order of their lines.

    Raises:
        FormatError: A zone is needed and none is given, or there is none of that name.
    """
    return in_order(pieces(block, format, wanted, zone=zone, lexicons=lexicons))


def pieces(
    block: Block,
    format: Format,  # noqa: A002 — the word of the option
    wanted: frozenset[Raw],
    *,
    zone: str | None = None,
    lexicons: Lexicons | None = None,
) -> list[Piece]:
    """As `parse`, layout by layout; at least one piece."""
    lexicons = lexicons or Lexicons()
    out = []
    for layout, found in taken_apart(block, format):
        here = layout.zone or zone
        rows, parsed = columns_of(found, layout, wanted, zone=here, lexicons=lexicons)
        out.append(Piece(layout, rows, parsed))
    return out


def taken_apart(
    block: Block,
    format: Format,  # noqa: A002 — the word of the option
) -> list[tuple[Layout, Split]]:
    """The lines that each layout takes apart; what none does is rejected by the first that is there."""
    lines, dropped = lines_of(block), block.overlong
    for name in format.wrappers:
        lines, bad, _ = unwrap(lines, name)
        dropped = together([dropped, bad])
    parts, heads = [(format.layouts, lines)], 0
    if format.headed:
        parts, heads = w3c.sections(lines, block.header)
    out = [one for layouts, some in parts for one in _in_turn(some, layouts)]
    layout, first = out[0]
    rejects = together([first.rejects, dropped])
    return [(layout, replace(first, rejects=rejects, blanks=first.blanks + heads)), *out[1:]]


def _in_turn(lines: Lines, layouts: Sequence[Layout]) -> list[tuple[Layout, Split]]:
    """Each layout on the lines that have the structure of none before it."""
    out: list[tuple[Layout, Split]] = []
    for i, layout in enumerate(layouts):
        found = split(lines, layout)
        again = found.rejects.reasons == _STRUCTURE
        goes_on = i + 1 < len(layouts) and bool(again.any())
        if goes_on:
            lines = lines.of(np.searchsorted(lines.offsets, found.rejects.offsets[again]))
            found = replace(found, rejects=_of(found.rejects, ~again))
        # a layout of which there is nothing to tell is left out, unless it is the last hope
        if found.rows or len(found.rejects) or found.blanks or not (goes_on or out):
            out.append((layout, found))
        if not goes_on:
            break
    return out


def _of(rejects: Rejects, which: Mask) -> Rejects:
    return replace(
        rejects, offsets=rejects.offsets[which], lengths=rejects.lengths[which], reasons=rejects.reasons[which]
    )  # fmt: skip


def hold(
    format: Format,  # noqa: A002 — the word of the option
) -> Callable[[bytes], int] | None:
    """What says how many bytes of whole lines have to wait for those that follow; None where none ever do."""
    outer = format.wrappers[0] if format.wrappers else ""
    return partial(held_back, name=outer) if outer and WRAPPERS[outer].parted else None


def in_order(parts: Sequence[Piece]) -> Parsed:
    """The rows of all pieces in the order of their lines."""
    rows = joined([
        replace(one.parsed, formats={one.layout.name: one.parsed.rows}) for one in parts
    ])  # fmt: skip
    if len(parts) == 1:
        return rows
    offsets = np.concatenate([one.found.lines.offsets for one in parts])
    if (np.diff(offsets) < 0).any():
        order = pa.array(np.argsort(offsets, kind="stable"))
        columns = {raw: column.take(order) for raw, column in rows.columns.items()}
        rows = replace(rows, columns=columns)
    return replace(rows, rejects=together([one.parsed.rejects for one in parts]))
