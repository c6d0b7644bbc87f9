"""A block as lines, and lines as fields: every line is a row, a reject or blank."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.formats import fast, jsonl
from logscrub.formats.program import program
from logscrub.formats.scan import split_line
from logscrub.schema import NO_REJECTS, PAD, REASONS, Reason, Rejects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from logscrub.compiled import Bytes, Grid, Ints, Mask, Places
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
class Lines:
    """Lines that wait to be taken apart: where the text of each stands, and which line of the source it is.

    Args:
        data: Bytes, padded with zeros; those of the block, or what a wrapper gave.
        starts: Where the text of each line begins in `data`.
        ends: Where it ends, without its line end.
        offsets: int64, where the line begins in the source.
        lengths: int64, its bytes in the source, without the line end.
    """

    data: Bytes = field(repr=False)
    starts: Places
    ends: Places
    offsets: Ints
    lengths: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, which: NDArray[np.integer] | Mask) -> Lines:
        """Some of the lines."""
        return Lines(
            self.data, self.starts[which], self.ends[which], self.offsets[which], self.lengths[which]
        )  # fmt: skip

    def rejects(self, reasons: Verdict | int) -> Rejects:
        """These lines as rejects, for one reason each or for one."""
        return Rejects(self.offsets, self.lengths, np.full(len(self), reasons, np.uint8))


@dataclass(frozen=True, slots=True)
class Split:
    """Where the fields of lines stand.

    Args:
        lines: Those that fit, in their order.
        starts: Where each field begins in `lines.data`: one row per field of the layout, one column per line.
        ends: Where each field ends.
        rejects: The other lines, in the order of their offsets.
        blanks: How many lines hold nothing but blanks and tabs.
    """

    lines: Lines
    starts: Grid
    ends: Grid
    rejects: Rejects
    blanks: int

    @property
    def rows(self) -> int:
        """How many lines fit."""
        return len(self.lines)

    @property
    def data(self) -> Bytes:
        """What the places are places in."""
        return self.lines.data

    def of(self, which: Mask) -> Split:
        """Only some of the lines that fit."""
        # not by a mask in brackets, which would lay the fields of a line side by side
        starts, ends = (grid.compress(which, 1) for grid in (self.starts, self.ends))
        return replace(self, lines=self.lines.of(which), starts=starts, ends=ends)


def lines_of(block: Block) -> Lines:
    """Every line of a block.

    A line ends at LF; one CR before it is part of the line end, a CR elsewhere is not. A last line
    without a line end is a line.
    """
    data = np.frombuffer(block.padded, np.uint8)
    starts, ends = fast.line_bounds(data, block.size)
    if not block.offset and block.padded.startswith(_MARK):
        starts[0] += min(len(_MARK), int(ends[0]))
    return Lines(
        data, starts, ends, starts.astype(np.int64) + block.offset, (ends - starts).astype(np.int64)
    )


def split(lines: Lines, layout: Layout) -> Split:
    """Take lines apart: each is a row, a reject or blank."""
    data = lines.data
    at, holed = (data, lines.starts, lines.ends), fast.count_of(data, len(data) - PAD, 0) > 0
    field_starts, field_ends, verdict = (
        jsonl.index(*at, layout.paths, holed=holed)
        if layout.paths
        else fast.index(*at, program(layout), holed=holed)
    )
    doubted = np.flatnonzero(verdict == fast.DOUBT)
    if len(doubted):
        spans, settled = _scan(lines.of(doubted), layout)
        verdict[doubted] = settled
        fitting = doubted[settled == fast.FITS]
        field_starts[:, fitting], field_ends[:, fitting] = spans[:, :, 0].T, spans[:, :, 1].T
    bad = np.flatnonzero(verdict > fast.BLANK)
    rejects = lines.of(bad).rejects(_REASONS[verdict[bad]])
    found = Split(
        lines, field_starts, field_ends, rejects, int(np.count_nonzero(verdict == fast.BLANK))
    )
    keep = verdict == fast.FITS
    return found if keep.all() else found.of(keep)


def _scan(lines: Lines, layout: Layout) -> tuple[Spans, Verdict]:
    """The fields of the lines that fit, read one by one, and the verdict on every line."""
    spans: list[list[tuple[int, int]]] = []
    verdict = np.full(len(lines), fast.FITS, np.uint8)
    begins: list[int] = []
    for i, (begin, end) in enumerate(zip(lines.starts.tolist(), lines.ends.tolist(), strict=True)):
        line = lines.data[begin:end].tobytes()
        found = jsonl.read_line(line, layout.paths) if layout.paths else split_line(line, layout)
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
