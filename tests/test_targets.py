"""Requests and their targets."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.formats import targets
from logscrub.formats.layout import Escape
from logscrub.schema import Raw

WANTED = (Raw.METHOD, Raw.PATH, Raw.QUERY, Raw.PROTOCOL)
Four = tuple[str | None, ...]


def read(*requests: bytes) -> list[Four]:
    """Method, path, query and protocol of each request."""
    parts = targets.of_requests(pa.array(requests, pa.binary()), Escape.BACKSLASH, WANTED)
    return list(zip(*(parts[raw].to_pylist() for raw in WANTED), strict=True))


LOST: Four = ("", None, None, "")
NONE: Four = (None, None, None, None)


@pytest.mark.parametrize(
    ("request_line", "parts"),
    [
        (b"GET / HTTP/1.1", ("GET", "/", None, "HTTP/1.1")),
        (b"GET /a?b=c?d#e HTTP/2.0", ("GET", "/a", "b=c?d", "HTTP/2.0")),
        (b"GET /a#b?c HTTP/1.1", ("GET", "/a", None, "HTTP/1.1")),
        (b"GET /a? HTTP/1.1", ("GET", "/a", None, "HTTP/1.1")),
        (b"GET /a b c HTTP/1.1", ("GET", "/a b c", None, "HTTP/1.1")),
        (b"GET /a b", ("GET", "/a b", None, "")),
        (b"GET /http09", ("GET", "/http09", None, "HTTP/0.9")),
        (b"FOO-BAR http://u:p@example.com/x?y HTTP/1.1", ("FOO-BAR", "http://u:p@example.com/x", "y", "HTTP/1.1")),
        (b"OPTIONS * HTTP/1.1", ("OPTIONS", "*", None, "HTTP/1.1")),
        (b"CONNECT example.com:443 HTTP/1.1", ("CONNECT", None, None, "HTTP/1.1")),
        (b"GET /caf\\xC3\\xA9?\\x22 HTTP/1.1", ("GET", "/caf\xe9", '"', "HTTP/1.1")),
        (b"-", NONE), (b"", NONE), (b"  ", NONE), (b"- - -", NONE),
        (b"GET", LOST), (b"GET ", LOST), (b"GET HTTP/1.1", LOST), (b"\\n", LOST),
        (b"GET  / HTTP/1.1", LOST), (b"  HTTP/1.1", LOST), (b"t3 12.1.2\\n", LOST),
        (b"GET example.com HTTP/1.1", LOST), (b"G\\x00T / HTTP/1.1", LOST), (b"GET https:// HTTP/1.1", LOST),
        (b"\\x16\\x03\\x01 /etc HTTP/1.1", LOST), (b"X" * 40 + b" / HTTP/1.1", LOST),
    ],
)  # fmt: skip
def test_requests(request_line: bytes, parts: Four) -> None:
    """A request is split from both ends, and what cannot be read says so."""
    assert read(request_line) == [parts]
    assert read(b"HEAD /x?y HTTP/1.0", request_line)[1] == parts


@given(
    st.text("GETPOST-_x", min_size=1, max_size=12).filter(lambda m: m != "-"),
    st.binary().filter(lambda b: not set(b) & set(b'\\ ?#\n"')),
    st.none() | st.text("abc=&?/ ", min_size=2).filter(lambda q: " HTTP" not in q),
)
def test_what_was_put_together_comes_apart(method: str, path: bytes, query: str | None) -> None:
    """Any method, path and query come back, however long and whatever their bytes."""
    target = b"/" + path + (b"?" + query.encode() if query else b"")
    ((got, where, asked, spoken),) = read(method.encode() + b" " + target + b" HTTP/1.1")
    assert (got, spoken) == (method, "HTTP/1.1")
    assert where == "/" + path.decode("utf-8", "replace")
    assert asked == query


@given(st.lists(st.binary(max_size=40)))
def test_never_raises(requests: list[bytes]) -> None:
    """Any bytes have four parts, and a path begins like one."""
    for _, path, _, _ in read(*requests):
        assert path is None or path == "*" or path.startswith(("/", "http://", "https://"))


def test_targets_and_queries_alone() -> None:
    """Targets, queries and methods that a format logs by themselves are read the same way."""
    found = targets.of_targets(
        pa.array([b"/a?b#c", b"-", b"nonsense"]), Escape.BACKSLASH, (Raw.PATH, Raw.QUERY)
    )
    assert found[Raw.PATH].to_pylist() == ["/a", None, None]
    assert found[Raw.QUERY].to_pylist() == ["b", None, None]
    queries = targets.of_queries(pa.array([b"?a=b", b"a=b", b"", b"-"]), Escape.BACKSLASH)
    assert queries.to_pylist() == ["a=b", "a=b", None, None]
    assert targets.of_methods(pa.array([b"GET", b"-", b"G T"])).to_pylist() == ["GET", None, ""]
