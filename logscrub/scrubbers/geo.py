"""Country and network operator of an address, from databases that the user supplies.

Look up before truncation: a /24 can lie in two countries. What the databases say is an estimate
about the network, never about a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from logscrub.errors import GeoError
from logscrub.scrubbers import mmdb
from logscrub.scrubbers.address import packed_v6

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxminddb.types import Record
    from numpy.typing import NDArray

    from logscrub.scrubbers.address import Addresses

What: TypeAlias = Literal["country", "asn"]
_Start = TypeVar("_Start", np.uint32, np.bytes_)

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_MOST_ASN = 2**32 - 1


@dataclass(frozen=True, slots=True)
class GeoTable:
    """One fact about every address, in memory: the file may change or vanish afterwards.

    Args:
        name: What the user calls the database, for messages.
        what: Which fact.
        built: When the database was made, seconds since 1970 UTC.
        starts4: First IPv4 address of each run, sorted.
        codes4: Index into `values` for each run, -1 for none.
        starts6: First IPv6 address of each run as 16 bytes, sorted.
        codes6: As `codes4`.
        values: The distinct facts: string or uint32.
    """

    name: str
    what: What
    built: int
    starts4: NDArray[np.uint32]
    codes4: NDArray[np.int32]
    starts6: NDArray[np.bytes_]
    codes6: NDArray[np.int32]
    values: pa.Array

    def __repr__(self) -> str:
        """Show which table it is, not its million entries."""
        return f"GeoTable({self.name!r}, {self.what!r})"


def load_bytes(name: str, content: bytes, *, what: What) -> GeoTable:
    """Read a database in MaxMind DB format, of MaxMind, DB-IP, IPinfo or ip-location-db.

    Args:
        name: What the user calls it, for messages.
        content: The whole file.
        what: Which fact to take from it.

    Raises:
        GeoError: It is damaged, not such a file, or no record in it says that fact.
    """
    try:
        database = mmdb.read(content)
        values, codes = _facts(database, _country_in if what == "country" else _asn_in)
    # What these say may quote the file; the user is helped by the name and the cure alone.
    except ValueError:
        raise GeoError(
            f"geo database {name} is damaged, or not a MaxMind DB file",
            hint="download it again and give the unpacked .mmdb file",
        ) from None
    if not values:
        fact, option = ("a country", "--geo") if what == "country" else ("an AS number", "--asn")
        raise GeoError(
            f"no record of geo database {name} has {fact}", hint=f"give another file to {option}"
        )
    split = len(database.v4.records)
    starts4, codes4 = _merged(database.v4.low.astype(np.uint32), codes[:split])
    starts6, codes6 = _merged(packed_v6(database.v6.high, database.v6.low), codes[split:])
    kind = pa.string() if what == "country" else pa.uint32()
    return GeoTable(
        name, what, database.built, starts4, codes4, starts6, codes6, pa.array(values, kind)
    )


def country(addresses: Addresses, table: GeoTable) -> pa.StringArray:
    """The country of each address as two letters (ISO 3166-1); null where it is not known.

    Keeps: the country.  Loses: the address.

    Raises:
        GeoError: The table was loaded for something else.
    """
    return _look_up(addresses, table, "country")


def asn(addresses: Addresses, table: GeoTable) -> pa.UInt32Array:
    """The autonomous system that announces each address; null where it is not known.

    Keeps: the network operator.  Loses: the address.

    Raises:
        GeoError: The table was loaded for something else.
    """
    return _look_up(addresses, table, "asn")


def _look_up(addresses: Addresses, table: GeoTable, what: What) -> pa.Array:
    if table.what != what:
        raise GeoError(
            f"geo database {table.name} was loaded for {table.what}, not {what}",
            hint="load it once for each",
        )
    codes = np.full(len(addresses), -1, np.int32)
    rows = np.flatnonzero(addresses.version == 4)
    codes[rows] = _codes_of(addresses.low[rows].astype(np.uint32), table.starts4, table.codes4)
    rows = np.flatnonzero(addresses.version == 6)
    packed = packed_v6(addresses.high[rows], addresses.low[rows])
    codes[rows] = _codes_of(packed, table.starts6, table.codes6)
    return table.values.take(pa.array(codes, mask=codes < 0))


def _codes_of(
    wanted: NDArray[_Start], starts: NDArray[_Start], codes: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The code of the run each address lies in."""
    # Sorted questions walk the table instead of jumping about in it: half the time.
    order = np.argsort(wanted)
    found = np.empty(len(wanted), np.int32)
    found[order] = codes[np.searchsorted(starts, wanted[order], side="right") - 1]
    return found


def _merged(
    starts: NDArray[_Start], codes: NDArray[np.int32]
) -> tuple[NDArray[_Start], NDArray[np.int32]]:
    """Join neighbouring runs that say the same."""
    keep = np.ones(len(codes), np.bool_)
    keep[1:] = codes[1:] != codes[:-1]
    return starts[keep], codes[keep]


def _facts(
    database: mmdb.Database, fact_in: Callable[[dict[str, Record]], str | int | None]
) -> tuple[list[str | int], NDArray[np.int32]]:
    """The distinct facts of a database, and the index of each run's fact, IPv4 before IPv6."""
    records = np.concatenate([database.v4.records, database.v6.records])
    distinct, inverse = np.unique(records, return_inverse=True)
    index: dict[str | int, int] = {}
    codes = np.full(len(distinct), -1, np.int32)
    known = np.flatnonzero(distinct >= 0)
    read = mmdb.records(database, distinct[known].tolist())
    for row, record in zip(known.tolist(), read, strict=True):
        value = fact_in(record) if isinstance(record, dict) else None
        if value is not None:
            codes[row] = index.setdefault(value, len(index))
    return list(index), codes[inverse]


def _country_in(record: dict[str, Record]) -> str | None:
    """The country a record says.

    `country_code` (IPinfo Lite, ip-location-db), `country.iso_code` (GeoLite2, DB-IP), or `country`
    in two letters (IPinfo of old; in IPinfo Lite it is the name).
    """
    inner = record.get("country")
    return _two_letters(record.get("country_code")) or _two_letters(
        inner.get("iso_code") if isinstance(inner, dict) else inner
    )


def _asn_in(record: dict[str, Record]) -> int | None:
    """The autonomous system a record says.

    `autonomous_system_number` (GeoLite2, DB-IP, ip-location-db), `asn` as `AS174` or a number
    (IPinfo), or the former within `traits` (DB-IP ISP).
    """
    inner = record.get("traits")
    return (
        _as_number(record.get("autonomous_system_number"))
        or _as_number(record.get("asn"))
        or _as_number(inner.get("autonomous_system_number") if isinstance(inner, dict) else None)
    )


def _two_letters(value: object) -> str | None:
    """A country code, or None: no name and no other text passes."""
    good = isinstance(value, str) and len(value) == 2 and _LETTERS.issuperset(value)
    return value if isinstance(value, str) and good else None


def _as_number(value: object) -> int | None:
    """The number of an autonomous system; 0 means that nobody announces the network (RFC 7607)."""
    if isinstance(value, str):
        digits = value.removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 11 else 0
    # A truth value is an int to Python, and no number to the format.
    return value if type(value) is int and 0 < value <= _MOST_ASN else None
