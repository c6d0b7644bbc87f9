"""The columns of `Parsed`, built out of where the fields of each line stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa

from logscrub.formats import numbers, targets, unescape, views
from logscrub.formats.instants import read, stamped
from logscrub.formats.layout import Role
from logscrub.formats.lines import pieces, together
from logscrub.schema import REASONS, Parsed, Raw, Reason, Rejects

if TYPE_CHECKING:
    from logscrub.formats.instants import Stamped
    from logscrub.formats.layout import Layout
    from logscrub.formats.lines import Split
    from logscrub.formats.views import Views
    from logscrub.formats.words import Bytes, Ints, Mask
    from logscrub.schema import Block

_GIVES: Final[dict[Raw | Role, tuple[Raw, ...]]] = {
    Role.REQUEST: (Raw.METHOD, Raw.PROTOCOL, Raw.PATH, Raw.QUERY),
    Role.TARGET: (Raw.PATH, Raw.QUERY),
}
_NUMBERS: Final = (Raw.STATUS, Raw.BYTES, Raw.DURATION)


def parse(
    block: Block,
    layout: Layout,
    wanted: frozenset[Raw],
    *,
    zone: str | None = None,
    found: Split | None = None,
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
        found: What `split` gives for the block and the format, if that is known already.

    Returns:
        Columns as `logscrub.schema.Raw` says, for all wanted fields that the layout has.
        `Raw.METHOD` and `Raw.PROTOCOL` are an empty string where a request is there but cannot be
        read.

    Raises:
        FormatError: A zone is needed and none is given, or there is none of that name.
    """
    texts = _texts_of(layout, wanted)
    parts = [
        _part(piece, layout, wanted, texts)
        for piece in ([found] if found else pieces(block, layout))
    ]
    columns, reasons = _checked(parts, layout, zone)
    rejects, good = [part.found.rejects for part in parts], None
    if (reasons != _GOOD).any():
        good = reasons == _GOOD
        columns = {raw: column.filter(pa.array(good)) for raw, column in columns.items()}
        rejects.append(_bad(parts, block.offset, reasons))
    for i, raws in texts:
        places = np.concatenate([part.views[i] for part in parts])
        places = places if good is None else places[good]
        columns |= _texts(parts[0].found.data, places, layout, i, raws)
    return Parsed(
        int(np.count_nonzero(reasons == _GOOD)),
        columns,
        together(rejects),
        sum(part.found.blanks for part in parts),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What a piece of a block gives: numbers with which of them are bad; times and texts in raw."""

    found: Split
    numbers: dict[Raw, tuple[pa.Array, Mask]] = field(repr=False)
    stamped: Stamped | None
    views: dict[int, Views] = field(repr=False)


def _texts_of(layout: Layout, wanted: frozenset[Raw]) -> list[tuple[int, list[Raw]]]:
    """The fields that give text columns, each with those that none before it gives."""
    taken: set[Raw] = set()
    out = []
    for i, one in enumerate(layout.fields):
        if one.keeps is None or one.keeps in (Role.TIME, Raw.TIME) or one.keeps in _NUMBERS:
            continue
        given = _GIVES.get(one.keeps) or (cast("Raw", one.keeps),)
        if missing := [raw for raw in given if raw in wanted and raw not in taken]:
            taken.update(missing)
            out.append((i, missing))
    return out


def _part(
    found: Split, layout: Layout, wanted: frozenset[Raw], texts: list[tuple[int, list[Raw]]]
) -> _Part:
    found_numbers: dict[Raw, tuple[pa.Array, Mask]] = {}
    for i, one in enumerate(layout.fields):
        if one.keeps in _NUMBERS and one.keeps in wanted and one.keeps not in found_numbers:
            raw = Raw(one.keeps)
            found_numbers[raw] = _numbers(raw, found, i, scale=one.scale)
    times = stamped(found, layout) if Raw.TIME in wanted else None
    places = {i: views.of(found.data, found.starts[i], found.ends[i]) for i, _ in texts}
    return _Part(found, found_numbers, times, places)


_GOOD: Final = 255


def _checked(
    parts: list[_Part], layout: Layout, zone: str | None
) -> tuple[dict[Raw, pa.Array], np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """The columns whose values can be wrong, and why each row is a reject, or `_GOOD`."""
    columns: dict[Raw, pa.Array] = {}
    reasons = np.full(sum(part.found.rows for part in parts), _GOOD, np.uint8)
    for raw in parts[0].numbers:
        columns[raw] = pa.concat_arrays([part.numbers[raw][0] for part in parts])
        bad = np.concatenate([part.numbers[raw][1] for part in parts])
        reasons[bad] = REASONS.index(Reason.NUMBER)
    times = [part.stamped for part in parts if part.stamped]
    if times:
        columns[Raw.TIME], bad = read(times, layout, zone=zone)
        reasons[bad] = REASONS.index(Reason.TIME)
    return columns, reasons


def _bad(
    parts: list[_Part], offset: int, reasons: np.ndarray[tuple[int], np.dtype[np.uint8]]
) -> Rejects:
    """The lines whose values are wrong."""
    bad = np.flatnonzero(reasons != _GOOD)
    starts = np.concatenate([part.found.line_starts for part in parts])[bad]
    ends = np.concatenate([part.found.line_ends for part in parts])[bad]
    return Rejects(starts + offset, ends - starts, reasons[bad])


def _numbers(raw: Raw, found: Split, i: int, *, scale: float) -> tuple[pa.Array, Mask]:
    at: tuple[Ints, Ints] = found.starts[i], found.ends[i]
    if raw is Raw.STATUS:
        return numbers.statuses(found.data, *at)
    if raw is Raw.BYTES:
        return numbers.sizes(found.data, *at)
    return numbers.durations(found.data, *at, scale=scale)


def _texts(
    data: Bytes, places: Views, layout: Layout, i: int, wanted: list[Raw]
) -> dict[Raw, pa.Array]:
    """The text columns that one field gives."""
    keeps, escape = layout.fields[i].keeps, layout.escape
    rows, values = views.encoded(data, places)
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
