"""Raw data never leaks: what is planted in a line is found in no output, whatever happens to the run."""

from __future__ import annotations

import base64
import contextlib
import gc
import gzip
import io
import ipaddress
import os
import random
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from program import RECENT

from logscrub import cli, profiles, transform
from logscrub.dataset import Dataset
from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.formats.layout import Escape, Field, Format, Kind, Layout, Role
from logscrub.formats.lines import lines_of, split
from logscrub.keys import Key
from logscrub.ledger import Ledger
from logscrub.records import Source
from logscrub.run import filter as filter_module
from logscrub.run import ingest as ingest_module
from logscrub.run import scrubbing, staging
from logscrub.run.prepare import Wishes, job_for
from logscrub.schema import COLUMNS, MAX_LINE, Block, Raw
from logscrub.scrubbers import address
from logscrub.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIGS: Final = sorted(
    path.stem for path in (Path(__file__).parents[1] / "configs").glob("*.toml")
)

# One value of each kind, unlike anything that logscrub writes of its own accord.
V4, PROXIED, MAPPED = "198.51.100.237", "203.0.113.241", "192.0.2.203"
V6 = "2001:db8:9d2c:77aa:5be1:c0de:4f3e:91b7"
USER, IDENT, SECRET = "zebediahquux", "identquux", "hunterquux"
EMAIL = "quux.person@mailquux.example"
TOKEN, SESSION = "9fQ2xLw7Rk4Zt8Vb3Nc6Hd1Mj5", "K3Y5QUUXSESSION77"
PHONE, DIGITS = "+49-151-55512349", "490154203237518"
UUID = "6f1b8c1e-93d4-4a7e-8b52-0c9de17f3a64"
COOKIE, VHOST, LANGUAGE = "cookiequux", "vhostquux.example", "x-quuxish"
REFERRED, ASKED = "refquux", "askedquux"
PLANTED: Final = (
    V4, PROXIED, MAPPED, V6, USER, IDENT, SECRET, EMAIL, TOKEN, SESSION, PHONE, DIGITS, UUID, COOKIE, "vhostquux",
    LANGUAGE, REFERRED, ASKED,
)  # fmt: skip

REFERER = f"https://{USER}:{SECRET}@{REFERRED}.example.org/{REFERRED}/{USER}?q={ASKED}"
AGENT = f"Mozilla/5.0 (compatible; {EMAIL}; {PHONE}; {UUID}) {TOKEN}/{DIGITS} Firefox/{DIGITS}"
TARGETS: Final = (
    f"/users/{USER}/orders?token={TOKEN}&mail={EMAIL.replace('@', '%40')}&ip={V4}&q={ASKED}",
    f"/~{USER}/x;jsessionid={SESSION}",
    f"/mail/{EMAIL}/{EMAIL.replace('@', '%40')}/{EMAIL.replace('@', '%2540')}",
    f"/reset/{TOKEN}/sid={SESSION}",
    f"/ip/{V4}/{V4.replace('.', '-')}/{V4.replace('.', '%2E')}/{V6}/[{V6}]/{V6.replace(':', '%3A')}",
    f"/call/{PHONE}/{DIGITS}/doc-{UUID}.pdf/%2B49-151-55512349",
    f"//{USER}:{SECRET}@host.example/x",
    f"/proxy/http://{USER}:{SECRET}@host.example/{USER}@host.example",
    f"http://{USER}:{SECRET}@{REFERRED}.example/x?{ASKED}#{ASKED}",
    f"/%25zz/{USER}%40{SECRET}/%",
    f"/x#{ASKED}?{ASKED}",
)  # fmt: skip
ODD_REQUESTS: Final = (
    f"{USER.upper()} /x HTTP/1.1", f"GET /x HTTP/{DIGITS}", f"{USER}", f"GET {USER}:{SECRET}@h:443 HTTP/1.1",
    f"CONNECT {USER}.example:443 HTTP/1.1", f"GET /a b {USER} c HTTP/1.1", f"\\x16\\x03\\x01{USER}", "-", "",
    f"GET /\\xff\\xZZ\\u12\\ud800{USER}@ HTTP/1.1",
)  # fmt: skip
CUSTOM: Final = {
    "nginx": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$http_x_forwarded_for" $request_time $host "$http_cookie" $request_id "$http_accept_language"',
    "json": 'escape=json {"at":"$time_iso8601","ip":"$remote_addr","user":"$remote_user","r":"$request","s":$status,'
    '"ref":"$http_referer","ua":"$http_user_agent","xff":"$http_x_forwarded_for","c":"$http_cookie"}',
    "none": 'escape=none $http_x_forwarded_for|$remote_addr|$time_iso8601|$request_uri|$args|$status|"$http_user_agent"',
    "apache": '%V %a %l %u %t "%m %U%q %H" %>s %B "%{Referer}i" "%{User-Agent}i" "%{Cookie}i" "%{X-Forwarded-For}i" "%f"',
}  # fmt: skip
PLAIN: Final = (
    "combined",
    "common",
    "combinedio",
    "vhost_combined",
    "vhost_combined_no_port",
    "vhost_common",
    "main",
)
FORMATS: Final = {**{name: name for name in PLAIN}, **CUSTOM}


