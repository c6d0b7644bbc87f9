"""`logscrub filter` for every format of the catalogue: what scrubbed lines look like, and that they stay what they are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from format_samples import (
    AGENT,
    CLIENT,
    CLIENT6,
    CLOUDFRONT,
    PLANTED,
    REFERER,
    SAMPLES,
    SECRET,
    USER,
    Sample,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from program import logscrub

from logscrub import profiles
from logscrub.errors import FormatError, PolicyError
from logscrub.formats import parse
from logscrub.formats.catalogue import named, names, resolve
from logscrub.formats.detect import detect
from logscrub.formats.layout import Escape, Kind, Layout
from logscrub.formats.unescape import decode
from logscrub.formats.w3c import compile_fields
from logscrub.run.filter import Filtering, Text, filter_lines, filtering, scrub_block
from logscrub.run.prepare import Wishes, configured
from logscrub.run.rebuild import written
from logscrub.schema import Block, Raw, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from logscrub.formats.layout import Format
    from logscrub.run.scrubbing import Tally
    from logscrub.schema import Parsed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL = [*((name, sample) for name, sample in SAMPLES.items()), ("w3c", CLOUDFRONT)]
IDS = [*SAMPLES, "cloudfront"]
JSON = [name for name in names() if any(one.paths for one in named(name).layouts)]


def work(policy: str = "", *settings_: str, **wishes: Any) -> Filtering:
    return filtering(Wishes(policy, settings_, **wishes), lambda: NOW)


def scrubbed(data: bytes, reads: Format, how: Filtering) -> tuple[Parsed, bytes]:
    parsed, texts = scrub_block(Block.of(data, offset=0), reads, how)
    return parsed, b"".join(_bytes(texts))


def _bytes(texts: list[Text]) -> Iterator[bytes]:
    header = b""
    for one in texts:
        if one.header != header:
            header = one.header
            yield header
        yield from one.lines.to_pylist()


def stream(portions: Sequence[bytes], how: Filtering) -> tuple[bytes, Tally]:
    out: list[bytes] = []
    tally = filter_lines(portions, how, lambda text: out.append(text.to_pybytes()))
    return b"".join(out), tally


def planted(out: bytes) -> list[str]:
    text = out.decode().lower()
    return [word for word in PLANTED if word.lower() in text]


# ------------------------------------------------------------------------------------------------------ every format


def test_there_is_a_sample_of_every_format() -> None:
    """The table of samples has the names of the catalogue, and no others."""
    assert list(SAMPLES) == list(names())


@pytest.mark.parametrize("policy", ["security-12m", "details-12m", "strict-30d"])
@pytest.mark.parametrize(("name", "sample"), ALL, ids=IDS)
def test_every_format_stays_what_it_is(name: str, sample: Sample, policy: str) -> None:
    """One line for each; nothing planted; the same rows when it is read again; the same bytes when scrubbed again."""
    how, reads = work(policy), named(name)
    parsed, out = scrubbed(sample.data, reads, how)
    assert parsed.rows == sum(not line.startswith("#") for line in sample.lines)
    assert not len(parsed.rejects)
    assert not planted(out)
    again, twice = scrubbed(out, reads, how)
    assert (again.rows, len(again.rejects)) == (parsed.rows, 0)
    assert twice == out
    assert _table(out, reads, how) == _table(sample.data, reads, how)


_READ_BACK = (
    "timestamp", "site", "client_net", "method", "protocol", "path", "query", "status", "bytes_sent", "duration_ms",
    "referer_host", "language",
)  # fmt: skip


def _table(data: bytes, reads: Format, how: Filtering) -> list[dict[str, Any]]:
    """The scrubbed rows; of requests that nobody can read, and of those without a path, nothing."""
    transform = how.transform
    parsed = parse(Block.of(data, offset=0), reads, transform.needs, zone="UTC")
    rows = transform.apply(parsed, keys={}).table.select(_READ_BACK).to_pylist()
    lost = dict.fromkeys(("method", "protocol"))
    zoned = all(one.zoned for one in reads.layouts)
    out = [row if row["path"] else row | lost for row in rows]
    return [row if zoned else row | {"timestamp": None} for row in out]


@pytest.mark.parametrize(("name", "sample"), ALL, ids=IDS)
def test_every_format_is_detected_again(name: str, sample: Sample) -> None:
    """Readers that guess the format guess the same of scrubbed lines."""
    _, out = scrubbed(sample.data, named(name), work())
    assert detect(sample.data).name == detect(out).name == name


@pytest.mark.parametrize(("name", "sample"), ALL, ids=IDS)
def test_networks_of_clients_are_told(name: str, sample: Sample) -> None:
    """The client's network is in the lines, however the format writes the client."""
    _, out = scrubbed(sample.data, named(name), work())
    assert b"198.51.100.0" in out
    assert (CLIENT6.encode() in sample.data and name != "combined_list") == (b"2001:db8:be00::" in out) or name in {
        "main", "haproxy"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["aws_alb", "aws_s3"])
