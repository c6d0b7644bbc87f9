"""`docs/formats.md` is what the catalogue says, its commands run, and its examples are read as it promises."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from program import RECENT, ingest, lines, logscrub, rows

from logscrub.formats import catalogue, notation
from logscrub.formats.catalogue import names, resolve
from logscrub.formats.explain import explain
from logscrub.formats.page import page
from logscrub.formats.wrappers import WRAPPERS

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def first_cells(head: str) -> list[str]:
    """The first cells of the table whose first column has this head, without their quotes."""
    table = PAGE[PAGE.index(f"\n| {head} |") :].split("\n\n")[0]
    return [line.split(" | ")[0].removeprefix("| ").strip("`") for line in table.splitlines()[3:]]


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


def test_the_page_is_made_from_the_catalogue() -> None:
    """Nobody edits it by hand: python -m logscrub.formats.page > docs/formats.md."""
    assert page() == PAGE


def test_the_tables_are_complete() -> None:
    """A row for each format, wrapper, key of a file and escape."""
    assert tuple(first_cells("name")) == names()
    assert first_cells("wrapper") == list(WRAPPERS)
    keys = set(
        re.findall(
            r"`(\w+)(?: = true)?`", " ".join(f"`{one}`" for one in first_cells("key of the file"))
        )
    )
    assert keys == catalogue._KEYS - {"name"}
    assert first_cells("escape") == list(notation.ESCAPES)


def test_each_row_names_the_personal_data_that_is_dropped() -> None:
    """Nothing that a format drops is missing in its row."""
    for name in names():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
        for what, fields in explain(name).dropped.items():
            assert what in row
            assert all(f"`{field}`" in row for field in fields)


def test_the_ways_to_name_a_format_are_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example of the first table is understood; so are the wrappers that the text names."""
    described(tmp_path)
    monkeypatch.chdir(tmp_path)
    table = PAGE[PAGE.index("| `--format` |") :].split("\n\n")[0].splitlines()[2:]
    examples = [re.findall(r"`'?(.+?)'?`", line.split(" | ", 1)[1])[0] for line in table]
    assert len(examples) == 6
    for one in [*examples, *re.findall(r"`((?:syslog|docker)/\S+)`", PAGE)]:
        assert resolve(one).layouts


def described(folder: Path) -> None:
    """The page's files, and a log of its example lines with a time of now."""
    now = RECENT.replace(microsecond=0)
    for text in blocks("toml"):
        (folder / text.split()[1]).write_text(text)
    (text,) = [one for one in blocks("text") if "shop.example" in one]
    (folder / "shop.log").write_text(text.replace("2026-11-21T12:00:00+00:00", now.isoformat()))
    (text,) = blocks("json")
    (folder / "app.log").write_text(text.replace("1795262400.5", f"{now.timestamp() + 0.5}"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the commands name."""
    folder = tmp_path_factory.mktemp("formats")
    described(folder)
    (folder / "access.log.1.gz").write_bytes(gzip.compress(lines(1, 2, 3)))
    common = lines(7).split(b' "https')[0] + b"\n"
    (folder / "mixed.log").write_bytes(lines(4, 5, 6) + common)
    error = (
        'open() "/srv/secret" failed (2: No such file or directory), client: 192.0.2.7, server: _'
    )
    (folder / "nginx-error.log").write_text(f"2026/11/21 12:00:00 [error] 12#34: *5 {error}\n")
    error = "[client 192.0.2.7:4711] AH00128: File does not exist: /srv/secret"
    (folder / "apache-error.log").write_text(f"[Sat Nov 21 12:00:00.123456 2026] [core:info] [pid 1:tid 2] {error}\n")  # fmt: skip
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_work(command: str, place: Path) -> None:
    """Each one as it is written, in a shell; nothing of the lines comes out."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=place, env={**os.environ, "PATH": path}, capture_output=True, check=False, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout
    assert not re.search(rb"192\.0\.2\.7|secret|jane|alice", done.stdout + done.stderr)


def test_there_are_commands() -> None:
    """The test above is not empty."""
    assert len(COMMANDS) >= 9


def test_the_examples_are_read_as_promised(tmp_path: Path) -> None:
    """A line of text and one of JSON, each by the file beside it."""
    described(tmp_path)
    for name in ("shop", "app"):
        ingest(tmp_path / name, tmp_path / f"{name}.log", "--format", tmp_path / f"{name}.toml")
    asked = "SELECT client_net, method, path, status, bytes_sent, duration_ms FROM logs"
    assert rows(tmp_path / "shop", asked) == [("192.0.2.0/24", "GET", "/cart", 200, 512, 34)]
    assert rows(tmp_path / "app", asked) == [("192.0.2.0/24", "GET", "/cart", 200, None, None)]


def test_a_mixed_file_is_counted_by_format(place: Path, tmp_path: Path) -> None:
    """As the page says, the summary has the rows of each format."""
    shutil.copy(place / "mixed.log", tmp_path)
    done = logscrub(
        "ingest", "mixed.log", "--out", "OUT", "--format", "combined,common", cwd=tmp_path
    )
    assert (done.code, "combined 3" in done.out + done.err, "common 1" in done.out + done.err) == (
        0,
        True,
        True,
    )
