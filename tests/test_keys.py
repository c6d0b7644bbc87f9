"""Keys stay secret, periods are the same everywhere, pseudonyms follow the key."""

from __future__ import annotations

import copy
import datetime as dt
import doctest
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub import keys
from logscrub.errors import KeyFileError, PolicyError

SECRET = bytes(31) + b"\x01"
packed = st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8)
secrets = st.binary(min_size=32, max_size=32)


def test_doctests() -> None:
    """The examples in the docstrings are true."""
    result = doctest.testmod(keys)
    assert result.attempted
    assert not result.failed


@given(secret=secrets)
def test_secret_never_shows(secret: bytes) -> None:
    """No way of writing a key shows its bytes."""
    key = keys.Key(secret)
    for text in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert text.strip("[]") == "Key()"


def test_no_pickle() -> None:
    """A key cannot be written to a pickle, nor copied by way of one."""
    key = keys.Key(SECRET)
    for write in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            write(key)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_wrong_length(length: int) -> None:
    """Anything but 32 bytes is refused, and not shown."""
    with pytest.raises(KeyFileError) as caught:
        keys.Key(b"\x5a" * length)
    assert "Z" not in str(caught.value)
    assert caught.value.hint


# printf 'logscrub|ip|v1|\xcb\x00\x71\x07' |
#     openssl dgst -sha256 -mac HMAC -macopt hexkey:00…01, first 32 digits
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("cb007107", "ce1f325a9b5638c48b72598deb997ef4"),
        ("20010db800000000", "b66bd2b1f76f76efb3fb4f2ffa6a9eb9"),
    ],
)
def test_token_golden(address: str, expected: str) -> None:
    """The construction never changes: stored pseudonyms depend on it."""
    assert keys.token(keys.Key(SECRET), bytes.fromhex(address)) == expected


@given(secret=secrets, other=secrets, one=packed, two=packed)
def test_token_follows_key_and_address(secret: bytes, other: bytes, one: bytes, two: bytes) -> None:
    """Same key and address, same token; another key or address, another token."""
    key = keys.Key(secret)
    token = keys.token(key, one)
    assert len(token) == 32
    assert token == keys.token(keys.Key(secret), one)
    assert (token == keys.token(key, two)) == (one == two)
    assert (token == keys.token(keys.Key(other), one)) == (secret == other)
    assert keys.digests(key, [one, two]).hex() == token + keys.token(key, two)


moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 — Hypothesis wants naive bounds


@given(moment=moments, days=st.integers(1, 400))
def test_period_holds_moment(moment: dt.datetime, days: int) -> None:
    """A moment lies in the period that begins on the day in the period's name."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    ms = (moment - epoch) // dt.timedelta(milliseconds=1)
    period = int(keys.period_of(np.array([ms], np.int64), days)[0])
    begin = dt.datetime.fromisoformat(keys.period_name(period, days)).replace(tzinfo=dt.UTC)
    assert begin <= moment < begin + dt.timedelta(days=days)
    assert (begin - epoch).days % days == 0


@pytest.mark.parametrize("days", [0, -1])
def test_no_period(days: int) -> None:
    """A rotation below a day is refused."""
    with pytest.raises(PolicyError):
        keys.period_of(np.zeros(1, np.int64), days)
    with pytest.raises(PolicyError):
        keys.period_name(1, days)
