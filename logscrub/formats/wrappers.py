"""Wrappers: what container engines and log collectors put around lines, peeled off before the lines are parsed.

A wrapper may have broken a line into parts, which are joined here. What is inside one wrapped line never becomes two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.compiled import padded
from logscrub.formats import fast, wrapfast, wrapjson
from logscrub.formats.lines import Lines, together
from logscrub.formats.wrapfast import BLANK, PART, RECORD
from logscrub.formats.wrapjson import FORGED
from logscrub.schema import MAX_LINE, NO_REJECTS, PAD, REASONS, Reason, Rejects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logscrub.compiled import Bytes, Ints, Mask, Places

LONGEST_WAIT: Final = 8 * MAX_LINE
"""Bytes that wait for the rest of a line at most; servers were seen to log lines of 210 kB."""
MOST_BETWEEN: Final = 64
"""Lines of other streams between two parts of a line; a part that has been followed by more is not waited for."""
_ASKED: Final = 1000
_SHARE: Final = 0.8
_RETURN: Final = ord("\r")
_RECEIVED: Final = b'"__REALTIME_TIMESTAMP"'
_STRUCTURE, _TOO_LONG = map(REASONS.index, (Reason.STRUCTURE, Reason.TOO_LONG))


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One way to wrap lines.

    Args:
        name: As users write it.
        about: What writes it.
        read: Finds what is inside.
        parted: Whether it breaks long lines into parts.
        surely: Whether a line that has the shape is wrapped indeed: told the line and what is inside.
    """

    name: str
    about: str
    read: Callable[[Lines], Inside]
    parted: bool = False
    surely: Callable[[bytes, bytes], bool] = lambda _line, _text: True


@dataclass(frozen=True, slots=True)
class Inside:
    """What is inside each line.

    Args:
        data: Padded bytes.
        starts: Where the text of each line begins in them.
        ends: Where it ends.
        streams: Of which stream it is; only parts of one stream belong together.
        flags: What the line is, see `wrapfast`; 0 when it is not wrapped so.
    """

    data: Bytes = field(repr=False)
    starts: Places
    ends: Places
    streams: Ints
    flags: Bytes


def unwrap(lines: Lines, name: str) -> tuple[Lines, Rejects, int]:
    """Peel one wrapper off.

    Args:
        lines: The lines outside.
        name: One of `WRAPPERS`.

    Returns:
        The lines inside, in the order in which they begin; a line of parts stands where the first of them does.
        Lines that are not wrapped so, or whose text would be more than one line, as rejects; lines of nothing but
        blanks stay lines. How many lines were parts of another one and so do not count by themselves.
    """
    found = WRAPPERS[name].read(lines)
    if (found.flags & PART).any():
        return _joined(lines, found)
    good = (found.flags == RECORD) | (found.flags == BLANK)
    inside = Lines(found.data, found.starts, found.ends, lines.offsets, lines.lengths)
    if good.all():
        return inside, NO_REJECTS, 0
    return inside.of(good), lines.of(~good).rejects(_STRUCTURE), 0


def held_back(data: bytes, name: str) -> int:
    """How many bytes at the end must wait for what follows, because a line begins there that goes on.

    Args:
        data: Whole lines.
        name: The outermost wrapper.

    Returns:
        A number of whole lines' bytes, at most `LONGEST_WAIT`; 0 when nothing has to wait.
    """
    if not WRAPPERS[name].parted or not data:
        return 0
    # twice as much, to see where a line begins that has waited long enough
    cut = max(0, len(data) - 2 * LONGEST_WAIT)
    if cut and data[cut - 1] != ord("\n"):
        cut = data.find(b"\n", cut) + 1 or len(data)
    tail = padded(data[cut:])
    starts, ends = fast.line_bounds(tail, len(tail) - PAD)
    none = np.zeros(len(starts), np.int64)
    found = WRAPPERS[name].read(Lines(tail, starts, ends, none, none))
    order, heads, tails = _chains(found)
    if not len(order):
        return 0
    left = (found.flags & RECORD)[::-1].cumsum()[::-1] - 1
    waits = (found.flags[order[tails]] & PART > 0) & (left[order[tails]] <= MOST_BETWEEN)
    # no line may be cut: back to where none goes on
    crossed = np.zeros(len(starts) + 1, np.int64)
    crossed[order[heads] + 1] += 1
    crossed[order[tails] + 1] -= 1
    free = np.maximum.accumulate(np.where(crossed.cumsum() == 0, np.arange(len(crossed)), 0))
    held = len(tail) - PAD - starts[free[order[heads[waits]]]]
    return int(held[held <= LONGEST_WAIT].max(initial=0))


