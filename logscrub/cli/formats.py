"""`logscrub formats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json, out_table
from logscrub.errors import FormatError
from logscrub.formats import evidence
from logscrub.formats.catalogue import entry, names
from logscrub.formats.choice import AUTO, choose, judgeable
from logscrub.formats.detect import detect as detect_in
from logscrub.formats.explain import explain as explain_format
from logscrub.formats.wrappers import WRAPPERS
from logscrub.run.staging import sample_of

if TYPE_CHECKING:
    from logscrub.formats.detect import Detection
    from logscrub.formats.explain import Explanation

app = typer.Typer(
    name="formats",
    help="Which formats there are, and which one a file is in.",
    no_args_is_help=True,
)


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """Show the formats known by name."""
    entries = [entry(name) for name in names()]
    if as_json:
        out_json(
            [
                {
                    "name": one.name, "about": one.about, "origin": one.origin, "strings": one.strings,
                    "is_json": bool(one.format.layouts and one.format.layouts[0].paths),
                    "needs_timezone": not one.format.zoned, **_document(explain_format(one.name)),
                }
                for one in entries
            ]
        )  # fmt: skip
        return
    out_table(("name", "written by"), [(one.name, one.about) for one in entries])


@app.command()
def detect(
    file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: options.Json = False
) -> None:
    """Say which format a file is in, and what speaks for it, without quoting a line of it.

    Compressed files are read as they are. When the keys of a JSON log had to be guessed, the mapping is printed as a
    TOML file: save it, correct it, and name it with --format FILE.toml.
    """
    sample = sample_of(file)
    # as ingest does
    sample = judgeable(sample) or sample
    found = detect_in(sample)
    if as_json:
        out_json(_found(sample, found))
    elif found.format:
        _say(sample, found)
    if found.format is None:
        raise FormatError(
            f"{file}: {found.reason}"
            + (f"; the lines look like {found.structure}" if found.structure else ""),
            hint=choose(sample, AUTO).hint if found.kind != "empty" else "",
        )


def _found(sample: bytes, found: Detection) -> dict[str, Any]:
    document: dict[str, Any] = {
        "format": found.name or None, "wrappers": [], "kind": found.kind, "share": found.share, "lines": None,
        "fitting": None, "second": None, "differently": None, "mapping": None, "reason": found.reason,
        "structure": found.structure,
    }  # fmt: skip
    if found.format is None:
        return document
    weighed, guess = evidence.weigh(sample, found.format), evidence.guessed(found.format)
    return document | {
        "wrappers": found.format.wrappers, "lines": weighed.lines, "fitting": weighed.fitting,
        "second": weighed.second or None, "differently": weighed.differently,
        "mapping": guess and evidence.mapping(guess),
    }  # fmt: skip


def _say(sample: bytes, found: Detection) -> None:
    assert found.format
    weighed, guess = evidence.weigh(sample, found.format), evidence.guessed(found.format)
    name = found.name.rpartition("/")[2]
    out(f"format      {found.name}")
    out(f"written by  {entry(name).about if name in names() else _GUESSED}")
    for wrapper in found.format.wrappers:
        out(f"wrapped by  {wrapper}: {WRAPPERS[wrapper].about}")
    # rounded down, so that 100 % means every line
    out(f"confidence  {int(1000 * weighed.confidence) / 10:g} %")
    fits = f"{weighed.fitting:,} of the first {weighed.lines:,} lines have its fields"
    other = (
        f"the second best, {weighed.second}, reads {weighed.differently:,} in another way"
        if weighed.second
        else "no other known format reads one of them in another way"
    )
    out(f"evidence    {fits}; {other}")
    if guess:
        out("\n# save this as FILE.toml, correct it, and name it: --format FILE.toml")
        out(evidence.mapping(guess))


_GUESSED = "somebody's own JSON; what its keys mean was guessed from what they are called"


@app.command()
def explain(
    text: Annotated[
        str,
        typer.Argument(
            metavar="NAME|STRING|FILE.toml",
            help="A format's name, a format string, or a file that describes a format.",
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Show the fields of a format, what each may become, and which personal data is dropped."""
    found = explain_format(text)
    if as_json:
        out_json({"name": found.name, **_document(found)})
        return
    out_table(
        ("field", "holds", "becomes", "personal data"),
        [
            (one.field, one.holds, ", ".join(one.becomes) or "dropped", one.personal)
            for one in found.rows
        ],
    )
    out("\nPersonal data that is dropped while parsing:")
    for what, fields in found.dropped.items():
        out(f"  {what}: {', '.join(fields)}")
    if not found.dropped:
        out("  none that the format names")
    for note in (*found.notes, "a policy may keep less: logscrub policy explain NAME"):
        out(f"Note: {note}.")


def _document(found: Explanation) -> dict[str, Any]:
    return {
        "fields": [
            {
                "field": one.field,
                "holds": one.holds,
                "gives": one.gives or None,
                "becomes": one.becomes,
                "personal": one.personal or None,
            }
            for one in found.rows
        ],
        "personal_dropped": found.dropped,
        "notes": found.notes,
    }
