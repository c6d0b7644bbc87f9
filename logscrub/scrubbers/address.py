"""Client addresses: read in every form servers log, kept as a network or a keyed pseudonym.

| form | outcome |
|---|---|
| IPv4, IPv6 in any case | the address |
| `v4:port`, `[v6]`, `[v6]:port` | the address |
| zone id, `fe80::1%eth0` | dropped |
| blanks, quotes, a stray `]` around it | dropped |
| list of X-Forwarded-For, `for=` of Forwarded (RFC 7239) | the first entry that is an address |
| IPv4-mapped, -compatible (RFC 4291), -translated (RFC 2765) | the IPv4 address it carries |
| 6to4 `2002::/16` (RFC 3056), Teredo `2001::/32` (RFC 4380) | the client's IPv4 address |
| NAT64 `64:ff9b::/96` (RFC 6052), `64:ff9b:1:…::/96` (RFC 8215) | the IPv4 address it carries |
| `::`, `::1` and the rest of `::/104` | IPv6 |
| `unknown`, `_hidden`, `unix:`, a host name, `-`, nothing, null | no address |
| leading zeros (octal or not?), `1.2.3`, `0x7f.1`, `10.0.0.0/8` | no address |

>>> def show(*values):
...     return truncate(parse(pa.array(values)), v4=32, v6=128).to_pylist()
>>> show("203.0.113.7:443", '"203.0.113.7"', "unknown, 203.0.113.7, 198.51.100.1")
['203.0.113.7/32', '203.0.113.7/32', '203.0.113.7/32']
>>> show("[2001:DB8::1]:80", "2001:db8::1%eth0", 'for="[2001:db8::1]:1";by=203.0.113.9')
['2001:db8::1/128', '2001:db8::1/128', '2001:db8::1/128']
>>> show("::ffff:203.0.113.7", "::FFFF:cb00:7107", "2002:cb00:7107::1")
['203.0.113.7/32', '203.0.113.7/32', '203.0.113.7/32']
>>> show("64:ff9b::cb00:7107", "2001:0:c000:201:8000:63bf:34ff:8ef8")
['203.0.113.7/32', '203.0.113.7/32']
>>> show("unknown", "_hidden", "unix:", "unix:/run/x", "host.example.com", "")
[None, None, None, None, None, None]
>>> show("203.000.113.007", "1.2.3", "0x7f.1", "10.0.0.0/8", None)
[None, None, None, None, None]
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub import keys
from logscrub.compiled import laid_out
from logscrub.errors import PolicyError
from logscrub.scrubbers import address_forms as forms
from logscrub.scrubbers import address_plain as plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from logscrub.keys import Key


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses as numbers, one for each value that was parsed.

    Args:
        version: 4, 6, or 0 where there is no address.
        high: The first 64 bits of an IPv6 address, else 0.
        low: The last 64 bits of an IPv6 address, the 32 bits of an IPv4 address, else 0.
    """

    version: NDArray[np.uint8]
    high: NDArray[np.uint64]
    low: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.version)

    def __repr__(self) -> str:
        """Show how many there are, never what they are: a repr ends up in tracebacks."""
        return f"Addresses({len(self)})"


def parse(values: pa.StringArray) -> Addresses:
    """Read addresses in all the forms that servers and proxies log them.

    Call it with distinct values: the usual forms are read by a compiled loop, the rest one by one.

    The table at the top of this module has the forms and their outcomes.

    Returns:
        One entry per value; version 0 where there is no address.
    """
    values = values.cast(pa.string())
    data, starts, ends = laid_out(values)
    count = len(values)
    version_ = np.empty(count, np.uint8)
    high, low = np.empty(count, np.uint64), np.empty(count, np.uint64)
    plain.read(data, starts, ends, version_, high, low)
    other = np.flatnonzero((version_ == 0) & (ends > starts)).tolist()
    read = [
        (row, packed)
        for row in other
        if (packed := forms.packed(data[starts[row] : ends[row]].tobytes()))
    ]
    rows = np.array([row for row, _ in read], np.int64)
    words = np.frombuffer(b"".join([packed for _, packed in read]), ">u8").astype(np.uint64)
    version_[rows], high[rows], low[rows] = 6, words[0::2], words[1::2]
    six = np.flatnonzero(version_ == 6)
    version_[six], high[six], low[six] = forms.carried(high[six], low[six])
    return Addresses(version_, high, low)


def version(addresses: Addresses) -> pa.UInt8Array:
    """The IP version of each address, 4 or 6; null where there is none.

    Keeps: the version.  Loses: everything else.

    >>> version(parse(pa.array(["203.0.113.7", "2001:db8::1", "unknown"]))).to_pylist()
    [4, 6, None]
    """
    return pa.array(addresses.version, mask=addresses.version == 0)


def truncate(addresses: Addresses, *, v4: int, v6: int) -> pa.StringArray:
    """The network of each address in CIDR form; null where there is no address.

    Keeps: the network of the given width.  Loses: who within it.

    Args:
        addresses: From `parse`.
        v4: Bits of an IPv4 address that are kept, 0 to 32.
        v6: Bits of an IPv6 address that are kept, 0 to 128.

    Raises:
        PolicyError: A width is out of range.

    >>> truncate(parse(pa.array(["203.0.113.7", "2001:db8:aa::1", None])), v4=24, v6=40).to_pylist()
    ['203.0.113.0/24', '2001:db8::/40', None]
    """
    return _networks(addresses, v4, v6, (f"/{v4}", f"/{v6}"))


