"""Wrappers: what is inside comes out whole, in order, counted, and never as more lines than there were."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logscrub import syslog
from logscrub.formats import wrapfast, wrapjson
from logscrub.formats.lines import lines_of
from logscrub.formats.wrappers import LONGEST_WAIT, MOST_BETWEEN, WRAPPERS, held_back, unwrap, which
from logscrub.schema import MAX_LINE, PAD, REASONS, Block, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINE = b'192.0.2.7 - - [22/Nov/2026:02:32:34 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5"'
STAMP = b"2026-11-22T02:30:01.413656027Z"
ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
CRI = re.compile(ISO + rb" (stdout|stderr) ([PF])(?: |:[^ ]* ?|$)", re.DOTALL)
COLOURS = rb"(?:\x1b\[[0-9;]*m)*"
COMPOSE = re.compile(
    rb"\[pod/[\w./-]*\](?: |$)|"
    + COLOURS + rb"[\w.-]+" + COLOURS + rb" +\|" + COLOURS + rb"(?: |$)" + COLOURS
)  # fmt: skip

Text = tuple[bytes, object, bool]
"""What is inside a line, of which stream it is, and whether it goes on."""


# ---- the same rules in plain Python


def in_syslog(line: bytes) -> Text | None:
    """NULs behind a line of a file stay, for the parser to reject."""
    found = syslog.message(line)
    return None if found is None else (found + line[len(line.rstrip(b"\0\n")) :], None, False)


def in_compose(line: bytes) -> Text | None:
    found = COMPOSE.match(line)
    return (line[found.end() :], None, False) if found else None


def in_cri(line: bytes) -> Text | None:
    found = CRI.match(line)
    return (line[found.end() :], found[1], found[2] == b"P") if found else None


class Pairs(list[Any]):
    """An object of JSON with what may be twice in it."""


def refuse(_: str) -> None:
    raise ValueError


def loaded(line: bytes) -> list[tuple[str, Any]]:
    """The pairs of an object; a byte that is not ASCII stands for itself, on a plane nobody uses."""
    text = "".join(chr(one if one < 0x80 else 0xF0000 + one) for one in line)
    try:
        found = json.loads(
            text, object_pairs_hook=Pairs, parse_int=lambda digits: ("int", digits), parse_constant=refuse
        )  # fmt: skip
    except ValueError:
        return []
    return found if isinstance(found, Pairs) and b"\r" not in line else []


def sent(text: str) -> bytes:
    """The bytes of a decoded string; a surrogate without its other half is U+FFFD."""
    return b"".join(
        bytes([ord(one) - 0xF0000])
        if 0xF0080 <= ord(one) <= 0xF00FF
        else b"\xef\xbf\xbd" if "\ud800" <= one <= "\udfff" else one.encode()
        for one in text
    )  # fmt: skip


def record(line: bytes, keys: set[str]) -> dict[str, Any]:
    pairs = [(key, value) for key, value in loaded(line) if key in keys]
    return dict(pairs) if len(dict(pairs)) == len(pairs) else {}


def in_docker(line: bytes) -> Text | None:
    found = record(line, {"log", "stream"})
    text, stream = found.get("log"), found.get("stream")
    if not isinstance(text, str) or stream not in ("stdout", "stderr"):
        return None
    raw = sent(text)
    if not raw.endswith(b"\n"):
        return raw, stream, True
    return raw[:-1].removesuffix(b"\r"), stream, False


def in_journald(line: bytes) -> Text | None:
    found = record(line, {"MESSAGE", "_STREAM_ID", "_LINE_BREAK"})
    text, stream, end = (
        found.get("MESSAGE"),
        found.get("_STREAM_ID", ""),
        found.get("_LINE_BREAK", ""),
    )
    if not isinstance(stream, str) or not isinstance(end, str):
        return None
    stream = stream if "_STREAM_ID" in found else None
    if isinstance(text, list) and not isinstance(text, Pairs):
        if not all(isinstance(one, tuple) and re.fullmatch(r"\d{1,3}", one[1]) for one in text):
            return None
        numbers = [int(one[1]) for one in text]
        if any(one > 255 for one in numbers):
            return None
        raw = bytes(numbers)
    elif isinstance(text, str):
        raw = sent(text)
    else:
        return None
    raw = raw.removesuffix(b"\n")
    return (raw, stream, True) if end == "line-max" else (raw.removesuffix(b"\r"), stream, False)


EXACT: dict[str, Callable[[bytes], Text | None]] = {
    "syslog": in_syslog, "compose": in_compose, "cri": in_cri, "docker": in_docker, "journald": in_journald,
}  # fmt: skip


def expected(
    data: bytes, name: str
) -> tuple[list[tuple[int, bytes]], list[tuple[int, Reason]], int]:
    """Lines inside with the place where they begin, rejects, parts."""
    inside: list[tuple[int, bytes]] = []
    rejects: list[tuple[int, Reason]] = []
    # of each part: where it stands, its text, and how many foreign lines were before it
    chains: dict[object, list[tuple[int, bytes, int]]] = {}
    parts = at = foreign = 0

    def end(pieces: list[tuple[int, bytes, int]], *, whole: bool) -> int:
        text = b"".join(piece for _, piece, _ in pieces)
        if pieces[0][2] != pieces[-1][2] or b"\n" in text:
            rejects.append((pieces[0][0], Reason.STRUCTURE))
        elif len(pieces) > 1 and len(text) > MAX_LINE:
            rejects.append((pieces[0][0], Reason.TOO_LONG))
        else:
            cut = text.removesuffix(b"\r") if whole and len(pieces) > 1 else text
            inside.append((pieces[0][0], cut))
        return len(pieces) - 1

    for raw in lines(data):
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if not line.strip(b" \t"):
            inside.append((at, b""))
        elif (found := EXACT[name](line)) is None:
            rejects.append((at, Reason.STRUCTURE))
            foreign += 1
        else:
            text, stream, goes_on = found
            chains.setdefault(stream, []).append((at, text, foreign))
            if not goes_on:
                parts += end(chains.pop(stream), whole=True)
        at += len(raw)
    parts += sum(end(pieces, whole=False) for pieces in chains.values())
    return sorted(inside), sorted(rejects), parts


def lines(data: bytes) -> list[bytes]:
    """With their line ends, which are LF only."""
    found = [line + b"\n" for line in data.split(b"\n")]
    return [*found[:-1], *([found[-1][:-1]] if found[-1] != b"\n" else [])]


def unwrapped(
    data: bytes, name: str, offset: int = 0
) -> tuple[list[tuple[int, bytes]], list[tuple[int, Reason]], int]:
    """The same, as `unwrap` says it; and nothing goes uncounted."""
    # not at the very beginning, where a byte order mark may stand
    before = lines_of(Block.of(data, offset=offset + 1))
    inside, rejects, parts = unwrap(before, name)
    assert len(before) == len(inside) + len(rejects) + parts
    assert not inside.data[len(inside.data) - PAD :].any()
    pairs = zip(inside.starts.tolist(), inside.ends.tolist(), strict=True)
    texts = [inside.data[start:end].tobytes() for start, end in pairs]
    reasons = [REASONS[one] for one in rejects.reasons]
    assert inside.offsets.tolist() == sorted(inside.offsets.tolist())
    return (
        list(zip((inside.offsets - 1).tolist(), texts, strict=True)),
        sorted(zip((rejects.offsets - 1).tolist(), reasons, strict=True)),
        parts,
    )


# ---- wrapped lines, damaged and hostile


def container(log: str, stream: str = "stdout", **more: object) -> bytes:
    return json.dumps({"log": log, "stream": stream, **more}, ensure_ascii=False).encode()


GOOD = {
    "syslog": [
        b"<190>Nov 22 02:32:34 vm nginx: ", b"Nov  2 02:32:34 haproxy[7]: ", STAMP + b" host nginx: ",
        b"<134>2026-11-22T02:30:01.1+00:00 host tag: ", b"2026-11-22T02:30:01-05:00 tag: ",
        b"<171>1 2025-11-05T20:47:03.000000+00:00 host nginx - - - ", b'<165>1 - - - - - [a b="\\"]"][c] ',
        b"<165>1 - - - - - - \xef\xbb\xbf", b"<165>1 - - - - - [" + b"a" * 32 + b"] ",
    ],
    "compose": [
        b"web-1  | ", b"web_1 | ", b"\x1b[36mweb-1  | \x1b[0m", b"\x1b[1;36mweb_1  |\x1b[0m ", b"[pod/web-0/nginx] ",
    ],
    "cri": [
        STAMP + b" stdout F ", STAMP + b" stdout P ", STAMP + b" stderr F ", STAMP + b" stderr P ",
        b"2026-11-22T02:30:01+01:00 stdout P:x ",
    ],
}  # fmt: skip
BAD = {
    "syslog": [
        b"<192>Nov 22 02:32:34 vm nginx: ", b"<190>Nov 22 02:32:34  nginx: ", b"2026-11-22T02:30:01.1234567890Z tag: ",
        b"2026-11-22T02:30:01.Z tag: ", b"2026-11-22T02:30:01 tag: ", b"<190>1 ", b"<190>",
        b"<165>1 - - - - - [" + b"a" * 33 + b"] ",
    ],
    "compose": [
        b"[pod/", b"[pod/a/b]", b"web-1|", b"web 1 | ", b"\x1b[36web | ", b" | ", b"web |\x1b[0m",
    ],
    "cri": [
        STAMP + b" stdout F", STAMP + b" stdlog F ", STAMP + b" stdout X ", b"2026-11-22 02:30:01Z stdout F ",
        STAMP + b" stdout FX ",
    ],
}  # fmt: skip
NASTY = (
    b"", b" ", LINE, b"a", b"\0", b"\r", b"\x1b[0m", b":", b"] ", b'"', b"\\", b"\xff", b" | ", b"F ", b"Z", b"x: ", b"\0\0",
)  # fmt: skip
LOGS = (
    "\n", "a", "a\n", "b\r\n", "b\r", "c\nd", "c\nd\n", "", "\u0000\n", "\u00e9\U0001f980", '"\\/\b\f\t', "x" * 300, "\ufffd\n",
)  # fmt: skip
RECORDS = [
    b"{}", b"[]", b"{", b'{"log":"a\\n"}', b'{"stream":"stdout"}', b'{"log":1,"stream":"stdout"}', b'{"log":"\\ud83e\\udd80\\n","stream":"stdout"}',
    b'{"log":"\\ud83e\\n","stream":"stdout"}', b'{"log":"\\udc80\\ud83e\\ud83e\\udd80\\u0041\\n","stream":"stderr"}', b'{"log":"\\x","stream":"stdout"}',
    b'{"log":"\\u12g4","stream":"stdout"}', b'{"log":"\t\\n","stream":"stdout"}', b'{"log":"a","log":"b","stream":"stdout"}', b'{"log":"a\\n","stream":"stdin"}',
    b' { "stream" : "stdout" , "x":[{"log":"no"},[],{},-0.5e+7,true,false,null,""] , "log" : "ok\\n" } ', b'{"log":"a\\n","stream":"stdout"}x',
    b'{"log":"a\\n","stream":"stdout","n":01}', b'{"log":"a\\n","stream":"stdout","n":NaN}', b'{"log":"a\\n","stream":"stdout","n":[1,]}', b'{"log":"a\\n","stream":"stdout",}',
    b'{"l\\u006fg":"a\\n","stream":"stdout"}', b'{"log":"\xff\xfe\\n","stream":"stdout"}', b'{"MESSAGE":"a"}', b'{"MESSAGE":"a\\nb"}', b'{"MESSAGE":null}', b'{"MESSAGE":[71, 69,13,10]}',
    b'{"MESSAGE":[]}', b'{"MESSAGE":[256]}', b'{"MESSAGE":[07]}', b'{"MESSAGE":[-1]}', b'{"MESSAGE":["a"]}', b'{"MESSAGE":[71,]}', b'{"MESSAGE":[ 71 , 0 ]}', b'{"MESSAGE":[71,10,72]}', b'{"MESSAGE":{}}',
    b'{"MESSAGE":"a","_STREAM_ID":"1f","_LINE_BREAK":"line-max"}', b'{"MESSAGE":"b\\r","_STREAM_ID":"1f"}', b'{"MESSAGE":"c","_STREAM_ID":"0123456789","_LINE_BREAK":"line-max"}',
    b'{"MESSAGE":"d","_STREAM_ID":"0123456789","_LINE_BREAK":"eof"}', b'{"MESSAGE":"d","_STREAM_ID":7}', b'{"MESSAGE":"d","_LINE_BREAK":"line-max"}', b'{"_BOOT_ID":"x","MESSAGE":"\\u20ac","_CAP":["1","2"]}',
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """A line as it is, or cut, or with something put in."""
    at = draw(st.integers(0, len(line)))
    return draw(
        st.sampled_from(
            [line, line, line, line[:at], line[:at] + draw(st.sampled_from(NASTY)) + line[at:]]
        )
    )


@st.composite
def wrapped(draw: st.DrawFn, name: str) -> bytes:
    """Lines that are wrapped, more or less."""
    if name in GOOD:
        one = st.builds(
            lambda head, parts: head + b"".join(parts), st.sampled_from(GOOD[name] + BAD[name]),
            st.lists(st.sampled_from(NASTY), max_size=3),
        )  # fmt: skip
    else:
        streams = st.sampled_from(["stdout", "stderr"])
        texts = st.lists(st.sampled_from(LOGS), max_size=3).map("".join)
        one = st.one_of(
            st.builds(container, texts, streams),
            st.builds(lambda text: json.dumps({"x": [1], "MESSAGE": text}).encode(), texts),
            st.sampled_from(RECORDS),
        )
    some = draw(
        st.lists(
            st.one_of(one.flatmap(damaged), one, st.sampled_from([b"", b" \t", LINE])), max_size=12
        )
    )
    ends = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return ends.join(line.replace(b"\n", b"") for line in some) + draw(st.sampled_from([b"", ends]))


NAMES = st.sampled_from(sorted(WRAPPERS))


# ---- laws


@settings(max_examples=500, deadline=None)
@given(NAMES.flatmap(lambda name: st.tuples(st.just(name), wrapped(name))))
def test_the_loops_follow_the_rules(case: tuple[str, bytes]) -> None:
    """What is inside, what is rejected and what was a part: as plain Python says, byte by byte."""
    name, data = case
    assert unwrapped(data, name) == expected(data, name)


@settings(max_examples=300, deadline=None)
@given(NAMES, st.binary())
@example("cri", b"\xef\xbb\xbf")
@example("docker", b'{"')
@example("journald", b'{"MESSAGE":[')
@example("syslog", b"<190>1 a b c d e [")
def test_any_bytes(name: str, data: bytes) -> None:
    """Bytes that are no log are read alike, and never raise."""
    assert unwrapped(data, name) == expected(data, name)


@pytest.mark.parametrize("name", ["docker", "journald"])
@pytest.mark.parametrize("line", RECORDS)
def test_every_record(name: str, line: bytes) -> None:
    """Each of the odd ones by itself, and cut anywhere."""
    for cut in range(len(line) + 1):
        assert unwrapped(line[:cut], name) == expected(line[:cut], name)


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(["docker", "journald", "cri"]).flatmap(
        lambda name: st.tuples(st.just(name), wrapped(name))
    ),
    st.data(),
)
def test_blocks_may_end_anywhere(case: tuple[str, bytes], data: st.DataObject) -> None:
    """With what is held back, a source gives the same lines whatever its blocks are."""
    name, text = case
    whole = lines(text)
    held, parts, at = b"", 0, 0
    found: list[tuple[int, bytes]] = []
    rejected: list[tuple[int, Reason]] = []
    for i, line in enumerate(whole):
        held += line
        final = i == len(whole) - 1
        if not final and not data.draw(st.booleans()):
            continue
        keep = 0 if final else held_back(held, name)
        assert 0 <= keep <= len(held)
        block, held = held[: len(held) - keep], held[len(held) - keep :]
        one = unwrapped(block, name, at)
        found, rejected, parts = found + one[0], rejected + one[1], parts + one[2]
        at += len(block)
    assert (found, sorted(rejected), parts) == expected(text, name)


# ---- cases


def one(line: bytes, name: str) -> bytes | None:
    """What is inside one line."""
    inside = unwrapped(line, name)[0]
    return inside[0][1] if inside else None


@pytest.mark.parametrize(("name", "head"), [(name, head) for name in GOOD for head in GOOD[name]])
def test_prefixes_come_off(name: str, head: bytes) -> None:
    """What stands behind them is left, be it nothing."""
    assert one(head + LINE, name) == LINE
    assert one(head, name) == b""


@pytest.mark.parametrize(("name", "head"), [(name, head) for name in BAD for head in BAD[name]])
def test_what_is_no_prefix(name: str, head: bytes) -> None:
    """Shapes that are nearly right."""
    assert one(head + LINE, name) is None


def test_parts_become_one_line() -> None:
    """Streams interleave; a line of parts stands where it begins and reaches as far as they adjoin."""
    data = b"".join(
        STAMP + b" " + rest + b"\n"
        for rest in (
            b"stdout P ab",
            b"stdout P cd",
            b"stdout F ef",
            b"stderr P x",
            b"stdout F y",
            b"stderr F z",
        )
    )
    size = len(STAMP) + 1
    found, rejects, parts = unwrap(lines_of(Block.of(data, offset=100)), "cri")
    texts = [
        found.data[start:end].tobytes() for start, end in zip(found.starts, found.ends, strict=True)
    ]
    assert (texts, len(rejects), parts) == ([b"abcdef", b"xz", b"y"], 0, 3)
    assert found.offsets.tolist() == [100, 100 + 3 * (size + 12), 100 + 3 * (size + 12) + size + 11]
    # contiguous parts with their line ends between them; the sum where another line is between
    assert found.lengths.tolist() == [3 * (size + 12) - 1, 2 * (size + 10), size + 10]


def test_a_line_end_in_two_parts() -> None:
    """CR and LF belong together wherever the line was broken; a CR that nothing follows is text."""
    broken = container("a\r") + b"\n" + container("\n") + b"\n"
    assert unwrapped(broken, "docker") == ([(0, b"a")], [], 1)
    assert one(container("a\r"), "docker") == b"a\r"
    assert one(container("a\r\n"), "docker") == b"a"


@pytest.mark.parametrize("name", ["docker", "cri"])
def test_a_line_too_long_once_joined(name: str) -> None:
    """One reject, however many parts; the next line is read."""
    part = "x" * 16_384
    if name == "docker":
        data = b"\n".join([*[container(part)] * 5, container("y\n"), container("z\n")])
    else:
        head = STAMP + b" stdout "
        data = b"\n".join([*[head + b"P " + part.encode()] * 5, head + b"F y", head + b"F z"])
    found, rejects, parts = unwrapped(data, name)
    assert ([text for _, text in found], rejects, parts) == ([b"z"], [(0, Reason.TOO_LONG)], 5)
    fits = data.replace(b"x" * 16_384, b"x" * 13_000)
    found, rejects, parts = unwrapped(fits, name)
    assert ([len(text) for _, text in found], rejects, parts) == ([65_001, 1], [], 5)


def test_what_waits() -> None:
    """Only what has a line that goes on in it, and never for ever."""
    head = STAMP + b" stdout "
    full, part, other = head + b"F a\n", head + b"P a\n", STAMP + b" stderr F b\n"
    assert held_back(b"", "cri") == held_back(full, "cri") == held_back(part, "syslog") == 0
    assert held_back(full + part, "cri") == len(part)
    assert held_back(full + part + part, "cri") == 2 * len(part)
    assert held_back(part + full, "cri") == 0
    assert held_back(full + part + other, "cri") == len(part + other)
    # the rest of one line may not be taken from it to wait with another
    begun = other.replace(b"F", b"P")
    assert held_back(full + part + begun + full, "cri") == len(part + begun + full)
    assert held_back(full + part + full + begun, "cri") == len(begun)
    assert held_back(full + part + other * MOST_BETWEEN, "cri") == len(part + other * MOST_BETWEEN)
    assert held_back(full + part + other * (MOST_BETWEEN + 1), "cri") == 0
    many = part * (LONGEST_WAIT // len(part))
    assert held_back(full + many, "cri") == len(many)
    assert held_back(full + many + part, "cri") == 0
    assert held_back(full * 9 + many * 4, "cri") == 0
    assert held_back(other * 90_000 + part, "cri") == len(part)


@pytest.mark.parametrize("server", ["nginx-1.22.1", "haproxy-2.6.12"])
def test_lines_of_real_servers(cases: Path, server: str) -> None:
    """All have their head, which comes off exactly; nothing is lost of hostile requests."""
    data = (cases / "logs/live-servers" / server / "syslog_raw.log").read_bytes()
    assert which(lines_of(Block.of(data, offset=0))) == "syslog"
    found, rejects, _ = unwrapped(data, "syslog")
    assert not rejects
    heads = rb"<\d+>Nov 22 \d\d:\d\d:\d\d (?:vm )?(?:nginx|haproxy\[\d+\]): "
    assert [text for _, text in found] == [
        re.sub(heads, b"", line, count=1) for line in data.splitlines()
    ]


def nested(line: bytes) -> bytes:
    """A line of syslog in a container under Kubernetes, as journald hands it on."""
    inner = container(f"<190>Nov 22 02:32:34 vm nginx: {line.decode()}\n").decode()
    return json.dumps({"__REALTIME_TIMESTAMP": "1", "MESSAGE": f"[pod/web/nginx] {inner}"}).encode()


def test_wrappers_in_wrappers() -> None:
    """Each is seen and comes off in turn; places stay those of the source."""
    data = b"".join(nested(LINE) + b"\n" for _ in range(3))
    found, seen = lines_of(Block.of(data, offset=7)), []
    before = found.offsets.tolist(), found.lengths.tolist()
    while name := which(found):
        seen.append(name)
        found, rejects, parts = unwrap(found, name)
        assert (len(rejects), parts) == (0, 0)
    assert seen == ["journald", "compose", "docker", "syslog"]
    assert [
        found.data[at:end].tobytes() for at, end in zip(found.starts, found.ends, strict=True)
    ] == [LINE] * 3
    assert (found.offsets.tolist(), found.lengths.tolist()) == before


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_four_fifths_decide(name: str) -> None:
    """Foreign lines do not hide a wrapper, and a few wrapped lines do not make one."""
    good = {
        "docker": container("a\n"), "journald": b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}',
        "cri": STAMP + b" stdout F a", "syslog": GOOD["syslog"][0], "compose": b"web-1  | a",
    }[name]  # fmt: skip
    for wrapped_lines, others, expect in ((8, 2, name), (7, 3, None), (0, 1, None), (1, 0, name)):
        data = (good + b"\n") * wrapped_lines + (LINE + b"\n") * others + b"\n" * 50
        assert which(lines_of(Block.of(data, offset=0))) == expect
    assert which(lines_of(Block.of(b"\n \n", offset=0))) is None
    assert which(lines_of(Block.of(b"", offset=0))) is None


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        b"203.0.113.7 | - | 22/Nov/2026:02:30:01 +0000 | GET / | 200",
        b"www.example.com | GET /",
        b"host | GET / | 200",
        b'2026-11-22T02:30:01.943958Z my-loadbalancer 192.0.2.1:2817 192.0.2.2:80 0.1 0.1 0.1 200 200 0 57 "GET / HTTP/1.1"',
        b'[2026-11-22T02:30:01.310Z] "POST /api HTTP/2" 204 - 154 0',
        b'{"log":"access","stream":"web","time":"x","status":200}',
        b'{"log":{"level":"info"},"stream":"stdout"}',
        b'{"MESSAGE":"GET /","status":200}',
        b'{"level":"info","ts":1.5,"msg":"handled request","request":{"log":"a","stream":"stdout"}}',
        b"Nov 22 02:32:34 192.0.2.7 GET / 200",
    ],
)
def test_what_is_not_wrapped(line: bytes) -> None:
    """Access logs that look a little like it."""
    assert which(lines_of(Block.of((line + b"\n") * 20, offset=0))) is None


def test_no_log_of_others_is_taken_for_wrapped(cases: Path) -> None:
    """Of all the case files, two are syslog and none is anything else."""
    files = [
        path
        for path in (cases / "logs").rglob("*log*")
        if path.is_file() and path.stat().st_size < 1 << 25
    ]
    named = {
        path.name: which(lines_of(Block.of(path.read_bytes()[: 1 << 20], offset=0)))
        for path in files
    }
    assert {path for path, name in named.items() if name} == {"syslog_raw.log"}
    for path in (cases / "parse").glob("*.jsonl"):
        rows = [json.loads(row).get("line", "").encode() for row in path.read_text().splitlines()]
        found = {row: which(lines_of(Block.of(row, offset=0))) for row in rows}
        assert all(
            row.startswith(b"Sep 20 15:42:59 1.2.3.4 haproxy[")
            for row, name in found.items()
            if name
        )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("syslog", b"<165>1 a b c d e [a " + b'b="\\\\" ' * 100_000),
        ("syslog", b"<165>1 " + b"[" * 1_000_000),
        ("syslog", b"Nov 22 02:32:34 " + b"a" * 1_000_000),
        ("compose", b"\x1b[0m" * 250_000),
        ("compose", b"a" + b" " * 1_000_000),
        ("docker", b'{"a":' + b"[" * 1_000_000),
        ("docker", b'{"a":' * 200_000),
        ("docker", b'{"log":"' + b"\\ud83e" * 150_000),
        ("docker", b'{"":0,' * 1 + b'"":0,' * 200_000),
        ("journald", b'{"MESSAGE":[' + b"1," * 500_000),
    ],
)
def test_long_lines_take_no_longer(name: str, line: bytes) -> None:
    """A megabyte that goes nowhere is read once."""
    some = lines_of(Block.of(line, offset=0))
    unwrap(some, name)
    begin = time.perf_counter()
    inside, rejects, _ = unwrap(some, name)
    assert time.perf_counter() - begin < 0.2
    assert (len(inside), len(rejects)) == (0, 1)


def test_depth_is_bounded() -> None:
    """Objects and arrays in one another, as deep as anybody writes them."""
    for deep, expect in ((wrapjson.DEEPEST, b"a"), (wrapjson.DEEPEST + 1, None)):
        line = (
            b'{"x":'
            + b'[{"y":' * (deep // 2)
            + b"[" * (deep % 2)
            + b"0"
            + b"]" * (deep % 2)
            + b"}]" * (deep // 2)
        )
        assert one(line + b',"log":"a\\n","stream":"stdout"}', "docker") == expect


def test_constants_agree() -> None:
    """A compiled loop cannot take its constants from another module, see `logscrub.compiled`."""
    for name in ("RECORD", "PART", "BLANK", "STDOUT", "STDERR"):
        assert getattr(wrapfast, name) == getattr(wrapjson, name)
    assert wrapjson.RECORD | wrapjson.PART | wrapjson.FORGED | wrapjson.BLANK == 15
