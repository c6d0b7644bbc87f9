"""The forms in which one address is written, and the IPv4 addresses that IPv6 addresses carry."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAPPED = bytes(10) + b"\xff\xff"
_SPACE = str.maketrans(",;\t", "   ")
_U32 = np.uint64(0xFFFF_FFFF)
_16, _32, _48 = np.uint64(16), np.uint64(32), np.uint64(48)


def packed(value: bytes) -> bytes | None:
    """The 16 bytes of the first address in a value, IPv4 as IPv4-mapped; None where there is none.

    The forms are in the table at the top of `address`.
    """
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        return None
    # The commonest form needs no cutting.
    if ":" in text and (found := _v6(text)):
        return found
    for entry in text.translate(_SPACE).split():
        host = entry[4:] if entry[:4].lower() == "for=" else entry
        if found := _host(host.strip("\"'")):
            return found
    return None


def _host(text: str) -> bytes | None:
    """The 16 bytes of one address with or without brackets, zone and port."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        ported = not port.strip("]") or _is_port(port.rstrip("]"))
        return _v6(host) if bracket and ported else None
    text = text.rstrip("]")
    if text.count(":") > 1:
        return _v6(text)
    host, colon, port = text.partition(":")
    if colon and not _is_port(colon + port):
        return None
    try:
        return _MAPPED + socket.inet_pton(socket.AF_INET, host) if _is_canonical(host) else None
    except (OSError, ValueError):
        return None


def _v6(text: str) -> bytes | None:
    try:
        return socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return None


def _is_port(text: str) -> bool:
    return text[:1] == ":" and len(text) <= 6 and text[1:].isdigit()


def _is_canonical(text: str) -> bool:
    """Whether no octet has a leading zero, which some systems' inet_pton lets pass."""
    return not any(len(octet) > 1 and octet.startswith("0") for octet in text.split("."))


def carried(
    high: NDArray[np.uint64], low: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint64]]:
    """Turn IPv6 addresses that carry an IPv4 address into it, and leave the others.

    The prefixes and their sources are in the table at the top of `address`.

    Returns:
        Version, first and last 64 bits, as in `address.Addresses`.
    """
    top, last = low >> _32, low & _U32
    zero = high == 0
    in_last = (
        (zero & (top == 0xFFFF))
        | (zero & (top == 0xFFFF_0000))
        | (zero & (top == 0) & (last >= 1 << 24))
        | ((high == 0x0064_FF9B_0000_0000) & (top == 0))
        # Other widths of RFC 6052 put the IPv4 address before the last 32 bits; they stay IPv6.
        | ((high >> _16 == 0x0064_FF9B_0001) & (top == 0))
    )
    six_to_four = high >> _48 == 0x2002
    teredo = high >> _32 == 0x2001_0000
    four = in_last | six_to_four | teredo
    carried = np.select(
        [in_last, six_to_four, teredo], [last, (high >> _16) & _U32, last ^ _U32], low
    )
    return np.where(four, 4, 6).astype(np.uint8), np.where(four, 0, high), carried
