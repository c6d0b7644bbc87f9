"""`logscrub policy`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from logscrub import profiles
from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table
from logscrub.dataset import Dataset, exists
from logscrub.errors import PolicyError
from logscrub.policy import check as check_policy
from logscrub.policy import compare, dump, kept_columns
from logscrub.policy import explain as explain_policy
from logscrub.run.apply import apply_policy, find_policy

if TYPE_CHECKING:
    from logscrub.policy import Change

app = typer.Typer(
    name="policy", help="What is kept, how coarse, and how long.", no_args_is_help=True
)
Name = Annotated[
    str, typer.Argument(metavar="NAME|FILE|OUT", help="A profile, a TOML file, or a dataset.")
]


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """Show the profiles that come with logscrub."""
    found = [profiles.read(name)[0] for name in profiles.names()]
    if as_json:
        out_json(
            [
                {"name": one.name, "description": one.description, "keeps": kept_columns(one)}
                for one in found
            ]
        )
        return
    out_table(
        ("profile", "kept for", "what for"),
        [(one.name, str(one.retention.period), " ".join(one.description.split())) for one in found],
    )


@app.command()
def show(name: Name = profiles.DEFAULT) -> None:
    """Print a policy as TOML, every setting spelled out."""
    out(dump(find_policy(name)))


@app.command()
def check(name: Name, as_json: options.Json = False) -> None:
    """Look for contradictions and for what undoes the protection."""
    findings = check_policy(find_policy(name))
    if as_json:
        out_json([asdict(one) for one in findings])
    for one in findings if not as_json else ():
        out(f"{one.level}: {one.text}" + (f" — {one.hint}" if one.hint else ""))
    errors = [one for one in findings if one.level == "error"]
    if errors:
        raise PolicyError(
            f"the policy {name} has {len(errors)} errors", hint="they are listed above"
        )
    if not findings and not as_json:
        out("nothing to remark")


@app.command()
def explain(name: Name = profiles.DEFAULT) -> None:
    """Say in plain words what a policy keeps and what a row reveals."""
    out(explain_policy(find_policy(name)))


@app.command()
def diff(old: Name, new: Name, as_json: options.Json = False) -> None:
    """Show what gets looser and what gets tighter from one policy to another."""
    changes = compare(find_policy(old), find_policy(new))
    if as_json:
        out_json([asdict(one) for one in changes])
        return
    _print_changes(changes)


@app.command()
def apply(
    target: options.Out,
    policy: options.PolicyName,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the dataset.")
    ] = "",
    dry_run: options.DryRun = False,
) -> None:
    """Change the policy of a dataset, for what is collected from now on."""
    dataset = Dataset(target)
    exists(dataset)
    applied = apply_policy(dataset, policy, reason=reason, now=datetime.now(UTC), dry_run=dry_run)
    _print_changes(applied.changes)
    if applied.due:
        verb = "would be" if dry_run else "are"
        out(
            f"{applied.due} segments with {applied.rows:,} rows {verb} due at once: the next expire deletes them"
        )
    if applied.changes and not dry_run:
        out(
            "rows that are there keep what they hold; --replace reads sources again under the new policy"
        )


def _print_changes(changes: tuple[Change, ...]) -> None:
    if not changes:
        out("nothing changes")
        return
    out_table(
        ("setting", "old", "new", "is"), [(c.key, c.old, c.new, c.direction) for c in changes]
    )
