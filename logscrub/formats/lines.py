"""A block as lines, and lines as fields: every line is a row, a reject or blank."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.formats import fast
from logscrub.formats.program import program
from logscrub.formats.scan import split_line
from logscrub.schema import NO_REJECTS, REASONS, Reason, Rejects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logscrub.compiled import Bytes, Grid, Places
    from logscrub.formats.fast import Verdict
    from logscrub.formats.layout import Layout
    from logscrub.schema import Block

    Spans = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]

_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that editors put before the first line of UTF-8."""
_VERDICTS: Final = {
    Reason.STRUCTURE: fast.STRUCTURE, Reason.BINARY: fast.BINARY, Reason.TOO_LONG: fast.TOO_LONG,
}  # fmt: skip
_REASONS: Final = np.zeros(max(_VERDICTS.values()) + 1, np.uint8)
for _reason, _verdict in _VERDICTS.items():
    _REASONS[_verdict] = REASONS.index(_reason)


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
    line_starts: Places
    line_ends: Places
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
    data = np.frombuffer(block.padded, np.uint8)
    starts, ends = fast.line_bounds(data, block.size)
    if not block.offset and block.padded.startswith(_MARK):
        starts[0] += min(len(_MARK), int(ends[0]))
    field_starts, field_ends, verdict = fast.index(
        data, starts, ends, program(layout), holed=fast.count_of(data, block.size, 0) > 0
    )
    doubted = np.flatnonzero(verdict == fast.DOUBT)
    if len(doubted):
        spans, settled = _scan(block.padded, starts[doubted], ends[doubted], layout)
        verdict[doubted] = settled
        fitting = doubted[settled == fast.FITS]
        field_starts[:, fitting], field_ends[:, fitting] = spans[:, :, 0].T, spans[:, :, 1].T
    bad = np.flatnonzero(verdict > fast.BLANK)
    rejects = Rejects(
        starts[bad].astype(np.int64) + block.offset,
        (ends[bad] - starts[bad]).astype(np.int64),
        _REASONS[verdict[bad]],
    )
    keep = verdict == fast.FITS
    if not keep.all():
        starts, ends = starts[keep], ends[keep]
        # not by a mask in brackets, which would lay the fields of a line side by side
        field_starts, field_ends = (grid.compress(keep, 1) for grid in (field_starts, field_ends))
    return Split(
        data=data,
        line_starts=starts,
        line_ends=ends,
        starts=field_starts,
        ends=field_ends,
        rejects=together([block.overlong, rejects]),
        blanks=int(np.count_nonzero(verdict == fast.BLANK)),
    )


def _scan(raw: bytes, starts: Places, ends: Places, layout: Layout) -> tuple[Spans, Verdict]:
    """The fields of the lines that fit, read one by one, and the verdict on every line."""
    spans: list[list[tuple[int, int]]] = []
    verdict = np.full(len(starts), fast.FITS, np.uint8)
    begins: list[int] = []
    for i, (begin, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        found = split_line(raw[begin:end], layout)
        if isinstance(found, Reason):
            verdict[i] = _VERDICTS[found]
        else:
            spans.append(found)
            begins.append(begin)
    inside = np.array(spans, np.int64).reshape((len(spans), len(layout.fields), 2))
    return inside + np.array(begins, np.int64)[:, None, None], verdict


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
