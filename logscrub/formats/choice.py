"""The format to read a source with, judged once on its first lines, before anything is committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from logscrub.formats.catalogue import resolve
from logscrub.formats.detect import SAMPLE_LINES, detect
from logscrub.formats.reading import taken_apart
from logscrub.schema import MAX_LINE, Block

if TYPE_CHECKING:
    from logscrub.formats.layout import Format

ENOUGH = 0.5
"""Share of the first lines that a format chosen by the user has to fit."""
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to read a source with.

    Args:
        format: None when none fits.
        reason: Why, without quoting a line.
        hint: What to do when none fits.
        kind: What the detection saw, `chosen` for a format that the user named.
        structure: What the lines look like, without a letter of theirs.
    """

    format: Format | None
    reason: str
    hint: str = ""
    kind: str = "chosen"
    structure: str = ""

    @property
    def refusal(self) -> str:
        """`reason`, and what the lines look like."""
        return (
            f"{self.reason}; the lines look like {self.structure}"
            if self.structure
            else self.reason
        )


_HINTS = {
    "error_log": "error logs are not ingested; logscrub filter --format nginx-error|apache-error masks them",
    "json": "describe it: --format FILE.toml, see docs/formats.md; or --format-from nginx.conf:NAME",
    "binary": "this is not a text log; leave the file out",
    "utf16": "convert it first: iconv -f UTF-16 -t UTF-8",
    "unknown": "name the format with --format, or take it from the server: --format-from nginx.conf:NAME",
}


def choose(sample: bytes, wanted: str, format: Format | None = None) -> Choice:  # noqa: A002 — the word of the option
    """Detect the format, or judge the one the user named.

    Args:
        sample: The first bytes that are new.
        wanted: Name, format string, or `auto`.
        format: Already compiled; outranks `wanted`.

    Raises:
        FormatError: `wanted` is no format.
    """
    if format is None and wanted != AUTO:
        format = resolve(wanted)  # noqa: A001 — as above
    sample = judgeable(sample) or sample
    if format is not None:
        return _judged(sample, format)
    found = detect(sample)
    if found.kind == "empty":
        # only blank lines so far: whatever reads them counts them
        return Choice(resolve("combined"), "only blank lines so far", kind="empty")
    return Choice(
        found.format, found.reason, _HINTS.get(found.kind, ""), found.kind, found.structure
    )


def judgeable(sample: bytes) -> bytes:
    """The lines that tell a format: blank ones do not, and overlong ones are an attacker's."""
    lines = sample.split(b"\n")
    if all(len(line) <= MAX_LINE and line.strip() for line in lines[:-1]):
        return sample if len(lines) > 1 else b""
    return b"".join(line + b"\n" for line in lines[:-1] if len(line) <= MAX_LINE and line.strip())


def _judged(sample: bytes, format: Format) -> Choice:  # noqa: A002 — as above
    lines = sample.split(b"\n", SAMPLE_LINES)
    whole = lines[:-1] if len(lines) > 1 else lines
    lines = [line.removesuffix(b"\r") for line in whole if line.strip()]
    found = [split for _, split in taken_apart(Block.of(b"\n".join(lines), offset=1), format)]
    fitting, headers = sum(one.rows for one in found), sum(one.blanks for one in found)
    if not lines or fitting >= ENOUGH * (len(lines) - headers):
        return Choice(format, f"{format.name} fits {fitting} of the first {len(lines)} lines")
    return Choice(
        None,
        f"the format {format.name} fits only {fitting} of the first {len(lines)} lines",
        "check --format; nothing was committed",
        structure=detect(sample).structure,
    )
