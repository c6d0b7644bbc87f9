"""Laws of the lexicons: whatever came before, every row has its own value."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logscrub import lexicon
from logscrub.compiled import laid_out
from logscrub.formats.lexicons import Lexicons, _Field
from logscrub.lexicon import Lexicon, distinct
from logscrub.schema import Raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logscrub.compiled import Bytes, Places

VALUES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"", b"\0", b"\0\0", b"a" * 8, b"a" * 9, b"a" * 16, b"x" * 300]),
    ),
    max_size=60,
)


def places(values: list[bytes]) -> tuple[Bytes, Places, Places]:
    return laid_out(pa.array(values, pa.binary()))


@given(st.lists(VALUES, max_size=5))
@example([[b"a", b"a\0", b"a\0\0", b"aaaaaaaa", b"aaaaaaaa\0"]])
def test_numbers_stand_for_values(blocks: list[list[bytes]]) -> None:
    """Equal values share a number, others do not, and a number means the same for ever."""
    found = Lexicon()
    seen: dict[bytes, int] = {}
    early = found.values()
    for block in blocks:
        before = found.count
        numbers = found.number(*places(block)).tolist()
        for value in block:
            seen.setdefault(value, len(seen))
        assert numbers == [seen[value] for value in block]
        assert found.values(before).to_pylist() == list(seen)[before:]
    assert found.values().to_pylist() == list(seen)
    assert len(early) == 0


def test_values_outlive_growth() -> None:
    """An array that was handed out keeps its values while the table grows under it."""
    found = Lexicon()
    texts = [b"%d" % (n * n) for n in range(20_000)]
    found.number(*places(texts[:1000]))
    first = found.values()
    for begin in range(0, len(texts), 500):
        found.number(*places(texts[begin : begin + 500]))
    assert first.to_pylist() == texts[:1000]
    assert found.values().to_pylist() == texts


@given(VALUES)
def test_distinct(values: list[bytes]) -> None:
    """Numbers and values together give the values back."""
    numbers, found = distinct(*places(values))
    assert found.take(pa.array(numbers)).to_pylist() == values
    assert len(set(found.to_pylist())) == len(found)


def upper(values: pa.Array) -> Mapping[Raw, pa.Array]:
    """Two columns: one that merges values, one that has nulls."""
    text = pc.utf8_upper(values.cast(pa.string()))
    return {
        Raw.PATH: text,
        Raw.QUERY: pc.if_else(pc.equal(text, "B"), pa.scalar(None, pa.string()), text),
    }


@given(st.lists(st.lists(st.sampled_from(["a", "A", "b", "B", "", "ccc"])), min_size=1))
def test_columns(blocks: list[list[str]]) -> None:
    """Each block gets the texts of its own rows, over a dictionary without equal entries that only grows."""
    found, known = Lexicons(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexicon, "MOST_VALUES", 10**6)
        for block in blocks:
            texts = found.texts("key", *places([one.encode() for one in block]), upper)
            path, query = texts[Raw.PATH][0], texts[Raw.QUERY][0]
            assert path.cast(pa.string()).to_pylist() == [one.upper() for one in block]
            expected = [None if one.upper() == "B" else one.upper() for one in block]
            assert query.cast(pa.string()).to_pylist() == expected
            values = path.dictionary.to_pylist()
            assert len(set(values)) == len(values) >= known
            known = len(values)


def test_full_lexicons_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: a full lexicon is left to the blocks that have it, and rows stay right."""
    monkeypatch.setattr(lexicon, "MOST_VALUES", 50)
    found, kept = Lexicons(), []
    for begin in range(0, 2000, 40):
        texts = [f"v{n}" for n in range(begin, begin + 40)]
        column, owner = found.texts("key", *places([one.encode() for one in texts]), upper)[
            Raw.PATH
        ]
        kept.append((column, owner, texts))
        assert len(column.dictionary) < 100
    assert len({id(owner) for _, owner, _ in kept}) > 10
    for column, _, texts in kept:
        assert column.cast(pa.string()).to_pylist() == [one.upper() for one in texts]


def test_threads_share_lexicons() -> None:
    """Blocks that are read side by side do not mix their values up."""
    found = Lexicons()

    def read(begin: int) -> list[str]:
        texts = [b"%d" % (n % 700) for n in range(begin, begin + 500)]
        column, _ = found.texts("key", *places(texts), upper)[Raw.PATH]
        return [str(one) for one in column.cast(pa.string()).to_pylist()]

    with ThreadPoolExecutor(4) as pool:
        for begin, texts in zip(
            range(0, 20_000, 250), pool.map(read, range(0, 20_000, 250)), strict=True
        ):
            assert texts == [str(n % 700) for n in range(begin, begin + 500)]


def test_a_failure_spoils_nothing() -> None:
    """When texts cannot be made, what was numbered for them is forgotten."""
    found = Lexicons()

    def failing(_: pa.Array) -> Mapping[Raw, pa.Array]:
        raise MemoryError

    found.texts("key", *places([b"a", b"b"]), upper)
    with pytest.raises(MemoryError):
        found.texts("key", *places([b"c"]), failing)
    column, _ = found.texts("key", *places([b"d", b"c", b"a"]), upper)[Raw.PATH]
    assert column.cast(pa.string()).to_pylist() == ["D", "C", "A"]


def test_a_thread_that_waited_for_one_that_failed_gets_its_own_texts() -> None:
    """It has the field that the other one leaves behind: what has no text yet is given one."""
    field = _Field()

    def failing(_: pa.Array) -> Mapping[Raw, pa.Array]:
        raise MemoryError

    field.columns(*places([b"a"]), upper)
    with pytest.raises(MemoryError):
        field.columns(*places([b"x%d" % n for n in range(50)]), failing)
    for texts in (["x40", "a", "x41"], ["new", "x7"]):
        column, _ = field.columns(*places([one.encode() for one in texts]), upper)[Raw.PATH]
        assert column.cast(pa.string()).to_pylist() == [one.upper() for one in texts]


def test_fields_have_lexicons_of_their_own() -> None:
    """What one field holds is no value of another."""
    found = Lexicons()
    ask = partial(found.texts, derive=upper)
    one = ask("one", *places([b"a"]))[Raw.PATH][0]
    two = ask("two", *places([b"b"]))[Raw.PATH][0]
    assert (one.dictionary.to_pylist(), two.dictionary.to_pylist()) == (["A"], ["B"])
