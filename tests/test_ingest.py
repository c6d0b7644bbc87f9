"""The main job: every line once, whatever the file is called, and nothing later than promised."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import zstandard
from program import RECENT as OLD
from program import count, ingest, line, lines, logscrub, numbers, rows

from logscrub.dataset import Dataset, create
from logscrub.run.ingest import writing
from logscrub.run.pinned import policy_of
from logscrub.run.pipe import ingest_pipe
from logscrub.run.prepare import Wishes, job_for
from logscrub.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress
    if hasattr(zstandard, "compress")
    else zstandard.ZstdCompressor().compress,
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def quiet(path: Path, data: bytes) -> Path:
    """A file that nobody has touched for an hour."""
    path.write_bytes(data)
    past = time.time() - 3600
    os.utime(path, (past, past))
    return path


def test_real_logs_are_accounted_for(cases: Path, long_policy: Path, out: Path) -> None:
    """Every line of the two public logs is a row or a counted reject."""
    logs = cases / "logs"
    totals = ingest(out, logs / "elastic_apache_logs", "--policy", long_policy)["totals"]
    assert (totals["lines"], totals["rows"], totals["rejects"]) == (10_000, 9_999, {"structure": 1})
    totals = ingest(out, logs / "hackers-access.log")["totals"]
    assert (totals["lines"], totals["rows"]) == (3_456, 3_456)
    assert count(out) == 13_455


def test_the_default_policy_refuses_logs_of_2015(cases: Path, out: Path) -> None:
    """A source past due is refused with the reason; no row appears; no option helps."""
    for extra in ((), ("--salvage",), ("--closed-at", "2015-05-20")):
        done = logscrub("ingest", cases / "logs" / "elastic_apache_logs", "--out", out, *extra)
        assert done.code == 7
        assert "was due on 2016-05-20" in done.err
    assert count(out) == 0


def test_rotation_sets_arrive_exactly_once(cases: Path, long_policy: Path, out: Path) -> None:
    """Plain, gz, bz2, xz, zst, in any name: the sum of the lines, and a second run adds nothing."""
    manifest = json.loads((cases / "logs/rotation-set/manifest.json").read_text())
    for one in manifest["sets"]:
        files = [cases / "logs/rotation-set" / name for name in one["files"]]
        target = out.with_name(f"set{one['lines']}")
        totals = ingest(target, *files, "--policy", long_policy)["totals"]
        assert (totals["lines"], totals["rows"]) == (one["lines"], one["lines"])
        assert ingest(target, *files)["totals"]["lines"] == 0
        assert count(target) == one["lines"]


@pytest.mark.parametrize("suffix", PACK)
def test_renamed_compressed_and_grown_sources_add_only_what_is_new(
    tmp_path: Path, out: Path, suffix: str
) -> None:
    """Identity is the decompressed bytes: name, compression and growth do not matter."""
    log = quiet(tmp_path / "access.log", lines(*range(20)))
    assert ingest(out, log)["totals"]["rows"] == 20
    renamed = log.rename(tmp_path / "access.log.1")
    assert ingest(out, renamed)["totals"]["rows"] == 0
    grown = lines(*range(20)) + lines(*range(20, 30))
    packed = quiet(tmp_path / f"access.log.2{suffix}", PACK[suffix](grown))
    document = ingest(out, packed)
    assert document["totals"]["rows"] == 10
    assert document["sources"][0]["note"] == "went on where the last run stopped"
    assert numbers(out) == list(range(30))


def test_a_pipe_of_a_known_archive_adds_nothing(tmp_path: Path, out: Path) -> None:
    """`zcat old.gz | logscrub ingest -` is recognised, also compressed, and grown by what is new."""
    log = quiet(tmp_path / "a.log", lines(*range(40)))
    ingest(out, log)
    assert ingest(out, "-", stdin=lines(*range(40)))["totals"]["lines"] == 0
    assert ingest(out, stdin=gzip.compress(lines(*range(40))))["totals"]["lines"] == 0
    assert logscrub("ingest", "-", "--out", out, stdin=lines(*range(30))).code == 6
    assert ingest(out, "-", stdin=lines(*range(45)))["totals"]["rows"] == 5
    assert numbers(out) == list(range(45))
    assert ingest(out, quiet(tmp_path / "b.log", lines(*range(50))))["totals"]["rows"] == 5
    assert numbers(out) == list(range(50))


def test_an_equal_beginning_is_another_source(tmp_path: Path, out: Path) -> None:
    """Same first kilobytes, then different: both are taken whole, by file and by pipe."""
    head = lines(*range(30))
    ingest(out, quiet(tmp_path / "one.log", head + lines(*range(100, 130))))
    ingest(out, quiet(tmp_path / "two.log", head + lines(*range(200, 230))))
    assert ingest(out, "-", stdin=head + lines(*range(300, 340)))["totals"]["rows"] == 70
    assert numbers(out) == sorted(
        [*range(30)] * 3 + [*range(100, 130), *range(200, 230), *range(300, 340)]
    )


def test_a_line_that_is_still_written_waits(tmp_path: Path, out: Path) -> None:
    """An unterminated last line of a live file is left; of a finished one it counts."""
    whole = lines(*range(10))
    log = tmp_path / "access.log"
    log.write_bytes(whole[:-20])
    assert ingest(out, log)["totals"]["rows"] == 9
    log.write_bytes(whole[:-1])
    assert ingest(out, log)["totals"]["rows"] == 0
    quiet(log, whole[:-1])
    assert ingest(out, log)["totals"]["rows"] == 1
    assert numbers(out) == list(range(10))


def test_due_is_a_year_after_the_newest_event(tmp_path: Path, out: Path) -> None:
    """All rows of a file share the due date of its newest event; files and pipes alike get no new year."""
    old = datetime(2026, 2, 27, 23, 59, 59, tzinfo=UTC)
    data = b"".join(line(n, when=old - timedelta(days=n)) for n in range(5))
    document = ingest(out, quiet(tmp_path / "a.log", data))
    assert {source["due"] for source in document["sources"]} == {"2027-02-27"}
    assert [str(r[0]) for r in rows(out, "SELECT DISTINCT due FROM logs")] == ["2027-02-27"]
    piped = ingest(out.with_name("piped"), "-", stdin=data)
    assert piped["sources"][0]["due"] == "2027-02-27"


def test_closed_at_moves_the_due_date_only_earlier(tmp_path: Path, out: Path) -> None:
    """An earlier closure counts; a later one is refused or ignored, never followed."""
    when = datetime.now(UTC) - timedelta(days=10)
    log = quiet(tmp_path / "a.log", lines(1, 2, when=when))
    earlier = (when - timedelta(days=5)).date()
    document = ingest(out, log, "--closed-at", earlier)
    assert document["sources"][0]["closure"] == str(earlier)
    other = out.with_name("other")
    done = logscrub(
        "ingest", log, "--out", other, "--closed-at", (when + timedelta(days=3)).date(), "--json"
    )
    closures = [source["closure"] for source in done.document["sources"]] if done.code == 0 else []
    assert str((when + timedelta(days=3)).date()) not in closures


def test_events_in_the_future_close_nothing_later_than_now(tmp_path: Path, out: Path) -> None:
    """A clock that ran ahead does not buy time."""
    ahead = datetime.now(UTC) + timedelta(days=100)
    document = ingest(out, quiet(tmp_path / "a.log", lines(1, when=ahead)))
    assert date.fromisoformat(document["sources"][0]["closure"]) <= datetime.now(UTC).date()


def test_every_file_has_every_column_and_no_arrow_schema(tmp_path: Path, out: Path) -> None:
    """Version 1 columns in order, plain strings, provenance in the footer, no content hash."""
    ingest(out, quiet(tmp_path / "a.log", lines(1, 2)))
    for path in (out / "data").rglob("*.parquet"):
        found = pq.ParquetFile(path)
        assert found.schema_arrow.names == COLUMNS.names
        assert [str(f.type) for f in found.schema_arrow] == [str(f.type) for f in COLUMNS]
        keys = {key.decode() for key in found.metadata.metadata}
        assert "ARROW:schema" not in keys
        assert {
            "logscrub.due",
            "logscrub.closure",
            "logscrub.sources",
            "logscrub.policy_digest",
        } <= keys
        assert not {key for key in keys if "sha" in key or "offset" in key or "hash" in key}


def test_a_folder_takes_access_logs_and_lists_what_it_leaves(
    cases: Path, long_policy: Path, out: Path
) -> None:
    """Error logs are left by name and by content; named directly they are refused."""
    document = ingest(out, cases / "logs/live-servers/nginx-1.22.1", "--policy", long_policy)
    assert {one["why"] for one in document["left"] if one["path"].endswith("error.log")} == {
        "error log"
    }
    done = logscrub("ingest", cases / "logs/live-servers/apache-2.4.71/error.log", "--out", out)
    assert done.code == 5
    assert "error log" in done.err


def test_sources_of_a_policy_give_ten_vhosts_their_names(tmp_path: Path, out: Path) -> None:
    """`{site}` in a path pattern names the site; plain combined logs keep theirs apart."""
    for number in range(10):
        quiet(tmp_path / f"www{number}.example.access.log", lines(number))
    policy = tmp_path / "p.toml"
    text = logscrub("policy", "show", "security-12m").out
    policy.write_text(f'{text}\n[[sources]]\npath = "{tmp_path}/{{site}}.access.log*"\n')
    assert ingest(out, "--policy", policy)["totals"]["rows"] == 10
    found = rows(out, "SELECT DISTINCT site FROM logs ORDER BY 1")
    assert [row[0] for row in found] == [f"www{number}.example" for number in range(10)]


def test_jobs_give_the_same_rows(tmp_path: Path, out: Path) -> None:
    """Several workers: same rows as one, also when files begin alike or are copies."""
    files = [
        quiet(tmp_path / f"{n}.log.gz", gzip.compress(lines(*range(n * 10, n * 10 + 10))))
        for n in range(5)
    ]
    files.append(quiet(tmp_path / "copy.log", lines(*range(10))))
    files.append(quiet(tmp_path / "grown.log", lines(*range(15))))
    totals = ingest(out, *files, "--jobs", "3")["totals"]
    assert numbers(out) == sorted([*range(50)] + ([*range(10, 15)] if totals["rows"] == 55 else []))
    assert totals["rows"] == 55


def test_replace_swaps_rows_and_never_prolongs(tmp_path: Path, out: Path) -> None:
    """After a change of policy the source is read again; the due date stays or comes earlier."""
    log = quiet(tmp_path / "a.log", lines(*range(30)))
    ingest(out, log, "--closed-at", (OLD - timedelta(days=20)).date())
    before = rows(out, "SELECT DISTINCT due FROM logs")
    assert (
        logscrub("policy", "apply", out, "--policy", "details-12m", "--reason", "new notice").code
        == 0
    )
    assert ingest(out, log)["totals"]["rows"] == 0
    assert ingest(out, log, "--replace")["totals"]["rows"] == 30
    assert numbers(out) == list(range(30))
    assert rows(out, "SELECT DISTINCT due FROM logs") == before
    assert rows(out, "SELECT DISTINCT os FROM logs") == [("Linux",)]
    assert logscrub("ingest", "-", "--replace", "--out", out, stdin=lines(1)).code == 2


def test_another_policy_is_refused_with_the_difference(tmp_path: Path, out: Path) -> None:
    """One dataset, one policy: the message names what differs and the cure."""
    log = quiet(tmp_path / "a.log", lines(1))
    ingest(out, log)
    done = logscrub("ingest", log, "--out", out, "--policy", "strict-30d")
    assert done.code == 4
    assert "time.precision" in done.err
    assert "policy apply" in done.err


def test_set_tightens_one_run_and_is_recorded(tmp_path: Path, out: Path) -> None:
    """`--set` may only tighten, is typed, and stands in the summary."""
    log = quiet(tmp_path / "a.log", lines(1))
    document = ingest(out, log, "--set", "time.precision=hour")
    assert document["policy"]["settings"] == ["time.precision=hour"]
    assert rows(out, "SELECT DISTINCT minute(timestamp), second(timestamp) FROM logs") == [(0, 0)]
    for bad in ("time.precision=millisecond", "time.precison=hour", "address.ipv4_bits=many"):
        assert logscrub("ingest", log, "--out", out, "--set", bad).code == 4


def test_tokens_differ_by_day_and_repeat_within_it(tmp_path: Path, out: Path) -> None:
    """detection-90d: a keyed token per day instead of the network; the key is not in the Parquet."""
    first, second = datetime.now(UTC) - timedelta(days=4), datetime.now(UTC) - timedelta(days=2)
    ingest(
        out,
        quiet(
            tmp_path / "a.log",
            b"".join(
                line(number, when=when, address="203.0.113.9")
                for number, when in ((1, first), (2, first), (3, second))
            ),
        ),
        "--policy",
        "detection-90d",
    )
    found = rows(out, "SELECT bytes_sent, client_token, client_net FROM logs ORDER BY 1")
    assert found[0][1] == found[1][1] != found[2][1]
    assert {row[2] for row in found} == {None}
    keys = b"".join(path.read_bytes() for path in (out / "keys").iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in (out / "keys").iterdir())
    parquet = b"".join(path.read_bytes() for path in (out / "data").rglob("*.parquet"))
    assert not any(bytes.fromhex(key.decode()) in parquet or key in parquet for key in keys.split())


def test_a_period_whose_key_time_is_over_gives_null_tokens(tmp_path: Path, out: Path) -> None:
    """Rows of a day whose key would be gone already carry no token."""
    old = datetime.now(UTC) - timedelta(days=60)
    ingest(
        out, quiet(tmp_path / "a.log", lines(1, when=old) + lines(2)), "--policy", "detection-90d"
    )
    found = rows(out, "SELECT client_token IS NULL FROM logs ORDER BY bytes_sent")
    assert [row[0] for row in found] == [True, False]


def test_rows_are_sorted_where_their_order_would_tell_the_time(tmp_path: Path, out: Path) -> None:
    """strict-30d: hours, sorted by all columns, bytes in powers of two, first path segment."""
    when = OLD.replace(minute=0, second=0)
    data = b"".join(
        line(
            n,
            when=when + timedelta(seconds=97 * n % 3000),
            path=f"/{'zyxw'[n % 4]}/deep",
            address=f"192.0.2.{n}",
        )
        for n in range(40)
    )
    ingest(out, quiet(tmp_path / "a.log", data), "--policy", "strict-30d")
    found = rows(out, "SELECT path, bytes_sent, client_net, ip_version FROM logs")
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert {row[1] for row in found} <= {0, 1, 2, 4, 8, 16, 32}
    assert {row[2:] for row in found} == {(None, None)}


def spawn(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "logscrub", *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signals_commit_what_was_read(out: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end a pipe with its whole lines committed, and no half line."""
    process = spawn("ingest", "-", "--out", out, "--flush", "60")
    assert process.stdin
    process.stdin.write(lines(1, 2, 3) + b"203.0.113.9 - - [half")
    process.stdin.flush()
    wait_for(lambda: (out / "ingest.lock").exists() and (out / "ledger.db").exists())
    time.sleep(1)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert numbers(out) == [1, 2, 3]
    assert b"21 bytes were read and not committed" in err


