"""Apache `LogFormat` strings. Source: httpd's mod_log_config, mod_logio, mod_ssl."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from logscrub.errors import FormatError
from logscrub.formats import times
from logscrub.formats.draft import MAX_FORMAT, Draft, Piece, assemble
from logscrub.formats.layout import Escape, Kind, Layout, Role
from logscrub.formats.proxies import HEADERS
from logscrub.schema import Raw

_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class _Directive:
    """A letter of `LogFormat`: what it gives, and what may stand in its braces."""

    draft: Draft
    params: frozenset[str] = frozenset()
    bare: bool = True


def _row(
    letter: str,
    kind: Kind,
    keeps: Raw | Role | None = None,
    rank: int = 0,
    params: str = "",
    **kw: float,
) -> tuple[str, _Directive]:
    draft = Draft(letter, kind, keeps, rank, scale=kw.get("scale", 1.0))
    return letter, _Directive(draft, frozenset(params.split()), bare=params != _ANY)


_TABLE: Final[dict[str, _Directive]] = dict(
    [
        # %h is a name where HostnameLookups is on, so %a comes first.
        _row("a", Kind.TOKEN, Raw.ADDRESS, params="c"),
        _row("h", Kind.TOKEN, Raw.ADDRESS, 1, params="c"),
        _row("A", Kind.TOKEN),
        # Without the head, as nginx's $body_bytes_sent; %O, from mod_logio, with it.
        _row("B", Kind.NUMBER, Raw.BYTES),
        _row("b", Kind.NUMBER, Raw.BYTES, 1),
        _row("O", Kind.NUMBER, Raw.BYTES, 2),
        _row("I", Kind.NUMBER),
        _row("S", Kind.NUMBER),
        _row("C", Kind.FREE, params=_ANY),
        _row("c", Kind.FREE, params=_ANY),
        _row("e", Kind.FREE, params=_ANY),
        _row("i", Kind.FREE, params=_ANY),
        _row("n", Kind.FREE, params=_ANY),
        _row("o", Kind.FREE, params=_ANY),
        _row("x", Kind.FREE, params=_ANY),
        _row("^ti", Kind.FREE, params=_ANY),
        _row("^to", Kind.FREE, params=_ANY),
        _row("D", Kind.NUMBER, Raw.DURATION, scale=0.001),
        _row("T", Kind.NUMBER, Raw.DURATION, params="ms us s"),
        _row("f", Kind.FREE),
        _row("F", Kind.FREE),
        _row("H", Kind.TOKEN, Raw.PROTOCOL, 2),
        _row("k", Kind.NUMBER),
        _row("l", Kind.TOKEN),
        _row("L", Kind.TOKEN, params="c"),
        _row("m", Kind.TOKEN, Raw.METHOD, 2),
        _row("p", Kind.NUMBER, params="canonical local remote"),
        _row("P", Kind.TOKEN, params="pid tid hextid"),
        _row("q", Kind.FREE, Raw.QUERY, 2),
        _row("r", Kind.FREE, Role.REQUEST),
        _row("R", Kind.TOKEN),
        _row("s", Kind.NUMBER, Raw.STATUS, 2),
        _row("t", Kind.TIME, Role.TIME, params=_ANY),
        _row("u", Kind.FREE),
        _row("U", Kind.FREE, Raw.PATH, 2),
        _row("v", Kind.TOKEN, Raw.SITE),
        _row("V", Kind.TOKEN, Raw.SITE, 2),
        _row("X", Kind.TOKEN),
    ]
)
DIRECTIVES: Final = frozenset(_TABLE)

_HEADERS: Final[dict[str, tuple[Raw, int]]] = {
    "referer": (Raw.REFERER, 0),
    "user-agent": (Raw.AGENT, 0),
    "accept-language": (Raw.LANGUAGE, 0),
    "host": (Raw.SITE, 4),
    **{name.lower(): (Raw.FORWARDED, rank) for rank, name in enumerate(HEADERS)},
}
_UNITS: Final[dict[str, tuple[float, int]]] = {
    # Milliseconds in one unit, and the rank: the finer unit wins.
    "us": (0.001, 0),
    "ms": (1.0, 2),
    "s": (1000.0, 4),
    "": (1000.0, 4),
}
_CONDITIONAL: Final = 8
"""A field that is only logged for some statuses comes after one that always is."""
_ESCAPED: Final = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One directive as it stands in the text."""

    text: str
    column: int
    letter: str
    param: str | None
    original: bool
    final: bool
    conditional: bool


