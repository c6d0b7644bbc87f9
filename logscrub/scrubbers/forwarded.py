"""Which client a proxy speaks of, decided as nginx's realip module decides with `real_ip_recursive on`.

Where the peer is a trusted proxy, its header is read from the right, because each proxy adds on the right whom it
saw: the first address that is no trusted proxy is the client. What stands further left is whatever that client sent.

| header | outcome |
|---|---|
| an untrusted address, the right-most that is | that address |
| only trusted addresses | the left-most of them |
| something that is no address | the last address before it, coming from the right; none before it: the peer |
| nothing, null | the peer |

| entry | outcome |
|---|---|
| `v4`, `v4:port`, `v6`, `[v6]:port` | the address |
| leading zeros, `010.1.2.3` | decimal, as nginx reads them |
| IPv4-mapped | the IPv4 address |
| `for=v4`, `for="[v6]"`, `for="[v6]:port"` (RFC 7239), beside `by=`, `host=`, `proto=` in any order | the address |
| `for=unknown`, `for=_hidden`, no `for=` or two in one element | no address |
| `[v6]` without a port outside of `for=`, zone ids, ports beyond 65535, `255.255.255.255` | no address |

Where this is not nginx: it knows lists of addresses only, and an element with `=` in it, which is none to it, is
read by RFC 7239. It takes some spellings of IPv6 that are none, such as `1::2:`. And where a client sends the header
several times, an empty one ends its search; in the log all of them are one text, and an empty entry is passed over.

>>> peers = pa.array(["10.0.0.1", "10.0.0.1", "198.51.100.9"])
>>> headers = pa.array(["192.0.2.1, 203.0.113.7, 10.0.0.2", 'for="[2001:db8::1]:4711"', "192.0.2.1"])
>>> clients(peers, headers, trusted=trusted(("10.0.0.0/8",))).to_pylist()
['203.0.113.7', '2001:db8::1', '198.51.100.9']
"""

from __future__ import annotations

import socket
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import ip_network
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from logscrub.scrubbers import address_forms as forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