def test_a_signal_to_workers_commits_what_was_begun(tmp_path: Path, out: Path) -> None:
    """Ctrl-C in a run with several workers: no traceback, nothing lost, the next run takes the rest, each line once."""
    files = [
        quiet(tmp_path / f"{n}.log", lines(*range(n * 4000, n * 4000 + 4000)) * 8) for n in range(6)
    ]
    process = spawn("ingest", *files, "--out", out, "--jobs", "2")
    wait_for(
        lambda: (
            any((out / "staging").glob("*")) or any((out / "data").glob("*"))
            if out.exists()
            else False
        )
    )
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {0, 130}
    assert b"Traceback" not in err
    totals = ingest(out, *files)["totals"]
    assert count(out) == 6 * 32_000
    assert totals["rows"] <= 6 * 32_000
    assert list((out / "staging").iterdir()) == []


def test_a_row_is_committed_within_the_flush_time(out: Path) -> None:
    """A reader sees the row while the pipe is still open."""
    process = spawn("ingest", "-", "--out", out, "--flush", "0.5")
    assert process.stdin
    process.stdin.write(lines(1))
    process.stdin.flush()
    wait_for(lambda: numbers(out) == [1] if out.exists() else False)
    process.stdin.write(lines(2))
    process.stdin.close()
    assert process.wait(30) == 0
    assert numbers(out) == [1, 2]
    for stream in (process.stdout, process.stderr):
        assert stream
        stream.close()


