"""Formats read out of a server's own configuration: `log_format`, `LogFormat`, `CustomLog`.

Only these directives are looked at, wherever they stand. Includes, variables and conditions are not
followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from logscrub.errors import FormatError
from logscrub.formats.apache import compile_apache
from logscrub.formats.catalogue import entry
from logscrub.formats.nginx import compile_nginx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logscrub.formats.layout import Layout

MAX_CONFIG: Final = 1_048_576
"""Characters of the longest configuration that is read."""

_APACHE: Final = re.compile(
    r"^[ \t]*(?:LogFormat|CustomLog|TransferLog)[ \t]", re.IGNORECASE | re.MULTILINE
)
_NGINX_ESCAPES: Final = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}
_NGINX_OPTIONS: Final = ("buffer=", "gzip", "flush=", "if=")


@dataclass(frozen=True, slots=True)
class FormatText:
    """A format as a configuration has it.

    Args:
        server: `nginx` or `apache`.
        text: The format string, its configuration escapes decoded; empty for one that a log uses
            and that this text does not define.
        escape: nginx's `escape=`; `default` for Apache.
        used: Whether a log of this configuration is written in it.
    """

    server: str
    text: str
    escape: str = "default"
    used: bool = False

    def layout(self, name: str) -> Layout:
        """Compiles it.

        Raises:
            FormatError: As `compile_nginx` and `compile_apache`, and for a format that is not
                defined here.
        """
        if not self.text:
            raise FormatError(
                f"a log uses the format {name[:60]!r}, which the server configuration does not define",
                hint="name the included file that does, or the format itself with --format",
            )
        if self.server == "nginx":
            return compile_nginx(self.text, escape=self.escape, name=name)
        return compile_apache(self.text, name=name)


def read_formats(text: str) -> dict[str, FormatText]:
    """All formats that a configuration defines or uses, by name.

    A format without a name (Apache's nameless `LogFormat`, a `CustomLog` with the string in it) is
    called after the line it stands in: `line 12`.

    Raises:
        FormatError: Too long, or a quote that is never closed.
    """
    if len(text) > MAX_CONFIG:
        raise FormatError(
            f"the server configuration is longer than {MAX_CONFIG:,} characters",
            hint="copy the format's lines into a file of their own",
        )
    return _apache_formats(text) if _APACHE.search(text) else _nginx_formats(text)


def choose(text: str, name: str | None = None) -> Layout:
    """The layout of this name in a configuration; without a name, the only one its logs use.

    Raises:
        FormatError: No such name, or several to choose from; the message lists them.
    """
    formats = read_formats(text)
    if name is not None:
        if name in formats:
            return formats[name].layout(name)
        close = get_close_matches(name, formats, n=1)
        raise FormatError(
            f"the server configuration has no format {name[:60]!r}",
            hint=f"did you mean {close[0]}" if close else _listing(formats),
        )
    used = [candidate for candidate, found in formats.items() if found.used] or list(formats)
    if len(used) != 1:
        what = "several formats" if used else "no format"
        raise FormatError(f"the server configuration has {what}", hint=_listing(formats))
    return formats[used[0]].layout(used[0])


def _listing(formats: dict[str, FormatText]) -> str:
    if not formats:
        return "it needs a log_format (nginx) or a LogFormat (Apache)"
    return f"choose one with FILE:NAME: {', '.join(formats)}"


def _nginx_formats(text: str) -> dict[str, FormatText]:
    defined: dict[str, FormatText] = {}
    used: list[str] = []
    for words in _nginx_directives(text):
        if words[0] == "log_format" and len(words) > 2:
            escape, strings = "default", words[2:]
            if strings[0].startswith("escape="):
                escape, strings = strings[0].removeprefix("escape="), strings[1:]
            defined[words[1]] = FormatText("nginx", "".join(strings), escape)
        elif words[0] == "access_log" and len(words) > 1 and words[1] != "off":
            plain = len(words) == 2 or words[2].startswith(_NGINX_OPTIONS)
            used.append("combined" if plain else words[2])
    return _mark(defined, used, "nginx")


def _nginx_directives(text: str) -> Iterator[list[str]]:
    """The words of each directive, up to `;` or a brace, as ngx_conf_read_token has them."""
    words: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
        elif char == "#":
            line_end = text.find("\n", at)
            at = len(text) if line_end < 0 else line_end
        elif char in ";{}":
            if words:
                yield words
            words = []
            at += 1
        else:
            word, at = _nginx_word(text, at)
            words.append(word)
    if words:
        yield words


def _nginx_word(text: str, at: int) -> tuple[str, int]:
    quote = text[at] if text[at] in "\"'" else ""
    begin = at
    at += len(quote)
    out: list[str] = []
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            after = text[at + 1]
            out.append(_NGINX_ESCAPES.get(after, char + after))
            at += 2
            continue
        if quote and char == quote:
            return "".join(out), at + 1
        # `${name}` is a variable: its brace does not open a block.
        brace = char == "{" and out and out[-1] == "$"
        if not quote and (char.isspace() or char in ";{") and not brace:
            return "".join(out), at
        out.append(char)
        at += 1
    if quote:
        raise _open_quote(text.count("\n", 0, begin) + 1)
    return "".join(out), at


def _open_quote(line: int) -> FormatError:
    return FormatError(
        f"the quote in line {line} of the server configuration is never closed",
        hint="is it the whole file",
    )


def _apache_formats(text: str) -> dict[str, FormatText]:
    defined: dict[str, FormatText] = {}
    used: list[str] = []
    nameless = "common"
    for number, line in _apache_lines(text):
        keyword = line.split(None, 1)[0].lower()
        if keyword not in {"logformat", "customlog", "transferlog"}:
            continue
        words = list(_apache_words(line, number))
        if keyword == "logformat" and len(words) > 2:
            defined[words[2]] = FormatText("apache", words[1])
        elif keyword == "logformat" and len(words) == 2:
            nameless = f"line {number}"
            defined[nameless] = FormatText("apache", words[1])
        elif keyword == "transferlog":
            used.append(nameless)
        elif keyword == "customlog" and len(words) > 2:
            name = words[2]
            if "%" in name:
                name = f"line {number}"
                defined[name] = FormatText("apache", words[2])
            used.append(name)
    return _mark(defined, used, "apache")


def _apache_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their number; a backslash at the end continues one."""
    parts: list[str] = []
    begin = 1
    for number, line in enumerate(text.splitlines(), 1):
        begin = begin if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        whole = "".join([*parts, line]).strip()
        parts = []
        if whole and not whole.startswith("#"):
            yield begin, whole
    whole = "".join(parts).strip()
    if whole and not whole.startswith("#"):
        yield begin, whole


def _apache_words(line: str, number: int) -> Iterator[str]:
    r"""As ap_getword_conf: in quotes, `\"` is the quote and `\\` one backslash."""
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        quote = line[at] if line[at] in "\"'" else ""
        at += len(quote)
        out: list[str] = []
        while at < len(line) and not (line[at] == quote if quote else line[at].isspace()):
            if line[at] == "\\" and line[at + 1 : at + 2] in {"\\", quote or "\\"}:
                at += 1
            out.append(line[at])
            at += 1
        if quote and at >= len(line):
            raise _open_quote(number)
        at += len(quote)
        yield "".join(out)


def _mark(defined: dict[str, FormatText], used: list[str], server: str) -> dict[str, FormatText]:
    """Adds the predefined formats that are used, and notes which ones are."""
    formats = dict(defined)
    for name in used:
        found = formats.get(name) or _predefined(name, server)
        formats[name] = FormatText(found.server, found.text, found.escape, used=True)
    return formats


def _predefined(name: str, server: str) -> FormatText:
    # nginx knows one name without a log_format; Apache's own default has none, but is the common
    # format.
    known = name == {"nginx": "combined", "apache": "common"}[server]
    return FormatText("apache", entry(name).strings[0] if known else "")