def test_new_fields_at_the_end_are_dropped(name: str) -> None:
    """What a growing format has more than is known comes out as a line of the fields that are known."""
    parsed, out = scrubbed(SAMPLES[name].data, named(name), work())
    assert any("more" in layout for layout in parsed.formats)
    assert list(scrubbed(out, named(name), work())[0].formats) == [name]


# -------------------------------------------------------------------------------------------------------------- JSON


def _leaves(value: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = [(str(n), one) for n, one in enumerate(value)]
    else:
        return {at: value}
    return {k: v for key, below in pairs for k, v in _leaves(below, (*at, key)).items()}


@pytest.mark.parametrize("name", JSON)
def test_objects_keep_their_keys(name: str) -> None:
    """Each key that is read and kept is there, where it was, with a text where a text was; and no other key."""
    (layout,) = named(name).layouts
    _, out = scrubbed(SAMPLES[name].data, named(name), work("details-12m"))
    for before, after in zip(SAMPLES[name].lines, out.splitlines(), strict=True):
        was, now = _leaves(json.loads(before)), _leaves(json.loads(after))
        wanted = set()
        for field, paths in zip(layout.fields, layout.paths, strict=True):
            if field.keeps not in (Raw.FORWARDED, Raw.QUERY):
                wanted |= set([path for path in paths if was.get(path) not in (None, "")][:1])
        assert set(now) == wanted
        assert all(type(now[key]) is type(was[key]) for key in now if key[-1] != "ts")


def test_missing_values_of_objects(tmp_path: Path) -> None:
    """A key without a value stays a key without one; an absent one stays absent; numbers become null, never 0."""
    file = tmp_path / "mine.toml"
    file.write_text(
        '[json]\ntime = "t"\naddress = "a"\nstatus = "s"\nbytes = "b"\nreferer = ["r", "x.r"]\nagent = "ua"\n'
        'duration_s = "rt"\npath = "p"\nlanguage = "l"\nsite = "h.0"\n'
    )
    reads, how = resolve(str(file)), work("details-12m")
    line = b'{"t": "2026-11-22T02:31:16+01:00", "a": "jane.roe", "s": "404", "b": "-", "x": {"r" : ""}, "ua": null, "rt": null, "p": "x", "h":[""]}'
    _, out = scrubbed(line, reads, how)
    assert json.loads(out) == {
        "t": "2026-11-22T01:31:16Z", "a": "0.0.0.0", "s": "404", "b": "-", "r": "", "ua": "", "rt": None, "p": "",
        "h": [""],
    }  # fmt: skip
    assert scrubbed(out, reads, how)[1] == out


def test_items_of_lists_keep_their_place(tmp_path: Path) -> None:
    """A mapping may name any item: those before it are null."""
    file = tmp_path / "mine.toml"
    file.write_text(
        '[json]\ntime = "t"\naddress = "a.2"\nstatus = "~S"\nagent = ["h.~User-Agent.1", "ua"]\n'
    )
    reads = resolve(str(file))
    line = (
        b'{"t":1795311076,"a":["x","y","192.0.2.7"],"s":200,"h":{"user-agent":["z","Firefox/128"]}}'
    )
    _, out = scrubbed(line, reads, work())
    assert json.loads(out) == {
        "t": "2026-11-22T01:31:16Z", "a": [None, None, "192.0.2.0"], "S": 200,
        "h": {"User-Agent": [None, "Firefox/128"]},
    }  # fmt: skip
    assert scrubbed(out, reads, work())[1] == out


_TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "-", AGENT, f"/{SECRET}?q={USER}", CLIENT, CLIENT6, f"[{CLIENT6}]:40777", 'a"b\\', "\x7f\x00\u2028", "de-CH"]
)  # fmt: skip
_PLACES = [path for paths in named("caddy").layouts[0].paths for path in paths]


