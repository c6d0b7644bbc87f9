"""`logscrub compact`."""

from __future__ import annotations

from datetime import UTC, datetime

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, stoppable
from logscrub.dataset import Dataset, exists, sweep
from logscrub.run.compact import compact


def command(
    target: options.Out, quiet: options.Quiet = False, as_json: options.Json = False
) -> None:
    """Merge small files of the same due date and event date.

    Changes no row and no due date, and works beside a running ingest or follow. Readers see the rows before or
    after, never twice.
    """
    dataset = Dataset(target)
    exists(dataset)
    with stoppable() as stopped:
        done = compact(
            dataset,
            stamp=datetime.now(UTC).isoformat(timespec="seconds"),
            stop=lambda: bool(stopped()),
        )
    sweep(dataset)
    if as_json:
        out_json({"merged": done.before, "into": done.after, "rows": done.rows})
    elif not quiet:
        out(f"merged {done.before} segments with {done.rows:,} rows into {done.after}")
