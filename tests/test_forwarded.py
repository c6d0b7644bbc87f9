"""The client behind proxies is whom nginx's realip module would take, and nothing else of their headers is left."""

from __future__ import annotations

import doctest
import ipaddress
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from program import RECENT, ingest, logscrub, rows

from logscrub.formats.apache import compile_apache
from logscrub.formats.nginx import compile_nginx
from logscrub.formats.proxies import HEADERS
from logscrub.keys import Key
from logscrub.policy import load
from logscrub.schema import NO_REJECTS, Parsed, Raw
from logscrub.scrubbers import forwarded, geo
from logscrub.scrubbers.forwarded import MOST_HOPS, clients, trusted
from logscrub.transform import Geo, compile_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from logscrub.formats.layout import Layout

PEER, OTHER = "10.0.0.1", "198.51.100.9"
CLIENT, LIAR = "203.0.113.7", "192.0.2.66"
SIX = "2001:db8:9::7"
NETWORKS = ("10.0.0.0/8", "127.0.0.0/8", "2001:db8:1::/48")
TRUSTED = trusted(NETWORKS)

LISTS: dict[str, str] = {
    # what a header of a trusted peer makes of the client
    CLIENT: CLIENT,
    f"{LIAR}, {CLIENT}": CLIENT,
    f"{LIAR},{CLIENT}": CLIENT,
    f"{LIAR} {CLIENT}": CLIENT,
    f"{LIAR}, {CLIENT}, 10.0.0.2": CLIENT,
    f"{LIAR}, {CLIENT}, 10.0.0.2, 127.0.0.9,10.9.9.9": CLIENT,
    f"{CLIENT},": CLIENT,
    f"{CLIENT} , ,, ": CLIENT,
    f", ,{CLIENT}": CLIENT,
    # all trusted: the left-most
    "10.0.0.3": "10.0.0.3",
    "10.0.0.3, 10.0.0.2": "10.0.0.3",
    " ,10.0.0.3, 10.0.0.2": "10.0.0.3",
    "10.0.0.3, 10.0.0.1": "10.0.0.3",
    # garbage: the last good one before it, none: the peer
    "": PEER,
    "-": PEER,
    ",": PEER,
    "   ": PEER,
    "unknown": PEER,
    f"{CLIENT}, unknown": PEER,
    f"{CLIENT}, unknown, 10.0.0.2": "10.0.0.2",
    f"{CLIENT}, , 10.0.0.2": CLIENT,
    f"{CLIENT};10.0.0.2": PEER,
    f"{CLIENT}\t10.0.0.2": PEER,
    f"{CLIENT}\t, 10.0.0.2": "10.0.0.2",
    "203.0.113.7.": PEER,
    "203.0.113": PEER,
    "203.0.113.256": PEER,
    "203.0.113.7/32": PEER,
    "0xcb.0.113.7": PEER,
    "3405803783": PEER,
    "255.255.255.255": PEER,
    "localhost": PEER,
    "unix:": PEER,
    "unix:/run/x.sock": PEER,
    f'"{CLIENT}"': PEER,
    f"'{CLIENT}'": PEER,
    f'{LIAR}", {CLIENT}': CLIENT,
    f'"{LIAR}, {CLIENT}': CLIENT,
    f'"{LIAR}, 10.0.0.2': "10.0.0.2",
    f'a="b, {CLIENT}': CLIENT,
    f'="", {CLIENT}': CLIENT,
    "\x00": PEER,
    f"{CLIENT}\x00": PEER,
    "é": PEER,
    "\u0661\u0660.0.0.2": PEER,
    "\uff11\uff10.0.0.2": PEER,
    # how nginx reads numbers
    "203.000.113.007": CLIENT,
    "010.0.0.2": "10.0.0.2",
    "10..0.2": "10.0.0.2",
    # ports
    f"{CLIENT}:4711": CLIENT,
    f"{LIAR}:1, {CLIENT}:65535, 10.0.0.2:80": CLIENT,
    f"{CLIENT}:0": PEER,
    f"{CLIENT}:65536": PEER,
    f"{CLIENT}:": PEER,
    f"{CLIENT}:80:80": PEER,
    f"{CLIENT}:+80": PEER,
    f"{CLIENT}:8_0": PEER,
    f"{CLIENT}:\u0668\u0660": PEER,
    f"{CLIENT}:_hidden": PEER,
    # IPv6
    SIX: SIX,
    "2001:DB8:9:0:0:0:0:7": SIX,
    f"[{SIX}]:4711": SIX,
    f"[{SIX}]": PEER,
    f"[{SIX}": PEER,
    f"{SIX}]:80": PEER,
    f"[{SIX}]:": PEER,
    f"[{SIX}]80": PEER,
    f"[{CLIENT}]:80": CLIENT,
    f"{SIX}%eth0": PEER,
    f"{SIX}, 2001:db8:1::5": SIX,
    f"{CLIENT}, 2001:db8:1:ffff::5, [2001:db8:1::1]:443": CLIENT,
    f"{CLIENT}, 2001:db8:2::5": "2001:db8:2::5",
    f"::ffff:{CLIENT}": CLIENT,
    f"{CLIENT}, ::ffff:10.0.0.2": CLIENT,
    f"{CLIENT}, ::ffff:a00:2": CLIENT,
    # what carries an IPv4 address in another way is an address of its own
    f"{CLIENT}, 2002:a00:2::1": "2002:a00:2::1",
    f"{CLIENT}, 64:ff9b::a00:2": "64:ff9b::a00:2",
    "::": "::",
    "1:2:3:4:5:6:7:8:9": PEER,
    "1:2": PEER,
    "::1::": PEER,
    "2001:db8::g": PEER,
    "z" * 60_000: PEER,
    "1" * 60_000: PEER,
    f"{CLIENT}:" + "0" * 60_000 + "80": PEER,
}  # fmt: skip

