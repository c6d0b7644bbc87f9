"""What is fuzzed: for each family the inputs to begin with, and what must hold whatever the bytes are.

The first byte of an input chooses what it is read as, the rest is what is read.
"""

from __future__ import annotations

import ipaddress
import json
import re
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np
import pyarrow as pa
from strategies import FORMATS, TIMES
from test_forwarded import LISTS, NETWORKS, NODES, PEER, TRUSTED
from test_jsonl import DEEP, FLAT, MIXED
from test_jsonl import agree as json_agrees
from test_moments import SPELLINGS, read_all
from test_wrappers import GOOD, LINE, RECORDS, container, expected, lines, unwrapped

from logscrub.blocks import Splitter
from logscrub.errors import FormatError
from logscrub.formats import errorlog, fast, hold, jsonl, parse, serverconf, stamps, w3c, wrapjson
from logscrub.formats.catalogue import entry, named, names, resolve
from logscrub.formats.choice import choose
from logscrub.formats.detect import detect
from logscrub.formats.layout import Format, Kind, Layout, Role
from logscrub.formats.lexicons import Lexicons
from logscrub.formats.lines import Lines, lines_of
from logscrub.formats.moments import NONE, read_one
from logscrub.formats.notation import ANY_TIME
from logscrub.formats.program import program
from logscrub.formats.scan import split_line
from logscrub.formats.wrappers import WRAPPERS, held_back, unwrap, which
from logscrub.run.filter import Filtering, filtering, scrub_block
from logscrub.run.prepare import Wishes
from logscrub.schema import Block, Parsed, Raw, Reason, joined
from logscrub.scrubbers.forwarded import clients
from logscrub.scrubbers.forwarded import named as named_by

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from logscrub.formats.layout import Field

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL: Final = frozenset(Raw)
WHOLE: Final = 1 << 20
"""Bytes of a line that the splitter gives up: more than any input has."""
_MARK: Final = b"\xef\xbb\xbf"
_VERDICTS: Final = {
    fast.STRUCTURE: Reason.STRUCTURE,
    fast.BINARY: Reason.BINARY,
    fast.TOO_LONG: Reason.TOO_LONG,
}


@dataclass(frozen=True, slots=True)
class Family:
    """A family of formats.

    Args:
        seeds: Gives the inputs to begin with.
        check: Raises when something is wrong with an input, otherwise says what it saw. Told whether to check what takes
            long: 0 for line by line only, 1 for whole sources, 2 for `filter` as well.
    """

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes, int], Hashable]


# ---- lines that fit


_VALUES: Final[dict[object, tuple[str, ...]]] = {
    Raw.ADDRESS: ("203.0.113.7", "2001:db8::7"), Raw.SITE: ("shop.example",), Raw.METHOD: ("GET",), Raw.PROTOCOL: ("HTTP/1.1",),
    Raw.PATH: ("/a/b%20c",), Raw.QUERY: ("q=1&u=x%26y",), Raw.STATUS: ("200", "404"), Raw.BYTES: ("5120",), Raw.DURATION: ("12", "0.004"),
    Raw.REFERER: ("https://ref.example/?q=1",), Raw.AGENT: ("Mozilla/5.0", "curl/8.5"), Raw.LANGUAGE: ("de-DE,en;q=0.5",),
    Raw.FORWARDED: ("192.0.2.1, 203.0.113.9",), Role.REQUEST: ("GET /a/b?c=d HTTP/1.1", "POST /x HTTP/2.0"), Role.TARGET: ("/a/b?c=d",),
    Role.TIME: ("2026-11-22T02:30:01.5Z",),
}  # fmt: skip
_TIMES: Final = (
    *TIMES, b"2026-11-22", b"02:30:01", b"Sun Nov 22 02:30:01 2026", b"2026-11-22 02:30:01.123456", b"22/Nov/2026:02:30:01.123",
    b"1795314601", b"2026-11-22 02:30:01", b"1795314601.975", b"22/Nov/2026 02:30:01", b"123", b"+0100",
)  # fmt: skip


def _value(field: Field, nth: int) -> str:
    if field.kind is Kind.TIME and field.time != ANY_TIME:
        fits = (one.decode() for one in _TIMES if stamps.end(one, 0, field.time) == len(one))
        return next(fits, "x")
    found = _VALUES.get(field.keeps)
    if found:
        return found[nth % len(found)]
    return "1" if field.kind is Kind.NUMBER else "x"


