"""Laws of the site column."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.scrubbers.site import OTHER_SITE, scrub

ALLOW = ("example.org", "*.Example.net", "intra_net", ".hidden.example", "*.")
GOLDEN = {
    "example.org": "example.org",
    "EXAMPLE.org.:443": "example.org",
    "www.example.org": OTHER_SITE,
    "a.b.example.net:8080": "a.b.example.net",
    "example.net": OTHER_SITE,
    ".example.net": OTHER_SITE,
    "a..example.net": OTHER_SITE,
    "evil-example.net": OTHER_SITE,
    "../x.example.net": OTHER_SITE,
    "a/b.example.net": OTHER_SITE,
    "a" * 89 + ".example.net": OTHER_SITE,
    "a" * 88 + ".example.net": "a" * 88 + ".example.net",
    "intra_net": "intra_net",
    ".hidden.example": OTHER_SITE,
    "[2001:db8::1]:80": OTHER_SITE,
    "203.0.113.7": OTHER_SITE,
    "": OTHER_SITE,
    None: None,
}


@pytest.mark.parametrize(("raw", "kept"), GOLDEN.items())
def test_golden(raw: str | None, kept: str | None) -> None:
    """Only listed hosts are kept."""
    assert scrub(pa.array([raw], pa.string()), ALLOW).to_pylist() == [kept]


@given(
    st.lists(st.none() | st.text() | st.text("abc./_-:", max_size=12), max_size=20),
    st.lists(st.text("abc.*/_-", max_size=8), max_size=4),
)
def test_laws(values: list[str | None], allow: list[str]) -> None:
    """Whatever the list says, a kept host is short and harmless, and scrubbing it again keeps it."""
    out = scrub(pa.array(values, pa.string()), tuple(allow))
    assert out.type == pa.string()
    for raw, kept in zip(values, out.to_pylist(), strict=True):
        assert (raw is None) == (kept is None)
        assert kept is None or re.fullmatch(r"[a-z0-9_-][a-z0-9._-]{0,99}", kept)
        if kept not in (None, OTHER_SITE):
            assert any(
                kept == e.removesuffix(".")
                or (e.startswith("*.") and kept.endswith(e[1:].removesuffix(".")))
                for e in allow
            )


def test_an_empty_list_keeps_nothing() -> None:
    """Without a list every host is free text."""
    assert scrub(pa.array(["example.org", None]), ()).to_pylist() == [OTHER_SITE, None]
