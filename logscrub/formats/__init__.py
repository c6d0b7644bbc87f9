"""Formats: how a line of a server's log is read."""

from __future__ import annotations

from logscrub.formats.reading import Piece, hold, in_order, parse, pieces

__all__ = ["Piece", "hold", "in_order", "parse", "pieces"]
