"""Every form of an address has one outcome, and no scrubbed value holds more than it says."""

from __future__ import annotations

import doctest
import ipaddress
import json
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logscrub.compiled import laid_out
from logscrub.errors import PolicyError
from logscrub.keys import Key
from logscrub.scrubbers import address
from logscrub.scrubbers import address_forms as forms
from logscrub.scrubbers import address_plain as plain

if TYPE_CHECKING:
    from pathlib import Path

V4 = "203.0.113.7"
V6 = "2001:db8:aa::1"
KEY = Key(bytes(range(32)))

FORMS = {
    # plain
    V4: V4,
    "0.0.0.0": "0.0.0.0",
    "255.255.255.255": "255.255.255.255",
    "100.20.3.0": "100.20.3.0",
    V6: V6,
    "2001:DB8:AA::1": V6,
    "2001:0db8:00aa:0000:0000:0000:0000:0001": V6,
    "::1": "::1",
    "::": "::",
    # around it
    "203.0.113.7:443": V4,
    "203.0.113.7:0": V4,
    "[2001:db8:aa::1]": V6,
    "[2001:db8:aa::1]:8080": V6,
    "[2001:DB8:AA::1]:8080": V6,
    "fe80::1%eth0": "fe80::1",
    "fe80::1%1": "fe80::1",
    "[fe80::1%25eth0]:80": "fe80::1",
    "  203.0.113.7 ": V4,
    "\t2001:db8:aa::1\t": V6,
    '"203.0.113.7"': V4,
    "'2001:db8:aa::1'": V6,
    "203.0.113.7]": V4,
    "[2001:db8:aa::1]]": V6,
    # lists
    "203.0.113.7, 198.51.100.1": V4,
    "203.0.113.7,198.51.100.1": V4,
    "203.0.113.7 198.51.100.1": V4,
    '"203.0.113.7, 198.51.100.1"': V4,
    "unknown, 203.0.113.7": V4,
    "-, 2001:db8:aa::1": V6,
    "2001:db8:aa::1, 203.0.113.7": V6,
    "for=203.0.113.7": V4,
    "For=203.0.113.7:80;proto=http;by=198.51.100.1": V4,
    'for="[2001:db8:aa::1]:4711"': V6,
    "for=_hidden, for=203.0.113.7": V4,
    "by=198.51.100.1;for=203.0.113.7": V4,
    # IPv4 within IPv6
    "::ffff:203.0.113.7": V4,
    "::FFFF:203.0.113.7": V4,
    "::ffff:cb00:7107": V4,
    "0:0:0:0:0:ffff:cb00:7107": V4,
    "[::ffff:203.0.113.7]:80": V4,
    "::ffff:0:203.0.113.7": V4,
    "::203.0.113.7": V4,
    "2002:cb00:7107::1": V4,
    "2002:cb00:7107:1234:5678:9abc:def0:1": V4,
    "2001:0:c000:201:8000:63bf:34ff:8ef8": V4,
    "2001::34ff:8ef8": V4,
    "64:ff9b::203.0.113.7": V4,
    "64:ff9b::cb00:7107": V4,
    "64:ff9b:1::203.0.113.7": V4,
    "64:ff9b:1:abcd::203.0.113.7": V4,
    "64:ff9b:1:cb00:71:700::": "64:ff9b:1:cb00:71:700::",
    "2001:db8::34ff:8ef8": "2001:db8::34ff:8ef8",
    "2003:cb00:7107::1": "2003:cb00:7107::1",
    "::fffe:203.0.113.7": "::fffe:cb00:7107",
    "1::ffff:203.0.113.7": "1::ffff:cb00:7107",
    "64:ff9b:0:1::203.0.113.7": "64:ff9b:0:1::cb00:7107",
    # no address
    "": None,
    " ": None,
    "-": None,
    ",": None,
    "unknown": None,
    "_hidden": None,
    "unix:": None,
    "unix:/run/web.sock": None,
    "host.example.com": None,
    "a.b.c.d": None,
    "203.000.113.007": None,
    "203.0.113.07": None,
    "::ffff:203.000.113.007": None,
    "0203.0.113.7": None,
    "1.2.3": None,
    "1.2.3.4.5": None,
    "1..2.3": None,
    ".1.2.3": None,
    "1.2.3.": None,
    "...": None,
    ".......": None,
    "256.0.113.7": None,
    "999.0.113.7": None,
    "0x7f.1": None,
    "2130706433": None,
    "10.0.0.0/8": None,
    "2001:db8::/32": None,
    "203.0.113.7:": None,
    "203.0.113.7:http": None,
    "203.0.113.7:123456": None,
    "203.0.113.7%eth0": None,
    "[203.0.113.7]": None,
    "[2001:db8:aa::1": None,
    "[2001:db8:aa::1]x": None,
    "2001:db8:1:2:3:4:5:6:8080": None,
    "1:2:3": None,
    "by=203.0.113.7": None,
    "203.0.113.7x": None,
    "203.0.113.\u0667": None,
    "203.0.113.7\x00": None,
    "2001:db8::1\x00": None,
    "203.0.113.7\u00a0": None,
}

