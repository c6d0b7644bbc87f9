"""Path segments and parameter values: identifiers become templates, words stay."""

from __future__ import annotations

from typing import Final

import polars as pl

from logscrub.scrubbers import percent
from logscrub.scrubbers.identifiers import (
    CREDENTIAL,
    DATE,
    ID,
    MASKS,
    MAX_CHARS,
    NUMBERS,
    SAFE,
    SLUG,
    TAIL,
    TOKEN,
    USER,
    WORDS,
)

PLAIN: Final = r"(?:[A-Z]?[a-z]{0,14}[._-])*[A-Z]?[a-z]{0,14}"
"""Words of letters, which no rule below touches while they are not too long together."""
_LONGEST_DECODED: Final = 9 * MAX_CHARS
"""Bytes that so many characters take at most once encoded (three bytes of UTF-8, three characters each)."""


def scrub(segments: pl.Series) -> pl.Series:
    """Template what could identify somebody.

    Detection sees the segment decoded, twice if need be; what is harmless is handed on as it was
    written. The result is stable: scrubbing it again changes nothing. Where masking parts of a
    segment leaves something that would be masked again, the whole becomes `{token}`.

    Args:
        segments: Distinct strings, none null.

    Returns:
        As many strings, in the same order.

    Keeps: words, years, dates, version numbers, short numbers beside words, extensions of files.
    Loses: e-mail and IP addresses, UUIDs, numbers of three digits and more (five inside words), tokens,
        user names after `~` or `@`, anything with unusual characters.

    >>> scrub(pl.Series(["report-203.0.113.7.txt", "my-page", "a%40b.example"])).to_list()
    ['report-{ip}.txt', 'my-page', '{email}']
    """
    easy = segments.str.contains(f"^{PLAIN}$") & (segments.str.len_bytes() <= MAX_CHARS)
    easy |= segments.is_in(WORDS)
    hard = (~easy).arg_true()
    if not len(hard):
        return segments
    scrubbed = _template(segments.gather(hard))
    return segments.clone().scatter(hard, _settled(scrubbed, segments.gather(hard)))


def _settled(scrubbed: pl.Series, before: pl.Series) -> pl.Series:
    """Replace by `{token}` what a second pass would change."""
    changed = ((scrubbed != before) & ~scrubbed.is_in(WORDS)).arg_true()
    if not len(changed):
        return scrubbed
    once = scrubbed.gather(changed)
    loose = changed.filter(_template(once) != once)
    return scrubbed.scatter(loose, TOKEN) if len(loose) else scrubbed


def _template(raw: pl.Series) -> pl.Series:
    """Decide about each segment: what is unreadable or over-long at once, the rest by its content."""
    frame = _decoded(raw)
    out = frame.select(
        pl.when("unsafe").then(pl.lit(TOKEN)).otherwise(pl.lit(TOKEN) + pl.col("tail"))
    )["literal"]
    readable = frame.select(~(pl.col("unsafe") | pl.col("long")))["unsafe"].arg_true()
    return out.scatter(readable, _judged(frame[readable])) if len(readable) else out


def _judged(frame: pl.DataFrame) -> pl.Series:
    """Mask, then decide; the first rule that applies wins."""
    body, tail, masked = pl.col("body"), pl.col("tail"), pl.col("masked")
    result = body
    for pattern, template in MASKS:
        result = result.str.replace_all(pattern, template)
    frame = frame.with_columns(masked=result)
    frame = frame.with_columns(random=_random(frame["masked"]))
    numeric = (
        body.str.contains(NUMBERS)
        & ~body.str.contains(DATE)
        & (body.str.contains("[0-9]{3}") | (body.str.count_matches("[0-9]") >= 8))
    )
    secret = (
        masked.str.contains(CREDENTIAL) | pl.col("random") | masked.str.contains("@", literal=True)
    )
    found = masked != body
    # Masked text is written decoded, which only plain ASCII may be.
    recoded = found & (pl.col("text") != pl.col("raw")) & _beyond_ascii(masked)
    return frame.select(
        out=pl.when(body.str.contains("^[~@]."))
        .then(pl.lit(USER))
        .when(masked.is_in(WORDS))
        .then(masked + tail)
        .when(numeric)
        .then(pl.lit(ID) + tail)
        .when(secret)
        .then(pl.lit(TOKEN) + tail)
        .when(pl.col("twice") | recoded)
        .then(pl.lit(TOKEN))
        .when(found)
        .then(masked + tail)
        .otherwise(pl.col("raw"))
    )["out"]


def _decoded(raw: pl.Series) -> pl.DataFrame:
    """Decode, judge characters and length, and split the extension off."""
    escaped = raw.str.contains("%", literal=True) & (raw.str.len_bytes() <= _LONGEST_DECODED)
    where = escaped.arg_true()
    once = raw.clone().scatter(where, percent.decode(raw.gather(where))) if len(where) else raw
    twice = once.str.contains(percent.ESCAPE) & escaped
    where = twice.arg_true()
    text = once.clone().scatter(where, percent.decode(once.gather(where))) if len(where) else once
    # What is over-long is not looked at any further, so that long attacks cost little.
    text = text.str.slice(0, 2 * MAX_CHARS + 1)
    column = pl.col("text")
    tail = column.str.extract(TAIL).fill_null("")
    return (
        pl.DataFrame({"raw": raw, "text": text, "twice": twice})
        .with_columns(tail=tail)
        .with_columns(body=column.str.head(column.str.len_chars() - pl.col("tail").str.len_chars()))
        .with_columns(
            unsafe=percent.broken(pl.col("raw"))
            | ~column.str.contains(SAFE)
            | (pl.col("twice") & column.str.contains(percent.ESCAPE)),
            long=(column.str.len_chars() > 2 * MAX_CHARS)
            | ((column.str.len_chars() > MAX_CHARS) & ~pl.col("body").str.contains(SLUG)),
        )
    )


def _beyond_ascii(texts: pl.Expr) -> pl.Expr:
    return texts.str.len_bytes() != texts.str.len_chars()


def _changes(texts: pl.Expr) -> pl.Expr:
    """How often the kind of character changes as it does within random text, and seldom within words."""
    return (
        texts.str.count_matches("[a-z][A-Z]")
        + texts.str.count_matches("[A-Za-z][0-9]")
        + texts.str.count_matches("[0-9][A-Za-z]")
    )


def _random(masked: pl.Series) -> pl.Series:
    """Whether a text looks drawn at random: session numbers, keys, Base64.

    Random Base64 changes kind 0.4 times per character, readable names once in a word of several letters.
    Pieces are judged too, so that a long name in front does not hide a token behind it.
    """
    words = "|".join(word.strip("{}") for word in WORDS)
    rest = masked.str.replace_all(rf"\{{(?:{words})\}}", "-")
    texts = pl.col("text")
    length = texts.str.len_chars()
    dense = ((length >= 20) & (_changes(texts) * 6 >= length)) | (
        (length >= 8) & (_changes(texts) >= 5) & (_changes(texts) * 3 >= length)
    )
    whole = pl.DataFrame({"text": rest}).select(dense)["text"]
    pieces = (
        pl.DataFrame({"text": rest.str.extract_all("[A-Za-z0-9]{8,}")})
        .with_row_index("row")
        .filter(texts.list.len() > 0)
        .explode("text")
    )
    jumble = (length >= 20) & texts.str.contains("(?i)[bcdfghjklmnpqrstvwxz]{6}")
    rows = pieces.filter(dense | jumble)["row"].unique()
    return whole.scatter(rows, True) if len(rows) else whole
