"""Blocks become columns: the laws of every format, and the rows of real logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LAYOUTS, blocks, layout

from logscrub.errors import FormatError
from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.formats.layout import Format
from logscrub.schema import MAX_LINE, REASONS, Block, Parsed, Raw, Reason, Rejects

if TYPE_CHECKING:
    from pathlib import Path

    from logscrub.formats.layout import Layout

ALL: Final = frozenset(Raw)
COMBINED: Final = layout("combined")
LINE = b'203.0.113.7 - - [22/Nov/2026:02:30:01 +0100] "GET /a?b HTTP/1.1" 200 12 "-" "u \\"v\\""\n'


def read(text: bytes, of: Layout = COMBINED, *, offset: int = 0) -> Parsed:
    """The block as it is parsed by a server whose clock is in Berlin."""
    return parse(Block.of(text, offset=offset), Format.of(of), ALL, zone="Europe/Berlin")


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    """The rows as Python values."""
    columns = {raw.value: column.to_pylist() for raw, column in parsed.columns.items()}
    return [{name: columns[name][i] for name in columns} for i in range(parsed.rows)]


def spots(rejects: Rejects) -> list[tuple[int, int, int]]:
    """Offset, length and reason of each reject."""
    return list(
        zip(
            rejects.offsets.tolist(),
            rejects.lengths.tolist(),
            rejects.reasons.tolist(),
            strict=True,
        )
    )


def test_a_row() -> None:
    """Every field of a combined line has its type and value."""
    found = read(LINE)
    (row,) = rows(found)
    when = row.pop("time")
    assert when.isoformat() == "2026-11-22T01:30:01+00:00"
    assert row == {
        "address": "203.0.113.7", "method": "GET", "protocol": "HTTP/1.1", "path": "/a",
        "query": "b", "status": 200, "bytes": 12, "referer": None, "agent": 'u "v"',
    }  # fmt: skip
    types = {raw.value: str(column.type) for raw, column in found.columns.items()}
    assert types["time"] == "timestamp[ms, tz=UTC]"
    assert (types["status"], types["bytes"]) == ("uint16", "uint64")
    assert types["agent"] == "dictionary<values=string, indices=int32, ordered=0>"


def test_only_what_is_wanted_is_built() -> None:
    """Columns are those asked for that the format has."""
    found = parse(Block.of(LINE, offset=0), Format.of(COMBINED), frozenset({Raw.STATUS, Raw.SITE}))
    assert set(found.columns) == {Raw.STATUS}


@given(st.data())
def test_every_line_is_accounted_for(data: st.DataObject) -> None:
    """Lines are rows, rejects or blanks; columns are valid and as long as there are rows."""
    of = data.draw(LAYOUTS)
    text = data.draw(blocks(of))
    found = read(text, of)
    assert found.lines == len(text.removesuffix(b"\n").split(b"\n") if text else [])
    for column in found.columns.values():
        column.validate(full=True)
        assert len(column) == found.rows
        if hasattr(column, "dictionary"):
            values = column.dictionary.to_pylist()
            assert len(set(values)) == len(values)


@given(st.data())
def test_cutting_between_lines_changes_nothing(data: st.DataObject) -> None:
    """Two blocks have the rows and rejects of the one they were cut from."""
    of = data.draw(LAYOUTS)
    text = data.draw(blocks(of))
    cuts = [0, *(i + 1 for i, byte in enumerate(text) if byte == 0x0A)]
    cut = data.draw(st.sampled_from(cuts))
    whole, first, second = (
        read(text, of, offset=7), read(text[:cut], of, offset=7), read(text[cut:], of, offset=7 + cut)
    )  # fmt: skip
    assert rows(whole) == rows(first) + rows(second)
    assert spots(whole.rejects) == spots(first.rejects) + spots(second.rejects)
    assert whole.blanks == first.blanks + second.blanks


@given(st.data())
def test_line_ends_change_nothing(data: st.DataObject) -> None:
    """CR LF, and a last line without a line end, give the same rows."""
    of = data.draw(LAYOUTS)
    text = data.draw(blocks(of)).replace(b"\r", b"")
    there = read(text.replace(b"\n", b"\r\n"), of)
    assert rows(there) == rows(read(text, of))
    assert there.rejects.by_reason() == read(text, of).rejects.by_reason()
    assert rows(read(text.removesuffix(b"\n"), of)) == rows(read(text, of))


@given(st.binary())
def test_never_raises(text: bytes) -> None:
    """Any bytes are accounted for."""
    found = read(text)
    assert found.rows + len(found.rejects) + found.blanks == found.lines


def test_rejects_say_where_and_why_but_not_what() -> None:
    """Each reject has its place in the source, its length without the line end, and its reason."""
    bad = [
        LINE.replace(b" 200 ", b" 999999 "),
        LINE.replace(b"22/Nov", b"31/Nov"),
        LINE.replace(b"GET", b"G\0T"),
        LINE.replace(b"GET", b"G" * MAX_LINE),
        b"nothing of the kind\r\n",
    ]
    text = b"".join(LINE + line + b" \t\n" for line in bad)
    found = read(text, offset=1000)
    reasons = [Reason.NUMBER, Reason.TIME, Reason.BINARY, Reason.TOO_LONG, Reason.STRUCTURE]
    offsets = [1000 + text.index(line) for line in bad]
    assert spots(found.rejects) == [
        (offset, len(line.rstrip()), REASONS.index(reason))
        for offset, line, reason in zip(offsets, bad, reasons, strict=True)
    ]
    assert (found.rows, found.blanks) == (5, 5)
    assert rows(found) == rows(read(LINE)) * 5
    assert "999999" not in repr(found.rejects)


def test_overlong_lines_of_the_block_are_rejects() -> None:
    """What the block left out is counted with what it holds, in order of the offsets."""
    overlong = read(b"x\n").rejects
    found = parse(Block.of(b"y\n" + LINE, offset=2, overlong=overlong), Format.of(COMBINED), ALL)
    assert [offset for offset, *_ in spots(found.rejects)] == [0, 2]
    assert found.lines == 3


def test_the_byte_order_mark_is_no_part_of_the_first_line() -> None:
    """A file that begins with the mark of UTF-8 has the same rows."""
    assert rows(read(b"\xef\xbb\xbf" + LINE)) == rows(read(LINE))


def test_equal_values_share_an_entry_after_decoding() -> None:
    r"""`\x41` and `A` are one value of the column."""
    text = LINE.replace(b"u ", b"A ") + LINE.replace(b"u ", b"\\x41 ")
    assert read(text).columns[Raw.AGENT].dictionary.to_pylist() == ['A "v"']


def test_a_column_holds_nothing_of_rejected_lines() -> None:
    """Values of a line that is a reject are not left behind in a dictionary."""
    found = read(LINE + LINE.replace(b"22/Nov", b"31/Nov").replace(b"203.0.113.7", b"192.0.2.99"))
    assert found.columns[Raw.ADDRESS].dictionary.to_pylist() == ["203.0.113.7"]


def test_invalid_utf8_is_replaced() -> None:
    """Bytes that are no UTF-8, raw or escaped, become U+FFFD."""
    text = LINE.replace(b"u ", b"\xff ") + LINE.replace(b"u ", b"\\xe9\\xC3\\xA9 ")
    assert read(text).columns[Raw.AGENT].to_pylist() == ['\ufffd "v"', '\ufffd\xe9 "v"']


def test_a_time_without_an_offset_needs_a_zone() -> None:
    """Nobody guesses the zone of a server's clock."""
    of = resolve("%{%d/%b/%Y %T}t %a %>s")
    with pytest.raises(FormatError):
        parse(Block.of(b"22/Nov/2026 02:30:01 - 200\n", offset=0), of, ALL)


