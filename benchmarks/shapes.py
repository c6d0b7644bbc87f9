"""The formats of generated logs (`shapes.toml`): what stands between the values, and how values are escaped."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    Escape = Callable[[str], str]

HELLO: Final = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The first bytes of TLS, which a plain port takes for a request."""
_VALUE: Final = re.compile(r"<([a-z]+)>")
_AGENT: Final = "agent"


@dataclass(frozen=True, slots=True)
class Shape:
    """How one server writes a line.

    Args:
        format: What `logscrub ingest --format` is told.
        parts: Text at the even places, names of values at the odd ones.
        escape: What becomes of a value.
        missing: Stands for a value that is not there.
        unread: Stands for a request that the server cannot read.
        head: What the file begins with.
        quotes: Whether a line with a quote in its user agent can be read back for certain.
    """

    format: str
    parts: tuple[str, ...]
    escape: Escape
    missing: str
    unread: str
    head: str
    quotes: bool

    @property
    def cut(self) -> int:
        """How many parts a line has that breaks off behind its user agent."""
        return self.parts.index(_AGENT) + 1 if _AGENT in self.parts else len(self.parts)


def _coded(special: str, letters: dict[str, str], code: str) -> Escape:
    pattern = re.compile(special)
    return lambda text: pattern.sub(lambda m: letters.get(m[0], code.format(ord(m[0]))), text)


def _go(text: str) -> str:
    # encoding/json makes JSON that is safe within HTML
    return re.sub("[<>&]", lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text)[1:-1])


_QUOTE, _CONTROL = {'"': r"\"", "\\": r"\\"}, r'[\x00-\x1f"\\\x7f-\xff]'
ESCAPES: Final[dict[str, Escape]] = {
    "nginx": _coded(_CONTROL, {}, r"\x{:02X}"),
    "apache": _coded(_CONTROL, _QUOTE, r"\x{:02x}"),
    "lighttpd": _coded(_CONTROL, _QUOTE, r"\x{:02X}"),
    "json": lambda text: json.dumps(text)[1:-1],
    "go": _go,
    "none": lambda text: text,
    "hash": _coded(r'[\x00-\x1f"#{|}\x7f-\xff]', {}, "#{:02X}"),
    "plus": lambda text: text.replace(" ", "+"),
    "percent": lambda text: quote(text, safe="!$%&'()*+,-./:;=?@_", encoding="latin-1"),
}
"""How servers write what clients send."""


def _shape(name: str, table: dict[str, str]) -> Shape:
    escape = ESCAPES[table.get("escape", "nginx")]
    line = table["line"]
    return Shape(
        table.get("format", name), tuple(_VALUE.split(f"{line}\n")), escape, table.get("missing", "-"),
        table.get("unread", escape(HELLO)), table.get("head", ""),
        quotes=table.get("escape") != "none" or f"<{_AGENT}>" not in line,
    )  # fmt: skip


def _wrapped(wrapper: str, around: dict[str, str], inner: Shape) -> Shape:
    """Lines of a shape inside another one."""
    outer = ESCAPES[around.get("escape", "none")]
    inside = [text if i % 2 else outer(text) for i, text in enumerate(inner.parts)]
    inside[-1] = outer(inner.parts[-1].removesuffix("\n"))
    before, behind = (_VALUE.split(around.get(where, "")) for where in ("before", "behind"))
    parts = [*before[:-1], before[-1] + inside[0], *inside[1:-1], inside[-1] + behind[0], *behind[1:]]  # fmt: skip
    parts[-1] += "\n"
    return replace(
        inner, format=f"{wrapper}/{inner.format}", parts=tuple(parts), unread=outer(inner.unread),
        escape=lambda text: outer(inner.escape(text)),
    )  # fmt: skip


def _read() -> dict[str, Shape]:
    tables: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    wrappers = tables.pop("wrapped")
    shapes = {name: _shape(name, table) for name, table in tables.items()}
    for wrapper, around in wrappers.items():
        shapes[f"{wrapper}/combined"] = _wrapped(wrapper, around, shapes["combined"])
    return shapes


SHAPES: Final = _read()
"""Every format that can be written, the one that all others are compared with first."""
