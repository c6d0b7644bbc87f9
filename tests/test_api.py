"""logscrub from Python."""

from __future__ import annotations

import doctest
import gzip
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import lines

import logscrub
from logscrub import api
from logscrub.blocks import blocks
from logscrub.errors import FormatError, KeyFileError, PolicyError, SourceError
from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.profiles import names, read
from logscrub.schema import COLUMNS, Raw
from logscrub.transform import Geo, Scrubbed, compile_policy

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (
    lines(*range(40))
    + b"\n  \nbroken\n"
    + lines(1, when=datetime.now(UTC) - timedelta(days=2))
    + b"\x00\x01\n"
    + lines(50, 51).rstrip(b"\n")
)


def test_the_documented_example_runs() -> None:
    """The doctest of the module holds."""
    assert doctest.testmod(api).attempted >= 2
    assert doctest.testmod(api).failed == 0


def test_a_path_bytes_and_lines_give_the_same_table(tmp_path: Path) -> None:
    """Whatever the log comes as, plain or compressed, the table is the same, and all lines are accounted for."""
    plain, packed = tmp_path / "a.log", tmp_path / "a.gz"
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT))
    expected = logscrub.scrub(TEXT)
    for source in (
        plain,
        str(packed),
        TEXT.split(b"\n"),
        [one.decode() for one in TEXT.split(b"\n")],
    ):
        found = logscrub.scrub(source)
        assert found.equals(expected)
    assert expected.schema.equals(COLUMNS)
    counts = {key.decode(): value.decode() for key, value in expected.schema.metadata.items()}
    rejects = json.loads(counts["logscrub.rejects"])
    assert (expected.num_rows, rejects, counts["logscrub.blanks"]) == (
        43,
        {"binary": 1, "structure": 1},
        "2",
    )
    assert int(counts["logscrub.lines"]) == 43 + 2 + 2


def test_batches_hold_the_same_rows() -> None:
    """The reader gives what the table holds."""
    assert logscrub.scrub_batches(TEXT).read_all().equals(logscrub.scrub(TEXT))


def test_nothing_in_gives_an_empty_table() -> None:
    """No line, no row, all columns."""
    found = logscrub.scrub(b"")
    assert found.num_rows == 0
    assert found.schema.equals(COLUMNS)


def test_what_is_wrong_is_said_by_kind(tmp_path: Path) -> None:
    """Errors are the same as those of the command line."""
    with pytest.raises(SourceError):
        logscrub.scrub(tmp_path / "missing")
    with pytest.raises(FormatError):
        logscrub.scrub([b"what is this"])
    with pytest.raises(PolicyError):
        logscrub.scrub(TEXT, policy="no-such")
    with pytest.raises(KeyFileError):
        logscrub.scrub(TEXT, policy="detection-90d")
    assert (
        logscrub.scrub(TEXT, policy="detection-90d", keys=tmp_path / "keys")[
            "client_token"
        ].null_count
        == 0
    )


@given(st.lists(st.integers(0, len(TEXT)), max_size=6), st.integers(300, 3000))
def test_cutting_the_input_anywhere_gives_the_same_rows(cuts: list[int], size: int) -> None:
    """However the bytes arrive and whatever the block size: same rows, rejects and blanks."""
    marks = sorted({0, len(TEXT), *cuts})
    portions = [TEXT[a:b] for a, b in pairwise(marks)]
    layout = resolve("combined")
    found = [
        parse(block, layout, frozenset({Raw.BYTES, Raw.TIME}))
        for block in blocks(portions, size=size)
    ]
    assert [n for parsed in found for n in parsed.columns[Raw.BYTES].to_pylist()] == [
        *range(40),
        1,
        50,
        51,
    ]
    assert sum(parsed.blanks for parsed in found) == 2
    assert sorted(str(r) for parsed in found for r in parsed.rejects.by_reason()) == [
        "binary",
        "structure",
    ]


@pytest.mark.parametrize("name", names())
def test_a_transform_remembers_without_changing_answers(name: str) -> None:
    """The core is pure: a second block and a fresh transform give the same as the first."""
    policy = read(name)[0]
    warm, layout = compile_policy(policy, Geo()), resolve("combined")
    (block,) = blocks([TEXT])
    parsed = parse(block, layout, warm.needs)
    keys = dict.fromkeys(warm.periods(parsed))
    first = warm.apply(parsed, keys=keys)
    assert first.table.equals(warm.apply(parsed, keys=keys).table)
    assert first.table.equals(compile_policy(policy, Geo()).apply(parsed, keys=keys).table)
    kept = set(warm.kept)
    for column in first.table.column_names:
        if column not in kept:
            assert first.table.column(column).null_count == first.table.num_rows


def test_nobody_else_makes_scrubbed_tables() -> None:
    """Writing raw data is an error of type and of value."""
    with pytest.raises(TypeError):
        Scrubbed(COLUMNS.empty_table(), None, object())
