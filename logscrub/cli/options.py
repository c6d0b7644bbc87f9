"""Options that several commands share, declared once."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from logscrub.errors import UsageError

Out = Annotated[
    Path, typer.Argument(metavar="OUT", help="The dataset: the folder given to ingest --out.")
]
PolicyName = Annotated[
    str,
    typer.Option(
        "--policy",
        "-p",
        metavar="NAME|FILE",
        help="Profile or TOML file. Default: the dataset's own, security-12m for a new one.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="Tighten one setting of the policy for this run."
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME|STRING|auto",
        help="Format of the lines; auto detects the known ones.",
    ),
]
FormatFrom = Annotated[
    str,
    typer.Option(
        "--format-from",
        metavar="FILE[:NAME]",
        help="Read the format out of a server's configuration.",
    ),
]
Site = Annotated[
    str,
    typer.Option(
        "--site", metavar="NAME", help="Virtual host of these lines, if the policy lists it."
    ),
]
Timezone = Annotated[
    str,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="For formats that do not log their offset: Europe/Zurich.",
    ),
]
Geo = Annotated[
    Path | None, typer.Option("--geo", metavar="FILE.mmdb", help="Database for the country.")
]
Asn = Annotated[
    Path | None, typer.Option("--asn", metavar="FILE.mmdb", help="Database for the AS number.")
]
Keys = Annotated[
    Path | None, typer.Option("--keys", metavar="DIR", help="Where keys lie; OUT/keys by default.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, with reasons, and stop.")
]


def day(text: str) -> date | None:
    """A date of the command line, None when it was not given.

    Raises:
        UsageError: It is no date.
    """
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text} is not a date", hint="write it as YYYY-MM-DD") from None
