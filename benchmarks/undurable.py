"""`logscrub` without what makes a commit safe: no fsync, a ledger that waits for no disk, no hash chain over the bytes.

What `ingest` takes beyond this is the price of the commit protocol. Only for measuring: nothing it writes is proven.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

from logscrub.__main__ import main
from logscrub.identity import Chain

if TYPE_CHECKING:
    from collections.abc import Callable

_SAFE = {"PRAGMA journal_mode=WAL": "MEMORY", "PRAGMA synchronous=FULL": "OFF"}


class _Careless(sqlite3.Connection):
    """Waits for no disk."""

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:  # noqa: ANN401 — what SQLite takes
        """Run a statement, a pragma for safety turned into its contrary."""
        unsafe = _SAFE.get(sql)
        return super().execute(f"{sql.partition('=')[0]}={unsafe}" if unsafe else sql, *rest)


def _count(chain: Chain, data: bytes) -> None:
    chain.length += len(data)


def _without_safety() -> None:
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    replaced: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=_Careless)),
        (os, "fsync", lambda _: None),
        (Chain, "update", _count),
    )
    for of, name, function in replaced:
        setattr(of, name, function)


if __name__ == "__main__":
    _without_safety()
    sys.exit(main())
