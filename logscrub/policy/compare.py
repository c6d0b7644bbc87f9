"""What differs between two policies, and whether that keeps less or more; overrides that may only keep less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from logscrub.errors import PolicyError
from logscrub.policy.kinds import Direction, Names, from_option
from logscrub.policy.load import accept, unknown
from logscrub.policy.settings import SETTINGS, Policy, SourceRule, value_of, with_value
from logscrub.policy.words import quote

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two policies.

    Args:
        key: `section.key`, or `sources`.
        old: The value before, as TOML.
        new: The value after, as TOML.
        direction: `tighter` keeps less, `looser` keeps more, `different` cannot be ranked.
    """

    key: str
    old: str
    new: str
    direction: Direction

    def __str__(self) -> str:
        return f"{self.key}: {self.old} → {self.new} ({self.direction})"


def compare(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every difference in what is kept, in the order of the file; name and description do not count."""
    changes = [
        Change(key, kind.text(before), kind.text(after), kind.direction(before, after))
        for key, kind in SETTINGS.items()
        for before, after in [(value_of(old, key), value_of(new, key))]
        if (set(before) != set(after) if isinstance(kind, Names) else before != after)
    ]
    if old.sources != new.sources:
        changes.append(Change("sources", _sources(old.sources), _sources(new.sources), "different"))
    return tuple(changes)


def override(policy: Policy, settings: Sequence[str]) -> Policy:
    """The policy with some settings tightened for one run.

    Args:
        policy: Where to start.
        settings: Each `section.key=value`; quotes around text may be left out, lists take commas.

    Raises:
        PolicyError: No such setting, a wrong value, a contradiction, or a change that does not keep less.
    """
    changed = policy
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals:
            raise PolicyError(
                "an override without a value",
                hint="write section.key=value, such as agent.version=false",
            )
        if key not in SETTINGS:
            raise unknown("key", key, tuple(SETTINGS))
        changed = with_value(changed, key, from_option(SETTINGS[key], key, text.strip()))
    for change in compare(policy, changed):
        if change.direction != "tighter":
            raise _not_tighter(change)
    return accept(changed)


def _not_tighter(change: Change) -> PolicyError:
    verdict = (
        "is looser than what the policy says"
        if change.direction == "looser"
        else "is not clearly tighter than what the policy says"
    )
    return PolicyError(
        f"{change.key} = {change.new} {verdict}, {change.old}; an override may only tighten",
        hint="change the policy file, then use `logscrub policy apply` with a reason",
    )


def _sources(rules: tuple[SourceRule, ...]) -> str:
    return (
        "; ".join(
            ", ".join(
                f"{key} {quote(value)}"
                for key, value in (
                    ("path", rule.path),
                    ("format", rule.format),
                    ("site", rule.site),
                    ("timezone", rule.timezone),
                )
                if value
            )
            for rule in rules
        )
        or "none"
    )
