"""Laws of the memory: it changes who is asked, never what is said."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from logscrub.memory import Memory

TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=4), st.text(min_size=250, max_size=260)))


def first_letter(values: pa.StringArray) -> pa.StringArray:
    """A scrubber: null for what is empty."""
    cut = pc.utf8_slice_codeunits(values, 0, 1)
    return pc.if_else(pc.equal(cut, ""), pa.scalar(None, pa.string()), cut)


def said(memory: Memory, lexicon: object, values: list[str | None]) -> list[str | None]:
    """The answers to all values."""
    found = memory.recall("letter", lexicon, pa.array(values, pa.string()), first_letter)
    answers = [*found.answers.to_pylist(), None]
    return [answers[place] for place in found.places[: len(values)].tolist()]


@given(st.lists(st.tuples(st.integers(0, 2), TEXTS), max_size=6))
def test_memory_says_what_the_scrubber_says(blocks: list[tuple[int, list[str | None]]]) -> None:
    """With any history, and whichever lexicon comes next, the answers are the scrubber's own."""
    memory = Memory()
    lexicons: dict[int, tuple[list[str | None], object]] = {n: ([], object()) for n in range(3)}
    for number, block in blocks:
        values, lexicon = lexicons[number]
        values += block
        expected = first_letter(pa.array(values, pa.string())).to_pylist()
        assert said(memory, lexicon, values) == expected
        # a block that was parsed earlier and comes later
        assert said(memory, lexicon, values[: len(block)]) == expected[: len(block)]


@given(TEXTS, TEXTS)
def test_a_known_value_is_not_asked_about_again(
    first: list[str | None], second: list[str | None]
) -> None:
    """The scrubber sees what is new, once."""
    asked: list[str | None] = []

    def noting(values: pa.StringArray) -> pa.StringArray:
        asked.extend(values.to_pylist())
        return first_letter(values)

    memory, lexicon = Memory(), object()
    for values in (first, first + second, first):
        memory.recall("letter", lexicon, pa.array(values, pa.string()), noting)
    assert asked == first + second


def size(values: pa.StringArray) -> pa.Array:
    """A scrubber that says numbers, and null for what is empty."""
    lengths = pc.utf8_length(values).cast(pa.uint8(), safe=False)
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.uint8()), lengths)


@given(TEXTS)
def test_answers_keep_their_type(values: list[str | None]) -> None:
    """Numbers come back as numbers."""
    array = pa.array(values, pa.string())
    found = Memory().recall("size", object(), array, size)
    answers = [*found.answers.to_pylist(), None]
    assert [answers[place] for place in found.places.tolist()] == size(array).to_pylist()
    assert not values or found.answers.type == pa.uint8()