def network_address(addresses: Addresses, *, v4: int, v6: int) -> pa.StringArray:
    """The first address of each network, for output that must hold one; null where there is none.

    Keeps: the network of the given width.  Loses: who within it, and how wide it is.

    Raises:
        PolicyError: A width is out of range.

    >>> addresses = parse(pa.array(["203.0.113.7", "2001:db8:aa::1"]))
    >>> network_address(addresses, v4=24, v6=40).to_pylist()
    ['203.0.113.0', '2001:db8::']
    """
    return _networks(addresses, v4, v6, ("", ""))


def _networks(addresses: Addresses, v4: int, v6: int, ends: tuple[str, str]) -> pa.StringArray:
    for width, most, name in ((v4, 32, "IPv4"), (v6, 128, "IPv6")):
        if not 0 <= width <= most:
            raise PolicyError(
                f"the width of {name} networks is {width}", hint=f"choose 0 to {most}"
            )
    # Python's integers have no width, so a shift by all 32, 64 or 128 bits is no special case.
    mask = ((1 << 128) - 1) ^ ((1 << (128 - v6)) - 1)
    is4, is6 = addresses.version == 4, addresses.version == 6
    low4 = addresses.low[is4] & np.uint64(0xFFFF_FFFF ^ ((1 << (32 - v4)) - 1))
    high6 = addresses.high[is6] & np.uint64(mask >> 64)
    low6 = addresses.low[is6] & np.uint64(mask & ((1 << 64) - 1))
    distinct, inverse = np.unique(packed_v6(high6, low6), return_inverse=True)
    octets = distinct.tobytes()
    text6 = pa.array(
        [
            socket.inet_ntop(socket.AF_INET6, octets[at : at + 16]) + ends[1]
            for at in range(0, len(octets), 16)
        ],
        pa.string(),
    )
    text4 = _dotted(low4, ends[0])
    return _placed(addresses, text4, text6, np.arange(len(low4)), inverse)


def packed_v6(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """IPv6 addresses as 16 bytes each, which sort and compare in address order."""
    words = np.empty((len(high), 2), ">u8")
    words[:, 0], words[:, 1] = high, low
    return words.view("S16").reshape(-1)


def _dotted(low: NDArray[np.uint64], end: str) -> pa.StringArray:
    """IPv4 addresses as text, with `end` after each."""
    numbers = [str(octet) for octet in range(256)]
    inner = pa.array([f"{number}." for number in numbers])
    outer = pa.array([number + end for number in numbers])
    octets = low.astype(">u4").view(np.uint8).reshape(-1, 4)
    parts = [
        table.take(pa.array(np.ascontiguousarray(octets[:, place])))
        for place, table in enumerate((inner, inner, inner, outer))
    ]
    return pc.binary_join_element_wise(*parts, "")


def _placed(
    addresses: Addresses,
    text4: pa.StringArray,
    text6: pa.StringArray,
    at4: NDArray[np.int64],
    at6: NDArray[np.int64],
) -> pa.StringArray:
    """Put the texts of IPv4 and IPv6 rows, given as positions, back in order."""
    where = np.zeros(len(addresses), np.int64)
    where[addresses.version == 4] = at4
    where[addresses.version == 6] = at6 + len(text4)
    taken = pa.array(where, mask=addresses.version == 0)
    return pa.concat_arrays([text4, text6]).take(taken)


def token(addresses: Addresses, key: Key) -> pa.StringArray:
    """A keyed pseudonym of each address, 32 hex digits; null where there is no address.

    An IPv6 address counts as its /64: hosts change the rest at will (RFC 8981).

    Keeps: which rows of a key period share a client.  Loses: the address, for all without the key.

    Args:
        addresses: From `parse`.
        key: The key of the period the rows belong to.

    >>> addresses = parse(pa.array(["2001:db8::1", "2001:db8::2", "203.0.113.7"]))
    >>> one, same, other = token(addresses, keys.Key(bytes(32))).to_pylist()
    >>> one == same, one == other, len(one)
    (True, False, 32)
    """
    low4, at4 = np.unique(addresses.low[addresses.version == 4], return_inverse=True)
    high6, at6 = np.unique(addresses.high[addresses.version == 6], return_inverse=True)
    text4 = _hex(keys.digests(key, _cut(low4.astype(">u4").tobytes(), 4)))
    text6 = _hex(keys.digests(key, _cut(high6.astype(">u8").tobytes(), 8)))
    return _placed(addresses, text4, text6, at4, at6)


def _cut(data: bytes, width: int) -> Iterator[bytes]:
    return (data[at : at + width] for at in range(0, len(data), width))


def _hex(digests: bytes) -> pa.StringArray:
    """Digests of equal length as one text each."""
    width = 2 * keys.TOKEN_BYTES
    text = digests.hex().encode()
    offsets = np.arange(0, len(text) + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))


def token_address(tokens: pa.StringArray) -> pa.StringArray:
    """An address in `fd00::/8` made of the first 120 bits of each token; null stays null.

    RFC 4193 sets that range aside for private use, so no such address is anybody's.

    Keeps: what the token keeps.  Loses: its last 8 bits.

    >>> token_address(pa.array(["00112233445566778899aabbccddeeff", None])).to_pylist()
    ['fd00:1122:3344:5566:7788:99aa:bbcc:ddee', None]
    """
    return pa.array(
        [
            None
            if one is None
            else socket.inet_ntop(socket.AF_INET6, b"\xfd" + bytes.fromhex(one)[:15])
            for one in tokens.to_pylist()
        ],
        pa.string(),
    )
