"""What servers escape, decoded: once per distinct value."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.compiled import bytes_of, offsets_of
from logscrub.formats.layout import Escape

_LETTERS: Final = {
    # The letters of C (mod_log_config) and of JSON; one table, because no server writes one and
    # means the other.
    ord("n"): b"\n",
    ord("t"): b"\t",
    ord("r"): b"\r",
    ord("b"): b"\b",
    ord("f"): b"\f",
    ord('"'): b'"',
    ord("\\"): b"\\",
}
_C_ONLY: Final = {ord("v"): b"\v"}
_JSON_ONLY: Final = {ord("/"): b"/"}
_BACKSLASH: Final = 0x5C
_MARKS: Final = {
    Escape.NONE: None, Escape.BACKSLASH: _BACKSLASH, Escape.JSON: _BACKSLASH, Escape.HASH: ord("#"),
    Escape.PLUS: ord("+"), Escape.PERCENT: ord("%"),
}  # fmt: skip
"""The byte that begins an escape."""


def decode(values: pa.Array, escape: Escape) -> pa.Array:
    """The values as text: escapes decoded, bytes that are not UTF-8 replaced by U+FFFD.

    Args:
        values: Distinct values, `binary`, as the server wrote them.
        escape: How it escapes.

    Returns:
        `string`, as long; null for `-` and for nothing, which is how servers write a missing value.
    """
    raw = bytes_of(values)
    mark = _MARKS[escape]
    marked = mark is not None and bool((raw == mark).any())
    foreign = len(raw) > 0 and int(raw.max()) >= 0x80
    if not marked and not foreign:
        text = values.cast(pa.string())
    else:
        text = pa.array([_decode_one(value, escape) for value in values.to_pylist()], pa.string())
    return _missing_as_null(text, values, raw)


def _missing_as_null(
    text: pa.Array, values: pa.Array, raw: np.ndarray[tuple[int], np.dtype[np.uint8]]
) -> pa.Array:
    offsets = offsets_of(values)
    length = np.diff(offsets)
    missing = length == 0
    single = np.flatnonzero(length == 1)
    missing[single] = raw[offsets[single]] == ord("-")
    if not missing.any():
        return text
    return pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)


def _decode_one(value: bytes, escape: Escape) -> str:
    return plain(value, escape).decode("utf-8", "replace")


def as_sent(values: pa.Array, escape: Escape) -> tuple[pa.Array, Escape]:
    """Request targets whose parts can be told without a look at escapes, and the escape that is left in them.

    In URLs a percent sign belongs to the URL, and a plus may stand for itself.
    """
    if escape is Escape.BACKSLASH:
        return values, escape
    mark = _MARKS[escape] if escape in (Escape.JSON, Escape.HASH) else None
    if mark is not None and (bytes_of(values) == mark).any():
        values = pa.array([plain(value, escape) for value in values.to_pylist()], pa.binary())
    return values, Escape.NONE


def plain(value: bytes, escape: Escape) -> bytes:
    """The bytes that the server meant, whatever way it escapes; an escape that is none stays as it is."""
    mark = _MARKS[escape]
    if mark is None or mark not in value:
        return value
    if escape is Escape.PLUS:
        return value.replace(b"+", b" ")
    if escape is Escape.HASH:
        return unquote_to_bytes(value.replace(b"%", b"%25").replace(b"#", b"%"))
    if escape is Escape.PERCENT:
        # old user agents are encoded twice (CloudFront, `%2520`)
        once = unquote_to_bytes(value)
        return unquote_to_bytes(once) if b"%20" in once else once
    return unescape(value, json=escape is Escape.JSON)


def unescape(value: bytes, *, json: bool) -> bytes:
    r"""The bytes behind the escapes; an escape that is none stays as it is.

    >>> unescape(rb"caf\xC3\xA9 \"x\" \q", json=False)
    b'caf\xc3\xa9 "x" \\q'

    Args:
        value: As the server wrote it.
        json: Whether escapes are those of JSON (`\u00e9`) instead of those of C (`\xe9`).
    """
    letters = _LETTERS | (_JSON_ONLY if json else _C_ONLY)
    out = bytearray()
    at = 0
    while (slash := value.find(b"\\", at)) >= 0:
        out += value[at:slash]
        mark = value[slash + 1] if slash + 1 < len(value) else 0
        if mark in letters:
            out += letters[mark]
            at = slash + 2
            continue
        piece, at = _coded(value, slash, json=json)
        out += piece
    out += value[at:]
    return bytes(out)


def _coded(value: bytes, slash: int, *, json: bool) -> tuple[bytes, int]:
    """What the numeric escape at `slash` stands for, and where it ends."""
    digits = 4 if json else 2
    code = _hex(value, slash, b"u" if json else b"x", digits)
    end = slash + 2 + digits
    if code < 0:
        return b"\\", slash + 1
    if not json:
        return bytes((code,)), end
    if 0xD800 <= code < 0xDC00:
        low = _hex(value, end, b"u", digits)
        if 0xDC00 <= low < 0xE000:
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            end += 2 + digits
    # A lone surrogate has no UTF-8; its bytes are replaced when the value is decoded.
    return chr(code).encode("utf-8", "surrogatepass"), end


def _hex(value: bytes, slash: int, mark: bytes, digits: int) -> int:
    text = value[slash + 2 : slash + 2 + digits]
    if value[slash : slash + 2] != b"\\" + mark or len(text) != digits:
        return -1
    if not all(chr(c) in "0123456789abcdefABCDEF" for c in text):
        return -1
    return int(text, 16)
