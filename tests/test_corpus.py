"""The generated logs: the statistics they promise, the same bytes for the same seed, and how runs are judged."""

from __future__ import annotations

import gzip
import json
import re
import sys
from argparse import ArgumentTypeError
from dataclasses import replace
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import blake3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import (
    floor,
    formats,
    ingest,
    inputs,
    measure,
    mmanon,
    peers,
    plot,
    stages,
    suite,
    traffic,
)
from benchmarks.corpus import DAYS, Corpus, size_of, statistics, write
from benchmarks.shapes import SHAPES
from benchmarks.traffic import NEVER, PROFILES
from logscrub.formats import parse
from logscrub.formats.catalogue import names, resolve
from logscrub.formats.choice import choose
from logscrub.formats.lines import lines_of, split
from logscrub.schema import Block, Parsed, Raw

END = date(2026, 3, 4)
SIZE = 24_000_000
BENCHMARKS = Path(ingest.__file__).parent


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus") / "access.log"


@pytest.fixture(scope="module")
def corpus(log: Path) -> Corpus:
    return write(log, size_bytes=SIZE, end=END)


def test_accounting(log: Path, corpus: Corpus) -> None:
    """Size, lines, broken lines and digest are those of the file, which holds whole lines and fills the size."""
    data = log.read_bytes()
    assert SIZE - 1_000 < len(data) == corpus.size <= SIZE
    assert data.endswith(b"\n")
    assert data.count(b"\n") == corpus.lines
    assert blake3.blake3(data).hexdigest() == corpus.digest
    assert corpus.lines - corpus.broken == statistics(log)["lines"]
    assert corpus.broken > 0


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """The same arguments give the same bytes; another seed or another day gives others."""
    digests = [
        write(tmp_path / "log", size_bytes=300_000, end=end, seed=seed).digest
        for end, seed in ((END, 1), (END, 1), (END, 2), (END - timedelta(days=1), 1))
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.usefixtures("corpus")
def test_statistics(log: Path) -> None:
    """Distinct shares are those of the profile, and the rest is like the logs of real servers."""
    found, promised = statistics(log), PROFILES["typical"]
    # A log this small shows the crawlers' addresses and the common user agents beside the visitors' own.
    assert 0 <= found["distinct addresses"] - 100 * promised.addresses < 0.6
    assert 0 <= found["distinct user agents"] - 100 * promised.agents < 0.2
    assert found["crawlers"] == pytest.approx(100 * promised.crawled, abs=1)
    ranges = {
        "bytes a line, mean": (200, 260),
        "distinct paths": (5, 30),
        "distinct referers": (2, 15),
        "commonest address": (0.5, 5),
        "commonest user agent": (3, 12),
        "commonest path": (4, 12),
        "IPv6": (15, 35),
        "without referer": (35, 47),
        "with a query": (8, 16),
        "status 200": (88, 94),
        "status 304": (3, 6),
        "status 404": (1.5, 3.5),
    }
    outside = {
        name: found[name] for name, (low, high) in ranges.items() if not low <= found[name] <= high
    }
    assert not outside


def _stated(profile: str) -> tuple[int, dict[str, float]]:
    """The size for which README states what a profile is like, and what it states."""
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    head = re.search(rf"(?m)^\| \|.* `{profile}`, (20 MB) \|.*$", text)
    assert head, profile
    place = head[0].split(" | ").index(f"`{profile}`, {head[1]}")
    table = text[head.end() :].split("\n\n")[0].splitlines()[2:]
    cells = [row.strip("| ").split(" | ") for row in table]
    return size_of(head[1]), {row[0]: float(row[place].replace(",", "")) for row in cells}


@pytest.mark.parametrize("profile", ["typical", "botnet", "attack"])
def test_stated_figures(profile: str, tmp_path: Path) -> None:
    """README says of each kind of traffic what a log of it is like."""
    size, stated = _stated(profile)
    write(tmp_path / "log", size_bytes=size, end=END, profile=profile)
    found = statistics(tmp_path / "log")
    assert stated.keys() == found.keys()
    assert found == {name: pytest.approx(is_, rel=0.05, abs=0.1) for name, is_ in stated.items()}


def test_times(log: Path, corpus: Corpus) -> None:
    """Time ascends from the first to the last of its days, which ends at `end`."""
    stamps = re.findall(r"\[(\d\d)/Mar/2026:([0-9:]{8}) \+0000\]", log.read_text(encoding="ascii"))
    assert len(stamps) == corpus.lines
    assert stamps == sorted(stamps)
    assert sorted({int(day) for day, _ in stamps}) == list(range(END.day - DAYS + 1, END.day + 1))


@pytest.mark.parametrize(
    ("text", "size"),
    [("400MB", 400_000_000), ("1.5gb", 1_500_000_000), ("12", 12), ("3 kb", 3_000)],
)
def test_sizes(text: str, size: int) -> None:
    """A size reads as people write it."""
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "4XB", "1.2.3MB", "-5MB"])
def test_wrong_sizes(text: str) -> None:
    """What is not a size is refused with an example of one."""
    with pytest.raises(ArgumentTypeError, match="400MB"):
        size_of(text)


