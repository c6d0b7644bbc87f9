"""Laws of the figures: what Prometheus is told, what it never learns, and that alerts and dashboard ask for what exists."""

from __future__ import annotations

import errno
import http.client
import inspect
import json
import os
import re
import shutil
import socket
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from logscrub import __version__, errors
from logscrub.run import metrics
from logscrub.run.metrics import KINDS, Endpoint, Figures, Lag, kind_of, serve, write
from logscrub.schema import REASONS

CONFIGS = Path(__file__).parents[1] / "configs"
RULES = CONFIGS / "prometheus" / "logscrub.yml"
BOARD = CONFIGS / "grafana" / "logscrub.json"
PLANTED = "203.0.113.77"
METRICS = 18

FULL = Figures(
    lines=100, rows=90, rejects={"structure": 7, "time": 1}, blanks=2, bytes=12_345, segments=5, commits=4,
    errors={"full": 3, "clock": 1}, sources=(Lag("/var/log/a.log", 10, 1.5), Lag("/var/log/b.log", 0, 0)),
    open_sources=2, deleted_but_open_bytes=777, oldest_open=1.7e9, overdue=6, last_expiry=1.8e9, last_commit=1.9e9,
    paused=True,
)  # fmt: skip


def text_of(figures: Figures, folder: Path) -> str:
    """What the file for the node exporter says."""
    path = folder / "logscrub.prom"
    write(path, lambda: figures)
    return path.read_bytes().decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values of each sample, with its value; a repeated one is an error."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = (one.name, *one.labels.values())
            assert key not in found
            found[key] = one.value
    return found


def test_every_figure_is_told(tmp_path: Path) -> None:
    """Each field arrives under its name, in base units, and nothing else does."""
    found = samples(text_of(FULL, tmp_path))
    assert {key: value for key, value in found.items() if value} == {
        ("logscrub_build_info", __version__): 1,
        ("logscrub_lines_total",): 100,
        ("logscrub_rows_total",): 90,
        ("logscrub_blank_lines_total",): 2,
        ("logscrub_read_bytes_total",): 12_345,
        ("logscrub_segments_total",): 5,
        ("logscrub_commits_total",): 4,
        ("logscrub_rejects_total", "structure"): 7,
        ("logscrub_rejects_total", "time"): 1,
        ("logscrub_errors_total", "full"): 3,
        ("logscrub_errors_total", "clock"): 1,
        ("logscrub_open_sources",): 2,
        ("logscrub_deleted_open_bytes",): 777,
        ("logscrub_oldest_open_timestamp_seconds",): 1.7e9,
        ("logscrub_overdue_segments",): 6,
        ("logscrub_last_expiry_timestamp_seconds",): 1.8e9,
        ("logscrub_last_commit_timestamp_seconds",): 1.9e9,
        ("logscrub_paused",): 1,
        ("logscrub_lag_bytes", "/var/log/a.log"): 10,
        ("logscrub_lag_seconds", "/var/log/a.log"): 1.5,
    }
    zeros = {key for key, value in found.items() if not value}
    assert {("logscrub_rejects_total", str(reason)) for reason in REASONS} < zeros | set(found)
    assert ("logscrub_lag_bytes", "/var/log/b.log") in zeros


def test_every_metric_says_what_it_is(tmp_path: Path) -> None:
    """Counters end in `_total`, all have a sentence of help, and none comes from a registry of the process."""
    families = list(text_string_to_metric_families(text_of(FULL, tmp_path)))
    assert len(families) == METRICS
    for family in families:
        assert family.name.startswith("logscrub_")
        assert re.fullmatch(r"[A-Z0-9].+\.|[01] while .+\.", family.documentation)
        totals = [one.name.endswith("_total") for one in family.samples]
        assert set(totals) == {family.type == "counter"}


