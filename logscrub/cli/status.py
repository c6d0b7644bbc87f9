"""`logscrub status`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table
from logscrub.dataset import Dataset, exists
from logscrub.errors import LedgerError, OverdueError
from logscrub.run.status import Status, status

if TYPE_CHECKING:
    from logscrub.run.status import SourceStatus


def command(target: options.Out, keys: options.Keys = None, as_json: options.Json = False) -> int:
    """Show sources, rows, rejects, closures, due dates, keys, and what lies outside.

    Exits with an error when something is past due and still there, or gone and not due.
    """
    dataset = Dataset(target)
    exists(dataset)
    found = status(dataset, now=datetime.now(UTC), keys=keys)
    if as_json:
        out_json(asdict(found))
    else:
        _print(found)
    if found.missing:
        return LedgerError.exit_code
    return OverdueError.exit_code if found.overdue else 0


def _print(found: Status) -> None:
    out(
        f"{found.root}: policy {found.policy}, {found.rows:,} rows in {found.segments} segments, {found.bytes:,} bytes"
    )
    _print_alarms(found)
    out()
    out_table(
        (
            "source",
            "format",
            "state",
            "lines",
            "rows",
            "rejects",
            "blank",
            "newest event",
            "closed at the latest",
            "due",
        ),
        [_row(one) for one in found.sources],
    )
    if found.rejects:
        out()
        out_table(("reject reason", "lines"), sorted(found.rejects.items()))
    if found.keys:
        out()
        out_table(
            ("key period", "key"),
            [(one.first_day, "destroyed" if one.destroyed else "kept") for one in found.keys],
        )
    out()
    out("outside logscrub's care:")
    out_table(
        ("file", "what", "last seen", "still there"),
        [
            (one.path, one.kind, one.last_seen, "yes" if one.present else "no")
            for one in found.outside
        ],
    )
    for text in found.unmanaged:
        out(f"- {text}")


def _print_alarms(found: Status) -> None:
    if found.next_due:
        out(
            f"the first rows go on {found.next_due}, the last on {found.last_due}; "
            f"{found.deletions} segments are deleted"
        )
    else:
        out(f"no rows; {found.deletions} segments are deleted")
    if found.missing:
        out(
            f"MISSING: {found.missing} committed segments are not in {found.root}/data: restore them from a backup"
        )
    if found.overdue:
        out(
            f"OVERDUE: {found.overdue} segments are past their day and still there: run logscrub expire {found.root}"
        )


def _row(one: SourceStatus) -> tuple[object, ...]:
    due = (
        ""
        if one.dues is None
        else str(one.dues[0])
        if one.dues[0] == one.dues[1]
        else f"{one.dues[0]} to {one.dues[1]}"
    )
    closed = f"{one.closed_latest} ({one.closed_basis})"
    return (
        one.path, one.format, one.state, one.lines, one.rows, sum(one.rejects.values()), one.blanks, one.closure,
        closed, due,
    )  # fmt: skip
