"""Time stamps, read one by one along their tokens: the exact reader, and what the fast one needs.

The tokens are those of `logscrub.formats.times`. Names of months and days are English, as both
servers write them.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

DIGITS: Final = {
    "%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%j": 3, "%H": 2, "%I": 2, "%M": 2, "%S": 2,
    "%msec_frac": 3, "%usec_frac": 6,
}  # fmt: skip
"""Tokens of a fixed number of digits."""
LETTERS: Final = {
    "%b": (3, 3),
    "%a": (3, 3),
    "%p": (2, 2),
    "%B": (3, 9),
    "%A": (6, 9),
    "%Z": (1, 6),
}
"""Tokens of letters: the least and the greatest number of them."""
COUNTS: Final = {"%s": 10, "%sec": 10, "%msec": 13, "%usec": 16}
"""Counts from the epoch: how many digits they have between September 2001 and November 2286."""
ELASTIC: Final = frozenset({*COUNTS, "%epoch.ms"})
"""Tokens whose number of digits may be another in another century."""
MOST_DIGITS: Final = 18
"""More than any count from the epoch has, few enough for 64 bits."""
_ALPHABET: Final = string.ascii_letters.encode()
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A time stamp whose tokens stand at the same places in every line.

    Args:
        places: Each token or literal with the byte it begins at.
        width: Bytes in all, the offset from UTC left out.
        zone: Whether an offset from UTC (`+hhmm`, `+hh:mm` or `Z`) ends it.
        counted: Whether it ends with a count, after which no further digit may stand.
    """

    places: tuple[tuple[str, int], ...]
    width: int
    zone: bool
    counted: bool


@lru_cache(maxsize=256)
def shape(tokens: tuple[str, ...]) -> Shape | None:
    """The fixed places of the tokens, or None when they can move."""
    places: list[tuple[str, int]] = []
    at = 0
    for i, token in enumerate(tokens):
        last = i == len(tokens) - 1
        if token == "%z" and last:  # noqa: S105 — a token of a time format
            if not ELASTIC.isdisjoint(tokens):
                # one digit less and a colon more would look the same
                return None
            return Shape(tuple(places), at, zone=True, counted=False)
        if token in COUNTS and not last and tokens[i + 1] in COUNTS:
            return None
        width = _fixed_width(token)
        if width is None:
            return None
        places.append((token, at))
        at += width
    return Shape(tuple(places), at, zone=False, counted=tokens[-1] in COUNTS) if places else None


def _fixed_width(token: str) -> int | None:
    if not token.startswith("%"):
        return len(token.encode())
    if token in LETTERS:
        least, most = LETTERS[token]
        return least if least == most else None
    fixed = {**DIGITS, **COUNTS, "%e": 2, "%%": 1, "%epoch.ms": COUNTS["%s"] + 4}
    return fixed.get(token)


def end(line: bytes, at: int, tokens: tuple[str, ...]) -> int:
    """Where the time stamp that begins at `at` ends; -1 when it has not the shape of its tokens."""
    if not tokens:
        return -1
    for step in _steps(tokens):
        at = _step(line, at, step)
        if at < 0:
            return -1
    return at


_Step: TypeAlias = tuple[str, bytes, int, str]


@lru_cache(maxsize=256)
def _steps(tokens: tuple[str, ...]) -> tuple[_Step, ...]:
    """Each token, its text if it is a literal, its digits if they are fixed, and what follows."""
    literals = ["%" if t == "%%" else "" if t.startswith("%") else t for t in tokens]
    return tuple(
        (token, literal.encode(), DIGITS.get(token, 0), after)
        for token, literal, after in zip(tokens, literals, (*tokens[1:], ""), strict=True)
    )


