"""User agents: which browser, system, kind of device or robot, in words of a fixed vocabulary.

A raw user agent is a sentence its sender wrote: it can hold e-mail addresses, device numbers and
attacks, and parser rules copy parts of it into what they call the family. So nothing is handed on
from a parser as it comes: names must stand in lists that were made when logscrub was released
(`scrub/data`), versions are one to four digits.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from ua_parser_rs import OSExtractor, UserAgentExtractor

from logscrub.errors import LogscrubError
from logscrub.scrubbers import bots

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

OTHER: Final = bots.OTHER
PARTS: Final = ("browser", "version", "os", "device", "bot")
ALL_PARTS: Final = frozenset(PARTS)
MAX_CHARS: Final = 512
"""Longer strings are cut before anything reads them: time per string stays below 0.1 ms."""
_CACHED: Final = 16_384
"""Strings remembered, 15 MB at the very worst. Clients choose them, so there has to be a bound."""

Rule = tuple[str, str | None, str | None, str | None, str | None, str | None]
"""Expression, family, and what replaces the version's parts, as ua_parser_rs takes it."""
_Found = tuple[str | None, str | None, str | None, str | None, str | None]

_DEVICES: Final = (
    # First hit counts. "Tablet PC 2.0" is a component that desktop Windows 7 names in every string.
    ("Tablet PC", "desktop"),
    ("TV", "tv"),
    ("CrKey", "tv"),
    ("Roku", "tv"),
    ("BRAVIA", "tv"),
    ("iPad", "tablet"),
    ("Tablet", "tablet"),
    ("Mobi", "mobile"),
    ("iPhone", "mobile"),
    ("iPod", "mobile"),
    # Android's browsers say "Mobile" on telephones only.
    ("Android", "tablet"),
    ("Windows NT", "desktop"),
    ("Macintosh", "desktop"),
    ("X11", "desktop"),
    ("CrOS", "desktop"),
)
DEVICES: Final = frozenset(device for _, device in _DEVICES) | {OTHER}


@dataclass(frozen=True, slots=True)
class Agents:
    """What is kept of user agents: string arrays, all as long as the input.

    What was not asked for is all null.

    Args:
        browser: A family of `families.txt`, or `Other`.
        version: Its major version, `^[0-9]{1,4}$`; null if there is none, or the family is `Other`.
        os: A system of `systems.txt`, or `Other`.
        device: `desktop`, `mobile`, `tablet`, `tv` or `Other`.
        bot: A name of `bots.txt`, `Other` for robots without one; null for what is no robot.
    """

    browser: pa.StringArray
    version: pa.StringArray
    os: pa.StringArray
    device: pa.StringArray
    bot: pa.StringArray


def scrub(values: pa.StringArray, *, wanted: AbstractSet[str] = ALL_PARTS) -> Agents:
    """Read user agents into words of the vocabulary.

    Keeps: family and major version of the browser, family of the system, class of the device,
    name of the robot.
    Loses: every character of the text that is not in a name known at release time.

    >>> firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    >>> jane = "jane.roe@example.com/1.0 CFNetwork/978.0.7 Darwin/18.5.0"
    >>> found = scrub(pa.array([firefox, jane, None]))
    >>> found.browser.to_pylist(), found.version.to_pylist()
    (['Firefox', 'Other', None], ['128', None, None])
    >>> found.os.to_pylist(), found.device.to_pylist(), found.bot.to_pylist()
    (['Linux', 'iOS', None], ['desktop', 'Other', None], [None, 'Other', None])

    Args:
        values: Distinct strings, decoded. Null gives null everywhere.
        wanted: Which of `PARTS` to fill; engines that no wanted part needs are never loaded.
    """
    asked = ALL_PARTS & wanted
    found = [None if text is None else _find(text, asked) for text in _texts(values)]
    columns = (pa.array([row and row[n] for row in found], pa.string()) for n in range(len(PARTS)))
    return Agents(*columns)


