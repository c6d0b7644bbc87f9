"""How policy files and the errors about them put values into words."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from logscrub.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

_TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number",
    str: "text",
    list: "a list",
    dict: "a table",
    datetime: "a date and time",
    date: "a date",
    time: "a time",
}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def quote(text: str) -> str:
    """A TOML basic string that means the text."""
    return (
        '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _code(c)) for c in text) + '"'
    )


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` for the known word nearest to one that is not known, or the empty text."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def wrong_type(key: str, raw: object, wanted: str) -> PolicyError:
    """The error for a value of the wrong type; it names the type it has and never shows the value."""
    return PolicyError(
        f"{key} must be {wanted}, not {_TYPES.get(type(raw), 'something else')}",
        hint="policy files are TOML: text stands in quotes, true and false do not",
    )


def zone(name: str) -> tzinfo:
    """The time zone of that name in the IANA database.

    Raises:
        PolicyError: There is none.
    """
    if name == "UTC":
        return UTC  # must work on a machine without the database
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        # ZoneInfo finds names as paths: a missing one is a KeyError, `../x` a ValueError, `Europe` an OSError.
        raise PolicyError(
            "unknown time zone " + quote(name[:60]),
            hint='write it as the IANA database does, such as "UTC" or "Europe/Brussels"',
        ) from None


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
