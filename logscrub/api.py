"""logscrub from Python: lines in, scrubbed Arrow out. Nothing is written and nothing expires by itself."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from logscrub import keystore, profiles
from logscrub.blocks import blocks
from logscrub.errors import FormatError, KeyFileError, SourceError
from logscrub.formats import hold
from logscrub.formats.choice import AUTO, choose
from logscrub.run.prepare import databases
from logscrub.run.scrubbing import Scrubbing, Tally, scrubbed
from logscrub.run.staging import SAMPLE
from logscrub.schema import COLUMNS
from logscrub.source import Opened
from logscrub.transform import compile_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from logscrub.policy import Policy

    Lines = str | Path | bytes | Iterable[str | bytes]

_PORTION = 10_000
"""Lines that are joined at a time."""


def scrub(
    source: Lines,
    *,
    policy: str | Policy = profiles.DEFAULT,
    format: str = AUTO,  # noqa: A002 — the word of the command line
    timezone: str = "",
    geo: Path | None = None,
    asn: Path | None = None,
    keys: Path | None = None,
) -> pa.Table:
    """Scrub a log into one table.

    Args:
        source: The path of a file, plain or compressed; or the text as bytes; or its lines, with or without line ends.
        policy: A profile's name, the path of a TOML file, or a policy.
        format: A format's name, a format string, or `auto`.
        timezone: IANA name, for formats that do not log their offset.
        geo: Database for the country.
        asn: Database for the AS number.
        keys: Key folder, for a policy with tokens; made when it is not there.

    Returns:
        A table with the columns of `logscrub.schema.COLUMNS`. Its schema metadata count what became of the lines:
        `logscrub.lines`, `logscrub.rows`, `logscrub.blanks`, and `logscrub.rejects` as JSON by reason.

    Raises:
        LogscrubError: One of its kinds says what is wrong with the file, the format, the policy or the keys.

    >>> line = '192.0.2.7 - jane [21/Nov/2026:10:00:00 +0100] "GET /users/jane HTTP/1.1" 200 5 "-" "curl/8.5"'
    >>> scrub([line]).select(["client_net", "path", "status"]).to_pylist()
    [{'client_net': '192.0.2.0/24', 'path': '/users/{user}', 'status': 200}]
    """
    tally = Tally()
    options = {
        "policy": policy,
        "format": format,
        "timezone": timezone,
        "geo": geo,
        "asn": asn,
        "keys": keys,
    }
    found = list(_batches(source, tally, **options))  # type: ignore[arg-type]
    counts = {
        "logscrub.lines": str(tally.lines),
        "logscrub.rows": str(tally.rows),
        "logscrub.blanks": str(tally.blanks),
        "logscrub.rejects": json.dumps(
            {str(k): n for k, n in tally.rejects.items()}, sort_keys=True
        ),
    }
    return pa.Table.from_batches(found, COLUMNS).replace_schema_metadata(counts)


def scrub_batches(
    source: Lines,
    *,
    policy: str | Policy = profiles.DEFAULT,
    format: str = AUTO,  # noqa: A002 — the word of the command line
    timezone: str = "",
    geo: Path | None = None,
    asn: Path | None = None,
    keys: Path | None = None,
) -> pa.RecordBatchReader:
    """Scrub a log of any size, in memory bounded by blocks.

    Args:
        source: As for `scrub`.
        policy: As for `scrub`.
        format: As for `scrub`.
        timezone: As for `scrub`.
        geo: As for `scrub`.
        asn: As for `scrub`.
        keys: As for `scrub`.

    Returns:
        A reader of record batches with the columns of `logscrub.schema.COLUMNS`.

    Raises:
        LogscrubError: As for `scrub`; also while the reader is read.
    """
    options = {
        "policy": policy,
        "format": format,
        "timezone": timezone,
        "geo": geo,
        "asn": asn,
        "keys": keys,
    }
    return pa.RecordBatchReader.from_batches(COLUMNS, _batches(source, Tally(), **options))  # type: ignore[arg-type]


def _batches(
    source: Lines,
    tally: Tally,
    *,
    policy: str | Policy,
    format: str,  # noqa: A002 — the word of the command line
    timezone: str,
    geo: Path | None,
    asn: Path | None,
    keys: Path | None,
) -> Iterator[pa.RecordBatch]:
    chosen = profiles.read(policy)[0] if isinstance(policy, str) else policy
    if chosen.address.mode == "hash" and keys is None:
        raise KeyFileError(
            f"the policy {chosen.name} makes tokens and no keys are named",
            hint="pass the key folder as keys=",
        )
    if keys is not None:
        keystore.init(keys)
    transform = compile_policy(chosen, databases(chosen, geo, asn))
    with contextlib.ExitStack() as stack:
        chunks = _chunks(source, stack)
        first = b"".join(itertools.islice(chunks, 1))
        while first and len(first) < SAMPLE and (more := next(chunks, b"")):
            first += more
        if not first:
            return
        choice = choose(first[:SAMPLE], format)
        if choice.format is None:
            raise FormatError(choice.refusal, hint=choice.hint)
        work = Scrubbing(choice.format, transform, timezone, "", keys or Path(), datetime.now(UTC))
        found = blocks(
            itertools.chain([first], chunks), hold=hold(choice.format), headed=choice.format.headed
        )
        for parsed, table in scrubbed(found, work):
            tally.add(parsed, table.newest_ms)
            yield from table.table.cast(COLUMNS).to_batches()


def _chunks(source: Lines, stack: contextlib.ExitStack) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, (str, Path)):
        if isinstance(source, str) and not os.path.lexists(source):
            # not quoted: it may be a line that was meant to be scrubbed
            raise SourceError(
                "the text is not the path of a file", hint="pass lines as a list, or text as bytes"
            )
        yield from stack.enter_context(Opened(Path(source))).chunks()
    else:
        lines = (one.encode() if isinstance(one, str) else one for one in source)
        ended = (line if line.endswith(b"\n") else line + b"\n" for line in lines)
        while portion := b"".join(itertools.islice(ended, _PORTION)):
            yield portion
