"""What is wrong, risky or worth knowing about a policy, each with the reason and its source.

[S0], [EDPB 01/2025] and the like are explained in `configs/README.md`. "Measured" means one public log of four
days (9,999 lines, 1,753 IPv4 addresses): such figures show direction, not rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal

from logscrub.policy.period import Period
from logscrub.policy.settings import keeps_client, kept_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from logscrub.policy.settings import Policy

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a policy.

    Args:
        level: `error` stops every run, `warning` needs a reason of your own, `note` is worth knowing.
        text: What is found and why it matters.
        hint: What to do about it.
    """

    level: Level
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """A finding and when it holds; `{p.section.key}` in the text shows a value of the policy."""

    level: Level
    when: Callable[[Policy], bool]
    text: str
    hint: str


_ANYBODY: dict[int, int] = {4: 10, 6: 24}
"""Bits below which a network is wider than any that a content network or a cloud says its proxies are in."""
# loopback, private use, carriers, one link: RFC 1122, 1918, 6598, 3927; 4291, 4193
_INTERNAL_4 = tuple(
    map(
        IPv4Network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    )
)  # fmt: skip
_INTERNAL_6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7", "fe80::/10")))


def _is_anybody(text: str) -> bool:
    """Whether a trusted network is so wide that strangers have addresses in it."""
    network = ip_network(text)
    inside = (
        any(network.subnet_of(one) for one in _INTERNAL_4)
        if isinstance(network, IPv4Network)
        else any(network.subnet_of(one) for one in _INTERNAL_6)
    )
    return network.prefixlen < _ANYBODY[network.version] and not inside


_CONTRADICTIONS = (
    _Rule(
        "error",
        lambda p: not p.retention.period,
        "retention.period is empty",
        'say how long rows are kept, such as period = "12 months"; nothing is kept for ever',
    ),
    _Rule(
        "error",
        lambda p: (
            bool(p.address.rotation.months or p.address.key_ttl.months) or not p.address.rotation
        ),
        "address.rotation and address.key_ttl must be days",
        'write rotation = "1 day" and key_ttl = "30 days"',
    ),
    _Rule(
        "error",
        lambda p: p.address.key_ttl.days < p.address.rotation.days,
        "address.key_ttl ({p.address.key_ttl}) is shorter than address.rotation ({p.address.rotation}): "
        "a key would be destroyed while it is in use",
        "make key_ttl at least as long as rotation",
    ),
    _Rule(
        "error",
        lambda p: p.agent.version and not p.agent.browser,
        "agent.version without agent.browser keeps the version of nothing",
        "set agent.version = false as well, or keep agent.browser",
    ),
    _Rule(
        "error",
        lambda p: p.threats.rules and not p.threats.labels,
        "threats.rules without threats.labels: a rule's name says the label that is not to be kept",
        "set threats.rules = false as well, or keep threats.labels",
    ),
)