v4s = st.ip_addresses(v=4)
v6s = st.ip_addresses(v=6)
texts = (
    st.text(max_size=60)
    | st.text("0123456789.:[]%, \"'abcdefx/=-]", max_size=50)
    | st.sampled_from(sorted(FORMS))
    | (v4s | v6s).map(str)
)


def parse(*values: str | None) -> address.Addresses:
    return address.parse(pa.array(values, pa.string()))


def full(*values: str | None) -> list[str | None]:
    found: list[str | None] = address.network_address(parse(*values), v4=32, v6=128).to_pylist()
    return found


def carries(one: IPv6Address) -> bool:
    """Whether an IPv6 address is taken for the IPv4 address within it."""
    return bool(address.version(parse(str(one)))[0].as_py() == 4)


def test_doctests() -> None:
    """The examples in the docstrings are true."""
    result = doctest.testmod(address)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_form(form: str) -> None:
    """Each form has its outcome, alone and among others."""
    expected = FORMS[form]
    assert full(form) == [expected]
    assert full(V4, form, None, V6, form) == [V4, expected, None, V6, expected]
    versions = address.version(parse(form)).to_pylist()
    assert versions == [expected and ipaddress.ip_address(expected).version]


def test_long_arrays_and_slices() -> None:
    """Where an array begins and how it is cut for work makes no difference."""
    forms = sorted(FORMS)
    values = pa.array([*(forms * 1500)[:140_000], None], pa.string())
    expected = [FORMS[form] for form in forms]
    for start in (0, 1, 7, 65_536, 139_999, 140_001):
        addresses = address.parse(values[start:])
        found = address.network_address(addresses, v4=32, v6=128).to_pylist()
        assert len(addresses) == len(found) == len(values) - start
        assert found[:-1] == [expected[at % len(forms)] for at in range(start, 140_000)]
        assert found[-1:] in ([None], [])


@pytest.mark.parametrize(
    "values",
    [
        pa.array([], pa.string()),
        pa.nulls(3, pa.string()),
        pa.array(["", ""], pa.string()),
        pa.array([V4, None], pa.large_string()),
        pa.StringArray.from_buffers(
            2, pa.py_buffer(np.array([0, 11, 22], np.int32)), pa.py_buffer(b"198.51.100.203.0.113.7"),
            pa.py_buffer(b"\x02"),
        ),
    ],
    ids=["none", "nulls", "empty", "large", "null over text"],
)  # fmt: skip
def test_odd_arrays(values: pa.Array) -> None:
    """Types and lengths hold for arrays without values, and text under a null is not read."""
    addresses = address.parse(values)
    texts = [
        address.truncate(addresses, v4=24, v6=40),
        address.network_address(addresses, v4=24, v6=40),
        address.token(addresses, KEY),
        address.token_address(address.token(addresses, KEY)),
    ]
    assert all(text.type == pa.string() and len(text) == len(values) for text in texts)
    assert address.version(addresses).type == pa.uint8()
    kept = [bool(value) for value in values.to_pylist()]
    assert all(text.is_valid().to_pylist() == kept for text in texts)
    assert not addresses.low[~np.array(kept, bool)].any()


@given(one=v4s | v6s)
def test_any_address_is_read(one: IPv4Address | IPv6Address) -> None:
    """Any address comes back as it is, unless it carries another."""
    if isinstance(one, IPv6Address) and carries(one):
        return
    assert [ipaddress.ip_address(text or "") for text in full(str(one))] == [one]


