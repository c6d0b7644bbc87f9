"""Whether what a layout reads out of a line can be what it is taken for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from logscrub.formats import shapes
from logscrub.formats.layout import Kind, Role
from logscrub.schema import Raw

if TYPE_CHECKING:
    from logscrub.formats.layout import Layout

Span = tuple[int, int]

_USERS: Final = frozenset({"%u", "$remote_user", "-user"})
_IDENTS: Final = frozenset({"%l", "-ident"})


@dataclass(frozen=True, slots=True)
class Judge:
    """What is looked at in the lines of one layout.

    Args:
        kept: Name and number of each field that is kept.
        at: The number of the field that gives each of the raw fields that are judged.
        enclosed: Those that something encloses: they cannot have taken in their neighbour.
        users: Numbers of fields that hold a user.
        idents: Numbers of fields that hold what RFC 1413 says of him.
        lists: Numbers of fields that hold a proxy's list, and nothing encloses them.
    """

    kept: tuple[tuple[str, int], ...]
    at: dict[Raw | Role, int]
    enclosed: frozenset[Raw | Role]
    users: tuple[int, ...]
    idents: tuple[int, ...]
    lists: tuple[int, ...]


def judge(layout: Layout) -> Judge:
    """What to look at in lines of a layout."""
    fields = list(enumerate(layout.fields))
    return Judge(
        tuple((str(one.keeps), i) for i, one in fields if one.keeps is not None),
        {one.keeps: i for i, one in reversed(fields) if one.keeps is not None},
        frozenset(
            one.keeps
            for _, one in fields
            if one.keeps and (layout.paths or one.kind is Kind.QUOTED)
        ),
        tuple(i for i, one in fields if one.name in _USERS),
        tuple(i for i, one in fields if one.name in _IDENTS),
        tuple(
            i
            for i, one in fields
            if one.name == "forwarded" and one.kind is Kind.FREE and not layout.paths
        ),
    )


def kept(line: bytes, spans: list[Span], by: Judge) -> dict[str, Span] | None:
    """Where the kept fields of a line stand; None when one of them cannot be what it should.

    Args:
        line: One line.
        spans: Where its fields begin and end in the line.
        by: What to look at.
    """

    def text(what: Raw | Role) -> bytes | None:
        return line[slice(*spans[by.at[what]])] if what in by.at else None

    client, site = text(Raw.ADDRESS) or b"", text(Raw.SITE)
    is_address = _is_address(client) or (Raw.ADDRESS in by.enclosed and _is_list(client))
    good = (
        (is_address or _is_host(client) or (client == b"-" and Raw.ADDRESS in by.enclosed))
        # A blank in the user means that there is a field more in front; nothing is escape=none.
        and all(spans[i][0] < spans[i][1] and line.find(b" ", *spans[i]) < 0 for i in by.users)
        # A name or an address there is another field: lighttpd's host, or a virtual host in front.
        and all(line[slice(*spans[i])] == b"-" for i in by.idents)
        and (site is None or _is_site(site, ported=Raw.SITE in by.enclosed))
        # An address behind a name: the first field is the virtual host, not the client.
        and (is_address or not _is_address(site or b""))
        and all(_is_list(line[slice(*spans[i])]) for i in by.lists)
        and _is_status(text(Raw.STATUS))
        and text(Role.TIME) != b""
    )
    if not good:
        return None
    # what is missing tells no format from another
    return {name: spans[i] for name, i in by.kept if line[slice(*spans[i])] not in (b"", b"-")}


def _is_site(text: bytes, *, ported: bool) -> bool:
    host, colon, port = text.rpartition(b":")
    name = host if ported and colon and port.isdigit() else text
    # nginx's own name for a server without one is _
    return _is_host(name) or _is_address(name) or name in (b"_", b"-") or (ported and not name)


def _is_list(text: bytes) -> bool:
    """Whether the first entry is an address."""
    first = (text.replace(b",", b" ").split() or [b""])[0].lower()
    return _is_address(first.removeprefix(b"for=").strip(b'"\\'))


def _is_status(text: bytes | None) -> bool:
    # Caddy writes 0 for a connection that it gave no answer
    return text == b"0" or (text is not None and len(text) == 3 and text.isdigit())


# clients come back, and reading an address takes longer than all else here
@lru_cache(maxsize=1024)
def _is_address(text: bytes) -> bool:
    if text == b"unix:":
        return True
    if text.startswith(b"["):
        text = text[1:].partition(b"]")[0]
    elif text.count(b":") == 1:
        text = text.partition(b":")[0]
    try:
        ip_address(text.decode("ascii"))
    except ValueError:
        return False
    return True


def _is_host(text: bytes) -> bool:
    shape = shapes.mask(text)
    return b"a" in shape and len(text) <= 253 and not shape.strip(b"a9.-_")  # RFC 1035, 2.3.4
