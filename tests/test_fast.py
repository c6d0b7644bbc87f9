"""The index over a block, held to the exact parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import FORMATS, LAYOUTS, blocks, layout

from logscrub.compiled import padded
from logscrub.formats import fast, scan
from logscrub.formats.layout import Kind
from logscrub.formats.lines import lines_of, split
from logscrub.formats.program import program
from logscrub.formats.scan import split_line
from logscrub.formats.stamps import shape
from logscrub.schema import REASONS, Block, Reason

if TYPE_CHECKING:
    from pathlib import Path

    from logscrub.formats.layout import Layout

LINE = b'203.0.113.7 - - [22/Nov/2026:02:30:01 +0000] "GET / HTTP/1.1" 200 12 "-" "ua"'


def exact(data: bytes, of: Layout) -> list[list[tuple[int, int]] | Reason]:
    """What the exact parser alone says of each line that is not blank: its fields, or why it does not fit."""
    said: list[list[tuple[int, int]] | Reason] = []
    at = 0
    for line in data.split(b"\n"):
        text = line.removesuffix(b"\r")
        if text.strip(b" \t"):
            found = split_line(text, of)
            if not isinstance(found, Reason):
                found = [(at + start, at + end) for start, end in found]
            said.append(found)
        at += len(line) + 1
    return said


def indexed(data: bytes, of: Layout) -> list[list[tuple[int, int]] | Reason]:
    """The same, as `split` says it."""
    found = split(lines_of(Block.of(data, offset=1)), of)
    pairs = np.stack([found.starts, found.ends], axis=-1).transpose(1, 0, 2).tolist()
    said: dict[int, list[tuple[int, int]] | Reason] = {
        int(start): [tuple(pair) for pair in row]
        for start, row in zip(found.lines.starts, pairs, strict=True)
    }
    rejects = found.rejects
    for offset, reason in zip(rejects.offsets, rejects.reasons, strict=True):
        said[int(offset) - 1] = REASONS[reason]
    return [said[at] for at in sorted(said)]


def settled(line: bytes, of: Layout) -> bool:
    """Whether the loop settles this line by itself."""
    data = padded(line)
    at = np.array([0], np.int32), np.array([len(line)], np.int32)
    verdict = fast.index(data, *at, program(of), holed=b"\0" in line)[2]
    return bool(verdict[0] != fast.DOUBT)


@settings(max_examples=400)
@given(st.data())
def test_fast_is_exact(data: st.DataObject) -> None:
    """Both ways of reading find the same fields in the same lines."""
    of = data.draw(LAYOUTS)
    text = data.draw(blocks(of))
    assert indexed(text, of) == exact(text, of)


@given(st.binary())
@example(b"\n" * 5)
@example(LINE + b"\r")
@example(b"\xef\xbb\xbf")
def test_any_bytes(text: bytes) -> None:
    """Bytes that are no log at all are read alike, and never raise."""
    of = layout("combined")
    assert indexed(text, of) == exact(text, of)


def test_a_count_that_goes_on() -> None:
    """A time stamp that begins as the one of the line before may have more digits."""
    for text, first, more in (
        ("%h %{usec}t", b"1795314601975000", b"1"),
        ("%a %{%d/%b/%Y:%s}t", b"22/Nov/2026:1795314601", b"9"),
        ("%h %{%s %z}t", b"1795314601 +0000", b"\n192.0.2.1 1 Z"),
    ):
        data = b"".join(b"192.0.2.1 " + stamp + b"\n" for stamp in (first, first + more, first))
        of = layout(text)
        assert indexed(data, of) == exact(data, of)
        assert not any(isinstance(row, Reason) for row in indexed(data, of))


def test_all_lines_of_others(cases: Path) -> None:
    """On every line of every case file, in every format, both ways agree."""
    files = [path for path in (cases / "logs").rglob("*log*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        text = path.read_bytes()
        for name in FORMATS:
            assert indexed(text, layout(name)) == exact(text, layout(name)), (path.name, name)


@pytest.mark.parametrize("name", ["elastic_apache_logs", "hackers-access.log"])
def test_real_logs_leave_no_doubt(cases: Path, name: str) -> None:
    """No line of a real log goes to the exact parser, broken ones included; else speed would be lost unseen."""
    of = layout("combined")
    assert all(settled(line, of) for line in (cases / "logs" / name).read_bytes().splitlines())


@pytest.mark.parametrize("text", FORMATS)
def test_each_format_has_a_pattern(text: str) -> None:
    """Time stamps have fixed places in all formats but the one with the names of days."""
    of = layout(text)
    stamps = [one.time for one in of.fields if one.kind is Kind.TIME]
    assert all(map(shape, stamps)) == ("%A" not in text)
    assert program(of).fields == len(of.fields)


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        LINE.replace(b"+0000", b"+00:00"),
        LINE.replace(b" - - ", b" - John Doe "),
        LINE.replace(b" - - ", b" - [a [b [c "),
        LINE.replace(b"ua", b'u\\"a'),
        LINE.replace(b"203.0.113.7", b"x" * 2000),
        LINE.replace(b"Nov", b"N0v"),
        LINE.replace(b" 200 ", b" 2x0 "),
        LINE + b"x",
        b"x" * 70_000,
        b"\0" + LINE,
    ],
)
def test_what_is_settled(line: bytes) -> None:
    """Oddities that attackers can send by the million never cost the exact parser."""
    assert settled(line, layout("combined"))


def test_what_is_in_doubt() -> None:
    """A user name that looks again and again like what follows it, and a time stamp whose parts move."""
    of = layout("combined")
    assert not settled(LINE.replace(b" - - ", b" - " + b"a [" * 20), of)
    assert not settled(b"Sunday 1", layout("%{%A %d %b %Y %H:%M:%S}t %h"))


def test_constants_agree() -> None:
    """A compiled loop cannot take its constants from another module, see `logscrub.compiled`."""
    assert fast.LONGEST_NUMBER == scan.LONGEST_NUMBER