def test_the_flush_time_runs_from_the_arrival(out: Path) -> None:
    """Rows that came in while modules were loaded have waited since then, not since the modules are there."""
    dataset, now = Dataset(out), datetime.now(UTC)
    create(dataset)
    policy = policy_of(dataset, "")
    job = job_for(dataset, policy, Wishes(), now=now)
    seen = []

    def chunks() -> Iterator[bytes]:
        yield lines(1)
        seen.append(numbers(out))
        yield lines(2)
        seen.append(numbers(out))

    with writing(dataset, policy, stamp=job.stamp) as (ledger, _):
        came = time.monotonic() - 61
        ingest_pipe(dataset, ledger, chunks(), job, flush=60, began=came)
    assert seen == [[1], [1]]
    assert numbers(out) == [1, 2]


def test_a_second_writer_is_told_and_expire_works_beside_the_first(
    tmp_path: Path, out: Path
) -> None:
    """One writer holds the dataset; expire, status and query do not need it to end."""
    process = spawn("ingest", "-", "--out", out, "--flush", "0.2")
    assert process.stdin
    process.stdin.write(lines(1))
    process.stdin.flush()
    wait_for(lambda: numbers(out) == [1] if out.exists() else False)
    second = logscrub("ingest", quiet(tmp_path / "a.log", lines(2)), "--out", out)
    assert second.code == 10
    assert "another logscrub process" in second.err
    assert logscrub("expire", out).code == 0
    assert logscrub("status", out).code == 0
    process.communicate(lines(3), timeout=30)
    assert numbers(out) == [1, 3]


