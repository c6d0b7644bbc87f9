"""Inputs that the fuzzer found, each with what was wrong; they are checked for ever."""

from __future__ import annotations

from typing import Final

FOUND: Final[dict[str, tuple[str, bytes]]] = {
    "a #Fields line behind a blank line ruled its own block only": (
        "w3c", b"0\n#Fields: date time c-ip\n2026-11-22 02:30:01 203.0.113.7\n2026-11-22 02:30:02 203.0.113.7\n",
    ),
    "a #Fields line behind a line of another kind ruled its own block only": (
        "w3c", b"0x\n#Fields: date time c-ip\n2026-11-22 02:30:01 203.0.113.7\n2026-11-22 02:30:02 203.0.113.7\n",
    ),
    "an address with a letter at its end was taken for the name of a server": (
        "errorlog", b'02026/11/22 02:30:01 [error] 7#8: *5 user "": password mismatch, client: , server: 192.0.2.7a',
    ),
    "a line break between dropped fields was not refused, and filter wrote it": (
        "formats", b"0$time_local] $a\n$b",
    ),
    "filter wrote null where only a number is read again": (
        "formats", b'0escape=json $time_iso8601"$status" $status',
    ),
    "a mapping without a line was taken for a format": ("formats", b"1line = []\n"),
    "a zone that is no text was looked for": (
        "formats", b'1zone = 1\nline = "{time:%Y-%m-%d %H:%M:%S} {-a}"\n',
    ),
    "a place that is too deep for any line was followed": (
        "formats", b'1[json]\ntime = "' + b"a." * 3000 + b'a"\n',
    ),
    "a file of nothing but brackets was read to the end of the stack": ("formats", b"1a = " + b"[" * 5000),
    "a format of thousands of fields took the square of their number": (
        "formats", b"0$time_local" + b" $a" * 20_000,
    ),
}  # fmt: skip
"""What was wrong, the family, and the input."""
