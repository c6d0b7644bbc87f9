"""A lost ledger, made anew: what raw files prove is known again, and what they do not is said."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import stat
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from program import RECENT, ingest, line, lines, logscrub, numbers, rows

from logscrub.dataset import Dataset, locked, opened
from logscrub.errors import (
    BusyError,
    KeyFileError,
    LedgerError,
    OutputError,
    PolicyError,
    UsageError,
)
from logscrub.ledger_file import VERSION
from logscrub.run.expire import expire
from logscrub.run.prepare import Wishes
from logscrub.run.rebuild_ledger import rebuild_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logscrub.run.rebuild_ledger import Rebuilt

NOW = datetime.now(UTC)
IDENTITY = "id, head_len, head, chain, position, newest, format, site, state"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def quiet(path: Path, data: bytes) -> Path:
    """A file that nobody has touched for an hour."""
    path.write_bytes(data)
    past = time.time() - 3600
    os.utime(path, (past, past))
    return path


def rebuilt(
    out: Path, *paths: Path, lose: bool = True, force: bool = False, **wishes: Any
) -> Rebuilt:
    """Lose the ledger, and make it anew."""
    if lose:
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (out / name).unlink(missing_ok=True)
    return rebuild_ledger(
        Dataset(out), [str(path) for path in paths], Wishes(**wishes), now=NOW, force=force
    )


def asked(out: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the ledger says."""
    db = sqlite3.connect(out / "ledger.db")
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def identities(out: Path) -> list[tuple[Any, ...]]:
    """All by which the ledger recognises its sources."""
    return sorted(asked(out, f"SELECT {IDENTITY} FROM source"))


def counts(out: Path) -> list[tuple[Any, ...]]:
    """Where the lines of each source went, over all its batches."""
    return asked(
        out,
        "SELECT source, sum(lines), sum(rows), sum(blanks) FROM batch WHERE NOT replaced GROUP BY source ORDER BY source",
    )


def test_what_is_proven_is_known_again(tmp_path: Path, out: Path) -> None:
    """Files, archives and pipes, merged and not: after a rebuild their raw files add nothing, and grown ones only what is new."""
    plain = quiet(
        tmp_path / "a.log",
        lines(*range(30), when=RECENT - timedelta(days=1)) + lines(*range(30, 60)),
    )
    packed = tmp_path / "b.log.gz"
    packed.write_bytes(gzip.compress(lines(*range(100, 140))))
    piped = quiet(tmp_path / "piped.log", lines(*range(200, 230)))
    ingest(out, plain, packed)
    ingest(out, "-", stdin=piped.read_bytes()[:2000].rpartition(b"\n")[0] + b"\n")
    ingest(out, "-", stdin=piped.read_bytes())
    assert logscrub("compact", out).code == 0
    ingest(out, quiet(tmp_path / "c.log", lines(*range(300, 340))))
    before, segments = identities(out), asked(out, "SELECT * FROM segment ORDER BY name")
    everything = numbers(out)
    assert len(before) == 4
    assert any(len(json.loads(one[1])) > 1 for one in segments), "no segment has several sources"

    done = rebuilt(out, tmp_path)
    assert (done.unproven, done.strangers, done.kept) == ((), (), None)
    assert {one.path for one in done.proven} == {
        str(path) for path in (plain, packed, piped, tmp_path / "c.log")
    }
    assert identities(out) == before
    assert asked(out, "SELECT * FROM segment ORDER BY name") == segments

    assert logscrub("verify", out).code == 0
    again = ingest(out, tmp_path)
    assert again["totals"]["lines"] == 0
    assert {one["status"] for one in again["sources"]} == {"known"}
    assert ingest(out, "-", stdin=piped.read_bytes())["totals"]["rows"] == 0
    quiet(plain, plain.read_bytes() + lines(60, 61))
    assert ingest(out, plain)["totals"]["rows"] == 2
    assert numbers(out) == sorted([*everything, 60, 61])
    assert logscrub("compact", out).code == 0
    assert logscrub("status", out).code == 0
    assert numbers(out) == sorted([*everything, 60, 61])
    assert expire(Dataset(out), now=RECENT + timedelta(days=367)).plan.keep == ()
    assert numbers(out) == []