def sample(layout: Layout, nth: int = 0) -> bytes:
    """A line of a layout."""
    if layout.paths:
        tree: dict[str, object] = {}
        for field, choices in zip(layout.fields, layout.paths, strict=True):
            if choices:
                _put(tree, list(choices[nth % len(choices)]), _value(field, nth))
        return json.dumps(_listed(tree)).encode()
    line = layout.literals[0]
    for field, literal in zip(layout.fields, layout.literals[1:], strict=True):
        line += _value(field, nth).encode() + literal
    return line


def _put(tree: dict[str, object], path: list[str], value: str) -> None:
    *above, last = (key.removeprefix("~") for key in path[:40])
    node: object = tree
    for key in above:
        node = node.setdefault(key, {}) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.setdefault(last, value)


def _listed(node: object) -> object:
    if not isinstance(node, dict):
        return node
    below = {key: _listed(one) for key, one in node.items()}
    return (
        [below[key] for key in sorted(below)]
        if below and all(key.isdigit() for key in below)
        else below
    )


def lines_for(layouts: Sequence[Layout]) -> bytes:
    """Two lines of each layout."""
    return b"".join(sample(one, nth) + b"\n" for one in layouts for nth in (0, 1))


# ---- what holds for every format


def exact(line: bytes, layout: Layout) -> object:
    """What the exact reader says of a line; None for a blank one."""
    if not line.strip(b" \t"):
        return None
    return jsonl.read_line(line, layout.paths) if layout.paths else split_line(line, layout)


def fast_is_exact(found: Lines, layout: Layout) -> int:
    """Hold the loop to the exact reader, line by line; the verdicts that occur, as bits."""
    at = found.data, found.starts, found.ends
    index = (
        jsonl.index(*at, layout.paths, holed=True)
        if layout.paths
        else fast.index(*at, program(layout), holed=True)
    )
    begins, stops, verdicts = index
    for row, (start, end) in enumerate(
        zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    ):
        verdict = int(verdicts[row])
        if verdict == fast.DOUBT:
            continue
        said: object = _VERDICTS.get(verdict)
        if verdict == fast.FITS:
            places = zip(
                (begins[:, row] - start).tolist(), (stops[:, row] - start).tolist(), strict=True
            )
            said = list(places)
        wanted = exact(found.data[start:end].tobytes(), layout)
        if layout.paths and isinstance(said, list) and isinstance(wanted, list):
            # an absent value stands at any place
            said, wanted = ([span for span in some if span[0] < span[1]] for some in (said, wanted))
        assert said == wanted, f"fast says {said}, exact says {wanted}"
    return int(np.bitwise_or.reduce(1 << verdicts.astype(np.int64), initial=0))


def accounted(parsed: Parsed, data: bytes, parts: int = 0) -> None:
    """Every line is a row, a reject, blank or a part; rejects are of this block, in order."""
    assert parsed.lines + parts == len(lines(data)), f"{parsed.lines} of {len(lines(data))} lines"
    offsets, lengths = parsed.rejects.offsets, parsed.rejects.lengths
    assert (np.diff(offsets) > 0).all(), "rejects are not in order"
    if len(offsets):
        assert offsets[0] >= 0
        assert lengths.min() >= 0
        assert int((offsets + lengths).max()) <= len(data)
        # each begins where a line begins; of the first a mark may have gone
        mark = len(_MARK) * data.startswith(_MARK)
        assert all(at in (0, mark) or data[at - 1] == 0x0A for at in offsets.tolist())
    assert all(len(column) == parsed.rows for column in parsed.columns.values())
    assert sum(parsed.formats.values()) == parsed.rows


def told(parsed: Parsed) -> tuple[object, ...]:
    """Everything that a block gives."""
    rejects = parsed.rejects
    columns = {
        raw: column.to_pylist()
        for raw, column in parsed.columns.items()
        if column.null_count < len(column)
    }
    return (
        parsed.rows, parsed.blanks, rejects.offsets.tolist(), rejects.lengths.tolist(), rejects.reasons.tolist(), columns,
        {name: rows for name, rows in parsed.formats.items() if rows},
    )  # fmt: skip


