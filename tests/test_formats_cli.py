"""`logscrub formats` says what formats are, what speaks for one, and never a word of a line."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import RECENT, Done, ingest, line, lines, logscrub, rows

from logscrub.cli import run
from logscrub.errors import FormatError
from logscrub.formats import evidence, parse, w3c
from logscrub.formats.catalogue import entry, names, resolve
from logscrub.formats.choice import judgeable
from logscrub.formats.detect import detect
from logscrub.formats.explain import BECOMES, W3C_FIELDS, explain
from logscrub.formats.jsonmap import guess
from logscrub.formats.layout import Role
from logscrub.formats.personal import _NAMED, MAY, parts, personal
from logscrub.schema import COLUMNS, Block, Raw

if TYPE_CHECKING:
    from pathlib import Path

OBJECT = {
    "time_local": RECENT.isoformat(timespec="seconds"),
    "remote_addr": "192.0.2.7",
    "request": "GET /secretpath HTTP/1.1",
    "status": "200",
    "remote_user": "jane",
}


def formats(*arguments: object) -> Done:
    """`logscrub formats …` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["formats", *map(str, arguments)])
    return Done(code, out.getvalue(), err.getvalue())


def json_lines(*objects: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def test_list_has_every_format() -> None:
    """A line for each name, who writes it beside; the document has the fields too."""
    done = formats("list")
    head, *found = [one.split("\t") for one in done.out.splitlines()]
    assert (done.code, head) == (0, ["name", "written by"])
    assert found == [[name, entry(name).about] for name in names()]
    document = {one["name"]: one for one in formats("list", "--json").document}
    assert tuple(document) == names()
    assert all(one["fields"] for one in document.values())
    assert document["haproxy"]["needs_timezone"]
    assert document["caddy"]["is_json"]
    assert document["combined"]["personal_dropped"] == {"user": ["%l", "%u"]}


@pytest.mark.parametrize("is_packed", [False, True])
def test_detect_counts_what_fits(tmp_path: Path, *, is_packed: bool) -> None:
    """Name, confidence rounded down, how many of how many lines; compressed files too."""
    data = lines(*range(8)) + b"secretword\n" * 2 + b"\n"
    path = tmp_path / "access.log"
    path.write_bytes(gzip.compress(data) if is_packed else data)
    done = formats("detect", path)
    assert done.code == 0
    assert done.out.splitlines() == [
        "format      combined",
        f"written by  {entry('combined').about}",
        "confidence  80 %",
        "evidence    8 of the first 10 lines have its fields; no other known format reads one of them in another way",
    ]
    document = formats("detect", path, "--json").document
    assert (document["lines"], document["fitting"], document["share"]) == (10, 8, 0.8)


def test_detect_names_the_wrapper_and_the_second_best(tmp_path: Path) -> None:
    """What is peeled off, and which other format reads some of the lines otherwise."""
    plain = lines(*range(9)) + line(9).rstrip() + b' "198.51.100.7"\n'
    head = RECENT.strftime("<190>%b %e %H:%M:%S web nginx: ").encode()
    (tmp_path / "a.log").write_bytes(b"".join(head + one for one in plain.splitlines(keepends=True)))  # fmt: skip
    done = formats("detect", tmp_path / "a.log")
    assert "format      syslog/combined\n" in done.out
    assert "wrapped by  syslog: RFC 3164" in done.out
    assert "9 of the first 10 lines" in done.out
    assert "the second best, main, reads 1 in another way" in done.out


def test_a_guessed_mapping_can_be_saved_and_used(tmp_path: Path) -> None:
    """What detect prints is a file that --format takes, and reads the same."""
    (tmp_path / "app.log").write_bytes(json_lines(*[OBJECT] * 3))
    done = logscrub("formats", "detect", "app.log", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "format      json\n" in done.out
    text = done.out.partition("\n\n")[2]
    assert '[json]\ntime = "time_local"\naddress = "remote_addr"\nrequest = "request"\n' in text
    (tmp_path / "app.toml").write_text(text)
    guessed = detect((tmp_path / "app.log").read_bytes()).format
    assert guessed
    assert resolve(str(tmp_path / "app.toml")).layouts[0].paths == guessed.layouts[0].paths
    ingest(tmp_path / "out", tmp_path / "app.log", "--format", tmp_path / "app.toml")
    asked = "SELECT client_net, method, path, status FROM logs"
    assert rows(tmp_path / "out", asked) == [("192.0.2.0/24", "GET", "/secretpath", 200)] * 3


def test_no_word_of_a_line_is_shown(tmp_path: Path) -> None:
    """Values never, and keys only when they are plain names."""
    strange = [{"jane@example": OBJECT}] * 3
    for data in (
        json_lines(*[OBJECT] * 3),
        json_lines(*strange),
        lines(1, 2),
        b"secretpath jane\n" * 3,
    ):
        (tmp_path / "a.log").write_bytes(data)
        for options in ((), ("--json",)):
            done = formats("detect", tmp_path / "a.log", *options)
            for word in ("jane", "192.0.2", "secret", "alice", "203.0.113"):
                assert word not in done.out + done.err
    (tmp_path / "a.log").write_bytes(json_lines(*strange))
    assert formats("detect", tmp_path / "a.log").code == 5


@pytest.mark.parametrize("key", ["request", "HTTP", "client", "source"])
def test_nested_keys_are_taken_where_they_mean_the_same(key: str) -> None:
    """Below the keys under which loggers put such fields."""
    layout = guess([(key, name) for name in ("time", "remote_addr", "status", "method")])
    assert layout
    assert f'"{key}.remote_addr"' in evidence.mapping(layout)


@pytest.mark.parametrize(
    "key",
    ["jane@example.com", "192.0.2.7", "a b", "~a", "", "x" * 50, "user", "log", "2001:db8::1"],
)
def test_other_keys_may_be_data(key: str) -> None:
    """Addresses, names and sentences as keys, and objects of something else, make no guess."""
    assert guess([(key, name) for name in ("time", "remote_addr", "status", "method")]) is None


def test_other_logs_are_no_access_logs() -> None:
    """Times, addresses and codes are not enough: something has to have been asked for."""
    assert guess([(name,) for name in ("ts", "ip", "code", "msg")]) is None
    assert guess([(name,) for name in ("ts", "ip", "code", "url")])


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", "empty", "there are no lines"),
        (b"\n\n", "empty", "there are no lines"),
        (b"2026/11/21 12:00:00 [error] 12#34: *5 open() failed\n" * 3, "error_log", "error log"),
        (json_lines({"a": 1}) * 3, "json", "FILE.toml"),
        (b"what is this\n", "unknown", "--format"),
    ],
)
def test_detect_refuses_with_a_hint(data: bytes, kind: str, words: str, tmp_path: Path) -> None:
    """Exit code 5, what it is instead and what to do; a document all the same."""
    (tmp_path / "a.log").write_bytes(data)
    done = formats("detect", tmp_path / "a.log", "--json")
    assert done.code == 5
    assert words in done.err
    assert (done.document["format"], done.document["kind"]) == (None, kind)