_RULES = (
    # retention
    _Rule(
        "warning",
        lambda p: not p.retention.period.within(Period(months=12)),
        "rows are kept for {p.retention.period}; the promise this program was built for is at most 12 months after "
        "the closure of the log file [S0], and WP148 (2008) sees no basis for search logs beyond 6 months",
        "shorten retention.period, or have the reason written where visitors can read it",
    ),
    _Rule(
        "warning",
        lambda p: not p.description.strip(),
        "nothing says why rows are kept for {p.retention.period}: a period needs a purpose (GDPR Art. 5(1)(b), (e))",
        "write the reason into description",
    ),
    _Rule(
        "warning",
        lambda p: "anonym" in p.description.lower(),
        "the description promises more than scrubbing gives: rows that hold a network, a token or exact times are "
        "reduced, yet personal data [Breyer, EDPB 01/2025]",
        'say "scrubbed" and what is left; `logscrub policy explain` has the words',
    ),
    # address
    _Rule(
        "warning",
        lambda p: p.address.mode == "truncate" and p.address.ipv4_bits > 24,
        "address.ipv4_bits = {p.address.ipv4_bits} hides fewer than 256 addresses, and /32 hides none; "
        "even /24 is judged insufficient by the WP29 letter of 2010",
        "choose 24 or less",
    ),
    _Rule(
        "note",
        lambda p: p.address.mode == "truncate" and 16 < p.address.ipv4_bits <= 24,
        "address.ipv4_bits = {p.address.ipv4_bits} hides hardly anybody on a small site: measured, 79.5 % of "
        "addresses were alone in their /24, and 94.0 % of rows shared it with fewer than 5",
        "count it on your own data with `logscrub query`; a narrower network such as 16 hides more",
    ),
    _Rule(
        "note",
        lambda p: p.address.mode == "truncate" and 8 < p.address.ipv4_bits <= 16,
        "address.ipv4_bits = {p.address.ipv4_bits} still singles out many on a small site: measured, 63.1 % of "
        "addresses were alone in their /16",
        "count it on your own data with `logscrub query`",
    ),
    _Rule(
        "warning",
        lambda p: p.address.mode == "truncate" and p.address.ipv6_bits >= 48,
        "address.ipv6_bits = {p.address.ipv6_bits} can be exactly one customer: providers give a home or an office "
        "a /48 or a /56 (RIPE-690)",
        "choose 40 or less; 32 is the careful width",
    ),
    _Rule(
        "note",
        lambda p: p.address.mode == "truncate" and 0 in (p.address.ipv4_bits, p.address.ipv6_bits),
        "a width of 0 bits keeps nothing of the network but the kind of address",
        'choose address.mode = "drop" if no network is wanted at all',
    ),
    # token
    _Rule(
        "warning",
        lambda p: p.address.mode == "hash" and p.address.rotation.days > 7,
        "address.rotation = {p.address.rotation} links all requests of one address for that long; more than a week "
        "makes a profile. EDPB 01/2025 names daily independent secrets (para. 115, note 32)",
        'choose rotation = "1 day", at most "7 days"',
    ),
    _Rule(
        "note",
        lambda p: p.address.mode == "hash" and 1 < p.address.rotation.days <= 7,
        "address.rotation = {p.address.rotation} links the requests of one address across days; EDPB 01/2025 names "
        "daily independent secrets (para. 115, note 32)",
        'choose rotation = "1 day" unless attacks are spread over days',
    ),
    _Rule(
        "warning",
        lambda p: p.address.mode == "hash" and p.address.key_ttl.days > 30,
        "address.key_ttl = {p.address.key_ttl}: for that long whoever reads the keys can compute the token of any "
        "address",
        'choose key_ttl = "30 days" or less: the time in which late log files still come in',
    ),
    _Rule(
        "warning",
        lambda p: p.address.mode == "hash" and not p.address.key_ttl.within(p.retention.period),
        "address.key_ttl = {p.address.key_ttl}: keys may outlive the rows they were made for "
        "(retention.period = {p.retention.period})",
        "make key_ttl no longer than retention.period",
    ),
    _Rule(
        "warning",
        lambda p: p.address.mode == "hash" and not p.retention.period.within(Period(days=92)),
        "tokens are kept for {p.retention.period}; a row with a token is a pseudonym, and the tiers drawn up for "
        "S0 keep tokens for 90 days",
        'keep tokens for "90 days", and the long record without them',
    ),
    # proxies
    _Rule(
        "warning",
        lambda p: any(map(_is_anybody, p.address.trusted_proxies)),
        "address.trusted_proxies has a network so wide that strangers have addresses in it: whoever connects from one "
        "chooses the address that rows show, and can put an attack down to somebody else",
        "list only the addresses of your own proxies, and the ranges that your content network publishes",
    ),
    _Rule(
        "note",
        lambda p: bool(p.address.trusted_proxies) and not keeps_client(p),
        "address.trusted_proxies has no effect while nothing is kept of the address",
        "empty the list",
    ),
    # time
    _Rule(
        "warning",
        lambda p: p.time.precision == "millisecond",
        "milliseconds make nearly every row unique, and no purpose in the promises needs them",
        'choose time.precision = "second" or coarser',
    ),
    _Rule(
        "note",
        lambda p: p.time.precision in {"millisecond", "second"} and p.request.path == "template",
        "a login request kept to the {p.time.precision} names a person to whoever also holds the application's own "
        "table of logins",
        'choose time.precision = "minute" or coarser, or request.path = "first-segment"',
    ),
    _Rule(
        "note",
        lambda p: (
            p.time.precision in {"millisecond", "second"}
            and p.request.path == "template"
            and p.request.bytes == "exact"
        ),
        "{p.time.precision} + path + bytes lead back to the raw line while raw logs exist: measured, second + path + "
        "bytes were unique for 95 % of rows",
        "keep raw logs for 7 days at most; the logrotate file in configs does",
    ),
    _Rule(
        "note",
        lambda p: p.time.precision in {"minute", "hour", "day"},
        "time.precision = {p.time.precision} hides less on a live pipe: a segment holds the rows of a few seconds, "
        "and the time of its file tells which",
        "read rotated files on a schedule instead of a pipe",
    ),
    # site, path, query, referer, agent
    _Rule(
        "note",
        lambda p: p.site.keep and not p.site.allow,
        "site.keep with an empty site.allow: every host name becomes _other, because clients choose what they send",
        "list the host names you serve in site.allow, or set site.keep = false",
    ),
    _Rule(
        "warning",
        lambda p: p.site.keep and bool({rule.site for rule in p.sources} - {"", *p.site.allow}),
        "a site named in sources is not in site.allow, so its rows show _other",
        "add it to site.allow",
    ),
    _Rule(
        "note",
        lambda p: bool(p.site.allow) and not p.site.keep,
        "site.allow has no effect while site.keep is false",
        "empty the list",
    ),
    _Rule(
        "warning",
        lambda p: p.request.query == "listed" and not p.request.query_allow,
        'request.query = "listed" with an empty request.query_allow keeps nothing',
        'list parameters in request.query_allow, or choose query = "drop"',
    ),
    _Rule(
        "note",
        lambda p: bool(p.request.query_allow) and p.request.query != "listed",
        'request.query_allow has no effect while request.query is "{p.request.query}"',
        "empty the list",
    ),
    _Rule(
        "warning",
        lambda p: p.request.query == "listed" and bool(p.request.query_allow),
        "values of query parameters are kept as visitors sent them: searches, names and session ids live there",
        "list only parameters whose values you choose yourself, such as page or lang",
    ),
    _Rule(
        "note",
        lambda p: p.request.query == "names",
        "names of query parameters are chosen by whoever sends the request",
        'choose request.query = "drop" unless you need them',
    ),
    _Rule(
        "warning",
        lambda p: p.referer.keep == "host",
        "a whole referring host can name a person or a customer (jane.blog.example); S0 does not declare referrers",
        'choose referer.keep = "site" (the registrable domain), or "drop"',
    ),
    _Rule(
        "note",
        lambda p: p.agent.version and p.agent.os,
        "browser, version and operating system together single out: measured, 2.8 % of addresses were alone in them, "
        "and 14.3 % of rows shared them with fewer than 5; without the version 0.2 % and 4.1 %",
        "set agent.version = false",
    ),
    _Rule(
        "note",
        lambda p: p.agent.device,
        "a rare device family can be one visitor of a small site; S0 does not declare it",
        "set agent.device = false unless your notice says it",
    ),
)