def pushed(data: bytes, reads: Format, rng: Random) -> Parsed:
    """The source read in blocks that end wherever chance has it."""
    splitter, lexicons, parts, at = Splitter(size=WHOLE), Lexicons(), [], 0
    splitter.hold, splitter.headed = hold(reads), reads.headed
    while at < len(data):
        is_line = rng.randrange(4)
        end = (
            data.find(b"\n", at) + 1 or len(data)
            if is_line
            else at + rng.choice((1, 2, 7, 60, 200, 4000))
        )
        splitter.push(data[at:end])
        at = end
        if (is_line or rng.randrange(2)) and (block := splitter.take()):
            parts.append(block)
    if block := splitter.take(final=True):
        parts.append(block)
    assert b"".join(one.data for one in parts) == data
    return joined([parse(one, reads, ALL, zone="UTC", lexicons=lexicons) for one in parts])


def given_up(data: bytes, reads: Format, rng: Random) -> None:
    """Lines that the splitter gives up are accounted for."""
    dropped: list[bytes] = []
    splitter, count, at, end = Splitter(size=64, dropped=dropped.append), 0, 0, -1
    while at <= len(data):
        splitter.push(data[at : at + 50])
        at += 50
        if (at > len(data) or rng.randrange(2)) and (block := splitter.take(final=at > len(data))):
            parsed = parse(block, reads, frozenset(), zone="UTC")
            count += parsed.lines
            offsets = parsed.rejects.offsets.tolist()
            assert offsets == sorted(set(offsets))
            assert not offsets or (offsets[0] > end and offsets[-1] < len(data))
            end = offsets[-1] if offsets else end
    assert count == len(lines(data)), f"{count} of {len(lines(data))} lines"
    assert all(piece in data for piece in dropped)


def read(data: bytes, reads: Format, depth: int, parts: int = 0) -> Hashable:
    """Read a source in one block and in many, and filter it; what was seen."""
    chance = Random(crc32(data))
    parsed = parse(Block.of(data, offset=0), reads, ALL, zone="UTC")
    accounted(parsed, data, parts)
    inner_parts = any(WRAPPERS[name].parted for name in reads.wrappers[1:])
    # of what is wrapped twice a block may end between two parts of a line
    if data and not inner_parts:
        one, many = told(parsed), told(pushed(data, reads, chance))
        assert one == many, f"in one block {one}\nin many {many}"
    if not reads.wrappers and not chance.randrange(8):
        given_up(data, reads, chance)
    if parsed.rows and depth > 1:
        filtered(data, reads, parsed.rows)
    nulls = tuple(sorted(raw for raw, column in parsed.columns.items() if column.null_count))
    return parsed.rows > 0, tuple(parsed.rejects.by_reason()), tuple(parsed.formats), nulls


def work() -> Filtering:
    """How lines are scrubbed; it remembers nothing yet."""
    return filtering(Wishes("", ()), lambda: NOW)


def filtered(data: bytes, reads: Format, rows: int) -> None:
    """As many rows come out, and are read again."""
    how = work()
    parsed, texts = scrub_block(Block.of(data, offset=0), reads, how)
    # what is not kept is not checked
    assert parsed.rows >= rows
    out = b"".join(line for text in texts for line in [text.header, *text.lines.to_pylist()])
    inner = replace(reads, wrappers=())
    again, _ = scrub_block(Block.of(out, offset=0), inner, how)
    heads = sum(bool(text.header) for text in texts)
    assert out.count(b"\n") == parsed.rows + heads, "as many lines come out as rows went in"
    assert again.rows == parsed.rows, f"{again.rows} of {parsed.rows} rows are read again: {out!r}"
    if inner.layouts and inner.layouts[0].paths:
        assert all(
            isinstance(json.loads(line.decode("utf-8", "replace")), dict)
            for line in out.splitlines()
        )


# ---- text layouts and JSON


@cache
def formats(*, of_json: bool) -> tuple[Format, ...]:
    """All of one kind that the catalogue has, and some strings."""
    known = [one for one in map(named, names()) if not one.headed]
    some = [one for one in known if bool(one.layouts[0].paths) == of_json]
    return (*some, *([] if of_json else [resolve(text) for text in FORMATS] + [resolve("combined,common,haproxy,nginx_proxy_manager")]))  # fmt: skip