def _step(line: bytes, at: int, step: _Step) -> int:  # noqa: PLR0911 — one return a kind
    token, literal, width, after = step
    if literal:
        return at + len(literal) if line.startswith(literal, at) else -1
    if width:
        text = line[at : at + width]
        return at + width if len(text) == width and text.isdigit() else -1
    if token in COUNTS:
        # In Apache's %{sec}t%{msec_frac}t only the usual number of digits tells the end of seconds.
        pinned = after in DIGITS or after in COUNTS or after == "%e" or after[:1].isdigit()
        width = _run(line, at, COUNTS[token] if pinned else MOST_DIGITS + 1)
        return at + width if 0 < width <= MOST_DIGITS else -1
    if token == "%epoch.ms":  # noqa: S105 — as above
        width = _run(line, at, MOST_DIGITS + 1)
        point = at + width
        good = 0 < width <= MOST_DIGITS and line[point : point + 1] == b"."
        return point + 4 if good and _run(line, point + 1, 3) == 3 else -1
    if token in LETTERS:
        least, most = LETTERS[token]
        text = line[at : at + most]
        width = len(text) - len(text.lstrip(_ALPHABET))
        return at + width if width >= least else -1
    if token == "%e":  # noqa: S105 — as above
        padded = line[at : at + 1] == b" "
        return at + 2 if _run(line, at + padded, 2 - padded) == 2 - padded else -1
    return _offset_end(line, at) if token == "%z" else -1  # noqa: S105 — as above


def _run(line: bytes, at: int, most: int) -> int:
    """How many digits stand there, up to the most that are asked for."""
    text = line[at : at + most]
    return len(text) - len(text.lstrip(b"0123456789"))


def _offset_end(line: bytes, at: int) -> int:
    sign = line[at : at + 1]
    if sign == b"Z":
        return at + 1
    if sign not in (b"+", b"-") or _run(line, at + 1, 2) != 2:
        return -1
    minutes = at + 3 + (line[at + 3 : at + 4] == b":")
    return minutes + 2 if _run(line, minutes, 2) == 2 else -1


def read(text: bytes, tokens: tuple[str, ...]) -> dict[str, int] | None:
    """The parts of one time stamp, checked for their shape and names, not yet for the calendar.

    Returns:
        Some of `year month day yday hour hour12 half minute second ms epoch` (seconds) and `offset`
        (minutes east of UTC); None when the text has not the shape.
    """
    parts: dict[str, int] = {}
    at = 0
    for step in _steps(tokens):
        token = step[0]
        until = _step(text, at, step)
        if until < 0:
            return None
        if token.startswith("%") and token != "%%":  # noqa: S105 — a token of a time format
            found = _value(token, text[at:until])
            if found is None:
                return None
            parts.update(found)
        at = until
    return parts if at == len(text) else None


PARTS: Final = {
    "%Y": "year", "%m": "month", "%d": "day", "%e": "day", "%j": "yday", "%H": "hour", "%I":
    "hour12", "%M": "minute", "%S": "second", "%msec_frac": "ms", "%s": "epoch", "%sec": "epoch",
}  # fmt: skip
"""Which part a token gives whose digits are its value."""


def _value(token: str, text: bytes) -> dict[str, int] | None:  # noqa: PLR0911 — one return a kind
    if token in PARTS:
        return {PARTS[token]: int(text)}
    if token == "%y":  # noqa: S105 — a token of a time format
        # POSIX strptime: 69 to 99 are of the last century.
        return {"year": int(text) + (1900 if int(text) >= 69 else 2000)}
    if token == "%usec_frac":  # noqa: S105 — as above
        return {"ms": int(text) // 1000}
    if token in ("%msec", "%usec"):
        per_ms = 1 if token == "%msec" else 1000  # noqa: S105 — as above
        return {"epoch": int(text) // per_ms // 1000, "ms": int(text) // per_ms % 1000}
    if token == "%epoch.ms":  # noqa: S105 — as above
        return {"epoch": int(text[:-4]), "ms": int(text[-3:])}
    name = text.decode("ascii").lower() if token in LETTERS else ""
    if token in ("%b", "%B"):
        names = MONTHS if token == "%b" else _FULL_MONTHS  # noqa: S105 — as above
        return {"month": names.index(name) + 1} if name in names else None
    if token == "%p":  # noqa: S105 — as above
        return {"half": ("am", "pm").index(name)} if name in ("am", "pm") else None
    return _offset(text) if token == "%z" else {}  # noqa: S105 — as above


def _offset(text: bytes) -> dict[str, int] | None:
    if text == b"Z":
        return {"offset": 0}
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        return None
    return {"offset": (hours * 60 + minutes) * (-1 if text[:1] == b"-" else 1)}