ODD = {
    "rejects and blank lines at the end": lines(*range(9)) + b"no line of a log\n\n\n",
    "rejects and blank lines between": lines(*range(9))
    + b"\n"
    + lines(11)
    + b"garbage\n" * 3
    + lines(12)
    + b"\n"
    + lines(13),
    "a first line that gives nothing": b"garbage\n\n" + lines(*range(40)),
    "no line end at the end": lines(*range(9)) + lines(9)[:-1],
    "half a line at the end": lines(*range(9)) + lines(9)[:40],
    "carriage returns": lines(*range(9)).replace(b"\n", b"\r\n"),
    "a line that is given up": lines(1, 2)
    + b"x" * (7 * 2**20)
    + b"\n"
    + lines(3)
    + b"x" * 70_000
    + b"\n\n",
    "such a line first and last": b"x" * (7 * 2**20)
    + b"\n"
    + lines(1)
    + b"x" * (7 * 2**20)
    + b"\n",
    "one visitor, one line, again and again": lines(1) * 50,
    "more than one block": lines(*range(50_000)),
}


@pytest.mark.parametrize("name", ODD)
def test_positions_are_those_of_the_lost_ledger(name: str, tmp_path: Path, out: Path) -> None:
    """Byte for byte the same position, hashes and counts, whatever else is in the file."""
    log = quiet(tmp_path / "a.log", ODD[name])
    ingest(out, log)
    before, lines_before = identities(out), counts(out)
    assert len(rebuilt(out, log).proven) == 1
    assert identities(out) == before
    assert counts(out) == lines_before
    assert ingest(out, log)["totals"]["lines"] == 0


def test_a_file_that_grew_before_the_rebuild_gives_its_rest(tmp_path: Path, out: Path) -> None:
    """Rows that were not stored yet are not taken for stored ones, across blocks; what gives no row needs no proof."""
    log = quiet(tmp_path / "a.log", lines(*range(40_000)))
    ingest(out, log)
    quiet(log, lines(*range(40_000)) + b"garbage\n\n" + lines(*range(40_000, 70_000)))
    (one,) = rebuilt(out, log).proven
    assert one.position == len(lines(*range(40_000)) + b"garbage\n\n")
    assert ingest(out, log)["totals"] == {
        "lines": 30_000, "rows": 30_000, "blanks": 0, "rejects": {}, "segments": 1,
        "formats": {"combined": 30_000},
    }  # fmt: skip
    assert numbers(out) == list(range(70_000))


