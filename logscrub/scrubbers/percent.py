"""Percent-decoding of many strings at once."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

_NONE: Final = 255
_HEX: Final = np.full(256, _NONE, np.uint8)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX[np.frombuffer(_digits, np.uint8)] = np.arange(16, dtype=np.uint8)

ESCAPE: Final = "%[0-9A-Fa-f]{2}"


def decode(texts: pl.Series) -> pl.Series:
    r"""Undo one round of percent-encoding (RFC 3986, section 2.1).

    Args:
        texts: Strings, none null.

    Returns:
        As many strings. What is no escape stays; bytes that are not UTF-8 become U+FFFD; a line feed
        becomes another control character, because line feeds hold the strings apart meanwhile.

    >>> decode(pl.Series(["a%40b", "caf%C3%A9", "%E9", "100%"])).to_list()
    ['a@b', 'café', '\ufffd', '100%']
    """
    where = texts.str.contains("[%\n]").arg_true()
    return texts.clone().scatter(where, _decoded(texts.gather(where))) if len(where) else texts


def _decoded(texts: pl.Series) -> pl.Series:
    joined = texts.str.replace_all("\n", "\x01", literal=True).str.join("\n").item()
    data = np.frombuffer(joined.encode(), np.uint8)
    at = np.flatnonzero(data[:-2] == ord("%"))
    high, low = _HEX[data[at + 1]], _HEX[data[at + 2]]
    real = (high != _NONE) & (low != _NONE)
    at = at[real]
    value = (high[real] << 4) | low[real]
    value[value == ord("\n")] = 1
    out = data.copy()
    out[at] = value
    keep = np.ones(len(data), np.bool_)
    keep[at + 1] = False
    keep[at + 2] = False
    return pl.Series(out[keep].tobytes().decode(errors="replace").split("\n"), dtype=pl.String)


def broken(texts: pl.Expr) -> pl.Expr:
    """Whether some `%` does not begin an escape."""
    return texts.str.count_matches("%", literal=True) != texts.str.count_matches(ESCAPE)
