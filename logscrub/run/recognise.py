"""Is this a source the ledger knows, under another name or compression, and how far was it read?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from logscrub.errors import SourceError
from logscrub.identity import CLIENTS, HEAD, Chain, head_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from logscrub.ledger import Ledger
    from logscrub.records import Source

Verdict = Literal["new", "grown", "complete", "shorter", "salvaged"]


SALVAGED = "salvaged"
"""State of a source whose last rows no checksum vouches for: its chain may not be that of the intact file."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a look at the bytes says.

    Args:
        verdict: `new`: not known. `grown`: known up to `source.position`, and goes on. `complete`: known to its end.
            `shorter`: begins like a known source and ends before the place up to which that was read.
            `salvaged`: begins like a source of which damaged text was taken, and differs from that text.
        source: The known source, None for `new`.
    """

    verdict: Verdict
    source: Source | None = None


def candidates(head: bytes, known: Sequence[Source], key: bytes) -> list[Source]:
    """Known sources that begin like this one, the one read least first.

    Args:
        head: The first `HEAD` bytes, fewer only when there are no more.
        known: What the ledger holds.
        key: The instance key.
    """
    lengths = {one.head_len for one in known if one.head and one.head_len <= len(head)}
    prints = {length: head_fingerprint(key, head[:length]) for length in lengths}
    matching = [one for one in known if one.head and prints.get(one.head_len) == one.head]
    return sorted(matching, key=lambda one: one.position)


def recognise(chunks: Iterable[bytes], known: Sequence[Source], key: bytes) -> Recognised:
    """Compare a stream with the known sources: the head finds candidates, the chain proves one.

    Args:
        chunks: The decompressed bytes from the beginning; read no further than needed.
        known: What the ledger holds.
        key: The instance key.
    """
    stream = iter(chunks)
    head, rest = split_head(stream)
    waiting = candidates(head, known, key)
    if not waiting:
        return Recognised("new")
    chain, proven, last = Chain(key), None, waiting[-1]
    salvaged = next((one for one in waiting if one.state == SALVAGED), None)
    parts = pieces(rest, [one.position for one in waiting])
    for data in parts:
        chain.update(data)
        while waiting and waiting[0].position == chain.length:
            if waiting[0].chain == chain.value():
                proven = waiting[0]
            waiting.pop(0)
        if not waiting:
            break
    if proven is None and salvaged:
        return Recognised("salvaged", salvaged)
    if waiting:
        return Recognised("shorter", proven or last)
    if proven is None:
        return Recognised("new")
    more = proven.position < chain.length or _goes_on(parts)
    return Recognised("grown" if more else "complete", proven)


def refuse_salvaged(path: str, known: Source) -> SourceError:
    """The error for an intact copy of what was salvaged: some of its lines are in, nobody knows which."""
    return SourceError(
        f"{path} begins like {known.path}, of which lines were salvaged, and differs from what was taken then",
        hint="if this is the intact file, ingest it with --replace: it takes the place of the salvaged rows",
    )


def _goes_on(stream: Iterator[bytes]) -> bool:
    try:
        return next(stream, None) is not None
    except SourceError:
        return True


def split_head(stream: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first `HEAD` bytes of a stream, and the whole stream again."""
    first: list[bytes] = []
    size = 0
    while size < HEAD and (chunk := next(stream, None)) is not None:
        first.append(chunk)
        size += len(chunk)
    joined = b"".join(first)

    def again() -> Iterator[bytes]:
        if joined:
            yield joined
        yield from stream

    return joined[:HEAD], again()


def pieces(stream: Iterable[bytes], marks: Sequence[int]) -> Iterator[bytes]:
    """The stream, cut so that each of the ascending marks is the end of a piece."""
    position = 0
    ahead = sorted(set(marks))
    for chunk in stream:
        data = chunk
        while ahead and position + len(data) > ahead[0]:
            cut = ahead.pop(0) - position
            if cut:
                yield data[:cut]
            position += cut
            data = data[cut:]
        position += len(data)
        yield data


def same_family(path: str, known: str) -> bool:
    """Whether two paths are generations of one stream: `access.log`, `access.log.1`, `access.log-20261122.gz`."""
    return _family(path) == _family(known)


def _family(path: str) -> tuple[str, str]:
    place = PurePath(path)
    stem, log, _ = place.name.partition(".log")
    return str(Path(path).absolute().parent), stem + log


def ambiguous(path: str, known: Source) -> SourceError:
    """The error for what begins like a known source of another name and ends earlier.

    Ten sites that a monitor asks in the same second have logs that begin alike, so it may be a log of its own.
    """
    return SourceError(
        f"{path} begins like {known.path}, which was read further: a shorter copy, or another log that begins alike",
        hint="--distinct takes it as a log of its own; leave out a copy",
    )


def forget_small(ledger: Ledger, *, spare: Callable[[Source], bool]) -> None:
    """Drop the hashes of sources that are gone and had few lines, or few clients.

    Who holds rows, ledger and instance key could otherwise try addresses until a hash fits. A file is gone when nothing
    is where it was met last, or another source was met there since.

    Args:
        ledger: The ledger.
        spare: Whether a file was met just now, so that it is left alone: rotation may be renaming it.
    """
    known = ledger.sources()
    owners: dict[str, str] = {}
    for one in known:
        owners[one.path] = max(owners.get(one.path, ""), one.last_seen)
    ledger.forget_heads(
        one.id
        for one in known
        if one.head
        and (one.head_len < HEAD or one.clients < CLIENTS)
        and (
            one.kind == "pipe"
            or (not spare(one) and (one.last_seen < owners[one.path] or _is_gone(Path(one.path))))
        )
    )


def _is_gone(path: Path) -> bool:
    """Whether a file is not in its folder; a folder that is away, or closed to us, tells nothing."""
    try:
        os.stat(path)  # noqa: PTH116 — Path.exists hides why
    except FileNotFoundError:
        return path.parent.is_dir()
    except OSError:
        return False
    return False
