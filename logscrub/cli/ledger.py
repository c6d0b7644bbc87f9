"""`logscrub ledger`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table, say
from logscrub.dataset import Dataset
from logscrub.run.prepare import Wishes
from logscrub.run.rebuild_ledger import Rebuilt, rebuild_ledger

app = typer.Typer(
    name="ledger", help="The record of what was read, stored and deleted.", no_args_is_help=True
)

_LOST = (
    "the log of deletions begins anew: it cannot be made again",
    "changes of the policy, rejects and blank lines of unproven sources, and files found beside the logs are forgotten",
    "sources without a row that is still there are unknown: their files are read as new",
)


@app.command()
def rebuild(
    target: options.Out,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH…]", help="Raw files, folders, globs that were read into the dataset."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the ledger is healthy.")
    ] = False,
    settings: options.Settings = None,
    format_: options.Format = "auto",
    format_from: options.FormatFrom = "",
    site: options.Site = "",
    timezone: options.Timezone = "",
    keys: options.Keys = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Make a lost or damaged ledger anew from the files in data/ and policy.toml.

    How far raw files were read is proven by reading them again, with the options of their ingest: name all that are
    still there. A source whose raw file is not named has no proof: should the file turn up, it is read again.
    """
    wishes = Wishes(
        "", tuple(settings or ()), format_, format_from, site, timezone, None, None, keys
    )
    done = rebuild_ledger(
        Dataset(target), list(paths or ()), wishes, now=datetime.now(UTC), force=force
    )
    if as_json:
        out_json(_document(done))
        return
    out_table(
        ("source", "rows", "state", "read to byte", "raw file, or why there is none"),
        [
            *((one.source, one.rows, "proven", one.position, one.path) for one in done.proven),
            *((one.source, one.rows, "unproven", None, one.why) for one in done.unproven),
        ],
    )
    if not quiet:
        _explain(done)


def _explain(done: Rebuilt) -> None:
    out(f"the ledger holds {done.segments} segments with {done.rows:,} rows again")
    if done.kept:
        say(
            f"the old ledger is {done.kept}; delete it when its hashes and paths are not needed any more"
        )
    if done.unproven:
        rows = sum(one.rows for one in done.unproven)
        say(
            f"{len(done.unproven)} sources with {rows:,} rows are unproven: if a raw file of theirs is ingested, its "
            "rows are there twice. Where one is left, run this again with --force and name it"
        )
    for path, why in done.others:
        say(f"{path} · proves nothing: {why}")
    for path, why in done.strangers:
        say(f"{path} · left out: {why}")
    if done.staged:
        say(
            f"{done.staged} files wait in staging, perhaps committed ones; the next ingest removes them"
        )
    for text in _LOST:
        say(f"lost: {text}")


def _document(done: Rebuilt) -> dict[str, object]:
    return {
        "segments": done.segments,
        "rows": done.rows,
        "old_ledger": done.kept,
        "proven": [
            {"source": one.source, "path": one.path, "rows": one.rows, "position": one.position}
            for one in done.proven
        ],
        "unproven": [
            {"source": one.source, "rows": one.rows, "why": one.why} for one in done.unproven
        ],
        "other_files": [{"path": path, "why": why} for path, why in done.others],
        "left_out": [{"path": path, "why": why} for path, why in done.strangers],
        "staged": done.staged,
        "lost": list(_LOST),
    }
