"""`expire`: plan, then delete what is due, then look that it is gone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from logscrub import keystore
from logscrub.dataset import Dataset, locked, opened, output_error, publish, sweep, sync_folder
from logscrub.errors import OverdueError
from logscrub.retention import Plan, local_day, plan
from logscrub.run.pinned import ruling_policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logscrub.ledger import Ledger
    from logscrub.policy import Policy
    from logscrub.records import Segment

_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Expiry:
    """What an expiry did, or would do.

    Args:
        plan: Segment by segment, with reasons.
        deleted: Segments that are gone now.
        unknown: Files without a ledger entry that lay under a due date that has come.
        keys: First days of the key periods whose keys were destroyed.
    """

    plan: Plan
    deleted: int
    unknown: int
    keys: tuple[date, ...]


def planned(ledger: Ledger, policy: Policy, today: date) -> Plan:
    """What is due today."""
    return plan(ledger.segments("published", "expiring"), policy, today)


def expire(
    out: Dataset, *, now: datetime, dry_run: bool = False, keys: Path | None = None
) -> Expiry:
    """Delete what is due.

    Args:
        out: The dataset.
        now: The present.
        dry_run: Only plan.
        keys: Key folder, None for the dataset's own.

    Raises:
        OverdueError: Something due is still there afterwards.
        BusyError: Another process commits for longer than a minute.
    """
    with locked(out, "lock", wait=_WAIT), opened(out) as ledger:
        policy = ruling_policy(out, ledger)
        today = local_day(int(now.timestamp() * 1000), policy.retention.timezone)
        if not dry_run:
            publish(out, ledger, stamp=_stamp(now))
        decided = planned(ledger, policy, today)
        if dry_run:
            return Expiry(decided, 0, len(_unknown(out, ledger, today)), ())
        unknown = _delete(out, ledger, decided, today, now)
        over: list[date] = []
        if policy.address.mode == "hash":
            rule = policy.address
            over = keystore.destroy_old(
                keys or out.keys,
                rotation_days=rule.rotation.days,
                ttl_days=rule.key_ttl.days,
                now=now,
            )
    left = overdue_folders(out, today)
    if left:
        raise OverdueError(
            f"{len(left)} due folders are still there, the oldest is {left[0].name}",
            hint="check the rights on the data folder and run expire again",
        )
    return Expiry(decided, len(decided.remove), unknown, tuple(over))


def overdue_folders(out: Dataset, today: date) -> list[Path]:
    """Folders below `data/` whose day has come, oldest first; the layout alone tells."""
    found = []
    for entry in sorted(out.data.iterdir()) if out.data.is_dir() else []:
        try:
            day = date.fromisoformat(entry.name.removeprefix("due="))
        except ValueError:
            continue
        if day <= today:
            found.append(entry)
    return found


def _unknown(out: Dataset, ledger: Ledger, today: date) -> list[Path]:
    known = {one.name for one in ledger.segments("published", "expiring")}
    return [
        file
        for due in overdue_folders(out, today)
        for file in due.rglob("*")
        if file.is_file() and file.name not in known
    ]


def _delete(out: Dataset, ledger: Ledger, decided: Plan, today: date, now: datetime) -> int:
    by_name = {one.name: one for one in ledger.segments("published", "expiring")}
    reasons = {one.segment.name: one.reason for one in decided.remove}
    doomed = [by_name[name] for name in reasons]
    unknown = len(_unknown(out, ledger, today))
    stamp = _stamp(now)
    try:
        ledger.set_state([one.name for one in doomed], "expiring")
        _unlink(out, doomed, overdue_folders(out, today))
        for reason in sorted(set(reasons.values())):
            ledger.record_deletions(
                [one for one in doomed if reasons[one.name] == reason], reason=reason, at=stamp
            )
    except OSError as error:
        raise output_error(error, out.data) from None
    return unknown


def _unlink(out: Dataset, doomed: Sequence[Segment], due: Sequence[Path]) -> None:
    """Whole due folders leave `data/` in one rename each, so that no reader sees half of one."""
    # those of an expiry that was killed go now, too
    graves = list(out.staging.glob("expired-*"))
    for folder in due:
        grave = out.staging / f"expired-{uuid4().hex}"
        folder.rename(grave)
        graves.append(grave)
    for one in doomed:
        # a policy that became shorter makes single segments due before their folder
        (out.data / one.folder / one.name).unlink(missing_ok=True)
    _prune(out.data)
    sync_folder(out.data)
    for grave in graves:
        shutil.rmtree(grave)
    sweep(out)
    sync_folder(out.staging)


def _prune(data: Path) -> None:
    for folder in sorted(data.glob("due=*/date=*"), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    for folder in data.glob("due=*"):
        if not any(folder.iterdir()):
            folder.rmdir()


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="seconds")