def test_a_crash_before_and_after_the_commit_is_rolled_forward(tmp_path: Path, out: Path) -> None:
    """What the ledger holds appears; what it does not hold is cleared away; nothing twice."""
    ingest(out, quiet(tmp_path / "a.log", lines(*range(5))))
    segment = next((out / "data").rglob("*.parquet"))

    with sqlite3.connect(out / "ledger.db") as db:
        db.execute("UPDATE segment SET state = 'staged'")
    shutil.move(segment, out / "staging" / segment.name)
    (out / "staging" / "left-over.parquet").write_bytes(b"half")
    done = logscrub("ingest", quiet(tmp_path / "b.log", lines(*range(5, 9))), "--out", out)
    assert done.code == 0
    assert "cleared away 1 files" in done.err
    assert numbers(out) == list(range(9))
    assert list((out / "staging").iterdir()) == []


def test_a_lost_segment_or_ledger_stops_every_writer(tmp_path: Path, out: Path) -> None:
    """A missing ledger beside data is never started anew."""
    ingest(out, quiet(tmp_path / "a.log", lines(1)))
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (out / name).unlink(missing_ok=True)
    done = logscrub("ingest", quiet(tmp_path / "b.log", lines(2)), "--out", out)
    assert done.code == 9
    (out / "ledger.db").write_bytes(b"not a database, not at all " * 100)
    assert logscrub("ingest", tmp_path / "b.log", "--out", out).code == 9
    assert numbers(out) == [1]


