"""JSON lines: the loop is held to the exact reader, and that one to Python's own."""

from __future__ import annotations

import json
from time import process_time
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logscrub.compiled import padded
from logscrub.formats import fast, jsonfast
from logscrub.formats.jsonl import index, keys, program, read_line
from logscrub.schema import MAX_LINE, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logscrub.formats.jsonl import Path, Paths

Spans: TypeAlias = list[tuple[int, int]]

REASONS = {
    jsonfast.STRUCTURE: Reason.STRUCTURE,
    jsonfast.BINARY: Reason.BINARY,
    jsonfast.TOO_LONG: Reason.TOO_LONG,
}
FLAT: Paths = tuple(((name,),) for name in ("a", "b", "request", "status", "eight888", "ua"))
DEEP: Paths = (
    (("request", "headers", "~user-agent", "0"), ("request", "headers", "~user-agent")),
    (("request", "uri"), ("uri",), ("a", "0", "b")),
    (("a", "1"), ("a", "0"), ("a",)),
    (("request", "client_ip"), ("request", "remote_ip")),
    (("request", "headers", "~x-a_very_long_header_name", "0"),),
)
# the same key asked for as it stands and in any case, one path as the beginning of another, signs beyond ASCII
MIXED: Paths = (
    (("A",), ("~a",)),
    (("~a", "B"), ("A", "~b"), ("~A", "~B")),
    (("request",), ("~REQUEST", "a")),
    (("é",), ("😀", "0"), ("",), ("~é",)),
    (("0",), ("~0", "~0"), ("10",)),
    (),
)
PATHS = st.sampled_from([FLAT, DEEP, MIXED])

PIECES = st.sampled_from(
    [
        *(b"a", b"-", b"/x", b"~", b"{", b"}", b"[", b"]", b",", b":", b"\x7f", b"x" * 70),
        *(b'\\"', b"\\\\", b"\\/", b"\\b", b"\\n", b"\\u0041", b"\\u00e9", b"\\ud83d\\ude00", b"\\ud83d", b"\\uDE00"),
        *("é".encode(), "😀".encode()),
    ]
)  # fmt: skip
WRONG = st.sampled_from([b'"', b'":"', b"\\x", b"\\u12g4", b"\\u", b"\\", b"\t", b"\x1f", b"\0", b"\xff", b"\xe9"])  # fmt: skip
BLANKS = st.sampled_from([b"", b"", b"", b" ", b"\t", b" \r ", b"  "])
NUMBERS = [b"0", b"-0", b"17", b"200", b"0.004", b"-1.5e-7", b"1E+400", b"12345678", b"1" * 40, b"1795314601.975"]  # fmt: skip
WRONG_NUMBERS = [b"01", b"-", b"+1", b".5", b"1.", b"1e", b"1.e1", b"0x1", b"1_0", b"1" * 8 + b"x"]
WORDS = [b"true", b"false", b"null"]
WRONG_WORDS = [b"True", b"nul", b"NaN", b"Infinity", b"-Infinity", b"truee", b"", b"undefined", b"'a'"]  # fmt: skip


def escaped(name: str, which: Sequence[bool]) -> bytes:
    """A key with some of its characters written as numbers; some of them take two."""
    out = b""
    for i, one in enumerate(name):
        units = one.encode("utf-16-be")
        codes = b"".join(b"\\u" + units[j : j + 2].hex().encode() for j in range(0, len(units), 2))
        out += codes if which[i % len(which)] else one.encode()
    return out


def spelled(element: str) -> st.SearchStrategy[bytes]:
    """A key as a path asks for it: as it stands, in capitals, or with some of its characters escaped."""
    name = element.removeprefix("~")
    ways = st.lists(st.booleans(), min_size=1, max_size=3)
    return st.one_of(
        st.just(name.encode()), st.just(name.swapcase().encode()), ways.map(lambda which: escaped(name, which))
    )  # fmt: skip


def texts(*, good: bool) -> st.SearchStrategy[bytes]:
    """What stands between the quotes of a string."""
    pieces = PIECES if good else st.one_of(PIECES, PIECES, PIECES, WRONG)
    return st.lists(pieces, max_size=3).map(b"".join)


def scalars(*, good: bool) -> st.SearchStrategy[bytes]:
    """Values that are neither object nor array."""
    others = NUMBERS + WORDS + ([] if good else WRONG_NUMBERS + WRONG_WORDS)
    return st.one_of(texts(good=good).map(lambda text: b'"%b"' % text), st.sampled_from(others))