@settings(max_examples=100)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(_PLACES), _TEXTS | st.none() | st.integers(0, 999)),
        max_size=5,
    )
)
def test_any_object_becomes_an_object(drawn: list[dict[tuple[str, ...], Any]]) -> None:
    """Whatever stands where: one valid object a line, keys that were there, and the same when scrubbed again."""
    lines = []
    for values in drawn:
        tree: dict[str, Any] = {}
        for path, value in (values | {("ts",): 1795311076.5}).items():
            node = tree
            for key, below in pairwise(path):
                node = node.setdefault(key, [value] if below == "0" else {})
                if isinstance(node, list):
                    break
            else:
                node[path[-1]] = value
        lines.append(json.dumps(tree))
    how = work("details-12m")
    parsed, out = scrubbed("\n".join(lines).encode(), named("caddy"), how)
    assert parsed.lines == len(lines)
    for line in out.decode().splitlines():
        assert set(_leaves(json.loads(line))) <= set(_PLACES)
    if parsed.rows == len(lines):
        for before, after in zip(lines, out.splitlines(), strict=True):
            assert set(_leaves(json.loads(after))) <= set(_leaves(json.loads(before)))
    again, twice = scrubbed(out, named("caddy"), how)
    assert (again.rows, twice) == (parsed.rows, out)


# --------------------------------------------------------------------------------------------------------------- W3C


def test_headers_say_what_is_left() -> None:
    """Each section has a header of its fields; the version comes first, where it did."""
    out, tally = stream([SAMPLES["w3c"].data], work(format="w3c"))
    heads = [line for line in out.decode().splitlines() if line.startswith("#")]
    assert heads == [
        "#Version: 1.0",
        "#Fields: date time cs-method cs-uri-stem c-ip cs(User-Agent) sc-status time-taken",
        "#Fields: date time cs-method cs-uri-stem c-ip cs-version cs(User-Agent) cs-host sc-status sc-bytes time-taken",
    ]
    assert (tally.rows, tally.blanks, tally.rejects.total()) == (3, 7, 0)
    assert stream([out], work())[0] == out
    bare = SAMPLES["w3c"].data.replace(b"#Version: 1.0\n", b"")
    assert not stream([bare], work())[0].startswith(b"#Version")


@settings(max_examples=30)
@given(
    st.sampled_from([SAMPLES["w3c"], CLOUDFRONT]),
    st.lists(st.integers(1, 300), max_size=8),
    st.booleans(),
)
def test_portions_do_not_matter_to_headers(sample: Sample, cuts: list[int], crlf: bool) -> None:  # noqa: FBT001 — drawn
    """Lines that come one by one have the header that came long before them."""
    data = sample.data.replace(b"\n", b"\r\n") if crlf else sample.data
    portions, at = [], 0
    for cut in cuts:
        portions.append(data[at : at + cut])
        at += cut
    whole = stream([sample.data], work(format="w3c"))[0]
    assert stream([*portions, data[at:]], work(format="w3c"))[0] == whole
    lines = data.splitlines(keepends=True)
    assert stream(lines, work(format="w3c"))[0] == whole


_WORDS = st.sampled_from(
    ["-", "GET", "/", f"/{SECRET}/a b+c%20d", f"q={SECRET}+x", AGENT, REFERER, CLIENT, CLIENT6, f"[{CLIENT6}]:40777", "200",
     "0.014", "HTTP/2.0", "de-CH", "caf\u00e9 {id}", "a#b", '"', "\\x41", "Firefox/128 (Linux)"]
) | st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=12)  # fmt: skip


@settings(max_examples=150)
@given(
    st.data(),
    st.sampled_from([SAMPLES["w3c"], CLOUDFRONT]),
    st.sampled_from(["security-12m", "details-12m"]),
)
def test_any_w3c_log_stays_one(data: st.DataObject, sample: Sample, policy: str) -> None:
    """Whatever stands in the fields: the output is read again, scrubbing it again changes nothing, nothing planted is in it."""
    header = sample.header[-1]
    (layout, *_) = compile_fields(header.encode())
    lines = [header.encode()]
    for _ in range(data.draw(st.integers(1, 4))):
        line = b""
        for i, field in enumerate(layout.fields):
            drawn = pa.array([data.draw(_WORDS)], pa.string())
            value = written(drawn, layout, i)[0].as_py()
            fixed = {"date": b"2026-11-22", "time": b"02:31:16"}
            number = (
                data.draw(st.sampled_from([b"200", b"0", b"-"]))
                if field.kind is Kind.NUMBER
                else value
            )
            line += layout.literals[i] + fixed.get(field.name, number or b"-")
        lines.append(line)
    how = work(policy)
    parsed, out = scrubbed(b"\n".join(lines), named("w3c"), how)
    again, twice = scrubbed(out, named("w3c"), how)
    assert (again.rows, len(again.rejects), twice) == (parsed.rows, 0, out)
    assert not planted(out)