NODES: dict[str, str] = {
    # RFC 7239, most of them from its section 6.3 and 7
    f"for={CLIENT}": CLIENT,
    f"For={CLIENT}": CLIENT,
    f"FOR = {CLIENT}": CLIENT,
    f'for="{CLIENT}"': CLIENT,
    f'for="{CLIENT}:47011"': CLIENT,
    f'for="{CLIENT}:_x"': CLIENT,
    f'for="[{SIX}]:4711"': SIX,
    f'for="[{SIX}]"': SIX,
    f"for=[{SIX}]": SIX,
    f'for="{SIX}"': SIX,
    f"for={LIAR}, for={CLIENT}": CLIENT,
    f"for={LIAR},for={CLIENT};proto=http;by=203.0.113.43": CLIENT,
    f"for={CLIENT}; proto=http; by=10.0.0.2": CLIENT,
    f"by=10.0.0.2;for={CLIENT}": CLIENT,
    f"for={LIAR}, for={CLIENT}, for=10.0.0.2": CLIENT,
    f'for={CLIENT}, for="[2001:db8:1::1]:443"': CLIENT,
    f"for={LIAR}, {CLIENT}": CLIENT,
    f"{LIAR}, for={CLIENT}": CLIENT,
    "for=10.0.0.3, for=10.0.0.2": "10.0.0.3",
    # hidden, and what is none
    "for=unknown": PEER,
    "for=_hidden": PEER,
    'for="_SEVKISEK"': PEER,
    f"for={CLIENT}, for=_hidden": PEER,
    f"for={CLIENT}, for=_hidden, for=10.0.0.2": "10.0.0.2",
    f"for={CLIENT}, proto=https": PEER,
    f"for={CLIENT}, for=": PEER,
    f"for={CLIENT}, for": PEER,
    f"for={CLIENT}, =": PEER,
    f"for={LIAR};for={CLIENT}": PEER,
    f"xfor={CLIENT}": PEER,
    f'for="{CLIENT}': PEER,
    f'for={CLIENT}"': PEER,
    f"for={CLIENT} x": PEER,
    f'for="{CLIENT}, 10.0.0.2"': PEER,
    f'for="[{SIX}]x"': PEER,
    f'for="[{SIX}"': PEER,
    'for=""': PEER,
    'for="': PEER,
    # quotes of values that a client chooses
    f'for={CLIENT};host="x, for={LIAR}"': CLIENT,
    f'for={CLIENT};host="x;for={LIAR}"': CLIENT,
    f'for={CLIENT};host="\\", for={LIAR}"': CLIENT,
    f'for={CLIENT};host="\\";for={LIAR};x=\\""': CLIENT,
    f'for={CLIENT};host="\\\\"': CLIENT,
    f'host="a, b";for={CLIENT}, for=10.0.0.2;host="c, d"': CLIENT,
    # and quotes that a client left open
    f'for="{LIAR}, for={CLIENT}': CLIENT,
    f'for={LIAR};host=", for={CLIENT};proto=http': CLIENT,
    f'for={LIAR};host=", for={CLIENT};host="a"': CLIENT,
    f'for={LIAR}", for=10.0.0.2': "10.0.0.2",
}  # fmt: skip


