"""The columns of `Parsed`, built out of where the fields of each line stand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.formats import numbers, ports, targets, unescape
from logscrub.formats.instants import instants
from logscrub.formats.layout import LAST, Role
from logscrub.formats.lexicons import Lexicons
from logscrub.formats.lines import together
from logscrub.schema import REASONS, Parsed, Raw, Reason

if TYPE_CHECKING:
    from logscrub.compiled import Mask
    from logscrub.formats.fast import Verdict
    from logscrub.formats.layout import Layout
    from logscrub.formats.lines import Split

_GIVES: Final[dict[Raw | Role, tuple[Raw, ...]]] = {
    Role.REQUEST: (Raw.METHOD, Raw.PROTOCOL, Raw.PATH, Raw.QUERY),
    Role.TARGET: (Raw.PATH, Raw.QUERY),
}
_NUMBERS: Final = (Raw.STATUS, Raw.BYTES, Raw.DURATION)


def columns_of(
    found: Split,
    layout: Layout,
    wanted: frozenset[Raw],
    *,
    zone: str | None = None,
    lexicons: Lexicons | None = None,
) -> tuple[Split, Parsed]:
    """Turn lines that were taken apart into columns and rejects.

    Only the wanted fields are read and checked. Where a layout gives one field twice, the first one
    counts.

    Args:
        found: Where the fields stand.
        layout: By which they were found.
        wanted: The fields to build.
        zone: IANA name of the server's time zone; needed when the layout has a time without an
            offset from UTC.
        lexicons: What is remembered of the blocks before.

    Returns:
        The lines that became rows, and the rows: columns as `logscrub.schema.Raw` says, for all wanted fields that
        the layout has. `Raw.METHOD` and `Raw.PROTOCOL` are an empty string where a request is there but cannot be
        read.

    Raises:
        FormatError: A zone is needed and none is given, or there is none of that name.
    """
    columns, reasons = _checked(found, layout, wanted, zone)
    good = reasons == _GOOD
    rejects = found.rejects
    if not good.all():
        rejects = together([rejects, found.lines.of(~good).rejects(reasons[~good])])
        columns = {raw: column.filter(pa.array(good)) for raw, column in columns.items()}
        found = found.of(good)
    known: dict[Raw, object] = {}
    lexicons = lexicons or Lexicons()
    for i, raws in _texts_of(layout, wanted):
        derive = partial(_texts, layout=layout, i=i, wanted=raws)
        one = layout.fields[i]
        # all that the texts depend on; by layout there would be as many as a W3C log has headers
        key = (one.keeps, one.name == LAST, layout.escape, *raws)
        at = found.starts[i], found.ends[i]
        if Raw.ADDRESS in raws:
            at = ports.cut(found.data, *at)
        texts = lexicons.texts(key, found.data, *at, derive)
        for raw, (column, lexicon) in texts.items():
            columns[raw], known[raw] = column, lexicon
    return found, Parsed(found.rows, columns, rejects, found.blanks, known)


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


_GOOD: Final = 255


def _checked(
    found: Split, layout: Layout, wanted: frozenset[Raw], zone: str | None
) -> tuple[dict[Raw, pa.Array], Verdict]:
    """The columns whose values can be wrong, and why each row is a reject, or `_GOOD`."""
    columns: dict[Raw, pa.Array] = {}
    reasons = np.full(found.rows, _GOOD, np.uint8)
    for i, one in enumerate(layout.fields):
        if one.keeps in _NUMBERS and one.keeps in wanted and one.keeps not in columns:
            raw = Raw(one.keeps)
            columns[raw], bad = _numbers(raw, found, i, scale=one.scale)
            reasons[bad] = REASONS.index(Reason.NUMBER)
    times = instants(found, layout, zone=zone) if Raw.TIME in wanted else None
    if times:
        columns[Raw.TIME], bad = times
        reasons[bad] = REASONS.index(Reason.TIME)
    return columns, reasons


def _numbers(raw: Raw, found: Split, i: int, *, scale: float) -> tuple[pa.Array, Mask]:
    at = found.starts[i], found.ends[i]
    if raw is Raw.STATUS:
        return numbers.statuses(found.data, *at)
    if raw is Raw.BYTES:
        return numbers.sizes(found.data, *at)
    return numbers.durations(found.data, *at, scale=scale)


def _texts(values: pa.Array, *, layout: Layout, i: int, wanted: list[Raw]) -> dict[Raw, pa.Array]:
    """The texts that distinct values of one field give."""
    keeps, escape = layout.fields[i].keeps, layout.escape
    if keeps is Role.REQUEST:
        return targets.of_requests(values, escape, wanted)
    if keeps in (Role.TARGET, Raw.PATH):
        return targets.of_targets(values, escape, wanted)
    if keeps is Raw.QUERY:
        return {Raw.QUERY: targets.of_queries(values, escape)}
    if keeps is Raw.METHOD:
        return {Raw.METHOD: targets.of_methods(values)}
    texts = unescape.decode(values, escape)
    if layout.fields[i].name == LAST:
        # clients write the beginning of such a list themselves
        texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, "^.*,", ""))
    return {cast("Raw", keeps): texts}