def _format_seeds(*, of_json: bool) -> list[bytes]:
    known = formats(of_json=of_json)
    return [bytes([i]) + lines_for(one.layouts) for i, one in enumerate(known)] + [
        bytes([i]) + sample(layout, nth) for i, one in enumerate(known) for layout in one.layouts for nth in (0, 1)
    ]  # fmt: skip


def _format_check(data: bytes, *, of_json: bool, depth: int) -> Hashable:
    known = formats(of_json=of_json)
    which_ = data[0] % len(known) if data else 0
    text, reads = data[1:], known[which_]
    found = lines_of(Block.of(text, offset=0))
    verdicts = tuple(fast_is_exact(found, layout) for layout in reads.layouts)
    return which_, verdicts, depth and read(text, reads, depth)


def _text(data: bytes, depth: int) -> Hashable:
    return _format_check(data, of_json=False, depth=depth)


def _json(data: bytes, depth: int) -> Hashable:
    for paths in (FLAT, DEEP, MIXED):
        json_agrees([line.removesuffix(b"\n") for line in lines(data[1:])], paths)
    named_ = tuple(len(jsonl.keys(line)) for line in lines(data[1:])[:4])
    return _format_check(data, of_json=True, depth=depth), named_


# ---- W3C


_IIS: Final = (
    b"#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: 2026-11-22 02:30:01\r\n"
    b"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\r\n"
    b"2026-11-22 02:30:01 192.0.2.1 GET /a x=1 443 - 203.0.113.7 Mozilla/5.0+(X11) https://ref.example/ 200 0 0 12\r\n"
    b"2026-11-22 02:30:02 192.0.2.1 POST /b - 443 jane 2001:db8::7 - - 404 0 2 0\r\n"
)  # fmt: skip
_CLOUDFRONT: Final = (
    b"#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs-protocol time-taken x-forwarded-for cs-protocol-version\n"
    b"2026-11-22\t02:30:01\tFRA50-C1\t512\t203.0.113.7\tGET\td1.cloudfront.net\t/a%2520b\t200\t-\tMozilla/5.0%2520(X11)\tq=1\thttps\t0.004\t-\tHTTP/2.0\n"
)  # fmt: skip


def _w3c_seeds() -> list[bytes]:
    small = b"#Fields: date time c-ip cs-uri-stem sc-status\n2026-11-22 02:30:01 203.0.113.7 /a 200\n2026-11-22 02:30:02 - - -\n"
    tabs = small.replace(b" ", b"\t")
    return [
        b"0" + one
        for one in (
            _IIS,
            _CLOUDFRONT,
            small,
            tabs,
            small + _IIS + tabs,
            b"\xef\xbb\xbf" + small,
            b"\n" + small,
            small * 3,
        )
    ]


def _w3c(data: bytes, depth: int) -> Hashable:
    text, reads = data[1:], named(w3c.NAME)
    found = lines_of(Block.of(text, offset=0))
    sections, _ = w3c.sections(found, b"")
    verdicts = [fast_is_exact(some, layout) for layouts, some in sections for layout in layouts]
    seen = depth and read(text, reads, depth)
    return len(sections) < 4 and len(sections), tuple(verdicts[:4]), seen


# ---- wrappers


NESTED: Final = (
    "syslog/combined", "docker/combined", "docker/syslog/combined", "syslog/docker/haproxy", "cri/caddy", "compose/cri/combined,common",
    "journald/combined", "docker/docker/combined", "syslog/haproxy", "compose/nginx_proxy_manager",
)  # fmt: skip


def _wrapped(name: str, text: bytes) -> bytes:
    if name == "docker":
        return container(text.decode("latin-1") + "\n")
    if name == "journald":
        return json.dumps({"__REALTIME_TIMESTAMP": "1", "MESSAGE": text.decode("latin-1")}).encode()
    return GOOD[name][0] + text


def _wrapper_seeds() -> list[bytes]:
    kinds, out = sorted(WRAPPERS), []
    for i, name in enumerate(kinds):
        if name in GOOD:
            out += [bytes([i]) + head + LINE + b"\n" for head in GOOD[name]]
            out.append(bytes([i]) + b"".join(head + LINE + b"\n" for head in GOOD[name]))
        else:
            out += [bytes([i]) + line + b"\n" for line in RECORDS]
            parts = [
                container("192.0.2.7 - - [22/Nov"),
                container("x", "stderr"),
                container("/2026\n"),
                container("\n", "stderr"),
            ]
            out.append(bytes([i]) + b"\n".join(parts))
    for i, text in enumerate(NESTED):
        *around, inner = text.split("/")
        line = [sample(one) for one in resolve(inner).layouts]
        for name in reversed(around):
            line = [_wrapped(name, one) for one in line]
        out.append(bytes([len(kinds) + i]) + b"\n".join(line) + b"\n")
    return out