def test_a_w3c_log_is_weighed(tmp_path: Path) -> None:
    """By its own #Fields lines, which are not counted."""
    head = b"#Version: 1.0\n#Fields: date time c-ip cs-uri-stem sc-status\n"
    rest = b"2026-11-21 12:00:00 192.0.2.1 /a 200\n" * 9 + b"secret\n"
    (tmp_path / "u_ex.log").write_bytes(head + rest)
    done = formats("detect", tmp_path / "u_ex.log")
    assert "format      w3c\n" in done.out
    assert "9 of the first 10 lines have its fields" in done.out


def test_the_counts_are_those_of_the_detection(cases: Path) -> None:
    """On the logs of real servers: as many lines fit as the detection says, whatever the format."""
    seen = set()
    for path in (cases / "logs/live-servers").glob("*/*.log"):
        sample = judgeable(path.read_bytes())
        found = detect(sample)
        if found.format:
            weighed = evidence.weigh(sample, found.format)
            assert weighed.confidence == pytest.approx(found.share), path.name
            seen.add(found.name)
    assert len(seen) >= 8


def test_explain_shows_a_table(tmp_path: Path) -> None:
    """Field, what it holds, what it becomes, whether it is personal; and below what is dropped."""
    text = '$remote_addr - $remote_user [$time_local] "$request" $status $upstream_addr $secret_of_mine'
    done = formats("explain", text)
    table = [one.split("\t") for one in done.out.partition("\n\n")[0].splitlines()]
    assert table == [
        ["field", "holds", "becomes", "personal data"],
        ["$remote_addr", "text without blanks", "client_net, client_token, ip_version, country, asn", "address"],
        ["$remote_user", "text", "dropped", "user"],
        ["$time_local", "time", "timestamp", ""],
        ["$request", "quoted text", "method, path, query, protocol", "URL"],
        ["$status", "number", "status", ""],
        ["$upstream_addr", "text", "dropped", "address"],
        ["$secret_of_mine", "text", "dropped", "may be personal"],
    ]  # fmt: skip
    assert "  user: $remote_user\n" in done.out
    assert "  may be personal: $secret_of_mine\n" in done.out
    (tmp_path / "mine.toml").write_text(
        'drops = ["b"]\n[json]\ntime = "a.t"\naddress = ["ip", "peer"]\n'
    )
    done = formats("explain", f"syslog/{tmp_path}/mine.toml", "--json")
    assert done.document["name"] == "syslog/mine"
    fields = {one["field"]: one for one in done.document["fields"]}
    assert fields["ip or peer"]["becomes"] == list(BECOMES[Raw.ADDRESS])
    assert "syslog (RFC 3164" in done.document["notes"][0]
    assert formats("explain", "combind").code == 5