_BESIDE_TOKEN = {
    "ip_version": "tells two groups of visitors apart that a new token would hide",
    "country": "a network beside a daily token let 55.0 % of returning addresses be linked to the next day; "
    "a country is a coarser place of the same kind",
    "asn": "a network beside a daily token let 55.0 % of returning addresses be linked to the next day; "
    "a provider's number is a coarser network",
    "referer_host": "a rare referring site returns with its visitor",
    "language": "a rare language returns with its visitor",
    "browser_version": "the full user agent alone linked 20.9 % of returning addresses to the next day, "
    "family and operating system 1.8 %",
    "device": "the full user agent alone linked 20.9 % of returning addresses to the next day, "
    "family and operating system 1.8 %",
}
"""Quasi-identifiers and what each does to the rotation of a token; shares are measured."""


def contradictions(policy: Policy) -> tuple[Finding, ...]:
    """The errors of a policy: settings that cannot hold together. `load` refuses them."""
    return _findings(policy, _CONTRADICTIONS)


def check(policy: Policy) -> tuple[Finding, ...]:
    """All findings about a policy, errors first; a policy that `load` gave has no errors."""
    beside = tuple(
        Finding(
            "warning",
            f"{column} beside client_token undoes the rotation of keys: {why}",
            f"drop {column}, or the token",
        )
        for column, why in _BESIDE_TOKEN.items()
        if policy.address.mode == "hash" and column in kept_columns(policy)
    )
    found = (*contradictions(policy), *_findings(policy, _RULES), *beside)
    order: tuple[Level, ...] = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _findings(policy: Policy, rules: tuple[_Rule, ...]) -> tuple[Finding, ...]:
    return tuple(
        Finding(rule.level, rule.text.format(p=policy), rule.hint)
        for rule in rules
        if rule.when(policy)
    )
