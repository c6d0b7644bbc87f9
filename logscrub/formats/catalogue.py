"""The formats that have a name (`catalogue.toml`), and what a user may write after `--format`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from logscrub.errors import FormatError
from logscrub.formats import notation
from logscrub.formats.apache import compile_apache
from logscrub.formats.jsonmap import compile_json
from logscrub.formats.layout import Field, Format, Kind, Layout
from logscrub.formats.nginx import compile_nginx
from logscrub.formats.wrappers import WRAPPERS

MORE: Final = "with more fields"
"""What is said behind the name of a layout that accepts fields it does not know yet."""
_KEYS: Final = frozenset(
    {"about", "origin", "nginx", "apache", "line", "json", "w3c", "escape", "zone", "grows", "drops", "name"}
)  # fmt: skip
ERROR_LOGS: Final = ("nginx-error", "apache-error")
"""Formats that `filter` alone reads."""
_TEXTS: Final = ("about", "origin", "escape", "zone", "name")
_STRINGS: Final = ("nginx", "apache", "line")
_MOST: Final = 65_536
"""Bytes of the longest file that describes a format."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A format as the catalogue, or a user's own file, describes it.

    Args:
        name: What users and servers call it.
        about: Who writes it, for people.
        origin: Where that is described.
        strings: Its format strings, empty for JSON and W3C.
        drops: Keys of JSON with personal data that are left where they are.
        format: Compiled.
    """

    name: str
    about: str
    origin: str
    strings: tuple[str, ...]
    drops: tuple[str, ...]
    format: Format


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("logscrub.formats") / "catalogue.toml").read_text("utf-8"))


def names() -> tuple[str, ...]:
    """The names of all formats, in the order of the catalogue."""
    return tuple(_tables())


@cache
def entry(name: str) -> Entry:
    """What the catalogue says of a name.

    Raises:
        FormatError: No format has that name.
    """
    tables = _tables()
    if name in ERROR_LOGS:
        raise FormatError(
            "error logs are text only", hint=f"use filter: logscrub filter --format {name}"
        )
    if name not in tables:
        close = get_close_matches(name.lower(), tables, n=1)
        raise FormatError(
            "there is no format of that name",
            hint=f"did you mean {close[0]}?"
            if close
            else "see logscrub formats list, or give a format string of nginx or Apache",
        )
    return _entry(name, tables[name])


def named(name: str) -> Format:
    """The format of a name in the catalogue.

    Raises:
        FormatError: No format has that name.
    """
    return entry(name).format


def _entry(name: str, table: dict[str, Any]) -> Entry:
    if unknown := set(table) - _KEYS:
        key = min(unknown)
        close = get_close_matches(key, _KEYS, n=1)
        raise FormatError(
            f"the format {name} has an unknown key {key[:60]!r}",
            hint=f"did you mean {close[0]}?" if close else f"one of {', '.join(sorted(_KEYS))}",
        )
    ways = [key for key in (*_STRINGS, "json", "w3c") if key in table]
    if len(ways) != 1:
        raise FormatError(
            f"the format {name} has to say in one way how a line is read",
            hint="one of nginx, apache, line, json",
        )
    (way,) = ways
    wrong = [key for key in _TEXTS if not isinstance(table.get(key, ""), str)]
    if wrong or not table[way]:
        raise FormatError(
            f"{(wrong or ways)[0]} of the format {name} is not a text, or there is nothing in it",
            hint="docs/formats.md has an example",
        )
    strings: tuple[str, ...] = ()
    if way == "w3c":
        format_ = Format(name, headed=True)
    elif way == "json":
        format_ = Format.of(compile_json(table["json"], name=name, zone=table.get("zone", "")))
    else:
        strings = (table[way],) if isinstance(table[way], str) else tuple(table[way])
        layouts = [_layout(way, text, name, table) for text in strings]
        if table.get("grows"):
            layouts += [_grown(one) for one in layouts]
        format_ = Format(name, tuple(layouts))
    return Entry(
        name, table.get("about", ""), table.get("origin", ""), strings, tuple(table.get("drops", ())), format_
    )  # fmt: skip


def _layout(way: str, text: str, name: str, table: dict[str, Any]) -> Layout:
    if way == "nginx":
        return compile_nginx(text, name=name, escape=table.get("escape", "default"))
    if way == "apache":
        return compile_apache(text, name=name)
    return notation.compile_line(
        text, name=name, escape=table.get("escape", "backslash"), zone=table.get("zone", "")
    )  # fmt: skip


def _grown(layout: Layout) -> Layout:
    """The layout with whatever follows it."""
    *before, last = layout.literals
    return replace(
        layout,
        name=f"{layout.name} {MORE}",
        literals=(*before, last + b" ", b""),
        fields=(*layout.fields, Field("more fields", Kind.FREE)),
    )


_VARIABLE: Final = re.compile(r"\$\{?[A-Za-z_]")
_DIRECTIVE: Final = re.compile(r"%[!<>,0-9]*(?:\{|\^t|[A-Za-z])")
_NOTATION: Final = re.compile(r"\{time(:[^}]*)?\}")
_ESCAPE: Final = re.compile(r"\s*escape=(\S*)\s+")
_LIST: Final = re.compile(r"[A-Za-z0-9_/]+(,[A-Za-z0-9_/]+)+")


def resolve(text: str) -> Format:
    """The format that a user means.

    It is a name, with or without the wrappers that are peeled off first (`syslog/haproxy`); several of them
    (`combined,common`), tried in turn on each line; a string of nginx (`$…`, may begin with `escape=json` or
    `escape=none` as in `log_format`), of Apache (`%…`), or in logscrub's own notation (`{…}`), with or without
    wrappers; or a TOML file with the keys of `catalogue.toml`.

    Raises:
        FormatError: It is none of them, or cannot be compiled.
    """
    stripped = text.strip()
    first, slash, rest = stripped.partition("/")
    # before the list: what is wrapped may be one
    if slash and first in WRAPPERS:
        inner = resolve(rest)
        if inner.headed:
            raise FormatError("a W3C log cannot be wrapped", hint="w3c stands alone")
        return replace(inner, name=f"{first}/{inner.name}", wrappers=(first, *inner.wrappers))
    if _LIST.fullmatch(stripped):
        return _together(stripped, [resolve(one) for one in stripped.split(",")])
    if stripped.endswith(".toml"):
        return _from_file(Path(stripped))
    layout = _compiled(text)
    return Format.of(layout) if layout else named(stripped)


def _compiled(text: str) -> Layout | None:
    """The layout of a format string; None for what can only be a name."""
    variables, directives = len(_VARIABLE.findall(text)), len(_DIRECTIVE.findall(text))
    if _NOTATION.search(text):
        return notation.compile_line(text)
    if not variables and not directives:
        return None
    if directives > variables:
        return compile_apache(text)
    prefix = _ESCAPE.match(text)
    return compile_nginx(text[prefix.end() :], escape=prefix[1]) if prefix else compile_nginx(text)


def _together(text: str, formats: list[Format]) -> Format:
    if any(one.headed or one.wrappers for one in formats):
        raise FormatError(
            "formats in a list cannot be wrapped one by one, nor be w3c",
            hint="name the wrapper once, before the list: syslog/combined,common; w3c stands alone",
        )
    return Format(text, tuple(layout for one in formats for layout in one.layouts))


def _from_file(path: Path) -> Format:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode("utf-8")
        return _entry(path.stem, tomllib.loads(text)).format
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read ({error.strerror})",
            hint="name a TOML file that describes a format",
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, TypeError, AttributeError):
        raise FormatError(
            f"{path}: is not a TOML file with the keys of a format",
            hint="docs/formats.md has an example",
        ) from None