def test_explain_tells_of_shapes_headers_and_zones() -> None:
    """What a table of fields cannot say is said below it."""
    assert any("7 shapes" in note or "shapes" in note for note in explain("haproxy").notes)
    assert any("--timezone" in note for note in explain("haproxy").notes)
    assert any("#Fields" in note for note in explain("w3c").notes)
    assert any("trusted" in note for note in explain("main").notes)
    assert explain("combined").notes == ()
    assert any("every other key" in note for note in explain("caddy").notes)
    assert explain("combined,common").rows == explain("combined").rows


def test_every_column_is_explained() -> None:
    """Whatever can be read has columns, and every column comes from something, labels of threats excepted."""
    assert {*BECOMES} == {*Raw, *Role}
    columns = {column for some in BECOMES.values() for column in some}
    assert columns == {*COLUMNS.names} - {"threats", "threat_rules"}


def test_every_dropped_field_of_the_catalogue_is_known() -> None:
    """No field that is dropped is taken for personal only because nobody looked."""
    listed = {name.strip() for name in _NAMED[MAY].split(",")}
    for name in names():
        for layout in entry(name).format.layouts:
            for one in layout.fields:
                for part in parts(one.name) if one.keeps is None else ():
                    known = personal(part) != MAY or part.removeprefix("-").lower() in listed
                    assert known, (name, part)
        for place in entry(name).drops:
            kept = [path for layout in entry(name).format.layouts for some in layout.paths for path in some]  # fmt: skip
            assert personal(place) or tuple(place.split(".")) in kept, (name, place)


