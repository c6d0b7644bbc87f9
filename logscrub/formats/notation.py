"""Line formats in logscrub's own notation, for servers that have none: `{address} - {-user:free} [{time:clf}]`.

Between the braces stands what the field gives, or `-` and a name for what is dropped while parsing. `{{` is a brace.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from logscrub.errors import FormatError
from logscrub.formats import times
from logscrub.formats.draft import MAX_FORMAT, Draft, Piece, assemble
from logscrub.formats.layout import LAST, Escape, Kind, Layout, Role
from logscrub.schema import Raw

FIELDS: Final[dict[str, Draft]] = {
    draft.name: draft
    for draft in (
        Draft("address", Kind.TOKEN, Raw.ADDRESS),
        # where no other field has the client: what the last proxy added to its header
        Draft(LAST, Kind.FREE, Raw.ADDRESS, 1),
        Draft("forwarded", Kind.FREE, Raw.FORWARDED),
        Draft("site", Kind.TOKEN, Raw.SITE),
        Draft("request", Kind.FREE, Role.REQUEST),
        Draft("target", Kind.TOKEN, Role.TARGET),
        Draft("path", Kind.TOKEN, Raw.PATH),
        Draft("query", Kind.TOKEN, Raw.QUERY),
        Draft("method", Kind.TOKEN, Raw.METHOD),
        Draft("protocol", Kind.TOKEN, Raw.PROTOCOL),
        Draft("status", Kind.NUMBER, Raw.STATUS),
        Draft("bytes", Kind.NUMBER, Raw.BYTES),
        Draft("duration_s", Kind.NUMBER, Raw.DURATION, scale=1000.0),
        Draft("duration_ms", Kind.NUMBER, Raw.DURATION),
        Draft("duration_us", Kind.NUMBER, Raw.DURATION, scale=1e-3),
        Draft("duration_ns", Kind.NUMBER, Raw.DURATION, scale=1e-6),
        Draft("referer", Kind.TOKEN, Raw.REFERER),
        Draft("agent", Kind.TOKEN, Raw.AGENT),
        Draft("language", Kind.TOKEN, Raw.LANGUAGE),
    )
}
"""What a field may give."""
ANY_TIME: Final = ("%auto",)
"""A time in any spelling that `moments` reads."""
_TIMES: Final = {"": ANY_TIME, "clf": times.CLF, "iso": times.ISO8601, "epoch": times.EPOCH}
_FRACTIONS: Final = {".%3f": (".", "%msec_frac"), ".%6f": (".", "%usec_frac")}
_KINDS: Final = {"": Kind.TOKEN, "token": Kind.TOKEN, "free": Kind.FREE, "number": Kind.NUMBER}
ESCAPES: Final = {one.name.lower(): one for one in Escape}


def compile_line(
    text: str, *, name: str = "custom", escape: str = "backslash", zone: str = ""
) -> Layout:
    """Compile a line in this notation.

    Args:
        text: Literals and fields: a name of `FIELDS` with or without a kind (`token`, `free`, `number`), `time` with
            `clf`, `iso`, `epoch` or a strftime format (`.%3f` is milliseconds), or `-` and any name.
        name: What the layout is called.
        escape: A name of `ESCAPES`.
        zone: IANA name of the zone of times that do not say their offset.

    Raises:
        FormatError: A field or kind is unknown, a brace is not closed, or the lines could not be read back for certain.
    """
    if escape not in ESCAPES:
        raise FormatError(f"{escape[:60]} is not an escape", hint=f"one of {', '.join(ESCAPES)}")
    if len(text) > MAX_FORMAT:
        raise FormatError("the format is too long", hint=f"at most {MAX_FORMAT} characters")
    pieces: list[Piece] = []
    literal, at = "", 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            literal, at = literal + text[at], at + 2
        elif text[at] == "{":
            end = text.find("}", at)
            if end < 0:
                raise FormatError(
                    f"the brace at column {at + 1} of the format is not closed",
                    hint="{{ stands for a brace itself",
                )
            pieces += [literal.encode(), field(text[at + 1 : end])]
            literal, at = "", end + 1
        else:
            literal, at = literal + text[at], at + 1
    pieces.append(literal.encode())
    return assemble(pieces, name=name, escape=ESCAPES[escape], require_time=True, zone=zone)


def field(text: str) -> Draft:
    """What stands between braces.

    Raises:
        FormatError: There is no such field or kind.
    """
    name, _, kind = text.partition(":")
    if name == "time":
        return _time(kind)
    if kind not in _KINDS:
        raise FormatError(
            f"{kind[:60]!r} is not a kind of field",
            hint="write {name}, {name:free} or {name:number}",
        )
    if name.startswith("-"):
        return Draft(name, _KINDS[kind])
    known = FIELDS.get(name)
    if known is None:
        close = get_close_matches(name, FIELDS, n=1)
        raise FormatError(
            f"{name[:60]!r} is not a field",
            hint=f"did you mean {close[0]}?"
            if close
            else f"one of {', '.join(FIELDS)}, time, or -name for what is dropped",
        )
    return replace(known, kind=_KINDS[kind]) if kind else known


def _time(text: str) -> Draft:
    if text in ("", "free"):
        return Draft("time", Kind.FREE if text else Kind.TOKEN, Role.TIME, time=ANY_TIME)
    if text in _TIMES:
        return Draft("time", Kind.TIME, Role.TIME, time=_TIMES[text])
    for fraction, parts in _FRACTIONS.items():
        before, found, behind = text.partition(fraction)
        if found:
            tail = times.tokens(behind) if behind else ()
            return Draft("time", Kind.TIME, Role.TIME, time=(*times.tokens(before), *parts, *tail))
    return Draft("time", Kind.TIME, Role.TIME, time=times.tokens(text))
