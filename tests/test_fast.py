"""The index over a block, held to the exact parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import FORMATS, LAYOUTS, blocks, layout

from logscrub.formats import fast, lines, words
from logscrub.formats.lines import split
from logscrub.formats.scan import split_line
from logscrub.schema import Block, Reason

if TYPE_CHECKING:
    from pathlib import Path

    from logscrub.formats.layout import Layout

LINE = b'203.0.113.7 - - [22/Nov/2026:02:30:01 +0000] "GET / HTTP/1.1" 200 12 "-" "ua"'


def exact(data: bytes, of: Layout) -> list[list[tuple[int, int]]]:
    """The fields of each line that fits, by the exact parser alone."""
    rows = []
    at = 0
    for line in data.split(b"\n"):
        found = split_line(line.removesuffix(b"\r"), of)
        if not isinstance(found, Reason):
            rows.append([(at + start, at + end) for start, end in found])
        at += len(line) + 1
    return rows


def indexed(data: bytes, of: Layout) -> list[list[tuple[int, int]]]:
    """The fields of each line that fits, as `split` gives them."""
    found = split(Block(data, 1), of)
    pairs = np.stack([found.starts, found.ends], axis=-1)
    return [[tuple(pair) for pair in row] for row in pairs.transpose(1, 0, 2).tolist()]


def regular(line: bytes, of: Layout) -> bool:
    """Whether the fast path settles this line by itself."""
    data, ends = words.padded(line), np.array([len(line)])
    marks = words.marks(data, 0, len(line))
    return bool(fast.index(data, np.array([0]), ends, of, marks)[2][0])


@settings(max_examples=400)
@given(st.data())
def test_fast_is_exact(data: st.DataObject) -> None:
    """Both ways of reading find the same fields in the same lines."""
    of = data.draw(LAYOUTS)
    text = data.draw(blocks(of))
    assert indexed(text, of) == exact(text, of)


@given(st.data(), st.integers(1, 300))
def test_pieces_change_nothing(data: st.DataObject, size: int) -> None:
    """However a block is cut while it is taken apart, the same fields, rejects and blanks come out."""
    of = data.draw(LAYOUTS)
    block = Block(data.draw(blocks(of)), 1)
    whole = split(block, of)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_PIECE", size)
        cut = split(block, of)
    for name in ("line_starts", "line_ends", "starts", "ends"):
        assert np.array_equal(getattr(cut, name), getattr(whole, name)), name
    for name in ("offsets", "lengths", "reasons"):
        assert np.array_equal(getattr(cut.rejects, name), getattr(whole.rejects, name)), name
    assert cut.blanks == whole.blanks


@given(st.binary())
@example(b"\n" * 5)
@example(LINE + b"\r")
@example(b"\xef\xbb\xbf")
def test_any_bytes(text: bytes) -> None:
    """Bytes that are no log at all are read alike, and never raise."""
    of = layout("combined")
    assert indexed(text, of) == exact(text, of)


def test_all_lines_of_others(cases: Path) -> None:
    """On every line of every case file, in every format, both ways agree."""
    files = [path for path in (cases / "logs").rglob("*log*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        text = path.read_bytes()
        for name in FORMATS:
            assert indexed(text, layout(name)) == exact(text, layout(name)), (path.name, name)


@pytest.mark.parametrize("name", ["elastic_apache_logs", "hackers-access.log"])
def test_ordinary_logs_are_regular(cases: Path, name: str) -> None:
    """Nearly every line of a real log takes the fast path; else speed would be lost unseen."""
    text = (cases / "logs" / name).read_bytes()
    of = layout("combined")
    lines = text.splitlines()
    assert sum(regular(line, of) for line in lines) > 0.99 * len(lines)


@pytest.mark.parametrize("text", FORMATS)
def test_each_format_has_a_fast_path(text: str) -> None:
    """Formats whose time stamps have fixed places are indexed; one with names of days is not."""
    assert fast.can_index(layout(text)) == ("%A" not in text)


@pytest.mark.parametrize(
    ("line", "settled"),
    [
        (LINE, True),
        (LINE.replace(b"+0000", b"+00:00"), True),
        (LINE.replace(b" - - ", b" - John Doe "), False),
        (LINE.replace(b"ua", b'u\\"a'), False),
        (LINE.replace(b"203.0.113.7", b"x" * 200), False),
        (LINE.replace(b"Nov", b"N0v"), False),
        (LINE.replace(b" 200 ", b" 2x0 "), False),
        (LINE + b"x", False),
    ],
)
def test_what_is_regular(line: bytes, settled: bool) -> None:  # noqa: FBT001 — a table
    """Oddities are left to the exact parser, never guessed."""
    assert regular(line, layout("combined")) is settled
