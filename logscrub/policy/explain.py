"""A policy in plain words: what each column keeps, for how long, and what a row still reveals."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logscrub.policy.settings import keeps_client, kept_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logscrub.policy.settings import Policy

_WIDTH = 100
_INDENT = 19
_SHOWN = 4
"""Networks that are named; content networks have hundreds."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What a kept column holds; `{p.section.key}` shows a setting, other names stand in `_facts`."""

    text: str
    is_coarsened: Callable[[Policy], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class _Reveal:
    """Something that rows tell, and when; the text as in `_Words`."""

    when: Callable[[Policy], bool]
    text: str


_COLUMNS: Mapping[str, _Words] = {
    "timestamp": _Words(
        "when the request was logged, cut to the {p.time.precision}, in UTC",
        lambda p: p.time.precision != "millisecond",
    ),
    "site": _Words("the host name if it is one of the {sites} in site.allow, else _other"),
    "client_net": _Words(
        "the client's network: the first {p.address.ipv4_bits} of 32 bits (IPv4) or "
        "{p.address.ipv6_bits} of 128 bits (IPv6); the rest of the address is gone",
        lambda _: True,
    ),
    "client_token": _Words(
        "a keyed token in place of the address (IPv6: of its /64), under a random key "
        "that serves {p.address.rotation} and is destroyed after {p.address.key_ttl}",
        lambda _: True,
    ),
    "ip_version": _Words("4 or 6"),
    "country": _Words(
        "the country of the address, looked up before the address is reduced", lambda _: True
    ),
    "asn": _Words(
        "the number of the provider's network, looked up before the address is reduced",
        lambda _: True,
    ),
    "method": _Words("GET, POST and so on; unknown ones are other"),
    "protocol": _Words("the HTTP version; unknown ones are other"),
    "path": _Words("{path}", lambda _: True),
    "query": _Words("{query}", lambda _: True),
    "status": _Words("the status code"),
    "bytes_sent": _Words("{bytes}", lambda p: p.request.bytes != "exact"),
    "duration_ms": _Words("how long the request took, in milliseconds, where the format logs it"),
    "referer_host": _Words("{referer} of the page that led here; never its path", lambda _: True),
    "language": _Words("the first language asked for, without its region", lambda _: True),
    "browser": _Words("the browser's family, from a fixed list", lambda _: True),
    "browser_version": _Words("its major version", lambda _: True),
    "os": _Words("the operating system's family, from a fixed list", lambda _: True),
    "device": _Words("the device's family, from a fixed list", lambda _: True),
    "bot": _Words("which known robot it was"),
    "threats": _Words(
        "labels of attacks found on the whole line before it was scrubbed; null as long as no rules run"
    ),
    "threat_rules": _Words(
        "which rule found them, and in which part of the line; null as long as no rules run"
    ),
}

_CHOICES: Mapping[str, str] = {
    "path/template": "the path, with recognised identifiers replaced by {id}, {user}, {email} and the like",
    "path/first-segment": "only the first segment of the path",
    "path/drop": "",
    "query/names": "the names of the parameters, without their values",
    "query/listed": "the parameters listed in request.query_allow, with their values",
    "query/drop": "",
    "bytes/exact": "the exact size of the answer",
    "bytes/power-of-two": "the size of the answer as a power of two",
    "bytes/drop": "",
    "referer/site": "the registrable domain",
    "referer/host": "the whole host name",
    "referer/drop": "",
}


def _is_exact(policy: Policy) -> bool:
    return policy.time.precision in {"millisecond", "second"}


def _joins_raw(policy: Policy) -> bool:
    return (
        _is_exact(policy) and policy.request.path == "template" and policy.request.bytes == "exact"
    )


_REVEALS = (
    _Reveal(
        lambda p: _is_exact(p) and p.request.path != "drop",
        "The time is kept to the {p.time.precision} and the path with it. A row that shows a login request, plus the "
        "application's own table of who logged in when, names a person. No address is needed for that.",
    ),
    _Reveal(
        lambda p: not _is_exact(p) and p.request.path != "drop",
        "The time is kept to the {p.time.precision}, so an application's own table of logins fits many rows of a busy "
        "site; on a quiet one it may still fit a single row and name a person.",
    ),
    _Reveal(
        _joins_raw,
        "While raw logs of the same requests exist, {p.time.precision} + path + bytes lead from a row back to its raw "
        "line and so to the full address: measured to the second, for 95 % of rows. Raw logs, error logs and backups "
        "are outside this program; keep raw logs for 7 days at most.",
    ),
    _Reveal(
        lambda p: not _joins_raw(p),
        "While raw logs of the same requests exist, what is kept can be compared with them: fewer rows lead back to "
        "one raw line than with second + path + bytes (95 %), but rare paths still do. Raw logs, error logs and "
        "backups are outside this program; keep raw logs for 7 days at most.",
    ),
    _Reveal(
        lambda p: p.address.mode == "truncate",
        "A network of {p.address.ipv4_bits} bits hides one client among at most {crowd4}, of whom most never visit: "
        "measured, 79.5 % of addresses were alone in their /24 and 63.1 % in their /16. The network tells the "
        "provider and often the region, and links the requests of one client for as long as rows are kept.",
    ),
    _Reveal(
        lambda p: p.address.mode == "truncate",
        "An IPv6 network of {p.address.ipv6_bits} bits {crowd6}.",
    ),
    _Reveal(
        lambda p: p.address.mode == "hash",
        "The token links all requests of one address for {p.address.rotation}. Whoever holds that period's key can "
        "compute the token of any address they have in mind, or of all IPv4 addresses one after the other, until the "
        "key is destroyed ({p.address.key_ttl}). So the rows are pseudonymous, personal data; destroying the key does "
        "not by itself change that (EDPB 01/2025, para. 22).",
    ),
    _Reveal(
        lambda p: p.address.mode == "hash",
        "After a new key the same client has another token, but a rare combination of other columns ({beside}) can "
        "link the two: measured, browser and operating system families linked 1.8 % of returning addresses to the "
        "next day, the full user agent 20.9 %, a network with them 55.0 %.",
    ),
    _Reveal(
        lambda p: p.address.mode == "drop",
        "Nothing of the address itself is kept, so repeated attempts of one client cannot be told from those of many.",
    ),
    _Reveal(
        lambda p: bool(p.address.trusted_proxies) and keeps_client(p),
        "Whoever connects from a trusted proxy's network can name any address as the client's, so a row is as true as "
        "those proxies are.",
    ),
    _Reveal(
        lambda p: p.geo.country or p.geo.asn,
        "A rare {geo} on a small site is a single visitor.",
    ),
    _Reveal(
        lambda p: p.time.precision in {"minute", "hour", "day"},
        "On a live pipe the time shows through although it is cut to the {p.time.precision}: each segment holds the "
        "rows of a few seconds, and its file says when it was written. Read rotated files on a schedule instead.",
    ),
    _Reveal(
        lambda p: p.request.path == "template",
        "Identifiers in paths are replaced when they are recognised. A name that looks like any other word, such as "
        "/people/jane, may stay.",
    ),
    _Reveal(
        lambda p: p.request.query == "names",
        "Names of query parameters are whatever the client sent.",
    ),
    _Reveal(
        lambda p: p.request.query == "listed" and bool(p.request.query_allow),
        "Values of the listed query parameters are kept as the client sent them.",
    ),
    _Reveal(
        lambda p: p.referer.keep != "drop",
        "The referring {p.referer.keep} tells where a visitor came from; a small one can be a single person's.",
    ),
    _Reveal(
        lambda p: p.agent.version and p.agent.os,
        "Browser, version and operating system together single out few: measured, 2.8 % of addresses were alone in "
        "them, 14.3 % of rows shared them with fewer than 5.",
    ),
    _Reveal(
        lambda p: p.threats.labels,
        "A threat label says what a request looked like, not who sent it and not that it succeeded; it can be wrong.",
    ),
)

_CAVEAT = (
    "Measured means one public log of four days with 1,753 IPv4 addresses: such figures show direction, not rates. "
    "Count it on your own data."
)
_NEVER = (
    "Nothing else of the line is kept: user name, cookies, the whole user agent, request ids, TLS fields, "
    "upstream addresses, all else that proxies say of the client."
)
_CLIENT = (
    "The client is whom the server took for it: a proxy, where one stands between and the server was not told "
    "(address.trusted_proxies is empty)."
)
_BEHIND = (
    "The client is whom the server took for it. Where that is a trusted proxy ({proxies}), it is the right-most "
    "address that is not one in the header that the log holds: X-Forwarded-For, Forwarded, X-Real-IP or that of a "
    "content network."
)


def explain(policy: Policy) -> str:
    """What a policy keeps, for how long and what that reveals, as text for people; ends with a line end."""
    facts = _facts(policy)
    parts = [f"Policy {policy.name}"]
    if policy.description.strip():
        parts.append(_wrap(" ".join(policy.description.split())))
    parts += ["", "How long", *(_wrap(line) for line in _how_long(policy)), "", "What is kept"]
    parts += _columns(policy, facts)
    if keeps_client(policy):
        words = _BEHIND if policy.address.trusted_proxies else _CLIENT
        parts.append(_wrap(words.format(**facts)))
    parts += [_wrap(_NEVER), "", "What a row reveals"]
    parts += [
        _wrap(one.text.format(p=policy, **facts), first="- ")
        for one in _REVEALS
        if one.when(policy)
    ]
    parts.append(_wrap(_CAVEAT, first="- "))
    return "\n".join(parts) + "\n"


def _how_long(policy: Policy) -> tuple[str, ...]:
    rule = policy.retention
    when = (
        f"Rows are deleted at the start of the day that comes {rule.period} after the closure of the log file they "
        f"came from, in the time zone {rule.timezone}. The day of the newest line counts as the closure, so copying "
        "or piping an old file gives its rows no more time."
    )
    longer = "A longer period needs `logscrub policy apply` with a reason, and holds only for rows collected after it."
    return when, longer


def _columns(policy: Policy, facts: dict[str, str]) -> list[str]:
    kept = kept_columns(policy)
    lines = []
    for column, words in _COLUMNS.items():
        state = "dropped"
        if column in kept:
            is_coarsened = words.is_coarsened(policy)
            text = words.text.format(p=policy, **facts)
            state = ("coarsened: " if is_coarsened else "kept: ") + text
        lines.append(_wrap(state, first=f"{column:<{_INDENT - 2}}"))
    return lines


def _facts(policy: Policy) -> dict[str, str]:
    """The words that follow from values but are no setting."""
    rest4, rest6 = 32 - policy.address.ipv4_bits, 48 - policy.address.ipv6_bits
    beside = [
        column
        for column in (
            "ip_version",
            "country",
            "asn",
            "referer_host",
            "language",
            "browser",
            "os",
            "device",
        )
        if column in kept_columns(policy)
    ]
    sites = len(policy.site.allow)
    geo = [
        name
        for name, is_kept in (("country", policy.geo.country), ("provider", policy.geo.asn))
        if is_kept
    ]
    return {
        "sites": f"{sites} name" + ("" if sites == 1 else "s"),
        "proxies": _proxies(policy.address.trusted_proxies),
        "path": _CHOICES[f"path/{policy.request.path}"],
        "query": _CHOICES[f"query/{policy.request.query}"],
        "bytes": _CHOICES[f"bytes/{policy.request.bytes}"],
        "referer": _CHOICES[f"referer/{policy.referer.keep}"],
        "crowd4": f"{2**rest4:,} addresses" if rest4 else "1 address, that is not at all",
        "crowd6": (
            f"holds at least {2**rest6:,} homes or offices, since each gets at most a /48 (RIPE-690)"
            if rest6 > 0
            else "can be exactly one home or office, since each gets a /48 or a /56 (RIPE-690)"
        ),
        "beside": ", ".join(beside) or "path, time",
        "geo": " or ".join(geo),
    }


def _proxies(networks: tuple[str, ...]) -> str:
    shown = ", ".join(networks[:_SHOWN])
    rest = len(networks) - _SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _wrap(text: str, *, first: str = "") -> str:
    indent = " " * (2 + len(first))
    return textwrap.fill(
        text, _WIDTH, initial_indent="  " + first, subsequent_indent=indent, break_long_words=False
    )