def test_what_is_not_known_is_not_told(tmp_path: Path) -> None:
    """Before the first commit and expiry there is no time of them; counters begin at zero, all kinds of them."""
    found = samples(text_of(Figures(), tmp_path))
    assert not [key for key in found if "timestamp" in key[0] or "lag" in key[0]]
    assert {key[1] for key in found if key[0] == "logscrub_errors_total"} == set(KINDS)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ('/log/a "b".log', '/log/a "b".log'),
        ("/log/a\\nb\\", "/log/a\\nb\\"),
        ("/log/a\nlogscrub_paused 1\n", "/log/a\nlogscrub_paused 1\n"),
        ("/log/a} 1\r", "/log/a} 1\r"),
        ("/log/é", "/log/é"),
        (os.fsdecode(b"/log/\xff"), "/log/\\xff"),
    ],
)
def test_any_path_survives_the_text(path: str, label: str, tmp_path: Path) -> None:
    """Quotes, line ends and bytes that are no text stay inside their label."""
    found = samples(text_of(Figures(sources=(Lag(path, 3, 4),)), tmp_path))
    assert found["logscrub_lag_bytes", label] == 3
    assert found["logscrub_lag_seconds", label] == 4
    assert found["logscrub_paused",] == 0


def test_lags_of_one_path_are_one(tmp_path: Path) -> None:
    """A rotated file and its successor have one name; Prometheus refuses an answer that repeats a series."""
    both = (Lag("/log/a", 10, 60), Lag("/log/a", 5, 2))
    found = samples(text_of(Figures(sources=both), tmp_path))
    assert found["logscrub_lag_bytes", "/log/a"] == 15
    assert found["logscrub_lag_seconds", "/log/a"] == 60


def test_words_that_are_on_no_list_are_not_told(tmp_path: Path) -> None:
    """Reasons and kinds are closed lists, so a value of a line cannot become a label even where one is handed in."""
    planted = {PLANTED: 2, "structure": 1}
    text = text_of(Figures(rejects=planted, errors=planted), tmp_path)
    assert PLANTED not in text
    found = samples(text)
    assert found["logscrub_rejects_total", "other"] == 2
    assert found["logscrub_errors_total", "other"] == 3
    labels = {
        name
        for family in text_string_to_metric_families(text_of(FULL, tmp_path))
        for one in family.samples
        for name in one.labels
    }
    assert labels == {"version", "reason", "kind", "source"}


def test_every_error_has_a_kind() -> None:
    """Errors are counted under a word of the list; one that is another's special case under its own."""
    ours = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.LogscrubError)
    ]
    assert {kind_of(kind("what")) for kind in ours} == set(KINDS) - {"clock"}
    assert kind_of(errors.FullError("what")) == "full"
    assert kind_of(errors.UsageError("what")) == "other"


# HTTP


def get(url: str, **headers: str) -> tuple[int, str]:
    """Status and text of an answer; proxies of the environment are left out."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("GET", place.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("address", ["0", ":0", "127.0.0.1:0", "localhost:0"])
def test_figures_are_served_on_this_machine(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are reached over loopback, without a note, and no request is logged; at the end nothing listens."""
    with serve(address, lambda: FULL) as place:
        assert place.note == ""
        status, text = get(place.url)
        assert status == 200
        assert samples(text)["logscrub_lines_total",] == 100
        newer = get(place.url, Accept="application/openmetrics-text; version=1.0.0")[1]
        assert len(list(openmetrics.text_string_to_metric_families(newer))) == METRICS  # type: ignore[no-untyped-call]
    with pytest.raises(ConnectionRefusedError):
        get(place.url)
    assert capfd.readouterr() == ("", "")