@pytest.mark.parametrize("width", range(33))
@given(one=v4s)
def test_truncate_v4(width: int, one: IPv4Address) -> None:
    """At every width the network is the one that ipaddress gives, so no host bit is left."""
    expected = ipaddress.ip_network((one, width), strict=False)
    assert address.truncate(parse(str(one)), v4=width, v6=0).to_pylist() == [str(expected)]


@pytest.mark.parametrize("width", range(129))
@settings(max_examples=20)
@given(one=v6s)
def test_truncate_v6(width: int, one: IPv6Address) -> None:
    """At every width the network is the one that ipaddress gives, so no host bit is left."""
    if carries(one):
        return
    found = address.truncate(parse(str(one)), v4=0, v6=width)[0].as_py()
    expected = IPv6Network((one, width), strict=False)
    # A strict network refuses host bits by itself.
    assert ipaddress.ip_network(found) == expected
    text, _, bits = found.partition("/")
    assert bits == str(width)
    if expected.network_address >= IPv6Address(1 << 32):
        assert text == str(expected.network_address)


@given(one=st.sampled_from(sorted(FORMS)), v4=st.integers(0, 32), v6=st.integers(0, 128))
def test_truncate_twice(one: str, v4: int, v6: int) -> None:
    """Truncating a network's first address again gives the same network."""
    first = address.network_address(parse(one), v4=v4, v6=v6)
    again = address.parse(first)
    if address.version(again) == address.version(parse(one)):
        assert address.network_address(again, v4=v4, v6=v6) == first


@pytest.mark.parametrize(
    ("v4", "v6"), [(-1, 40), (33, 40), (24, -1), (24, 129)], ids=["-1", "33", "v6 -1", "129"]
)
def test_width_out_of_range(v4: int, v6: int) -> None:
    """A width that does not exist is an error, whatever the addresses."""
    for scrub in (address.truncate, address.network_address):
        with pytest.raises(PolicyError) as caught:
            scrub(parse(), v4=v4, v6=v6)
        assert caught.value.hint


@given(one=v4s, host=st.integers(0, 2**64 - 1))
@example(one=IPv4Address("1.0.0.0"), host=0)
def test_carried(one: IPv4Address, host: int) -> None:
    """An IPv4 address is the same client in whatever IPv6 address it comes."""
    number = int(one)
    forms = [
        one,
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(0x2002 << 112 | number << 80 | host),
        IPv6Address(0x20010000 << 96 | host << 32 | number ^ 0xFFFFFFFF),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x64FF9B0001 << 80 | host >> 48 << 64 | number),
    ]
    if number >= 1 << 24:
        forms.append(IPv6Address(number))
    addresses = parse(*map(str, forms))
    for kept in (
        address.truncate(addresses, v4=24, v6=128),
        address.network_address(addresses, v4=32, v6=0),
        address.token(addresses, KEY),
        address.version(addresses),
    ):
        assert len(kept.unique()) == 1
        assert not kept.null_count


@given(values=st.lists(st.none() | texts, max_size=30), data=st.data())
def test_order_does_not_matter(values: list[str | None], data: st.DataObject) -> None:
    """Each value's outcome is its own: null stays null, length is kept, order changes nothing."""
    order = data.draw(st.permutations(range(len(values))))
    for scrub in (
        lambda one: address.truncate(one, v4=24, v6=40),
        lambda one: address.token(one, KEY),
        address.version,
    ):
        found = scrub(parse(*values)).to_pylist()
        assert len(found) == len(values)
        assert all(out is None for value, out in zip(values, found, strict=True) if value is None)
        assert scrub(parse(*(values[i] for i in order))).to_pylist() == [found[i] for i in order]


@given(value=texts)
def test_any_text(value: str) -> None:
    """Arbitrary text never raises, and nothing but networks and tokens ever comes out."""
    addresses = parse(value)
    found = address.truncate(addresses, v4=24, v6=40)[0].as_py()
    token = address.token(addresses, KEY)[0].as_py()
    assert (found is None) == (token is None)
    if found is not None:
        network = ipaddress.ip_network(found)
        assert network.prefixlen == (24 if network.version == 4 else 40)
        assert set(token) <= set("0123456789abcdef")
        assert len(token) == 32
    assert repr(addresses) == "Addresses(1)"