def test_lines_without_a_header_are_dropped() -> None:
    """Nobody knows what the fields of a W3C log mean before its header, so nothing is passed on."""
    header, line = SAMPLES["w3c"].lines[4:]
    data = "\n".join([*SAMPLES["w3c"].lines[:2], header, line, line]).encode()
    out, tally = stream([data], work(format="w3c"))
    assert out.count(b"\n") == 3
    assert (tally.rows, tally.rejects.total()) == (2, 2)


def test_what_is_dropped_is_no_field() -> None:
    """A policy that keeps less leaves fewer fields in W3C and JSON lines; time and client stay."""
    how = work(
        "strict-30d",
        "request.path=drop",
        "agent.browser=false",
        "agent.bot=false",
        "agent.version=false",
    )
    _, out = scrubbed(SAMPLES["w3c"].data, named("w3c"), how)
    assert out.startswith(b"#Fields: date time cs-method c-ip sc-status\n")
    _, out = scrubbed(SAMPLES["caddy"].data, named("caddy"), how)
    first = json.loads(out.splitlines()[0])
    assert first.keys() == {"ts", "request", "status", "size"}
    assert first["request"].keys() == {"client_ip", "method", "proto", "host"}


# ------------------------------------------------------------------------------------------- mixed, wrapped, proxied


def test_mixed_lines_keep_shape_and_order() -> None:
    """Each line comes out in the format that read it, in the order of the lines."""
    kinds = ["combined", "common", "caddy"]
    lines = [SAMPLES[kinds[n % 3]].lines[n % 2] for n in range(30)]
    data = "".join(f"{line}\n" for line in lines).encode()
    alone = [
        scrubbed(line.encode(), named(kinds[n % 3]), work())[1] for n, line in enumerate(lines)
    ]
    parsed, out = scrubbed(data, resolve("combined,common,caddy"), work())
    assert out == b"".join(alone)
    assert parsed.formats == {"combined": 10, "common": 10, "caddy": 10}


@pytest.mark.parametrize("inner", ["combined", "caddy", "haproxy"])
@pytest.mark.parametrize("wrapper", ["syslog", "docker", "cri", "compose"])
def test_wrapped_lines_come_out_bare(wrapper: str, inner: str) -> None:
    """The wrapper, which names hosts and containers, is gone; what it held is what comes out."""
    lines = SAMPLES[inner].lines
    wraps = {
        "syslog": "<134>Nov 22 02:30:01 planted-host app[40777]: {}",
        "docker": '{{"log":{},"stream":"stdout","time":"2026-11-22T02:30:01.975Z","attrs":{{"id":"c0ffee"}}}}',
        "cri": "2026-11-22T02:30:01.975411Z stdout F {}",
        "compose": "planted-web-1  | {}",
    }
    data = "".join(
        wraps[wrapper].format(json.dumps(line + "\n") if wrapper == "docker" else line) + "\n"
        for line in lines
    ).encode()
    parsed, out = scrubbed(data, resolve(f"{wrapper}/{inner}"), work())
    assert parsed.rows == len(lines)
    assert out == scrubbed(SAMPLES[inner].data, named(inner), work())[1]


def test_what_proxies_say_is_never_shown(tmp_path: Path) -> None:
    """Behind a trusted proxy the client's network stands where the proxy's would, and the header shows nothing."""
    policy = tmp_path / "mine.toml"
    text = (profiles._folder() / "security-12m.toml").read_text()
    policy.write_text(re.sub("trusted_proxies = .*", f'trusted_proxies = ["{CLIENT}/32"]', text))
    how = work(str(policy))
    _, out = scrubbed(SAMPLES["main"].data, named("main"), how)
    first = out.decode().splitlines()[0]
    assert first.startswith("2001:db8:be00:: ")
    assert first.endswith(' "-"')
    assert scrubbed(out, named("main"), how)[1] == out


