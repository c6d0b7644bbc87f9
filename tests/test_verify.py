"""Whatever was tampered with is found, what is intact is left in peace, and no value of the data is told."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import RECENT, ingest, lines, logscrub

from logscrub.dataset import Dataset
from logscrub.errors import LedgerError, VerifyError
from logscrub.run import verify as verify_module
from logscrub.run.compact import compact
from logscrub.run.expire import expire
from logscrub.run.leaks import leaks
from logscrub.run.verify import verify
from logscrub.schema import COLUMNS
from logscrub.sink import completed, created

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime.now(UTC)
STAMP = NOW.isoformat(timespec="seconds")
OLD = RECENT - timedelta(days=30)
"""Rows of then are due a month earlier."""
PART = OLD + timedelta(days=370)
"""When those are due, and no others."""


def log(folder: Path, name: str, data: bytes) -> Path:
    """A log that nobody has touched for an hour."""
    path = folder / name
    path.write_bytes(data)
    os.utime(path, (NOW.timestamp() - 3600,) * 2)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources with a segment each, one of them due a month before the others."""
    folder = tmp_path_factory.mktemp("made")
    logs = [
        log(folder, "a.log", lines(*range(10)) + b"broken\n\n"),
        log(folder, "b.log", lines(*range(100, 110))),
        log(folder, "c.log", lines(*range(200, 210), when=OLD)),
    ]
    ingest(folder / "out", *logs)
    return folder / "out"


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(made, tmp_path / "out"))


def found(out: Path, *, now: datetime = NOW, quick: bool = False) -> list[str]:
    """The codes of what is found, each once, sorted."""
    return sorted({one.code for one in verify(Dataset(out), now=now, quick=quick).findings})


def edit(out: Path, *statements: str) -> None:
    """Change the ledger behind the program's back."""
    with sqlite3.connect(out / "ledger.db") as db:
        for statement in statements:
            assert db.execute(statement).rowcount >= 1, statement
    db.close()


def ask(out: Path, sql: str) -> list[Any]:
    """One row of the ledger."""
    with sqlite3.connect(out / "ledger.db") as db:
        row = list(db.execute(sql).fetchone())
    db.close()
    return row


def segments(out: Path) -> list[Path]:
    """The files of the dataset; the first is due first."""
    return sorted((out / "data").rglob("*.parquet"))