def shown(field: Field, address: str, request: str) -> str:
    """What one field of a planted line holds; whatever is to be dropped holds a value of its own."""
    method, _, rest = request.partition(" ")
    target = rest.rpartition(" ")[0] or rest
    path, _, asked = target.partition("?")
    if field.kind is Kind.TIME:
        return "".join(RECENT.strftime(part) for part in field.time)
    known = {
        Raw.ADDRESS: address, Role.REQUEST: request, Role.TARGET: target, Raw.PATH: path, Raw.QUERY: asked,
        Raw.METHOD: method, Raw.PROTOCOL: "HTTP/1.1", Raw.STATUS: "200", Raw.BYTES: "123", Raw.DURATION: "1",
        Raw.REFERER: REFERER, Raw.AGENT: AGENT, Raw.LANGUAGE: LANGUAGE, Raw.SITE: VHOST,
        Raw.FORWARDED: f"{PROXIED},{V6}",
    }  # fmt: skip
    if field.keeps is not None:
        return known[field.keeps]
    dropped = {
        "%l": IDENT,
        "%u": USER,
        "$remote_user": USER,
        "$request_id": UUID.replace("-", ""),
        "%p": "443",
    }
    if field.kind is Kind.NUMBER:
        return dropped.get(field.name, DIGITS)
    return dropped.get(
        field.name, f"{PROXIED},{V6}" if "orwarded" in field.name else f"sid={COOKIE};m={EMAIL}"
    )


def line(layout: Layout, address: str = V4, request: str = f"GET {TARGETS[0]} HTTP/1.1") -> bytes:
    """One planted line of a format."""
    values = [shown(field, address, request) for field in layout.fields]
    if layout.escape is not Escape.NONE and layout.escape is not Escape.JSON:
        values = [value.replace('"', '\\"') for value in values]
    pieces = zip(layout.literals[1:], values, strict=True)
    return layout.literals[0] + b"".join(value.encode() + after for after, value in pieces) + b"\n"


