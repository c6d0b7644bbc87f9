"""Batches: everything in order, nothing without bound."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.formats.lexicons import Lexicons
from logscrub.machine import SMALL
from logscrub.profiles import read
from logscrub.run import scrubbing
from logscrub.run.warm import warming
from logscrub.schema import NO_REJECTS, Block, Parsed, Raw, joined
from logscrub.transform import Geo, Transform, compile_policy

if TYPE_CHECKING:
    from logscrub.transform import Scrubbed

LINE = '192.0.2.{} - - [22/Nov/2026:02:30:01 +0000] "GET /{} HTTP/1.1" 200 12 "-" "ua"\n'


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of rejects, and of few long lines, do not pile up; no block is lost."""
    monkeypatch.setattr(scrubbing, "SIZES", replace(SMALL, batch=100))
    rows = [0] * 30 + [40, 40, 40, 500, 1] + [0] * 3
    found = list(scrubbing._batches(Parsed(n, {}, NO_REJECTS, n) for n in rows))
    assert [part.rows for batch in found for part in batch] == rows
    assert max(len(batch) for batch in found) == 8
    assert [500] in [[part.rows for part in batch][-1:] for batch in found]


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 20))), min_size=1, max_size=5))
def test_joined_blocks_keep_their_rows(blocks: list[tuple[bool, list[int]]]) -> None:
    """Blocks of one lexicon or of several, one after the other, give the rows of both."""
    layout, lexicons = resolve("combined"), Lexicons()
    wanted = frozenset({Raw.TIME, Raw.ADDRESS, Raw.PATH, Raw.AGENT})
    parts, offset = [], 0
    for fresh, numbers in blocks:
        lexicons = Lexicons() if fresh else lexicons
        data = "".join(LINE.format(n, n % 3) for n in numbers).encode() + b"junk\n"
        parts.append(parse(Block.of(data, offset=offset), layout, wanted, lexicons=lexicons))
        offset += len(data)
    # blocks are parsed side by side, so any of them may know most values
    whole = joined(parts)
    everything = [n for _, numbers in blocks for n in numbers]
    texts = {raw: whole.columns[raw].cast(pa.string()).to_pylist() for raw in wanted - {Raw.TIME}}
    assert texts[Raw.ADDRESS] == [f"192.0.2.{n}" for n in everything]
    assert texts[Raw.PATH] == [f"/{n % 3}" for n in everything]
    assert (whole.rows, len(whole.rejects)) == (len(everything), len(blocks))
    assert whole.lines == sum(part.lines for part in parts)


@pytest.mark.parametrize("name", ["security-12m", "detection-90d", "strict-30d"])
def test_warming_scrubs_one_line_and_remembers_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the policy: what is loaded early is what the first block needs, and no row comes of it."""
    transform, rows = compile_policy(read(name)[0], Geo()), []
    scrub = Transform.apply

    def noting(self: Transform, parsed: Parsed, *, keys: dict[int, None]) -> Scrubbed:
        found = scrub(self, parsed, keys=keys)
        rows.append(found.table.num_rows)
        return found

    monkeypatch.setattr(Transform, "apply", noting)
    with warming(transform):
        pass
    assert rows == [1]
    assert not transform.memory._learnt
    assert not transform.lexicons._fields