def settle(out: Path, path: Path) -> None:
    """Let the ledger say what a file that was tampered with is like."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(
        out,
        f"UPDATE segment SET bytes = {path.stat().st_size}, sha256 = '{digest}' WHERE name = '{path.name}'",
    )


def rewrite(out: Path, change: Callable[[pa.Table], pa.Table], **footer: str) -> Path:
    """Write the first file anew, as if logscrub had written it so."""
    path = segments(out)[0]
    table = pq.read_table(path, partitioning=None)
    said = {
        key.decode(): text.decode()
        for key, text in pq.read_metadata(path).metadata.items()
        if key.startswith(b"logscrub.")
    }
    table = change(table)
    path.unlink()
    file, writer = created(path, table.schema)
    writer.write_table(table)
    completed(file, writer, said | {f"logscrub.{key}": text for key, text in footer.items()})
    settle(out, path)
    return path


def with_cell(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """Put a value into two rows of a column."""

    def change(table: pa.Table) -> pa.Table:
        cells = [value, value, *table.column(column).to_pylist()[2:]]
        place = COLUMNS.names.index(column)
        return table.set_column(
            place, COLUMNS.field(column), pa.array(cells, COLUMNS.field(column).type)
        )

    return change


def test_what_is_intact_holds(out: Path) -> None:
    """The summary counts what is there; the code is 0; nothing is changed."""
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    done = logscrub("verify", out)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{out}: 3 segments, 30 rows: everything holds\n"
    assert logscrub("verify", out, "--quiet").out == ""
    document = logscrub("verify", out, "--json", "--quick").document
    assert (document["holds"], document["segments"], document["rows"]) == (True, 3, 30)
    assert (document["findings"], document["notes"]) == ([], [])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_it_holds_after_compact_expire_and_replace(made: Path, out: Path) -> None:
    """Rows move between segments, go on their day, and are read again: every account still adds up."""
    dataset, folder = Dataset(out), made.parent
    assert compact(dataset, stamp=STAMP).before == 2
    assert found(out) == []
    ingest(out, folder / "a.log", "--replace")
    assert found(out) == []
    compact(dataset, stamp=STAMP)
    assert expire(dataset, now=PART).deleted == 1
    assert found(out, now=PART) == []
    ingest(out, folder / "b.log", "--replace")
    assert found(out, now=PART) == []
    grown = (folder / "b.log").read_bytes() + lines(300, 301)
    ingest(out, log(out.parent, "b.log", grown))
    ingest(out, "-", stdin=lines(*range(400, 420)))
    assert found(out, now=PART) == []
    assert expire(dataset, now=RECENT + timedelta(days=400)).deleted > 1
    result = verify(dataset, now=RECENT + timedelta(days=400))
    assert (result.segments, result.rows, result.findings, result.notes) == (0, 0, (), ())


@pytest.mark.parametrize("policy", ["details-12m", "detection-90d", "strict-30d"])
def test_every_profile_holds(policy: str, tmp_path: Path) -> None:
    """Tokens, keys, sorted rows and columns that are kept or not: nothing of it is taken for a leak."""
    out = tmp_path / "out"
    ingest(out, log(tmp_path, "a.log", lines(*range(20))), "--policy", policy)
    ingest(out, log(tmp_path, "b.log", lines(*range(50, 60))), "--set", "request.status=false")
    compact(Dataset(out), stamp=STAMP)
    assert found(out) == []


def test_rows_of_an_earlier_policy_keep_what_it_let_them_keep(made: Path, out: Path) -> None:
    """A narrower policy makes no leak of what is there; what is read under it must be as narrow."""
    policy = out.parent / "narrow.toml"
    text = (out / "policy.toml").read_text()
    policy.write_text(text.replace("ipv4_bits = 24", "ipv4_bits = 16"))
    assert (
        logscrub("policy", "apply", out, "--policy", policy, "--reason", "less is enough").code == 0
    )
    assert found(out) == []
    ingest(out, made.parent / "a.log", "--replace")
    assert found(out) == []
    edit(
        out,
        f"UPDATE segment SET policy = '{ask(out, 'SELECT digest FROM policy_change ORDER BY id DESC')[0]}'",
    )
    assert found(out) == ["address", "footer"]


def test_real_logs_leave_nothing_that_looks_like_a_leak(
    cases: Path, long_policy: Path, tmp_path: Path
) -> None:
    """Attacks, versions, dates and odd names of two public logs raise no alarm."""
    out = tmp_path / "out"
    ingest(out, cases / "logs" / "elastic_apache_logs", "--policy", long_policy)
    ingest(out, cases / "logs" / "hackers-access.log")
    assert found(out) == []


def spoil(out: Path, path: Path) -> None:
    path.write_bytes(b"PAR1")
    settle(out, path)


def replaced_by_link(path: Path, elsewhere: Path) -> None:
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


TAMPERED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a file is deleted": (lambda out: segments(out)[0].unlink(), ["missing"]),
    "a file is cut": (lambda out: os.truncate(segments(out)[0], 100), ["changed"]),
    "a file that is no Parquet": (lambda out: spoil(out, segments(out)[0]), ["unreadable"]),
    "a stray file": (lambda out: (segments(out)[0].parent / "x.parquet").touch(0o640), ["unknown"]),
    "a stray file at the top": (lambda out: (out / "data" / "notes.txt").touch(0o640), ["unknown"]),
    "a stray folder": (lambda out: (out / "data" / "due=2099-01-01").mkdir(0o750), ["unknown"]),
    "a link in place of a file": (
        lambda out: replaced_by_link(segments(out)[0], out / "x"),
        ["missing", "unknown"],
    ),
    "a file in the wrong folder": (
        lambda out: segments(out)[0].rename(segments(out)[-1].parent / segments(out)[0].name),
        ["misplaced"],
    ),
    "a file twice": (
        lambda out: shutil.copy2(segments(out)[0], segments(out)[-1].parent),
        ["misplaced"],
    ),
    "a later due date in the ledger": (
        lambda out: edit(out, "UPDATE segment SET due = '2099-01-01' WHERE date = (SELECT min(date) FROM segment)"),
        ["misplaced", "unknown"],
    ),
    "rows of a segment": (lambda out: edit(out, "UPDATE segment SET rows = rows + 1"), ["footer", "rows"]),
    "shares of a segment": (
        lambda out: edit(out, "UPDATE segment SET sources = replace(sources, ', 10]', ', 11]')"),
        ["footer", "rows"],
    ),
    "another closure": (lambda out: edit(out, "UPDATE segment SET closure = '2020-01-01', due = due"), ["footer", "overdue"]),
    "another policy": (lambda out: edit(out, "UPDATE segment SET policy = 'x'"), ["footer"]),
    "an unknown source": (
        lambda out: edit(out, "UPDATE segment SET sources = '[[\"x\", 10]]' WHERE rowid = 1"),
        ["footer", "rows"],
    ),
    "a segment is dropped": (lambda out: edit(out, "DELETE FROM segment WHERE rowid = 1"), ["rows", "unknown"]),
    "a gap before a batch": (lambda out: edit(out, "UPDATE batch SET start = 1 WHERE id = 1"), ["batches"]),
    "an overlap after a batch": (lambda out: edit(out, "UPDATE batch SET stop = stop + 1 WHERE id = 1"), ["batches"]),
    "another position": (lambda out: edit(out, "UPDATE source SET position = position + 1"), ["batches"]),
    "lines that nobody counted": (lambda out: edit(out, "UPDATE batch SET lines = lines + 1 WHERE id = 1"), ["batches"]),
    "rows that never arrived": (
        lambda out: edit(out, "UPDATE batch SET lines = lines + 1, rows = rows + 1 WHERE id = 1"),
        ["rows"],
    ),
    "a column more": (
        lambda out: rewrite(out, lambda table: table.append_column("user", pa.array(["jane"] * 10))),
        ["columns"],
    ),
    "a column of another type": (
        lambda out: rewrite(
            out, lambda table: table.set_column(11, "status", table.column("status").cast(pa.uint32()))
        ),
        ["columns"],
    ),
    "a row less": (lambda out: rewrite(out, lambda table: table.slice(1)), ["rows"]),
    "a footer of another source": (lambda out: rewrite(out, lambda table: table, sources="x"), ["footer"]),
    "a footer with other shares": (
        lambda out: rewrite(out, lambda table: table, source_rows='[["x", 10]]'),
        ["footer"],
    ),
    "a footer with another due date": (lambda out: rewrite(out, lambda table: table, due="2099-01-01"), ["footer"]),
    "rows of another day": (lambda out: rewrite(out, with_cell("timestamp", NOW)), ["footer"]),
    "a column that is not kept": (lambda out: rewrite(out, with_cell("os", "Linux")), ["kept"]),
    "a list that is not kept": (
        lambda out: rewrite(out, with_cell("threats", ["sqli"]), kept="timestamp,client_net,path"),
        ["kept"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_found(what: str, out: Path) -> None:
    """Each deliberate change has its code, and no other code comes with it that is not listed."""
    change, codes = TAMPERED[what]
    change(out)
    assert found(out) == codes


def test_a_changed_byte_is_found(out: Path) -> None:
    """By its checksum, which `--quick` leaves out."""
    path = segments(out)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert found(out) == ["changed"]
    assert "changed" not in found(out, quick=True)
    done = logscrub("verify", out)
    assert (done.code, done.err) == (VerifyError.exit_code, "")
    assert done.out.splitlines()[-1] == f"{out}: 3 segments, 30 rows: 1 changed"


def test_deletions_cannot_be_rewritten(out: Path) -> None:
    """An entry that is edited, dropped or added, and rows that come back: all break the log or an account."""
    expire(Dataset(out), now=RECENT + timedelta(days=400))
    copy = out.parent / "copy"
    for statement, codes in {
        "UPDATE deletion SET reason = 'no reason' WHERE id = 1": ["deletions"],
        "UPDATE deletion SET rows = rows - 1 WHERE id = 2": ["deletions"],
        "UPDATE deletion SET at = '2020-01-01' WHERE id = 3": ["deletions"],
        "UPDATE deletion SET hash = '00' WHERE id = 3": ["deletions"],
        "DELETE FROM deletion WHERE id = 1": ["deletions", "rows"],
        "DELETE FROM deletion WHERE id = 3": ["deletions", "rows"],
        "DELETE FROM segment WHERE rowid = 1": ["deletions", "rows"],
    }.items():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out, copy)
        assert found(copy) == []
        edit(copy, statement)
        assert found(copy) == codes, statement


def test_a_restored_backup_is_found(out: Path) -> None:
    """What was deleted on its day and is there again."""
    path = segments(out)[0]
    kept = path.read_bytes()
    expire(Dataset(out), now=PART)
    path.parent.mkdir(0o750, parents=True)
    path.write_bytes(kept)
    path.chmod(0o640)
    path.parent.parent.chmod(0o750)
    assert found(out) == ["returned", "unknown"]
    assert found(out, now=PART) == ["overdue", "returned", "unknown"]


def test_what_is_overdue_is_found(out: Path) -> None:
    """On its day, by segment or folder; what a stopped expiry left in staging; not what is gone already."""
    assert found(out, now=PART) == ["overdue"]
    grave = out / "staging" / "expired-0"
    segments(out)[0].parent.parent.rename(grave)
    assert found(out, now=PART) == ["overdue"]
    shutil.rmtree(grave)
    result = verify(Dataset(out), now=PART)
    assert (result.findings, len(result.notes)) == ((), 1)
    assert found(out) == ["missing"]


@pytest.mark.parametrize(
    ("name", "mode", "right"),
    [
        (".", 0o755, "0750"), ("data", 0o770, "0750"), ("staging", 0o751, "0750"), ("policy.toml", 0o644, "0640"),
        ("ledger.db", 0o640, "0600"), ("lock", 0o644, "0600"), ("ingest.lock", 0o660, "0600"), ("keys", 0o750, "0700"),
        ("keys/instance.key", 0o440, "0400"), ("keys/instance.key", 0o700, "0600"),
    ],
)  # fmt: skip
def test_loose_modes_are_found(name: str, mode: int, right: str, out: Path) -> None:
    """Others get nothing, the group cannot write, and ledger and keys are their owner's; the right mode is named."""
    (out / name).chmod(mode)
    (finding,) = verify(Dataset(out), now=NOW).findings
    assert (finding.code, finding.hint) == ("mode", f"chmod {right}")
    (out / name).chmod(int(right, 8))
    assert found(out) == []