def test_without_its_raw_file_a_source_is_unproven_and_would_be_read_again(
    tmp_path: Path, out: Path
) -> None:
    """Said by name and in plain words; a second rebuild proves what the first could not."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log)
    (source,) = {row[0] for row in identities(out)}
    (out / "ledger.db").unlink()
    done = logscrub("ledger", "rebuild", out)
    assert done.code == 0, done.err
    assert f"{source}\t20\tunproven\t\tno raw file was named" in done.out
    assert "if a raw file of theirs is ingested, its rows are there twice" in done.err
    assert "the log of deletions begins anew" in done.err
    assert asked(out, "SELECT state, head, chain, position FROM source") == [
        ("unproven", None, None, 0)
    ]
    (one,) = json.loads(logscrub("status", out, "--json").out)["sources"]
    assert (one["rows"], one["rows_kept"], one["state"]) == (20, 20, "unproven")

    second = rebuilt(out, log, lose=False, force=True)
    assert [one.source for one in second.proven] == [source]
    assert ingest(out, log)["totals"]["lines"] == 0

    rebuilt(out)
    assert ingest(out, log)["totals"]["rows"] == 20
    assert numbers(out) == sorted([*range(20), *range(20)])
    assert expire(Dataset(out), now=RECENT + timedelta(days=367)).plan.keep == ()


def test_the_error_names_the_command_and_the_old_ledger_is_kept(tmp_path: Path, out: Path) -> None:
    """Missing or damaged, a writer is told what to do; what was there is kept, private, under names of its own."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log)
    assert logscrub("ledger", "rebuild", out, log).code == UsageError.exit_code
    assert not list(out.glob("ledger.db.broken*"))
    for number in (1, 2):
        damage = b"not a database, not at all " * (100 * number)
        (out / "ledger.db").write_bytes(damage)
        (out / "ledger.db").chmod(0o644)
        refused = logscrub("ingest", log, "--out", out)
        assert refused.code == LedgerError.exit_code
        assert f"logscrub ledger rebuild {out}" in refused.err
        document = logscrub("ledger", "rebuild", out, log, "--json").document
        kept = out / f"ledger.db.broken-{number}"
        assert document["old_ledger"] == str(kept)
        assert kept.read_bytes() == damage
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE((out / "ledger.db").stat().st_mode) == 0o600
        assert [one["path"] for one in document["proven"]] == [str(log)]
    (out / "ledger.db").unlink()
    (out / "ledger.db-wal").write_bytes(b"left over")
    missing = logscrub("expire", out)
    assert missing.code == LedgerError.exit_code
    assert f"logscrub ledger rebuild {out}" in missing.err
    assert rebuilt(out, log, lose=False).kept is None
    assert (out / "ledger.db.broken-3-wal").read_bytes() == b"left over"
    assert ingest(out, log)["totals"]["lines"] == 0


def test_what_else_stops_it(tmp_path: Path, out: Path) -> None:
    """A newer ledger, a writer, a missing policy or instance key: nothing is changed."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log)
    with sqlite3.connect(out / "ledger.db") as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(LedgerError, match="version"):
        rebuilt(out, log, lose=False, force=True)
    with locked(Dataset(out), "ingest.lock"), pytest.raises(BusyError):
        rebuilt(out, log)
    shutil.move(out / "keys" / "instance.key", tmp_path)
    with pytest.raises(KeyFileError, match="instance key"):
        rebuilt(out, log)
    assert not (out / "keys" / "instance.key").exists()
    shutil.move(tmp_path / "instance.key", out / "keys")
    text = (out / "policy.toml").read_bytes()
    (out / "policy.toml").unlink()
    with pytest.raises(PolicyError, match="missing"):
        rebuilt(out, log)
    assert not (out / "ledger.db").exists()
    (out / "policy.toml").write_bytes(text)
    assert len(rebuilt(out, log).proven) == 1


def changed(data: bytes, place: int) -> bytes:
    """A log with one row that differs."""
    found = data.splitlines(keepends=True)
    found[place] = line(9999)
    return b"".join(found)


@pytest.mark.parametrize(
    "wrong",
    [
        changed(lines(*range(20)), 0),
        changed(lines(*range(20)), 19),
        lines(*range(19)),
        lines(*range(1, 21)),
        lines(99, *range(20)),
        lines(*range(19), 18),
        b"",
        b"PNG and so on\x00\n" * 9,
    ],
    ids=["first", "last", "shorter", "later", "one more", "another twice", "empty", "no log"],
)
def test_a_file_with_other_rows_proves_nothing(wrong: bytes, tmp_path: Path, out: Path) -> None:
    """One row more, less or different, and it is no proof."""
    ingest(out, quiet(tmp_path / "a.log", lines(*range(20))))
    done = rebuilt(out, quiet(tmp_path / "other.log", wrong))
    assert (len(done.unproven), len(done.others), done.proven) == (1, 1, ())


def test_logs_that_begin_alike_are_each_proven_by_a_file_of_their_own(
    tmp_path: Path, out: Path
) -> None:
    """Also where one is the beginning of the other, and a copy is no second source."""
    long, short = lines(*range(40)), lines(*range(20))
    first, second = quiet(tmp_path / "x.log", long), quiet(tmp_path / "y.log", short)
    ingest(out, first)
    ingest(out, second, "--distinct")
    other = quiet(tmp_path / "z.log", short.replace(b"203.0.113.1", b"203.0.113.2"))
    ingest(out, other, "--distinct")
    before = numbers(out)
    copy = tmp_path / "copy.log.gz"
    copy.write_bytes(gzip.compress(long))
    done = rebuilt(out, tmp_path)
    assert sorted(one.rows for one in done.proven) == [20, 20, 40]
    assert len(done.others) == 1
    assert ingest(out, first, second, other, copy)["totals"]["rows"] == 0
    assert numbers(out) == before


def test_tokens_count_while_their_keys_live_and_no_key_is_made(tmp_path: Path, out: Path) -> None:
    """Another visitor in every line is noticed as long as the key is there; a destroyed key leaves the rest of the row."""
    day = RECENT - timedelta(days=1)
    log = quiet(tmp_path / "a.log", lines(*range(20), when=day) + lines(*range(20, 40)))
    ingest(out, log, "--policy", "detection-90d")
    before = identities(out)
    stranger = quiet(tmp_path / "b.log", log.read_bytes().replace(b"203.0.113.1", b"203.0.113.2"))
    assert rebuilt(out, stranger).proven == ()
    assert logscrub("keys", "destroy", out, "--period", str(day.date())).code == 0
    keys = sorted(path.name for path in (out / "keys").iterdir())
    assert rebuilt(out, stranger).proven == ()
    assert len(rebuilt(out, log).proven) == 1
    assert identities(out) == before
    for path in (out / "keys").glob("token-*.key"):
        path.unlink()
    assert len(rebuilt(out, log).proven) == 1
    assert sorted(path.name for path in (out / "keys").iterdir()) == [
        name for name in keys if not (name.startswith("token") and name.endswith(".key"))
    ]


def test_sorted_rows_are_proven_too(tmp_path: Path, out: Path) -> None:
    """Where times are coarse the order of rows is lost; sums do not need it."""
    log = quiet(tmp_path / "a.log", lines(*range(50, 0, -1)))
    ingest(out, log, "--policy", "strict-30d")
    before = identities(out)
    assert len(rebuilt(out, log).proven) == 1
    assert identities(out) == before


def test_options_that_change_rows_have_to_be_named(tmp_path: Path, out: Path) -> None:
    """A tightened run is proven under the same setting, and not without it."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log, "--set", "address.ipv4_bits=8")
    assert rebuilt(out, log).proven == ()
    assert len(rebuilt(out, log, settings=("address.ipv4_bits=8",)).proven) == 1