# ----------------------------------------------------------------------------------------------------------- escapes


@given(
    st.text(max_size=20),
    st.sampled_from([("haproxy", "request"), ("squid", "target"), ("w3c", "c-ip")]),
)
def test_escapes_are_read_back(value: str, at: tuple[str, str]) -> None:
    """HAProxy's, Squid's and IIS's escapes end no field, and what can be written is read back as it was."""
    name, field = at
    (layout, *_) = named(name).layouts or (_iis(),)
    i = next(i for i, one in enumerate(layout.fields) if one.name == field)
    layout = replace(layout, fields=tuple(replace(one, keeps=None) for one in layout.fields))
    text = written(pa.array([value], pa.string()), layout, i)[0].as_py()
    assert not set(text) & {*range(32), 127}
    assert b'"' not in text or layout.escape is Escape.PLUS
    assert b" " not in text or layout.escape is Escape.HASH
    back = decode(pa.array([text], pa.binary()), layout.escape)[0].as_py()
    if layout.escape is Escape.PLUS:
        value = "".join("_" if c < " " or c == "\x7f" else " " if c == "+" else c for c in value)
    if "%20" not in value:
        assert back == (None if value in ("", "-") else value)


def _iis() -> Layout:
    return compile_fields(b"#Fields: date time c-ip sc-status")[0]


def test_referers_and_agents_with_blanks() -> None:
    """Blanks of a user agent are written as the server writes them: plus, %20, #20 is none."""
    how = work("details-12m")
    iis = scrubbed(SAMPLES["w3c"].data, named("w3c"), how)[1]
    assert b" Firefox/128+(Linux) " in iis
    cloud = scrubbed(CLOUDFRONT.data, named("w3c"), how)[1]
    assert b"\tFirefox/128%20(Linux)\t" in cloud


# -------------------------------------------------------------------------------------------------------- error logs