def test_loose_files_and_owners_are_found(out: Path) -> None:
    """A file that others may read, a folder that the group may write to, a file of somebody else."""
    path = segments(out)[0]
    path.chmod(0o644)
    path.parent.chmod(0o770)
    assert [one.code for one in verify(Dataset(out), now=NOW).findings] == ["mode", "mode"]
    path.chmod(0o640)
    path.parent.chmod(0o750)
    if os.geteuid() == 0:
        os.chown(path, 54321, -1)
        assert found(out) == ["owner"]
        for one in [out, *out.rglob("*")]:
            os.chown(one, 54321, -1)
        assert found(out) == [], "root may look at what is another user's as a whole"


def test_keys_elsewhere_are_looked_at(made: Path, out: Path) -> None:
    """`--keys` names the folder."""
    keys = Path(shutil.copytree(made / "keys", out.parent / "keys"))
    (keys / "token-2026-01-01.key").touch(0o644)
    assert logscrub("verify", out).code == 0
    assert logscrub("verify", out, "--keys", keys).code == VerifyError.exit_code


PLANTED = [
    ("path", "/from/198.51.100.237/x", "address"),
    ("path", "/from/198%2E51%2E100%2E237", "address"),
    ("bot", "198-51-100-237.example", "address"),
    ("path", "/2001:db8:9d2c:77aa:5be1:c0de:4f3e:91b7", "address"),
    ("browser", "2001:db8::91b7", "address"),
    ("client_net", "198.51.100.237", "address"),
    ("client_net", "198.51.100.237/32", "address"),
    ("client_net", "198.51.100.237/24", "address"),
    ("client_net", "198.51.100.128/25", "address"),
    ("client_net", "2001:db8:9d2c:77aa::/64", "address"),
    ("client_net", "quux", "address"),
    ("site", "198.51.100.237", "address"),
    ("path", "/quux.person@mailquux.example", "email"),
    ("browser", "quux.person@mailquux.example", "email"),
    ("path", "/quux.person%40mailquux.example", "email"),
    ("threats", ["sqli", "quux.person%2540mailquux.example"], "email"),
    ("browser", "Mozilla/5.0 (X11 quux)", "agent"),
    ("bot", "quux (Linux; rv:128.0)", "agent"),
]


