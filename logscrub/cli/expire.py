"""`logscrub expire`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table, say
from logscrub.dataset import Dataset, exists
from logscrub.run.expire import Expiry, expire

if TYPE_CHECKING:
    from logscrub.retention import Decision


def command(
    target: options.Out,
    dry_run: options.DryRun = False,
    keys: options.Keys = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Delete what is due, and record each deletion.

    Works beside a running ingest. Exits with an error when something due is still there afterwards.
    """
    dataset = Dataset(target)
    exists(dataset)
    result = expire(dataset, now=datetime.now(UTC), dry_run=dry_run, keys=keys)
    if as_json:
        out_json(_document(result, dry_run=dry_run))
        return
    if dry_run:
        decisions = (*result.plan.remove, *result.plan.keep)
        doomed = {one.segment.name for one in result.plan.remove}
        out_table(
            ("action", "segment", "date", "due", "rows", "reason"),
            [
                ("delete" if one.segment.name in doomed else "keep", one.segment.name, one.segment.date, one.due,
                 one.segment.rows, one.reason)
                for one in decisions
            ],
        )  # fmt: skip
    if quiet:
        return
    rows = sum(one.segment.rows for one in result.plan.remove)
    verb = "would delete" if dry_run else "deleted"
    out(
        f"{verb} {len(result.plan.remove)} segments with {rows:,} rows; {len(result.plan.keep)} are not due yet"
    )
    if result.unknown:
        fate = "would go" if dry_run else "went"
        say(
            f"{result.unknown} files without a ledger entry under a due date that has come {fate} with it"
        )
    for day in result.keys:
        say(f"destroyed the key of the period beginning {day}")


def _document(result: Expiry, *, dry_run: bool) -> dict[str, object]:
    def rows(decisions: tuple[Decision, ...]) -> list[dict[str, object]]:
        return [
            {
                "segment": one.segment.name,
                "date": one.segment.date,
                "due": one.due,
                "rows": one.segment.rows,
                "reason": one.reason,
            }
            for one in decisions
        ]

    return {
        "dry_run": dry_run,
        "delete": rows(result.plan.remove),
        "keep": rows(result.plan.keep),
        "unknown_files": result.unknown,
        "keys_destroyed": list(result.keys),
    }
