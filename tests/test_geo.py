"""Look-ups agree with the database, and no damaged file does worse than a clear error."""

from __future__ import annotations

import ipaddress
import random
import struct
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any

import maxminddb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdb_writer import ALIASES, MARKER, Number16, control, encode, pointer, written

from logscrub.errors import GeoError
from logscrub.scrubbers import address, geo, mmdb

if TYPE_CHECKING:
    from pathlib import Path

    from mmdb_writer import Network

V4 = ipaddress.ip_network("203.0.113.0/24")
V6 = ipaddress.ip_network("2001:db8::/32")


def countries(content: bytes, *values: str | None) -> list[str | None]:
    table = geo.load_bytes("test.mmdb", content, what="country")
    found: list[str | None] = geo.country(address.parse(pa.array(values)), table).to_pylist()
    return found


def asns(content: bytes, *values: str | None) -> list[int | None]:
    table = geo.load_bytes("test.mmdb", content, what="asn")
    found: list[int | None] = geo.asn(address.parse(pa.array(values)), table).to_pylist()
    return found


@pytest.mark.parametrize(
    ("record", "country", "asn"),
    [
        # GeoLite2 Country, ASN
        ({"country": {"iso_code": "NZ", "names": {"en": "X"}}}, "NZ", None),
        ({"country": {"names": {"en": "X"}}, "registered_country": {"iso_code": "NZ"}}, None, None),
        ({"autonomous_system_number": 64496, "autonomous_system_organization": "X"}, None, 64496),
        # DB-IP ISP
        ({"country": {"iso_code": "NZ"}, "traits": {"autonomous_system_number": 64496}}, "NZ", 64496),
        ({"traits": {"isp": "X"}}, None, None),
        # IPinfo Lite
        ({"asn": "AS64496", "as_name": "X", "country": "New Zealand", "country_code": "NZ"}, "NZ", 64496),
        ({"asn": "AS64496", "country": "New Zealand"}, None, 64496),
        # IPinfo of old
        ({"country": "NZ", "country_name": "New Zealand", "asn": "AS64496"}, "NZ", 64496),
        # ip-location-db
        ({"country_code": "NZ"}, "NZ", None),
        ({"asn": 64496}, None, 64496),
        ({"asn": "64496"}, None, 64496),
        # order
        ({"country": {"iso_code": "AU"}, "country_code": "NZ"}, "NZ", None),
        ({"country_code": "", "country": {"iso_code": "NZ"}}, "NZ", None),
        # nothing else passes
        ({"country_code": "nz"}, None, None),
        ({"country_code": "NZL"}, None, None),
        ({"country_code": "N1"}, None, None),
        ({"country": "203.0.113.7"}, None, None),
        ({"country": {"iso_code": 7}}, None, None),
        ({"country": ["NZ"]}, None, None),
        ({"country": True}, None, None),
        ({"asn": "AS"}, None, None),
        ({"asn": "AS64496x"}, None, None),
        ({"asn": "AS\u0667"}, None, None),
        ({"asn": "ASAS7"}, None, None),
        ({"asn": "AS4294967296"}, None, None),
        ({"asn": "4294967295"}, None, 4294967295),
        ({"autonomous_system_number": 0}, None, None),
        ({"autonomous_system_number": 2.5}, None, None),
        ({"asn": True}, None, None),
        ({"traits": 64496}, None, None),
        ({}, None, None),
        ("NZ", None, None),
        (64496, None, None),
    ],
    ids=repr,
)  # fmt: skip
def test_record_shapes(record: Any, country: str | None, asn: int | None) -> None:
    """Each known shape of record says its country and number; no other text or number passes."""
    good = {"country_code": "QQ", "asn": 1}
    content = written([(V4, record), (ipaddress.ip_network("198.51.100.0/24"), good)])
    assert countries(content, "203.0.113.7", "198.51.100.1", "192.0.2.1") == [country, "QQ", None]
    assert asns(content, "203.0.113.7", "198.51.100.1", "192.0.2.1") == [asn, 1, None]


networks = st.builds(
    lambda number, length, bits: ipaddress.ip_network(
        (number if bits == 128 else number >> 96, min(length, bits)), strict=False
    ),
    st.integers(0, 2**128 - 1) | st.integers(0, 2**20).map(lambda n: 0x20010DB8 << 96 | n),
    st.integers(1, 128),
    st.sampled_from([32, 128]),
)


def is_own(network: Network) -> bool:
    """Whether no address in a network is taken for an IPv4 address, and none of it is alias."""
    taken = (*ALIASES, "::/32", "64:ff9b::/32")
    return network.version == 4 or not any(network.overlaps(IPv6Network(one)) for one in taken)