def choice(peer: str | None, header: str | None) -> str | None:
    """The client of one pair."""
    pair = (pa.array([one], pa.string()) for one in (peer, header))
    (found,) = clients(*pair, trusted=TRUSTED).to_pylist()
    assert found is None or isinstance(found, str)
    return found


def test_the_examples_hold() -> None:
    """Those of the module."""
    assert doctest.testmod(forwarded).failed == 0


@pytest.mark.parametrize(("header", "client"), [*LISTS.items(), *NODES.items()])
def test_a_trusted_peer_is_believed(header: str, client: str) -> None:
    """Each header has one outcome; from a peer that is not trusted it has none."""
    assert choice(PEER, header) == client
    assert choice(OTHER, header) == OTHER
    assert choice(None, header) is None


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("9.255.255.255", False),
        ("10.0.0.1:443", True),
        ("::ffff:10.0.0.1", True),
        ("[::ffff:a00:1]:443", True),
        ("2001:db8:1::1", True),
        ("[2001:db8:1::1]:443", True),
        ("2001:db8:1::1%eth0", True),
        ("2001:db8:2::", False),
        ("2001:db8:0:ffff:ffff:ffff:ffff:ffff", False),
        # had by anybody, whatever they carry
        ("2002:a00:1::1", False),
        ("64:ff9b::a00:1", False),
        ("::10.0.0.1", False),
        ("010.0.0.1", False),
        ("proxy.example", False),
        ("unix:", False),
        ("-", False),
        ("", False),
    ],
)
def test_who_is_trusted(peer: str, is_trusted: bool) -> None:  # noqa: FBT001 — a column of the table
    """Peers are read as the server logged them."""
    assert choice(peer, CLIENT) == (CLIENT if is_trusted else peer)


def test_missing_is_the_peer() -> None:
    """No header, no peer, no trusted proxies."""
    assert choice(PEER, None) == PEER
    assert choice(None, None) is None
    one, header = pa.array([PEER]), pa.array([CLIENT])
    assert clients(one, header, trusted=trusted(())).to_pylist() == [PEER]
    assert clients(one[:0], header[:0], trusted=TRUSTED).to_pylist() == []


def test_ipv4_is_in_no_network_of_ipv6() -> None:
    """As for nginx; a policy that trusts everybody says both."""
    pair = pa.array([PEER, "2001:db8::1"]), pa.array([CLIENT, CLIENT])
    assert clients(*pair, trusted=trusted(("::/0",))).to_pylist() == [PEER, CLIENT]
    assert clients(*pair, trusted=trusted(("0.0.0.0/0",))).to_pylist() == [CLIENT, "2001:db8::1"]


networks = st.lists(
    st.one_of(
        st.builds(lambda n, bits: (ipaddress.IPv4Address(n), bits), st.integers(0, 2**32 - 1), st.integers(0, 32)),
        st.builds(lambda n, bits: (ipaddress.IPv6Address(n), bits), st.integers(0, 2**128 - 1), st.integers(0, 128)),
    ).map(lambda one: ipaddress.ip_network(one, strict=False)),
    max_size=8,
)  # fmt: skip


@given(networks, st.data())
def test_networks_hold_what_is_in_them(
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network], data: st.DataObject
) -> None:
    """Overlapping or not, their ends, and what stands beside them."""
    spans = trusted(tuple(map(str, found)))
    near = [int(one[end]) + step for one in found for end in (0, -1) for step in (-1, 0, 1)]
    version = data.draw(st.sampled_from([4, 6]))
    most = 2 ** (32 if version == 4 else 128) - 1
    number = data.draw(st.sampled_from([*near, 0]) | st.integers(0, most))
    number = min(max(number, 0), most)
    one = (ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)(number)
    if one.version == 6 and one.ipv4_mapped:
        return
    inside = any(one in network for network in found)
    peer, header = pa.array([str(one)]), pa.array(["for=192.0.2.1"])
    assert forwarded.believed(peer, trusted=spans).to_pylist() == [inside]
    assert clients(peer, header, trusted=spans).to_pylist() == ["192.0.2.1" if inside else str(one)]