@st.composite
def values(draw: st.DrawFn, tails: Sequence[Path], left: int, *, good: bool, kinds: bytes = b"{{[s") -> bytes:  # fmt: skip
    """A value, so many levels deep, that has much of what the tails of paths ask for."""
    kind = draw(st.sampled_from(kinds)) if tails or not draw(st.integers(0, 3)) else ord("s")
    if kind == ord("s") or not left:
        return draw(scalars(good=good))
    firsts = sorted({tail[0] for tail in tails})
    wanted = draw(st.lists(st.sampled_from(firsts), unique=True, max_size=4)) if firsts else []
    if wanted and not draw(st.integers(0, 9)):
        wanted.append(wanted[0])
    noise: list[None] = [None] * draw(st.integers(0, 2))
    blanks = draw(st.tuples(BLANKS, BLANKS, BLANKS, BLANKS))
    members = []
    for nth, element in enumerate(draw(st.permutations([*noise, *wanted]))):
        here = element if kind == ord("{") else str(nth)
        inside = [tail[1:] for tail in tails if tail[0] == here and tail[1:]]
        ends = any(tail == (here,) for tail in tails)
        value = draw(values(inside, left - 1, good=good, kinds=b"{[ss" if ends else b"{{{["))
        if kind == ord("{"):
            name = draw(texts(good=good) if element is None else spelled(element))
            value = b'"%b"%b:%b%b' % (name, blanks[0], blanks[1], value)
        members.append(value)
    inner = (blanks[2] + b"," + blanks[0]).join(members)
    return bytes([kind]) + blanks[1] + inner + blanks[3] + bytes([kind + 2])


def objects(of: Paths, *, good: bool) -> st.SearchStrategy[bytes]:
    """Lines: one object, or what is nearly one."""
    tails = [path for choices in of for path in choices]
    line = values(tails, 5, good=good, kinds=b"{")
    return st.tuples(BLANKS, line, BLANKS).map(b"".join)


def cases(*, good: bool = False) -> st.SearchStrategy[tuple[Paths, bytes]]:
    """Paths and a line that has some of them."""
    return PATHS.flatmap(
        lambda of: st.tuples(
            st.just(of), objects(of, good=True) if good else st.booleans().flatmap(lambda well: objects(of, good=well))
        )
    )  # fmt: skip


CHANGES = st.tuples(st.integers(0), st.sampled_from([0, 1]), st.one_of(st.just(b""), PIECES, WRONG, st.binary(max_size=2)))  # fmt: skip
"""Where bytes of a line are changed, how many go, and what comes in their place."""


def settled(lines: list[bytes], of: Paths, behind: bytes = b"\n") -> list[Spans | Reason | None]:
    """What the loop says of each line: places within it, why it does not fit, None for a blank one."""
    data = padded(behind.join([*lines, b""]))
    sizes = np.array([len(line) for line in lines], np.int64)
    ends = (np.cumsum(sizes + len(behind)) - len(behind)).astype(np.int32)
    starts = (ends - sizes).astype(np.int32)
    holed = any(b"\0" in line for line in lines)
    begins, stops, verdict = index(data, starts, ends, of, holed=holed)
    assert begins.shape == stops.shape == (len(of), len(lines))
    said: list[Spans | Reason | None] = []
    for row, start in enumerate(starts.tolist()):
        if verdict[row] == jsonfast.FITS:
            pairs = zip(begins[:, row].tolist(), stops[:, row].tolist(), strict=True)
            said.append([(begin - start, stop - start) for begin, stop in pairs])
        else:
            said.append(REASONS.get(int(verdict[row])))
    return said


def exact(line: bytes, of: Paths) -> Spans | Reason | None:
    return read_line(line, of) if line.strip(b" \t") else None


def agree(lines: list[bytes], of: Paths, behind: bytes = b"\n") -> None:
    assert settled(lines, of, behind) == [exact(line, of) for line in lines]


@settings(max_examples=400)
@given(cases())
def test_the_loop_is_exact(case: tuple[Paths, bytes]) -> None:
    """Both ways of reading say the same of a line."""
    of, line = case
    agree([line], of)