@pytest.mark.parametrize(("column", "value", "code"), PLANTED)
def test_planted_values_are_found_and_not_told(
    column: str, value: object, code: str, out: Path
) -> None:
    """Column, file and count are said, in text and JSON; never the value or a part of it."""
    path = rewrite(out, with_cell(column, value))
    (finding,) = verify(Dataset(out), now=NOW).findings
    assert finding.code == code
    assert f"{path.name}: 2 values of the column {column} " in finding.what
    if code == "address" and column != "path":
        return
    for option in ("--json", "--quiet"):
        done = logscrub("verify", out, option)
        assert done.code == VerifyError.exit_code
        assert f"2 values of the column {column} " in done.out
        said = (done.out + done.err).lower()
        for secret in ("quux", "198.51", "198%2e", "9d2c", "db8", "mozilla", "linux"):
            assert secret not in said.replace(str(out).lower(), "")


HARMLESS = [
    ("path", "/img/photo@2x.jpg"), ("path", "/get/app-1.2.3.7z"), ("path", "/2015-05-21-10/Talk:Foo:Bar"),
    ("path", "/{ip}/{email}/12:30:45"), ("browser", "Firefox (Minefield)"), ("browser", "WeSEE:Search"),
    ("client_net", "2001:db8::/40"), ("client_net", "0.0.0.0/0"), ("site", "www.example.org"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), HARMLESS)
