"""A block as lines, and lines as fields: every line is a row, a reject or blank."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.formats import fast, words
from logscrub.formats.scan import split_line
from logscrub.schema import MAX_LINE, NO_REJECTS, REASONS, Reason, Rejects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logscrub.formats.fast import Grid
    from logscrub.formats.layout import Layout
    from logscrub.formats.words import Bytes, Ints, Marks
    from logscrub.schema import Block

    Verdict = np.ndarray[tuple[int], np.dtype[np.uint8]]
    Spans = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]

_BLANK: Final = 254
_OPEN: Final = 253
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that editors put before the first line of UTF-8."""
_PIECE: Final = 4 * 2**20
"""Bytes that are taken apart together: less stays in the cache better, more lets threads run side
by side for longer. Measured, see `benchmarks/README.md`."""
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
    parts = list(pieces(block, layout))
    return Split(
        data=parts[0].data,
        line_starts=np.concatenate([part.line_starts for part in parts]),
        line_ends=np.concatenate([part.line_ends for part in parts]),
        starts=np.concatenate([part.starts for part in parts], axis=1),
        ends=np.concatenate([part.ends for part in parts], axis=1),
        rejects=together([part.rejects for part in parts]),
        blanks=sum(part.blanks for part in parts),
    )


def pieces(block: Block, layout: Layout) -> Iterator[Split]:
    """As `split`, in pieces that fit into the processor's cache while they are worked on.

    Yields:
        At least one; all share the data of the whole block. The first has `Block.overlong`.
    """
    data = words.padded(block.data)
    size, begin, overlong = len(block.data), 0, block.overlong
    while begin < size or not begin:
        newline = block.data.rfind(b"\n", begin, begin + _PIECE)
        if newline < 0:
            newline = block.data.find(b"\n", begin + _PIECE)
        end = newline + 1 if newline >= 0 else size
        yield _split(block, data, (begin, end), layout, overlong)
        if end == size:
            return
        begin, overlong = end, NO_REJECTS


def _split(
    block: Block, data: Bytes, at: tuple[int, int], layout: Layout, overlong: Rejects
) -> Split:
    marks = words.marks(data, *at)
    starts, ends = _bounds(data, at[0], marks)
    if not block.offset and not at[0] and block.data.startswith(_MARK):
        starts[0] += min(len(_MARK), int(ends[0]))
    verdict = _classify(block.data, data, at, (starts, ends), layout)
    pick = np.flatnonzero(verdict == _OPEN)
    if len(pick) < len(starts):
        open_starts, open_ends = starts[pick], ends[pick]
        marks = replace(marks, first=marks.first[pick], count=marks.count[pick])
    else:
        open_starts, open_ends = starts, ends
    field_starts, field_ends, fits = fast.index(data, open_starts, open_ends, layout, marks)
    odd = np.flatnonzero(~fits)
    if len(odd):
        spans, reasons = _scan(block.data, open_starts[odd], open_ends[odd], layout)
        verdict[pick[odd]] = reasons
        odd = odd[reasons == _OPEN]
        fits[odd] = True
        field_starts[:, odd], field_ends[:, odd] = spans[:, :, 0].T, spans[:, :, 1].T
    if not fits.all():
        keep = np.flatnonzero(fits)
        open_starts, open_ends = open_starts[keep], open_ends[keep]
        field_starts, field_ends = field_starts[:, keep], field_ends[:, keep]
    bad = np.flatnonzero(verdict < len(REASONS))
    rejects = Rejects(starts[bad] + block.offset, ends[bad] - starts[bad], verdict[bad])
    return Split(
        data=data,
        line_starts=open_starts,
        line_ends=open_ends,
        starts=field_starts,
        ends=field_ends,
        rejects=together([overlong, rejects]),
        blanks=int(np.count_nonzero(verdict == _BLANK)),
    )


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


def _bounds(data: Bytes, begin: int, marks: Marks) -> tuple[Ints, Ints]:
    ends = marks.ends
    starts = np.empty_like(ends)
    starts[:1], starts[1:] = begin, ends[:-1] + 1
    before = data[np.maximum(ends - 1, 0)]
    return starts, ends - ((before == _RETURN) & (ends > starts))


def _classify(
    raw: bytes, data: Bytes, at: tuple[int, int], lines: tuple[Ints, Ints], layout: Layout
) -> Verdict:
    """What can be said of each line without reading its fields; `_OPEN` for the others."""
    starts, ends = lines
    length = ends - starts
    verdict = np.full(len(starts), _OPEN, np.uint8)
    verdict[length < sum(map(len, layout.literals))] = REASONS.index(Reason.STRUCTURE)
    if raw.find(b"\0", *at) >= 0:
        zeros = np.flatnonzero(data[at[0] : at[1]] == 0) + at[0]
        holed = np.searchsorted(zeros, ends) > np.searchsorted(zeros, starts)
        verdict[holed] = REASONS.index(Reason.BINARY)
    verdict[length > MAX_LINE] = REASONS.index(Reason.TOO_LONG)
    verdict[length == 0] = _BLANK
    lead = data[starts]
    for i in np.flatnonzero((length > 0) & ((lead == 0x20) | (lead == 0x09))).tolist():
        if not raw[int(starts[i]) : int(ends[i])].strip(b" \t"):
            verdict[i] = _BLANK
    return verdict


def together(rejects: Sequence[Rejects]) -> Rejects:
    """All rejects, by their offsets."""
    some = [one for one in rejects if len(one)]
    if len(some) < 2:
        return some[0] if some else NO_REJECTS
    offsets = np.concatenate([one.offsets for one in some])
    lengths = np.concatenate([one.lengths for one in some])
    reasons = np.concatenate([one.reasons for one in some])
    order = np.argsort(offsets, kind="stable")
    return Rejects(offsets[order], lengths[order], reasons[order])