def test_every_field_of_w3c_that_is_read_is_explained() -> None:
    """And each as it is read: none that is kept is said to be dropped."""
    assert {*w3c._KEPT} <= {name.lower() for name in W3C_FIELDS}
    kept = {row.field.lower() for row in explain("w3c").rows if row.gives}
    assert kept == {*w3c._KEPT}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("$http_cookie", "cookies"), ("$cookie_session", "cookies"), ("$http_x_real_ip", "address"),
        ("$http_x_mine", MAY), ("$Remote_User", "user"), ("$ssl_client_s_dn", "client's certificate"),
        ("$ssl_client_verify", ""), ("$upstream_connect_time", ""), ("$geoip_city", "place"), ("$request_length", ""),
        ("%l", "user"), ("%<u", "user"), ("%{Cookie}i", "cookies"), ("%!200{Authorization}i", "credentials"),
        ("%{remote}p", "port of the client"), ("%p", ""), ("%{SSL_PROTOCOL}x", ""), ("%{MINE}e", MAY),
        ("%{X-Mine}o", MAY), ("%{a}C", "cookies"), ("%{a}n", MAY), ("%L", "id that joins logs"),
        ("-user", "user"), ("-referer", "URL"), ("-status", ""), ("-mine", MAY), ("cs(Cookie)", "cookies"),
        ("x-custom", MAY),
    ],
)  # fmt: skip
def test_personal_data_is_told_by_the_name(name: str, what: str) -> None:
    """The tables, and that what is in none of them may be personal."""
    assert personal(name) == what


def test_fields_that_are_dropped_together_are_told_apart() -> None:
    """Each variable, directive or name of a run."""
    assert parts("$a] [$b $c") == ["$a", "$b", "$c"]
    assert parts("%{Cookie}i %400,501{X}o %l") == ["%{Cookie}i", "%400,501{X}o", "%l"]
    assert parts("-user) {-request id") == ["-user", "-request id"]
    for one in ("more fields", "-1", "-a.b", "-x-y", "-upstream time", "$", "%", ""):
        assert parts(one) == [one]


@given(st.text(max_size=40), st.sampled_from(["", "$", "%", "-", "$http_", "%{"]))
def test_any_name_is_told(name: str, before: str) -> None:
    """Whatever a field is called: an answer, and no field gets lost."""
    assert parts(before + name)
    assert all(isinstance(personal(one), str) for one in [before + name, *parts(before + name)])


@given(
    st.lists(
        st.sampled_from(
            [
                "$a",
                "$b",
                " ",
                '"',
                "%h",
                "%u",
                "%t",
                "[",
                "{-x}",
                "{time}",
                "{address}",
                "syslog/",
                ",",
            ]
        )
    )
)
def test_any_string_is_explained_or_refused(pieces: list[str]) -> None:
    """A table that has every field, or an error of ours."""
    text = "".join(pieces)
    try:
        found = explain(text)
    except FormatError:
        return
    assert {row.gives for row in found.rows} >= {"time"}
    assert all(row.field for row in found.rows)


@given(st.binary(max_size=300))
def test_any_bytes_are_weighed(data: bytes) -> None:
    """What is detected can be weighed, with the counts of the detection."""
    found = detect(data)
    if found.format:
        weighed = evidence.weigh(data, found.format)
        assert weighed.fitting <= weighed.lines


def test_a_key_with_a_dot_in_it(tmp_path: Path) -> None:
    """Flattened objects, as some collectors write them: a backslash before the dot, in a mapping and in a guess."""
    line = '{"@timestamp":"2026-11-20T10:00:00Z","source.ip":"192.0.2.1","http.response.status_code":200}\n'
    described = tmp_path / "flat.toml"
    described.write_text(
        "[json]\ntime = '@timestamp'\naddress = 'source\\.ip'\nstatus = 'http\\.response\\.status_code'\n",
        encoding="utf-8",
    )
    block = Block.of(line.encode(), offset=0)
    found = parse(block, resolve(str(described)), frozenset(Raw))
    assert found.columns[Raw.ADDRESS].to_pylist() == ["192.0.2.1"]
    assert found.columns[Raw.STATUS].to_pylist() == [200]
