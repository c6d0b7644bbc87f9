"""Accept-Language: the primary subtag of the first language, nothing finer."""

from __future__ import annotations

from typing import Final

import polars as pl
import pyarrow as pa

from logscrub.schema import OTHER

_CODES: Final = (
    # ISO 639-1, all two-letter codes. A rarer language is a person rather than a group: `other`.
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el "
    "en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu "
    "ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na "
    "nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so "
    "sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
LANGUAGES: Final = frozenset(_CODES.split())
_FORMER: Final = {"iw": "he", "in": "id", "ji": "yi"}
"""Codes withdrawn in 1989 that Java and Android still send."""


def scrub(values: pa.StringArray) -> pa.StringArray:
    """Reduce Accept-Language headers to one language.

    Args:
        values: Distinct headers.

    Returns:
        As many codes of `LANGUAGES`, `other` for what is not among them, null for `*` and nothing.

    Keeps: the primary subtag of the first language.
    Loses: region, script, weights, further languages: their order and number single people out.

    >>> scrub(pa.array(["de-CH,de;q=0.9", "tlh", "*", None])).to_pylist()
    ['de', 'other', None, None]
    """
    header = pl.col("header").str.strip_chars_start(" \t")
    code = (
        header.str.extract(r"^([A-Za-z]{2})(?:[-_;,\s]|$)")
        .str.to_lowercase()
        .replace(list(_FORMER), list(_FORMER.values()))
    )
    known = pl.when(code.is_in(sorted(LANGUAGES))).then(code).otherwise(pl.lit(OTHER))
    none = header.str.contains(r"^(?:\*|-?$)")
    frame = pl.DataFrame({"header": pl.Series(values, dtype=pl.String)})
    out = frame.select(out=pl.when(~none).then(known))["out"]
    return out.to_arrow().cast(pa.string())