@given(
    nets=st.lists(networks.filter(is_own), min_size=1, max_size=12, unique=True),
    width=st.sampled_from([24, 28, 32]),
    data=st.data(),
)
@settings(max_examples=200)
def test_longest_network_holds(nets: list[Network], width: int, data: st.DataObject) -> None:
    """Every address has the fact of the longest network that holds it, and others have none."""
    content = written([(net, {"asn": row + 1}) for row, net in enumerate(nets)], width=width)
    edges = [net[at] for net in nets for at in (0, -1)]
    edges += [one + step for one in edges for step in (-1, 1) if 0 < int(one) < 2**32 - 1]
    inside = [net[data.draw(st.integers(0, net.num_addresses - 1))] for net in nets]
    asked = [one for one in edges + inside if is_own(ipaddress.ip_network(one))]
    expected = []
    for one in asked:
        around = [
            (net.prefixlen, row + 1)
            for row, net in enumerate(nets)
            if net.version == one.version and one in net
        ]
        expected.append(max(around)[1] if around else None)
    assert asns(content, *map(str, asked)) == expected


def test_ipv4_only_file() -> None:
    """A file for IPv4 alone answers for it, and knows no IPv6 address."""
    content = written([(V4, {"country_code": "NZ"})], version=4)
    asked = ("203.0.113.7", "203.0.114.0", "2001:db8::1", "::ffff:203.0.113.7", None)
    assert countries(content, *asked) == ["NZ", None, None, "NZ", None]


def test_ipv6_only_file() -> None:
    """A file for IPv6 alone answers for it, and knows no IPv4 address."""
    content = written([(V6, {"country_code": "NZ"})])
    assert countries(content, "203.0.113.7", "2001:db8::1", "2001:db9::") == [None, "NZ", None]


def test_carried_addresses() -> None:
    """An address within an IPv6 address has the country of the IPv4 network, whatever the file says."""
    content = written([(V4, {"country_code": "NZ"}), (V6, {"country_code": "AU"})])
    forms = ("203.0.113.7", "::ffff:203.0.113.7", "2002:cb00:7107::1", "64:ff9b::203.0.113.7")
    assert countries(content, *forms, "2001::34ff:8ef8") == ["NZ"] * 5


def test_shared_parts() -> None:
    """Keys and maps that records share through pointers are found."""
    shared = encode({"iso_code": "NZ", "names": {"en": "X" * 300}})
    pool = encode({"country": shared})
    at = len(pool) - len(shared)
    other = control(7, 2) + encode("other") + encode([1.5, True]) + pointer(1) + pointer(at)
    content = written([(IPv4Network("192.0.0.0/8"), pool), (V4, other), (V6, pointer(0))])
    assert countries(content, "192.0.2.1", "203.0.113.7", "2001:db8::1") == ["NZ"] * 3


def test_table_is_quiet_and_dated() -> None:
    """A table says its name and age; types hold for no addresses at all."""
    content = written([(V4, {"country_code": "NZ", "asn": 64496})])
    table = geo.load_bytes("test.mmdb", content, what="asn")
    assert table.built == 1_767_225_600
    assert repr(table) == "GeoTable('test.mmdb', 'asn')"
    nobody = address.parse(pa.array([], pa.string()))
    assert geo.asn(nobody, table).type == pa.uint32()
    assert geo.country(nobody, geo.load_bytes("t", content, what="country")).type == pa.string()
    with pytest.raises(GeoError, match=r"test\.mmdb was loaded for asn"):
        geo.country(nobody, table)


def refused(content: bytes, what: geo.What = "country") -> GeoError:
    with pytest.raises(GeoError) as caught:
        geo.load_bytes("test.mmdb", content, what=what)
    assert "test.mmdb" in str(caught.value)
    assert caught.value.hint
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_wrong_kind() -> None:
    """A file in which no record says the fact is refused, and the option is named."""
    assert "--geo" in refused(written([(V4, {"asn": 64496})]), "country").hint
    assert "--asn" in refused(written([(V4, {"country_code": "NZ"})]), "asn").hint
    assert "--geo" in refused(written([]), "country").hint


