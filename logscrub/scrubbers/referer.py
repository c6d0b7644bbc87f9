"""The Referer: the host it names, never its path, query or userinfo."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final, Literal

import polars as pl
import pyarrow as pa
from publicsuffixlist import PublicSuffixList

from logscrub.scrubbers.identifiers import HOST_MASKS

_PARTS: Final = r"(?i)^(https?|android-app)://(?:[^/?#\\]*@)?(\[[0-9a-f:.]+\]|[a-z0-9.-]{1,254})(?::[0-9]*)?(?:[/?#]|$)"
"""Browsers send `http` and `https`; Android in-app browsers `android-app` with a package as host."""
_HOST: Final = r"^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$"
"""RFC 1123, lower case, with the punycode of RFC 5890."""
_NUMERIC: Final = r"^\[|(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$"
"""Brackets, or a last label that is a number: an address, as the URL standard has browsers read it."""
_CACHED: Final = 65_536
"""Hosts remembered, 10 MB or so. Clients choose them, so there has to be a bound."""


def referer(values: pa.StringArray, *, mode: Literal["host", "site"]) -> pa.StringArray:
    """Reduce referers to their host or site.

    Args:
        values: Distinct Referer headers.
        mode: `host` keeps the whole host, `site` the public suffix and one label.

    Returns:
        As many names in lower case; null where there is none to read, or no site (`localhost`).

    Keeps: the host, `{ip}` for every address literal. A label that is a user's name
        (`jdoe.blog.example`) stays in mode `host`.
    Loses: scheme, userinfo, port, path, query; addresses, UUIDs and long random names within hosts.

    >>> referer(pa.array(["https://u:p@www.example.co.uk:8443/x?q=1", "http://192.0.2.7/"]),
    ...         mode="site").to_pylist()
    ['example.co.uk', '{ip}']
    """
    return _hosts(values, mode)["host"].to_arrow().cast(pa.string())


def referer_url(
    values: pa.StringArray, *, mode: Literal["host", "site"] = "host"
) -> pa.StringArray:
    """As `referer`, written as a URL again: for programs that read scrubbed lines.

    >>> referer_url(pa.array(["HTTPS://www.example.org/a/b?c", "-"])).to_pylist()
    ['https://www.example.org/', None]
    """
    frame = _hosts(values, mode)
    url = frame["scheme"] + "://" + frame["host"] + "/"
    return url.to_arrow().cast(pa.string())


def _hosts(values: pa.StringArray, mode: Literal["host", "site"]) -> pl.DataFrame:
    raw = pl.col("raw")
    host = raw.str.extract(_PARTS, 2).str.to_lowercase().str.strip_suffix(".")
    frame = pl.DataFrame({"raw": pl.Series(values, dtype=pl.String)}).select(
        scheme=raw.str.extract(_PARTS, 1).str.to_lowercase(), host=host
    )
    name = pl.col("host")
    numeric = name.str.contains(_NUMERIC)
    valid = name.str.contains(_HOST) & (name.str.len_bytes() <= 253)
    frame = frame.with_columns(host=pl.when(numeric).then(pl.lit("{ip}")).when(valid).then(name))
    if mode == "site":
        distinct = frame["host"].unique().drop_nulls()
        sites = pl.Series([_site(host) for host in distinct], dtype=pl.String)
        frame = frame.with_columns(host=name.replace_strict(distinct, sites, default=None))
    masked = name
    for pattern, template, _ in HOST_MASKS:
        masked = masked.str.replace_all(pattern, template)
    return frame.with_columns(host=masked)


@cache
def _suffixes() -> PublicSuffixList:
    """The list that came with the package; only registries' suffixes.

    The private section makes every user of a host a site (`jdoe.github.io`), which is a person's name.
    """
    return PublicSuffixList(only_icann=True)


@lru_cache(maxsize=_CACHED)
def _site(host: str) -> str | None:
    if host == "{ip}":
        return host
    site: str | None = _suffixes().privatesuffix(host)
    return site