def test_elastic_apache_logs(cases: Path) -> None:
    """9,999 rows, and the one line that is cut is a reject."""
    text = (cases / "logs/elastic_apache_logs").read_bytes()
    found = read(text)
    assert found.rows == 9_999
    assert found.rejects.by_reason() == {Reason.STRUCTURE: 1}
    (offset,) = found.rejects.offsets.tolist()
    assert text.count(b"\n", 0, offset) == 8898


def test_hackers_access_log(cases: Path) -> None:
    """Every line is a row."""
    found = read((cases / "logs/hackers-access.log").read_bytes())
    assert (found.rows, len(found.rejects), found.blanks) == (3_456, 0, 0)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("nginx-1.22.1/combined.log", 146),
        ("apache-2.4.71/combined.log", 59),
        ("lighttpd-1.4.69/access.log", 57),
    ],
)
def test_live_servers(cases: Path, name: str, count: int) -> None:
    """Every line that a real server wrote is a row, hostile requests too, unless it is too long."""
    text = (cases / "logs/live-servers" / name).read_bytes()
    found = read(text)
    long = sum(len(line) > MAX_LINE for line in text.split(b"\n"))
    assert found.lines == count
    assert found.rejects.by_reason() == ({Reason.TOO_LONG: long} if long else {})