# --- nginx, as its source says it ----------------------------------------------------------------


def realip(peer: str, header: str) -> str:
    """`ngx_http_get_forwarded_addr_internal` with `real_ip_recursive on`, word by word."""
    text, address, found, at = header, peer, False, 1
    while True:
        if not _cidr_match(address):
            return address
        p = len(text) - 1
        while p > 0 and text[p] in " ,":
            p -= 1
        end = p + 1
        while p > 0:
            if text[p] in " ,":
                p += 1
                break
            p -= 1
        at = max(p, 0)
        parsed = _parse_addr_port(text[at:end])
        if parsed is None:
            return address
        address, found = parsed, True
        text = text[: max(at - 1, 0)]
        if not (found and at > 0):
            return address


def _cidr_match(text: str) -> bool:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if address.version == 6 else None
    return any((mapped or address) in ipaddress.ip_network(one) for one in NETWORKS)


def _parse_addr_port(text: str) -> str | None:
    whole = _parse_addr(text)
    if whole:
        return whole
    if text.startswith("["):
        close = text.find("]")
        if close in {-1, len(text) - 1} or text[close + 1] != ":":
            return None
        host, port = text[1:close], text[close + 2 :]
    else:
        colon = text.find(":")
        if colon < 0:
            return None
        host, port = text[:colon], text[colon + 1 :]
    if not port or any(one not in "0123456789" for one in port) or not 1 <= int(port) <= 65_535:
        return None
    return _parse_addr(host)


def _parse_addr(text: str) -> str | None:
    octets = text.split(".")
    if len(octets) == 4 and all(one in "0123456789." for one in text):
        numbers = [int(one or 0) for one in octets]
        if max(numbers) <= 255 and min(numbers) < 255:
            return ".".join(map(str, numbers))
    try:
        return str(ipaddress.IPv6Address(text)) if "%" not in text else None
    except ValueError:
        return None


hosts = st.sampled_from(
    [CLIENT, LIAR, SIX, "10.0.0.2", "10.9.9.9", "127.1.2.3", "2001:db8:1::5", "2001:db8:1:2::", "::ffff:10.0.0.3",
     "::ffff:203.0.113.8", "010.0.0.4", "255.255.255.255", "unknown", "10.0.0", "::", "x"]
)  # fmt: skip
entries = st.one_of(
    hosts,
    st.builds(lambda host, port: f"{host}:{port}", hosts, st.integers(0, 70_000)),
    st.builds(lambda host, port: f"[{host}]:{port}", hosts, st.integers(0, 70_000)),
    hosts.map(lambda host: f"[{host}]"),
    st.text("0123456789abcdef.:[]%/\t", max_size=12),
)
marks = st.sampled_from([", ", ",", " ", ",,", " , ", ""])
headers = st.lists(st.tuples(entries, marks), max_size=8).map(
    lambda parts: "".join(entry + mark for entry, mark in parts)
)


@given(st.sampled_from([PEER, OTHER, "2001:db8:1::1", "::ffff:10.0.0.1"]), headers)
@example(PEER, f"{LIAR}, , {CLIENT},, 10.0.0.2 ")
def test_the_choice_is_that_of_nginx(peer: str, header: str) -> None:
    """For every list of addresses and garbage."""
    found, expected = choice(peer, header), realip(peer, header)
    assert found is not None
    assert _plain(found) == _plain(expected)


def _plain(text: str) -> str:
    address = ipaddress.ip_address(text)
    return str((address.ipv4_mapped if address.version == 6 else None) or address)


def _number_of(entry: str, is_node: bool = False) -> int | None:  # noqa: FBT001, FBT002 — as it is called
    return forwarded._address(entry, is_node=is_node)


@given(headers | st.text(max_size=60) | st.text('for="\\,;= 10.2:[]', max_size=60))
def test_a_trusted_client_has_only_trusted_proxies_behind_it(header: str) -> None:
    """The answer never is a trusted address unless all are, up to the left end or to garbage."""
    found = choice(PEER, header)
    assert found is not None
    entries = takewhile(lambda one: one is not None, forwarded._entries(header, _number_of))
    walked = [one for one in entries if one is not None]
    chosen = forwarded._host(found)
    assert chosen is not None
    assert (chosen in TRUSTED) == all(one in TRUSTED for one in walked)
    outside = [one for one in walked if one not in TRUSTED]
    assert chosen == (outside[0] if outside else walked[-1] if walked else forwarded._host(PEER))


