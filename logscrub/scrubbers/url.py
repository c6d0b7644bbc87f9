"""The request target: identifiers in the path become templates, queries are reduced to names.

A client chooses the whole text, so all of it is hostile: detection looks at it decoded, and what
cannot be read is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.scrubbers import percent, segment
from logscrub.scrubbers.identifiers import MAX_CHARS, MORE, OWN_PAGES, OWNERS, USER
from logscrub.scrubbers.pieces import segments, tails
from logscrub.scrubbers.query import query

if TYPE_CHECKING:
    from logscrub.compiled import Places

__all__ = ["MAX_LENGTH", "MAX_SEGMENTS", "PathMode", "path", "query"]

PathMode = Literal["template", "first-segment"]
MAX_SEGMENTS: Final = 16
MAX_LENGTH: Final = 256
"""Characters of a scrubbed path. What goes beyond is dropped, and `/{more}` says so."""

_AUTHORITY: Final = "[A-Za-z][A-Za-z0-9+.-]*://[^/]*"


def path(values: pa.StringArray, *, mode: PathMode) -> pa.StringArray:
    """Template the identifiers in request paths.

    Args:
        values: Distinct raw targets up to the first `?` or `#`; absolute URIs (RFC 9112, section
            3.2.2) lose scheme and authority.
        mode: `template` keeps all segments, `first-segment` the first one that is not empty.

    Returns:
        As many paths, stable under scrubbing again; `*` stays, null where there is no path to read.

    Keeps: directories and files by name, years, dates, page numbers of one or two digits.
    Loses: everything that `segment.scrub` masks, path parameters (`;jsessionid=…`), the segment after
        `/users/` and its like, userinfo, segments beyond 16 and characters beyond 256.

    >>> path(pa.array(["/users/jane/2015/05", "/order-123456;s=1", "http://u:p@h/x", "x:443"]),
    ...      mode="template").to_pylist()
    ['/users/{user}/2015/05', '/order-{id}', '/x', None]
    """
    targets = _targets(pl.Series(values, dtype=pl.String))
    if mode == "first-segment":
        targets = targets.str.extract(r"^(\*$|/+[^/]*)").str.replace("^/+", "/")
    work = (targets != "*").fill_null(value=False).arg_true()
    if len(work):
        targets = targets.scatter(work, _template(targets.gather(work)))
    return targets.to_arrow().cast(pa.string())


def _targets(raw: pl.Series) -> pl.Series:
    """Reduce every form of target to its path, null where there is none."""
    other = (raw.str.contains("^[^/]|[?#;]") | (raw.str.len_bytes() == 0)).arg_true()
    return raw.clone().scatter(other, _reduced(raw.gather(other))) if len(other) else raw


def _reduced(raw: pl.Series) -> pl.Series:
    column = pl.col("raw")
    bare = (
        column.str.replace(r"[?#](?s:.*)$", "")
        .str.replace(f"^{_AUTHORITY}$", "/")
        .str.replace(f"^{_AUTHORITY}/", "/")
    )
    path = bare.str.replace_all(";[^/]*", "")
    readable = path.str.starts_with("/") | (path == "*")
    return pl.DataFrame({"raw": raw}).select(out=pl.when(readable).then(path))["out"]


def _template(paths: pl.Series) -> pl.Series:
    """Scrub paths segment by segment, each distinct segment once."""
    cut = segments(paths, most=MAX_SEGMENTS)
    words, codes, offsets = cut.words, cut.codes, cut.offsets
    scrubbed = segment.scrub(words)
    owned = _owned(words, codes, offsets[:-1])
    if owned.any():
        scrubbed = pl.concat([scrubbed, _persons(words)])
        codes = np.where(owned, codes + len(words), codes)
    flat = scrubbed.to_arrow().cast(pa.string()).take(pa.array(codes))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), flat), "/")
    return _cut(pl.Series(joined, dtype=pl.String), cut.deep)


def _persons(words: pl.Series) -> pl.Series:
    """What each segment becomes where it names a person: the template, with the extension of a file."""
    return USER + tails(words).str.extract(r"(\.[^.]*)$").fill_null("")


def _owned(
    words: pl.Series,
    codes: Places,
    starts: Places,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the segments that follow one of `OWNERS`, over empty segments and dots."""
    short = words.str.head(MAX_CHARS)
    names = percent.decode(percent.decode(short)).str.to_lowercase()
    owner = names.is_in(list(OWNERS)).to_numpy()[codes]
    if not owner.any():
        return owner
    page = names.str.contains(OWN_PAGES).to_numpy()[codes]
    solid = (~names.is_in(["", "."])).to_numpy()[codes]
    # The empty segment before the leading slash ends what the path before it began.
    first = np.zeros(len(codes), np.bool_)
    first[starts] = True
    owner[starts] = False
    places = np.arange(len(codes))
    before = np.maximum.accumulate(np.where(solid | first, places, 0))
    before = np.concatenate([[0], before[:-1]])
    owned: np.ndarray[tuple[int], np.dtype[np.bool_]] = owner[before] & solid & ~page & ~first
    return owned


def _cut(paths: pl.Series, deep: pl.Series) -> pl.Series:
    """Drop whole segments beyond `MAX_LENGTH`, and mark whatever was dropped here or before."""
    if not deep.any() and not (paths.str.len_bytes() > MAX_LENGTH).any():
        return paths
    column = pl.col("path")
    room = MAX_LENGTH - len(MORE) - 1
    long = column.str.len_chars() + pl.col("deep") * (len(MORE) + 1) > MAX_LENGTH
    return pl.DataFrame({"path": paths, "deep": deep}).select(
        out=pl.when(long)
        .then(column.str.head(room + 1).str.replace("/[^/]*$", "") + f"/{MORE}")
        .when(pl.col("deep"))
        .then(column + f"/{MORE}")
        .otherwise(column)
    )["out"]
