"""What speaks for a format that was detected, and the mapping that was guessed for one, without quoting a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from logscrub.formats.catalogue import named, names
from logscrub.formats.choice import judgeable
from logscrub.formats.detect import SAMPLE_BYTES, SAMPLE_LINES
from logscrub.formats.jsonmap import GUESSED, place
from logscrub.formats.plausible import Span, judge, kept
from logscrub.formats.reading import taken_apart
from logscrub.schema import Block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logscrub.formats.layout import Format, Layout

Reading = dict[str, Span]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well a format fits the first lines.

    Args:
        lines: How many were looked at.
        fitting: How many have its fields, with values that can be what they should.
        second: The other format that reads most of the lines in another way, empty when none reads any so.
        differently: How many of the lines that one reads in another way.
    """

    lines: int
    fitting: int
    second: str = ""
    differently: int = 0

    @property
    def confidence(self) -> float:
        """Share of the lines that fit, 0 to 1."""
        return self.fitting / max(self.lines, 1)


def weigh(sample: bytes, format: Format) -> Evidence:  # noqa: A002 — the word of the option
    """Count the lines that a format fits, and those that another one of the catalogue would read in another way.

    Args:
        sample: The beginning of a source; a last line without its end is left out.
        format: As it was detected.
    """
    whole = (judgeable(sample[:SAMPLE_BYTES]) or sample).split(b"\n", SAMPLE_LINES)
    lines = (whole[:-1] or whole)[:SAMPLE_LINES]
    block = Block.of(b"\n".join(lines), offset=1)
    if format.headed:
        found = taken_apart(block, format)
        heads = sum(split.blanks for _, split in found)
        return Evidence(len(lines) - heads, sum(split.rows for _, split in found))
    ours = _read(block, format)
    best, second = 0, ""
    for one in _like(format):
        theirs = _read(block, replace(one, wrappers=format.wrappers))
        count = sum(ours.get(line) != reading for line, reading in theirs.items())
        best, second = max((best, second), (count, one.name), key=lambda two: two[0])
    return Evidence(len(lines), len(ours), second, best)


def _like(format: Format) -> Iterator[Format]:  # noqa: A002 — as above
    """The other formats of the catalogue that are of the same sort, text or JSON."""
    is_json = bool(format.layouts[0].paths)
    for one in map(named, names()):
        if one.layouts and one.layouts != format.layouts and bool(one.layouts[0].paths) == is_json:
            yield one


def _read(block: Block, format: Format) -> dict[int, Reading]:  # noqa: A002 — as above
    """Of each line that a format reads plausibly, by its offset, where the kept fields stand."""
    out: dict[int, Reading] = {}
    for layout in reversed(format.layouts):
        out |= dict(_read_by(block, replace(format, layouts=(layout,))))
    return out


def _read_by(block: Block, format: Format) -> Iterator[tuple[int, Reading]]:  # noqa: A002 — as above
    """As `_read`, by a format of one layout."""
    ((layout, found),) = taken_apart(block, format)
    by, begins = judge(layout), found.lines.starts.tolist()
    fields = zip(found.starts.T.tolist(), found.ends.T.tolist(), strict=True)
    for row, (starts, ends) in enumerate(fields):
        begin = begins[row]
        line = found.data[begin : found.lines.ends[row]].tobytes()
        spans = [(at - begin, to - begin) for at, to in zip(starts, ends, strict=True)]
        reading = kept(line, spans, by)
        if reading is not None:
            yield int(found.lines.offsets[row]), reading


def guessed(format: Format) -> Layout | None:  # noqa: A002 — as above
    """The layout whose mapping was guessed, if the format is such a one."""
    return format.layouts[0] if format.name.rpartition("/")[2] == GUESSED else None


def mapping(layout: Layout) -> str:
    """A guessed mapping as the text of a TOML file, for `--format FILE.toml`.

    It can be shown: keys of objects may be data, but `guess` takes only those that it knows.

    Args:
        layout: Of JSON.
    """
    lines = []
    for field, places in zip(layout.fields, layout.paths, strict=True):
        listed = [place(one) for one in places]
        value = json.dumps(listed[0] if len(listed) == 1 else listed)
        lines.append(f"{field.name} = {value}\n")
    return "[json]\n" + "".join(lines)