@given(
    PATHS.flatmap(lambda of: st.tuples(st.just(of), st.lists(objects(of, good=True), max_size=4)))
)
def test_lines_do_not_touch_each_other(case: tuple[Paths, list[bytes]]) -> None:
    """What a line has is not taken for that of another."""
    of, lines = case
    agree(lines, of)


@settings(max_examples=400)
@given(cases(good=True), st.lists(CHANGES, max_size=4))
def test_mutated_lines(case: tuple[Paths, bytes], changes: list[tuple[int, int, bytes]]) -> None:
    """Also of lines some of whose bytes are gone, others or more."""
    of, line = case
    for place, gone, more in changes:
        at = place % (len(line) + 1)
        line = line[:at] + more + line[at + gone :]
    agree([line], of)


@settings(max_examples=400)
@given(st.text('{}[]",:\\u0a1e-. tn').map(str.encode), PATHS)
@example(b'{"a":1}}', FLAT)
@example(b'{"\\', FLAT)
@example(b'{"a"', FLAT)
def test_signs_only(line: bytes, of: Paths) -> None:
    """Also of lines of little but the signs of JSON."""
    agree([line, b'{"a":' + line + b"}", b'{"a":"' + line + b'"}', b"{" + line + b"}"], of)


@given(st.binary(), PATHS)
def test_any_bytes(line: bytes, of: Paths) -> None:
    """Also of bytes that are nothing at all."""
    agree([line], of)


@settings(max_examples=200)
@given(cases(good=True), st.data())
def test_what_follows_a_line_is_not_read(case: tuple[Paths, bytes], data: st.DataObject) -> None:
    """A line ends where the caller says, even if what is behind goes on like it."""
    of, line = case
    cut = data.draw(st.integers(0, len(line)))
    agree([line[:cut], b"", line], of, line[cut:])


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object with all its keys, those that come twice too."""


def no_constant(name: str) -> None:
    raise ValueError(name)


def loaded(line: bytes) -> Pairs | None:
    """A line as Python's own reader has it; None where it has nothing that is one object."""
    try:
        value = json.loads(
            line.decode(), parse_int=Number, parse_float=Number, parse_constant=no_constant, object_pairs_hook=Pairs
        )  # fmt: skip
    except ValueError:
        return None
    return value if isinstance(value, Pairs) and depth(value) <= jsonfast.DEEPEST else None


def items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Pairs):
        return value
    return [(str(i), one) for i, one in enumerate(value)] if isinstance(value, list) else []


def depth(value: Any) -> int:
    inside = max((depth(one) for _, one in items(value)), default=0)
    return inside + isinstance(value, list)