def _wrappers(data: bytes, depth: int) -> Hashable:
    kinds = sorted(WRAPPERS)
    which_, text = data[0] % (len(kinds) + len(NESTED)) if data else 0, data[1:]
    if which_ < len(kinds):
        name = kinds[which_]
        got = unwrapped(text, name)
        # Python's reader of JSON does not say how deep it went
        if (
            max((line.count(b"{") + line.count(b"[") for line in lines(text)), default=0)
            <= wrapjson.DEEPEST
        ):
            wanted = expected(text, name)
            assert got == wanted, f"the loop says {got}\nthe rules say {wanted}"
        held = held_back(text[: text.rfind(b"\n") + 1], name)
        assert 0 <= held <= len(text)
        assert not held or text[: text.rfind(b"\n") + 1 - held][-1:] in (b"", b"\n")
        found = lines_of(Block.of(text, offset=0))
        kind = {bool(part) for part in got[:2]}, min(got[2], 3), bool(held), which(found)
        return which_, str(kind), tuple({reason for _, reason in got[1]})
    reads, parts = resolve(NESTED[which_ - len(kinds)]), 0
    inside = lines_of(Block.of(text, offset=0))
    for name in reads.wrappers:
        inside, _, some = unwrap(inside, name)
        parts += some
    verdicts = tuple(fast_is_exact(inside, layout) for layout in reads.layouts)
    return which_, verdicts, min(parts, 3), depth and read(text, reads, depth, parts)


# ---- time stamps


def _moment_seeds() -> list[bytes]:
    when = datetime(2026, 11, 22, 2, 30, 1, 971_000)  # noqa: DTZ001 — local
    tails = ("", "Z", "+01:00", " -0330", " UTC", "+00")
    some = [(spelling(when) + tail).encode() for spelling in SPELLINGS for tail in tails]
    return [
        b"0" + one
        for one in (
            *some,
            *_TIMES,
            b"1795314797",
            b"1.7953147971234567e9",
            b"9223372036854775807",
            b"[-]",
        )
    ]


def _moments(data: bytes, _: int) -> Hashable:
    text = data[1:]
    between = (b"7", b"-", b".", b" ", b"", b"Z", b"\0")[data[0] % 7 if data else 0]
    got = read_all([text, text[1:], text[:-1], b"[" + text + b"]"], between)
    wanted = [read_one(one) for one in (text, text[1:], text[:-1], b"[" + text + b"]")]
    assert got == wanted, f"the loop says {got}, the exact reader {wanted}"
    one = got[0]
    shape = (
        bytes(
            0x39 if 0x30 <= c <= 0x39 else 0x61 if chr(c).isalpha() and c < 128 else c
            for c in text[:40]
        )
        if one
        else b""
    )
    return (
        one is not None and (one[1] == NONE, len(str(one[0]))),
        re.sub(rb"9+", b"9", shape),
        len(text) % 64 if one else 0,
    )


# ---- error logs


