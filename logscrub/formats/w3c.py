"""W3C extended logs (IIS, CloudFront): the file itself says in `#Fields:` lines what its lines hold.

Source: W3C Working Draft WD-logfile-960323, Microsoft's and Amazon's descriptions of their fields.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from logscrub.errors import FormatError
from logscrub.formats.draft import Draft, Piece, assemble
from logscrub.formats.layout import Escape, Field, Kind, Layout, Role
from logscrub.formats.times import tokens
from logscrub.schema import HEADER, Raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logscrub.formats.lines import Lines

NAME: Final = "w3c"
LONGEST: Final = 8192
"""Bytes of the longest `#Fields:` line; CloudFront's has 600."""
_HASH: Final = ord("#")
_CLOUDFRONT: Final = "x-edge-location"
_ERRORS: Final = "s-reason"
"""Only the error logs of Windows (HTTPERR) have it."""

_KEPT: Final[dict[str, Draft]] = {
    draft.name: draft
    for draft in (
        Draft("date", Kind.TIME, Role.TIME, time=tokens("%Y-%m-%d")),
        Draft("time", Kind.TIME, Role.TIME, time=tokens("%H:%M:%S")),
        Draft("c-ip", Kind.TOKEN, Raw.ADDRESS),
        Draft("x-forwarded-for", Kind.TOKEN, Raw.FORWARDED),
        Draft("cs(x-forwarded-for)", Kind.TOKEN, Raw.FORWARDED),
        Draft("cs-method", Kind.TOKEN, Raw.METHOD),
        Draft("cs-uri-stem", Kind.TOKEN, Raw.PATH),
        Draft("cs-uri-query", Kind.TOKEN, Raw.QUERY),
        Draft("cs-uri", Kind.TOKEN, Role.TARGET, 1),
        Draft("cs-version", Kind.TOKEN, Raw.PROTOCOL),
        # CloudFront's cs-protocol is the scheme
        Draft("cs-protocol-version", Kind.TOKEN, Raw.PROTOCOL),
        Draft("sc-status", Kind.NUMBER, Raw.STATUS),
        Draft("sc-bytes", Kind.NUMBER, Raw.BYTES),
        Draft("time-taken", Kind.NUMBER, Raw.DURATION),
        # what the client asked for; cs(host) of CloudFront is the name of the distribution
        Draft("x-host-header", Kind.TOKEN, Raw.SITE),
        Draft("cs-host", Kind.TOKEN, Raw.SITE, 1),
        Draft("cs(host)", Kind.TOKEN, Raw.SITE, 1),
        Draft("cs(user-agent)", Kind.TOKEN, Raw.AGENT),
        Draft("cs(referer)", Kind.TOKEN, Raw.REFERER),
        Draft("cs(accept-language)", Kind.TOKEN, Raw.LANGUAGE),
    )
}
_NOTHING: Final = Layout(
    NAME, (HEADER, b""), (Field("before any #Fields line", Kind.FREE),), Escape.PLUS, zoned=False
)
"""No line but a header fits it, and no header is left among the lines."""


def sections(lines: Lines, header: bytes) -> tuple[list[tuple[tuple[Layout, ...], Lines]], int]:
    """The lines between headers, each with the layouts that its header gives, and how many headers there are.

    Args:
        lines: Of a block.
        header: The `#Fields:` line that rules at the first of them, empty for none.

    Returns:
        At least one section; and the number of lines that begin with `#`.
    """
    marked = (lines.data[lines.starts] == _HASH) & (lines.ends > lines.starts)
    out: list[tuple[tuple[Layout, ...], Lines]] = []
    begin = 0
    for at in np.flatnonzero(marked).tolist():
        text = lines.data[lines.starts[at] : lines.ends[at]].tobytes()
        if not text.startswith(HEADER):
            continue
        if at > begin:
            out.append((compile_fields(header), _plain(lines, marked, begin, at)))
        begin, header = at + 1, text
    if begin < len(lines) or not out:
        out.append((compile_fields(header), _plain(lines, marked, begin, len(lines))))
    return out, int(np.count_nonzero(marked))


def _plain(
    lines: Lines, marked: np.ndarray[tuple[int], np.dtype[np.bool_]], begin: int, end: int
) -> Lines:
    return lines.of(begin + np.flatnonzero(~marked[begin:end]))


@lru_cache(maxsize=64)
def compile_fields(header: bytes) -> tuple[Layout, ...]:
    """What lines under a `#Fields:` line may look like: parted by blanks or by tabs.

    A line under a header that cannot be read fits nothing.
    """
    names = header[len(HEADER) :].decode("utf-8", "replace").split()
    if not header.startswith(HEADER) or not names or len(header) > LONGEST or _ERRORS in names:
        return (_NOTHING,)
    cloudfront = _CLOUDFRONT in names
    drafts = [_draft(name, cloudfront=cloudfront) for name in names]
    try:
        # CloudFront parts values by tabs, all others by blanks
        parted = [_layout(drafts, b"\t" if cloudfront else b" ", cloudfront=cloudfront)]
        return (*parted, _layout(drafts, b" " if cloudfront else b"\t", cloudfront=cloudfront))
    except FormatError:
        return (_NOTHING,)


def _draft(name: str, *, cloudfront: bool) -> Draft:
    known = _KEPT.get(name.lower())
    if known is None:
        return Draft(name, Kind.TOKEN)
    if known.keeps is Raw.DURATION and cloudfront:
        return Draft(name, known.kind, known.keeps, scale=1000.0)
    return Draft(name, known.kind, known.keeps, known.rank, time=known.time)


def _layout(drafts: Sequence[Draft], between: bytes, *, cloudfront: bool) -> Layout:
    line: list[Piece] = []
    for draft in drafts:
        line += [between, draft] if line else [draft]
    return assemble(
        line, name=NAME, escape=Escape.PERCENT if cloudfront else Escape.PLUS, require_time=True, zone="UTC"
    )  # fmt: skip