def which(lines: Lines) -> str | None:
    """The wrapper that at least four fifths of the first lines have, blank ones not counted; None for none."""
    some = lines.of(np.arange(min(len(lines), _ASKED)))
    for name, wrapper in WRAPPERS.items():
        found = wrapper.read(some)
        asked = len(some) - int(np.count_nonzero(found.flags & BLANK))
        rows = np.flatnonzero(found.flags & RECORD)
        if not asked or len(rows) < _SHARE * asked:
            continue
        sure = sum(wrapper.surely(_text(some, i), _text(found, i)) for i in rows.tolist())
        if sure >= _SHARE * asked:
            return name
    return None


def _text(of: Lines | Inside, row: int) -> bytes:
    return of.data[of.starts[row] : of.ends[row]].tobytes()


def _prefix(kind: int) -> Callable[[Lines], Inside]:
    """Read lines that have a prefix; their text stays where it is."""

    def read(lines: Lines) -> Inside:
        begins = np.empty(len(lines), np.int32)
        streams, flags = np.zeros(len(lines), np.int64), np.empty(len(lines), np.uint8)
        wrapfast.peel(lines.data, lines.starts, lines.ends, kind, begins, streams, flags)
        return Inside(lines.data, begins, lines.ends, streams, flags)

    return read


def _record(kind: int) -> Callable[[Lines], Inside]:
    """Read lines that are JSON records; their text is decoded to a place of its own."""

    def read(lines: Lines) -> Inside:
        count = len(lines)
        out = np.empty(int((lines.ends - lines.starts).sum()) + 2 * PAD, np.uint8)
        begins, stops = np.empty(count, np.int32), np.empty(count, np.int32)
        streams, flags = np.zeros(count, np.int64), np.empty(count, np.uint8)
        size = wrapjson.decode(
            lines.data, lines.starts, lines.ends, kind, out, begins, stops, streams, flags
        )
        return Inside(_sealed(out, size), begins, stops, streams, flags)

    return read


def _sealed(out: Bytes, size: int) -> Bytes:
    """The first bytes as padded data that nobody writes to any more."""
    out = out[: size + PAD]
    out[size:] = 0
    # as arrays over `bytes` are: a loop is compiled for each kind of array
    out.flags.writeable = False
    return out


def _chains(found: Inside) -> tuple[Ints, Ints, Ints]:
    """Wrapped lines by stream, and where in that order each line of parts begins and has its last one."""
    known = np.flatnonzero(found.flags & RECORD)
    order = known[np.argsort(found.streams[known], kind="stable")]
    ended = found.flags[order] & PART == 0
    ended[:-1] |= np.diff(found.streams[order]) != 0
    ended[-1:] = True
    tails = np.flatnonzero(ended)
    return order, np.concatenate([[0], tails[:-1] + 1])[: len(tails)], tails


