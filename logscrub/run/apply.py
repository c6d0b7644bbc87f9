"""`policy apply`: the one way to change the policy of a dataset."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logscrub import profiles
from logscrub.dataset import FOLLOW, Dataset, holder, locked, opened
from logscrub.errors import BusyError, UsageError
from logscrub.policy import Change, compare, digest, dump
from logscrub.retention import local_day
from logscrub.run.expire import planned
from logscrub.run.pinned import pinned_policy, ruling_policy, write_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logscrub.policy import Policy


@dataclass(frozen=True, slots=True)
class Applied:
    """What a new policy changes.

    Args:
        changes: Setting by setting.
        due: Segments that are due under it, and go with the next expiry.
        rows: Their rows.
    """

    changes: tuple[Change, ...]
    due: int
    rows: int


def apply_policy(
    out: Dataset, name: str, *, reason: str, now: datetime, dry_run: bool = False
) -> Applied:
    """Give a dataset another policy, from now on.

    Rows already there keep what they hold. Their due date becomes earlier where the new policy is shorter, and never
    later; `ingest --replace` scrubs sources again whose raw files are still there.

    Args:
        out: The dataset.
        name: Profile or file.
        reason: Why, for the ledger.
        now: The present.
        dry_run: Only compare.

    Raises:
        UsageError: There is no reason.
        BusyError: A writer is at work under the old policy.
    """
    wanted, _ = profiles.read(name)
    with opened(out) as ledger:
        changes = compare(ruling_policy(out, ledger), wanted)
        today = local_day(int(now.timestamp() * 1000), wanted.retention.timezone)
        doomed = planned(ledger, wanted, today).remove
    applied = Applied(changes, len(doomed), sum(one.segment.rows for one in doomed))
    if dry_run:
        return applied
    if changes and not reason.strip():
        raise UsageError(
            "a reason is missing", hint='say why: --reason "…"; it is kept with the dataset'
        )
    with _between_commits(out), locked(out, "lock", wait=60), opened(out) as ledger:
        if changes:
            ledger.record_policy(
                digest(wanted), policy=dump(wanted), reason=reason, changes=[_line(one) for one in changes],
                at=now.astimezone(UTC).isoformat(timespec="seconds"),
            )  # fmt: skip
        write_policy(out, wanted)
    return applied


@contextmanager
def _between_commits(out: Dataset) -> Iterator[None]:
    """Keep writers away, except one that looks at the policy before each commit."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(out, "ingest.lock"))
        except BusyError:
            if holder(out) != FOLLOW:
                raise
        yield


def find_policy(name: str) -> Policy:
    """A policy by profile, file, or the dataset that is pinned to it."""
    from pathlib import Path  # noqa: PLC0415 — one use

    pinned = pinned_policy(Dataset(Path(name))) if Path(name).is_dir() else None
    return pinned or profiles.read(name)[0]


def _line(change: Change) -> str:
    return f"{change.key}: {change.old} -> {change.new} ({change.direction})"