@given(st.text('10.2:, "\\;=for', max_size=40))
def test_what_a_client_sends_changes_nothing(sent: str) -> None:
    """Whatever stands left of what the proxy added, the proxy's word counts."""
    for added in (CLIENT, f"for={CLIENT}", f'for="{CLIENT}:80";host="a, b;c"'):
        assert choice(PEER, f"{sent}, {added}") == CLIENT


@pytest.mark.parametrize(
    "part",
    ["10.0.0.2, ", "x,", ",", " ", '"', '\\"', "for=10.0.0.2,", "for=10.0.0.2;", ";", "=", '="",', "10.0.0.2:80 ", "[",
     'for="10.0.0.2",', "é,", ":", "1"],
)  # fmt: skip
def test_long_headers_take_linear_time(part: str) -> None:
    """A header as long as a line may be is read within a fraction of a second, and no more than its end counts."""
    header = part * (65_000 // len(part.encode()))
    begin = time.process_time()
    assert choice(PEER, header) in {PEER, "10.0.0.2"}
    assert choice(PEER, f'{CLIENT}, "{header}') in {PEER, "10.0.0.2"}
    assert choice(PEER, f"{header}, {CLIENT}") == CLIENT
    assert time.process_time() - begin < 1


def test_the_number_of_hops_is_bounded() -> None:
    """What stands behind so many trusted proxies is not looked at."""
    assert choice(PEER, f"{CLIENT}, " + "10.0.0.2, " * (MOST_HOPS - 1)) == CLIENT
    assert choice(PEER, f"{CLIENT}, " + "10.0.0.2, " * MOST_HOPS) == "10.0.0.2"


# --- from the line to the row --------------------------------------------------------------------

POLICY = """version = 1
[retention]
period = "12 months"
[address]
ipv4_bits = 32
ipv6_bits = 128
trusted_proxies = ["10.0.0.0/8", "127.0.0.0/8", "2001:db8:1::/48"]
"""


def _block(*pairs: tuple[str | None, str | None], lexicon: object = None) -> Parsed:
    peers, said = zip(*pairs, strict=True)
    columns = {
        Raw.TIME: pa.array([0] * len(pairs), pa.timestamp("ms", tz="UTC")),
        Raw.ADDRESS: pa.array(peers, pa.string()).dictionary_encode(),
        Raw.FORWARDED: pa.array(said, pa.string()).dictionary_encode(),
    }
    lexicons = dict.fromkeys((Raw.ADDRESS, Raw.FORWARDED), lexicon) if lexicon else {}
    return Parsed(len(pairs), columns, NO_REJECTS, 0, lexicons)


def test_the_chosen_client_is_the_address() -> None:
    """Of each row, in network, version and token; null stays null."""
    pairs = [
        (PEER, f"{LIAR}, {SIX}"),
        (OTHER, CLIENT),
        (None, CLIENT),
        (PEER, None),
        (PEER, f"{CLIENT}, 10.0.0.2"),
    ]
    transform = compile_policy(load(POLICY, name="p"), Geo())
    table = transform.apply(_block(*pairs), keys={}).table
    assert table["client_net"].to_pylist() == [
        f"{SIX}/128",
        f"{OTHER}/32",
        None,
        f"{PEER}/32",
        f"{CLIENT}/32",
    ]
    assert table["ip_version"].to_pylist() == [6, 4, None, 4, 4]
    (net,) = table["client_net"].chunks
    assert len(net.dictionary) == 4


def test_tokens_are_of_the_chosen_client() -> None:
    """The token of a client is the same behind a proxy and without one."""
    text = POLICY.replace("ipv4_bits", 'mode = "hash"\nipv4_bits')
    transform = compile_policy(load(text, name="p"), Geo())
    parsed = _block((PEER, CLIENT), (CLIENT, None), (CLIENT, LIAR), (PEER, LIAR))
    keys = dict.fromkeys(transform.periods(parsed), Key(bytes(32)))
    tokens = transform.apply(parsed, keys=keys).table["client_token"].to_pylist()
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]