def _texts(values: pa.StringArray) -> list[str | None]:
    """The strings, cut; as bytes first, so that long or broken ones do no harm."""
    return [
        None if raw is None else raw[: 4 * MAX_CHARS].decode("utf-8", "replace")[:MAX_CHARS]
        for raw in values.cast(pa.binary()).to_pylist()
    ]


_cache: dict[tuple[frozenset[str], str], _Found] = {}


def _find(text: str, wanted: frozenset[str]) -> _Found:
    key = (wanted, text)
    known = _cache.get(key)
    if known is None:
        known = _parse(text, wanted)
        # Real agents are ASCII; other characters take up to four times the memory.
        if text.isascii():
            if len(_cache) >= _CACHED:
                _cache.clear()
            _cache[key] = known
    return known


def _parse(text: str, wanted: frozenset[str]) -> _Found:
    browser = version = None
    if not wanted.isdisjoint({"browser", "version"}):
        family, major = raw_browser(text)
        browser = _listed(family, "families.txt")
        version = major if browser != OTHER and _is_major(major) else None
    return (
        browser if "browser" in wanted else None,
        version if "version" in wanted else None,
        _listed(_raw_system(text), "systems.txt") if "os" in wanted else None,
        _device(text) if "device" in wanted else None,
        bots.name_of(text) if "bot" in wanted else None,
    )


def raw_browser(text: str) -> tuple[str, str | None]:
    """Family and major as uap-core's rules give them: **may hold client text**, never written."""
    hit = _browsers().extract(text[:MAX_CHARS])
    return (OTHER, None) if hit is None else (hit.family, hit.major)


def _raw_system(text: str) -> str:
    hit = _systems().extract(text)
    return OTHER if hit is None else hit.family


def _device(text: str) -> str:
    return next((device for mark, device in _DEVICES if mark in text), OTHER)


def _is_major(major: str | None) -> bool:
    return major is not None and len(major) <= 4 and major.isascii() and major.isdigit()


def _listed(name: str, vocabulary: str) -> str:
    """The member of a vocabulary that a name is, whatever its case, or `Other`."""
    exact, folded = _vocabulary(vocabulary)
    return name if name in exact else folded.get(name.lower(), OTHER)


@cache
def _vocabulary(name: str) -> tuple[frozenset[str], dict[str, str]]:
    listed = bots.lines(name)
    return frozenset(listed), {member.lower(): member for member in reversed(listed)}


@dataclass(frozen=True, slots=True)
class Rules:
    """uap-core's rules, in its order: the first that fits counts."""

    browsers: tuple[Rule, ...]
    systems: tuple[Rule, ...]


@cache
def rules() -> Rules:
    """The rules of the installed ua-parser-builtins.

    Its modules import `ua_parser`, of which nothing is needed here; so the calls they consist of
    are read, not run.

    Raises:
        LogscrubError: If the package is not made as it used to be.
    """
    source = (files("ua_parser_builtins") / "lazy.py").read_text(encoding="utf-8")
    try:
        matchers: Any = next(n for n in ast.parse(source).body if isinstance(n, ast.AnnAssign))
        browsers, systems = (
            tuple(_rule(call) for call in group.elts) for group in matchers.value.elts[:2]
        )
    except (StopIteration, AttributeError, ValueError, TypeError, SyntaxError):
        raise LogscrubError(
            "the installed ua-parser-builtins holds no rules in the form that is known",
            hint="install the version in requirements.lock",
        ) from None
    return Rules(browsers, systems)


def _rule(call: ast.Call) -> Rule:
    """Expression, family and major; the finer parts of a version are not kept."""
    fields = {"regex": None, "family": None, "major": None}
    fields |= dict(zip(fields, map(ast.literal_eval, call.args), strict=False))
    fields |= {
        word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg in fields
    }
    return (str(fields["regex"]), fields["family"], fields["major"], None, None, None)


@cache
def _browsers() -> UserAgentExtractor:
    return UserAgentExtractor(rules().browsers)


@cache
def _systems() -> OSExtractor:
    return OSExtractor(rules().systems)
