"""Blocks of whole lines."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logscrub.blocks import Splitter, blocks
from logscrub.schema import Reason

texts = st.binary(max_size=400).map(lambda raw: raw.replace(b"\r", b"\n"))


def portions(text: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in pairwise(marks)]


@given(texts, st.lists(st.integers(0, 500), max_size=8), st.integers(1, 64))
def test_blocks_follow_one_another_and_hold_every_byte(
    text: bytes, cuts: list[int], size: int
) -> None:
    """Blocks and overlong lines together are the input, without gap or overlap."""
    found = list(blocks(portions(text, cuts), offset=7, size=size))
    spans = [(b.offset, b.data) for b in found]
    covered = {7 + i for o, d in spans for i in range(o - 7, o - 7 + len(d))}
    for block in found:
        for start, length in zip(
            block.overlong.offsets.tolist(), block.overlong.lengths.tolist(), strict=True
        ):
            covered |= set(range(int(start), int(start + length) + 1))
        assert text[block.offset - 7 : block.offset - 7 + len(block.data)] == block.data
    missing = set(range(7, 7 + len(text))) - covered
    assert not missing


@given(texts, st.lists(st.integers(0, 500), max_size=8))
def test_portions_do_not_matter_for_lines(text: bytes, cuts: list[int]) -> None:
    """Every block but the last ends with a line end."""
    found = list(blocks(portions(text, cuts), size=50))
    assert all(block.data.endswith(b"\n") or not block.data for block in found[:-1])


def test_a_line_without_end_is_given_up_with_its_length() -> None:
    """A line longer than a block becomes one reject with place and length; what follows is read."""
    text = b"a\n" + b"x" * 300 + b"\nb\n"
    found = list(blocks([text[i : i + 10] for i in range(0, len(text), 10)], size=64))
    rejects = [
        r
        for block in found
        for r in zip(block.overlong.offsets.tolist(), block.overlong.lengths.tolist(), strict=True)
    ]
    assert rejects == [(2, 300)]
    assert b"".join(block.data for block in found) == b"a\nb\n"
    assert [block.overlong.by_reason() for block in found if len(block.overlong)] == [
        {Reason.TOO_LONG: 1}
    ]


def test_an_unfinished_line_waits_unless_it_is_the_end() -> None:
    """`take` keeps a partial line; `final` counts it as a line."""
    splitter = Splitter()
    splitter.push(b"one\ntw")
    first = splitter.take()
    assert first is not None
    assert first.data == b"one\n"
    assert splitter.take() is None
    last = splitter.take(final=True)
    assert last is not None
    assert (last.offset, last.data) == (4, b"tw")


def test_the_header_that_rules() -> None:
    """Blocks know the last `#Fields:` line before them, however the lines arrive; other files have none."""
    splitter = Splitter()
    splitter.headed = True
    found = []
    for line in (
        b"\n",
        b"\xef\xbb\xbf#Software: x\n",
        b"#Fields: a\n",
        b"1\n",
        b"#Fields: b\r\n",
        b"2\n",
    ):
        splitter.push(line)
        block = splitter.take()
        assert block is not None
        found.append(block.header)
    assert found == [b"", b"", b"", b"#Fields: a", b"#Fields: a", b"#Fields: b"]
    for headed, header in ((True, b"#Fields: a"), (False, b"")):
        parts = blocks([b"x\n#Fields: a\n", b"1\n"], size=1, headed=headed)
        assert [block.header for block in parts] == [b"", header]


def test_held_back_lines_are_not_given_up() -> None:
    """Whole lines that wait for their other parts are let go before a line behind them that is too long."""
    splitter = Splitter(size=50)
    splitter.hold = lambda data: len(data) if data.endswith(b"part\n") else 0
    splitter.push(b"part\n")
    assert splitter.take() is None
    splitter.push(b"x" * 60)
    block = splitter.take()
    assert block is not None
    assert block.data == b"part\n"
    splitter.push(b"x")
    splitter.push(b"\n1\n")
    block = splitter.take(final=True)
    assert block is not None
    assert (block.data, len(block.overlong)) == (b"1\n", 1)
