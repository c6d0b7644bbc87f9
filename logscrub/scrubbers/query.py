"""Query strings: the names of parameters, or the few that were asked for."""

from __future__ import annotations

from typing import Final, Literal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.scrubbers import percent, segment
from logscrub.scrubbers.identifiers import TOKEN

MAX_PARAMETERS: Final = 32
_LONGEST_NAME: Final = 96
"""Bytes: 32 characters, all encoded."""
_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_.\[\]-]{0,31}$"


def query(
    values: pa.StringArray, *, mode: Literal["names", "listed"], allow: tuple[str, ...] = ()
) -> pa.StringArray:
    """Reduce query strings to what says nothing about a person.

    Args:
        values: Distinct query strings, without the `?`.
        mode: `names` keeps every parameter's name once, in order, without its value; `listed` keeps
            `name=value` of the parameters in `allow` and nothing else.
        allow: Names of parameters, as they read decoded.

    Returns:
        As many strings; null where nothing is kept. At most the first 32 parameters are read.

    Keeps: names of up to 32 letters, digits and `_.-[]`; a word without `=` counts as a name.
    Loses: values; names that look like identifiers (`{token}` takes their place). Listed values are
        templated as path segments are.

    >>> query(pa.array(["page=2&q=jane", "jane%40example.com=1"]), mode="names").to_pylist()
    ['page&q', '{token}']
    >>> query(pa.array(["page=2&q=jane"]), mode="listed", allow=("page",)).to_pylist()
    ['page=2']
    """
    raw = pl.Series(values, dtype=pl.String)
    many = (
        (raw.str.count_matches("&", literal=True) >= MAX_PARAMETERS)
        .fill_null(value=False)
        .arg_true()
    )
    if len(many):
        first = raw.gather(many).str.extract(rf"^((?:[^&]*&){{{MAX_PARAMETERS}}})")
        raw = raw.scatter(many, first)
    split = pc.split_pattern(raw.fill_null("").to_arrow(), "&")
    encoded = split.flatten().dictionary_encode()
    pairs = pl.Series(encoded.dictionary, dtype=pl.String)
    kept = _names(pairs) if mode == "names" else _listed(pairs, allow)
    flat = kept.to_arrow().take(encoded.indices)
    lists = pl.Series(pa.LargeListArray.from_arrays(split.offsets.cast(pa.int64()), flat))
    out = lists.list.drop_nulls().list.unique(maintain_order=True).list.join("&")
    return out.replace("", None).to_arrow().cast(pa.string())


def _parts(pairs: pl.Series) -> pl.DataFrame:
    """Split into the decoded name and the raw value, which is null without `=`."""
    frame = pl.DataFrame({"pair": pairs}).select(
        name=pl.col("pair").str.extract("^([^=]*)"),
        value=pl.col("pair").str.extract("^[^=]*=((?s).*)$"),
    )
    short = frame["name"].str.len_bytes() <= _LONGEST_NAME
    name = percent.decode(frame["name"].zip_with(short, pl.Series([TOKEN])))
    return frame.with_columns(name=name)


def _names(pairs: pl.Series) -> pl.Series:
    frame = _parts(pairs)
    name = frame["name"]
    shaped = name.str.contains(_NAME).arg_true()
    named = pl.Series([TOKEN]).new_from_index(0, len(name))
    if len(shaped):
        words = name.gather(shaped).str.replace_all(r"[\[\]]", ".")
        harmless = shaped.filter(segment.scrub(words) == words)
        named = named.scatter(harmless, name.gather(harmless)) if len(harmless) else named
    return pl.DataFrame({"name": named, "pair": pairs}).select(
        pl.when(pl.col("pair") != "").then(pl.col("name"))
    )["name"]


def _listed(pairs: pl.Series, allow: tuple[str, ...]) -> pl.Series:
    frame = _parts(pairs).with_row_index("row")
    chosen = frame.filter(pl.col("name").is_in(allow))
    values = segment.scrub(chosen["value"].fill_null(""))
    text = chosen.select(
        pl.when(pl.col("value").is_null())
        .then(pl.col("name"))
        .otherwise(pl.col("name") + "=" + values)
    )["name"]
    out = pl.Series([None], dtype=pl.String).new_from_index(0, len(pairs))
    return out.scatter(chosen["row"], text) if len(chosen) else out
