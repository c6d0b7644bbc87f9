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


class Small(Memory):
    """Forgets all after a few characters."""

    _CHARACTERS = 20


@given(st.lists(TEXTS, max_size=6))
def test_memory_says_what_the_scrubber_says(blocks: list[list[str | None]]) -> None:
    """With any history, and when it had to forget, the answers are the scrubber's own."""
    for memory in (Memory(), Small()):
        for block in blocks:
            values = pa.array(dict.fromkeys(block), pa.string())
            found = memory.recall("letter", values, first_letter).cast(pa.string())
            assert found.to_pylist() == first_letter(values).to_pylist()


@given(TEXTS)
def test_a_known_value_is_not_asked_about_again(block: list[str | None]) -> None:
    """Only what is too long to remember comes back to the scrubber."""
    asked: list[str | None] = []

    def noting(values: pa.StringArray) -> pa.StringArray:
        asked.extend(values.to_pylist())
        return first_letter(values)

    memory = Memory()
    values = pa.array(dict.fromkeys(block), pa.string())
    memory.recall("letter", values, noting)
    asked.clear()
    memory.recall("letter", values, noting)
    assert all(text is not None and len(text) > 256 for text in asked)
