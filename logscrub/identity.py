"""What makes a source itself, whatever it is called and however it is compressed.

The head is an index: a keyed hash of the first bytes. The chain is the proof: a keyed hash chain over fixed chunks of
the decompressed bytes, of which only the newest value is ever kept. Both are keyed with the instance key, because a
bare hash of a few lines can be replayed by guessing addresses.
"""

from __future__ import annotations

import re
from copy import copy

from blake3 import blake3

HEAD = 1024
"""Bytes of a full head. A hash over fewer bytes must not outlive the raw file."""
CLIENTS = 16
"""Different clients that a source must have had for a hash of it to outlive its raw file: 256 guesses each."""

_CHUNK = 2**20
_CHAIN_LABEL = b"logscrub|chain|v1"
_HEAD_LABEL = b"logscrub|head|v2"
_RUN = re.compile(rb"[0-9A-Fa-f:.]{3,}")
"""What an address is written in; a single class, so the search is linear."""


def head_fingerprint(key: bytes, head: bytes) -> bytes:
    """Keyed BLAKE3 of the first bytes of a source without the addresses in them, 32 bytes.

    Few clients send the first lines of a log: who holds key and rows would find the octets that were masked by trying
    them all. The head is an index only, and distinct enough without them.

    Args:
        key: The instance key, 32 bytes.
        head: At most `HEAD` bytes.
    """
    return blake3(_HEAD_LABEL + _RUN.sub(_unless_address, head), key=key).digest()


def _unless_address(run: re.Match[bytes]) -> bytes:
    """A time or a number stays as it is; nothing stays that may be an address, or the beginning of one at the end."""
    text = run[0]
    is_address = text.count(b".") >= 3 or b"::" in text or text.count(b":") >= 5
    return b"" if is_address or run.end() == len(run.string) else text


class Chain:
    """Keyed hash chain over the decompressed bytes of a source.

    The value after n bytes depends on all of them and on nothing else, however they are portioned:
    `link_0 = label`, `link_i = BLAKE3_key(link_{i-1} ‖ chunk_i)` with chunks of 1 MiB, the last one shorter.

    Args:
        key: The instance key, 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._link = _CHAIN_LABEL
        self._hash = blake3(self._link, key=key)
        self._filled = 0
        self.length = 0

    def update(self, data: bytes) -> None:
        """Go on by `data`."""
        view = memoryview(data)
        self.length += len(view)
        while view:
            part = view[: _CHUNK - self._filled]
            self._hash.update(part)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == _CHUNK:
                self._link = self._hash.digest()
                self._hash = blake3(self._link, key=self._key)
                self._filled = 0

    def value(self) -> bytes:
        """The chain value after all bytes so far, 32 bytes."""
        return self._link if self.length and not self._filled else self._hash.digest()

    def copy(self) -> Chain:
        """The same chain, to go on separately."""
        other = copy(self)
        other._hash = self._hash.copy()  # noqa: SLF001 — its own class
        return other
