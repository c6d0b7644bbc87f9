"""`logscrub verify`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from logscrub.cli import options
from logscrub.cli.terminal import out, out_json
from logscrub.dataset import Dataset, exists
from logscrub.errors import VerifyError
from logscrub.run.verify import verify

if TYPE_CHECKING:
    from logscrub.run.verify import Verification

_SHOWN = 20
"""Findings of one kind that are printed; `--json` has all."""


def command(
    target: options.Out,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what reads all bytes: checksums and cells.")
    ] = False,
    keys: options.Keys = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> int:
    """Check files against the ledger, for leaks, overdue rows and loose permissions.

    Changes nothing, and works beside a running ingest or follow. Exits with an error when it finds something.
    """
    dataset = Dataset(target)
    exists(dataset)
    found = verify(dataset, now=datetime.now(UTC), keys=keys, quick=quick)
    if as_json:
        out_json({"holds": not found.findings, **asdict(found)})
    elif found.findings or not quiet:
        _print(found)
    return VerifyError.exit_code if found.findings else 0


def _print(found: Verification) -> None:
    kinds = Counter(one.code for one in found.findings)
    shown = Counter[str]()
    for one in found.findings:
        shown[one.code] += 1
        if shown[one.code] <= _SHOWN:
            out(f"{one.code}: {one.what}; {one.hint}")
    for code, count in kinds.items():
        if count > _SHOWN:
            out(f"{code}: {count - _SHOWN} more like these; --json lists all")
    for note in found.notes:
        out(f"note: {note}")
    verdict = "everything holds"
    if found.findings:
        verdict = ", ".join(f"{count} {code}" for code, count in kinds.items())
    left_out = "; checksums and cells were not looked at" if found.quick else ""
    out(f"{found.root}: {found.segments} segments, {found.rows:,} rows: {verdict}{left_out}")