def lower(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def reached(value: Any, path: Path) -> list[Any]:
    """All values that a path leads to."""
    if not path:
        return [value]
    element = path[0]
    any_case = element.startswith("~")
    return [
        found
        for name, one in items(value)
        if (lower(name) == lower(element[1:]) if any_case else name == element)
        for found in reached(one, path[1:])
    ]


def expected(value: Pairs | None, of: Paths) -> list[Any] | Reason:
    """The values of the fields, None for none, by Python's own reader."""
    if value is None:
        return Reason.STRUCTURE
    out = []
    for choices in of:
        for path in choices:
            if any(len(reached(value, path[:size])) > 1 for size in range(1, len(path) + 1)):
                return Reason.STRUCTURE
        given = [one for path in choices for one in reached(value, path)]
        scalars = [one for one in given if not isinstance(one, list) and one not in (None, "")]
        out.append(scalars[0] if scalars else None)
    return out


def value_of(line: bytes, start: int, stop: int) -> Any:
    if start == stop:
        return None
    text = line[start:stop].decode()
    if line[start - 1 : start] == b'"' and line[stop : stop + 1] == b'"':
        return json.loads(f'"{text}"')
    return {"true": True, "false": False}.get(text, Number(text))


@settings(max_examples=400)
@given(cases())
def test_exact_is_right(case: tuple[Paths, bytes]) -> None:
    """The exact reader finds what Python's own finds, and refuses what that one refuses."""
    of, line = case
    try:
        line.decode()
    except UnicodeDecodeError:
        return
    if b"\0" in line:
        assert read_line(line, of) is Reason.BINARY
        return
    found = read_line(line, of)
    if not isinstance(found, Reason):
        assert [value_of(line, *span) for span in found] == expected(loaded(line), of)
    else:
        assert found == expected(loaded(line), of)


@settings(max_examples=200)
@given(cases())
def test_keys_are_all_there_are(case: tuple[Paths, bytes]) -> None:
    """`keys` names every value once with its kind, of arrays the first item; what it names can be asked for."""
    _, line = case
    if any(byte >= 0x80 for byte in line) or b"\\u" in line or b"\0" in line:
        return
    found = keys(line)
    value = loaded(line)
    assert len(dict(found)) == len(found)
    kinds: dict[Path, str] = {}
    pending: list[tuple[Path, Any]] = [((), value)] if value is not None else []
    while pending:
        path, one = pending.pop(0)
        if isinstance(one, list):
            inside = items(one) if isinstance(one, Pairs) else items(one)[:1]
            pending[:0] = [((*path, "~" * name.startswith("~") + name), x) for name, x in inside]
        else:
            kind = {bool: "bool", Number: "number", str: "string", type(None): "null"}[type(one)]
            kinds.setdefault(path, kind)
    assert found == list(kinds.items())
    for path, kind in found:
        span = read_line(line, ((path,),))
        if isinstance(span, list):
            assert kind == "string" or (span[0][0] < span[0][1]) == (kind != "null")


def test_keys_are_bounded() -> None:
    """A line of nothing but keys does not fill the memory; one that is no JSON has none, and one too long neither."""
    many = b"{" + b",".join(b'"%d":1' % i for i in range(5000)) + b"}"
    assert len(keys(many)) == 1000
    assert keys(many[:-1]) == []
    assert keys(b'{"a":"' + b"x" * MAX_LINE + b'"}') == []
    caddy = (
        b'{"ts":1.5,"request":{"headers":{"Accept":["a","b"]},"tls":{"resumed":false}},"~x":null}'
    )
    assert keys(caddy) == [
        (("ts",), "number"), (("request", "headers", "Accept", "0"), "string"), (("request", "tls", "resumed"), "bool"),
        (("~~x",), "null"),
    ]  # fmt: skip


WANTED: Paths = (
    (("remote_addr",), ("http", "ip")), (("uri",),), (("http", "headers", "~host", "0"),), (("~Id",),),
)  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        # $uri in a log_format with escape=none, and a client that asks for `/","remote_addr":"192.0.2.1`
        b'{"remote_addr":"203.0.113.7","uri":"/","remote_addr":"192.0.2.1"}',
        b'{"remote_addr":"203.0.113.7","uri":"/","uri":"/"}',
        b'{"remote_addr":"203.0.113.7","x":{},"remote_addr":null}',
        b'{"remote_addr":null,"remote_addr":"203.0.113.7"}',
        b'{"remote_addr":{"x":1},"remote_addr":"203.0.113.7"}',
        b'{"remote_addr":[],"remote_addr":[]}',
        b'{"remote_addr":"203.0.113.7","\\u0072emote_addr":"192.0.2.1"}',
        b'{"remote_addr":"203.0.113.7","\\u0072\\u0065mote\\u005faddr":"192.0.2.1"}',
        b'{"http":{"ip":"203.0.113.7"},"http":{"ip":"192.0.2.1"}}',
        b'{"http":{"ip":"203.0.113.7"},"http":{"other":"192.0.2.1"}}',
        b'{"http":{"ip":"203.0.113.7"},"http":7}',
        b'{"http":7,"htt\\u0070":{}}',
        b'{"http":{"ip":"203.0.113.7","ip":"203.0.113.7"}}',
        b'{"http":{"headers":{"Host":["a"]},"headers":{}}}',
        b'{"http":{"headers":{"Host":["a"],"host":["b"]}}}',
        b'{"http":{"headers":{"HOST":"a","h\\u004fst":"b"}}}',
        b'{"id":1,"ID":2}',
    ],
)
def test_a_wanted_value_that_stands_there_twice(line: bytes) -> None:
    """One of them may be forged, so the line is refused, and the lines around it are not."""
    other = b'{"remote_addr":"192.0.2.9"}'
    refused: list[Any] = [[(16, 25), (0, 0), (0, 0), (0, 0)], Reason.STRUCTURE]
    assert settled([other, line, other, line], WANTED) == refused * 2
    agree([other, line], WANTED)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (b'{"x":1,"x":2,"uri":"/"}', [b"", b"/", b"", b""]),
        (b'{"x":{"uri":1},"y":{"uri":2},"uri":"/"}', [b"", b"/", b"", b""]),
        (b'{"URI":"/a","uri":"/b"}', [b"", b"/b", b"", b""]),
        (b'{"http":{"ip":"192.0.2.1"},"remote_addr":"192.0.2.2"}', [b"192.0.2.2", b"", b"", b""]),
        (b'{"http":{"ip":"192.0.2.1"},"remote_addr":""}', [b"192.0.2.1", b"", b"", b""]),
        (b'{"remote_addr":null,"http":{"ip":"192.0.2.1"}}', [b"192.0.2.1", b"", b"", b""]),
        (b'{"remote_addr":["192.0.2.3"],"http":{"ip":"192.0.2.1"}}', [b"192.0.2.1", b"", b"", b""]),
        (b'{"http":{"headers":{"hOsT":["a","b"]}},"ID":true}', [b"", b"", b"a", b"true"]),
        (b'{"http":{"headers":{"Host":{"0":"a"}}}}', [b"", b"", b"a", b""]),
        (b'{"http":{"headers":{"Host":"a"}}}', [b"", b"", b"", b""]),
        (b'{"http":{"headers":{"Host":[["a"],"b"]}}}', [b"", b"", b"", b""]),
        (b'{"\\u0075\\u0072i":"a\\"b\\u0041\\/"}', [b"", b'a\\"b\\u0041\\/', b"", b""]),
        (b'{"uri":"\xe9\xff\x7f","\xff":"\xfe"}', [b"", b"\xe9\xff\x7f", b"", b""]),
        (b' {"uri" : -0.5e+3 ,\t"id":"x"\r} ', [b"", b"-0.5e+3", b"", b"x"]),
    ],
)
def test_which_value_is_taken(line: bytes, values: list[bytes]) -> None:
    """Order of preference, kinds, case, blanks and bytes."""
    agree([line], WANTED)
    found = read_line(line, WANTED)
    assert isinstance(found, list)
    assert [line[start:stop] for start, stop in found] == values


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (b"\\u00e9", "é"), (b"\\u00E9", "é"), (b"\xc3\xa9", "é"), (b"\\u20ac", "€"), (b"\\ud83d\\ude00", "😀"),
        (b'\\u0061\\tb\\/\\\\\\"', 'a\tb/\\"'), (b"\\b\\f\\n\\r", "\b\f\n\r"), (b"\\\\u0061", "\\u0061"),
        (b"\xe9", ""), (b"\\u00c3\\u00a9", ""), (b"\\u00c9", ""), (b"\\ud83d\\ufe00", ""), (b"\\ud83d\\nde00", ""),
        (b"\\ud83d", ""), (b"\\ude00\\ud83d", ""), (b"\\ud83d\xed\xb8\x80", ""), (b"\\u0041", ""), (b"\xc3", ""),
    ],
)  # fmt: skip
def test_a_key_is_what_it_says(key: bytes, same: str) -> None:
    """Keys are compared as they read, not as they are written; `same` is the wanted one that this is, if any."""
    wanted = ("é", "€", "😀", 'a\tb/\\"', "\b\f\n\r", "\\u0061", "a")
    of: Paths = tuple(((one,),) for one in wanted)
    line = b'{"%b":1}' % key
    agree([line], of)
    found = read_line(line, of)
    assert isinstance(found, list)
    assert [one for one, (start, stop) in zip(wanted, found, strict=True) if start < stop] == [same][: len(same)]  # fmt: skip