def test_brackets_hold_an_ipv6_address() -> None:
    """`[::1]:PORT` is served, and its URL has the brackets too."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serve("[::1]:0", lambda: FULL) as place:
        assert place.url.startswith("http://[::1]:")
        assert place.note == ""
        assert get(place.url)[0] == 200


def test_an_open_address_comes_with_a_warning() -> None:
    """Beyond loopback it says who will see what."""
    with serve("0.0.0.0:0", lambda: FULL) as place:
        assert re.match(r"anybody who can reach port \d+ sees the paths", place.note)
    assert isinstance(place, Endpoint)


@pytest.mark.parametrize(
    "address",
    [
        "", ":", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1", "127.0.0.1:65536", ":1 ", "٣",
        "::1:9641", "[::1]", "[]:9641", "[127.0.0.1:9641", "http://127.0.0.1:9641", "a@b:1", "a b:1", "a..b:9641",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused(address: str) -> None:
    """It is an error with a hint, and does not repeat what was given."""
    with pytest.raises(errors.UsageError) as caught, serve(address, Figures):
        pass
    assert caught.value.hint
    assert not address or address not in caught.value.what


def test_a_port_in_use_is_refused() -> None:
    """The error names the port and what to do."""
    with serve("0", Figures) as place:
        port = urlsplit(place.url).port
        with pytest.raises(errors.OutputError, match=f"port {port} .* in use") as caught:
            serve(f":{port}", Figures).__enter__()
        assert caught.value.hint


@pytest.mark.parametrize(
    ("failure", "kind", "what"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), errors.UsageError, "not one of this machine"),
        (OSError(errno.EADDRNOTAVAIL, ""), errors.UsageError, "not one of this machine"),
        (OSError(errno.EAFNOSUPPORT, ""), errors.UsageError, "not one of this machine"),
        (OSError(errno.EACCES, ""), errors.OutputError, "no permission"),
        (OSError(errno.EMFILE, ""), errors.OutputError, "EMFILE"),
    ],
)
def test_what_the_system_refuses_is_said(
    failure: OSError,
    kind: type[errors.LogscrubError],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every way in which listening fails is an error of ours with a hint."""

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(metrics, "start_http_server", fail)
    with pytest.raises(kind, match=what) as caught:
        serve("80", Figures).__enter__()
    assert caught.value.hint


def test_figures_that_fail_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The answer is an error without details, nothing is printed, and the next answer is a good one."""
    healthy = iter([False, True])

    def collect() -> Figures:
        if next(healthy):
            return FULL
        raise ValueError(PLANTED)

    with serve("0", collect) as place:
        status, text = get(place.url)
        assert status == 500
        assert PLANTED not in text
        assert get(place.url)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_clients_that_break_off_are_not_logged(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a reset nor a request that never comes prints an address, and neither stops the others."""
    monkeypatch.setattr(metrics, "_PATIENCE", 0.2)
    with serve("0", lambda: FULL) as place:
        target = ("127.0.0.1", urlsplit(place.url).port)
        with socket.create_connection(target, timeout=10) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET / HT")
        with socket.create_connection(target, timeout=10) as client:
            assert client.recv(1) == b""
        with socket.create_connection(target, timeout=10) as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert b"400" in client.recv(1000)
        assert get(place.url)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_scraping_while_figures_change() -> None:
    """Every answer is of one moment: what was read is what became of it, and totals never fall."""
    state = [Figures()]
    with serve("0", lambda: state[0]) as place, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(get, place.url) for _ in range(60)]
        number = 0
        while not all(one.done() for one in answers):
            number += 1
            lags = tuple(Lag(f"/log/{n}", number, number) for n in range(number % 7))
            state[0] = Figures(
                lines=6 * number,
                rows=3 * number,
                rejects={"time": 2 * number},
                blanks=number,
                sources=lags,
            )
    for status, text in (one.result() for one in answers):
        found = samples(text)
        assert status == 200
        assert found["logscrub_lines_total",] == (
            found["logscrub_rows_total",]
            + found["logscrub_rejects_total", "time"]
            + found["logscrub_blank_lines_total",]
        )
        assert len({value for key, value in found.items() if key[0].startswith("logscrub_lag")}) < 2


