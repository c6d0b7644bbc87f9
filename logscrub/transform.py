"""Parsed columns become the scrubbed table: the one place where the policy meets the scrubbers.

The table is *constructed* from what scrubbers return. A field that no line below names does not exist in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub import keys as key
from logscrub.memory import Memory
from logscrub.policy import kept_columns
from logscrub.schema import COLUMNS, Parsed, Raw
from logscrub.scrubbers import (
    address,
    agent,
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


@dataclass(frozen=True, slots=True)
class Transform:
    """A policy, compiled.

    Args:
        policy: What to keep, and how coarse.
        databases: For country and ASN.
        memory: Answers for distinct values; the same whether it is empty or full.
    """

    policy: Policy
    databases: Geo
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns that are not all null."""
        return kept_columns(self.policy)

    @property
    def needs(self) -> frozenset[Raw]:
        """The raw fields to parse."""
        return frozenset({Raw.TIME}).union(*(NEEDS.get(name, frozenset()) for name in self.kept))

    @property
    def sorts(self) -> bool:
        """Whether rows must be sorted by all columns, because their order tells the time that was coarsened."""
        return self.policy.time.precision not in {"second", "millisecond"}

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
    return pa.nulls(rows, _dictionary(one).type)


def _instants(parsed: Parsed) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        parsed.columns[Raw.TIME].cast(pa.int64()).to_numpy(zero_copy_only=False)
    )
    return values


def through(column: pa.DictionaryArray, values: pa.Array) -> pa.Array:
    """Replace the distinct values of a column by their scrubbed counterparts.

    Args:
        column: `dictionary<int32, string>`.
        values: One per entry of its dictionary. Strings become a dictionary, numbers a flat array.
    """
    if pa.types.is_dictionary(values.type):
        encoded = values
    elif pa.types.is_string(values.type):
        encoded = values.dictionary_encode()
    else:
        return values.take(column.indices)
    return compact(
        pa.DictionaryArray.from_arrays(encoded.indices.take(column.indices), encoded.dictionary)
    )


def compact(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Drop dictionary entries that no row uses: they would be written all the same."""
    size = len(column.dictionary)
    used = np.zeros(size, bool)
    used[column.indices.drop_null().to_numpy()] = True
    if used.all():
        return column
    renumber = pa.array(np.cumsum(used, dtype=np.int32) - 1)
    return pa.DictionaryArray.from_arrays(
        renumber.take(column.indices), column.dictionary.filter(pa.array(used))
    )


def _columns(
    transform: Transform, parsed: Parsed, keys: Mapping[int, key.Key | None], site_name: str
) -> dict[str, pa.Array]:
    policy, raw = transform.policy, parsed.columns
    columns = {
        name: through(raw[source], transform.memory.recall(name, raw[source].dictionary, scrub))
        for name, (source, scrub) in _scrubbers(policy).items()
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
    if Raw.AGENT in raw:
        columns.update(_agent_columns(transform.kept, raw[Raw.AGENT]))
    if Raw.ADDRESS in raw:
        columns.update(_address_columns(transform, parsed, keys))
    return columns


_NUMBERS = {"status": Raw.STATUS, "bytes_sent": Raw.BYTES, "duration_ms": Raw.DURATION}


def _scrubbers(policy: Policy) -> dict[str, tuple[Raw, Callable[[pa.StringArray], pa.Array]]]:
    """The columns that one raw text field gives, each with its scrubber."""
    found: dict[str, tuple[Raw, Callable[[pa.StringArray], pa.Array]]] = {
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
    return found


def _agent_columns(kept: tuple[str, ...], column: pa.DictionaryArray) -> dict[str, pa.Array]:
    names = {
        "browser": "browser",
        "browser_version": "version",
        "os": "os",
        "device": "device",
        "bot": "bot",
    }
    wanted = frozenset(part for name, part in names.items() if name in kept)
    if not wanted:
        return {}
    agents = agent.scrub(column.dictionary, wanted=wanted)
    return {
        name: through(column, getattr(agents, part))
        for name, part in names.items()
        if part in wanted
    }


def _address_columns(
    transform: Transform, parsed: Parsed, keys: Mapping[int, key.Key | None]
) -> dict[str, pa.Array]:
    rule, databases = transform.policy.address, transform.databases
    column = parsed.columns[Raw.ADDRESS]
    known = address.parse(column.dictionary)
    columns = {}
    if "client_net" in transform.kept:
        columns["client_net"] = through(
            column, address.truncate(known, v4=rule.ipv4_bits, v6=rule.ipv6_bits)
        )
    if "ip_version" in transform.kept:
        columns["ip_version"] = through(column, address.version(known))
    if "country" in transform.kept and databases.country:
        columns["country"] = through(column, geo.country(known, databases.country))
    if "asn" in transform.kept and databases.asn:
        columns["asn"] = through(column, geo.asn(known, databases.asn))
    if "client_token" in transform.kept:
        periods = key.period_of(_instants(parsed), rule.rotation.days)
        columns["client_token"] = _tokens(column, known, periods, keys)
    return columns


def _tokens(
    column: pa.DictionaryArray,
    known: address.Addresses,
    periods: np.ndarray[tuple[int], np.dtype[np.int64]],
    keys: Mapping[int, key.Key | None],
) -> pa.Array:
    pieces = pa.nulls(len(column), pa.dictionary(pa.int32(), pa.string()))
    for period in np.unique(periods):
        secret = keys[int(period)]
        if secret is None:
            continue
        rows = pa.array(periods == period)
        part = compact(column.filter(rows))
        places = pc.index_in(part.dictionary, column.dictionary).to_numpy()
        chosen = address.Addresses(known.version[places], known.high[places], known.low[places])
        tokens = through(part, address.token(chosen, secret)).cast(pa.string())
        pieces = pc.replace_with_mask(pieces.cast(pa.string()), rows, tokens)
    return pieces.cast(pa.string()).dictionary_encode()
