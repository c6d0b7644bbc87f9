"""Inputs that the fuzzer found, each with what was wrong; they are checked for ever."""

from __future__ import annotations

from typing import Final

FOUND: Final[dict[str, tuple[str, bytes]]] = {
    "a #Fields line behind a blank line ruled its own block only": (
        "w3c", b"0\n#Fields: date time c-ip\n2026-11-22 02:30:01 203.0.113.7\n2026-11-22 02:30:02 203.0.113.7\n",
    ),
    "an address with a letter at its end was taken for the name of a server": (
        "errorlog", b'02026/11/22 02:30:01 [error] 7#8: *5 user "": password mismatch, client: , server: 192.0.2.7a',
    ),
}  # fmt: skip
"""What was wrong, the family, and the input."""