def _written(folder: Path, *tables: pa.Table) -> Path:
    for number, table in enumerate(tables):
        part = folder / f"due=2027-03-04/date=2026-03-0{number + 1}"
        part.mkdir(parents=True)
        with pq.ParquetWriter(part / "a.parquet", table.schema, store_schema=False) as writer:
            writer.write_table(table)
    return folder


def test_answer_ignores_order(tmp_path: Path) -> None:
    """The digest of rows does not depend on their order or files, but on every value and on how often it occurs."""
    rows = pa.table(
        {"path": ["/a", "/b", None, "/b"], "status": pa.array([200, 404, 200, 404], pa.uint16())}
    )
    whole = ingest.answer(_written(tmp_path / "whole", rows))
    turned = ingest.answer(_written(tmp_path / "turned", rows.slice(2), rows.slice(0, 2)))
    changed = ingest.answer(
        _written(tmp_path / "changed", rows.set_column(0, "path", [["/a", "/b", None, "/c"]]))
    )
    once = ingest.answer(_written(tmp_path / "once", rows.slice(0, 3)))
    assert (whole.rows, whole.digest) == (turned.rows, turned.digest)
    assert whole.digest != changed.digest
    assert whole.digest != once.digest


def test_check() -> None:
    """A line, a row or a reject too few ends the benchmark."""
    corpus, found = Corpus("", 100, 10, 1), ingest.Answer(9, "", 0)
    right = {"lines": 10, "rows": 9, "blanks": 0, "rejects": {"structure": 1}}
    ingest.check(right, found, corpus)
    wrongs: list[dict[str, Any]] = [{"lines": 9}, {"rows": 8}, {"blanks": 1}, {"rejects": {}}]
    for wrong in wrongs:
        with pytest.raises(SystemExit, match="wrong answer"):
            ingest.check(right | wrong, found, corpus)
    with pytest.raises(SystemExit, match="wrong answer"):
        ingest.check(right, ingest.Answer(8, "", 0), corpus)


def test_floor(tmp_path: Path, log: Path, corpus: Corpus) -> None:
    """The floor finds every line end, and writes the table it was given."""
    rows = pa.table(
        {"path": ["/a", "/b", None] * 500, "status": pa.array([200, 404, 200] * 500, pa.uint16())}
    )
    data, out = _written(tmp_path / "data", rows, rows.slice(0, 7)), tmp_path / "out"
    out.mkdir()
    found = floor.floor(log, data, out)
    assert (found.line_ends, found.rows) == (corpus.lines, 1_507)
    assert ingest.answer(out).digest == ingest.answer(data).digest


def test_duckdb(tmp_path: Path, log: Path, corpus: Corpus) -> None:
    """DuckDB writes a row for each well-formed line, the last field as the line has it."""
    assert peers.duckdb_regexp(log, tmp_path) == corpus.lines - corpus.broken
    table = pq.read_table(tmp_path / "duckdb.parquet")
    with log.open(encoding="ascii") as file:
        last = [line.rstrip("\n").rsplit('" "', 1)[1] for line in file]
    assert sorted(table["agent"].to_pylist()) == sorted(
        text[:-1] for text in last if text.endswith('"')
    )


