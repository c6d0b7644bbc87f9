"""Bytes become blocks of whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from logscrub.machine import SIZES
from logscrub.schema import HEADER, NO_REJECTS, REASONS, Block, Reason, Rejects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

BLOCK_SIZE = SIZES.block
"""Bytes a block aims at."""

_TOO_LONG = REASONS.index(Reason.TOO_LONG)
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that may stand before the first line."""
_LONGEST_HEADER = 8192
"""Bytes of the longest `#Fields:` line that is remembered; CloudFront's has 600."""


class Splitter:
    """Collects bytes and gives them back as blocks that end at line ends.

    A line that is longer than `size` is not kept: it becomes one reject of the block that follows, so memory is
    bounded whatever the input.

    Args:
        offset: Where in its source the first byte pushed stands.
        size: Bytes without a line end after which a line is given up.
        dropped: Told the bytes of lines that are given up, line end included, as they pass.
        header: Of a W3C log the `#Fields:` line that rules at the first byte.

    Attributes:
        hold: Told whole lines, says how many bytes at their end have to wait for those that follow, because they are
            parts of one line.
        headed: Whether the lines are those of a W3C log.
    """

    def __init__(
        self,
        offset: int = 0,
        *,
        size: int = BLOCK_SIZE,
        dropped: Callable[[bytes], object] = lambda _: None,
        header: bytes = b"",
    ) -> None:
        self.hold: Callable[[bytes], int] | None = None
        self.headed = bool(header)
        self._header = header
        self._size = size
        self._dropped = dropped
        self._start = offset
        self._parts: list[bytes] = []
        self._held = 0
        self._skipped_from: int | None = None
        self._overlong: list[tuple[int, int]] = []
        self._has_line = False
        self._waits = False
        self._let_go = False

    @property
    def pending(self) -> int:
        """Bytes held back."""
        return self._held

    @property
    def end(self) -> int:
        """Where in its source the last byte pushed ends."""
        return self._start + self._held

    @property
    def whole(self) -> int:
        """Bytes held back that are whole lines."""
        held = b"".join(self._parts)
        return held.rfind(b"\n") + 1

    @property
    def header(self) -> bytes:
        """The `#Fields:` line that rules at the next block, empty for none."""
        return self._header

    @property
    def has_line(self) -> bool:
        """Whether `take` would give a block without being told that the source ended."""
        return self._has_line or bool(self._overlong)

    def push(self, chunk: bytes) -> None:
        """Add bytes that follow those pushed before."""
        if self._skipped_from is not None:
            newline = chunk.find(b"\n")
            if newline < 0:
                self._dropped(chunk)
                self._start += len(chunk)
                return
            self._dropped(chunk[: newline + 1])
            self._end_skip(self._start + newline)
            self._start += newline + 1
            chunk = chunk[newline + 1 :]
        if not chunk:
            return
        self._parts.append(chunk)
        self._held += len(chunk)
        self._has_line = self._has_line or b"\n" in chunk
        if self._held > self._size and not self._has_line and self._waits:
            # what waits for its other parts would be given up with the line behind it
            self._has_line = self._let_go = True
        elif self._held > self._size and not self._has_line:
            self._skipped_from = self._start
            for part in self._parts:
                self._dropped(part)
            self._start += self._held
            self._parts, self._held = [], 0

    def take(self, *, final: bool = False) -> Block | None:
        """The whole lines held so far, or None when there is none.

        Args:
            final: The source ends here, so an unterminated last line counts as a line.
        """
        if self._skipped_from is not None:
            if not final:
                return None
            self._end_skip(self._start)
        whole: Sequence[bytes | memoryview]
        whole, rest = (self._parts, []) if final else _cut(self._parts)
        self._waits = False
        if whole and self.hold and not final and not self._let_go:
            whole, rest = self._held_back(whole, rest)
        self._let_go = False
        if not whole and not self._overlong:
            self._parts, self._has_line = rest, False
            return None
        block = Block.of(*whole, offset=self._start, overlong=self._rejects(), header=self._header)
        if self.headed:
            self._header = last_header(block.data, self._header)
        self._parts = rest
        self._start += block.size
        self._held = sum(map(len, rest))
        self._has_line = False
        return block

    def put_back(self, block: Block) -> None:
        """Undo the last `take`."""
        self._parts.insert(0, block.data)
        self._start -= block.size
        self._held += block.size
        self._has_line, self._header = True, block.header
        self._overlong = list(
            zip(block.overlong.offsets.tolist(), block.overlong.lengths.tolist(), strict=True)
        )

    def _held_back(
        self, whole: Sequence[bytes | memoryview], rest: list[bytes]
    ) -> tuple[list[bytes], list[bytes]]:
        assert self.hold
        data = b"".join(whole)
        cut = len(data) - self.hold(data)
        kept, waiting = data[:cut], data[cut:]
        self._waits = bool(waiting)
        return [kept] if kept else [], [waiting, *rest] if waiting else rest

    def _end_skip(self, end: int) -> None:
        assert self._skipped_from is not None
        self._overlong.append((self._skipped_from, end - self._skipped_from))
        self._skipped_from = None

    def _rejects(self) -> Rejects:
        if not self._overlong:
            return NO_REJECTS
        pairs = np.array(self._overlong, np.int64)
        self._overlong = []
        return Rejects(pairs[:, 0], pairs[:, 1], np.full(len(pairs), _TOO_LONG, np.uint8))


def _cut(parts: list[bytes]) -> tuple[Sequence[bytes | memoryview], list[bytes]]:
    """The portions up to and behind the last line end; cut before they are joined, to copy once."""
    for i in range(len(parts) - 1, -1, -1):
        if cut := parts[i].rfind(b"\n") + 1:
            behind = parts[i][cut:]
            return [*parts[:i], memoryview(parts[i])[:cut]], [
                *([behind] if behind else []),
                *parts[i + 1 :],
            ]
    return [], parts


def last_header(data: bytes, header: bytes = b"") -> bytes:
    """The last `#Fields:` line of whole lines; the one before them if they have none."""
    at = data.rfind(b"\n" + HEADER) + 1
    if not at and not data.lstrip(_MARK).startswith(HEADER):
        return header
    end = data.find(b"\n", at)
    found = data[at : end if end >= 0 else len(data)].lstrip(_MARK).removesuffix(b"\r")
    return found if len(found) <= _LONGEST_HEADER else b""


def blocks(
    chunks: Iterable[bytes],
    *,
    offset: int = 0,
    size: int = BLOCK_SIZE,
    final: bool = True,
    hold: Callable[[bytes], int] | None = None,
    headed: bool = False,
) -> Iterator[Block]:
    """Cut a stream of bytes into blocks of whole lines.

    Args:
        chunks: The bytes, in any portions.
        offset: Where in its source the first byte stands.
        size: Bytes a block aims at.
        final: Whether an unterminated last line counts as a line.
        hold: As `Splitter.hold`.
        headed: As `Splitter.headed`.

    Yields:
        Blocks that follow one another without gap.
    """
    splitter = Splitter(offset, size=size)
    splitter.hold, splitter.headed = hold, headed
    for chunk in chunks:
        splitter.push(chunk)
        if splitter.pending >= size and (block := splitter.take()):
            yield block
    if block := splitter.take(final=final):
        yield block
