"""Compressed input: bounded, multi-member, and honest about damage."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from logscrub.decompress import STEP, Progress, compression, decompress
from logscrub.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

PACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}
LINES = b"".join(b"line %d of some text\n" % n for n in range(4000))


def unpack(kind: str, packed: bytes, portion: int = 100) -> tuple[bytes, Progress]:
    progress = Progress()
    chunks = [packed[i : i + portion] for i in range(0, len(packed), portion)]
    return b"".join(decompress(kind, chunks, progress)), progress


@pytest.mark.parametrize("kind", PACK)
def test_content_tells_the_compression(kind: str) -> None:
    """Magic bytes, not names."""
    assert compression(PACK[kind](LINES)[:6]) == kind


@pytest.mark.parametrize("kind", PACK)
@given(
    parts=st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4),
    portion=st.integers(1, 300),
)
def test_members_join_and_all_is_verified(kind: str, parts: list[bytes], portion: int) -> None:
    """Several members give their texts one after the other, however the bytes arrive."""
    text, progress = unpack(kind, b"".join(PACK[kind](part) for part in parts), portion)
    assert text == b"".join(parts)
    assert progress.verified == progress.given == len(text)


@pytest.mark.parametrize("kind", [kind for kind in PACK if kind != "none"])
def test_a_cut_stream_verifies_only_whole_members(kind: str) -> None:
    """An early end is an error, and `verified` stops at the last member whose end was seen."""
    packed = PACK[kind](b"first\n") + PACK[kind](LINES)[:-9]
    progress = Progress()
    with pytest.raises(SourceError, match="damaged after 6 verified bytes"):
        list(decompress(kind, [packed], progress))
    assert progress.verified == 6


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_flipped_bit_is_not_verified(kind: str) -> None:
    """A wrong checksum or structure raises, whatever came out before."""
    packed = bytearray(PACK[kind](LINES))
    packed[len(packed) // 2] ^= 0xFF
    progress = Progress()
    with pytest.raises(SourceError):
        list(decompress(kind, [bytes(packed)], progress))
    assert progress.verified == 0


def test_zero_padding_after_gzip_is_fine_and_garbage_is_not() -> None:
    """Padding ends the stream well; anything else is damage after what was verified."""
    text, _ = unpack("gzip", gzip.compress(LINES) + bytes(512))
    assert text == LINES
    progress = Progress()
    with pytest.raises(SourceError):
        list(decompress("gzip", [gzip.compress(LINES) + b"garbage garbage"], progress))
    assert progress.verified == len(LINES)


def test_a_bomb_is_refused_in_small_steps() -> None:
    """More than 1000:1 after 64 MiB stops, and no step is larger than a few MiB."""
    engine = zlib.compressobj(9, wbits=31)
    bomb = b"".join(engine.compress(bytes(2**20)) for _ in range(200)) + engine.flush()
    twice = bz2.compress(bytes(200 * 2**20))
    for kind, packed in (("gzip", bomb), ("bzip2", twice)):
        sizes = []
        portions = [packed[i : i + 4096] for i in range(0, len(packed), 4096)]
        with pytest.raises(SourceError, match="bomb"):
            for data in decompress(kind, portions, Progress()):
                sizes.append(len(data))  # noqa: PERF401 — what came before the error counts
        assert max(sizes, default=0) <= STEP


def test_a_bomb_of_zstd_comes_in_bounded_bursts() -> None:
    """Frames of repeated bytes give at most some tens of MiB at once."""
    packed = zstandard.ZstdCompressor(level=19).compress(bytes(300 * 2**20))
    sizes = []
    with pytest.raises(SourceError, match="bomb"):
        for data in decompress("zstd", [packed], Progress()):
            sizes.append(len(data))  # noqa: PERF401 — what came before the error counts
    assert max(sizes, default=0) <= 64 * 2**20
