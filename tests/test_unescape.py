"""Escapes of servers, decoded."""

from __future__ import annotations

import doctest
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import escaped

from logscrub.formats import unescape
from logscrub.formats.layout import Escape


@given(st.binary(), st.booleans())
def test_what_servers_escape_comes_back(value: bytes, apache: bool) -> None:  # noqa: FBT001 — drawn
    """Decoding undoes nginx's and Apache's escaping, byte for byte."""
    logged = escaped(value, Escape.BACKSLASH, apache=apache)
    assert unescape.unescape(logged, json=False) == value


@given(st.binary())
def test_what_nginx_writes_as_json_comes_back(value: bytes) -> None:
    """Decoding undoes escape=json, which leaves bytes above 0x7F as they are."""
    assert unescape.unescape(escaped(value, Escape.JSON), json=True) == value


@given(st.text())
def test_json_strings_are_what_the_standard_reader_says(text: str) -> None:
    """Any JSON string, surrogate pairs too, is decoded alike; a lone half is replaced."""
    logged = json.dumps(text)[1:-1].encode()
    assert unescape.unescape(logged, json=True).decode("utf-8", "surrogatepass") == text


@pytest.mark.parametrize("value", [b"\\", b"\\x", b"\\x4", b"\\xg1", b"\\q", b"\\x 1", b"\\u0041"])
def test_an_escape_that_is_none_stays(value: bytes) -> None:
    """What no server writes is kept as it is, never dropped."""
    assert unescape.unescape(value, json=False) == value


@given(st.lists(st.binary()), st.sampled_from(Escape))
def test_missing_is_null(values: list[bytes], how: Escape) -> None:
    """`-` and nothing are null, and nothing else is; slices are read in their place."""
    every = [b"left out", *values, b"-", b""]
    found = unescape.decode(pa.array(every, pa.binary())[1:], how).to_pylist()
    assert [text is None for text in found] == [value in (b"", b"-") for value in every[1:]]


def test_the_example_in_its_docstring() -> None:
    """The documented example runs."""
    assert doctest.testmod(unescape) == (0, 1)