def test_countries_are_those_of_the_chosen_client(cases: Path) -> None:
    """The proxy's own place does not show."""
    content = (cases / "mmdb" / "GeoLite2-Country-Test.mmdb").read_bytes()
    table = geo.load_bytes("test", content, what="country")
    text = POLICY + "[geo]\ncountry = true\n"
    transform = compile_policy(load(text, name="p"), Geo(country=table))
    found = transform.apply(_block((PEER, "2.125.160.216"), ("2.125.160.216", None)), keys={}).table
    assert found["country"].to_pylist() == ["GB", "GB"]


def test_blocks_of_one_lexicon_remember() -> None:
    """What a later block adds to the dictionaries is answered as what a first one had."""
    transform, lexicon = compile_policy(load(POLICY, name="p"), Geo()), object()
    pairs = [
        (PEER, CLIENT),
        (OTHER, CLIENT),
        (PEER, f"{LIAR}, 10.0.0.2"),
        (PEER, "x"),
        ("10.0.0.8", "y"),
    ]
    for end in range(1, len(pairs) + 1):
        table = transform.apply(_block(*pairs[:end], lexicon=lexicon), keys={}).table
        expected = [f"{CLIENT}/32", f"{OTHER}/32", f"{LIAR}/32", f"{PEER}/32", "10.0.0.8/32"]
        assert table["client_net"].to_pylist() == expected[:end]


def test_headers_are_parsed_only_for_trusted_proxies() -> None:
    """Without any, or when nothing of the address is kept, nothing changes, nor what it costs."""
    needs = [
        compile_policy(load(text, name="p"), Geo()).needs
        for text in (
            POLICY,
            POLICY.replace("trusted_proxies", "#"),
            POLICY + 'version = false\nmode = "drop"\n',
        )
    ]
    assert [Raw.FORWARDED in one for one in needs] == [True, False, False]
    bare = compile_policy(load(POLICY.replace("trusted_proxies", "#"), name="p"), Geo())
    table = bare.apply(_block((PEER, CLIENT)), keys={}).table
    assert table["client_net"].to_pylist() == [f"{PEER}/32"]


def test_a_format_without_the_header_shows_the_peer() -> None:
    """There is nothing to believe."""
    parsed = _block((PEER, CLIENT))
    parsed = replace(
        parsed,
        columns={Raw.TIME: parsed.columns[Raw.TIME], Raw.ADDRESS: parsed.columns[Raw.ADDRESS]},
    )
    table = compile_policy(load(POLICY, name="p"), Geo()).apply(parsed, keys={}).table
    assert table["client_net"].to_pylist() == [f"{PEER}/32"]


def given_by(layout: Layout) -> list[str]:
    """The fields that say who the client is."""
    return [one.name for one in layout.fields if one.keeps is Raw.FORWARDED]


@pytest.mark.parametrize("name", HEADERS)
def test_servers_log_these_headers(name: str) -> None:
    """Each is known to both servers, in any case, and of several the earlier in the list counts."""
    variable = "$http_" + name.lower().replace("-", "_")
    for field in (variable, "$proxy_add_x_forwarded_for"):
        assert given_by(compile_nginx(f'$remote_addr [$time_local] "{field}"')) == [field]
    for field in (f"%{{{name}}}i", f"%{{{name.lower()}}}i"):
        assert given_by(compile_apache(f'%h %t "{field}"')) == [field]
    for later in HEADERS[HEADERS.index(name) + 1 :]:
        other = "$http_" + later.lower().replace("-", "_")
        assert given_by(compile_nginx(f'[$time_local] "{other}" "{variable}"')) == [variable]
        assert given_by(compile_apache(f'%t "%{{{later}}}i" "%{{{name}}}i"')) == [f"%{{{name}}}i"]