def test_measure() -> None:
    """Memory of a child's child counts, and a failure says what the program said."""
    nap = "import time; kept = bytearray(b'x' * 60_000_000); time.sleep(0.6)"
    tree = f"import subprocess, sys; kept = bytearray(b'x' * 60_000_000); subprocess.run([sys.executable, '-c', {nap!r}])"
    ran = measure.run([sys.executable, "-c", f"{tree}; print('done')"])
    assert ran.output == "done\n"
    assert ran.peak > 120_000_000
    assert 0 < ran.cpu <= ran.wall * 4
    with pytest.raises(RuntimeError, match="no such wish"):
        measure.run([sys.executable, "-c", "raise SystemExit('no such wish')"])


def test_ratio() -> None:
    """Ratios are taken run by run: a slow moment that meets both sides leaves them as they are."""
    assert measure.ratio([1.0, 10.0, 1.0], [3.0, 30.0, 3.0]) == 3.0


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_profiles_are_in_their_format(name: str, tmp_path: Path) -> None:
    """Every line of every profile has the fields of its format, but for those that break off."""
    log = write(tmp_path / "log", size_bytes=2_000_000, end=END, profile=name)
    (layout,) = resolve(PROFILES[name].shape.format).layouts
    found = split(lines_of(Block.of((tmp_path / "log").read_bytes(), offset=0)), layout)
    assert (found.rows, len(found.rejects)) == (log.lines - log.broken, log.broken)


_FEW = np.arange(4_500) // 10
"""When the lines of a short log were written: enough of them for each rare kind of line."""


def _in_shape(name: str) -> tuple[str, Parsed]:
    """What a log in a shape is detected as, and its rows."""
    shape = SHAPES[name]
    profile = replace(PROFILES["typical"], broken_every=NEVER, shape=shape)
    lines = bytes(traffic.chunk(profile, 0, _FEW, seed=1, first=END))
    data = shape.head.encode() + lines
    found = choose(data[:1_048_576], "auto").format
    read = found if shape.format == "auto" else resolve(shape.format)
    assert read is not None
    parsed = parse(Block.of(data, offset=0), read, frozenset(Raw), zone="UTC")
    assert (parsed.rows, len(parsed.rejects)) == (
        len(_FEW) - profile.unreadable(len(_FEW)),
        profile.unreadable(len(_FEW)),
    )
    return found.name if found else "", parsed


@pytest.fixture(scope="module")
def combined() -> dict[Raw, list[Any]]:
    return _values(_in_shape("combined")[1])


def _values(parsed: Parsed) -> dict[Raw, list[Any]]:
    """Columns without what formats spell in ways of their own."""
    out = {raw: column.to_pylist() for raw, column in parsed.columns.items()}
    out[Raw.TIME] = [at.replace(microsecond=0) for at in out[Raw.TIME]]
    out[Raw.ADDRESS] = [
        re.sub(r"^\[(.*)\](:\d+)?$|^([^:]*):\d+$", r"\1\3", at) for at in out[Raw.ADDRESS]
    ]
    # a request that nobody can read has no method, or a strange one
    out[Raw.METHOD] = [method or None for method in out[Raw.METHOD]]
    if Raw.PROTOCOL in out:
        out[Raw.PROTOCOL] = [protocol or None for protocol in out[Raw.PROTOCOL]]
    out[Raw.PATH] = [path and re.sub("^https://[^/]*", "", path) for path in out[Raw.PATH]]
    return out