_FOUR: Final = re.compile(rb"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_N: Final = b"2026/11/22 02:30:01 [error] 7#8: "
_A: Final = b"[Sun Nov 22 02:30:01.123456 2026] [core:error] [pid 1:tid 2] "
_ERRORS: Final = (
    _N + b'*1 open() "/srv/x" failed (2: No such file or directory), client: 192.0.2.7, server: _, request: "GET /x HTTP/1.1", host: "shop.example", referrer: "https://ref.example/"',
    _N + b'*5 user "jane": password mismatch, client: 2001:db8::7, server: example.com, request: "POST /a b HTTP/2.0", subrequest: "/y", upstream: "http://192.0.2.1:80/x"',
    _N + b"*9 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 192.0.2.7, server: 192.0.2.1:80",
    _N + b'*9 limiting requests, excess: 5.459 by zone "one", client: 192.0.2.7', _N + b"signal 15 (SIGTERM) received from 4, exiting",
    _N + b"client 192.0.2.7 closed keepalive connection (104: Connection reset by peer)", b"2026/11/22 02:30:01 [notice] 1#1: nginx/1.27.4",
    _A + b'[client 192.0.2.7:4711] AH01617: user jane: authentication failure for "/x": Password Mismatch, referer: http://ref.example/',
    _A + b"AH00094: Command line: '/usr/sbin/apache2'", b"[Sun Nov  1 02:30:01 2026] [error] [client 2001:db8::1234] (13)Permission denied: file permissions deny server access: /x",
    _A + b"[remote 192.0.2.9:80] AH01102: error reading status line from remote server 192.0.2.1:80", _A + b"AH00163: Apache/2.4.71 (Debian) configured -- resuming normal operations",
)  # fmt: skip


def _errors(data: bytes, _: int) -> Hashable:
    kind, text = ("nginx", "apache")[data[0] % 2 if data else 0], data[1:]
    some = [line.removesuffix(b"\n") for line in lines(text)]
    asked: list[list[str]] = []

    def mask(found: list[str]) -> list[str]:
        asked.append(found)
        return ["NET"] * len(found)

    shown = errorlog.scrub(some, kind, mask)  # type: ignore[arg-type] # one of the two
    assert len(shown) == len(some)
    assert len(asked) <= 1
    for line, out in zip(some, shown, strict=True):
        assert [out] == errorlog.scrub([line], kind, lambda found: ["NET"] * len(found))  # type: ignore[arg-type] # as above
        if out is not None:
            assert b"\n" not in out
            assert b"\r" not in out
            assert b"\0" not in out
            assert out.isascii(), f"{out!r}"
            assert not _FOUR.search(out), f"an address is shown: {out!r}"
    kept = tuple(re.sub(rb"[0-9]+", b"9", out)[24:] if out else None for out in shown[:2])
    return kind, kept


# ---- detection


def _detect_seeds() -> list[bytes]:
    some = [lines_for(named(name).layouts) for name in names() if not named(name).headed]
    wraps = [seed[1:] for seed in _wrapper_seeds()]
    own = b'{"ts":1795314797.5,"remote_addr":"203.0.113.7","status":200,"uri":"/a","ua":"curl"}\n'
    other = [
        _IIS,
        _CLOUDFRONT,
        own * 3,
        _IIS.decode().encode("utf-16"),
        b"\xff\xfe" + bytes(200),
        b"",
        b"\n\n",
        b"a\rb\rc",
    ]
    return [b"0" + one for one in (*some, *wraps, *other, *_ERRORS)]


_SHOWN: Final = re.compile(r"[a-z]{3,}")


def _detection(data: bytes, depth: int) -> Hashable:
    text = data[1:]
    found = detect(text)
    assert (found.format is not None) == (found.kind == "access")
    assert 0 <= found.share <= 1
    assert "\n" not in found.reason
    if found.format and depth:
        parsed = parse(Block.of(text, offset=0), found.format, ALL, zone="UTC")
        sums, inside = 0, lines_of(Block.of(text, offset=0))
        for name in found.format.wrappers:
            inside, _, some = unwrap(inside, name)
            sums += some
        accounted(parsed, text, sums)
        judged = choose(text, "auto", found.format)
        assert judged.format is not None, (
            f"{found.name} was found and then refused: {judged.reason}"
        )
    return found.kind, found.name, found.reason.split(" ")[0], len(found.structure) % 8


# ---- format strings


_TOML: Final = (
    b'name = "x"\nline = "{address} {-user:free} [{time:clf}] \\"{request}\\" {status}"\nescape = "hash"\n',
    b'zone = "Europe/Berlin"\n[json]\ntime = "ts"\naddress = ["a.b.0", "ip"]\ntarget = "uri"\nstatus = "s"\nsite = "~Host"\n',
    b'nginx = ["$remote_addr [$time_local] $status", "$remote_addr $msec"]\nescape = "json"\ngrows = true\n',
    b"apache = '%h %t \"%r\" %>s'\n", b"w3c = true\n", b'[json]\ndate = "d"\nclock = "t"\nagent = "h.~user-agent.0"\nreferer = "h"\n',
)  # fmt: skip
_CONFIG: Final = (
    b"log_format main escape=json '$remote_addr - $remote_user [$time_local] \"$request\" '\n  '$status';\naccess_log /var/log/a.log main;\n",
    b'LogFormat "%h %l %u %t \\"%r\\" %>s %b" common\nCustomLog logs/access.log common\n',
)


def _format_string_seeds() -> list[bytes]:
    strings = [*FORMATS, *names(), *NESTED, "combined,common"]
    strings += [text for name in names() for text in entry(name).strings]
    return (
        [b"0" + one.encode() for one in strings]
        + [b"1" + one for one in _TOML]
        + [b"2" + one for one in _CONFIG]
    )


@cache
def _place() -> Path:
    return Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)) / "x.toml"


