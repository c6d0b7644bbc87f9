"""What a setting may hold: how it is read, how it is written, and which of two values keeps less.

Every kind has the same three functions, so the file, `--set`, the dump and the comparison share one table.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from unicodedata import category

from logscrub.errors import PolicyError
from logscrub.policy.period import MOST_DAYS, MOST_MONTHS, Period, read_period
from logscrub.policy.words import quote, suggestion, wrong_type, zone

Direction = Literal["tighter", "looser", "different"]


class Kind(Protocol):
    """One kind of value. `read` refuses with a `PolicyError` that names the key."""

    def read(self, key: str, raw: object) -> Any:  # noqa: ANN401 — the table mixes kinds; `Policy` is typed
        """The checked value of what TOML gave."""
        ...

    def bare(self, text: str) -> object:
        """What TOML would have given for a value written without its quotes, as in `--set`."""
        ...

    def text(self, value: Any) -> str:  # noqa: ANN401 — as above
        """The value as TOML."""
        ...

    def direction(self, old: Any, new: Any) -> Direction:  # noqa: ANN401 — as above
        """Where a change from `old` to another value `new` leads."""
        ...


@dataclass(frozen=True, slots=True)
class Flag:
    """true keeps, false does not."""

    def read(self, key: str, raw: object) -> bool:
        """See `Kind`."""
        if not isinstance(raw, bool):
            raise wrong_type(key, raw, "true or false")
        return raw

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return {"true": True, "false": False}.get(text, text)

    def text(self, value: bool) -> str:  # noqa: FBT001 — the value itself
        """See `Kind`."""
        return "true" if value else "false"

    def direction(self, old: bool, new: bool) -> Direction:  # noqa: FBT001 — the values themselves
        """See `Kind`."""
        return "tighter" if old and not new else "looser"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words, in groups from loose to tight; words of one group cannot be ranked."""

    groups: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All words, the loosest first."""
        return tuple(word for group in self.groups for word in group)

    def read(self, key: str, raw: object) -> str:
        """See `Kind`."""
        if not isinstance(raw, str):
            raise wrong_type(key, raw, "text")
        if raw not in self.words:
            choices = ", ".join(quote(word) for word in self.words)
            near = suggestion(raw, self.words)
            raise PolicyError(f"{key} must be one of {choices}", hint=near or "choose one of them")
        return raw

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return text

    def text(self, value: str) -> str:
        """See `Kind`."""
        return quote(value)

    def direction(self, old: str, new: str) -> Direction:
        """See `Kind`."""
        before, after = (
            next(rank for rank, group in enumerate(self.groups) if word in group)
            for word in (old, new)
        )
        if before == after:
            return "different"
        return "tighter" if after > before else "looser"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number; more is looser."""

    low: int
    high: int

    def read(self, key: str, raw: object) -> int:
        """See `Kind`."""
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise wrong_type(key, raw, "a whole number")
        if not self.low <= raw <= self.high:
            raise PolicyError(
                f"{key} must be from {self.low} to {self.high}",
                hint="choose a number in that range",
            )
        return raw

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text

    def text(self, value: int) -> str:
        """See `Kind`."""
        return str(value)

    def direction(self, old: int, new: int) -> Direction:
        """See `Kind`."""
        return "tighter" if new < old else "looser"


@dataclass(frozen=True, slots=True)
class Span:
    """A period written as text; longer is looser."""

    months: bool = True

    def read(self, key: str, raw: object) -> Period:
        """See `Kind`."""
        form = '"12 months" or "90 days"' if self.months else '"1 day" or "30 days"'
        if not isinstance(raw, str):
            raise wrong_type(key, raw, f"text such as {form}")
        period = read_period(raw)
        if period is None or (period.months and not self.months):
            raise PolicyError(
                f"{key} must be a period such as {form}", hint="a number, a blank, the unit"
            )
        if not period:
            raise PolicyError(f"{key} is empty", hint=f"say how long, such as {form}")
        if period.months > MOST_MONTHS or period.days > MOST_DAYS:
            raise PolicyError(
                f"{key} is longer than a century", hint="nothing may be kept for ever"
            )
        return period

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return text

    def text(self, value: Period) -> str:
        """See `Kind`."""
        return quote(str(value))

    def direction(self, old: Period, new: Period) -> Direction:
        """See `Kind`."""
        if new.within(old):
            return "tighter"
        return "looser" if old.within(new) else "different"


