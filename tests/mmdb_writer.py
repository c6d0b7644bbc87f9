"""Writes small databases in MaxMind DB format, sound ones and damaged ones."""

from __future__ import annotations

import struct
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Network = IPv4Network | IPv6Network
ALIASES = ("::ffff:0:0/96", "2002::/16", "2001::/32")
MARKER = b"\xab\xcd\xefMaxMind.com"


class Number16(int):
    """An integer that is written as uint16, as the format's metadata is."""


def control(kind: int, size: int) -> bytes:
    head, tail = min(size, 29), b""
    if size >= 285:
        head, tail = 30, struct.pack(">H", size - 285)
    elif size >= 29:
        tail = bytes([size - 29])
    return bytes([kind << 5 | head]) + tail if kind < 8 else bytes([head, kind - 7]) + tail


def encode(value: Any) -> bytes:  # noqa: PLR0911 — one for each kind of value
    """One value as the MaxMind DB specification writes it."""
    match value:
        case bool():
            return control(14, int(value))
        case int():
            raw = int(value).to_bytes((value.bit_length() + 7) // 8, "big")
            return control(5 if isinstance(value, Number16) else 6, len(raw)) + raw
        case float():
            return control(3, 8) + struct.pack(">d", value)
        case str():
            return control(2, len(value.encode())) + value.encode()
        case list():
            return control(11, len(value)) + b"".join(map(encode, value))
        case dict():
            pairs = b"".join(encode(key) + encode(inner) for key, inner in value.items())
            return control(7, len(value)) + pairs
        case bytes():
            return value
    raise AssertionError(value)


def pointer(target: int) -> bytes:
    return bytes([1 << 5 | 3 << 3]) + struct.pack(">I", target)


class Tree:
    """The search tree of a database that is written: a child is None, a node or ("record", row)."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.nodes: list[list[Any]] = [[None, None]]

    def put(self, prefix: int, length: int, child: Any) -> None:
        """Let a network lead to a child."""
        node = 0
        for place in range(length - 1):
            side = prefix >> (self.bits - 1 - place) & 1
            if not isinstance(self.nodes[node][side], int):
                # A shorter network that was here goes on for the rest of its addresses.
                self.nodes.append([self.nodes[node][side]] * 2)
                self.nodes[node][side] = len(self.nodes) - 1
            node = self.nodes[node][side]
        self.nodes[node][prefix >> (self.bits - length) & 1] = child

    def at(self, length: int) -> Any:
        """What a prefix of that many zeros leads to."""
        node: Any = 0
        for _ in range(length):
            node = self.nodes[node][0] if isinstance(node, int) else node
        return node

    def written(self, places: list[int], width: int) -> bytes:
        """The nodes as bytes, with records at these places in the data."""
        count = len(self.nodes)

        def record(child: Any) -> int:
            if child is None:
                return count
            return child if isinstance(child, int) else count + 16 + places[child[1]]

        out = b""
        for left, right in (map(record, node) for node in self.nodes):
            if width == 28:
                middle = bytes([left >> 24 << 4 | right >> 24])
                out += left.to_bytes(4, "big")[1:] + middle + right.to_bytes(4, "big")[1:]
            else:
                out += left.to_bytes(width // 8, "big") + right.to_bytes(width // 8, "big")
        return out


def written(
    facts: Sequence[tuple[Network, Any]], *, width: int = 28, version: int = 6, **changes: Any
) -> bytes:
    """A whole database; shorter networks first, so that the longer ones hold."""
    tree = Tree(128 if version == 6 else 32)
    data, places = b"", []
    for row, (network, record) in enumerate(sorted(facts, key=lambda one: one[0].prefixlen)):
        places.append(len(data))
        data += encode(record)
        extra = 96 if version == 6 and network.version == 4 else 0
        tree.put(int(network.network_address), network.prefixlen + extra, ("record", row))
    root4 = tree.at(96)
    if version == 6 and isinstance(root4, int):
        for alias in map(IPv6Network, ALIASES):
            tree.put(int(alias.network_address), alias.prefixlen, root4)
    metadata = {
        "binary_format_major_version": Number16(2),
        "binary_format_minor_version": Number16(0),
        "build_epoch": 1_767_225_600,
        "database_type": "Test",
        "description": {"en": "Test"},
        "ip_version": Number16(version),
        "languages": ["en"],
        "node_count": len(tree.nodes),
        "record_size": Number16(width),
    } | changes
    return tree.written(places, width) + bytes(16) + data + MARKER + encode(metadata)
