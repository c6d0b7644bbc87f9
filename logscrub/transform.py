"""Parsed columns become the scrubbed table: the one place where the policy meets the scrubbers.

The table is *constructed* from what scrubbers return. A field that no line below names does not exist in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub import keys as key
from logscrub.compiled import Places, compiled
from logscrub.formats.lexicons import Lexicons
from logscrub.memory import Memory
from logscrub.policy import kept_columns
from logscrub.schema import COLUMNS, Parsed, Raw, compact
from logscrub.scrubbers import (
    address,
    agent,
    forwarded,
    geo,
    language,
    number,
    query,
    referer,
    site,
    time,
    url,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logscrub.policy import Policy

    Scrub = Callable[[pa.StringArray], pa.Array]

_SEAL = object()

NEEDS: dict[str, frozenset[Raw]] = {
    "timestamp": frozenset({Raw.TIME}),
    "site": frozenset({Raw.SITE}),
    "client_net": frozenset({Raw.ADDRESS}),
    "client_token": frozenset({Raw.ADDRESS}),
    "ip_version": frozenset({Raw.ADDRESS}),
    "country": frozenset({Raw.ADDRESS}),
    "asn": frozenset({Raw.ADDRESS}),
    "method": frozenset({Raw.METHOD}),
    "protocol": frozenset({Raw.PROTOCOL}),
    "path": frozenset({Raw.PATH}),
    "query": frozenset({Raw.QUERY}),
    "status": frozenset({Raw.STATUS}),
    "bytes_sent": frozenset({Raw.BYTES}),
    "duration_ms": frozenset({Raw.DURATION}),
    "referer_host": frozenset({Raw.REFERER}),
    "language": frozenset({Raw.LANGUAGE}),
    "browser": frozenset({Raw.AGENT}),
    "browser_version": frozenset({Raw.AGENT}),
    "os": frozenset({Raw.AGENT}),
    "device": frozenset({Raw.AGENT}),
    "bot": frozenset({Raw.AGENT}),
}
"""Which raw fields each column is made from."""


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A table that may be written. Only `Transform.apply` builds it.

    Args:
        table: The columns of `schema.COLUMNS`; strings as `dictionary<int32, string>`.
        newest_ms: The newest event of the block before its time was coarsened, None without rows.
    """

    table: pa.Table
    newest_ms: int | None
    seal: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("only a transform makes scrubbed tables")


@dataclass(frozen=True, slots=True)
class Geo:
    """The geo tables at hand, None where the user named no database."""

    country: geo.GeoTable | None = None
    asn: geo.GeoTable | None = None


def sorts(policy: Policy) -> bool:
    """Whether rows must be sorted by all columns, because their order tells the time that was coarsened."""
    return policy.time.precision not in {"second", "millisecond"}


