"""What a line format is, once compiled: literals with fields between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from logscrub.schema import Raw


LAST: Final = "last_address"
"""The name of a field that holds a list of addresses, of which the last one counts."""


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
    HASH = auto()
    """`#HH`, quotes and hashes among it, backslashes as they are: HAProxy. Missing is `-` or empty."""
    PLUS = auto()
    """A blank is `+`, nothing else is escaped: IIS. Missing is `-`."""
    PERCENT = auto()
    """`%HH`, as in URLs, once or twice: CloudFront. Missing is `-`."""


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
        zone: IANA name of the zone that the format itself lays down, empty for none.
        paths: Of JSON, for each field the places in the object that it may come from, the best first; the literals
            mean nothing then.
    """

    name: str
    literals: tuple[bytes, ...]
    fields: tuple[Field, ...]
    escape: Escape
    zoned: bool = True
    zone: str = ""
    paths: tuple[tuple[tuple[str, ...], ...], ...] = ()

    @property
    def is_quoted_safely(self) -> bool:
        """Whether a quote after an odd number of backslashes is part of a value."""
        return self.escape not in (Escape.NONE, Escape.HASH)


@dataclass(frozen=True, slots=True)
class Format:
    """How the lines of a source are read.

    Args:
        name: What the user calls it: `combined`, `syslog/haproxy`, `combined,common`.
        layouts: What a line may look like; each is tried on the lines that fit none before it.
        wrappers: What is peeled off a line first, the outermost first.
        headed: Whether the lines are those of a W3C log, whose own `#Fields:` lines say their layout.
    """

    name: str
    layouts: tuple[Layout, ...] = ()
    wrappers: tuple[str, ...] = ()
    headed: bool = False

    @property
    def zoned(self) -> bool:
        """Whether each line says when it was, and needs no zone from elsewhere."""
        return self.headed or all(one.zoned or one.zone for one in self.layouts)

    @classmethod
    def of(cls, *layouts: Layout) -> Format:
        """A format of these layouts, with the name of the first."""
        return cls(layouts[0].name, layouts)
