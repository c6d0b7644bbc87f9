"""What lines look like, told without a letter of theirs."""

from __future__ import annotations

from collections import Counter
from typing import Final

_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\r\x1b")) + b"\x7f"
_SHAPE: Final = bytes(
    ord("9") if chr(i).isdigit() and i < 128 else ord("a") if chr(i).isalpha() and i < 128 else i
    for i in range(256)
)
_ERROR_SHAPES: Final = (
    b"9999/99/99 99:99:99 [a",  # nginx
    b"[aaa aaa 99 99:99:99",  # Apache, with or without microseconds behind it
    b"9999-99-99 99:99:99: (",  # lighttpd
)


def mask(value: bytes) -> bytes:
    """The bytes with every ASCII digit as `9` and every ASCII letter as `a`."""
    return value.translate(_SHAPE)


def is_utf16(sample: bytes) -> bool:
    """Whether the text begins with a mark of UTF-16, or every other byte is zero."""
    head = sample[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    half = len(head) // 2
    zeros = (head[0::2].count(0), head[1::2].count(0))
    return half >= 8 and max(zeros) > 0.8 * half and min(zeros) < 0.1 * half


def is_binary(line: bytes) -> bool:
    """Whether the line has a NUL, or more control characters than any text."""
    controls = len(line) - len(line.translate(None, _CONTROLS))
    # Random bytes have one control byte in nine; a line of text has none unless an attacker wrote
    # it.
    return 0 in line or controls > len(line) // 20


def is_error(line: bytes) -> bool:
    """Whether the line begins as those of the error logs of nginx, Apache and lighttpd do."""
    return mask(line[:32]).startswith(_ERROR_SHAPES)


def is_json(line: bytes) -> bool:
    """Whether the line is in braces."""
    stripped = line.strip()
    return stripped.startswith(b"{") and stripped.endswith(b"}")


_MAX_WORDS: Final = 24
_MARKS: Final = b"-{}:,|"
"""What separates fields in the formats that people make; shown as it is."""


def structure(lines: list[bytes]) -> str:
    """The two shapes that most lines have: `97 of 100 lines: token - - [time] "…" number`."""
    shapes = Counter(_shape(line[:4096]) for line in lines).most_common(2)
    return "; ".join(f"{shape} ({n} of {len(lines)})" for shape, n in shapes)


def _shape(line: bytes) -> str:
    out: list[str] = []
    at = 0
    while at < len(line):
        if len(out) > 2 * _MAX_WORDS:
            return "".join(out).rstrip() + " …"
        if line[at] in b" \t":
            out.append(" ")
            while at < len(line) and line[at] in b" \t":
                at += 1
        elif line[at] == ord('"'):
            end = _closing(line, at + 1)
            inside = line[at + 1 : end]
            out.append('""' if not inside else '"-"' if inside == b"-" else '"…"')
            at = end + 1
        elif line[at] == ord("[") and (end := line.find(b"]", at)) > 0:
            out.append("[time]" if line[at + 1 : at + 3].isdigit() else "[…]")
            at = end + 1
        else:
            end = _word_end(line, at)
            out.append(_word(line[at:end]))
            at = end
    return "".join(out).strip()


def _closing(line: bytes, at: int) -> int:
    """Where the quote that no backslash escapes stands, or the end of the line."""
    end = line.find(b'"', at)
    while end >= 0:
        first = end
        while first > at and line[first - 1] == ord("\\"):
            first -= 1
        # of two backslashes the first takes the second for itself
        if (end - first) % 2 == 0:
            return end
        end = line.find(b'"', end + 1)
    return len(line)


def _word_end(line: bytes, at: int) -> int:
    end = at + 1
    while end < len(line) and line[end] not in b' \t"[':
        end += 1
    return end


def _word(word: bytes) -> str:
    if not word.strip(_MARKS):
        return word.decode("ascii")
    return "number" if word.replace(b".", b"", 1).isdigit() else "token"
