"""Scrubbed columns become log lines again, in the format they were read in.

A line is *constructed*: the literals of the layout, and between them what the scrubbed table says. Of the line that
was read, only the text of a time stamp is copied, and only where every part of it was read as part of a time that
the policy keeps as it is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logscrub.formats.layout import Escape, Field, Kind, Layout, Role
from logscrub.run import restamp
from logscrub.schema import OTHER, Parsed, Raw, compact
from logscrub.scrubbers import address, identifiers

if TYPE_CHECKING:
    from logscrub.compiled import Ints
    from logscrub.formats.lines import Split
    from logscrub.policy import Policy
    from logscrub.transform import Scrubbed

NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 — shown, never bound to
_NO_PATH: Final = f"/{identifiers.MORE}"
_MINUS: Final = ord("-")


def lines(
    found: Split,
    parsed: Parsed,
    scrubbed: Scrubbed,
    agents: pa.DictionaryArray | None,
    *,
    layout: Layout,
    policy: Policy,
) -> pa.BinaryArray:
    """Write lines again.

    Args:
        found: Where the fields that are shown stand; the lines of `parsed` and no others.
        parsed: Their raw fields, of which is told whether requests could be read.
        scrubbed: Their scrubbed columns.
        agents: What they show of user agents, see `agents.agent_texts`; None where the format has none.
        layout: How they are written.
        policy: What the scrubbed columns were made by.

    Returns:
        One line for each row, in the order of the rows, each with its line end.
    """
    if not found.rows:
        return pa.array([], pa.binary())
    shown = columns(found, parsed, scrubbed, agents, layout=layout, policy=policy)
    pieces: list[pa.Array | pa.Scalar] = []
    before = layout.literals[0]
    for i, (column, after) in enumerate(zip(shown, layout.literals[1:], strict=True)):
        if column is None:
            before += missing(layout, i)
        else:
            pieces += [pa.scalar(before), column] if before else [column]
            before = b""
        before += after
    pieces.append(pa.repeat(pa.scalar(before + b"\n"), found.rows))
    return pc.binary_join_element_wise(*pieces, pa.scalar(b""))


def columns(
    found: Split,
    parsed: Parsed,
    scrubbed: Scrubbed,
    agents: pa.DictionaryArray | None,
    *,
    layout: Layout,
    policy: Policy,
) -> list[pa.Array | None]:
    """What each field shows in each line, `binary`; None for a field that shows nothing in all of them.

    Args and all else: as `lines`.
    """
    work = _Work(found, parsed, scrubbed, agents, layout=layout, policy=policy)
    return [work.column(i) for i in range(len(layout.fields))]


class _Work:
    """One block on its way back to lines."""

    def __init__(
        self, found: Split, parsed: Parsed, scrubbed: Scrubbed, agents: pa.DictionaryArray | None, *,
        layout: Layout, policy: Policy,
    ) -> None:  # fmt: skip
        self._found = found
        self._raw = parsed.columns
        self._agents = agents
        self._layout = layout
        self._scrubbed = {
            name: column.combine_chunks()
            for name, column in zip(
                scrubbed.table.column_names, scrubbed.table.columns, strict=True
            )
        }
        self._clock = restamp.Clock(
            found, layout, self._scrubbed["timestamp"], policy.time.precision
        )

    def column(self, i: int) -> pa.Array | None:  # noqa: PLR0911 — one return a kind of field
        """What field `i` shows in each line, `binary`; None for a field that shows nothing in all of them."""
        field = self._layout.fields[i]
        if field.kind is Kind.TIME or field.keeps is Role.TIME:
            return self._clock.column(i)
        if field.keeps in (Raw.STATUS, Raw.BYTES, Raw.DURATION):
            return self._number(i, field)
        if field.keeps is Raw.ADDRESS:
            return _spread(*self._address())
        if field.keeps is Role.REQUEST:
            return self._text(i, *self._request())
        if field.keeps in (Role.TARGET, Raw.PATH):
            return self._text(i, *self._target(with_query=field.keeps is Role.TARGET))
        if field.keeps is Raw.AGENT and self._agents is not None:
            return self._text(i, self._agents.indices, self._agents.dictionary)
        name = _COLUMNS.get(field.keeps) if isinstance(field.keeps, Raw) else None
        if name is None or self._scrubbed[name].null_count == self._found.rows:
            return None
        column = self._scrubbed[name]
        values = column.dictionary
        return self._text(
            i, column.indices, _referers(values) if field.keeps is Raw.REFERER else values
        )

    def _address(self) -> tuple[pa.Array, pa.Array]:
        networks, tokens = self._scrubbed["client_net"], self._scrubbed["client_token"]
        if networks.null_count < len(networks):
            column = networks
            values = pc.replace_substring_regex(networks.dictionary, "/[0-9]+$", "")
        else:
            column, values = tokens, address.token_address(tokens.dictionary)
        return column.indices, _or_missing(values, NO_ADDRESS.encode())

    def _number(self, i: int, field: Field) -> pa.Array | None:
        column = self._scrubbed[_COLUMNS[Raw(str(field.keeps))]]
        if column.null_count == self._found.rows:
            return None
        encoded = column.dictionary_encode()
        values = encoded.dictionary
        text = (
            _durations(values, field) if field.keeps is Raw.DURATION else values.cast(pa.string())
        )
        shown = _spread(
            encoded.indices, _or_missing(text.cast(pa.binary()), missing(self._layout, i))
        )
        if field.keeps is Raw.BYTES:
            # Apache's %b says none where others say 0.
            starts, ends = self._found.starts[i], self._found.ends[i]
            none = (self._found.data[starts] == _MINUS) & (ends - starts == 1)
            if none.any():
                shown = pc.if_else(pa.array(none), pa.scalar(b"-"), shown)
        return shown

    def _request(self) -> tuple[pa.Array, pa.Array]:
        """`METHOD target PROTOCOL` of each distinct request; null where it could not be read."""
        told = compact(self._raw[Raw.METHOD])
        readable = pc.and_(told.dictionary.is_valid(), pc.not_equal(told.dictionary, ""))
        readable = pa.DictionaryArray.from_arrays(told.indices, readable.cast(pa.string()))
        names = ("method", "path", "query", "protocol")
        rows, (readable, method, path, query, protocol) = _combined(
            [readable, *(self._scrubbed[name] for name in names)]
        )
        method = method.fill_null(OTHER)
        nowhere = pc.if_else(pc.equal(method, "CONNECT"), "-", _NO_PATH)
        # A protocol that is not in the vocabulary must still be read as one.
        protocol = pc.if_else(pc.equal(protocol, OTHER), f"HTTP/{OTHER}", protocol)
        text = pc.binary_join_element_wise(
            method, " ", pc.coalesce(path, nowhere), _after("?", query), _after(" ", protocol), ""
        )
        return rows, pc.if_else(
            pc.equal(readable, "true").fill_null(False), text, pa.scalar(None, pa.string())
        )

    def _target(self, *, with_query: bool) -> tuple[pa.Array, pa.Array]:
        """Path and query where they stand by themselves; null where there is no path."""
        path, query = self._scrubbed["path"], self._scrubbed["query"]
        if not with_query or query.null_count == len(query):
            return path.indices, path.dictionary
        rows, (path, query) = _combined([path, query])
        # With a null among the parts the whole is null.
        return rows, pc.binary_join_element_wise(path, _after("?", query), "")

    def _text(self, i: int, rows: pa.Array, values: pa.Array) -> pa.Array:
        """Distinct texts as the server would write them at field `i`, then spread over the lines."""
        return _spread(rows, written(values, self._layout, i))


_COLUMNS: Final = {
    Raw.SITE: "site",
    Raw.METHOD: "method",
    Raw.PROTOCOL: "protocol",
    Raw.QUERY: "query",
    Raw.STATUS: "status",
    Raw.BYTES: "bytes_sent",
    Raw.DURATION: "duration_ms",
    Raw.REFERER: "referer_host",
    Raw.LANGUAGE: "language",
}
"""The scrubbed column that a field shows; request, target, address and user agent are put together instead."""


def missing(layout: Layout, i: int) -> bytes:
    """What a line shows where field `i` has no value: what the server writes then, and readers expect."""
    field = layout.fields[i]
    if field.name == "forwarded" and field.kind is Kind.FREE:
        # without quotes a list is told from other fields by its looks
        return f"{NO_ADDRESS}, {NO_ADDRESS}".encode()
    if layout.escape is Escape.HASH and field.keeps is Role.REQUEST:
        return b"<BADREQ>"
    if layout.escape not in (Escape.JSON, Escape.NONE):
        return field.empty
    if layout.literals[i].endswith(b'"') and layout.literals[i + 1].startswith(b'"'):
        return b""
    return field.empty if layout.escape is Escape.NONE else _no_value(layout, field)


def _no_value(layout: Layout, field: Field) -> bytes:
    """What stands in JSON outside of quotes where there is no value: nothing at all, as nginx has it, is no JSON."""
    if layout.paths or (field.keeps in (None, Raw.FORWARDED) and field.kind is not Kind.NUMBER):
        return b"null"
    if field.kind is not Kind.NUMBER:
        return field.empty
    # a number is all that can be read back
    return b"0.000" if field.keeps is Raw.DURATION and _has_fraction(field) else b"0"


_ESCAPED: Final = {Escape.HASH: "#", Escape.PLUS: " ", Escape.PERCENT: " %<>{}|^~[]`"}
"""What is escaped besides quotes, backslashes and whatever is not ASCII text."""
_MARKS: Final = {
    Escape.HASH: ("#", b'"#'), Escape.PERCENT: ("%", b'"\\' + _ESCAPED[Escape.PERCENT].encode()),
}  # fmt: skip
_BACKSLASHES: Final = ("\\x", b'"\\')
"""What begins an escape, and which printable characters need one."""


def written(values: pa.StringArray, layout: Layout, i: int) -> pa.BinaryArray:
    """Texts as they stand in field `i`: escaped, so that none can end its field; null as what is missing.

    Where nothing can be escaped (no quotes around the field, or a server that does not escape), the characters that
    would end the field become `_`.
    """
    field, after = layout.fields[i], layout.literals[i + 1][:1].decode("latin-1")
    barred = "" if field.kind is Kind.QUOTED or field.keeps is Role.REQUEST else after
    if field.kind is Kind.TOKEN:
        barred += " "
    if layout.escape in (Escape.PLUS, Escape.PERCENT):
        barred = barred.replace(" ", "")
    if layout.escape is Escape.NONE:
        barred += '"'
    if layout.escape in (Escape.NONE, Escape.PLUS):
        barred += "".join(map(chr, (*range(32), 127)))
    special = barred + _ESCAPED.get(layout.escape, "")
    doubtful = pc.match_substring_regex(
        values, r'[^ -~]|["\\' + "".join(f"\\x{{{ord(c):x}}}" for c in special) + "]"
    )
    if pc.any(doubtful).as_py():
        escape = partial(_escaped, escape=layout.escape, is_url=field.keeps in _URLS)
        texts = values.to_pylist()
        for at in np.flatnonzero(doubtful.fill_null(False).to_numpy(zero_copy_only=False)).tolist():
            texts[at] = escape(texts[at].translate(dict.fromkeys(map(ord, barred), "_")))
        values = pa.array(texts, pa.string())
    return _or_missing(values, missing(layout, i))


_URLS: Final = (Role.TARGET, Raw.PATH, Raw.QUERY)
"""In them a percent sign is their own."""


def _escaped(text: str, escape: Escape, *, is_url: bool) -> str:
    if escape is Escape.NONE:
        return text
    if escape is Escape.PLUS:
        return text.replace(" ", "+")
    if escape is Escape.JSON:
        return "".join(
            f"\\{c}" if c in '"\\' else f"\\u{ord(c):04X}" if c < " " else c for c in text
        )
    mark, marked = _MARKS.get(escape, _BACKSLASHES)
    marked = b' "' if is_url and escape is Escape.PERCENT else marked
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in marked else f"{mark}{byte:02X}"
        for byte in text.encode()
    )


def _or_missing(values: pa.Array, missing: bytes) -> pa.BinaryArray:
    """The values, with one entry more behind them for null, which `_spread` refers to."""
    filled = values.cast(pa.binary()).fill_null(missing)
    return pa.concat_arrays([filled, pa.array([missing], pa.binary())])


def _spread(rows: pa.Array, values: pa.BinaryArray) -> pa.BinaryArray:
    """The value of each row; the last value is that of rows without one."""
    return values.take(rows.fill_null(len(values) - 1))


def _combined(columns: list[pa.DictionaryArray]) -> tuple[pa.Array, list[pa.StringArray]]:
    """The distinct combinations of values of several columns.

    Returns:
        For each row the number of its combination, and for each column its values, one per combination.
    """
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        key = key * (len(column.dictionary) + 1) + (column.indices.fill_null(-1).to_numpy() + 1)
    encoded = pa.array(key).dictionary_encode()
    left: Ints = encoded.dictionary.to_numpy()
    values = []
    for column in reversed(columns):
        left, code = np.divmod(left, len(column.dictionary) + 1)
        values.append(column.dictionary.take(pa.array(code - 1, mask=code == 0)))
    return encoded.indices, values[::-1]


def _after(mark: str, values: pa.StringArray) -> pa.StringArray:
    """Each value with a mark before it; null becomes nothing."""
    return pc.binary_join_element_wise(mark, values, "").fill_null("")


def _referers(hosts: pa.StringArray) -> pa.StringArray:
    """Hosts as URLs; none for a host with a template in it, which would not be a URL."""
    url = pc.binary_join_element_wise("https://", hosts, "/", "")
    return pc.if_else(pc.match_substring(hosts, "{"), pa.scalar(None, pa.string()), url)


def _has_fraction(field: Field) -> bool:
    """Whether the server writes milliseconds behind a point: all but Apache do."""
    return field.scale == 1000.0 and not field.name.startswith("%")


def _durations(values: pa.UInt32Array, field: Field) -> pa.StringArray:
    """Milliseconds in the unit of the field."""
    numbers = values.cast(pa.int64())
    if not _has_fraction(field):
        scaled = (
            pc.divide(numbers, int(field.scale))
            if field.scale >= 1
            else pc.multiply(numbers, round(1 / field.scale))
        )
        return scaled.cast(pa.string())
    whole = pc.divide(numbers, 1000)
    rest = pc.subtract(numbers, pc.multiply(whole, 1000))
    return pc.binary_join_element_wise(
        whole.cast(pa.string()), pc.utf8_lpad(rest.cast(pa.string()), 3, "0"), "."
    )
