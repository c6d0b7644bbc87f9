"""What a format reads, in words: its fields, the columns they become, and the personal data among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logscrub.formats import w3c
from logscrub.formats.catalogue import entry, names, resolve
from logscrub.formats.jsonmap import place
from logscrub.formats.layout import Kind, Role
from logscrub.formats.personal import KEPT, parts, personal
from logscrub.formats.wrappers import WRAPPERS
from logscrub.schema import HEADER, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from logscrub.formats.layout import Field, Format, Layout

_CLIENT: Final = ("client_net", "client_token", "ip_version", "country", "asn")
BECOMES: Final[Mapping[Raw | Role, tuple[str, ...]]] = {
    Role.TIME: ("timestamp",),
    Raw.TIME: ("timestamp",),
    Raw.ADDRESS: _CLIENT,
    # only where the policy trusts the proxy that the line came through
    Raw.FORWARDED: _CLIENT,
    Raw.SITE: ("site",),
    Role.REQUEST: ("method", "path", "query", "protocol"),
    Role.TARGET: ("path", "query"),
    Raw.METHOD: ("method",),
    Raw.PATH: ("path",),
    Raw.QUERY: ("query",),
    Raw.PROTOCOL: ("protocol",),
    Raw.STATUS: ("status",),
    Raw.BYTES: ("bytes_sent",),
    Raw.DURATION: ("duration_ms",),
    Raw.REFERER: ("referer_host",),
    Raw.AGENT: ("browser", "browser_version", "os", "device", "bot"),
    Raw.LANGUAGE: ("language",),
}
"""The columns of `schema.COLUMNS` that a field may become, as far as a policy keeps them."""

_HOLDS: Final = {
    Kind.TOKEN: "text without blanks",
    Kind.FREE: "text",
    Kind.QUOTED: "quoted text",
    Kind.NUMBER: "number",
    Kind.TIME: "time",
}
W3C_FIELDS: Final = str.split("""
    date time s-sitename s-computername s-ip cs-method cs-uri cs-uri-stem cs-uri-query s-port cs-username c-ip c-port
    cs-version cs-host cs(User-Agent) cs(Cookie) cs(Referer) cs(Accept-Language) sc-status sc-substatus sc-win32-status
    sc-bytes cs-bytes time-taken x-forwarded-for cs(X-Forwarded-For) x-edge-location cs(Host) x-edge-result-type
    x-edge-request-id x-host-header cs-protocol ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version
    fle-status fle-encrypted-fields time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len
    sc-range-start sc-range-end
""")  # fmt: skip
"""What IIS and CloudFront are known to write."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a format.

    Args:
        field: As the server calls it; of JSON the places it may come from.
        holds: What sort of value it is.
        gives: What is read from it (`address`, `request`), empty when it is dropped while parsing.
        becomes: The columns that it may become.
        personal: What personal data it holds, empty for none.
    """

    field: str
    holds: str
    gives: str
    becomes: tuple[str, ...]
    personal: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A format in words.

    Args:
        name: What it is called, the wrappers first.
        rows: Its fields, each once; what lines of one shape keep and lines of another do not counts as kept.
        notes: What else there is to know.
    """

    name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def dropped(self) -> dict[str, list[str]]:
        """The personal data that is dropped while parsing, each sort with the fields that hold it."""
        out: dict[str, list[str]] = {}
        for row in self.rows:
            if row.personal and not row.gives:
                out.setdefault(row.personal, []).append(row.field)
        return out


def explain(text: str) -> Explanation:
    """Put a format into words.

    Args:
        text: As for `catalogue.resolve`.

    Raises:
        FormatError: It is no format.
    """
    found = resolve(text)
    known = [word for word in re.split(r"[/,]", text.strip()) if word in names()]
    drops = [place for word in known for place in entry(word).drops]
    return Explanation(found.name, _rows(found, drops), tuple(_notes(found)))


def _rows(found: Format, drops: list[str]) -> tuple[Row, ...]:
    rows = [row for layout in found.layouts for row in _of_layout(layout)]
    if found.headed:
        rows += map(_of_w3c, W3C_FIELDS)
    places = {place for row in rows for place in row.field.split(_OR)}
    rows += [Row(one, "", "", (), personal(one)) for one in drops if one not in places]
    out: dict[str, Row] = {}
    for row in rows:
        # what some shapes of the lines keep is told as kept
        if row.field not in out or (row.gives and not out[row.field].gives):
            out[row.field] = row
    return tuple(out.values())


_OR: Final = " or "


def _of_layout(layout: Layout) -> Iterator[Row]:
    for i, one in enumerate(layout.fields):
        if layout.paths:
            yield _row(_OR.join(map(place, layout.paths[i])), one, is_json=True)
        elif one.keeps is None:
            for name in parts(one.name):
                yield Row(name.removeprefix("-"), _HOLDS[one.kind], "", (), personal(name))
        else:
            yield _row(one.name, one)


def _of_w3c(name: str) -> Row:
    """As the field would be read in a log that has no other beside the time."""
    header = b"%s date time %s" % (HEADER, name.encode())
    layout = w3c.compile_fields(header)[0]
    return _row(name, next(one for one in layout.fields if one.name == name))


def _row(name: str, one: Field, *, is_json: bool = False) -> Row:
    holds = _HOLDS[one.kind]
    if is_json and one.kind not in {Kind.NUMBER, Kind.TIME}:
        holds = "text"
    if one.keeps is None:
        return Row(name, holds, "", (), personal(name))
    gives = one.keeps.name.lower()
    return Row(name, holds, gives, BECOMES[one.keeps], KEPT.get(one.keeps, ""))


def _notes(found: Format) -> Iterator[str]:
    for name in found.wrappers:
        yield f"{name} ({WRAPPERS[name].about}) is peeled off first"
    if found.headed:
        yield "the #Fields lines of a file say which fields it has; fields that are not listed here are dropped"
    if len(found.layouts) > 1:
        yield f"lines have one of {len(found.layouts)} shapes, and each only the fields of its shape"
    if any(one.paths for one in found.layouts):
        yield "every other key of the objects is dropped"
    if not found.zoned:
        yield "the time does not say its offset from UTC: --timezone is needed"
    if any(field.keeps is Raw.FORWARDED for layout in found.layouts for field in layout.fields):
        yield "forwarded counts only where the policy trusts the proxy (address.trusted_proxies)"