def compile_apache(text: str, *, name: str = "custom", require_time: bool = True) -> Layout:
    r"""Compiles a `LogFormat` string with all directives and modifiers.

    Args:
        text: As it stands in the configuration; `\"`, `\\`, `\t` are what Apache takes them for.
        name: What the layout is called.
        require_time: Refuse a format whose lines do not say when they were written.

    Raises:
        FormatError: A directive is unknown or malformed, or the lines could not be read back for
            certain.
    """
    if len(text) > MAX_FORMAT:
        raise FormatError("the format is too long", hint=f"at most {MAX_FORMAT} characters")
    pieces: list[Piece] = []
    at = 0
    while at < len(text):
        percent = text.find("%", at)
        end = percent if percent >= 0 else len(text)
        pieces.append(_literal(text[at:end]))
        at = end
        if percent >= 0 and text.startswith("%%", percent):
            pieces.append(b"%")
            at = percent + 2
        elif percent >= 0:
            found, at = _directive(text, percent)
            pieces.extend(_pieces(found))
    return assemble(pieces, name=name, escape=Escape.BACKSLASH, require_time=require_time)


def _literal(text: str) -> bytes:
    out: list[str] = []
    at = 0
    while at < len(text):
        known = _ESCAPED.get(text[at + 1 : at + 2]) if text[at] == "\\" else None
        out.append(text[at] if known is None else known)
        at += 1 if known is None else 2
    # A lone surrogate comes from an argument that was not UTF-8: those were its bytes.
    return "".join(out).encode("utf-8", "surrogateescape")


def _directive(text: str, percent: int) -> tuple[_Parsed, int]:
    """Reads one directive: what stands before its letter has any order, the last arrow holds."""
    at = percent + 1
    param: str | None = None
    arrow = ""
    conditional = False
    while at < len(text) and text[at] in "<>!,0123456789{":
        if text[at] == "{":
            close = text.find("}", at)
            if close < 0:
                raise FormatError(
                    f"the brace at column {at + 1} of the format is not closed", hint="write %{…}i"
                )
            param = text[at + 1 : close]
            at = close
        elif text[at] in "<>":
            arrow = text[at]
        else:
            conditional = True
        at += 1
    letter = text[at : at + 3] if text.startswith("^", at) else text[at : at + 1]
    end = at + len(letter)
    found = _Parsed(
        text[percent:end], percent + 1, letter, param, arrow == "<", arrow == ">", conditional
    )
    if letter not in _TABLE:
        raise _unknown(found)
    return found, end


def _unknown(found: _Parsed) -> FormatError:
    if not found.letter:
        return FormatError(
            f"the format ends inside the directive at column {found.column}",
            hint="write %% for a percent sign",
        )
    close = get_close_matches(found.letter.swapcase(), DIRECTIVES, n=1) or get_close_matches(
        found.letter, DIRECTIVES, n=1
    )
    return FormatError(
        f"{found.text[:60]!r} at column {found.column} of the format is not a directive of Apache",
        hint=f"did you mean %{close[0]}" if close else "write %% for a percent sign",
    )


def _pieces(found: _Parsed) -> list[Piece]:
    """What a directive puts into a line: a field, for `%t` with brackets around it."""
    row = _TABLE[found.letter]
    _check_param(found, row)
    draft = replace(row.draft, name=found.text, rank=_rank(found, row.draft.rank))
    param = found.param or ""
    if found.letter == "t":
        return _time(found, draft)
    if found.letter == "i" and (header := _HEADERS.get(param.lower())):
        draft = replace(draft, keeps=header[0], rank=draft.rank + header[1])
    if found.letter == "T":
        scale, rank = _UNITS[param]
        draft = replace(draft, scale=scale, rank=draft.rank + rank)
    if param == "c" and found.letter in "ah":
        # The other end of the connection: a proxy, as soon as it differs from the client.
        draft = replace(draft, keeps=None)
    return [draft]


def _check_param(found: _Parsed, row: _Directive) -> None:
    where = f"{found.text[:60]!r} at column {found.column} of the format"
    if found.param is None or (found.param == "" and row.bare):
        if not row.bare and found.letter != "t":
            raise FormatError(f"{where} needs a name in braces", hint=f"write %{{…}}{found.letter}")
        return
    if not row.bare:
        return
    if found.param not in row.params:
        known = " or ".join(f"%{{{param}}}{found.letter}" for param in sorted(row.params))
        raise FormatError(
            f"{where} has something in braces that Apache does not know there",
            hint=f"write {known}" if known else f"write %{found.letter}",
        )


def _rank(found: _Parsed, rank: int) -> int:
    # Of %s the final status is what the client got; of all others Apache's own default is first.
    final_status = found.letter == "s" and found.final
    arrow = -1 if final_status else int(found.original or found.final)
    return rank + arrow + (_CONDITIONAL if found.conditional else 0)


def _time(found: _Parsed, draft: Draft) -> list[Piece]:
    if found.conditional:
        # A `-` without brackets for other statuses: no row could be dated by it.
        return [replace(draft, kind=Kind.FREE, keeps=None)]
    moment, text = "begin", found.param or ""
    for word in ("begin", "end"):
        if text == word or text.startswith(f"{word}:"):
            moment, text = word, text[len(word) + 1 :]
    if not text:
        return [b"[", replace(draft, time=times.CLF, moment=moment), b"]"]
    return [replace(draft, time=times.tokens(text), moment=moment)]
