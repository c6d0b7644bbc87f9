"""From the pieces of a format string to a `Layout`: what nginx and Apache have in common.

A server's table says what each field could give. Here it is settled which field gives what, which
fields are one, and how each ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from logscrub.errors import FormatError
from logscrub.formats import times
from logscrub.formats.layout import Field, Kind, Layout, Role
from logscrub.schema import Raw

if TYPE_CHECKING:
    from logscrub.formats.layout import Escape

MAX_FORMAT: Final = 65_536
"""Characters of the longest format string that is compiled."""

_COVERS: Final[dict[Role, frozenset[Raw]]] = {
    Role.REQUEST: frozenset({Raw.METHOD, Raw.PROTOCOL, Raw.PATH, Raw.QUERY}),
    Role.TARGET: frozenset({Raw.PATH, Raw.QUERY}),
}
_NEEDED: Final = ("year", "month", "day", "hour", "minute")


@dataclass(frozen=True, slots=True)
class Draft:
    """A field as its server's table describes it, before it has a place.

    Args:
        name: As the server calls it.
        kind: How it ends where it stands without quotes.
        keeps: What it could give.
        rank: Which one wins where several could give the same: the lowest.
        scale: As `Field.scale`.
        time: As `Field.time`.
        moment: For times: of the `begin` or the `end` of the request.
        empty: What a scrubbed line shows in its place.
    """

    name: str
    kind: Kind
    keeps: Raw | Role | None = None
    rank: int = 0
    scale: float = 1.0
    time: tuple[str, ...] = ()
    moment: str = "begin"
    empty: bytes = b"-"


Piece = bytes | Draft


def assemble(
    pieces: list[Piece], *, name: str, escape: Escape, require_time: bool, zone: str = ""
) -> Layout:
    """Builds the layout out of literals and drafts in the order of the line.

    Args:
        pieces: A literal that is not between two fields stands at an end of the line.
        name: What the layout is called.
        escape: How values are escaped.
        require_time: Refuse lines that do not say when they were written.
        zone: Of times that do not say their offset, where the format itself lays it down.

    Raises:
        FormatError: No field, no complete time (unless not required), a line break, or fields that
            touch.
    """
    if any(isinstance(piece, bytes) and (b"\n" in piece or b"\r" in piece) for piece in pieces):
        raise FormatError(
            "the format has a line break in it", hint="one request has to be one line of the log"
        )
    line = _believable(_join_targets(_join_literals(pieces)))
    line = _settle_times(_join_times(_settle(line)))
    line = _join_dropped(line)
    zoned = _check_times(line, require_time=require_time)
    literals, drafts = _alternate(line)
    inside = _quoted(literals)
    fields = tuple(
        _field(draft, quoted=quoted, after=after)
        for draft, quoted, after in zip(drafts, inside, literals[1:], strict=True)
    )
    return Layout(name, literals, fields, escape, zoned, zone)


def _join_literals(pieces: list[Piece]) -> list[Piece]:
    out: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += piece
        elif piece != b"":
            out.append(piece)
    return out


def _join_targets(line: list[Piece]) -> list[Piece]:
    """A path that its query touches (`%U%q`, `$uri$is_args$args`) is one request target."""
    out: list[Piece] = []
    for piece in line:
        last = out[-1] if out else None
        if isinstance(piece, Draft) and isinstance(last, Draft):
            # Apache's query brings its ? along; without $is_args nginx's would end up in the path.
            marked = piece.name.startswith("%") or last.name.endswith("$is_args")
            query = marked and piece.keeps is Raw.QUERY
            mark = piece.name == "$is_args"
            if last.keeps in {Raw.PATH, Role.TARGET} and (query or mark):
                name = last.name + piece.name
                out[-1] = replace(last, name=name, keeps=Role.TARGET, kind=Kind.FREE)
                continue
        out.append(piece)
    return out


def settle(drafts: list[Draft]) -> list[Draft]:
    """Every raw field comes from one of them: what another one gives is dropped."""
    return [_draft(piece) for piece in _settle(list(drafts))]


def _believable(line: list[Piece]) -> list[Piece]:
    """A proxy's header names a client only between quotes or as the last field of the line.

    Anywhere else a client ends it where it likes, before what the proxy added.
    """
    last = max((i for i, piece in enumerate(line) if isinstance(piece, Draft)), default=0)
    out = list(line)
    quotes = 0
    for i, piece in enumerate(line[:last]):
        if isinstance(piece, bytes):
            quotes += piece.count(b'"')
        elif piece.keeps is Raw.FORWARDED and piece.kind is Kind.FREE:
            before, after = line[i - 1] if i else b"", line[i + 1]
            opened = isinstance(before, bytes) and before.endswith(b'"') and quotes % 2 == 1
            closed = isinstance(after, bytes) and after.startswith(b'"')
            out[i] = piece if opened and closed else replace(piece, keeps=None)
    return out


def _settle(line: list[Piece]) -> list[Piece]:
    """Every raw field comes from one place: the lowest rank, whole requests before their parts."""
    order = sorted(
        (i for i, piece in enumerate(line) if isinstance(piece, Draft) and piece.keeps),
        key=lambda i: (_draft(line[i]).rank, -len(_covers(line[i])), i),
    )
    taken: set[Raw] = set()
    out = list(line)
    for i in order:
        draft = _draft(line[i])
        if draft.keeps is Role.TIME:
            continue
        if taken & _covers(draft):
            out[i] = replace(draft, keeps=None)
        taken |= _covers(draft)
    return out


def _draft(piece: Piece) -> Draft:
    assert isinstance(piece, Draft)
    return piece


def _covers(piece: Piece) -> frozenset[Raw]:
    keeps = _draft(piece).keeps
    if keeps is None or keeps is Role.TIME:
        return frozenset()
    return _COVERS[keeps] if isinstance(keeps, Role) else frozenset({keeps})


def _join_times(line: list[Piece]) -> list[Piece]:
    """Times that touch (`%{msec_frac}t%{%z}t`) are one: their tokens say where each part ends."""
    out: list[Piece] = []
    for piece in line:
        last = out[-1] if out else None
        if (
            isinstance(piece, Draft)
            and isinstance(last, Draft)
            and piece.kind is last.kind is Kind.TIME
            and piece.moment == last.moment
        ):
            out[-1] = replace(last, name=last.name + piece.name, time=last.time + piece.time)
        else:
            out.append(piece)
    return out


def _settle_times(line: list[Piece]) -> list[Piece]:
    """Of all times in the line keeps those that make the fullest instant, and no more."""
    order = [i for i, piece in enumerate(line) if isinstance(piece, Draft) and piece.time]
    chosen: frozenset[int] = frozenset()
    for moment in ("begin", "end"):
        chosen = chosen or _instant(line, [i for i in order if _draft(line[i]).moment == moment])
    return [
        replace(piece, keeps=Role.TIME if i in chosen else None)
        if isinstance(piece, Draft) and piece.time
        else piece
        for i, piece in enumerate(line)
    ]


def _instant(line: list[Piece], order: list[int]) -> frozenset[int]:
    """The fullest time first, then whatever adds to it; nothing when the instant has a gap."""
    given = {i: times.facets(_draft(line[i]).time) for i in order}
    have: frozenset[str] = frozenset()
    chosen: set[int] = set()
    for i in sorted(order, key=lambda i: (-len(given[i]), i)):
        if not given[i] <= have:
            chosen.add(i)
            have |= given[i]
    have = have | {"hour"} if {"hour12", "half"} <= have else have
    return frozenset(chosen) if set(_NEEDED) <= have else frozenset()


def _check_times(line: list[Piece], *, require_time: bool) -> bool:
    """Whether the line says its offset from UTC."""
    drafts = [piece for piece in line if isinstance(piece, Draft)]
    if not drafts:
        raise FormatError(
            "the format has no field", hint="nginx fields look like $name, Apache's like %h"
        )
    kept = tuple(token for draft in drafts if draft.keeps is Role.TIME for token in draft.time)
    if kept:
        return "zone" in times.facets(kept)
    if not require_time:
        return False
    seen = times.facets(tuple(token for draft in drafts for token in draft.time))
    missing = ", ".join(facet for facet in _NEEDED if facet not in seen)
    what = f"the time in the format lacks the {missing}" if seen else "the format has no time"
    raise FormatError(
        what,
        hint="rows without a full time have no due date; log $time_local (nginx) or %t (Apache)",
    )


def _join_dropped(line: list[Piece]) -> list[Piece]:
    """Dropped fields that touch, or that hold blanks and follow each other, are one dropped field.

    Where one of them ends and the next begins cannot be told (nginx: `$upstream_addr
    $upstream_status` with lists in both), and need not be.
    """
    out: list[Piece] = []
    closed = _closed(line)
    for at, piece in enumerate(line):
        # out ends with … run, literal and the piece comes behind, or it touches the run.
        if isinstance(piece, Draft) and _loose(piece):
            touching = out and isinstance(out[-1], Draft)
            run = out[-1] if touching else out[-2] if len(out) > 1 else None
            gap = b"" if touching else out[-1] if out else b'"'
            if (
                isinstance(run, Draft)
                and isinstance(gap, bytes)
                and _loose(run)
                and (touching or (run.kind is Kind.FREE and closed[at]))
                and b'"' not in gap
            ):
                del out[-1 if touching else -2 :]
                name = run.name + gap.decode("utf-8", "replace") + piece.name
                out.append(Draft(name, Kind.FREE, empty=run.empty + gap + piece.empty))
                continue
        out.append(piece)
    return out


def _closed(line: list[Piece]) -> list[bool]:
    """For each piece whether the end of a run of dropped fields there is certain: the line's, a quote, or a time.

    Another field could begin at any of the literals within the run.
    """
    closed = [True]
    for piece in reversed(line):
        if isinstance(piece, bytes):
            closed.append(b'"' in piece or closed[-1])
        else:
            closed.append(closed[-1] if _loose(piece) else piece.kind is Kind.TIME)
    return closed[::-1]


def _loose(draft: Draft) -> bool:
    return draft.keeps is None and draft.kind is not Kind.TIME


def _alternate(line: list[Piece]) -> tuple[tuple[bytes, ...], list[Draft]]:
    literals: list[bytes] = [b""]
    drafts: list[Draft] = []
    for piece in line:
        if isinstance(piece, bytes):
            literals[-1] = piece
        elif drafts and not literals[-1]:
            raise FormatError(
                f"{drafts[-1].name[:60]} and {piece.name[:60]} touch, so nobody can tell where one ends",
                hint="put a blank or another literal between them in the server's format",
            )
        else:
            drafts.append(piece)
            literals.append(b"")
    return tuple(literals), drafts


def _quoted(literals: tuple[bytes, ...]) -> list[bool]:
    """For each field whether double quotes stand directly on both sides, opening and closing."""
    out: list[bool] = []
    quotes = 0
    for before, after in pairwise(literals):
        quotes += before.count(b'"')
        out.append(before.endswith(b'"') and after.startswith(b'"') and quotes % 2 == 1)
    return out


def _field(draft: Draft, *, quoted: bool, after: bytes) -> Field:
    kind = draft.kind
    if kind in {Kind.TOKEN, Kind.FREE}:
        if quoted:
            kind = Kind.QUOTED
        elif draft.keeps in {Raw.ADDRESS, Raw.SITE} and after.startswith(b":"):
            # IPv6 addresses have colons themselves: what follows the right one is a port.
            kind = Kind.FREE
    return Field(
        draft.name, kind, keeps=draft.keeps, time=draft.time, scale=draft.scale, empty=draft.empty
    )