MOST_HOPS: Final = 256
"""Entries of one header that are looked at; the last of them counts as the left-most."""
MOST_READ: Final = 8_192
"""Entries that are remembered while headers are read."""
_LONGEST: Final = 64
"""Characters of the longest entry: `[`, 45 of an address, `]:65535`, and room for zeros."""
_MAPPED: Final = bytes(10) + b"\xff\xff"
_SIX: Final = 1 << 32
"""Where IPv6 addresses begin on the line of numbers that all addresses stand on."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """The networks of trusted proxies, as spans of numbers that rise and do not touch.

    Args:
        firsts: The first address of each.
        lasts: The last address of each.
    """

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]

    def __contains__(self, number: int) -> bool:
        """Whether an address is in one of them."""
        at = bisect_right(self.firsts, number) - 1
        return at >= 0 and number <= self.lasts[at]


@lru_cache(maxsize=16)
def trusted(networks: tuple[str, ...]) -> Trusted:
    """The networks of a policy, each as CIDR; IPv4 addresses are in none that is written as IPv6."""
    spans = []
    for one in map(ip_network, networks):
        begin = _SIX if one.version == 6 else 0
        spans.append((begin + int(one.network_address), begin + int(one.broadcast_address)))
    firsts: list[int] = []
    lasts: list[int] = []
    # two networks are apart, or one is inside the other
    for first, last in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not lasts or first > lasts[-1]:
            firsts.append(first)
            lasts.append(last)
    return Trusted(tuple(firsts), tuple(lasts))


def clients(peers: pa.StringArray, headers: pa.StringArray, *, trusted: Trusted) -> pa.StringArray:
    """The client of each pair of a peer and the header it sent, both as logged and decoded, null where missing.

    Keeps: the chosen address.  Loses: all others.
    """
    believes = believed(peers, trusted=trusted).fill_null(False)
    told = pc.if_else(believes, named(headers, trusted=trusted), pa.scalar(None, pa.string()))
    return pc.coalesce(told, peers)


def believed(peers: pa.StringArray, *, trusted: Trusted) -> pa.BooleanArray:
    """Whether each peer is a trusted proxy. Call it with distinct values.

    Peers are read in all forms of `address`, but what an IPv6 address carries counts only where it is IPv4-mapped:
    others can be had by anybody.
    """
    read = (forms.packed(one.encode()) if one else None for one in peers.to_pylist())
    return pa.array([one is not None and _number(one) in trusted for one in read], pa.bool_())


def named(headers: pa.StringArray, *, trusted: Trusted) -> pa.StringArray:
    """The client that each header names, if a trusted peer sent it; null where it names none.

    Call it with distinct values: they are read one by one, each in linear time.
    """
    # proxies and clients come again in many headers
    read = lru_cache(maxsize=MOST_READ)(partial(_read, trusted=trusted))
    return pa.array(
        [_named(one, read) if one else None for one in headers.to_pylist()], pa.string()
    )


def _named(header: str, read: Callable[..., tuple[str, bool] | None]) -> str | None:
    found = None
    for one in islice(_entries(header, read), MOST_HOPS):
        if one is None:
            break
        found, is_proxy = one
        if not is_proxy:
            break
    return found


def _read(entry: str, is_node: bool = False, *, trusted: Trusted) -> tuple[str, bool] | None:  # noqa: FBT001, FBT002 — remembered by position
    """The address of an entry and whether it is trusted; None for what is no address."""
    number = _address(entry, is_node=is_node)
    return None if number is None else (_text(number), number in trusted)


def _entries(header: str, read: Callable[..., T | None]) -> Iterator[T | None]:
    """What `read` says of the entries of a header, from right to left."""
    if "=" not in header and '"' not in header:
        yield from map(read, filter(None, reversed(header.replace(",", " ").split(" "))))
        return
    for element in _split(header, ","):
        if "=" in element:
            yield read(_node(element), True)
        else:
            yield from map(read, filter(None, reversed(element.split(" "))))


def _split(text: str, mark: str) -> Iterator[str]:
    """The parts between marks that do not stand in quotes, from right to left.

    From the right, so that a quote that a client left open does not reach what proxies added behind it.
    """
    if '"' not in text:
        yield from reversed(text.split(mark))
        return
    end, is_quoted = len(text), False
    for at in range(len(text) - 1, -1, -1):
        if text[at] == '"' and not (is_quoted and text[at - 1 : at] == "\\"):
            is_quoted = not is_quoted
        elif text[at] == mark and not is_quoted:
            yield text[at + 1 : end]
            end = at
    yield text[:end]


def _node(element: str) -> str:
    """The client in an element of RFC 7239, without its quotes; nothing where there is none or more than one."""
    pairs = [pair.partition("=") for pair in _split(element, ";")]
    nodes = [node.strip(" \t") for name, _, node in pairs if name.strip(" \t").lower() == "for"]
    if len(nodes) != 1:
        return ""
    (node,) = nodes
    return node[1:-1] if node.startswith('"') and node.endswith('"') else node


def _address(text: str, *, is_node: bool = False) -> int | None:
    """An address with or without a port; a node of RFC 7239 may have brackets without one, or hide it."""
    if len(text) > _LONGEST:
        return None
    whole = _host(text)
    if whole is not None:
        return whole
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if is_node and bracket and not rest:
            return _host(host)
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    ported = port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535
    hidden = is_node and port.startswith("_")
    return _host(host) if colon == ":" and (ported or hidden) else None


def _host(text: str) -> int | None:
    if not text.strip("0123456789."):
        octets = [int(octet or 0) for octet in text.split(".")]
        is_four = len(octets) == 4 and max(octets) <= 255 and min(octets) < 255
        return int.from_bytes(octets, "big") if is_four else None
    try:
        return _number(socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return None


def _number(packed: bytes) -> int:
    """Where 16 bytes stand on the line of all addresses."""
    if packed.startswith(_MAPPED):
        return int.from_bytes(packed[12:], "big")
    return _SIX + int.from_bytes(packed, "big")


def _text(number: int) -> str:
    if number < _SIX:
        return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, (number - _SIX).to_bytes(16, "big"))