@pytest.mark.parametrize("text", [*WRONG_NUMBERS, *WRONG_WORDS, b'"', b"{", b"]", b"[1,]", b'{"a"}', b'{"a":1,}', b"{1:2}", b'"\t"', b'"\x1f"', b'"\\a"', b'"\\u00g0"', b"1 2", b"/**/1"])  # fmt: skip
def test_what_is_not_json(text: bytes) -> None:
    """Each is refused as a value that is wanted and one that is not, and behind a line."""
    lines = [
        b'{"uri":%b}' % text,
        b'{"x":%b}' % text,
        b'{"x":[%b,1]}' % text,
        b'{"uri":"/"}%b.' % text,
    ]
    assert settled(lines, WANTED) == [Reason.STRUCTURE] * 4
    agree(lines, WANTED)


def test_case() -> None:
    """Letters of any case are one, other characters are not; what is asked for as it stands has its own case only."""
    of: Paths = ((("~x-a_b@1",),), (("x",),), (("~x",),))
    line = b'{"%b":1}'
    names = [
        b"x-a_b@1",
        b"X-A_B@1",
        b"x-a\x7fb@1",
        b"x-a_b`1",
        b"x\\ra_b@1",
        b"X-a_b@\\u0011",
        b"x",
        b"X",
    ]
    spans = [read_line(line % name, of) for name in names]
    found = [[a < b for a, b in span] for span in spans if isinstance(span, list)]
    assert found == [[True, False, False]] * 2 + [[False] * 3] * 4 + [
        [False, True, True],
        [False, False, True],
    ]
    agree([line % name for name in names], of)