def test_what_scrubbers_keep_is_no_leak(column: str, value: str, out: Path) -> None:
    """Versions, dates, images for fine screens, templates and networks."""
    rewrite(out, with_cell(column, value))
    assert found(out) == []


def test_a_site_may_be_an_address_that_the_policy_lists(tmp_path: Path) -> None:
    """The operator's own name for a site is nobody's secret."""
    out, policy = tmp_path / "out", tmp_path / "policy.toml"
    text = logscrub("policy", "show", "security-12m").out
    policy.write_text(text.replace("allow = []", 'allow = ["192.0.2.80"]'))
    a_log = log(tmp_path, "a.log", lines(*range(5)))
    ingest(out, a_log, "--policy", policy, "--site", "192.0.2.80")
    assert found(out) == []


def test_a_value_that_no_row_uses_is_found(tmp_path: Path) -> None:
    """A dictionary in the file can hold what no cell does."""
    column = pa.DictionaryArray.from_arrays(
        pa.array([0, 0], pa.int32()), pa.array(["a", "198.51.100.237"])
    )
    columns = [
        column if name == "path" else pa.nulls(2, COLUMNS.field(name).type)
        for name in COLUMNS.names
    ]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns, names=COLUMNS.names), path, store_schema=False)
    with path.open("rb") as file:
        assert dict(leaks(file, widths={4: 24, 6: 40})) == {("path", "address"): 1}


@pytest.mark.parametrize(
    "damage",
    [
        lambda out: (out / "ledger.db").unlink(),
        lambda out: (out / "ledger.db").write_bytes(b"no database" * 1000),
        lambda out: os.truncate(out / "ledger.db", 5000),
        lambda out: edit(out, "UPDATE segment SET due = 'x'"),
        lambda out: edit(out, "UPDATE segment SET sources = '{'"),
        lambda out: edit(out, "UPDATE batch SET rejects = '3'"),
        lambda out: edit(out, "UPDATE segment SET date = ''"),
    ],
)
def test_a_damaged_ledger_is_an_error(damage: Callable[[Path], object], out: Path) -> None:
    """Without a ledger there is nothing to check against."""
    damage(out)
    with pytest.raises(LedgerError):
        verify(Dataset(out), now=NOW)


