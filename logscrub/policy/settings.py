"""The policy as a value, and the one table of its settings that reading, writing and comparing share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from logscrub.policy.kinds import Choice, Flag, Kind, Names, Networks, Span, Text, Whole, Zone
from logscrub.policy.period import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ONE_DAY = Period(days=1)
THIRTY_DAYS = Period(days=30)

Precision = Literal["millisecond", "second", "minute", "hour", "day"]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows are kept after the closure of their log file, and whose days count."""

    period: Period
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Time:
    """How exact `timestamp` is."""

    precision: Precision = "second"


@dataclass(frozen=True, slots=True)
class Site:
    """`site`: whether it is kept, and which host names may appear; all others become `_other`."""

    keep: bool = True
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """What is left of the client's address: `client_net`, `client_token` or neither, and `ip_version`.

    Args:
        mode: `truncate` to a network, `hash` to a keyed token, or `drop`.
        ipv4_bits: Width of the network kept by `truncate`.
        ipv6_bits: The same for IPv6.
        version: Whether `ip_version` is kept.
        rotation: How long one key makes the tokens; in days.
        key_ttl: How long a key exists before it is destroyed; in days, never less than `rotation`.
        trusted_proxies: Networks whose word is taken on who the client is; all others are clients themselves.
    """

    mode: Literal["truncate", "hash", "drop"] = "truncate"
    ipv4_bits: int = 24
    ipv6_bits: int = 40
    version: bool = True
    rotation: Period = ONE_DAY
    key_ttl: Period = THIRTY_DAYS
    trusted_proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Geo:
    """What is looked up before the address is reduced."""

    country: bool = False
    asn: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is kept of the request line and its outcome."""

    method: bool = True
    protocol: bool = True
    path: Literal["template", "first-segment", "drop"] = "template"
    query: Literal["drop", "names", "listed"] = "drop"
    query_allow: tuple[str, ...] = ()
    status: bool = True
    bytes: Literal["exact", "power-of-two", "drop"] = "exact"
    duration: bool = True


@dataclass(frozen=True, slots=True)
class Referer:
    """`referer_host`: nothing, the registrable domain (public suffix + 1), or the whole host name."""

    keep: Literal["drop", "site", "host"] = "drop"


@dataclass(frozen=True, slots=True)
class Language:
    """`language`: the primary subtag of Accept-Language, where a format logs it."""

    keep: bool = False


@dataclass(frozen=True, slots=True)
class Agent:
    """What is kept of the user agent; never the string itself."""

    browser: bool = True
    version: bool = True
    os: bool = False
    device: bool = False
    bot: bool = True


@dataclass(frozen=True, slots=True)
class Threats:
    """`threats` (what was found on the raw line) and `threat_rules` (by which rule)."""

    labels: bool = True
    rules: bool = True


@dataclass(frozen=True, slots=True)
class SourceRule:
    """How the files under a path are read.

    Args:
        path: A glob; `{site}` in it stands for the site's name.
        format: The name of a format, a format string, or `auto`.
        site: The site's name, when the path does not hold it.
        timezone: The zone of time stamps that do not say theirs; empty where none was given.
    """

    path: str
    format: str = "auto"
    site: str = ""
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept, how coarse, how long; `load` is the way to make one.

    Args:
        name: What it is called.
        description: What it is for and why it keeps rows as long as it does.
        retention: The only part without a default: nothing is ever kept for ever by omission.
        sources: Rules for paths; the first that fits counts.
    """

    name: str
    description: str
    retention: Retention
    time: Time = Time()
    site: Site = Site()
    address: Address = Address()
    geo: Geo = Geo()
    request: Request = Request()
    referer: Referer = Referer()
    language: Language = Language()
    agent: Agent = Agent()
    threats: Threats = Threats()
    sources: tuple[SourceRule, ...] = ()


SECTIONS: Mapping[str, type] = {
    "retention": Retention,
    "time": Time,
    "site": Site,
    "address": Address,
    "geo": Geo,
    "request": Request,
    "referer": Referer,
    "language": Language,
    "agent": Agent,
    "threats": Threats,
}

HOST = r"[a-z0-9][a-z0-9._-]{0,252}"
_HOST_FORM = 'a host name in lower case, without a port, such as "www.example.org"'

HEADER: Mapping[str, Text] = {
    "name": Text(255, least=1),
    "description": Text(2_000, lines=True),
}
"""Keys before the first table. They say what a policy is called and for, not what it keeps."""

