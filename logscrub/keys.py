"""Keys, key periods, and the pseudonym a key gives an address.

A key is 32 independently random bytes for one period; nothing here creates, stores or destroys one.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from logscrub.errors import KeyFileError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

KEY_BYTES = 32
TOKEN_BYTES = 16
"""128 bits: about 10⁻²³ expected equal pairs among 10⁸ addresses."""

_LABEL = b"logscrub|ip|v1|"
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Key:
    """The secret of one period. It never shows: not in repr, and pickling it is refused.

    Args:
        secret: 32 random bytes.

    Raises:
        KeyFileError: `secret` has another length.

    >>> Key(bytes(32))
    Key()
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise KeyFileError(
                f"a key has {KEY_BYTES} bytes, this one has {len(self.secret)}",
                hint="restore the key file, or create a new key with `logscrub keys init`",
            )

    def __reduce__(self) -> NoReturn:
        """Refuse to be written down: a pickle outlives the key's destruction."""
        raise TypeError("a key cannot be pickled")


def period_of(timestamps_ms: NDArray[np.int64], rotation_days: int) -> NDArray[np.int64]:
    """The number of the key period each moment falls into.

    Args:
        timestamps_ms: Milliseconds since 1970, UTC.
        rotation_days: Days one key serves. They count from 1970-01-01, so machines agree on them.

    Raises:
        PolicyError: `rotation_days` is below 1.

    >>> period_of(np.array([-1, 0, 86_400_000]), 1).tolist()
    [-1, 0, 1]
    """
    return np.floor_divide(timestamps_ms, _checked(rotation_days) * _DAY_MS)


def period_name(number: int, rotation_days: int) -> str:
    """The first day of a key period, UTC.

    Raises:
        PolicyError: `rotation_days` is below 1.

    >>> period_name(20_778, 1), period_name(2_968, 7)
    ('2026-11-21', '2026-11-19')
    """
    return str(np.datetime64(int(number) * _checked(rotation_days), "D"))


def digests(key: Key, packed: Iterable[bytes]) -> bytes:
    """The pseudonym of each packed address, 16 bytes each, one after the other.

    HMAC-SHA-256 over a domain label and the address, cut to 128 bits. EDPB Guidelines 01/2025,
    paragraph 107, name it for this; without a key, all IPv4 addresses can be tried in minutes.

    Args:
        key: The key of the period.
        packed: 4 bytes of an IPv4 address, or the first 8 bytes (the /64) of an IPv6 address.
    """
    secret, digest = key.secret, hmac.digest
    return b"".join([digest(secret, _LABEL + one, "sha256")[:TOKEN_BYTES] for one in packed])


def token(key: Key, packed: bytes) -> str:
    """The pseudonym of one packed address as 32 hex digits; see `digests`.

    >>> key = Key(bytes(32))
    >>> token(key, bytes([203, 0, 113, 7])) == token(key, bytes([203, 0, 113, 8]))
    False
    """
    return digests(key, [packed]).hex()


def _checked(rotation_days: int) -> int:
    if rotation_days < 1:
        raise PolicyError(
            "keys must serve at least one day", hint="set the rotation of keys to 1 day or more"
        )
    return rotation_days