def test_every_format_is_written() -> None:
    """No format of the catalogue is left out."""
    assert set(names()) <= {shape.format for shape in SHAPES.values()}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_formats_tell_of_the_same_requests(name: str, combined: dict[Raw, list[Any]]) -> None:
    """Whatever the format, every line is a row with the same values, and detected for what it is."""
    detected, parsed = _in_shape(name)
    assert detected == {"auto": "json", SHAPES["escape_json"].format: ""}.get(
        SHAPES[name].format, SHAPES[name].format
    )
    found = _values(parsed)
    if parsed.rows < len(_FEW):
        # the lines that cannot be told in this format
        kept = [agent is None or '"' not in agent for agent in combined[Raw.AGENT]]
        combined = {
            raw: [value for value, keep in zip(values, kept, strict=True) if keep]
            for raw, values in combined.items()
        }
    # IIS writes a plus for a blank, which cannot be told from a plus; Envoy's JSON has no referer
    unlike = {"iis": {Raw.AGENT, Raw.REFERER}, "envoy_json": {Raw.REFERER}}.get(name, set())
    same = found.keys() & combined.keys() - unlike
    assert {Raw.TIME, Raw.ADDRESS, Raw.STATUS, Raw.PATH, Raw.QUERY} <= same
    for raw in same:
        assert found[raw] == combined[raw], raw


def test_formats_case(tmp_path: Path) -> None:
    """A small run of one format: its rows are checked, and there is a ratio; a wrong count of rows is found."""
    results = tmp_path / "results"
    formats.main(
        [
            "--size",
            "1MB",
            "--runs",
            "1",
            "--only",
            "squid_common",
            "--work",
            str(tmp_path),
            "--results",
            str(results),
        ]
    )
    text, document = (results / "formats.md").read_text(), (results / "formats.json").read_text()
    (found,) = json.loads(document)["formats"].values()
    assert found["ratio"] > 0 < found["work_ratio"]
    assert found["detected"] == found["format"] == "squid_common"
    assert "| `squid_common` |" in text
    assert str(tmp_path) not in text + document
    log = formats.make("common", tmp_path, 100_000)
    wrong = replace(log, corpus=replace(log.corpus, lines=log.corpus.lines + 1))
    with pytest.raises(SystemExit, match="common: lines, rows"):
        formats.run_one(wrong, tmp_path, "security-12m")


def test_formats_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """`formats --profile` prints a table for each format."""
    assert formats.main(["--profile", "--size", "1MB", "--only", "aws_elb"]) == 0
    assert "| fields of each line |" in capsys.readouterr().out


def test_profiles_differ_as_they_say(tmp_path: Path) -> None:
    """A botnet has an address for every second line, an attack lines of a kilobyte, a tenth of them broken."""
    botnet = tmp_path / "botnet"
    write(botnet, size_bytes=4_000_000, end=END, profile="botnet")
    found = statistics(botnet)
    assert found["distinct addresses"] == pytest.approx(50, abs=3)
    assert found["IPv6"] > 60
    attack = write(tmp_path / "attack", size_bytes=4_000_000, end=END, profile="attack")
    assert attack.size / attack.lines > 700
    assert attack.broken / attack.lines == pytest.approx(0.1, abs=0.001)


def test_inputs(tmp_path: Path) -> None:
    """Compressed inputs hold as many lines as they say."""
    for name, files in (("gz", 1), ("archive", inputs.ARCHIVED_DAYS)):
        made = inputs.make(name, tmp_path, 1_200_000)
        paths = sorted(made.path.iterdir()) if made.path.is_dir() else [made.path]
        texts = [gzip.decompress(path.read_bytes()) for path in paths]
        assert len(texts) == files
        assert sum(text.count(b"\n") for text in texts) == made.corpus.lines
        assert sum(map(len, texts)) == made.corpus.size


def test_peers(tmp_path: Path, log: Path, corpus: Corpus) -> None:
    """Those that need nothing but what the tests need find the well-formed lines."""
    kept = corpus.lines - corpus.broken
    assert peers.polars_groups(log, tmp_path) == kept
    assert kept <= peers.duckdb_csv(log, tmp_path) <= corpus.lines


@pytest.mark.skipif(not peers.installed("mmanon"), reason="rsyslogd with mmanon is not installed")
def test_mmanon(tmp_path: Path, log: Path, corpus: Corpus) -> None:
    """Every line comes out, in order and without the last byte of its address."""
    assert peers.PEERS["mmanon"](log, tmp_path) == corpus.lines
    written = tmp_path / peers.ANONYMISED["mmanon"]
    assert peers.left_whole(log, written) == 0
    with log.open(encoding="ascii") as source, written.open(encoding="ascii") as target:
        for line, out in zip(source, target, strict=True):
            address, rest = line.split(" ", 1)
            # further on it takes versions of browsers for addresses
            assert out.split(" ", 1)[1].split('"')[0] == rest.split('"')[0]
            assert ":" in address or out.startswith(address.rsplit(".", 1)[0] + ".0 ")