@given(high=st.integers(0, 2**64 - 1), hosts=st.tuples(*[st.integers(0, 2**64 - 1)] * 2))
def test_token_of_a_64(high: int, hosts: tuple[int, int]) -> None:
    """All addresses of one /64 have one token; the next /64 has another."""
    one, two = (IPv6Address(high << 64 | host) for host in hosts)
    other = IPv6Address((high ^ 1) << 64 | hosts[0])
    if any(map(carries, (one, two, other))):
        return
    tokens = address.token(parse(*map(str, (one, two, other))), KEY).to_pylist()
    assert tokens[0] == tokens[1] != tokens[2]


@given(one=v4s | v6s, secrets=st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=2))
def test_token_follows_key(one: IPv4Address, secrets: list[bytes]) -> None:
    """Same key, same token; another key, another token."""
    addresses = parse(str(one))
    first, second = (address.token(addresses, Key(secret)) for secret in secrets)
    assert (first == second) == (secrets[0] == secrets[1])
    assert first == address.token(addresses, Key(secrets[0]))


@given(one=v4s | v6s)
def test_token_address(one: IPv4Address) -> None:
    """The address made of a token is private, holds the token's bits, and is canonical."""
    tokens = address.token(parse(str(one), None), KEY)
    found, none = address.token_address(tokens).to_pylist()
    made = IPv6Address(found)
    assert none is None
    assert found == str(made)
    assert made in ipaddress.ip_network("fd00::/8")
    assert made.packed[1:].hex() == tokens[0].as_py()[:30]


def test_anonip(cases: Path) -> None:
    """Anonip's own cases for single addresses give the same network (its offset left out)."""
    lines = (cases / "ip" / "anonip.jsonl").read_text(encoding="utf-8").splitlines()
    checked = 0
    for case in map(json.loads, lines):
        args = case["args"]
        if set(args) != {"ipv4mask", "ipv6mask"} or "test_process_line[" not in case["source"]:
            continue
        widths = {"v4": 32 - args["ipv4mask"], "v6": 128 - args["ipv6mask"]}
        (found,) = address.network_address(parse(case["input"]), **widths).to_pylist()
        # What is no address is passed through by Anonip, and never here.
        expected = None if case["input"].strip() in {"no_ip_address", "foo"} else case["expected"]
        assert full(expected) == [found], case["source"]
        checked += 1
    assert checked > 20


ODD = st.text(alphabet="0123456789abcdefABCDEFg:.% ", max_size=42)
GROUPED = st.lists(
    st.sampled_from(["", "0", "1", "00", "db8", "ffff", "FFFF", "12345", "g", "1.2.3.4"]),
    max_size=10,
)


@settings(max_examples=500)
@given(st.lists(st.one_of(ODD, GROUPED.map(":".join), GROUPED.map(".".join)), max_size=6))
def test_the_loop_reads_what_the_forms_read(values: list[str]) -> None:
    """Whatever the loop reads by itself, the exact reader reads too, and to the same bits."""
    data, starts, ends = laid_out(pa.array(values, pa.string()))
    versions = np.empty(len(values), np.uint8)
    high, low = np.empty(len(values), np.uint64), np.empty(len(values), np.uint64)
    plain.read(data, starts, ends, versions, high, low)
    for row, value in enumerate(values):
        exact = forms.packed(value.encode())
        if versions[row] == 4:
            assert exact == bytes(10) + b"\xff\xff" + int(low[row]).to_bytes(4)
        elif versions[row] == 6:
            assert exact == int(high[row]).to_bytes(8) + int(low[row]).to_bytes(8)
        else:
            assert (high[row], low[row]) == (0, 0)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_the_loop_reads_what_logs_hold(one: IPv4Address | IPv6Address) -> None:
    """Every address in the form in which servers write it, without help."""
    data, starts, ends = laid_out(pa.array([str(one)]))
    versions, bits = np.empty(1, np.uint8), np.empty((2, 1), np.uint64)
    plain.read(data, starts, ends, versions, bits[0], bits[1])
    mapped = isinstance(one, IPv6Address) and "." in str(one)
    assert versions[0] == (0 if mapped else one.version)
    assert mapped or int(bits[0, 0]) << 64 | int(bits[1, 0]) == int(one)
