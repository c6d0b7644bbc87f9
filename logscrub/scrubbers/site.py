"""The virtual host, if it is one that the operator named."""

from __future__ import annotations

from typing import Final

import polars as pl
import pyarrow as pa

OTHER_SITE: Final = "_other"
_NAME: Final = "^[a-z0-9_-][a-z0-9._-]{0,99}$"


def scrub(values: pa.StringArray, allow: tuple[str, ...]) -> pa.StringArray:
    """Keep virtual hosts that are on the list.

    A client writes the Host header, so an unlisted host is free text.

    Args:
        values: Distinct hosts, with or without a port.
        allow: Hosts; `*.example.org` stands for all names below `example.org`, not for itself.

    Returns:
        As many hosts in lower case without port and final dot, else `_other`; null stays.

    Keeps: listed hosts of up to 100 letters, digits and `._-`.
    Loses: every other host.

    >>> scrub(pa.array(["WWW.example.org:443", "evil.example"]), ("*.example.org",)).to_pylist()
    ['www.example.org', '_other']
    """
    names = [entry.lower().removesuffix(".") for entry in allow]
    exact = [name for name in names if not name.startswith("*.")]
    host = pl.col("host")
    listed = host.is_in(pl.Series(exact, dtype=pl.String).implode())
    for name in names:
        if name.startswith("*."):
            # The label to the left of the dot must not be empty.
            below = host.str.ends_with(name[1:]) & (host.str.len_bytes() >= len(name))
            listed = listed | below
    clean = pl.col("raw").str.to_lowercase().str.replace(":[0-9]*$", "").str.strip_suffix(".")
    frame = pl.DataFrame({"raw": pl.Series(values, dtype=pl.String)}).with_columns(host=clean)
    good = listed & host.str.contains(_NAME) & ~host.str.contains("..", literal=True)
    out = frame.select(
        out=pl.when(host.is_null()).then(None).when(good).then(host).otherwise(pl.lit(OTHER_SITE))
    )["out"]
    return out.to_arrow().cast(pa.string())
