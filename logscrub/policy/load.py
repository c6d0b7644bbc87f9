"""From the text of a policy file to a policy and back; whatever is not understood is refused."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from typing import Any

from logscrub.errors import PolicyError
from logscrub.policy.check import contradictions
from logscrub.policy.settings import (
    HEADER,
    SECTIONS,
    SETTINGS,
    SOURCE_SETTINGS,
    Policy,
    SourceRule,
    value_of,
)
from logscrub.policy.words import quote, suggestion, wrong_type

FORMAT_VERSION = 1
MOST_CHARACTERS = 262_144
"""Room for an allow-list of ten thousand sites; more is not a policy."""

_TOP = ("version", *HEADER, *SECTIONS, "sources")


def load(text: str, *, name: str) -> Policy:
    """The policy that the text of a file means.

    Args:
        text: TOML, at most `MOST_CHARACTERS`; `version = 1` and `[retention] period` are required.
        name: What it is called unless the file says so itself, as a dump does.

    Raises:
        PolicyError: Not TOML, an unknown table or key, a value of the wrong type or out of range, no
            retention period, or settings that contradict each other.
    """
    tree = _parse(text)
    _refuse_unknown(tree)
    _refuse_version(tree)
    if "period" not in tree.get("retention", {}):
        raise PolicyError(
            "retention.period is missing",
            hint='say how long rows are kept, such as period = "12 months"; nothing is kept for ever',
        )
    sections: dict[str, Any] = {
        section: make(
            **{
                key: SETTINGS[f"{section}.{key}"].read(f"{section}.{key}", raw)
                for key, raw in tree.get(section, {}).items()
            }
        )
        for section, make in SECTIONS.items()
    }
    sources = tuple(_read_source(raw) for raw in tree.get("sources", []))
    _refuse_twice(sources)
    policy = Policy(
        name=HEADER["name"].read("name", tree.get("name", name)),
        description=HEADER["description"].read("description", tree.get("description", "")),
        **sections,
        sources=sources,
    )
    return accept(policy)


def accept(policy: Policy) -> Policy:
    """The policy itself, when its settings do not contradict each other.

    Raises:
        PolicyError: They do; the first contradiction.
    """
    for finding in contradictions(policy):
        raise PolicyError(finding.text, hint=finding.hint)
    return policy


def dump(policy: Policy) -> str:
    """TOML with every setting, that loads to an equal policy."""
    lines = [f"version = {FORMAT_VERSION}"]
    lines += [f"{key} = {kind.text(getattr(policy, key))}" for key, kind in HEADER.items()]
    section = ""
    for key, kind in SETTINGS.items():
        table, name = key.split(".")
        if table != section:
            section = table
            lines += ["", f"[{section}]"]
        lines.append(f"{name} = {kind.text(value_of(policy, key))}")
    for rule in policy.sources:
        lines += ["", "[[sources]]"]
        lines += [
            f"{key} = {kind.text(getattr(rule, key))}" for key, kind in SOURCE_SETTINGS.items()
        ]
    return "\n".join(lines) + "\n"


def digest(policy: Policy) -> str:
    """16 hex digits that are equal exactly when `compare` finds nothing between two policies.

    So they do not depend on the name, the description, or the order of an allow-list.
    """
    site = replace(policy.site, allow=tuple(sorted(policy.site.allow)))
    request = replace(policy.request, query_allow=tuple(sorted(policy.request.query_allow)))
    canonical = replace(policy, name="", description="", site=site, request=request)
    return hashlib.sha256(dump(canonical).encode()).hexdigest()[:16]


def unknown(kind: str, key: str, known: tuple[str, ...]) -> PolicyError:
    """The error for a key or table that does not exist, with the nearest one that does."""
    shown = key if key.isprintable() and len(key) <= 60 else "with a name that cannot be one"
    last = key.rsplit(".", maxsplit=1)[-1]
    same = [other for other in known if "." in other and other.split(".")[1] == last]
    near = suggestion(key, same or known) or (f"did you mean {same[0]}?" if same else "")
    return PolicyError(
        f"unknown {kind} {shown}", hint=near or "see `logscrub policy show` for what exists"
    )


def _parse(text: str) -> dict[str, Any]:
    if len(text) > MOST_CHARACTERS:
        raise PolicyError(
            f"the policy is longer than {MOST_CHARACTERS} characters", hint="is this a policy file?"
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # The parser tells a position and at most one character; a log given by mistake is not quoted.
        where = f": {error}" if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise PolicyError(f"the policy is not TOML{where}", hint="correct the file there") from None


def _refuse_unknown(tree: dict[str, Any]) -> None:
    for top, table in tree.items():
        if top not in _TOP:
            raise unknown(
                "table" if isinstance(table, dict | list) else "key", top, (*_TOP, *SETTINGS)
            )
        if top == "sources":
            _refuse_unknown_in_sources(table)
        if top not in SECTIONS:
            continue
        if not isinstance(table, dict):
            raise wrong_type(top, table, f"a table [{top}]")
        for name in table:
            if f"{top}.{name}" not in SETTINGS:
                raise unknown("key", f"{top}.{name}", tuple(SETTINGS))


def _refuse_unknown_in_sources(rules: object) -> None:
    if not isinstance(rules, list):
        raise wrong_type("sources", rules, "tables [[sources]]")
    for rule in rules:
        if not isinstance(rule, dict):
            raise wrong_type("each entry of sources", rule, "a table [[sources]]")
        for name in rule:
            if name not in SOURCE_SETTINGS:
                raise unknown(
                    "key", f"sources.{name}", tuple(f"sources.{key}" for key in SOURCE_SETTINGS)
                )


def _refuse_version(tree: dict[str, Any]) -> None:
    if "version" not in tree:
        raise PolicyError(
            "version is missing", hint=f"begin the file with version = {FORMAT_VERSION}"
        )
    version = tree["version"]
    if type(version) is not int:
        raise wrong_type("version", version, "a whole number")
    if version != FORMAT_VERSION:
        raise PolicyError(
            f"version must be {FORMAT_VERSION}",
            hint="this logscrub reads no other version of policy files",
        )


def _read_source(raw: dict[str, Any]) -> SourceRule:
    if "path" not in raw:
        raise PolicyError("sources.path is missing", hint="each [[sources]] table names a path")
    path = raw["path"]
    where = f"of the source {quote(path[:60])}" if isinstance(path, str) else "of a source"
    return SourceRule(
        **{key: SOURCE_SETTINGS[key].read(f"{key} {where}", value) for key, value in raw.items()}
    )


def _refuse_twice(rules: tuple[SourceRule, ...]) -> None:
    for rule in rules:
        if rule.site and "{site}" in rule.path:
            raise PolicyError(
                f"the source {quote(rule.path[:60])} names its site twice",
                hint="leave out site, or the {site} in path",
            )
    paths = [rule.path for rule in rules]
    for path in paths:
        if paths.count(path) > 1:
            raise PolicyError(
                f"two sources have the path {quote(path[:60])}",
                hint="the first that fits counts; remove one",
            )