def test_every_end_and_every_control() -> None:
    """A line that is cut anywhere is refused, as is one with a control byte that is no blank between values."""
    line = b'{"uri":"/\\u00e9","x":[1.5e3,true,{"id":null}],"remote_addr":"192.0.2.1"}'
    cut = [line[:size] for size in range(1, len(line))]
    assert settled(cut, WANTED) == [Reason.STRUCTURE] * len(cut)
    assert settled(cut[:8], WANTED, line) == [Reason.STRUCTURE] * 8
    changed = [line[:9] + bytes([one]) + line[9:] for one in range(1, 0x20)]
    assert settled(changed, WANTED) == [Reason.STRUCTURE] * len(changed)
    between = [line[:7] + bytes([one]) + line[7:] for one in range(1, 0x20)]
    fitting = [
        line[7]
        for line, found in zip(between, settled(between, WANTED), strict=True)
        if isinstance(found, list)
    ]
    assert bytes(fitting) == b"\t\n\r"
    agree([line, *cut, *changed, *between], WANTED)


def test_limits() -> None:
    """Depth, length, NUL and blank lines."""
    room = MAX_LINE - len(b'{"uri":""}')
    lines = [
        b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a":' * 32 + b"1" + b"}" * 32, b'{"a":' * 33 + b"1" + b"}" * 33,
        b'{"uri":"' + b"x" * room + b'"}', b'{"uri":"' + b"x" * (room + 1) + b'"}',
        b'{"uri":"\0"}', b" \t ", b"\r", b"[]", b'"a"', b"1", b"",
    ]  # fmt: skip
    found = settled(lines, WANTED)
    kinds = [one if isinstance(one, Reason) else one is not None for one in found]
    no = Reason.STRUCTURE
    assert kinds == [True, no, True, no, True, Reason.TOO_LONG, Reason.BINARY, False, no, no, no, no, False]  # fmt: skip
    agree(lines, WANTED)


@pytest.mark.parametrize(
    "pattern",
    [b"[", b'{"":', b"\\", b'\\"', b"\\\\", b"\\u0041", b"1", b" ", b'"', b'"",', b"[],", b'"\\u0061":', b"{},", b'"k":1,'],
)  # fmt: skip
def test_time_is_linear_in_the_line(pattern: bytes) -> None:
    """Lines of one thing over and over, in a string, a key, an array and an object, cost what their length costs."""
    lines = []
    for head in (b'{"uri":"', b'{"', b'{"x":[', b"{", b'{"uri":[', b'{"http":{'):
        size = MAX_LINE - len(head)
        lines.append(head + (pattern * size)[:size])
    settled(lines[:1], WANTED)
    began = process_time()
    settled(lines * 4, WANTED)
    assert process_time() - began < 1
    agree(lines, WANTED)


def test_verdicts_are_those_of_text() -> None:
    """The loop has names of its own for verdicts: machine code does not notice a change elsewhere."""
    for name in ("FITS", "DOUBT", "BLANK", "STRUCTURE", "BINARY", "TOO_LONG"):
        assert getattr(jsonfast, name) == getattr(fast, name)


@given(st.lists(st.text(max_size=20), unique=True, max_size=60))
def test_any_keys_can_be_wanted(names: list[str]) -> None:
    """Keys of any length and number are told apart."""
    names = [name for name in names if not name.startswith("~")]
    of = tuple(((name,),) for name in names)
    line = json.dumps({name: i + 1 for i, name in enumerate(names)}).encode()
    agree([line, json.dumps(dict.fromkeys(names, "x"), ensure_ascii=False).encode()], of)
    found = read_line(line, of)
    assert isinstance(found, list)
    assert [int(line[start:stop]) for start, stop in found] == list(range(1, len(names) + 1))
    assert program(of) is program(of)
