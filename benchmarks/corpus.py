"""Writes access logs of any size that repeat themselves as real ones do: the same arguments give the same bytes.

`python -m benchmarks.corpus PATH --size 1GB` writes one and prints its digest;
`python -m benchmarks.corpus --statistics PATH` prints what a log is like. `README.md` has the figures of real logs
that the profiles follow.

Generated logs are not committed. There are only 768 documentation addresses, so their clients come from 10.0.0.0/8
and 2001:db8::/32.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import blake3
import duckdb
import numpy as np

from benchmarks import traffic
from benchmarks.peers import FIELDS, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.traffic import Profile

SEED = 1
DAYS = 4
"""Days a log covers, whatever its size."""
_CHUNK = 131_072
# Requests of each hour in relation to the others: nights are quiet.
_HOURS = (5, 4, 3, 3, 3, 4, 6, 9, 12, 13, 14, 14, 13, 14, 14, 14, 13, 12, 12, 13, 14, 13, 10, 7)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True)
class Corpus:
    """What `write` wrote.

    Args:
        digest: BLAKE3 of the bytes, hexadecimal.
        size: Bytes.
        lines: Lines, all of them ended, without those of a head.
        broken: Lines among them that break off, or whose quotes are ambiguous.
        heads: Lines of a head, before the others.
    """

    digest: str
    size: int
    lines: int
    broken: int
    heads: int = 0


def write(
    path: str | Path,
    *,
    size_bytes: int,
    end: date,
    profile: str | Profile = "typical",
    seed: int = SEED,
    days: int = DAYS,
) -> Corpus:
    """Write a log: as many whole lines as fit, in time order.

    Args:
        path: The file; replaced when it exists.
        size_bytes: How large it may get.
        end: The last day it covers, UTC.
        profile: A profile, or a name of `traffic.PROFILES`.
        seed: Another seed gives another log of the same kind.
        days: How many it covers.
    """
    kind = traffic.PROFILES[profile] if isinstance(profile, str) else profile
    first, head = end - timedelta(days=days - 1), kind.shape.head.encode()
    lines = min(_CHUNK, max(4_096, size_bytes // 240))
    probe = traffic.chunk(kind, 0, np.zeros(lines, np.int64), seed=seed, first=first)
    # A little more than fits, so that the last line falls into the last minutes of the last day.
    total = int(size_bytes / len(probe) * lines * 1.005) + 2
    hasher, left, count, number = blake3.blake3(head), size_bytes - len(head), 0, 0
    with Path(path).open("wb") as file:
        file.write(head)
        while left > 0:
            at = _seconds(np.arange(number * lines, (number + 1) * lines), total, days)
            data = _cut(traffic.chunk(kind, number, at, seed=seed, first=first), left)
            ended = int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))
            hasher.update(data)
            file.write(data)
            left, count, number = (
                (left - len(data)) if ended == lines else 0,
                count + ended,
                number + 1,
            )
        size = file.tell()
    return Corpus(hasher.hexdigest(), size, count, kind.unreadable(count), head.count(b"\n"))


def _cut(data: memoryview, size: int) -> bytes:
    """The whole lines among the first `size` bytes."""
    whole = bytes(data[:size])
    return whole[: whole.rfind(b"\n") + 1]


def _seconds(places: traffic.Ints, total: int, days: int) -> traffic.Ints:
    """The second, from the start of the log, in which each line was written."""
    passed = np.concatenate([[0], np.cumsum(np.array(_HOURS * days, np.int64))])
    share = np.minimum(places / total, 1.0) * float(passed[-1])
    hour = np.minimum(np.searchsorted(passed, share, side="right") - 1, 24 * days - 1)
    within = ((share - passed[hour]) / np.diff(passed)[hour] * 3_600).astype(np.int64)
    at: traffic.Ints = np.minimum(hour * 3_600 + within, days * 86_400 - 1)
    return at


def statistics(path: str | Path) -> dict[str, float]:
    """What a log in the combined format is like.

    Shares are percent of its well-formed lines, that of broken ones percent of all lines; lengths are bytes.
    """
    share = "100.0 * count(*) FILTER ({}) / count(*)"
    distinct = "100.0 * count(DISTINCT {}) / count(*)"
    top = "(SELECT 100.0 * max(n) / sum(n) FROM (SELECT count(*) n FROM hits GROUP BY {}))"
    target = "split_part(request, ' ', 2)"
    path_of = f"split_part({target}, '?', 1)"
    columns = {
        "lines": "count(*)",
        "bytes a line, mean": "avg(strlen(line))",
        "bytes a line, 95th percentile": "quantile_cont(strlen(line), 0.95)",
        "bytes a target, mean": f"avg(strlen({target}))",
        "bytes a target, 95th percentile": f"quantile_cont(strlen({target}), 0.95)",
        "bytes a target, longest": f"max(strlen({target}))",
        "distinct addresses": distinct.format("address"),
        "distinct user agents": distinct.format("agent"),
        "distinct paths": distinct.format(path_of),
        "distinct referers": distinct.format("referer"),
        "commonest address": top.format("address"),
        "commonest user agent": top.format("agent"),
        "commonest path": top.format(path_of),
        "IPv6": share.format("address LIKE '%:%'"),
        "crawlers": share.format("regexp_matches(agent, '(?i)bot|crawl|spider|slurp|http|feed|java|curl|python')"),
        "without referer": share.format("referer = '-'"),
        "with a query": share.format("request LIKE '%?%'"),
        **{f"status {code}": share.format(f"status = '{code}'") for code in (200, 302, 304, 404, 301, 206)},
        "broken lines": "(SELECT 100.0 * count(*) FILTER (address = '') / count(*) FROM parted)",
    }  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE VIEW parted AS SELECT line, unnest({FIELDS}) FROM {lines_of(path)}"
        )
        connection.execute("CREATE VIEW hits AS SELECT * FROM parted WHERE address <> ''")
        row = connection.execute(f"SELECT {', '.join(columns.values())} FROM hits").fetchone()
    assert row is not None
    return {name: round(float(value), 2) for name, value in zip(columns, row, strict=True)}


def size_of(text: str) -> int:
    """Bytes that a size like `400MB` or `1.5GB` means."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B|B?)", text.strip().upper())
    if not found or found[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 400MB or 1GB")
    return int(float(found[1]) * _UNITS[found[2]])


def yesterday() -> date:
    """The last day that is over, UTC: generated logs end there, so that they are not due yet."""
    now = datetime.now(UTC)  # noqa: TID251 — the edge of these programs: a log must be recent to be taken
    return now.date() - timedelta(days=1)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a log, or say what one is like."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus")
    parser.add_argument("path", type=Path)
    parser.add_argument(
        "--statistics", action="store_true", help="say what the log is like instead of writing one"
    )
    parser.add_argument("--size", type=size_of, default="400MB")
    parser.add_argument("--profile", choices=sorted(traffic.PROFILES), default="typical")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--end", type=date.fromisoformat, help="the last day (default: yesterday, UTC)"
    )
    options = parser.parse_args(argv)
    if options.statistics:
        for name, value in statistics(options.path).items():
            print(f"{name:<30} {value:>12,.2f}")
        return 0
    end = options.end or yesterday()
    corpus = write(
        options.path, size_bytes=options.size, end=end, profile=options.profile, seed=options.seed
    )
    print(f"{corpus.digest}  {corpus.size} bytes, {corpus.lines} lines, {corpus.broken} broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