@dataclass(frozen=True, slots=True)
class Names:
    """A list of names that may be kept; fewer is tighter, the order means nothing.

    Args:
        pattern: What one name looks like.
        form: The same in words.
    """

    pattern: str
    form: str

    def read(self, key: str, raw: object) -> tuple[str, ...]:
        """See `Kind`."""
        if not isinstance(raw, list):
            raise wrong_type(key, raw, "a list of text")
        for name in raw:
            if not isinstance(name, str):
                raise wrong_type(f"each entry of {key}", name, "text")
            if not re.fullmatch(self.pattern, name):
                raise PolicyError(
                    f"{key} has an entry that cannot be a name: {quote(name[:60])}", hint=self.form
                )
        if len(set(raw)) < len(raw):
            raise PolicyError(f"{key} names something twice", hint="name it once")
        return tuple(raw)

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return [name.strip() for name in text.split(",")] if text.strip() else []

    def text(self, value: tuple[str, ...]) -> str:
        """See `Kind`."""
        return "[" + ", ".join(quote(name) for name in value) + "]"

    def direction(self, old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
        """See `Kind`."""
        if set(new) <= set(old):
            return "tighter"
        return "looser" if set(old) <= set(new) else "different"


@dataclass(frozen=True, slots=True)
class Networks:
    """A list of networks that are trusted; neither more nor fewer of them keep less."""

    def read(self, key: str, raw: object) -> tuple[str, ...]:
        """See `Kind`. The order means nothing, so the networks are put in order."""
        if not isinstance(raw, list):
            raise wrong_type(key, raw, "a list of text")
        found = [_network(key, one) for one in raw]
        if len(set(found)) < len(found):
            raise PolicyError(f"{key} names a network twice", hint="name it once")
        return tuple(
            str(one)
            for one in sorted(found, key=lambda one: (one.version, int(one[0]), one.prefixlen))
        )

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return [one.strip() for one in text.split(",")] if text.strip() else []

    def text(self, value: tuple[str, ...]) -> str:
        """See `Kind`."""
        return "[" + ", ".join(quote(one) for one in value) + "]"

    def direction(self, old: tuple[str, ...], new: tuple[str, ...]) -> Direction:  # noqa: ARG002 — see `Kind`
        """See `Kind`."""
        return "different"


_NETWORK = re.compile(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def _network(key: str, raw: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if not isinstance(raw, str):
        raise wrong_type(f"each entry of {key}", raw, "text")
    try:
        # it would take net masks and zone ids as well
        network = ipaddress.ip_network(raw if _NETWORK.fullmatch(raw) else "", strict=False)
    except ValueError:
        raise PolicyError(
            f"{key} has an entry that is no network: {quote(raw[:60])}",
            hint='write each as "10.0.0.0/8" or "2001:db8:1::/48"',
        ) from None
    address = ipaddress.ip_address(raw.partition("/")[0])
    if address != network[0]:
        raise PolicyError(
            f"{key} has an entry with bits set behind its width: {quote(raw)}",
            hint=f'write "{network}" for the network, "{address}" for the one address',
        )
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        four = ipaddress.IPv4Network((int(network[0]) & 0xFFFF_FFFF, network.prefixlen - 96))
        raise PolicyError(
            f"{key} has an entry that is IPv4 written as IPv6: {quote(raw)}", hint=f'write "{four}"'
        )
    return network


@dataclass(frozen=True, slots=True)
class Text:
    """Free text without control characters; no two texts can be ranked.

    Args:
        most: Characters at most.
        least: Characters at least.
        lines: Whether it may hold line ends and tabs.
        pattern: What it must look like, when not everything goes.
        form: The pattern in words.
    """

    most: int
    least: int = 0
    lines: bool = False
    pattern: str = ""
    form: str = ""

    def read(self, key: str, raw: object) -> str:
        """See `Kind`."""
        if not isinstance(raw, str):
            raise wrong_type(key, raw, "text")
        if not self.least <= len(raw) <= self.most:
            raise PolicyError(
                f"{key} must have from {self.least} to {self.most} characters",
                hint="change its length",
            )
        allowed = "\n\t" if self.lines else ""
        if any(category(c) in {"Cc", "Cs"} and c not in allowed for c in raw):
            raise PolicyError(f"{key} holds a control character", hint="remove it")
        if self.pattern and not re.fullmatch(self.pattern, raw):
            raise PolicyError(f"{key} cannot be {quote(raw[:60])}", hint=self.form)
        return raw

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return text

    def text(self, value: str) -> str:
        """See `Kind`."""
        return quote(value)

    def direction(self, old: str, new: str) -> Direction:  # noqa: ARG002 — see `Kind`
        """See `Kind`."""
        return "different"


@dataclass(frozen=True, slots=True)
class Zone:
    """The name of a time zone; another zone moves days both ways."""

    optional: bool = False

    def read(self, key: str, raw: object) -> str:
        """See `Kind`."""
        if not isinstance(raw, str):
            raise wrong_type(key, raw, "text")
        if not (self.optional and raw == ""):
            try:
                zone(raw)
            except PolicyError as error:
                raise PolicyError(f"{key}: {error.what}", hint=error.hint) from None
        return raw

    def bare(self, text: str) -> object:
        """See `Kind`."""
        return text

    def text(self, value: str) -> str:
        """See `Kind`."""
        return quote(value)

    def direction(self, old: str, new: str) -> Direction:  # noqa: ARG002 — see `Kind`
        """See `Kind`."""
        return "different"


def from_option(kind: Kind, key: str, text: str) -> Any:  # noqa: ANN401 — see `Kind`
    """The checked value of `text`, written as TOML or without its quotes.

    Raises:
        PolicyError: It is not a value of that kind.
    """
    raw: object = kind.bare(text)
    if text[:1] in {'"', "'", "["}:
        try:
            raw = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            raise PolicyError(
                f"the value given for {key} is not TOML", hint="check its quotes"
            ) from None
    return kind.read(key, raw)
