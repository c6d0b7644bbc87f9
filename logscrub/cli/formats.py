"""`logscrub formats`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table
from logscrub.errors import FormatError
from logscrub.formats.catalogue import CATALOGUE, resolve
from logscrub.formats.detect import detect as detect_in
from logscrub.run.staging import sample_of
from logscrub.schema import Raw

app = typer.Typer(
    name="formats",
    help="Which formats there are, and which one a file is in.",
    no_args_is_help=True,
)


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """Show the formats known by name."""
    rows = [(one.name, one.about, one.text) for one in CATALOGUE.values()]
    if as_json:
        out_json([{"name": name, "about": about, "string": text} for name, about, text in rows])
        return
    out_table(("name", "written by", "format string"), rows)


@app.command()
def detect(
    file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: options.Json = False
) -> None:
    """Say which format a file is in, without quoting a line of it."""
    found = detect_in(sample_of(file))
    if as_json:
        out_json({"format": found.name or None, "share": found.share, "kind": found.kind, "reason": found.reason,
                  "structure": found.structure})  # fmt: skip
    elif found.layout:
        out(f"{found.name}: {found.reason}")
    if found.layout is None:
        raise FormatError(
            f"{file}: {found.reason}"
            + (f"; the lines look like {found.structure}" if found.structure else ""),
            hint="name the format with --format, or take it from the server: --format-from nginx.conf:NAME",
        )


@app.command()
def explain(
    text: Annotated[
        str, typer.Argument(metavar="NAME|STRING", help="A format's name, or a format string.")
    ],
    as_json: options.Json = False,
) -> None:
    """Show the fields of a format and what each becomes."""
    layout = resolve(text)
    rows = [
        (
            one.name,
            one.kind.name.lower(),
            str(one.keeps)
            if isinstance(one.keeps, Raw)
            else one.keeps.name.lower()
            if one.keeps
            else "dropped",
        )
        for one in layout.fields
    ]
    if as_json:
        out_json([{"field": name, "kind": kind, "becomes": keeps} for name, kind, keeps in rows])
        return
    out_table(("field", "kind", "becomes"), rows)