def test_an_earlier_policy_and_expired_rows_are_named(tmp_path: Path, out: Path) -> None:
    """Each source that nothing proves has a reason."""
    old = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, old)
    wider = tmp_path / "wider.toml"
    wider.write_text((out / "policy.toml").read_text().replace("ipv4_bits = 24", "ipv4_bits = 16"))
    applied = logscrub("policy", "apply", out, "--policy", wider, "--reason", "a test")
    assert applied.code == 0, applied.err
    for number in (1, 2):
        data = lines(100, when=RECENT - timedelta(days=40)) + (lines(101) if number == 2 else b"")
        ingest(out, quiet(tmp_path / "b.log", data))
    assert len(expire(Dataset(out), now=RECENT + timedelta(days=340)).plan.remove) == 1
    assert numbers(out) == [*range(20), 101]
    done = rebuilt(out, old, tmp_path / "b.log")
    reasons = {one.rows: one.why for one in done.unproven}
    assert reasons[20] == "scrubbed under an earlier policy"
    assert "have expired" in reasons[1]
    assert logscrub("status", out).code == 0


def test_what_is_no_segment_is_left_where_it_is(tmp_path: Path, out: Path) -> None:
    """Damage, files of others, and a segment that was moved to a later day are named and not recorded."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log)
    segment = next((out / "data").rglob("*.parquet"))
    half = segment.read_bytes()
    footer = len(half) - 8 - int.from_bytes(half[-8:-4], "little")
    wrong = {
        segment.parent / "half.parquet": half[: len(half) // 2],
        segment.parent / "spoiled.parquet": half[:footer] + bytes(40) + half[footer + 40 :],
        segment.parent / "notes.txt": b"mine",
        out / "data" / "due=2999-01-01" / segment.parent.name / "moved.parquet": half,
        out / "data" / "top.parquet": half,
    }
    for path, content in wrong.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    done = rebuilt(out, log)
    assert {path for path, _ in done.strangers} == {str(path) for path in wrong}
    assert (len(done.proven), done.rows) == (1, 20)
    assert all(path.read_bytes() == content for path, content in wrong.items())


def test_a_footer_without_shares_makes_one_source_of_several(tmp_path: Path, out: Path) -> None:
    """The rows stay on record and go on their day; nothing is guessed."""
    logs = [quiet(tmp_path / f"{n}.log", lines(*range(n, n + 10))) for n in (0, 100)]
    ingest(out, *logs)
    assert logscrub("compact", out).code == 0
    (segment,) = (out / "data").rglob("*.parquet")
    table, said = pq.read_table(segment, partitioning=None), pq.read_metadata(segment).metadata
    with pq.ParquetWriter(segment, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        del said[b"logscrub.source_rows"]
        writer.add_key_value_metadata(said)
    done = rebuilt(out, *logs)
    ((one,),) = [done.unproven]
    assert (one.rows, one.source.count(",")) == (20, 1)
    assert "merged before" in one.why
    assert expire(Dataset(out), now=RECENT + timedelta(days=367)).deleted == 1
    assert rows_of(out) == []


def rows_of(out: Path) -> Sequence[tuple[Any, ...]]:
    return rows(out) if any((out / "data").rglob("*.parquet")) else []


def test_a_segment_that_cannot_be_read_stops_it(tmp_path: Path, out: Path) -> None:
    """Its rows are counted on in no proof; what to do is said, and nothing was changed."""
    log = quiet(tmp_path / "a.log", lines(*range(20)))
    ingest(out, log)
    segment = next((out / "data").rglob("*.parquet"))
    segment.write_bytes(segment.read_bytes()[:4] + bytes(200) + segment.read_bytes()[204:])
    with pytest.raises(OutputError, match="cannot be read"):
        rebuilt(out, log)
    assert not (out / "ledger.db").exists()


def test_damaged_archives_go_on_where_they_were(tmp_path: Path, out: Path) -> None:
    """Rows of intact members are proven, the intact archive adds its rest; salvaged rows are known as such."""
    whole = gzip.compress(lines(*range(50))) + gzip.compress(lines(*range(50, 90)))
    log = tmp_path / "a.log.gz"
    log.write_bytes(whole[:-30])
    assert logscrub("ingest", log, "--out", out).code == 3
    before = numbers(out)
    assert before == list(range(50))
    (one,) = rebuilt(out, log).proven
    assert one.position == len(lines(*range(50)))
    log.write_bytes(whole)
    ingest(out, log)
    assert numbers(out) == list(range(90))

    other = tmp_path / "other"
    log.write_bytes(whole[:-30])
    assert logscrub("ingest", log, "--out", other, "--salvage").code == 3
    (state,) = asked(other, "SELECT state FROM source")
    salvaged = identities(other)
    assert len(rebuilt(other, log).proven) == 1
    assert state == ("salvaged",)
    assert identities(other) == salvaged


def test_a_commit_that_was_under_way_is_finished_first(tmp_path: Path, out: Path) -> None:
    """With --force, a healthy ledger still says which staged files are committed."""
    log = quiet(tmp_path / "a.log", lines(*range(5)))
    ingest(out, log)
    segment = next((out / "data").rglob("*.parquet"))
    with sqlite3.connect(out / "ledger.db") as db:
        db.execute("UPDATE segment SET state = 'staged'")
    shutil.move(segment, out / "staging" / segment.name)
    done = rebuilt(out, log, lose=False, force=True)
    assert (done.rows, done.staged, len(done.proven)) == (5, 0, 1)
    with opened(Dataset(out)) as ledger:
        assert [one.name for one in ledger.segments("published")] == [segment.name]