GOOD = written([(V4, {"country_code": "NZ"}), (V6, {"country": {"iso_code": "AU"}})])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b\x08\x00" + bytes(100),
        MARKER,
        MARKER + b"\xff",
        MARKER + encode({}),
        MARKER + encode("203.0.113.7"),
        GOOD[: len(GOOD) // 2],
        GOOD[100:],
        written([(V4, {"country_code": "NZ"})], record_size=Number16(20)),
        written([(V4, {"country_code": "NZ"})], record_size=Number16(32)),
        written([(V4, {"country_code": "NZ"})], ip_version=Number16(5)),
        written([(V4, {"country_code": "NZ"})], node_count=0),
        written([(V4, {"country_code": "NZ"})], node_count=2**31),
        written([(V4, {"country_code": "NZ"})], node_count="many"),
        written([(V4, {"country_code": "NZ"})], node_count=2.0),
        written([(V4, {"country_code": "NZ"})], build_epoch="today"),
        written([(V4, {"country_code": "NZ"})], ip_version=["6"]),
        written([(V4, {"country_code": "NZ"})], unheard_of="NZ"),
        written([(V4, {"country_code": "NZ"})], ip_version=Number16(4)),
        written([(V4, {"country_code": "NZ"})], binary_format_major_version=Number16(3)),
        written([(V4, control(7, 200))]),
        written([(V4, control(11, 60_000))]),
        written([(V4, control(2, 20) + b"short")]),
        written([(V4, {"country_code": control(2, 2) + b"\xff\xfe"})]),
        written([(V4, pointer(0))]),
        written([(V4, pointer(2**31))]),
        written([(V4, {"country": pointer(0)})]),
        written([(V4, control(7, 1) + control(7, 0) + encode("NZ"))]),
        written([(V4, {"country_code": bytes([0, 200])})]),
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_damaged(content: bytes) -> None:
    """Each kind of damage is an error that says what to do."""
    refused(content)


def test_cycle_ends() -> None:
    """A tree whose nodes lead back to themselves is refused, not walked for ever."""
    count = 300
    nodes = struct.pack(">II", 0, 1) + struct.pack(">II", 0, 0) * (count - 1)
    tail = written([(V4, {"country_code": "NZ"})], node_count=count, record_size=Number16(32))
    refused(nodes + bytes(16) + tail[tail.index(MARKER) :])


def test_deep_record_ends() -> None:
    """A record of many maps within maps is refused."""
    nested = b"".join(control(7, 1) + encode("k") for _ in range(20_000)) + encode(1)
    refused(written([(V4, {"country_code": "NZ"}), (V6, nested)]))


def test_overlapping_records_end() -> None:
    """Many records that each hold the whole file are refused, not each read to its end."""
    whole = control(11, 60_000) + encode(0) * 60_000
    nets = [IPv4Network((row << 20, 12)) for row in range(1, 200)]
    facts = [(net, control(11, 1) + pointer(0)) for net in nets]
    refused(written([(IPv4Network("240.0.0.0/8"), whole), *facts, (V4, {"country_code": "NZ"})]))


@given(content=st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    """Arbitrary bytes are refused, bare or behind a mark of metadata."""
    refused(content)
    refused(bytes(300) + MARKER + content)


@given(data=st.data())
@settings(max_examples=300)
def test_any_flip(data: st.DataObject) -> None:
    """A file with some bytes changed or cut off is refused or read, and nothing else happens."""
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    try:
        table = geo.load_bytes("test.mmdb", bytes(content[:cut]), what="country")
    except GeoError:
        return
    found = geo.country(address.parse(pa.array(["203.0.113.7", "2001:db8::1"])), table)
    assert all(one is None or (len(one) == 2 and one.isupper()) for one in found.to_pylist())


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("GeoIP2-City-Test", "country"),
        ("GeoIP2-Country-Test", "country"),
        ("GeoLite2-Country-Test", "country"),
        ("GeoLite2-ASN-Test", "asn"),
    ],
)
def test_same_as_maxminddb(cases: Path, file: str, what: geo.What) -> None:
    """For the edges and the inside of every network, the answer is that of the reference reader."""
    path = cases / "mmdb" / f"{file}.mmdb"
    table = geo.load_bytes(file, path.read_bytes(), what=what)
    rng = random.Random(7)
    with maxminddb.open_database(path) as reader:
        asked = [ipaddress.ip_address(rng.getrandbits(32)) for _ in range(2000)]
        asked += [IPv6Address(rng.getrandbits(125) | 1 << 125) for _ in range(2000)]
        for net, _ in reader:
            asked += [net[0], net[-1], net[rng.randrange(net.num_addresses)], net[0] + 1]
            asked += [net[0] - 1] if int(net[0]) else []
        addresses = address.parse(pa.array(map(str, asked)))
        plain = address.network_address(addresses, v4=32, v6=128).to_pylist()
        expected = [_reference(reader.get(one), what) for one in plain]
    found = (geo.country if what == "country" else geo.asn)(addresses, table).to_pylist()
    assert found == expected
    assert sum(one is not None for one in found) > 200
    # Such networks exist in one of the files, and need all 128 bits.
    assert file != "GeoIP2-Country-Test" or (mmdb.read(path.read_bytes()).v6.low != 0).any()


def _reference(record: Any, what: geo.What) -> Any:
    if record is None:
        return None
    if what == "asn":
        return record.get("autonomous_system_number")
    return record.get("country", {}).get("iso_code")


def test_bad_data(cases: Path) -> None:
    """The databases that crashed other readers are refused, by name and with a cure."""
    files = sorted((cases / "mmdb" / "bad-data").rglob("*.mmdb"))
    assert len(files) == 21
    for file in files:
        for what in ("country", "asn"):
            with pytest.raises(GeoError, match=file.name) as caught:
                geo.load_bytes(file.name, file.read_bytes(), what=what)
            assert caught.value.hint


def test_other_file_of_the_user(cases: Path) -> None:
    """A file that says something else is refused for what it does not say."""
    folder = cases / "mmdb"
    refused((folder / "GeoLite2-ASN-Test.mmdb").read_bytes(), "country")
    refused((folder / "GeoLite2-Country-Test.mmdb").read_bytes(), "asn")


def test_each_cut(cases: Path) -> None:
    """A download that stopped anywhere is refused."""
    content = (cases / "mmdb" / "GeoLite2-ASN-Test.mmdb").read_bytes()
    for cut in np.linspace(0, content.rindex(MARKER), 50, dtype=int).tolist():
        refused(content[:cut], "asn")