def test_mmanon_ends_with_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that ends before the last line is an error, not a wait; one that is not there is a peer left out."""
    (tmp_path / "log").write_text("192.0.2.1 - -\n", encoding="ascii")
    monkeypatch.setattr(mmanon, "_command", lambda *_: ["true"])
    with pytest.raises(SystemExit, match="0 lines of 1"):
        mmanon.mmanon(tmp_path / "log", tmp_path)
    monkeypatch.setattr(mmanon, "_command", lambda *_: [str(tmp_path / "nothing")])
    assert not mmanon.works()
    assert "rsyslog" in peers.how_to_install("mmanon")


def test_left_whole(tmp_path: Path) -> None:
    """Addresses that a peer left as they were are counted; networks, and those that look like one, are not."""
    log, written = tmp_path / "log", tmp_path / "written"
    log.write_text("192.0.2.7 - a\n192.0.2.0 - b\n2001:db8::7 - c\n198.51.100.1 - d\n")
    written.write_text("192.0.2.0 - a\n192.0.2.0 - b\n2001:db8:: - c\n198.51.100.0 - d\n")
    assert peers.left_whole(log, written) == 0
    written.write_text("192.0.2.7 - a\n192.0.2.0 - b\n2001:db8::7 - c\n198.51.100.0 - d\n")
    assert peers.left_whole(log, written) == 2


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="Matplotlib is not installed")
def test_plots(tmp_path: Path) -> None:
    """What is kept can be drawn again, to the same bytes, and shows every contestant and every point."""
    result = json.loads((BENCHMARKS / "results" / "suite.json").read_text(encoding="utf-8"))
    drawn = []
    for name in ("once", "again"):
        folder = tmp_path / name
        folder.mkdir()
        plot.draw(result, folder)
        drawn.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert drawn[0] == drawn[1]
    texts = {name: data.decode() for name, data in drawn[0].items()}
    assert all(f">{who}</text>" in texts["suite.svg"] for who in result["contestants"])
    for across, points in result["growth"].items():
        for point in points:
            assert f">{point['at']:,}</text>" in texts[f"by-{across}.svg"]


def test_suite(tmp_path: Path) -> None:
    """A small run of some contestants: answers checked, ratios of what ran, results without the names of folders."""
    results = tmp_path / "results"
    suite.main(
        ["--size", "3MB", "--runs", "1", "--only", "typical", "--only", "gz", "--only", "read_csv",
         "--work", str(tmp_path), "--results", str(results)]
    )  # fmt: skip
    text, document = (results / "suite.md").read_text(), (results / "suite.json").read_text()
    assert {one["what"] for one in json.loads(document)["goals"]} == {
        "`ingest`, against the floor",
        "against DuckDB `read_csv`",
        "`gz` against `typical`",
    }
    assert "| ingest gz | 3 |" in text
    assert str(tmp_path) not in text + document


def test_profile_is_an_option_of_ingest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ingest --profile` prints the table, and runs no contestant."""
    assert ingest.main(["--profile", "--size", "2MB", "--work", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "| Parquet |" in said.out
    assert "to warm up" not in said.err


def test_stages(tmp_path: Path, log: Path) -> None:
    """The shares of the stages add up, and everything is put back."""
    before = [getattr(of, name) for _, of, name in stages.STAGES]
    table = stages.table(log, tmp_path, resolve("combined"), policy="security-12m")
    assert [getattr(of, name) for _, of, name in stages.STAGES] == before
    shares = [int(share) for share in re.findall(r"\| (-?\d+) % \|", table)]
    assert 90 <= sum(shares) <= 110
    assert {stage for stage, _, _ in stages.STAGES} <= set(re.findall(r"(?m)^\| ([^|]+) \|", table))
