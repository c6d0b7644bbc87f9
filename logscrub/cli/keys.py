"""`logscrub keys`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from logscrub import keystore
from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table
from logscrub.dataset import Dataset
from logscrub.errors import UsageError

app = typer.Typer(
    name="keys", help="Keys for tokens: files that only their owner reads.", no_args_is_help=True
)


@app.command()
def init(target: options.Out, keys: options.Keys = None) -> None:
    """Make the key folder before the first ingest does, to choose where it lies."""
    folder = keys or Dataset(target).keys
    made = keystore.init(folder)
    out(f"{'made' if made else 'already there:'} {folder}; keep it out of backups of the data")


@app.command("list")
def list_(target: options.Out, keys: options.Keys = None, as_json: options.Json = False) -> None:
    """Show the key periods; never a key."""
    found = keystore.listed(keys or Dataset(target).keys)
    if as_json:
        out_json([{"first_day": one.first_day, "destroyed": one.destroyed} for one in found])
        return
    out_table(
        ("key period", "key"),
        [(one.first_day, "destroyed" if one.destroyed else "kept") for one in found],
    )


@app.command()
def destroy(
    target: options.Out,
    period: Annotated[
        str, typer.Option("--period", metavar="DATE", help="First day of the period.")
    ],
    keys: options.Keys = None,
) -> None:
    """Destroy the key of one period: its tokens stay, and nobody can make them again."""
    first_day = options.day(period)
    assert first_day is not None
    if first_day > datetime.now(UTC).date():
        raise UsageError(
            f"the period {first_day} has not begun", hint="`logscrub keys list` shows the periods"
        )
    there = keystore.destroy(keys or Dataset(target).keys, first_day)
    out(
        f"{'destroyed the key of' if there else 'there was no key for'} the period beginning {first_day}"
    )