def planted(layout: Layout) -> bytes:
    """Good, broken, overlong and binary lines of a format, all with planted values."""
    good = [line(layout, request=f"GET {target} HTTP/1.1") for target in TARGETS]
    good += [line(layout, address) for address in (V6, f"::ffff:{MAPPED}", f"[{V6}]:443", f"{V4}:80", f"{USER}.example",
                                                   f"{MAPPED},{PROXIED}", "unknown", "-")]  # fmt: skip
    good = good * 3
    one = good[0].rstrip(b"\n")
    odd = [line(layout, request=request) for request in ODD_REQUESTS]
    year = str(RECENT.year).encode()
    broken = [
        one[: len(one) // 2], one[:-1], one[20:], one + one, one.replace(b'"', b""), one.replace(b" ", b""),
        one.replace(year, b"x" + USER.encode()), one.replace(year, b"9999"), one.replace(b" 200 ", b" 99999999999 "),
        one.replace(b" 200 ", f" {DIGITS} ".encode()), one.replace(b"|200|", f"|{DIGITS}|".encode()),
        one.replace(b"/orders", b"/" + 20 * TOKEN.encode()), one.replace(b"/orders", b"/orders" * 3000),
        one.replace(b"GET", b"\xff\xfe\x80GET"), one.replace(b"/users", "/usérs\u202e/users".encode()),
    ]  # fmt: skip
    overlong = [
        one.replace(b"/orders", b"/" + EMAIL.encode() * (MAX_LINE // 20)),
        one.replace(b"/orders", b"\0" + one),
    ]
    return b"".join(good + odd) + b"\n".join(broken + overlong) + b"\n\n   \n" + one


def spellings(value: str) -> Iterator[tuple[str, bytes]]:
    """A planted value in every encoding in which it could come out, lower case where case does not tell."""
    texts = {value}
    if ":" in value:
        texts |= {
            ipaddress.ip_address(value).exploded,
            ipaddress.ip_address(value).reverse_pointer[:40],
        }
        yield "packed", ipaddress.ip_address(value).packed
    elif re.fullmatch(r"[0-9.]+", value) and "." in value:
        texts |= {f"::ffff:{value}", value.replace(".", "-"), str(int(ipaddress.ip_address(value)))}
        texts.add(ipaddress.ip_address(value).packed.hex())
    for text in texts:
        raw = text.lower().encode()
        yield "raw", raw
        yield "UTF-16", text.lower().encode("utf-16-le")
        for cased in {text, text.lower(), text.upper()}:
            yield "hex", cased.encode().hex().encode()
        yield "reversed", raw[::-1]


def base64s(value: str) -> Iterator[bytes]:
    """The characters that Base64 of a text with this value in it must hold, for each place it can begin at."""
    for text in {value, value.lower(), value.upper()}:
        for pad in range(3):
            coded = base64.b64encode(b"\0" * pad + text.encode())
            yield coded[(0, 2, 3)[pad] : len(coded) - 4]


NEEDLES: Final = [(value, how, needle) for value in PLANTED for how, needle in spellings(value)]
CASED: Final = [(value, "Base64", needle) for value in PLANTED for needle in base64s(value)]
_ESCAPED: Final = re.compile(rb"%([0-9a-fA-F]{2})|\\x([0-9a-fA-F]{2})")


def leaks(data: bytes) -> list[str]:
    """Which planted values some bytes hold, and in which encoding."""
    plain = _ESCAPED.sub(lambda match: bytes.fromhex((match[1] or match[2]).decode()), data)
    lower = data.lower() + b"\n" + plain.lower()
    found = [f"{value} ({how})" for value, how, needle in NEEDLES if needle in lower]
    return found + [f"{value} ({how})" for value, how, needle in CASED if needle in data]


def pages(data: bytes) -> Iterator[bytes]:
    """Every zstd frame of a Parquet file, decompressed: its pages, dictionaries with entries nobody uses too."""
    at = data.find(b"\x28\xb5\x2f\xfd")
    while at >= 0:
        with contextlib.suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])
        at = data.find(b"\x28\xb5\x2f\xfd", at + 1)


def contents(path: Path) -> bytes:
    """The bytes of a file, and of a Parquet file all that is in it, its footer and statistics too."""
    data = path.read_bytes()
    if not data.startswith(b"PAR1"):
        return data
    parts = [data, *pages(data)]
    if data.endswith(b"PAR1") and len(data) > 12:
        file = pq.ParquetFile(io.BytesIO(data))
        parts += [str(file.read().to_pydict()).encode(), str(file.metadata.metadata).encode()]
        for group in range(file.num_row_groups):
            described = file.metadata.row_group(group)
            parts += [
                str(described.column(i).to_dict()).encode() for i in range(described.num_columns)
            ]
    return b"\n".join(parts)


def unclean(*folders: Path) -> list[str]:
    """Every planted value in the names and the contents of all files below some folders."""
    found = []
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            data = path.name.encode() + b"\n" + (contents(path) if path.is_file() else b"")
            found += [f"{path.relative_to(folder)}: {leak}" for leak in leaks(data)]
    return found


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private folder for temporary files, here and in child processes."""
    folder = tmp_path / "tmpdir"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = os.umask(0o027)
    yield folder
    os.umask(before)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the datasets of one test lie; nothing planted is put there."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], temporary: Path, place: Path) -> Callable[..., int]:
    """Run a command in this process; whatever becomes of it, nothing planted is anywhere afterwards."""

    def called(*arguments: object, search: bool = True) -> int:
        capfd.readouterr()
        try:
            code = cli.run([str(one) for one in arguments])
        finally:
            gc.collect()  # half-written files that nobody refers to speak up here, not in a later test
        said = "".join(capfd.readouterr())
        assert leaks(said.encode()) == []
        assert "Traceback" not in said
        assert not search or unclean(place, temporary) == []
        return code

    return called


def log_file(folder: Path, data: bytes, name: str = "access.log") -> Path:
    """A finished log file."""
    path = folder / name
    path.write_bytes(data)
    past = time.time() - 3600
    os.utime(path, (past, past))
    return path


def rows_of(out: Path) -> int:
    """How many rows the Parquet holds."""
    return sum(pq.read_metadata(path).num_rows for path in (out / "data").rglob("*.parquet"))


@pytest.mark.parametrize("value", PLANTED)
def test_the_search_finds_what_is_planted(value: str, tmp_path: Path) -> None:
    """Each value is found raw, in capitals, percent-encoded, in hex, in Base64, and unused in a dictionary of Parquet."""
    hidden = [
        value,
        value.upper(),
        "".join(f"%{byte:02X}" for byte in value.encode()),
        value.encode().hex().upper(),
    ]
    hidden += [
        base64.b64encode(pad + value.encode() + b"++++").decode() for pad in (b"", b"-", b"--")
    ]
    assert [text for text in hidden if not leaks(f"x{text}y".encode())] == []
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array(["a", value]))
    pq.write_table(
        pa.table({"path": column}),
        tmp_path / "x.parquet",
        compression="zstd",
        write_statistics=False,
    )
    assert pq.read_table(tmp_path / "x.parquet").to_pydict() == {"path": ["a", "a"]}
    assert unclean(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("policy", CONFIGS)
def test_nothing_planted_survives_ingest_or_filter(
    policy: str, name: str, tmp_path: Path, place: Path, call: Callable[..., int]
) -> None:  # fmt: skip
    """Every format under every profile: ledger, Parquet, keys, messages and filtered lines hold no planted value."""
    (layout,) = resolve(FORMATS[name]).layouts
    data = planted(layout)
    log = log_file(tmp_path, data)
    assert call("ingest", log, "--out", place / "out", "-p", policy, "-f", FORMATS[name]) == 0
    assert rows_of(place / "out") >= len(TARGETS) * 3
    assert (
        call("ingest", log, "--out", place / "out", "--replace", "--json", "-f", FORMATS[name]) == 0
    )
    wishes = Wishes(policy=policy, format=FORMATS[name], keys=tmp_path / "keys")
    work = filter_module.filtering(wishes, lambda: datetime.now(UTC))
    written: list[bytes] = []
    tally = filter_module.filter_lines(
        [data], work, lambda lines: written.append(lines.to_pybytes())
    )
    assert tally.rows == b"".join(written).count(b"\n") > 0
    assert leaks(b"".join(written)) == []


(COMBINED,) = resolve("combined").layouts


@pytest.mark.parametrize("policy", CONFIGS)
def test_no_file_holds_words_that_none_of_its_rows_uses(
    policy: str, tmp_path: Path, place: Path, call: Callable[..., int]
) -> None:  # fmt: skip
    """Paths of rejected lines are nowhere, those of another day in that day's file only, dictionaries included."""
    today, before = RECENT, RECENT - timedelta(days=1)
    reject = line(COMBINED, request="GET /rejected-word HTTP/1.1").replace(b" 200 ", b" 99999999 ")
    one = line(COMBINED, request="GET /first-day-word HTTP/1.1")
    other = line(COMBINED, request="GET /second-day-word HTTP/1.1").replace(
        today.strftime("%d/%b/%Y").encode(), before.strftime("%d/%b/%Y").encode()
    )
    log = log_file(tmp_path, (one + reject + other) * 50)
    assert call("ingest", log, "--out", place / "out", "-p", policy, "-f", "combined") == 0
    held = {
        path.parent.name: contents(path) for path in (place / "out" / "data").rglob("*.parquet")
    }
    assert {day: (b"first-day" in data, b"second-day" in data) for day, data in held.items()} == {
        f"date={today.date()}": (True, False), f"date={before.date()}": (False, True)
    }  # fmt: skip
    assert not any(b"rejected-word" in data for data in held.values())


def test_coarse_time_leaves_no_order(tmp_path: Path, place: Path, call: Callable[..., int]) -> None:
    """Under strict-30d the rows of every file are sorted by all columns, and no unsorted file or spill remains."""
    requests = [
        f"GET /{letters} HTTP/1.1" for letters in ("delta", "alpha", "charlie", "bravo") * 100
    ]
    log = log_file(tmp_path, b"".join(line(COMBINED, request=request) for request in requests))
    assert call("ingest", log, "--out", place / "out", "-p", "strict-30d") == 0
    for path in (place / "out" / "data").rglob("*.parquet"):
        paths = pq.read_table(path)["path"].to_pylist()
        assert paths == sorted(paths)
        dictionary = [page for page in pages(path.read_bytes()) if b"alpha" in page]
        assert all(
            page.find(b"alpha") < page.find(b"delta") for page in dictionary if b"delta" in page
        )
    assert list((place / "out" / "staging").iterdir()) == []


def test_commands_that_fail_quote_nothing(
    tmp_path: Path, place: Path, call: Callable[..., int]
) -> None:
    """Wrong formats, policies, databases, keys, damaged archives, and whatever else takes a log for something else."""
    data = planted(COMBINED)
    log, out = log_file(tmp_path, data), place / "out"
    packed = gzip.compress(data * 20)
    archives = [log_file(tmp_path, packed[: len(packed) // 2], "half.gz"), log_file(tmp_path, packed[:-5], "crc.gz"),
                log_file(tmp_path, packed + data, "trailing.gz"), log_file(tmp_path, data.replace(b"\n", b"\r"), "cr"),
                log_file(tmp_path, b"\xff\xfe" + data.decode(errors="replace").encode("utf-16-le"), "utf16"),
                log_file(tmp_path, data.replace(b'"', b"|"), "other"), log_file(tmp_path, data * 2, "x.mmdb")]  # fmt: skip
    for archive in archives:
        call("ingest", archive, "--out", out)
        call("ingest", archive, "--out", out, "--salvage", "--json")
        call("formats", "detect", archive, "--json")
    call("ingest", tmp_path, "--out", out, "-f", "combined")
    assert call("ingest", log, "--out", place / "b", "-f", '$remote_addr "$request" $status') != 0
    assert (
        call(
            "ingest",
            log,
            "--out",
            place / "b",
            "-f",
            'escape=json {"a":"$remote_addr","t":"$time_iso8601"}',
        )
        != 0
    )
    assert call("ingest", log, "--out", place / "b", "--format-from", log) != 0
    for wrong in (("-p", log), ("--set", "retention.period=99 years"), ("--closed-at", "2000-01-01"), ("--site", VHOST[:4]),
                  ("-p", "details-12m", "--geo", log), ("-p", "details-12m", "--geo", archives[0])):  # fmt: skip
        assert call("ingest", log, "--out", place / "c", "-f", "combined", *wrong) != 0
    for policy in ("show", "check", "explain"):
        assert call("policy", policy, log) != 0
    assert call("policy", "apply", out, "--policy", log, "--reason", "x") != 0
    for command, *options in (
        ["status"],
        ["status", "--json"],
        ["expire", "--dry-run"],
        ["expire"],
    ):
        assert call(command, out, *options) == 0
    assert call("keys", "list", out) == 0
    for sql in (
        "SELECT * FROM logs",
        "SELECT path::INT FROM logs",
        "SELECT error(path) FROM logs",
        "SELEC",
        "DROP logs",
    ):
        call("query", out, sql, "--format", "json")
    for name in ("policy.toml", "ledger.db", "keys/instance.key"):
        whole = (out / name).read_bytes()
        os.chmod(out / name, 0o600)  # noqa: PTH101 — beside the others
        (out / name).write_bytes(data)
        for command in ("status", "expire"):
            call(command, out, search=False)
        assert call("ingest", log, "--out", out, search=False) != 0
        (out / name).write_bytes(whole)


class BadlyMannered(Exception):  # noqa: N818 — what it is
    """Holds data, and says so in every way an exception can."""

    def __repr__(self) -> str:
        return EMAIL


def raiser(kind: type[BaseException]) -> Callable[..., Any]:
    """A function that stops with an error full of planted data, caused by another one."""

    def stop(*_: object, **__: object) -> Any:
        text = " ".join(PLANTED)
        error = OSError(5, text, text) if kind is OSError else kind(text)
        error.add_note(text)
        raise error from KeyError(text)

    return stop


UNEXPECTED: Final = (ValueError, KeyError, OSError, MemoryError, AssertionError, BadlyMannered, pa.ArrowInvalid,
                     duckdb.ConversionException, pl.exceptions.ComputeError, sqlite3.OperationalError)  # fmt: skip
PLACES: Final = (
    (scrubbing, "parse"), (transform.Transform, "apply"), (Sink, "add"), (Sink, "_write"), (Sink, "_finish"),
    (staging, "choose"), (staging, "recognise"), (staging, "batch_of"), (ingest_module, "stage"),
    (ingest_module, "commit"), (ingest_module, "find"), (Ledger, "commit"), (Ledger, "see_outside"),
)  # fmt: skip


@pytest.mark.parametrize("place_of_error", PLACES, ids=lambda one: f"{one[0].__name__}.{one[1]}")
def test_unexpected_errors_are_not_quoted(
    place_of_error: tuple[Any, str], tmp_path: Path, place: Path, call: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """An error of any kind at any place ends the run with a code and without its text."""
    log = log_file(tmp_path, planted(COMBINED))
    first = PLACES.index(place_of_error) * 3
    for number in range(first, first + 3):
        kind = UNEXPECTED[number % len(UNEXPECTED)]
        monkeypatch.setattr(*place_of_error, raiser(kind))
        assert (
            call(
                "ingest", log, "--out", place / f"out{number}", "-f", "combined", "-p", "strict-30d"
            )
            != 0
        )


def test_panics_are_not_quoted(
    tmp_path: Path, place: Path, call: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A panic of a Rust kernel, which is no Exception to Python, is not shown either."""
    monkeypatch.setattr(scrubbing, "parse", raiser(pl.exceptions.PanicException))
    assert (
        call(
            "ingest",
            log_file(tmp_path, planted(COMBINED)),
            "--out",
            place / "out",
            "-f",
            "combined",
        )
        == 1
    )


def crash(*_: object, **__: object) -> None:
    """What a worker runs in place of `stage`: an error with data in it."""
    raiser(ValueError)()


class Unwritable:
    """What a worker cannot hand back."""

    def __reduce__(self) -> str:
        raise ValueError(" ".join(PLANTED))


def hand_back(*_: object, **__: object) -> Unwritable:
    """What a worker runs in place of `stage`: a result that cannot be pickled."""
    return Unwritable()


@pytest.mark.parametrize("worker", [crash, hand_back, os.abort], ids=lambda worker: worker.__name__)
def test_workers_quote_nothing(
    worker: Callable[..., Any], tmp_path: Path, place: Path, call: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A worker process that fails in a way nobody foresaw, or dies, shows no data and ends the run."""
    data = planted(COMBINED)
    logs = [log_file(tmp_path, data[200 * n :], f"{n}.log") for n in range(2)]
    monkeypatch.setattr("logscrub.run.workers._stage", worker)
    assert call("ingest", *logs, "--out", place / "out", "-f", "combined", "--jobs", "2") == 1


def test_workers_on_damaged_input_quote_nothing(
    tmp_path: Path, place: Path, call: Callable[..., int]
) -> None:
    """Real workers, real damage: what is readable arrives, the rest is refused in words of ours."""
    data = gzip.compress(planted(COMBINED))
    logs = [log_file(tmp_path, data[: len(data) - 100 * n], f"{n}.gz") for n in range(3)]
    logs.append(log_file(tmp_path, planted(COMBINED)[::-1], "backwards.log"))
    assert call("ingest", *logs, "--out", place / "out", "-f", "combined", "--jobs", "2") == 3
    assert rows_of(place / "out") > 0


def started(*arguments: object, size: int = 0, **options: Any) -> subprocess.Popen[bytes]:
    """A command in a process of its own in Python's development mode; `size` bounds the files it may write."""

    def limit() -> None:
        if size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [sys.executable, "-X", "dev", "-m", "logscrub", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limit,  # noqa: PLW1509 — the child only sets its own limit
        **options,
    )


@pytest.mark.parametrize(
    ("policy", "size"), [("security-12m", 5_000), ("security-12m", 60_000), ("strict-30d", 60_000)]
)
def test_a_full_disk_leaves_nothing_raw(
    policy: str, size: int, tmp_path: Path, place: Path, temporary: Path
) -> None:
    """Whichever write the disk refuses: no line in ledger, staging or message, no traceback, nothing half sorted."""
    one, dice = line(COMBINED, request=f"GET /word/{TOKEN} HTTP/1.1"), random.Random(7)
    data = b"".join(
        one.replace(b"/word/", b"/%s/" % bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=8)))
        for _ in range(20_000)
    )
    log = log_file(tmp_path, data)
    process = started(
        "ingest", log, "--out", place / "out", "-f", "combined", "-p", policy, size=size
    )
    said = b"".join(process.communicate(timeout=60))
    assert process.returncode in {8, 9}
    assert b"Traceback" not in said
    assert leaks(said) == []
    assert unclean(place, temporary) == []
    assert list(place.glob("out/staging/*")) == []


def test_a_failed_sort_leaves_no_order(
    tmp_path: Path, place: Path, call: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When sorting fails, the unsorted file goes too: its order tells the time that was to be forgotten."""
    monkeypatch.setattr("duckdb.connect", raiser(duckdb.IOException))
    log = log_file(tmp_path, planted(COMBINED))
    assert call("ingest", log, "--out", place / "out", "-f", "combined", "-p", "strict-30d") == 8
    assert list(place.glob("out/staging/*")) == []


@pytest.mark.parametrize("command", ["ingest", "filter"])
def test_a_killed_pipe_leaves_nothing_raw(command: str, place: Path, temporary: Path) -> None:
    """Killed with lines read and not committed: neither the write-ahead log nor staging nor a core holds them."""
    data = planted(COMBINED) * 20
    extra = ("--out", place / "out", "--flush", "0.2") if command == "ingest" else ()
    process = started(command, *extra, "-f", "combined", cwd=place)
    assert process.stdin is not None
    process.stdin.write(data + data[:-150])
    process.stdin.flush()
    if command == "ingest":
        until = time.monotonic() + 30
        while not list((place / "out").glob("data/*/*/*.parquet")) and time.monotonic() < until:
            time.sleep(0.02)
    else:
        assert process.stdout is not None
        assert leaks(os.read(process.stdout.fileno(), 2**16)) == []
    process.stdin.write(data[:-150])
    process.stdin.flush()
    time.sleep(0.1)
    process.kill()
    assert leaks(b"".join(process.communicate(timeout=30))) == []
    assert unclean(place, temporary) == []


def test_a_killed_batch_leaves_nothing_raw(tmp_path: Path, place: Path, temporary: Path) -> None:
    """Killed while it writes to staging, at the first moment there is something."""
    log = log_file(tmp_path, planted(COMBINED)[:-500] * 1600)
    process = started("ingest", log, "--out", place / "out", "-f", "combined", "-p", "strict-30d")
    until = time.monotonic() + 30
    while not list((place / "out").glob("staging/*")) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    assert leaks(b"".join(process.communicate(timeout=30))) == []
    assert list((place / "out" / "staging").iterdir())
    assert unclean(place, temporary) == []


def test_values_with_raw_text_do_not_show_it(tmp_path: Path) -> None:
    """The repr of what holds bytes of lines, raw fields, addresses or keys says how much there is, not what."""
    data = line(COMBINED)
    block = Block.of(data, offset=0)
    found = split(lines_of(block), COMBINED)
    parsed = parse(block, Format.of(COMBINED), frozenset(Raw))
    policy, _ = profiles.read("security-12m")
    job = job_for(Dataset(tmp_path), policy, Wishes(keys=tmp_path / "keys"), now=datetime.now(UTC))
    secret = job.instance
    known = Source(
        "id", "file", "p", "combined", "", 1024, secret, secret, 1, "", "", "", "read", "", ""
    )
    hidden = [
        V4.encode(), str(int(ipaddress.ip_address(V4))).encode(), repr(secret).encode(), repr(data[:9]).encode()[2:-1],
        str(np.frombuffer(data[:3], np.uint8)).strip("[]").encode(), ", ".join(map(str, data[:3])).encode(),
    ]  # fmt: skip
    for value in (
        block,
        parsed,
        found,
        address.parse(pa.array([V4])),
        Key(secret),
        replace(job, known=(known,)),
    ):
        said = repr([value]).encode()
        assert leaks(said) == []
        assert [one for one in hidden if one in said] == []


IDENTIFIERS: Final = {
    "an IPv4 address": r"(^|[^0-9.])[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}([^0-9.]|$)",
    "an e-mail address": r"[^/@\s]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}",
    "a UUID": r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "sixteen hex digits": r"(?i)[0-9a-f]{16}",
    "a planted value": r"(?i)alice(@|%40)|secret123|203\.0\.113\.[1-9]|mstshash|evil\.example|jndi|john.?doe|:pw|dead:beef|6BEF030AB1677BEC333FFCC7BCDF5|eyJhbGci",
}


SERVED: Final = {
    "nginx-1.22.1/escape_json.log": "j", "nginx-1.22.1/escape_none.log": "none", "nginx-1.22.1/ingress.log": "ingress",
    "apache-2.4.71/kitchen_sink.log": "kitchen",
}  # fmt: skip


def suspicious(out: Path) -> list[tuple[Any, ...]]:
    """Cells of the Parquet that look like an identifier; networks and tokens have to be exactly what they are."""
    found: list[tuple[Any, ...]] = []
    columns = [one.name for one in COLUMNS if pa.types.is_string(one.type)]
    with duckdb.connect() as db:
        db.execute(
            f"CREATE TABLE logs AS FROM read_parquet('{out}/data/**/*.parquet', union_by_name = true)"
        )
        for column in columns:
            for what, pattern in IDENTIFIERS.items():
                allowed = {
                    "client_net": r"^([0-9]+\.[0-9]+\.[0-9]+\.0/24|[0-9a-f:]+/40)$", "client_token": "^[0-9a-f]{32}$",
                }.get(column, "^$")  # fmt: skip
                sql = f"SELECT DISTINCT '{column}', ?, {column} FROM logs WHERE regexp_matches({column}, ?) AND NOT regexp_matches({column}, ?)"
                found += db.execute(sql, [what, pattern, allowed]).fetchall()
    return found


@pytest.mark.parametrize("policy", CONFIGS)
def test_no_cell_of_real_logs_looks_like_an_identifier(
    policy: str, cases: Path, tmp_path: Path, call: Callable[..., int]
) -> None:
    """Every log of the cases under every profile, made long enough for logs of 2015."""
    text = (Path(__file__).parents[1] / "configs" / f"{policy}.toml").read_text(encoding="utf-8")
    long = tmp_path / "long.toml"
    long.write_text(re.sub(r'(?m)^period = ".*?"', 'period = "240 months"', text), encoding="utf-8")
    out, logs = tmp_path / "out", cases / "logs"
    geo = ("--geo", cases / "mmdb" / "GeoLite2-Country-Test.mmdb")
    assert call("ingest", logs, "--out", out, "-p", long, *geo, search=False) in {0, 3}
    for name, defined in SERVED.items():
        log = logs / "live-servers" / name
        (conf,) = log.parent.glob("*.conf")
        assert (
            call(
                "ingest",
                log,
                "--out",
                out,
                *geo,
                "--format-from",
                f"{conf}:{defined}",
                search=False,
            )
            == 0
        )
    assert rows_of(out) > 13_000
    assert suspicious(out) == []