# the file


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    """It is another file each time, readable by all whatever the umask, and nothing else stays in the folder."""
    path = tmp_path / "logscrub.prom"
    (tmp_path / ".logscrub.prom.tmp").write_text("left by a run that was killed")
    old = os.umask(0o077)
    try:
        write(path, lambda: FULL)
        with path.open(encoding="utf-8") as reader:
            write(path, Figures)
            before = reader.read()
    finally:
        os.umask(old)
    assert samples(before)["logscrub_lines_total",] == 100
    assert samples(path.read_text())["logscrub_lines_total",] == 0
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """What somebody else put at the temporary name is removed, and where it points is left as it was."""
    other = tmp_path / "other"
    other.write_text("kept")
    (tmp_path / ".logscrub.prom.tmp").symlink_to(other)
    write(tmp_path / "logscrub.prom", lambda: FULL)
    assert other.read_text() == "kept"


@pytest.mark.parametrize("name", ["none/logscrub.prom", "folder", "x" * 255])
def test_a_file_that_cannot_be_written_is_an_error(name: str, tmp_path: Path) -> None:
    """No folder, a folder of that name, a name too long: an error of ours, and nothing is left behind."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(errors.OutputError) as caught:
        write(tmp_path / name, Figures)
    assert caught.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_figures_that_fail_leave_the_file(tmp_path: Path) -> None:
    """The old figures stay, so their age tells."""
    path = tmp_path / "logscrub.prom"
    write(path, lambda: FULL)

    def collect() -> Figures:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(path, collect)
    assert samples(path.read_text())["logscrub_lines_total",] == 100


# alerts and dashboard


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\blogscrub_[a-z_]+", text))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all metrics."""
    return {key[0] for key in samples(text_of(FULL, tmp_path_factory.mktemp("names")))}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, rows among them."""
    found: list[dict[str, Any]] = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
    return found


def test_alerts_ask_for_what_exists(rules: list[dict[str, Any]], names: set[str]) -> None:
    """Each name in an alert is a metric; each alert says how grave it is, what happened and what to do."""
    assert len({one["alert"] for one in rules}) == len(rules)
    for one in rules:
        assert names_in(one["expr"]) <= names, one["alert"]
        assert one["labels"]["severity"] in {"critical", "warning"}
        assert set(one["annotations"]) == {"summary", "description"}


def test_the_dashboard_shows_every_metric(panels: list[dict[str, Any]], names: set[str]) -> None:
    """Each name on the dashboard is a metric, and each metric is on the dashboard."""
    asked = [one["expr"] for panel in panels for one in panel.get("targets", ())]
    assert set().union(*map(names_in, asked)) == names
    variables = json.loads(BOARD.read_text(encoding="utf-8"))["templating"]["list"]
    assert [one["name"] for one in variables] == ["datasource", "instance"]
    assert names_in(json.dumps(variables)) <= names
    assert all('{instance=~"$instance"}' in one for one in asked)


def test_the_dashboard_is_well_laid_out(panels: list[dict[str, Any]]) -> None:
    """Rows and panels have ids of their own, lie side by side, and ask the source that the reader chose."""
    rows = [one["title"] for one in panels if one["type"] == "row"]
    assert rows == ["Overview", "Lag per source", "Commits and segments", "Retention", "Errors"]
    assert len({one["id"] for one in panels}) == len(panels)
    places = [one["gridPos"] for one in panels]
    assert all(one["x"] + one["w"] <= 24 for one in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels:
        for asking in (panel, *panel.get("targets", ())):
            assert panel["type"] == "row" or asking["datasource"] == chosen


def promtool(*arguments: object, text: str = "") -> tuple[int, str]:
    """Exit code of promtool and what it prints; without it, the test is left out."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (it comes with Prometheus)")
    done = subprocess.run(
        [program, *map(str, arguments)], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_prometheus_accepts_the_rules(rules: list[dict[str, Any]]) -> None:
    """`promtool check rules` reads all of them, expressions and templates."""
    code, said = promtool("check", "rules", RULES)
    assert code == 0, said
    assert f"{len(rules)} rules found" in said


def test_prometheus_accepts_the_metrics(tmp_path: Path) -> None:
    """`promtool check metrics` has nothing to say about names, units and help."""
    assert promtool("check", "metrics", text=text_of(FULL, tmp_path)) == (0, "")


MINUTES = 28 * 60
HEALTHY = {
    "logscrub_build_info": "1x",
    "logscrub_overdue_segments": "0x",
    "logscrub_last_expiry_timestamp_seconds": "0+60x",
    "logscrub_paused": "0x",
    "logscrub_lag_bytes": "900x",
    "logscrub_lag_seconds": "2x",
    "logscrub_commits_total": "0+12x",
    "logscrub_lines_total": "0+1000x",
    "logscrub_rejects_total": "0+1x",
    "logscrub_errors_total": "5x",
    "logscrub_deleted_open_bytes": "1000x",
    "up": "1x",
    "node_textfile_mtime_seconds": "0+60x",
}
"""A day of a run: each series with its value in the first minute, its growth per minute, and no end."""
EXTRA = {
    "logscrub_lag_bytes": ',source="/log/a"',
    "logscrub_rejects_total": ',reason="structure"',
    "logscrub_errors_total": ',kind="source"',
    "node_textfile_mtime_seconds": ',file="/prom/logscrub.prom"',
}


@pytest.mark.parametrize(
    ("change", "firing"),
    [
        ({}, []),
        ({"logscrub_overdue_segments": "1x"}, ["Overdue"]),
        ({"logscrub_last_expiry_timestamp_seconds": "0x"}, ["NoExpiry"]),
        ({"logscrub_last_expiry_timestamp_seconds": ""}, ["NeverExpired"]),
        ({"logscrub_paused": "1x"}, ["Paused"]),
        ({"logscrub_commits_total": "7x"}, ["Stalled"]),
        ({"logscrub_commits_total": "7x", "logscrub_lag_bytes": "0x"}, []),
        ({"logscrub_lag_seconds": "400x"}, ["Lag"]),
        ({"logscrub_rejects_total": "0+200x"}, ["Rejects"]),
        ({"logscrub_rejects_total": "0+0.1x", "logscrub_lines_total": "0+0.1x"}, []),
        ({"logscrub_errors_total": "0+1x"}, ["Errors"]),
        ({"logscrub_deleted_open_bytes": "2000000000x"}, ["DeletedOpen"]),
        ({"up": "0x"}, ["Down"]),
        ({"logscrub_build_info": ""}, ["Down"]),
        ({"node_textfile_mtime_seconds": "0x"}, ["FileStale"]),
    ],
)
def test_alerts_fire_when_they_should(
    change: dict[str, str], firing: list[str], tmp_path: Path
) -> None:
    """After a day in which one thing is wrong its alert fires and no other; when all is well, none does."""
    series = [
        {
            "series": f'{name}{{job="logscrub",instance="a"{EXTRA.get(name, "")}}}',
            "values": f"{values}{MINUTES}",
        }
        for name, values in (HEALTHY | change).items()
        if values
    ]
    asked = {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{MINUTES}m",
        "exp_samples": [
            {"labels": f'{{alertname="Logscrub{name}"}}', "value": 1} for name in firing
        ],
    }
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    path = tmp_path / "test.yml"
    rules = {"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": [test]}
    path.write_text(yaml.safe_dump(rules))
    code, said = promtool("test", "rules", path)
    assert code == 0, said


def test_every_alert_was_seen_to_fire(rules: list[dict[str, Any]]) -> None:
    """The table above has a case for each rule."""
    marks = test_alerts_fire_when_they_should.pytestmark  # type: ignore[attr-defined]
    cases = next(mark.args[1] for mark in marks if mark.name == "parametrize")
    fired = {f"Logscrub{name}" for _, names in cases for name in names}
    assert fired == {one["alert"] for one in rules}