@dataclass(frozen=True, slots=True)
class Transform:
    """A policy, compiled.

    Args:
        policy: What to keep, and how coarse.
        databases: For country and ASN.
        lexicons: Distinct values of the blocks before.
        memory: Answers for them; the same whether it is empty or full.
    """

    policy: Policy
    databases: Geo
    lexicons: Lexicons = field(default_factory=Lexicons, repr=False, compare=False)
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns that are not all null."""
        return kept_columns(self.policy)

    @property
    def needs(self) -> frozenset[Raw]:
        """The raw fields to parse."""
        needed = frozenset({Raw.TIME}).union(*(NEEDS.get(name, frozenset()) for name in self.kept))
        behind = Raw.ADDRESS in needed and self.policy.address.trusted_proxies
        return needed | {Raw.FORWARDED} if behind else needed

    @property
    def sorts(self) -> bool:
        """See `sorts`."""
        return sorts(self.policy)

    def periods(self, parsed: Parsed) -> frozenset[int]:
        """The key periods that `apply` will need keys for."""
        if self.policy.address.mode != "hash" or not parsed.rows:
            return frozenset()
        numbers = key.period_of(_instants(parsed), self.policy.address.rotation.days)
        return frozenset(int(number) for number in np.unique(numbers))

    def apply(
        self, parsed: Parsed, *, keys: Mapping[int, key.Key | None], site_name: str = ""
    ) -> Scrubbed:
        """Scrub one block.

        Args:
            parsed: The raw fields that `needs` names.
            keys: For each of `periods`; None for one that was destroyed, which gives null tokens.
            site_name: The site of the source, already judged; it outranks the one in the line.

        Returns:
            The scrubbed rows, in line order.
        """
        columns = _columns(self, parsed, keys, site_name) if parsed.rows else {}
        arrays = [
            columns[one.name]
            if one.name in columns and one.name in self.kept
            else _nulls(one, parsed.rows)
            for one in COLUMNS
        ]
        newest = int(_instants(parsed).max()) if parsed.rows else None
        return Scrubbed(pa.table(arrays, schema=TABLE), newest, _SEAL)


def compile_policy(policy: Policy, databases: Geo) -> Transform:
    """Bind a policy to its scrubbers, so that what does not fit fails before the first byte is read.

    Raises:
        PolicyError: The policy asks for country or ASN and no database is there.
    """
    return Transform(policy, databases)


def _dictionary(one: pa.Field) -> pa.Field:
    return one.with_type(pa.dictionary(pa.int32(), pa.string())) if one.type == pa.string() else one


TABLE = pa.schema([_dictionary(one) for one in COLUMNS])
"""`COLUMNS` with strings as dictionaries: the shape of `Scrubbed.table`."""


def _nulls(one: pa.Field, rows: int) -> pa.Array:
    return _many_nulls(_dictionary(one).type, max(rows - 1, 0).bit_length())[:rows]


@lru_cache(maxsize=16)
def _many_nulls(kind: pa.DataType, power: int) -> pa.Array:
    return pa.nulls(2**power, kind)


def _instants(parsed: Parsed) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        parsed.columns[Raw.TIME].cast(pa.int64()).to_numpy(zero_copy_only=False)
    )
    return values


def _columns(
    transform: Transform, parsed: Parsed, keys: Mapping[int, key.Key | None], site_name: str
) -> dict[str, pa.Array]:
    parsed = _with_clients(transform, parsed)
    policy, raw = transform.policy, parsed.columns
    columns = {
        name: through(transform, parsed, name, source, scrub)
        for name, (source, scrub) in _scrubbers(transform).items()
        if name in transform.kept and source in raw
    }
    columns["timestamp"] = time.coarsen(raw[Raw.TIME], policy.time.precision)
    if site_name:
        nought = pa.array(np.zeros(parsed.rows, np.int32))
        columns["site"] = pa.DictionaryArray.from_arrays(nought, pa.array([site_name]))
    for name, source in _NUMBERS.items():
        if source in raw:
            columns[name] = raw[source]
    if policy.request.bytes == "power-of-two" and "bytes_sent" in columns:
        columns["bytes_sent"] = number.powers_of_two(columns["bytes_sent"])
    if "client_token" in transform.kept and Raw.ADDRESS in raw:
        periods = key.period_of(_instants(parsed), policy.address.rotation.days)
        columns["client_token"] = _tokens(raw[Raw.ADDRESS], periods, keys)
    return columns


def _with_clients(transform: Transform, parsed: Parsed) -> Parsed:
    """The block with the client in the place of a trusted proxy that names it."""
    networks = transform.policy.address.trusted_proxies
    if not networks or not {Raw.ADDRESS, Raw.FORWARDED} <= parsed.columns.keys():
        return parsed
    trusted = forwarded.trusted(networks)
    believed, named = (
        through(transform, parsed, name, source, partial(scrub, trusted=trusted))
        for name, source, scrub in (
            ("believed", Raw.ADDRESS, forwarded.believed),
            ("named", Raw.FORWARDED, forwarded.named),
        )
    )
    peers = parsed.columns[Raw.ADDRESS]
    behind = pc.add(peers.indices, pa.scalar(len(named.dictionary), pa.int32()))
    chosen = pc.and_(believed.fill_null(False), named.is_valid())
    column = pa.DictionaryArray.from_arrays(
        pc.if_else(chosen, named.indices, behind),
        pa.concat_arrays([named.dictionary, peers.dictionary]),
    )
    lexicons = dict(parsed.lexicons)
    lexicons.pop(Raw.ADDRESS, None)
    columns = {**parsed.columns, Raw.ADDRESS: compact(column)}
    return replace(parsed, columns=columns, lexicons=lexicons)


def through(transform: Transform, parsed: Parsed, name: str, source: Raw, scrub: Scrub) -> pa.Array:
    """A raw text column with its values replaced by what a scrubber says of them, each value asked about once.

    Args:
        transform: Its memory is used.
        parsed: A block.
        name: Of the scrubber, as the memory knows it.
        source: The column.
        scrub: Gives one answer for each distinct value.

    Returns:
        As many rows; of text a dictionary without a value that no row has.
    """
    column = parsed.columns[source]
    # without a lexicon the values stand for themselves
    lexicon = parsed.lexicons.get(source, column)
    said = transform.memory.recall(name, lexicon, column.dictionary, scrub)
    rows = column.indices.fill_null(-1).to_numpy()
    indices = np.empty(len(rows), np.int32)
    used = np.empty(len(said.answers), np.int32)
    unseen = np.full(len(said.answers), -1, np.int32)
    size = _renumber(rows, said.places, unseen, indices, used)
    answers = said.answers.take(pa.array(used[:size]))
    null = indices < 0
    numbers = pa.array(indices, mask=null if null.any() else None)
    if not pa.types.is_string(answers.type):
        return answers.take(numbers)
    return pa.DictionaryArray.from_arrays(numbers, answers, safe=False)


@compiled
def _renumber(
    rows: Places, places: Places, number_of: Places, indices: Places, used: Places
) -> int:
    """Number the places that occur as they first do, so that no answer is written that no row has."""
    size = 0
    for row in range(len(rows)):
        place = places[rows[row]] if rows[row] >= 0 else -1
        if place < 0:
            indices[row] = -1
            continue
        if number_of[place] < 0:
            number_of[place] = size
            used[size] = place
            size += 1
        indices[row] = number_of[place]
    return size


_NUMBERS = {"status": Raw.STATUS, "bytes_sent": Raw.BYTES, "duration_ms": Raw.DURATION}


def _scrubbers(transform: Transform) -> dict[str, tuple[Raw, Scrub]]:
    """The columns that are made of one raw text field, each with its scrubber of distinct values."""
    policy, databases = transform.policy, transform.databases
    found: dict[str, tuple[Raw, Scrub]] = {
        "site": (Raw.SITE, partial(site.scrub, allow=policy.site.allow)),
        "method": (Raw.METHOD, number.method),
        "protocol": (Raw.PROTOCOL, number.protocol),
        "language": (Raw.LANGUAGE, language.scrub),
    }
    request, kept = policy.request, policy.referer.keep
    if request.path != "drop":
        found["path"] = (Raw.PATH, partial(url.path, mode=request.path))
    if request.query != "drop":
        found["query"] = (
            Raw.QUERY,
            partial(query.query, mode=request.query, allow=request.query_allow),
        )
    if kept != "drop":
        found["referer_host"] = (Raw.REFERER, partial(referer.referer, mode=kept))
    wanted = frozenset(part for name, part in _PARTS.items() if name in transform.kept)
    for name, part in _PARTS.items():
        found[name] = (Raw.AGENT, partial(_part_of_agent, part=part, wanted=wanted))
    rule = policy.address
    narrow = partial(address.truncate, v4=rule.ipv4_bits, v6=rule.ipv6_bits)
    ways: dict[str, Callable[[address.Addresses], pa.Array]] = {
        "client_net": narrow, "ip_version": address.version,
    }  # fmt: skip
    if databases.country:
        ways["country"] = partial(geo.country, table=databases.country)
    if databases.asn:
        ways["asn"] = partial(geo.asn, table=databases.asn)
    for name, way in ways.items():
        found[name] = (Raw.ADDRESS, partial(_of_address, way=way))
    return found


_PARTS = {
    "browser": "browser",
    "browser_version": "version",
    "os": "os",
    "device": "device",
    "bot": "bot",
}
"""Which part of a user agent each column holds."""


def _part_of_agent(values: pa.StringArray, *, part: str, wanted: frozenset[str]) -> pa.Array:
    # all wanted parts at once: the scrubber remembers them for the next column
    return getattr(agent.scrub(values, wanted=wanted), part)


def _of_address(
    values: pa.StringArray, *, way: Callable[[address.Addresses], pa.Array]
) -> pa.Array:
    return way(address.parse(values))


def _tokens(
    column: pa.DictionaryArray,
    periods: np.ndarray[tuple[int], np.dtype[np.int64]],
    keys: Mapping[int, key.Key | None],
) -> pa.Array:
    pieces = pa.nulls(len(column), pa.string())
    for period in np.unique(periods):
        secret = keys[int(period)]
        if secret is None:
            continue
        rows = pa.array(periods == period)
        part = compact(column.filter(rows))
        tokens = address.token(address.parse(part.dictionary), secret)
        pieces = pc.replace_with_mask(pieces, rows, tokens.take(part.indices))
    return pieces.dictionary_encode()