def test_what_recovery_finishes_is_a_note(out: Path) -> None:
    """A commit or an expiry that was stopped half-way is no finding; the next run finishes it."""
    path = segments(out)[0]
    path.rename(out / "staging" / path.name)
    edit(out, f"UPDATE segment SET state = 'staged' WHERE name = '{path.name}'")
    result = verify(Dataset(out), now=NOW)
    assert (result.findings, result.rows) == ((), 20)
    assert result.notes == (
        "1 segments are staged: the next ingest or expire finishes what was stopped",
    )
    assert logscrub("verify", out).out.startswith("note: 1 segments are staged")
    expire(Dataset(out), now=NOW)
    result = verify(Dataset(out), now=NOW)
    assert (result.findings, result.notes, result.rows) == ((), (), 30)
    path = segments(out)[0]
    edit(out, f"UPDATE segment SET state = 'expiring' WHERE name = '{path.name}'")
    path.unlink()
    assert found(out) == []
    edit(out, f"UPDATE segment SET state = 'staged' WHERE name = '{path.name}'")
    assert found(out) == ["missing"]


@pytest.mark.parametrize("how", ["compact", "expire", "delete"])
def test_files_that_vanish_meanwhile_are_asked_about(
    how: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merged and expired ones are no finding, and what took their place is looked at; a deleted one is missing."""
    seen: list[str] = []
    content = verify_module._content

    def meanwhile(file: Any, one: Any, policy: Any, *, quick: bool) -> Any:
        if not seen:
            if how == "compact":
                compact(Dataset(out), stamp=STAMP)
            elif how == "expire":
                expire(Dataset(out), now=RECENT + timedelta(days=400))
            else:
                segments(out)[-1].unlink()
        seen.append(one.name)
        return content(file, one, policy, quick=quick)

    monkeypatch.setattr(verify_module, "_content", meanwhile)
    result = verify(Dataset(out), now=NOW)
    assert [one.code for one in result.findings] == (["missing"] if how == "delete" else [])
    assert result.notes == ()
    assert {path.name for path in segments(out)} <= set(seen)
    assert result.segments == {"compact": 2, "expire": 0, "delete": 3}[how]


def test_it_works_beside_writers(out: Path) -> None:
    """While one process ingests and merges all the time, nothing is found, over and over."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from program import lines; from logscrub.cli import run\n"
        "from pathlib import Path; import os, contextlib, io\n"
        "out, folder = Path(sys.argv[1]), Path(sys.argv[1]).parent\n"
        "for n in range(12):\n"
        "    path = folder / f'{n}.more.log'; path.write_bytes(lines(*range(1000 + n * 10, 1010 + n * 10)))\n"
        "    os.utime(path, (1, 1))\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        assert run(['ingest', str(path), '--out', str(out), '--quiet']) == 0\n"
        "        assert n % 3 or run(['compact', str(out), '--quiet']) == 0\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, out, Path(__file__).parent]) as writer:
        rounds = 0
        until = time.monotonic() + 100
        while writer.poll() is None and time.monotonic() < until:
            result = verify(Dataset(out), now=NOW)
            assert (result.findings, result.notes) == ((), ())
            rounds += 1
        assert writer.wait() == 0
    assert rounds >= 3
    assert (found(out), verify(Dataset(out), now=NOW).rows) == ([], 150)


def test_many_findings_of_a_kind_are_cut_in_text_only(out: Path) -> None:
    """Twenty lines of a kind and how many there are more; odd names do no harm."""
    for number in range(25):
        (out / "data" / f"{number:02}\x1b[31m\udcff").touch(0o640)
    done = logscrub("verify", out)
    assert done.code == VerifyError.exit_code
    assert len(done.out.splitlines()) == 22
    assert "unknown: 5 more like these; --json lists all" in done.out
    assert "\x1b" not in done.out
    assert len(logscrub("verify", out, "--json").document["findings"]) == 25


def test_other_folders_are_refused(tmp_path: Path) -> None:
    """What is no dataset is an error of its own."""
    assert logscrub("verify", tmp_path).code == 8
    assert logscrub("verify", tmp_path / "none").code == 8
