"""A block as lines, and lines as fields: every line is a row, a reject or blank."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.formats import fast, words
from logscrub.formats.scan import split_line
from logscrub.schema import MAX_LINE, REASONS, Reason, Rejects

if TYPE_CHECKING:
    from logscrub.formats.fast import Grid
    from logscrub.formats.layout import Layout
    from logscrub.formats.words import Bytes, Ints, Mask
    from logscrub.schema import Block

    Verdict = np.ndarray[tuple[int], np.dtype[np.uint8]]
    Spans = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]

_BLANK: Final = 254
_OPEN: Final = 253
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that editors put before the first line of UTF-8."""
_PORTION: Final = 16_384
_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D


@dataclass(frozen=True, slots=True)
class Split:
    """Where the fields of a block's lines stand.

    Args:
        data: The bytes of the block, padded with zeros.
        line_starts: Where each line that fits begins in `data`, in the order of the block.
        line_ends: Where it ends, without its line end.
        starts: Where each field begins in `data`: one row per field of the layout, one column per
            line that fits.
        ends: Where each field ends.
        rejects: The other lines, `Block.overlong` included, in the order of their offsets.
        blanks: How many lines hold nothing but blanks and tabs.
    """

    data: Bytes = field(repr=False)
    line_starts: Ints
    line_ends: Ints
    starts: Grid
    ends: Grid
    rejects: Rejects
    blanks: int

    @property
    def rows(self) -> int:
        """How many lines fit."""
        return len(self.line_starts)


def split(block: Block, layout: Layout) -> Split:
    """Take every line of a block apart.

    A line ends at LF; one CR before it is part of the line end, a CR elsewhere is not. A last line
    without a line end is a line.

    Args:
        block: Whole lines.
        layout: The format they are in.
    """
    data = words.padded(block.data)
    starts, ends = _bounds(data[: len(block.data)])
    if not block.offset and block.data.startswith(_MARK):
        starts[0] += min(len(_MARK), int(ends[0]))
    verdict = _classify(block.data, data, starts, ends, layout)
    pick = np.flatnonzero(verdict == _OPEN)
    if len(pick) < len(starts):
        open_starts, open_ends = starts[pick], ends[pick]
    else:
        open_starts, open_ends = starts, ends
    field_starts, field_ends, fits = _index(data, open_starts, open_ends, layout)
    odd = np.flatnonzero(~fits)
    spans, reasons = _scan(block.data, open_starts[odd], open_ends[odd], layout)
    verdict[pick[odd]] = reasons
    odd = odd[reasons == _OPEN]
    fits[odd] = True
    field_starts[:, odd], field_ends[:, odd] = spans[:, :, 0].T, spans[:, :, 1].T
    if not fits.all():
        keep = np.flatnonzero(fits)
        open_starts, open_ends = open_starts[keep], open_ends[keep]
        field_starts, field_ends = field_starts[:, keep], field_ends[:, keep]
    return Split(
        data=data,
        line_starts=open_starts,
        line_ends=open_ends,
        starts=field_starts,
        ends=field_ends,
        rejects=_rejects(block, starts, ends, verdict),
        blanks=int(np.count_nonzero(verdict == _BLANK)),
    )


def _index(data: Bytes, starts: Ints, ends: Ints, layout: Layout) -> tuple[Grid, Grid, Mask]:
    """`fast.index` in portions whose intermediate results stay in the processor's cache."""
    grid = (len(layout.fields), len(starts))
    field_starts, field_ends = np.empty(grid, np.int64), np.empty(grid, np.int64)
    regular = np.empty(len(starts), np.bool_)
    for begin in range(0, len(starts), _PORTION):
        part = slice(begin, begin + _PORTION)
        field_starts[:, part], field_ends[:, part], regular[part] = fast.index(
            data, starts[part], ends[part], layout
        )
    return field_starts, field_ends, regular


def _scan(raw: bytes, starts: Ints, ends: Ints, layout: Layout) -> tuple[Spans, Verdict]:
    """The fields of the lines that fit, read one by one, and the verdict on every line."""
    spans: list[list[tuple[int, int]]] = []
    verdict = np.full(len(starts), _OPEN, np.uint8)
    begins: list[int] = []
    for i, (begin, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        found = split_line(raw[begin:end], layout)
        if isinstance(found, Reason):
            verdict[i] = REASONS.index(found)
        else:
            spans.append(found)
            begins.append(begin)
    shape = (len(spans), len(layout.fields), 2)
    inside = np.array(spans, np.int64).reshape(shape)
    return inside + np.array(begins, np.int64)[:, None, None], verdict


def _bounds(data: Bytes) -> tuple[Ints, Ints]:
    newlines = np.flatnonzero(data == _NEWLINE)
    after_last = int(newlines[-1]) + 1 if len(newlines) else 0
    starts = np.empty(len(newlines) + 1, np.int64)
    starts[0], starts[1:] = 0, newlines + 1
    ends = np.append(newlines, len(data))
    if after_last == len(data):
        starts, ends = starts[:-1], ends[:-1]
    if len(ends):
        before = data[np.maximum(ends - 1, 0)]
        ends = ends - ((before == _RETURN) & (ends > starts))
    return starts, ends


def _classify(raw: bytes, data: Bytes, starts: Ints, ends: Ints, layout: Layout) -> Verdict:
    """What can be said of each line without reading its fields; `_OPEN` for the others."""
    length = ends - starts
    verdict = np.full(len(starts), _OPEN, np.uint8)
    verdict[length < sum(map(len, layout.literals))] = REASONS.index(Reason.STRUCTURE)
    if raw.find(b"\0") >= 0:
        zeros = np.flatnonzero(data[: len(raw)] == 0)
        holed = np.searchsorted(zeros, ends) > np.searchsorted(zeros, starts)
        verdict[holed] = REASONS.index(Reason.BINARY)
    verdict[length > MAX_LINE] = REASONS.index(Reason.TOO_LONG)
    verdict[length == 0] = _BLANK
    lead = data[starts]
    for i in np.flatnonzero((length > 0) & ((lead == 0x20) | (lead == 0x09))).tolist():
        if not raw[int(starts[i]) : int(ends[i])].strip(b" \t"):
            verdict[i] = _BLANK
    return verdict


def _rejects(
    block: Block,
    starts: Ints,
    ends: Ints,
    verdict: Verdict,
) -> Rejects:
    bad = np.flatnonzero(verdict < len(REASONS))
    return in_order(
        block.overlong + Rejects(starts[bad] + block.offset, ends[bad] - starts[bad], verdict[bad])
    )


def in_order(rejects: Rejects) -> Rejects:
    """The rejects by their offsets."""
    order = np.argsort(rejects.offsets, kind="stable")
    return Rejects(rejects.offsets[order], rejects.lengths[order], rejects.reasons[order])