@pytest.mark.parametrize(
    ("text", "believed"),
    [
        ('$remote_addr [$time_local] "$http_x_forwarded_for" $status', ["$http_x_forwarded_for"]),
        ("$remote_addr [$time_local] $http_x_forwarded_for", ["$http_x_forwarded_for"]),
        ("$remote_addr [$time_local] [$http_x_forwarded_for]", ["$http_x_forwarded_for"]),
        ("$remote_addr $http_x_forwarded_for [$time_local]", []),
        ("$http_x_forwarded_for - $remote_user [$time_local] $remote_addr", []),
        ("[$time_local] $remote_addr $http_x_forwarded_for $upstream_addr", []),
        ('[$time_local] "$host"$http_x_forwarded_for"$request"', []),
        ('[$time_local] $http_x_forwarded_for "$http_x_real_ip" $status', ["$http_x_real_ip"]),
    ],
)
def test_a_header_without_quotes_is_believed_only_at_the_end(
    text: str, believed: list[str]
) -> None:
    """Elsewhere a client could end it before what the proxy added."""
    assert given_by(compile_nginx(text)) == believed


MAIN = '{} - - [{}] "GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0" "{}"\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "p.toml"
    path.write_text(POLICY)
    return path


def main_log(*pairs: tuple[str, str]) -> bytes:
    """Lines of nginx's format `main`."""
    when = RECENT.strftime("%d/%b/%Y:%H:%M:%S +0000")
    return "".join(MAIN.format(peer, when, header) for peer, header in pairs).encode()


def test_no_other_address_of_a_header_is_left(tmp_path: Path, policy: Path) -> None:
    """Neither in a file of the dataset nor in a filtered line nor in what is said."""
    dropped = [LIAR, "192.0.2.67", "10.77.0.2", "10.77.0.3", "2001:db8:66::6", "_hidden", "jdoe"]
    log = tmp_path / "access.log"
    log.write_bytes(
        main_log(
            ("10.77.0.2", f"{LIAR}, 2001:db8:66::6, {CLIENT}, 10.77.0.3"),
            (
                "10.77.0.3",
                f"for={LIAR}, for=_hidden;host=\\x22jdoe\\x22, for={CLIENT};by=10.77.0.2",
            ),
            (OTHER, f"{LIAR}, jdoe, 10.77.0.2"),
        )
    )
    out = tmp_path / "out"
    ingest(out, log, "-f", "main", "-p", policy)
    nets = sorted(row[0] for row in rows(out, "SELECT client_net FROM logs"))
    assert nets == sorted([f"{CLIENT}/32", f"{CLIENT}/32", f"{OTHER}/32"])
    (parquet,) = out.glob("data/*/*/*.parquet")
    whole = str(pq.read_table(parquet).to_pydict()) + str(pq.read_metadata(parquet).to_dict())
    done = logscrub("filter", "-f", "main", "-p", policy, stdin=log.read_bytes())
    assert [line.split()[0] for line in done.out.splitlines()] == [CLIENT, CLIENT, OTHER]
    assert all(line.endswith(' "-"') for line in done.out.splitlines())
    packed = [ipaddress.ip_address(one).packed for one in dropped if one[0].isdigit()]
    files = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    for place in (whole, done.out, done.err):
        assert [one for one in dropped if one in place] == []
    for data in files:
        assert [one for one in dropped if one.encode() in data] == []
        assert [one for one in packed if len(one) == 16 and one in data] == []


# --- nginx itself --------------------------------------------------------------------------------

