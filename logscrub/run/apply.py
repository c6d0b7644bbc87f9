"""`policy apply`: the one way to change the policy of a dataset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logscrub import profiles
from logscrub.dataset import Dataset, locked, opened
from logscrub.errors import UsageError
from logscrub.policy import Change, compare, digest
from logscrub.run.pinned import pin, pinned_policy

if TYPE_CHECKING:
    from logscrub.policy import Policy


def apply_policy(
    out: Dataset, name: str, *, reason: str, now: datetime, dry_run: bool = False
) -> tuple[Change, ...]:
    """Give a dataset another policy, from now on.

    Rows already there keep what they hold. Their due date becomes earlier where the new policy is shorter, and never
    later; `ingest --replace` scrubs sources again whose raw files are still there.

    Args:
        out: The dataset.
        name: Profile or file.
        reason: Why, for the ledger.
        now: The present.
        dry_run: Only compare.

    Returns:
        What changes.

    Raises:
        UsageError: There is no reason.
        BusyError: A writer is at work under the old policy.
    """
    wanted, _ = profiles.read(name)
    current = pinned_policy(out)
    changes = compare(current, wanted) if current else ()
    if dry_run or (current and digest(current) == digest(wanted)):
        return changes
    if not reason.strip():
        raise UsageError(
            "a reason is missing", hint='say why: --reason "…"; it is kept with the dataset'
        )
    with locked(out, "ingest.lock"), locked(out, "lock", wait=60), opened(out) as ledger:
        ledger.record_policy(
            digest(wanted), reason=reason, changes=[_line(one) for one in changes],
            at=now.astimezone(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        pin(out, wanted, instead=True)
    return changes


def find_policy(name: str) -> Policy:
    """A policy by profile, file, or the dataset that is pinned to it."""
    from pathlib import Path  # noqa: PLC0415 — one use

    pinned = pinned_policy(Dataset(Path(name))) if Path(name).is_dir() else None
    return pinned or profiles.read(name)[0]


def _line(change: Change) -> str:
    return f"{change.key}: {change.old} -> {change.new} ({change.direction})"
