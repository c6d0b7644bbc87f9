"""Key files: private, made once, destroyed for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from logscrub.errors import KeyFileError
from logscrub.keys import period_of
from logscrub.keystore import destroy, init, instance_key, listed, period_keys

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def period(day: datetime) -> int:
    return int(period_of(np.array([int(day.timestamp() * 1000)]), 1)[0])


def keys_of(folder: Path, *days: int) -> list[object]:
    found = period_keys(
        folder,
        [period(NOW - timedelta(days=n)) for n in days],
        rotation_days=1,
        ttl_days=30,
        now=NOW,
    )
    return list(found.values())


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    """The same key comes back; files are 0400 in a folder 0700; each period has its own."""
    folder = tmp_path / "keys"
    assert init(folder)
    assert not init(folder)
    assert instance_key(folder) == instance_key(folder)
    first, second = keys_of(folder, 0, 1)
    assert [first, second] == keys_of(folder, 0, 1)
    assert first != second
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o400}


def test_many_at_once_get_the_same_key(tmp_path: Path) -> None:
    """Nobody ever reads half a key."""
    init(tmp_path / "keys")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: keys_of(tmp_path / "keys", 0)[0], range(64)))
    assert all(one == found[0] for one in found)
    assert not [path for path in (tmp_path / "keys").iterdir() if path.name.endswith(".new")]


def test_a_destroyed_key_never_comes_back(tmp_path: Path) -> None:
    """Its period gives no key again; a period that is over gets none either."""
    folder = tmp_path / "keys"
    init(folder)
    keys_of(folder, 2)
    assert destroy(folder, (NOW - timedelta(days=2)).date())
    assert not destroy(folder, (NOW - timedelta(days=2)).date())
    assert keys_of(folder, 2, 31, 60) == [None, None, None]
    assert [(one.first_day, one.destroyed) for one in listed(folder)] == [
        (date(2026, 11, 20), True)
    ]


def test_a_key_that_others_could_read_or_that_is_malformed_is_refused(tmp_path: Path) -> None:
    """The message names the file and the cure, never the content."""
    folder = tmp_path / "keys"
    init(folder)
    path = folder / "instance.key"
    path.chmod(0o444)
    with pytest.raises(KeyFileError, match="open to others"):
        instance_key(folder)
    path.chmod(0o600)
    path.write_text("cafe" * 3)
    with pytest.raises(KeyFileError, match="malformed") as caught:
        instance_key(folder)
    assert "cafe" not in caught.value.what + caught.value.hint
    folder.chmod(0o755)
    with pytest.raises(KeyFileError, match="folder"):
        instance_key(folder)
