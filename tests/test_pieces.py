"""Paths and file names come apart as Python's own functions take them apart."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.scrubbers.identifiers import TAIL
from logscrub.scrubbers.pieces import segments, tails

PATHS = st.lists(st.text(alphabet="/a.é~", max_size=90), max_size=5)
NAMES = st.lists(
    st.lists(st.sampled_from(["a", "É", ".", "@", "2", "x", "php", "JPG", ".tar", "@1.5x", ".webp"])).map(
        "".join
    ),
    max_size=8,
)  # fmt: skip


@given(PATHS, st.integers(1, 20))
def test_segments(paths: list[str], most: int) -> None:
    """Each segment of each path, as far as they are wanted, and whether more was there."""
    found = segments(pl.Series(paths, dtype=pl.String), most=most)
    words, codes = found.words.to_list(), found.codes.tolist()
    assert len(set(words)) == len(words)
    for row, path in enumerate(paths):
        begin, end = found.offsets[row : row + 2].tolist()
        parts = path.split("/")
        assert [words[code] for code in codes[begin:end]] == parts[: most + 1]
        assert found.deep[row] == (len(parts) > most + 1)


@given(NAMES)
def test_tails(names: list[str]) -> None:
    """The extension that the expression finds in the whole text."""
    series = pl.Series(names, dtype=pl.String)
    assert tails(series).to_list() == series.str.extract(TAIL).fill_null("").to_list()


@pytest.mark.parametrize(
    ("name", "tail"),
    [("a.tar.gz", ".gz"), ("photo@2x.jpg", "@2x.jpg"), ("photo@1.5x.webp", "@1.5x.webp"), ("x.doe", ""), ("", ""), (".php", ".php")],
)  # fmt: skip
def test_known_tails(name: str, tail: str) -> None:
    """Retina images keep their mark; what is not in the list is no extension."""
    assert tails(pl.Series([name])).to_list() == [tail]