def _joined(lines: Lines, found: Inside) -> tuple[Lines, Rejects, int]:
    """As `unwrap`, where some lines are parts."""
    order, heads, tails = _chains(found)
    first, last, count = order[heads], order[tails], tails - heads + 1
    sizes = np.add.reduceat((found.ends - found.starts)[order].astype(np.int64), heads)
    offsets, lengths = lines.offsets[first], _lengths(lines, order, heads, first, last)
    foreign = (found.flags == 0).cumsum()
    forged = np.bitwise_or.reduceat(found.flags[order] & FORGED, heads) > 0
    # a line that lacks a part in its middle may look like one that nobody sent
    forged |= foreign[last] != foreign[first]
    many = count > 1
    long = many & (sizes > MAX_LINE) & ~forged
    data, starts, ends = _gathered(found, order, count, many & ~long & ~forged)
    one = Lines(data, starts[heads], ends[tails], offsets, lengths)
    # a CR that was in another part than its LF belongs to the line end all the same
    cut = many & ~long & ~forged & (found.flags[last] & PART == 0) & (one.ends > one.starts)
    cut[cut] = data[one.ends[cut] - 1] == _RETURN
    one.ends[cut] -= 1
    blank = np.flatnonzero(found.flags == BLANK)
    bad = np.flatnonzero(found.flags == 0)
    rejects = together([
        lines.of(bad).rejects(_STRUCTURE), one.of(forged).rejects(_STRUCTURE), one.of(long).rejects(_TOO_LONG)
    ])  # fmt: skip
    good = ~forged & ~long
    empty = Lines(
        data, found.starts[blank], found.starts[blank], lines.offsets[blank], lines.lengths[blank]
    )
    return _merged(one.of(good), first[good], empty, blank), rejects, len(order) - len(heads)


def _lengths(lines: Lines, order: Ints, heads: Ints, first: Ints, last: Ints) -> Ints:
    """Bytes in the source: from the first part to the end of the last when nothing else is between, else their sum."""
    ends = lines.offsets + lines.lengths
    sums = np.add.reduceat(lines.lengths[order], heads)
    # a line end has one byte or two
    apart = np.zeros(len(order), bool)
    apart[1:] = (lines.offsets[order[1:]] - ends[order[:-1]] - 1).astype(np.uint64) > 1
    apart[heads] = False
    between = np.logical_or.reduceat(apart, heads)
    return np.where(between, sums, ends[last] - lines.offsets[first])


def _gathered(found: Inside, order: Ints, count: Ints, which: Mask) -> tuple[Bytes, Places, Places]:
    """The data with the parts of some lines put one behind the other, and where the part of each row is in them."""
    starts, ends = found.starts[order], found.ends[order]
    pieces = np.repeat(which, count)
    sizes = ends[pieces] - starts[pieces]
    size = len(found.data) - PAD
    total = size + int(sizes.sum())
    out = np.empty(total + PAD, np.uint8)
    out[:size] = found.data[:size]
    wrapfast.gather(found.data, starts[pieces], ends[pieces], out, size)
    ends[pieces] = size + sizes.cumsum()
    starts[pieces] = ends[pieces] - sizes
    return _sealed(out, total), starts, ends


def _merged(one: Lines, rows: Ints, other: Lines, others: Ints) -> Lines:
    """Lines of the same data by their rows."""
    order = np.argsort(np.concatenate([rows, others]), kind="stable")
    parts = (
        np.concatenate([left, right])[order]
        for left, right in (
            (one.starts, other.starts), (one.ends, other.ends), (one.offsets, other.offsets),
            (one.lengths, other.lengths),
        )
    )  # fmt: skip
    return Lines(one.data, *parts)


WRAPPERS: Final[Mapping[str, Wrapper]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Wrapper("docker", "Docker's json-file", _record(wrapjson.DOCKER), parted=True),
            Wrapper(
                "journald", "journalctl -o json", _record(wrapjson.JOURNALD), parted=True,
                surely=lambda line, _: _RECEIVED in line,
            ),
            Wrapper("cri", "containerd and CRI-O", _prefix(wrapfast.CRI), parted=True),
            Wrapper("syslog", "RFC 3164, RFC 5424, files of rsyslog", _prefix(wrapfast.SYSLOG)),
            Wrapper(
                "compose", "docker compose logs, kubectl logs --prefix", _prefix(wrapfast.COMPOSE),
                # columns between bars are no prefix, nor are addresses and host names
                surely=lambda line, text: (
                    b" | " not in text and b"." not in line.removesuffix(text).partition(b"/")[0]
                ),
            ),
        )
    }
)  # fmt: skip
"""Every wrapper by its name, in the order in which `which` looks for them."""