EMPTY = {
    # an empty line of the header ends nginx's search; in the log, where all lines are one, it is an empty entry
    f"{CLIENT}\r\nX-Forwarded-For:": [CLIENT, "127.0.0.1"],
    "10.0.0.3\r\nX-Forwarded-For:\r\nX-Forwarded-For: 10.0.0.2": ["10.0.0.3", "10.0.0.2"],
}
"""Where we differ: what we take, and what nginx takes."""
SENT = [
    f"{CLIENT}", f"{LIAR}, {CLIENT}", f"{LIAR},{CLIENT},10.0.0.2", f"{LIAR} {CLIENT} 10.0.0.2 127.9.9.9", f"{CLIENT},",
    f"{CLIENT} , ,, ", f", ,{CLIENT}", "10.0.0.3", "10.0.0.3, 10.0.0.2", "127.0.0.1", "-", ",", "unknown",
    f"{CLIENT}, unknown", f"{CLIENT}, unknown, 10.0.0.2", f"{CLIENT}, , 10.0.0.2", f"{CLIENT};10.0.0.2",
    f"{CLIENT}\t10.0.0.2", f"{CLIENT}\t, 10.0.0.2", "203.0.113", "203.0.113.256", "203.0.113.7/32", "255.255.255.255",
    "0xcb.0.113.7", "203.000.113.007", "010.0.0.2", "10..0.2", "...", "unix:", f'"{CLIENT}"', f'"{LIAR}, {CLIENT}',
    f'{LIAR}", 10.0.0.2', f"\\x22{LIAR}, {CLIENT}", f"{CLIENT}:4711, 10.0.0.2:80", f"{CLIENT}:0", f"{CLIENT}:65536",
    f"{CLIENT}:080", f"{CLIENT}:80:80", SIX, SIX.upper(), f"[{SIX}]:4711", f"[{SIX}]", f"[{CLIENT}]:80", f"[{SIX}]:",
    f"{SIX}%eth0", f"{CLIENT}, [2001:db8:1::1]:443", f"::ffff:{CLIENT}", f"{CLIENT}, ::ffff:a00:2", f"{CLIENT}, 2001:db8:2::5",
    "::", "1:2", "\xff\xfe", f"\xe9, {CLIENT}", "\x01", "x" * 3_000, "10.0.0.2, " * 200 + "x", f"{CLIENT}, " + "10.0.0.2," * 200,
    f"{LIAR}\r\nX-Forwarded-For: {CLIENT}", f"{CLIENT}\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-For: 10.0.0.3",
    f"{CLIENT}\r\nX-Forwarded-For: x", *EMPTY,
]  # fmt: skip
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
_NGINX = """\
daemon off; worker_processes 1; pid {room}/nginx.pid; error_log {room}/error.txt crit;
events {{ worker_connections 64; }}
http {{
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
                  '"$http_user_agent" "$http_x_forwarded_for"';
  log_format told '$request_uri $realip_remote_addr $remote_addr';
  client_body_temp_path {room}/t1; proxy_temp_path {room}/t2; fastcgi_temp_path {room}/t3;
  uwsgi_temp_path {room}/t4; scgi_temp_path {room}/t5; keepalive_timeout 0;
  server {{ listen 127.0.0.1:{plain}; access_log {room}/plain.log main; return 204; }}
  server {{
    listen 127.0.0.1:{real}; access_log {room}/real.log told;
    set_real_ip_from 127.0.0.0/8; set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8:1::/48;
    real_ip_header X-Forwarded-For; real_ip_recursive on; return 204;
  }}
}}
"""


@contextmanager
def served(room: Path) -> Iterator[tuple[int, int]]:
    """Two servers, one that knows its proxies and one that does not; they end with the block."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        plain, real = one.getsockname()[1], other.getsockname()[1]
    (room / "nginx.conf").write_text(_NGINX.format(room=room, plain=plain, real=real))
    nginx = subprocess.Popen(
        [
            shutil.which("nginx", path=PATH) or "",
            "-c",
            room / "nginx.conf",
            "-e",
            room / "error.txt",
        ]
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", plain)) == 0:
                    break
            time.sleep(0.05)
        yield plain, real
    finally:
        nginx.terminate()
        nginx.wait(10)


def _send(port: int, number: int, header: str) -> None:
    head = f"GET /{number} HTTP/1.0\r\nHost: x\r\nX-Forwarded-For: {header}\r\n\r\n".encode(
        "latin-1"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 204")


@pytest.mark.skipif(shutil.which("nginx", path=PATH) is None, reason="needs nginx")
def test_the_choice_is_that_of_a_real_nginx(tmp_path: Path, policy: Path) -> None:
    """The lines of a server that knows no proxies give the addresses of one that does, header by header."""
    with served(tmp_path) as (plain, real):
        for number, header in enumerate(SENT):
            _send(plain, number, header)
            _send(real, number, header)
    told = [line.split() for line in (tmp_path / "real.log").read_text().splitlines()]
    assert [(uri, peer) for uri, peer, _ in told] == [
        (f"/{n}", "127.0.0.1") for n in range(len(SENT))
    ]
    done = logscrub(
        "filter", "-f", "main", "-p", policy, stdin=(tmp_path / "plain.log").read_bytes()
    )
    assert done.code == 0, done.err
    found = [line.split()[0] for line in done.out.splitlines()]
    expected = [_plain(client) for _, _, client in told]
    differ = {
        header: pair
        for header, *pair in zip(SENT, found, expected, strict=True)
        if pair[0] != pair[1]
    }
    assert differ == EMPTY
    assert len(set(expected)) >= 8