# Choices stand from loose to tight; what cannot be ranked stands in one group.
SETTINGS: Mapping[str, Kind] = {
    "retention.period": Span(),
    "retention.timezone": Zone(),
    "time.precision": Choice((("millisecond",), ("second",), ("minute",), ("hour",), ("day",))),
    "site.keep": Flag(),
    "site.allow": Names(HOST, _HOST_FORM),
    # A token links the requests of one address, a network does not; a network says where, a token does not.
    "address.mode": Choice((("truncate", "hash"), ("drop",))),
    "address.ipv4_bits": Whole(0, 32),
    "address.ipv6_bits": Whole(0, 128),
    "address.version": Flag(),
    "address.rotation": Span(months=False),
    "address.key_ttl": Span(months=False),
    # Another client's address is kept as coarse as the proxy's was: whose it is cannot be ranked.
    "address.trusted_proxies": Networks(),
    "geo.country": Flag(),
    "geo.asn": Flag(),
    "request.method": Flag(),
    "request.protocol": Flag(),
    "request.path": Choice((("template",), ("first-segment",), ("drop",))),
    # All names without values, or some names with values: neither is less than the other.
    "request.query": Choice((("names", "listed"), ("drop",))),
    "request.query_allow": Names(
        r"[A-Za-z0-9_.\[\]-]{1,64}",
        "the name of a parameter, without its value: letters, digits, _ . - [ ]",
    ),
    "request.status": Flag(),
    "request.bytes": Choice((("exact",), ("power-of-two",), ("drop",))),
    "request.duration": Flag(),
    "referer.keep": Choice((("host",), ("site",), ("drop",))),
    "language.keep": Flag(),
    "agent.browser": Flag(),
    "agent.version": Flag(),
    "agent.os": Flag(),
    "agent.device": Flag(),
    "agent.bot": Flag(),
    "threats.labels": Flag(),
    "threats.rules": Flag(),
}
"""Every setting by its key, in the order of the file."""

SOURCE_SETTINGS: Mapping[str, Kind] = {
    "path": Text(
        1_000,
        least=1,
        pattern=r"[^{}]*(\{site\})?[^{}]*",
        form="only one {site} may stand in braces",
    ),
    "format": Text(4_000, least=1, lines=True),
    "site": Text(253, pattern=f"({HOST})?", form=_HOST_FORM),
    "timezone": Zone(optional=True),
}
"""The keys of one `[[sources]]` table."""

_KEPT: Mapping[str, Callable[[Policy], bool]] = {
    "timestamp": lambda _: True,
    "site": lambda p: p.site.keep,
    "client_net": lambda p: p.address.mode == "truncate",
    "client_token": lambda p: p.address.mode == "hash",
    "ip_version": lambda p: p.address.version,
    "country": lambda p: p.geo.country,
    "asn": lambda p: p.geo.asn,
    "method": lambda p: p.request.method,
    "protocol": lambda p: p.request.protocol,
    "path": lambda p: p.request.path != "drop",
    "query": lambda p: (
        p.request.query == "names" or (p.request.query == "listed" and bool(p.request.query_allow))
    ),
    "status": lambda p: p.request.status,
    "bytes_sent": lambda p: p.request.bytes != "drop",
    "duration_ms": lambda p: p.request.duration,
    "referer_host": lambda p: p.referer.keep != "drop",
    "language": lambda p: p.language.keep,
    "browser": lambda p: p.agent.browser,
    "browser_version": lambda p: p.agent.version,
    "os": lambda p: p.agent.os,
    "device": lambda p: p.agent.device,
    "bot": lambda p: p.agent.bot,
    "threats": lambda p: p.threats.labels,
    "threat_rules": lambda p: p.threats.rules,
}
# The names are those of `schema.COLUMNS`, which a test holds: importing it here would load PyArrow for every command.


def kept_columns(policy: Policy) -> tuple[str, ...]:
    """The names of the columns that the policy keeps, in the order of `schema.COLUMNS`; the others are null."""
    return tuple(column for column, is_kept in _KEPT.items() if is_kept(policy))


_OF_CLIENT = frozenset({"client_net", "client_token", "ip_version", "country", "asn"})


def keeps_client(policy: Policy) -> bool:
    """Whether any column is made from the client's address."""
    return not _OF_CLIENT.isdisjoint(kept_columns(policy))


def value_of(policy: Policy, key: str) -> Any:  # noqa: ANN401 — settings are of many types; `Policy` is typed
    """The value of a setting of `SETTINGS`."""
    section, name = key.split(".")
    return getattr(getattr(policy, section), name)


def with_value(policy: Policy, key: str, value: object) -> Policy:
    """The policy with one setting of `SETTINGS` replaced; the value must have been read by its kind."""
    section, name = key.split(".")
    changed = replace(getattr(policy, section), **{name: value})
    return replace(policy, **{section: changed})
