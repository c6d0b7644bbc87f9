"""User agents as a scrubbed line shows them: one short text, made of words of the vocabulary."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from logscrub.scrubbers import agent, bots

if TYPE_CHECKING:
    from logscrub.policy import Agent

ROBOT: Final = "bot"
"""A robot without a name in the vocabulary."""


def agent_texts(values: pa.StringArray, keep: Agent) -> pa.StringArray:
    """`Firefox/128 (Linux)`, `Googlebot`, `bot`: of each user agent what the policy keeps.

    A text of this very form stays what it is, less what the policy does not keep: its words are those of the
    vocabulary, so lines that are scrubbed twice say the same as lines scrubbed once.

    Args:
        values: Distinct user agents, decoded.
        keep: What the policy keeps of them.

    Returns:
        As many texts; null for null, and where nothing is kept.

    Keeps: name of the robot, or family, major version and system, each if the policy says so.
    Loses: everything else.

    >>> from logscrub.policy import Agent
    >>> firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    >>> agent_texts(pa.array([firefox, "Firefox/128", "jane.roe@example.com"]), Agent()).to_pylist()
    ['Firefox/128', 'Firefox/128', 'bot']
    """
    texts = values.to_pylist()
    own = [None if text is None else _read(text, keep) for text in texts]
    # A robot is shown by its name alone, so it must be looked for even where the policy keeps no name of it.
    wanted = frozenset(
        part for part, kept in (("browser", keep.browser), ("version", keep.browser and keep.version),
                                ("os", keep.os), ("bot", keep.bot)) if kept
    )  # fmt: skip
    open_values = pa.array(
        [text if mine is None else None for text, mine in zip(texts, own, strict=True)], pa.string()
    )
    found = agent.scrub(open_values, wanted=wanted)
    parts = zip(
        *(column.to_pylist() for column in (found.browser, found.version, found.os, found.bot)),
        strict=True,
    )
    return pa.array(
        [mine or _shown(*row) for mine, row in zip(own, parts, strict=True)], pa.string()
    )


def _shown(
    browser: str | None, version: str | None, system: str | None, bot: str | None
) -> str | None:
    if bot is not None:
        return ROBOT if bot == agent.OTHER else bot
    name = f"{browser}/{version}" if browser and version else browser
    return " ".join(part for part in (name, f"({system})" if system else None) if part) or None


@cache
def _words() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Families, systems and robots."""
    families = frozenset(bots.lines("families.txt")) | {agent.OTHER}
    systems = frozenset(bots.lines("systems.txt")) | {agent.OTHER}
    return families, systems, frozenset(bots.names().values()) | {ROBOT}


def _read(text: str, keep: Agent) -> str | None:
    """What is kept of a text that `_shown` could have made; None for any other text."""
    if len(text) > agent.MAX_CHARS:
        return None
    # Where no quotes stand around a user agent, `_` stands for its blanks.
    return _parts(text, keep) or (_parts(text.replace("_", " "), keep) if "_" in text else None)


def _parts(text: str, keep: Agent) -> str | None:
    families, systems, robots = _words()
    if text in robots and keep.bot:
        return text
    name, system = (
        _cut(text.removesuffix(")"), " (", systems) if text.endswith(")") else (text, None)
    )
    name, system = (text, None) if text in families or system is None else (name, system)
    family, version = (name, None) if name in families else _cut(name, "/", None)
    if family not in families or (version is not None and not _is_major(version)):
        return None
    return _shown(
        family if keep.browser else None,
        version if keep.browser and keep.version else None,
        system if keep.os else None,
        None,
    )


def _cut(text: str, mark: str, allowed: frozenset[str] | None) -> tuple[str, str | None]:
    """What stands before and after the last mark; the whole where that is not there, or not followed by what may be."""
    before, found, after = text.rpartition(mark)
    return (before, after) if found and (allowed is None or after in allowed) else (text, None)


def _is_major(version: str) -> bool:
    return version.isascii() and version.isdigit() and len(version) <= 4
