"""logscrub turns web-server access logs into scrubbed Parquet, and deletes it when its time is up."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logscrub.api import scrub, scrub_batches

__version__ = "0.1.0"
__all__ = ["__version__", "scrub", "scrub_batches"]


def __getattr__(name: str) -> object:
    """Load the library part when it is first asked for: `logscrub --version` must not wait for it."""
    if name in {"scrub", "scrub_batches"}:
        return getattr(import_module("logscrub.api"), name)
    raise AttributeError(f"module 'logscrub' has no attribute {name!r}")