ERRORS = {
    "nginx-error": (
        (f'2026/11/22 02:31:16 [error] 7#8: *9 open() "/srv/{SECRET}" failed (2: No such file or directory), client: {CLIENT}, '
        f'server: www.example.org, request: "GET /{SECRET} HTTP/1.1", host: "planted.example", referrer: "https://{USER}/"'),
        ('2026/11/22 02:31:16 [error] 7#8: * open() "{path}" failed (2: No such file or directory), client: 198.51.100.0, '
        'server: www.example.org, request: "GET {target} HTTP/1.1", host: "{host}", referrer: "{referrer}"'),
    ),
    "apache-error": (
        (f"[Sun Nov 22 02:31:16.975123 2026] [authz_core:error] [pid 1:tid 2] [client {CLIENT}:40777] AH01630: client denied by "
        f"server configuration: /srv/{SECRET}, referer: https://{USER}/"),
        ("[Sun Nov 22 02:31:16 2026] [authz_core:error] [pid 1:tid 2] [client 198.51.100.0] AH01630: client denied by "
        "server configuration: {path}, referer: {referer}"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_error_logs_are_text(name: str) -> None:
    """A line for each that is one; every other line is counted with its reason, however the bytes arrive."""
    before, after = (text.encode() for text in ERRORS[name])
    data = b"\n".join(
        [
            before + b"\r",
            b"",
            b" \t",
            CLIENT.encode(),
            before + b"\0",
            before + b"x" * 70_000,
            before,
        ]
    )
    out, tally = stream([data], work(format=name))
    assert out == (after + b"\n") * 2
    assert (tally.lines, tally.rows, tally.blanks) == (7, 2, 2)
    assert dict(tally.rejects) == {Reason.STRUCTURE: 1, Reason.BINARY: 1, Reason.TOO_LONG: 1}
    halves = [data[n : n + 1000] for n in range(0, len(data), 1000)]
    assert stream(halves, work(format=name))[0] == out


@pytest.mark.parametrize(
    ("precision", "clock"),
    [("second", "02:31:16"), ("minute", "02:31:00"), ("hour", "02:00:00"), ("day", "00:00:00")],
)
@pytest.mark.parametrize("name", sorted(ERRORS))
def test_times_of_error_logs_are_cut(name: str, precision: str, clock: str) -> None:
    """The clock of an error log says no more than the policy keeps, on the server's own clock."""
    before, after = ERRORS[name]
    how = work("", f"time.precision={precision}", format=name)
    assert stream([before.encode()], how)[0] == after.replace("02:31:16", clock).encode() + b"\n"


def test_error_logs_follow_the_policy_on_addresses(tmp_path: Path) -> None:
    """No address where the policy drops them; tokens cannot be had; widths are those of the policy."""
    before, _ = ERRORS["nginx-error"]
    assert (
        b"client: -, "
        in stream([before.encode()], work("", "address.mode=drop", format="nginx-error"))[0]
    )
    narrow = work("", "address.ipv4_bits=8", format="nginx-error")
    assert b"client: 198.0.0.0, " in stream([before.encode()], narrow)[0]
    with pytest.raises(PolicyError, match="error logs have none"):
        work("detection-90d", format="nginx-error", keys=tmp_path / "keys")


def test_an_error_log_has_to_be_named() -> None:
    """Nobody guesses that a stream is an error log; the refusal says what to write."""
    data = "\n".join([ERRORS["nginx-error"][0]] * 9).encode()
    with pytest.raises(FormatError, match="error log") as caught:
        stream([data], work())
    assert "--format nginx-error" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "name"),
    [("nginx-1.22.1/error.log", "nginx-error"), ("apache-2.4.71/error.log", "apache-error")],
)
@pytest.mark.parametrize("policy", ["security-12m", "strict-30d"])
def test_error_logs_of_live_servers(cases: Path, file: str, name: str, policy: str) -> None:
    """Of hostile requests nothing is left in the error logs of real servers; every line is accounted for."""
    data = (cases / "logs" / "live-servers" / file).read_bytes()
    out, tally = stream([data], work(policy, format=name))
    assert tally.lines == data.count(b"\n")
    assert out.count(b"\n") == tally.rows > 0.9 * tally.lines
    assert not [word for word in CANARIES if word in out.lower()]


def test_an_error_log_goes_through_the_command() -> None:
    """The command reads it as it reads access logs: lines out, a summary on standard error."""
    before, after = ERRORS["nginx-error"]
    done = logscrub(
        "filter", "--format", "nginx-error", stdin=f"{before}\njunk\n{before}\n".encode()
    )
    assert (done.code, done.out) == (0, f"{after}\n" * 2)
    assert "1 of 3 lines dropped: structure 1" in done.err


# ------------------------------------------------------------------------------------------------------ live servers

LIVE = {
    "caddy-2.6.2/access.log": "caddy", "haproxy-2.6.12/syslog_raw.log": "syslog/haproxy",
    "lighttpd-1.4.69/access.log": "lighttpd", "nginx-1.22.1/ingress.log": "ingress",
}  # fmt: skip
CANARIES = (
    b"alice", b"secret123", b"203.0.113.7", b"203.0.113.9", b"203.0.113.66", b"127.0.0.1", b"dead:beef", b"administr",
    b"jndi", b"nosuch", b"john doe", b"6bef030ab1677bec", b"evil.example", b"user:pw", b"union", b"bash", b"quoted", b"eyjh",
)  # fmt: skip


@pytest.mark.parametrize("file", sorted(LIVE))
@pytest.mark.parametrize("policy", ["security-12m", "details-12m", "strict-30d"])
def test_live_servers_give_nothing_away(cases: Path, file: str, policy: str) -> None:
    """Hostile requests through real servers: a line for each that fits, stable, and nothing planted."""
    data = (cases / "logs" / "live-servers" / file).read_bytes()
    reads, how = resolve(LIVE[file]), work(policy)
    parsed, out = scrubbed(data, reads, how)
    assert parsed.rows > 0.9 * parsed.lines
    assert out.count(b"\n") == parsed.rows
    again, twice = scrubbed(out, replace(reads, wrappers=()), how)
    assert (again.rows, twice) == (parsed.rows, out)
    assert not [word for word in CANARIES if word in out.lower()]


def test_a_configured_json_format_is_valid(cases: Path) -> None:
    """Lines of escape=json as its configuration says it, and as detected, give the same rows."""
    folder = cases / "logs" / "live-servers" / "nginx-1.22.1"
    data = (folder / "escape_json.log").read_bytes()
    text, guessed = configured(str(folder / "nginx.conf") + ":j"), detect(data).format
    assert guessed
    one, other = (scrubbed(data, reads, work())[1].splitlines() for reads in (text, guessed))
    assert len(one) == len(other)
    assert all(json.loads(line) for line in (*one, *other))