def test_small_pipes_leave_no_hash_behind(out: Path, tmp_path: Path) -> None:
    """No hash over less than 1,024 bytes outlives the raw file."""
    log = quiet(tmp_path / "tiny.log", lines(1, 2))
    ingest(out, "-", stdin=lines(7))
    ingest(out, log)
    with sqlite3.connect(out / "ledger.db") as db:
        found = dict(db.execute("SELECT path, head IS NULL AND chain IS NULL FROM source"))
    assert found == {"-": 1, str(log): 0}
    log.unlink()
    ingest(out, quiet(tmp_path / "other.log", lines(*range(20, 40))))
    with sqlite3.connect(out / "ledger.db") as db:
        assert dict(db.execute("SELECT path, head IS NULL FROM source"))[str(log)] == 1


def test_a_format_that_changed_is_refused_and_not_left(tmp_path: Path, out: Path) -> None:
    """In a folder, an access log that no format reads, or a known file that goes on differently, is an error."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    good = quiet(folder / "access.log", lines(*range(20)))
    quiet(folder / "notes.txt", b"these are notes\nand more of them\n")
    done = logscrub("ingest", folder, "--out", out, "--json")
    assert done.code == 0
    assert [one["path"] for one in done.document["left"]] == [str(folder / "notes.txt")]
    quiet(good, lines(*range(20)) + b"something else entirely\n" * 50)
    assert logscrub("ingest", folder, "--out", out, "-q").code == 5
    quiet(folder / "other.access.log", b"one two three\n" * 50)
    assert logscrub("ingest", folder, "--out", out, "-q").code == 5
    assert numbers(out) == list(range(20))


def test_an_edited_or_lost_policy_is_noticed(tmp_path: Path, out: Path) -> None:
    """The ledger knows what was applied: an edited policy.toml stops a writer, a lost one is written again."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log)
    text = (out / "policy.toml").read_text()
    (out / "policy.toml").write_text(text.replace('"12 months"', '"120 months"'))
    done = logscrub("ingest", log, "--out", out)
    assert (done.code, "policy apply" in done.err) == (4, True)
    (out / "policy.toml").unlink()
    assert logscrub("expire", out).code == 0
    assert logscrub("status", out).code == 0
    assert logscrub("ingest", log, "--out", out, "--policy", "details-12m").code == 4
    assert logscrub("ingest", log, "--out", out).code == 0
    assert (out / "policy.toml").read_text() == text


