"""Formats: how a line of a server's log is read."""

from __future__ import annotations

from logscrub.formats.columns import parse
from logscrub.formats.lines import Split, split

__all__ = ["Split", "parse", "split"]
