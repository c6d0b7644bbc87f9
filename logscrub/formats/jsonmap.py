"""Where in the JSON objects of a log the fields are: a mapping, and a good guess at one."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from logscrub.errors import FormatError
from logscrub.formats.draft import Draft, settle
from logscrub.formats.jsonfast import DEEPEST
from logscrub.formats.layout import Escape, Field, Kind, Layout, Role
from logscrub.formats.notation import ANY_TIME, FIELDS
from logscrub.formats.times import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str, ...]

GUESSED: Final = "json"
"""The name of a format whose mapping was guessed."""
_TIMES: Final = {
    "time": ANY_TIME,
    # CloudFront has the two apart
    "date": tokens("%Y-%m-%d"),
    "clock": tokens("%H:%M:%S"),
}
_ALIASES: Final[dict[str, str]] = {
    "time": "time timestamp @timestamp time_iso8601 time_local ts msec datetime date_time start_time logtime",
    "address": "remote_addr client_ip clientip remote_ip remote_host ip client client_addr source_ip src_ip host_ip",
    "forwarded": "http_x_forwarded_for x_forwarded_for xff forwarded_for x-forwarded-for",
    "request": "request request_line",
    "target": "request_uri uri url request_url path request_path",
    "query": "args query_string query",
    "method": "request_method method verb http_method",
    "protocol": "server_protocol protocol proto http_version request_protocol",
    "status": "status status_code response response_code response_status code",
    "bytes": "body_bytes_sent bytes_sent bytes size response_size response_body_size",
    "duration_s": "request_time duration rt response_time",
    "duration_ms": "duration_ms elapsed_ms latency_ms",
    "referer": "http_referer http_referrer referer referrer request_referer",
    "agent": "http_user_agent user_agent useragent agent ua request_user_agent user-agent",
    "language": "http_accept_language accept_language language",
    "site": "host http_host server_name vhost domain site",
}
"""What people call the fields of their own JSON formats, the commonest first."""
NEEDED: Final = ("time", "address", "status")
"""Without these a mapping is no guess worth taking."""
_ASKED: Final = frozenset({"request", "target", "method"})
"""One of these tells an access log from other logs with times, addresses and codes."""
_PARENTS: Final = frozenset(
    {
        "http",
        "request",
        "req",
        "response",
        "res",
        "url",
        "client",
        "source",
        "httprequest",
        "headers",
    }
)
"""Keys of objects in which the names are those of an access log."""


def compile_json(mapping: Mapping[str, Any], *, name: str, zone: str = "") -> Layout:
    """The layout of JSON objects.

    Args:
        mapping: For fields of `notation.FIELDS` and for `time` (or `date` and `clock` apart) the place in the object,
            or several, the best first: `request.headers.User-Agent.0` goes down objects and arrays, and a backslash
            before a dot makes it part of a key.
        name: What the layout is called.
        zone: IANA name of the zone of times that do not say their offset.

    Raises:
        FormatError: There is no such field, or none for the time.
    """
    drafts, paths = [], []
    for field, places in mapping.items():
        drafts.append(_draft(field))
        listed = [places] if isinstance(places, str) else places
        texts = isinstance(listed, list) and all(isinstance(one, str) and one for one in listed)
        if not listed or not texts:
            raise FormatError(
                f"the place of {field} is not a text or a list of texts",
                hint='write it as "request.uri" or ["uri", "path"]',
            )
        paths.append(tuple(_path(one) for one in listed))
        if max(map(len, paths[-1])) > DEEPEST:
            raise FormatError(
                f"the place of {field} is too deep", hint=f"at most {DEEPEST} keys lead to a value"
            )
    settled = settle(drafts)
    kept = [(draft, place) for draft, place in zip(settled, paths, strict=True) if draft.keeps]
    timed = {draft.name for draft, _ in kept} & _TIMES.keys()
    if "time" not in timed and not {"date", "clock"} <= timed:
        raise FormatError(
            "the mapping has no time", hint='rows without a time have no due date; add time = "…"'
        )
    fields = [Field(one.name, one.kind, one.keeps, one.time, one.scale) for one, _ in kept]
    zoned = "time" in timed
    return Layout(
        name, (), tuple(fields), Escape.JSON, zoned, zone or ("" if zoned else "UTC"), tuple(place for _, place in kept)
    )  # fmt: skip


def _path(text: str) -> Path:
    """The keys of a place; a backslash before a dot makes it part of a key."""
    keys = text.replace("\\.", "\0").split(".")
    return tuple(key.replace("\0", ".") for key in keys)


def place(path: Path) -> str:
    """A path as a mapping names it."""
    return ".".join(key.replace(".", "\\.") for key in path)


def _draft(field: str) -> Draft:
    if field in _TIMES:
        return Draft(field, Kind.TIME, Role.TIME, time=_TIMES[field])
    if field in FIELDS:
        return replace(FIELDS[field], rank=int(field == "request"))
    close = get_close_matches(field, [*FIELDS, *_TIMES], n=1)
    raise FormatError(
        f"{field[:60]!r} is not a field",
        hint=f"did you mean {close[0]}?" if close else f"one of {', '.join(FIELDS)}, time",
    )


def guess(paths: Iterable[Path]) -> Layout | None:
    """A layout for objects with keys of the user's own choice, by what they are called.

    Args:
        paths: The places that hold texts and numbers in most lines.

    Returns:
        None when there is no time, address or status among them.
    """
    by_name: dict[str, Path] = {}
    for path in sorted(paths, key=len):
        # other keys may be data, and below them the same word mostly means something else
        if {key.lower() for key in path[:-1]} <= _PARENTS:
            by_name.setdefault(path[-1].lower(), path)
    found = {
        field: place(by_name[alias])
        for field, aliases in _ALIASES.items()
        for alias in [next((one for one in aliases.split() if one in by_name), "")]
        if alias
    }
    if not all(field in found for field in NEEDED) or _ASKED.isdisjoint(found):
        return None
    if "request" in found and "method" not in found:
        # the whole request is worth more than its middle
        found = {field: place for field, place in found.items() if field not in ("target", "query")}
    return compile_json(found, name=GUESSED)
