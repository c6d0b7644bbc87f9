"""Path segments and parameter values: identifiers become templates, words stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from logscrub.compiled import Bytes, Places, compiled, laid_out
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
    TEMPLATE,
    TOKEN,
    TRAITS,
    USER,
    UUID,
    WORDS,
)
from logscrub.scrubbers.pieces import tails

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logscrub.compiled import Ints

    Traits = np.ndarray[tuple[int, int], np.dtype[np.int32]]

_OTHER, _KEPT, _NUMBER, _UUID = range(4)
"""What a segment is at first sight. The rules below say the same of all but the others."""
_WORD: Final = 14
"""Small letters of a word that may stay unseen by the rules."""
_LONGEST: Final = 64
"""As `MAX_CHARS`."""
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
    kinds = np.empty(len(segments), np.uint8)
    _sort(*laid_out(segments.to_arrow().cast(pa.string())), kinds)
    out = segments.clone()
    for kind, template in ((_NUMBER, ID), (_UUID, UUID)):
        if len(found := np.flatnonzero(kinds == kind)):
            out = out.scatter(found, template)
    others = pl.Series(np.flatnonzero(kinds == _OTHER))
    others = others.filter(~segments.gather(others).is_in(WORDS))
    if not len(others):
        return out
    raw = segments.gather(others)
    return out.scatter(others, _settled(_template(raw), raw))


@compiled
def _sort(data: Bytes, starts: Places, ends: Places, kinds: Bytes) -> None:
    """Tell words of letters, plain numbers and UUIDs, which most segments are, from all others."""
    for row in range(len(starts)):
        start, size = starts[row], ends[row] - starts[row]
        digits, hex_digits = 0, 0
        words = True
        letters = 0
        for i in range(size):
            byte = data[start + i]
            is_digit = 0x30 <= byte <= 0x39
            is_small = 0x61 <= byte <= 0x7A
            digits += is_digit
            hex_digits += is_digit or 0x61 <= byte | 0x20 <= 0x66
            if byte == ord(".") or byte == ord("_") or byte == ord("-"):
                letters = 0
            elif is_small or (0x41 <= byte <= 0x5A and letters == 0):
                # a capital begins a word and does not count, so it leaves a mark that is no letter
                letters = (letters + 1 if letters > 0 else 1) if is_small else -1
                words &= letters <= _WORD
            else:
                words = False
        kinds[row] = _OTHER
        if size <= _LONGEST and words:
            kinds[row] = _KEPT
        elif size <= _LONGEST and digits == size:
            lead = data[start] * 10 + data[start + 1] - 11 * 0x30
            is_year = size == 4 and lead in (19, 20)
            kinds[row] = _KEPT if size < 3 or is_year else _NUMBER
        elif size == 36 and hex_digits == 32:
            dashes = 0
            for place in (8, 13, 18, 23):
                dashes += data[start + place] == ord("-")
            kinds[row] = _UUID if dashes == 4 else _OTHER


def _settled(scrubbed: pl.Series, before: pl.Series) -> pl.Series:
    """Replace by `{token}` what a second pass would change."""
    changed = ((scrubbed != before) & ~scrubbed.is_in(WORDS)).arg_true()
    if not len(changed):
        return scrubbed
    once = scrubbed.gather(changed)
    distinct = once.unique()
    # a template word alone, or before an extension, is what a second pass would give
    rest = distinct.str.replace(f"^{TEMPLATE}", "")
    distinct = distinct.filter((rest == distinct) | (tails(rest) != rest))
    unstable = distinct.filter(_template(distinct) != distinct) if len(distinct) else distinct
    if not len(unstable):
        return scrubbed
    return scrubbed.scatter(changed.filter(once.is_in(unstable)), TOKEN)


def _template(raw: pl.Series) -> pl.Series:
    """Decide about each segment: what is unreadable or over-long at once, the rest by its content."""
    frame = _decoded(raw)
    unreadable = frame["unsafe"] | frame["long"]
    if not unreadable.any():
        return _judged(frame)
    out = frame.select(
        pl.when("unsafe").then(pl.lit(TOKEN)).otherwise(pl.lit(TOKEN) + pl.col("tail"))
    )["literal"]
    readable = (~unreadable).arg_true()
    return out.scatter(readable, _judged(frame[readable])) if len(readable) else out


def _judged(frame: pl.DataFrame) -> pl.Series:
    """Mask, then decide; the first rule that applies wins."""
    body, tail, masked = pl.col("body"), pl.col("tail"), pl.col("masked")
    traits = _traits(frame["body"])
    found = _masked(frame["body"], traits)
    frame = frame.with_columns(masked=found, random=_random(found, traits))
    numeric = (
        body.str.contains(NUMBERS)
        & ~body.str.contains(DATE)
        & (body.str.contains("[0-9]{3}") | (body.str.count_matches("[0-9]") >= 8))
    )
    secret = (
        masked.str.contains(CREDENTIAL) | pl.col("random") | masked.str.contains("@", literal=True)
    )
    changed = masked != body
    # Masked text is written decoded, which only plain ASCII may be.
    recoded = changed & (pl.col("text") != pl.col("raw")) & _beyond_ascii(masked)
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
        .when(changed)
        .then(masked + tail)
        .otherwise(pl.col("raw"))
    )["out"]


def _masked(texts: pl.Series, traits: Traits) -> pl.Series:
    """Replace what looks like an identifier, asking each expression only about texts in which it may find one."""
    texts = texts.clone()
    for pattern, template, needs in MASKS:
        rows = _with(traits, needs)
        if len(rows):
            texts = texts.scatter(rows, texts.gather(rows).str.replace_all(pattern, template))
    return texts


def _with(traits: Traits, needs: Mapping[str, int]) -> Ints:
    """The rows that have at least so much of each trait."""
    good = [traits[TRAITS.index(trait)] >= least for trait, least in needs.items()]
    return np.flatnonzero(np.logical_and.reduce(good))


def _traits(texts: pl.Series) -> Traits:
    """How much each text has of each of `TRAITS`, one row a trait."""
    traits = np.zeros((len(TRAITS), len(texts)), np.int32)
    signs = np.frombuffer("".join(one for one in TRAITS if len(one) == 1).encode(), np.uint8)
    _count(*laid_out(texts.to_arrow().cast(pa.string())), signs, traits)
    return traits


@compiled
def _count(data: Bytes, starts: Places, ends: Places, signs: Bytes, traits: Traits) -> None:
    for row in range(len(starts)):
        digits, hex_digits, longest, changes = 0, 0, 0, 0
        before = 0
        for at in range(starts[row], ends[row]):
            byte = data[at]
            for i in range(len(signs)):
                traits[i, row] += byte == signs[i]
            is_digit = 0x30 <= byte <= 0x39
            is_hex = is_digit or 0x61 <= byte | 0x20 <= 0x66
            # 1 for a digit, 2 for a capital letter, 3 for a small one
            kind = (
                1 if is_digit else 2 if 0x41 <= byte <= 0x5A else 3 if 0x61 <= byte <= 0x7A else 0
            )
            changes += kind != before and kind != 0 and before != 0
            before = kind
            digits += is_digit
            hex_digits = hex_digits + 1 if is_hex else 0
            longest = max(longest, hex_digits)
        size = len(signs)
        traits[size, row], traits[size + 1, row] = digits, longest
        traits[size + 2, row], traits[size + 3, row] = changes, ends[row] - starts[row]


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
    return (
        pl.DataFrame({"raw": raw, "text": text, "twice": twice, "tail": tails(text)})
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


def _random(masked: pl.Series, traits: Traits) -> pl.Series:
    """Whether a text looks drawn at random: session numbers, keys, Base64.

    Random Base64 changes kind 0.4 times per character, readable names once in a word of several letters.
    Pieces are judged too, so that a long name in front does not hide a token behind it.
    """
    random = pl.Series([False]).new_from_index(0, len(masked))
    rows = np.union1d(_with(traits, {"changes": 4, "size": 8}), _with(traits, {"size": 20}))
    if not len(rows):
        return random
    words = "|".join(word.strip("{}") for word in WORDS)
    rest = masked.gather(rows).str.replace_all(rf"\{{(?:{words})\}}", "-")
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
    found = pieces.filter(dense | jumble)["row"].unique()
    whole = whole.scatter(found, True) if len(found) else whole
    return random.scatter(rows, whole)
