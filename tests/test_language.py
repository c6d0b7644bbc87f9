"""Laws of the language column."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.scrubbers.language import LANGUAGES, scrub

GOLDEN = {
    "de-CH,de;q=0.9,en;q=0.8": "de",
    "de": "de",
    "DE_ch": "de",
    " fr;q=0.5": "fr",
    "zh-Hant-TW": "zh",
    "iw": "he",
    "gsw-CH,de": "other",
    "xx": "other",
    "english": "other",
    "alice@example.com": "other",
    "de\u202e": "other",
    "*": None,
    "*;q=0.1": None,
    "-": None,
    "": None,
}


@pytest.mark.parametrize(("raw", "kept"), GOLDEN.items())
def test_golden(raw: str, kept: str | None) -> None:
    """The first language's primary subtag, from a closed list."""
    assert scrub(pa.array([raw])).to_pylist() == [kept]


@given(st.lists(st.none() | st.text(max_size=20) | st.sampled_from(sorted(LANGUAGES)), max_size=20))
def test_laws(values: list[str | None]) -> None:
    """Any text gives a code, `other` or null; null stays; a code stays itself."""
    out = scrub(pa.array(values, pa.string()))
    assert out.type == pa.string()
    for raw, kept in zip(values, out.to_pylist(), strict=True):
        assert kept in LANGUAGES | {"other", None}
        assert raw is not None or kept is None
        assert raw not in LANGUAGES or kept in (raw, {"iw": "he"}.get(raw))


def test_the_list_is_iso_639_1() -> None:
    """The list has the size of the standard's: 183 codes in use and what it withdrew is not in it."""
    assert all(len(code) == 2 and code.isalpha() and code.islower() for code in LANGUAGES)
    assert not LANGUAGES & {"iw", "in", "ji", "mo"}
