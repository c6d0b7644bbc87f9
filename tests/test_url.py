"""Laws and golden tables of what is kept of request targets and referers."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logscrub.scrubbers import percent, segment
from logscrub.scrubbers.identifiers import MAX_CHARS
from logscrub.scrubbers.referer import referer, referer_url
from logscrub.scrubbers.url import MAX_LENGTH, MAX_SEGMENTS, PathMode, path, query

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = {
    # Words, years, dates, versions and short numbers stay.
    "/": "/",
    "*": "*",
    "/blog/": "/blog/",
    "/wp-content/uploads/2015/05/21/my-cat.html": "/wp-content/uploads/2015/05/21/my-cat.html",
    "/archive/2015-05-21/2015.05.21.txt": "/archive/2015-05-21/2015.05.21.txt",
    "/blog/page/12": "/blog/page/12",
    "/jquery-1.10.2.min.js": "/jquery-1.10.2.min.js",
    "/fedora-x86-64/My-first-howto": "/fedora-x86-64/My-first-howto",
    "/api/AbstractSingletonProxyFactoryBean.html": "/api/AbstractSingletonProxyFactoryBean.html",
    "/caf%C3%A9/日本": "/caf%C3%A9/日本",
    "/icons/cat@2x.png": "/icons/cat@2x.png",
    "/a/../../etc/passwd": "/a/../../etc/passwd",
    "/how-to-configure-a-reverse-proxy-for-an-application-server-with-encryption.html": (
        "/how-to-configure-a-reverse-proxy-for-an-application-server-with-encryption.html"
    ),
    # Numbers.
    "/orders/4711": "/orders/{id}",
    "/222.html": "/{id}.html",
    "/order-123456": "/order-{id}",
    "/img_20150521_4711.jpg": "/img_{id}_4711.jpg",
    "/photo-1432098920@2x.jpg": "/photo-{id}@2x.jpg",
    "/555-867-5309": "/{id}",
    "/+4915112345678": "/{id}",
    "/06-12-34-56-78": "/{id}",
    "/4111-1111-1111-1111": "/{id}",
    "/call-555-867-5309": "/call-{id}",
    "/status/1234567890123456789": "/status/{id}",
    # UUIDs, tokens.
    "/550e8400-e29b-41d4-a716-446655440000.png": "/{uuid}.png",
    "/x-550E8400E29B41D4A716446655440000": "/x-{uuid}",
    "/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": "/{token}",
    "/app.9f86d081884c7d65.js": "/app.{token}.js",
    "/01ARZ3NDEKTSV4RRFFQ69G5FAV.jpg": "/{token}.jpg",
    "/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N": "/{token}",
    "/watch/dQw4w9WgXcQ": "/watch/{token}",
    "/RK=0/RS=C_oF6PJOAKvJ3JsgiwAbhNKI2uE-": "/RK=0/{token}",
    "/session=abc/x": "/{token}/x",
    "/" + "a" * 65: "/{token}",
    "/00:1a:2b:3c:4d:5e": "/{token}",
    # Addresses.
    "/203.0.113.7": "/{ip}",
    "/report-203.0.113.7.txt": "/report-{ip}.txt",
    "/203-0-113-7/x": "/{ip}/x",
    "/203.0.113.7:8080": "/{ip}",
    "/2001:db8::1": "/{ip}",
    "/2001:DB8:0:0:0:0:0:1": "/{ip}",
    "/[2001:db8::1]:443": "/{ip}",
    "/::ffff:203.0.113.7": "/{ip}",
    "/2001-db8-0-0-0-0-0-1": "/{ip}",
    # Persons.
    "/alice@example.com": "/{email}",
    "/alice%40example.com": "/{email}",
    "/alice%2540example.com": "/{email}",
    "/user_alice@example.com.html": "/{email}.html",
    "/mailto:alice+tag@example.com": "/mailto:{email}",
    "/~jdoe/cv.pdf": "/{user}/cv.pdf",
    "/%7Ejdoe/": "/{user}/",
    "/@jane": "/{user}",
    "/users/jane": "/users/{user}",
    "/Users//./jane/x": "/Users//./{user}/x",
    "/%75sers/%6Aane.json": "/%75sers/{user}.json",
    "/user/alice@example.com/profile": "/user/{user}/profile",
    "/user/login.php": "/user/login.php",
    "/user/profile/jane": "/user/profile/{user}",
    "/users/": "/users/",
    "/author/jane/page/2": "/author/{user}/page/2",
    # What cannot be read, or was made to deceive.
    "/a;jsessionid=6BEF/b;x": "/a/b",
    "/a%20b": "/{token}",
    "/a b": "/{token}",
    "/%zz/%": "/{token}/{token}",
    "/caf%E9": "/{token}",
    "/x%00y": "/{token}",
    "/a\u202eb/c\u200bd/\ufffd": "/{token}/{token}/{token}",
    "/a%252fb": "/{token}",
    "/%2525252541": "/{token}",
    "/users%2Fjane": "/{token}",
    "/١٢٣٤٥": "/{token}",
    "/<script>alert(1)": "/{token}",
    "/${jndi:ldap:": "/{token}",
    "/() {": "/{token}",
    "/o'neill": "/{token}",
    # Templates that a client wrote are harmless; other braces are not kept.
    "/{id}/%7Bid%7D/{evil}": "/{id}/{id}/{token}",
    # Forms of targets.
    "http://user:pw@host.example:80/x": "/x",
    "https://host.example": "/",
    "http://user:pw@host.example?q=1": "/",
    "//user:pw@host.example/x": "//{email}/x",
    "/x?q=1": "/x",
    "host.example:443": None,
    "x": None,
    "": None,
    # Limits.
    "/a" * 17: "/a" * 16 + "/{more}",
    "/a" * 16: "/a" * 16,
    "/" + "/".join(["abc-def-ghijklm"] * 16): "/" + "/".join(["abc-def-ghijklm"] * 16),
    "/" + "/".join(["abc-def-ghijklm-nop"] * 16): "/"
    + "/".join(["abc-def-ghijklm-nop"] * 12)
    + "/{more}",
}


def scrub_path(*values: str | None) -> list[str | None]:
    out: list[str | None] = path(pa.array(values, pa.string()), mode="template").to_pylist()
    return out


@pytest.mark.parametrize(("raw", "kept"), TEMPLATES.items())
def test_path_golden(raw: str, kept: str | None) -> None:
    """Each form of target has one defined outcome."""
    assert scrub_path(raw) == [kept]


FIRST = {
    "/": "/",
    "*": "*",
    "/blog/2015/x": "/blog",
    "//x/y": "/x",
    "/users/jane": "/users",
    "/~jdoe/x": "/{user}",
    "http://h.example/a/b": "/a",
    "x:443": None,
}


@pytest.mark.parametrize(("raw", "kept"), FIRST.items())
def test_first_segment_golden(raw: str, kept: str | None) -> None:
    """Only the first segment is kept, templated."""
    assert path(pa.array([raw]), mode="first-segment").to_pylist() == [kept]


QUERIES = [
    ("page=2&q=jane&page=3", "page&q", "page=2&page=3"),
    ("b&a=1", "b&a", None),
    ("filter%5Bname%5D=x", "filter[name]", None),
    ("alice%40example.com=1&x y=2", "{token}", None),
    ("user=alice@example.com&id=123456", "user&id", "user={email}&id={id}"),
    ("id=a%20b&id", "id", "id={token}&id"),
    ("%69d=7", "id", "id=7"),
    ("a" * 33 + "=1", "{token}", None),
    ("dQw4w9WgXcQ=1", "{token}", None),
    ("&&", None, None),
    ("", None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("raw", "names", "listed"), QUERIES)
def test_query_golden(raw: str | None, names: str | None, listed: str | None) -> None:
    """Names are kept without values; listed values are templated; the rest is dropped."""
    values = pa.array([raw], pa.string())
    assert query(values, mode="names").to_pylist() == [names]
    assert query(values, mode="listed", allow=("page", "user", "id")).to_pylist() == [listed]


REFERERS = [
    ("https://www.example.co.uk/a?q=jane", "www.example.co.uk", "example.co.uk"),
    ("HTTP://User:pw@WWW.Example.org.:8080/", "www.example.org", "example.org"),
    ("https://jdoe.github.io/", "jdoe.github.io", "github.io"),
    ("https://xn--mller-kva.example", "xn--mller-kva.example", "xn--mller-kva.example"),
    ("android-app://com.example.mail/", "com.example.mail", "example.mail"),
    ("http://203.0.113.7:80/x", "{ip}", "{ip}"),
    ("http://[2001:db8::1]/", "{ip}", "{ip}"),
    ("http://0xcb007107/", "{ip}", "{ip}"),
    ("http://203-0-113-7.dsl.example.net/", "{ip}.dsl.example.net", "example.net"),
    ("http://localhost/", "localhost", None),
    ("http://co.uk/", "co.uk", None),
    ("http://evil.example\\@good.example/", None, None),
    ("http://a..b.example/", None, None),
    ("http://a b.example/", None, None),
    ("javascript:alert(1)", None, None),
    ("www.example.org/x", None, None),
    ("http://" + "a" * 300 + ".example/", None, None),
    ("-", None, None),
    ("", None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("raw", "host", "site"), REFERERS)
def test_referer_golden(raw: str | None, host: str | None, site: str | None) -> None:
    """A referer is its host or site, or nothing."""
    values = pa.array([raw], pa.string())
    assert referer(values, mode="host").to_pylist() == [host]
    assert referer(values, mode="site").to_pylist() == [site]
    scheme = raw.partition(":")[0].lower() if raw else ""
    assert referer_url(values).to_pylist() == [host and f"{scheme}://{host}/"]


# Pieces that attack the rules and their order, joined at will.
PIECES = st.one_of(
    st.text(max_size=12),
    st.text("0123456789abcdefABC-._~:@%/;={}+", max_size=40),
    st.sampled_from(
        [
            "/users/",
            "/~",
            "{id}",
            "{token}",
            "{more}",
            "{",
            "}",
            "%25",
            "%40",
            "%7B",
            "%2F",
            "@2x.png",
            ".jpg",
            "//",
            "\n",
        ]
    ),
)
TARGETS = st.lists(PIECES, max_size=20).map(lambda parts: "/" + "".join(parts))
VALUES = st.lists(st.none() | TARGETS | st.text(), max_size=12)


@given(VALUES, st.sampled_from(["template", "first-segment"]))
def test_path_laws(values: list[str | None], mode: PathMode) -> None:
    """Any text gives a short path or null; null gives null; again changes nothing; neighbours do not matter."""
    once = path(pa.array(values, pa.string()), mode=mode)
    assert once.type == pa.string()
    assert len(once) == len(values)
    assert path(once, mode=mode) == once
    for raw, kept in zip(values, once.to_pylist(), strict=True):
        assert path(pa.array([raw], pa.string()), mode=mode).to_pylist() == [kept]
        assert kept is None or kept == "*" or kept.startswith("/")
        assert kept is None or (len(kept) <= MAX_LENGTH and kept.count("/") <= MAX_SEGMENTS + 1)
        assert kept is None or raw is not None


@given(VALUES)
def test_query_and_referer_laws(values: list[str | None]) -> None:
    """Any text gives as many values; null gives null; names stay as they are when scrubbed again."""
    array = pa.array(values, pa.string())
    names = query(array, mode="names")
    assert len(names) == len(values) == len(query(array, mode="listed", allow=("a",)))
    assert query(names, mode="names") == names
    for raw, kept in zip(values, names.to_pylist(), strict=True):
        assert query(pa.array([raw], pa.string()), mode="names").to_pylist() == [kept]
        assert raw is not None or kept is None
    for mode in ("host", "site"):
        hosts = referer(pa.array([v and f"http:/{v}" for v in values], pa.string()), mode=mode)
        assert len(hosts) == len(values)
        assert all(
            raw is not None or kept is None
            for raw, kept in zip(values, hosts.to_pylist(), strict=True)
        )


SIMPLE = st.one_of(
    st.text("abcXYZ-._", max_size=70),
    st.text("0123456789", max_size=70),
    st.from_regex(r"(?:19|20|1[0-8]|2[1-9])[0-9]{1,3}", fullmatch=True),
    st.uuids().map(str),
    st.uuids().map(lambda u: str(u).upper()),
    st.uuids().map(lambda u: str(u).replace("-", "a", 1)),
    st.text("0123456789abcdefABCDEF-", min_size=34, max_size=38),
)


def test_constants_agree() -> None:
    """A compiled loop cannot take its constants from another module, see `logscrub.compiled`."""
    assert segment._LONGEST == MAX_CHARS


@settings(max_examples=300)
@given(st.lists(SIMPLE, min_size=1, max_size=6))
@example(
    [
        "",
        "1999",
        "2000",
        "1899",
        "2100",
        "12",
        "123",
        "a" * 14,
        "a" * 15,
        "A" + "b" * 14,
        "AB",
        "a.B_c-d",
    ]
)
def test_the_first_sight_says_what_the_rules_say(parts: list[str]) -> None:
    """A segment that is sorted out as a word, a number or a UUID comes out as the full rules have it."""
    values = pl.Series(parts, dtype=pl.String)
    by_rules = segment._settled(segment._template(values), values)
    assert segment.scrub(values).to_list() == by_rules.to_list()


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.text("0123456789abcdefABCDEFgzGZ.-_:@+=eyJ[]~", max_size=70),
            st.from_regex(r"[a-z0-9@:._+-]{3,12}([-._:@][0-9a-f]{1,8}){0,8}", fullmatch=True),
            SIMPLE,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_expressions_miss_nothing_where_they_are_not_asked(parts: list[str]) -> None:
    """Counting first what a text has never hides an identifier from the expression that would find it."""
    values = pl.Series(parts, dtype=pl.String)
    counted = segment._template(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "_with", lambda traits, _: np.arange(traits.shape[1]))
        assert counted.to_list() == segment._template(values).to_list()


def encoded(text: str, rounds: int, *, everything: bool) -> str:
    for _ in range(rounds):
        text = (
            "".join(f"%{byte:02X}" for byte in text.encode())
            if everything
            else quote(text, safe="")
        )
    return text


PLANTED = st.one_of(
    st.builds(
        "{}@{}.example".format,
        st.text("abcdefxyz.", min_size=3, max_size=9).map(lambda t: f"j{t}d"),
        st.text("abcxyz", min_size=2, max_size=9),
    ),
    st.ip_addresses(v=4, network="203.0.113.0/24").map(str),
    st.ip_addresses(v=4, network="198.51.100.0/24").map(lambda ip: str(ip).replace(".", "-")),
    st.ip_addresses(v=6, network="2001:db8::/32").map(str),
    st.ip_addresses(v=6, network="2001:db8::/32").map(lambda ip: ip.exploded),
    st.uuids().map(str),
    st.uuids().map(lambda u: u.hex),
    st.integers(10**5, 10**15).map(str),
    st.binary(min_size=10, max_size=40)
    .map(lambda b: b.hex())
    .filter(lambda h: any(c.isdigit() for c in h)),
)
AROUND = st.text("bcghxyzBX-_.=", max_size=8)


FOLDERS = st.lists(st.sampled_from(["blog", "x1", "users", "2015", ""]), max_size=3)
TAILS = st.sampled_from(["", ".html", ".jpg", "@2x.png", ";v=1"])
HIDING = st.tuples(st.integers(0, 2), st.booleans())


@given(PLANTED, st.tuples(AROUND, AROUND, st.sampled_from("-_=")), HIDING, FOLDERS, TAILS)
def test_no_planted_identifier_survives(
    planted: str,
    around: tuple[str, str, str],
    hiding: tuple[int, bool],
    folders: list[str],
    tail: str,
) -> None:
    """What is planted in any segment, plain or encoded once or twice, is not in the result, however decoded."""
    before, after, sign = around
    if not before.endswith(("-", "_", "=")):
        before += sign
    secret = encoded(planted, hiding[0], everything=hiding[1])
    raw = "/" + "/".join(
        [*folders, before + secret + (sign + after if after else "") + tail, "end"]
    )
    for mode in ("template", "first-segment"):
        kept = path(pa.array([raw]), mode=mode).to_pylist()[0]
        assert planted not in unquote(unquote(kept))
        assert planted.lower() not in kept.lower()
    value = query(pa.array([f"q={secret}&{secret}=1"]), mode="listed", allow=("q",)).to_pylist()[0]
    assert planted not in unquote(unquote(value))
    names = query(pa.array([f"q={secret}&{secret}=1"]), mode="names").to_pylist()[0]
    assert planted not in unquote(unquote(names))


def test_random_tokens_are_recognised() -> None:
    """Of random Base64 tokens of 22 characters and more, fewer than one in a hundred looks like a name."""
    digests = [hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(2000)]
    for size in (16, 20, 32):
        tokens = [base64.urlsafe_b64encode(d[:size]).decode().rstrip("=") for d in digests]
        out = scrub_path(*(f"/reset/{token}" for token in tokens))
        kept = [o for o, t in zip(out, tokens, strict=True) if o is not None and t in o]
        assert len(kept) < 20


@given(st.lists(st.text(), max_size=8))
def test_percent_decoding_agrees_with_the_standard_library(texts: list[str]) -> None:
    """Decoding many strings at once equals decoding each, line feeds apart."""
    mixed = [t + quote(t) for t in texts]
    expected = [unquote(t).replace("\n", "\x01") for t in mixed]
    assert percent.decode(pl.Series(mixed, dtype=pl.String)).to_list() == expected


def test_real_paths_of_others_keep_their_words(cases: Path) -> None:
    """On a real site nine paths of ten have nothing to mask; the list of its pages stays readable."""
    text = (cases / "logs" / "elastic_apache_logs").read_text(errors="replace")
    targets = pa.array(
        sorted(
            {
                line.split('"')[1].split(" ")[1].split("?")[0]
                for line in text.splitlines()
                if line.count('"') > 2
            }
        )
    )
    kept = path(targets, mode="template")
    same = sum(a == b for a, b in zip(targets.to_pylist(), kept.to_pylist(), strict=True))
    assert 0.85 * len(targets) < same < len(targets)
    assert "psionic" not in str(kept.to_pylist())
