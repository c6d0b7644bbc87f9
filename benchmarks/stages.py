"""Which share of the time each stage of `ingest` takes, on one thread: `--profile` of `ingest` and of `formats`.

The stages run one after the other, each function by its own clock less those it calls, so shares add up. Threads, start
and commit are left out: this tells where work goes, not how long a user waits.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from logscrub import blocks, lexicon, memory, schema, sink, transform
from logscrub.formats import columns, fast, lexicons, lines, parse, reading
from logscrub.identity import Chain
from logscrub.machine import SIZES
from logscrub.profiles import read
from logscrub.scrubbers import address, agent, url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from logscrub.formats.layout import Format
    from logscrub.schema import Parsed

STAGES: Final[tuple[tuple[str, Any, str], ...]] = (
    ("blocks of whole lines", blocks.Splitter, "push"),
    ("blocks of whole lines", blocks.Splitter, "take"),
    ("identity", Chain, "update"),
    ("line ends", fast, "line_bounds"),
    ("wrappers", reading, "unwrap"),
    ("fields of each line", fast, "index"),
    ("fields of each line", lines, "split"),
    ("lines read one by one", lines, "_scan"),
    ("status, size, duration", columns, "_numbers"),
    ("time stamps", columns, "instants"),
    ("distinct raw values", lexicon.Lexicon, "number"),
    ("new values decoded and taken apart", columns, "_texts"),
    ("text columns", lexicons.Lexicons, "texts"),
    ("joining blocks", schema, "joined"),
    ("paths", url, "path"),
    ("user agents", agent, "scrub"),
    ("addresses", address, "parse"),
    ("addresses", address, "truncate"),
    ("answers, remembered", memory.Memory, "recall"),
    ("scrubbed columns", transform.Transform, "apply"),
    ("Parquet", sink.Sink, "add"),
    ("Parquet, the end", sink.Sink, "finish"),
)
"""Stage, and the function that is clocked for it."""


@contextmanager
def clocked(spent: defaultdict[str, float]) -> Iterator[None]:
    """Count the processor seconds of each stage, while it lasts."""
    inner: list[float] = []

    def clock(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*given: Any, **named: Any) -> Any:  # noqa: ANN401 — whatever the function takes
            inner.append(0.0)
            began = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                took = time.thread_time() - began
                spent[stage] += took - inner.pop()
                if inner:
                    inner[-1] += took

        return timed

    before = [(of, name, getattr(of, name)) for _, of, name in STAGES]
    for stage, of, name in STAGES:
        setattr(of, name, clock(stage, getattr(of, name)))
    try:
        yield
    finally:
        for of, name, function in before:
            setattr(of, name, function)


def measured(log: Path, out: Path, form: Format, *, policy: str) -> dict[str, float]:
    """Processor seconds of each stage, and of all that is between them as `the rest`."""
    spent: defaultdict[str, float] = defaultdict(float)
    compiled = transform.compile_policy(read(policy)[0], transform.Geo())
    gc.collect()
    with clocked(spent), log.open("rb") as file:
        began = time.thread_time()
        target, chain = sink.Sink(out, sorts=compiled.sorts), Chain(bytes(32))
        held: list[Parsed] = []

        def chunks() -> Iterator[bytes]:
            while chunk := file.read(2**20):
                chain.update(chunk)
                yield chunk

        def scrub() -> None:
            target.add(compiled.apply(schema.joined(held), keys={}))
            held.clear()

        for block in blocks.blocks(chunks()):
            held.append(parse(block, form, compiled.needs, zone="UTC", lexicons=compiled.lexicons))
            if sum(part.rows for part in held) >= SIZES.batch:
                scrub()
        if held:
            scrub()
        target.finish(lambda _: {})
        whole = time.thread_time() - began
    stages = {stage: spent[stage] for stage, _, _ in STAGES}
    return stages | {"the rest": whole - sum(spent.values())}


def table(log: Path, work: Path, form: Format, *, policy: str) -> str:
    """Measure a log in a format, and give a table, the longest stage first."""
    # the first time compiles and loads
    for out in (work / "first", work / "second"):
        out.mkdir()
        seconds = measured(log, out, form, policy=policy)
    whole = sum(seconds.values())
    rows = [
        f"| {stage} | {took:.2f} | {100 * took / whole:.0f} % |"
        for stage, took in sorted(seconds.items(), key=lambda item: -item[1])
    ]
    return "\n".join(
        [
            f"| stage | CPU seconds | share of {whole:.2f} s, {log.stat().st_size / 1e6 / whole:.0f} MB/s |",
            "|---|---|---|",
            *rows,
        ]
    )
