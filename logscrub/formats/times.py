"""The text of a time format, taken apart into tokens that a reader can walk along.

strftime comes from the C locale, which both servers write in unless somebody localises it; a
localised month is then a line that does not fit.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from logscrub.errors import FormatError

_TOKENS: Final = frozenset(
    "%a %A %b %B %d %e %H %I %j %m %M %p %s %S %y %Y %z %Z %%".split()  # noqa: SIM905 — a table
)
_SHORTHAND: Final[dict[str, str]] = {
    # What strftime(3) says each stands for in the C locale.
    "%c": "%a %b %e %H:%M:%S %Y",
    "%D": "%m/%d/%y",
    "%F": "%Y-%m-%d",
    "%h": "%b",
    "%r": "%I:%M:%S %p",
    "%R": "%H:%M",
    "%t": "\t",
    "%T": "%H:%M:%S",
    "%x": "%m/%d/%y",
    "%X": "%H:%M:%S",
}
_APACHE_WORDS: Final = frozenset({"sec", "msec", "usec", "msec_frac", "usec_frac"})
"""mod_log_config: a whole `%{…}t` of this is a number, since the epoch or within the second."""

CLF: Final = ("%d", "/", "%b", "/", "%Y", ":", "%H", ":", "%M", ":", "%S", " ", "%z")
"""The time of the common log format, without its brackets."""
ISO8601: Final = ("%Y", "-", "%m", "-", "%d", "T", "%H", ":", "%M", ":", "%S", "%z")
EPOCH: Final = ("%epoch.ms",)
"""nginx `$msec`: seconds of the epoch, a point, and milliseconds."""

_FACETS: Final[dict[str, str]] = {
    "%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day",
    "%e": "day", "%j": "month day", "%H": "hour", "%I": "hour12", "%p": "half", "%M": "minute",
    "%S": "second", "%z": "zone", "%msec_frac": "fraction", "%usec_frac": "fraction",
    "%s": "year month day hour minute second zone",
    "%sec": "year month day hour minute second zone",
    "%msec": "year month day hour minute second zone fraction",
    "%usec": "year month day hour minute second zone fraction",
    "%epoch.ms": "year month day hour minute second zone fraction",
    "%auto": "year month day hour minute second zone fraction",
}  # fmt: skip
"""`%Z` gives nothing: names of zones are neither unique (IST, CST) nor fixed."""


def tokens(text: str) -> tuple[str, ...]:
    """Splits a time format into tokens (`%d`) and the literals between them.

    Shorthands are expanded (`%T` gives `%H`, `:`, `%M`, `:`, `%S`), `%h` is `%b`, neighbouring
    literals are one string, and a literal percent sign stays `%%`, so that whatever begins with `%`
    is a token. Apache's words for numbers become tokens of their own: `msec` gives `%msec`.

    >>> tokens("%d/%b/%Y")
    ('%d', '/', '%b', '/', '%Y')

    Args:
        text: What stands in the braces of Apache's `%{…}t`, without `begin:` or `end:`.

    Raises:
        FormatError: A token that is unknown, or that cannot be read back.
    """
    if text in _APACHE_WORDS:
        return (f"%{text}",)
    out: list[str] = []
    rest = list(reversed(_split(text)))
    while rest:
        part = rest.pop()
        if part in _SHORTHAND:
            rest.extend(reversed(_split(_SHORTHAND[part])))
        elif part in _TOKENS:
            out.append(part)
        elif part.startswith("%"):
            raise _unknown(part, text)
        elif out and not out[-1].startswith("%"):
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)


def facets(parts: tuple[str, ...]) -> frozenset[str]:
    """Which parts of an instant the tokens give: `year` to `second`, `fraction` and `zone`.

    Numbers that count from the epoch give everything; `%I` gives the hour only together with `%p`.
    """
    found = frozenset(facet for part in parts for facet in _FACETS.get(part, "").split())
    return found | {"hour"} if {"hour12", "half"} <= found else found


def _split(text: str) -> list[str]:
    """Tokens of two characters and single literal characters."""
    out: list[str] = []
    at = 0
    while at < len(text):
        width = 2 if text[at] == "%" else 1
        out.append(text[at : at + width])
        at += width
    return out


def _unknown(token: str, text: str) -> FormatError:
    if token == "%":  # noqa: S105 — a token of a time format
        return FormatError(
            f"the time format {text[:60]!r} ends with a single %",
            hint="write %% for a percent sign",
        )
    close = get_close_matches(token.upper(), sorted(_TOKENS), n=1) or get_close_matches(
        token.lower(), sorted(_TOKENS), n=1
    )
    hint = (
        f"did you mean {close[0]}" if close and close[0] != token else "see logscrub formats list"
    )
    return FormatError(
        f"the time format {text[:60]!r} has {token}, which is not a time token", hint=hint
    )