EXPECTED: Final = {
    "remote_host": Raw.ADDRESS, "final_status": Raw.STATUS, "bytes_sent": Raw.BYTES,
}  # fmt: skip


def test_rows_of_apachelogs(cases: Path) -> None:
    """Status, size, request, referer, user agent and time are as another parser's tests expect."""
    checked = 0
    for text in (cases / "parse/apachelogs.jsonl").read_text().splitlines():
        case = json.loads(text)
        if case["kind"] not in ("parse", "parse_time"):
            continue
        try:
            (of,) = resolve(case["log_format"]).layouts
        except FormatError:  # formats without a time, which logscrub refuses
            continue
        (row,) = rows(
            parse(Block.of(case["input"].encode(), offset=0), Format.of(of), ALL, zone="UTC")
        )
        _check(row, case["expected"], of)
        checked += 1
    assert checked > 15


def _check(row: dict[str, Any], expected: dict[str, Any], of: Layout) -> None:
    for theirs, ours in EXPECTED.items():
        if theirs in expected and ours in row:
            assert row[ours] == (expected[theirs] or (0 if ours is Raw.BYTES else None))
    headers = expected.get("headers_in", {})
    for header, ours in (("Referer", Raw.REFERER), ("User-Agent", Raw.AGENT)):
        if header in headers and ours in row:
            # There bytes are read as Latin-1.
            sent = (headers[header] or "").encode("latin-1").decode("utf-8", "replace")
            assert row[ours] == (sent or None)
    request = expected.get("request_line")
    if request and "method" in row and row["path"]:
        target = row["path"] + ("?" + row["query"] if row["query"] else "")
        assert f"{row['method']} {target} {row['protocol']}" == request
    when = expected.get("request_time")
    if when and "time" in row:
        said = datetime.fromisoformat(when["datetime"])
        # Without an offset in digits the zone is the user's to say; here that was UTC.
        said = said if of.zoned else said.replace(tzinfo=UTC)
        assert row["time"].timestamp() == pytest.approx(said.timestamp(), abs=0.001)


@pytest.mark.parametrize(
    ("logged", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.9,192.0.2.1", "192.0.2.1"),
        ("evil, ,2001:db8::1 ", "2001:db8::1"),
        ("-", None),
    ],
)
def test_the_last_of_a_list_is_the_client(logged: str, client: str | None) -> None:
    """Where a proxy's header alone has the client, what the client itself wrote into it does not count."""
    line = '[{time}] "{last_address}" {status}'
    text = f'[2026-11-20T20:17:00.310Z] "{logged}" 200'.encode()
    found = parse(Block.of(text, offset=0), resolve(line), ALL)
    assert found.columns[Raw.ADDRESS].to_pylist() == [client]
