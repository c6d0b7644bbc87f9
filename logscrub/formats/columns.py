"""The columns of `Parsed`, built out of where the fields of each line stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa

from logscrub.formats import numbers, targets, unescape, views
from logscrub.formats.instants import instants
from logscrub.formats.layout import Role
from logscrub.formats.lines import in_order, split
from logscrub.schema import REASONS, Parsed, Raw, Reason, Rejects

if TYPE_CHECKING:
    from logscrub.formats.layout import Layout
    from logscrub.formats.lines import Split
    from logscrub.formats.words import Ints, Mask
    from logscrub.schema import Block

_GIVES: Final[dict[Raw | Role, tuple[Raw, ...]]] = {
    Role.REQUEST: (Raw.METHOD, Raw.PROTOCOL, Raw.PATH, Raw.QUERY),
    Role.TARGET: (Raw.PATH, Raw.QUERY),
}
_NUMBERS: Final = (Raw.STATUS, Raw.BYTES, Raw.DURATION)


def parse(
    block: Block, layout: Layout, wanted: frozenset[Raw], *, zone: str | None = None
) -> Parsed:
    """Turn a block into columns and rejects.

    Only the wanted fields are read and checked. Where a layout gives one field twice, the first one
    counts.

    Args:
        block: Whole lines of one source.
        layout: The format they are in.
        wanted: The fields to build.
        zone: IANA name of the server's time zone; needed when the layout has a time without an
            offset from UTC.

    Returns:
        Columns as `logscrub.schema.Raw` says, for all wanted fields that the layout has.
        `Raw.METHOD` and `Raw.PROTOCOL` are an empty string where a request is there but cannot be
        read.

    Raises:
        FormatError: A zone is needed and none is given, or there is none of that name.
    """
    found = split(block, layout)
    columns, reasons = _checked(found, layout, wanted, zone)
    good = reasons == _GOOD
    if not good.all():
        columns = {raw: column.filter(pa.array(good)) for raw, column in columns.items()}
        found = _keep(found, block.offset, good, reasons)
    for i, field in enumerate(layout.fields):
        if field.keeps is None or field.keeps is Role.TIME or field.keeps is Raw.TIME:
            continue
        given = _GIVES.get(field.keeps) or (cast("Raw", field.keeps),)
        missing = [raw for raw in given if raw in wanted and raw not in columns]
        if missing:
            columns |= _texts(found, layout, i, missing)
    return Parsed(found.rows, columns, found.rejects, found.blanks)


_GOOD: Final = 255


def _checked(
    found: Split, layout: Layout, wanted: frozenset[Raw], zone: str | None
) -> tuple[dict[Raw, pa.Array], np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """The columns whose values can be wrong, and why each row is a reject, or `_GOOD`."""
    columns: dict[Raw, pa.Array] = {}
    reasons = np.full(found.rows, _GOOD, np.uint8)
    for i, field in enumerate(layout.fields):
        if field.keeps not in _NUMBERS or field.keeps not in wanted or field.keeps in columns:
            continue
        raw = Raw(field.keeps)
        columns[raw], bad = _numbers(raw, found, i, scale=field.scale)
        reasons[bad] = REASONS.index(Reason.NUMBER)
    times = instants(found, layout, zone=zone) if Raw.TIME in wanted else None
    if times is not None:
        columns[Raw.TIME] = times[0]
        reasons[times[1]] = REASONS.index(Reason.TIME)
    return columns, reasons


def _numbers(raw: Raw, found: Split, i: int, *, scale: float) -> tuple[pa.Array, Mask]:
    at: tuple[Ints, Ints] = found.starts[i], found.ends[i]
    if raw is Raw.STATUS:
        return numbers.statuses(found.data, *at)
    if raw is Raw.BYTES:
        return numbers.sizes(found.data, *at)
    return numbers.durations(found.data, *at, scale=scale)


def _keep(
    found: Split, offset: int, good: Mask, reasons: np.ndarray[tuple[int], np.dtype[np.uint8]]
) -> Split:
    """The lines that are good; the others become rejects."""
    bad = np.flatnonzero(~good)
    starts, ends = found.line_starts[bad], found.line_ends[bad]
    keep = np.flatnonzero(good)
    return replace(
        found,
        line_starts=found.line_starts[keep],
        line_ends=found.line_ends[keep],
        starts=found.starts[:, keep],
        ends=found.ends[:, keep],
        rejects=in_order(found.rejects + Rejects(starts + offset, ends - starts, reasons[bad])),
    )


def _texts(found: Split, layout: Layout, i: int, wanted: list[Raw]) -> dict[Raw, pa.Array]:
    """The text columns that one field gives."""
    keeps, escape = layout.fields[i].keeps, layout.escape
    rows, values = views.distinct(found.data, found.starts[i], found.ends[i])
    if keeps is Role.REQUEST:
        parts = targets.of_requests(values, escape, wanted)
    elif keeps in (Role.TARGET, Raw.PATH):
        parts = targets.of_targets(values, escape, wanted)
    elif keeps is Raw.QUERY:
        parts = {Raw.QUERY: targets.of_queries(values, escape)}
    elif keeps is Raw.METHOD:
        parts = {Raw.METHOD: targets.of_methods(values)}
    else:
        parts = {cast("Raw", keeps): unescape.decode(values, escape)}
    return {raw: views.through(rows, part) for raw, part in parts.items()}
