"""What a line format is, once compiled: literals with fields between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logscrub.schema import Raw


class Kind(Enum):
    """What a field may hold, which is how its end is found."""

    TOKEN = auto()
    """No blanks: ends at the first byte of the literal that follows."""
    FREE = auto()
    """Anything, blanks too, unquoted (a user name): ends where the literal that follows is followed by what the
    next field must look like."""
    QUOTED = auto()
    """Between double quotes: ends at the first quote that no backslash escapes."""
    NUMBER = auto()
    """Digits with an optional fraction, or `-`, or nothing where the server leaves missing values empty."""
    TIME = auto()
    """Part of the time stamp, written as `Field.time` says."""


class Escape(Enum):
    """How the server escapes what clients send."""

    BACKSLASH = auto()
    r"""`\xHH` in either case, and the letters of C: nginx escape=default, Apache, lighttpd. Missing is `-`."""
    JSON = auto()
    """JSON string escapes: nginx escape=json. Missing is empty."""
    NONE = auto()
    """Nothing is escaped: nginx escape=none. A line with a wrong number of quotes is ambiguous, so it is rejected.
    Missing is empty."""


class Role(Enum):
    """Fields that hold more than one `Raw` field."""

    REQUEST = auto()
    """`METHOD target PROTOCOL`."""
    TARGET = auto()
    """Path and query together."""
    TIME = auto()
    """All `Kind.TIME` fields of a layout together make one instant."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a layout.

    Args:
        name: As the server calls it: `$remote_addr`, `%h`.
        kind: How its end is found.
        keeps: What is read from it; None for a field that is dropped while parsing.
        time: For `Kind.TIME`: the strftime tokens and literals it is made of.
        scale: For numbers: how many of the unit that is kept (milliseconds) one unit of the field is.
        empty: For a field that is dropped: what a scrubbed line shows in its place.
    """

    name: str
    kind: Kind
    keeps: Raw | Role | None = None
    time: tuple[str, ...] = ()
    scale: float = 1.0
    empty: bytes = b"-"


@dataclass(frozen=True, slots=True)
class Layout:
    """A compiled format: `literals[0] fields[0] literals[1] … fields[-1] literals[-1]`, to the end of the line.

    Args:
        name: What the user called it, or `custom`.
        literals: One more than there are fields; only the first and the last may be empty.
        fields: In the order of the line.
        escape: How values are escaped.
        zoned: Whether the line itself says its offset from UTC.
    """

    name: str
    literals: tuple[bytes, ...]
    fields: tuple[Field, ...]
    escape: Escape
    zoned: bool = True
