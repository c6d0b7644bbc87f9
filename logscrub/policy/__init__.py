"""The policy: what is kept, how coarse, how long and why. Pure: text in, values out."""

from __future__ import annotations

from logscrub.policy.check import Finding, check
from logscrub.policy.compare import Change, compare, override
from logscrub.policy.explain import explain
from logscrub.policy.load import digest, dump, load
from logscrub.policy.period import Period
from logscrub.policy.settings import (
    Address,
    Agent,
    Geo,
    Language,
    Policy,
    Referer,
    Request,
    Retention,
    Site,
    SourceRule,
    Threats,
    Time,
    kept_columns,
)
from logscrub.policy.words import zone

__all__ = [
    "Address",
    "Agent",
    "Change",
    "Finding",
    "Geo",
    "Language",
    "Period",
    "Policy",
    "Referer",
    "Request",
    "Retention",
    "Site",
    "SourceRule",
    "Threats",
    "Time",
    "check",
    "compare",
    "digest",
    "dump",
    "explain",
    "kept_columns",
    "load",
    "override",
    "zone",
]