def _compiled(data: bytes) -> list[Format]:
    kind, text = data[:1], data[1:]
    if kind == b"1":
        _place().write_bytes(text)
        return [resolve(str(_place()))]
    spelled = text.decode("utf-8", "replace")
    if kind == b"2":
        found = serverconf.read_formats(spelled)
        return [Format.of(one.layout("x")) for one in found.values()]
    return [] if spelled.strip().endswith(".toml") else [resolve(spelled)]


def _format_strings(data: bytes, depth: int) -> Hashable:
    try:
        found = _compiled(data)
    except FormatError as error:
        return data[:1], re.sub(r"'.*'|[0-9]+", "", str(error))[:60]
    seen: list[Hashable] = []
    for one in found:
        if one.headed or len(one.layouts) > 8:
            continue
        text = lines_for(one.layouts)
        text += (
            b"".join(layout.literals[0] + b"-" for layout in one.layouts if layout.literals) + b"\n"
        )
        around = lines_of(Block.of(text, offset=0))
        verdicts = tuple(fast_is_exact(around, layout) for layout in one.layouts)
        try:
            seen.append((verdicts, depth and read(text, replace(one, wrappers=()), depth)))
        except FormatError as error:
            seen.append(str(error)[:40])
    return data[:1], tuple(seen[:3])


# ---- proxies' headers


def _proxy_seeds() -> list[bytes]:
    return [b"0" + one.encode()[:5000] for one in (*LISTS, *NODES)]


def _proxies(data: bytes, _: int) -> Hashable:
    header = data[1:].decode("utf-8", "replace")
    peers = (PEER, "198.51.100.9", None, "::ffff:10.0.0.1", header[:45])
    found = clients(
        pa.array(peers, pa.string()), pa.array([header] * len(peers), pa.string()), trusted=TRUSTED
    ).to_pylist()
    (told_,) = named_by(pa.array([header], pa.string()), trusted=TRUSTED).to_pylist()
    assert found[0] == (told_ or PEER)
    assert found[1:3] == ["198.51.100.9", None]
    assert found[3] == (told_ or peers[3])
    if told_ is not None:
        assert str(_address(told_)) == told_ or ":" in told_
        # what a client sends in front changes nothing, unless all is trusted
        if named_by(pa.array([told_]), trusted=TRUSTED).to_pylist() == [told_] and not _trusts(
            told_
        ):
            assert named_by(pa.array(["192.0.2.66, " + header]), trusted=TRUSTED).to_pylist() == [
                told_
            ]
    return (
        told_ is not None and (_trusts(told_), ":" in told_),
        '"' in header,
        "=" in header,
        "[" in header,
        header.count(",") % 8,
        header.count(";") % 4,
    )


def _address(text: str) -> object:
    return ipaddress.ip_address(text)


def _trusts(text: str) -> bool:
    one = ipaddress.ip_address(text)
    return any(one in ipaddress.ip_network(network) for network in NETWORKS)


FAMILIES: Final[dict[str, Family]] = {
    "text": Family(lambda: _format_seeds(of_json=False), _text),
    "json": Family(lambda: _format_seeds(of_json=True), _json),
    "w3c": Family(_w3c_seeds, _w3c),
    "wrappers": Family(_wrapper_seeds, _wrappers),
    "moments": Family(_moment_seeds, _moments),
    "errorlog": Family(lambda: [kind + one for kind in (b"0", b"1") for one in (*_ERRORS, b"\n".join(_ERRORS))], _errors),
    "detect": Family(_detect_seeds, _detection),
    "formats": Family(_format_string_seeds, _format_strings),
    "proxies": Family(_proxy_seeds, _proxies),
}  # fmt: skip