def test_a_first_run_that_takes_nothing_decides_nothing(tmp_path: Path, out: Path) -> None:
    """A typo in the path does not pin the policy of the next run."""
    assert logscrub("ingest", tmp_path / "typo.log", "--out", out).code == 6
    ingest(out, quiet(tmp_path / "a.log", lines(1)), "--policy", "strict-30d")
    assert 'name = "strict-30d"' in (out / "policy.toml").read_text()


def test_status_misses_what_is_gone_and_apply_says_what_will_go(tmp_path: Path, out: Path) -> None:
    """Segments that vanished are an error of their own; a shorter policy says what it makes due."""
    old = datetime.now(UTC) - timedelta(days=60)
    log = quiet(tmp_path / "a.log", lines(*range(5), when=old))
    ingest(out, log)
    applied = logscrub("policy", "apply", out, "-p", "strict-30d", "--dry-run")
    assert "1 segments with 5 rows would be due at once" in applied.out
    assert logscrub("policy", "apply", out, "-p", "details-12m").code == 2
    shutil.rmtree(next((out / "data").iterdir()))
    done = logscrub("status", out, "--json")
    assert (done.code, done.document["missing"]) == (9, 1)


def test_raw_logs_are_found_from_anywhere(tmp_path: Path, out: Path) -> None:
    """Paths are kept absolute: a relative one would look deleted from another folder."""
    quiet(tmp_path / "a.log", lines(1))
    assert logscrub("ingest", "a.log", "--out", out, cwd=tmp_path).code == 0
    (raw,) = logscrub("status", out, "--json", cwd=tmp_path.parent).document["outside"]
    assert (raw["path"], raw["present"]) == (str(tmp_path / "a.log"), True)


def test_sites_whose_logs_begin_alike_keep_all_their_lines(tmp_path: Path, out: Path) -> None:
    """A shorter file of another name is never skipped in silence: it may be a log of its own."""
    checks = lines(*range(12))
    ingest(out, quiet(tmp_path / "one.access.log", checks + lines(*range(100, 120))))
    other = quiet(tmp_path / "two.access.log", checks + lines(*range(200, 205)))
    done = logscrub("ingest", other, "--out", out)
    assert (done.code, "--distinct" in done.err) == (6, True)
    assert ingest(out, other, "--distinct")["totals"]["rows"] == 17
    assert ingest(out, other, "--distinct")["totals"]["rows"] == 0
    rotated = quiet(tmp_path / "one.access.log.1", checks + lines(*range(100, 105)))
    assert ingest(out, rotated)["sources"][0]["note"] == "already read, further than this copy goes"
    assert numbers(out) == sorted([*range(12)] * 2 + [*range(100, 120), *range(200, 205)])


def test_a_small_file_is_known_wherever_it_was_moved(tmp_path: Path, out: Path) -> None:
    """Its hashes live as long as the raw file, not as long as its first name."""
    log = quiet(tmp_path / "access.log", lines(1, 2))
    ingest(out, log)
    for name in ("access.log.1", "access.log.2"):
        log = log.rename(tmp_path / name)
        assert ingest(out, log)["totals"]["rows"] == 0
    (raw,) = logscrub("status", out, "--json").document["outside"]
    assert (raw["path"], raw["present"]) == (str(log), True)
    assert numbers(out) == [1, 2]
