"""`filter`: lines in, scrubbed lines of the same format out, as soon as they arrive."""

from __future__ import annotations

import queue
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from logscrub import keystore, profiles
from logscrub.blocks import Splitter
from logscrub.decompress import SNIFF, compression
from logscrub.errors import FormatError, PolicyError, SourceError
from logscrub.formats import hold, in_order, pieces
from logscrub.formats.catalogue import named
from logscrub.formats.choice import Choice, choose
from logscrub.formats.layout import Format
from logscrub.machine import SIZES, give_back_libraries
from logscrub.policy import Agent, Geo, Threats, override
from logscrub.run.agents import agent_texts
from logscrub.run.errors_filter import KINDS, error_log, scrub_errors
from logscrub.run.objects import objects
from logscrub.run.prepare import wished
from logscrub.run.rebuild import columns, lines
from logscrub.run.scrubbing import Tally
from logscrub.run.shown import AGENT, shown
from logscrub.schema import HEADER, Raw
from logscrub.transform import Geo as Databases
from logscrub.transform import compile_policy, through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from logscrub.compiled import Ints
    from logscrub.formats import Piece
    from logscrub.policy import Policy
    from logscrub.run.errors_filter import ErrorLog
    from logscrub.run.prepare import Wishes
    from logscrub.schema import Block, Parsed
    from logscrub.transform import Transform

MOST_AT_ONCE: Final = SIZES.lines
"""Bytes that are worked on together when more wait."""
DECIDE_AFTER: Final = 1.0
"""Seconds after the first byte at which the format is judged on what there is."""
DECIDE_LINES: Final = 100
"""Lines that are enough to judge the format at once."""
TELL_EVERY: Final = 60.0
"""Seconds between two notes of what was dropped so far."""
_MUCH: Final = MOST_AT_ONCE // 4
"""Bytes that arrive together when more are waiting."""
_DECIDE_BYTES: Final = 2**20
_ANY: Final = "combined"
_HINTS: Final = {"error_log": f"name it: --format {' or '.join(KINDS)}"}
_MARK: Final = b"\xef\xbb\xbf"
_VERSION: Final = b"#Version: 1.0\n"
"""Some readers of W3C logs want to see it first."""


@dataclass(frozen=True, slots=True)
class Filtering:
    """How lines are scrubbed.

    Args:
        policy: What is kept of them.
        transform: The policy without what a line has no place for, compiled.
        format: Name, string or `auto`.
        reads: Already compiled; outranks `format`.
        zone: IANA name for lines that do not say their offset, empty for none.
        keys: The key folder, None without tokens.
        clock: Gives the present, which decides whether a key period is over.
        errors: Given if the lines are those of an error log; outranks all else.
    """

    policy: Policy
    transform: Transform
    format: str
    reads: Format | None
    zone: str
    keys: Path | None
    clock: Callable[[], datetime]
    errors: ErrorLog | None = None


def filtering(wishes: Wishes, clock: Callable[[], datetime]) -> Filtering:
    """Everything that can be wrong about the options is wrong here, before the first line is read.

    Raises:
        PolicyError: No such policy, a setting that does not tighten it, or tokens without keys.
        FormatError: The format is none.
        KeyFileError: The key folder is open to others.
    """
    policy, _ = profiles.read(wishes.policy or profiles.DEFAULT)
    policy = override(policy, wishes.settings) if wishes.settings else policy
    errors = error_log(wishes.format, policy) if wishes.format in KINDS else None
    hashes = policy.address.mode == "hash"
    if hashes and wishes.keys is None:
        raise PolicyError(
            f"the policy {policy.name} makes tokens, and there are no keys to make them with",
            hint="name the key folder: --keys DIR; the keys of a dataset lie in OUT/keys",
        )
    if hashes and wishes.keys is not None:
        keystore.init(wishes.keys)
    # What a line has no place for is not made. User agents get a text of their own.
    narrow = replace(
        policy, geo=Geo(), threats=Threats(labels=False, rules=False),
        agent=Agent(browser=False, version=False, os=False, device=False, bot=False),
        address=replace(policy.address, version=False),
    )  # fmt: skip
    return Filtering(
        policy, compile_policy(narrow, Databases()), wishes.format, Format(errors.name) if errors else wished(wishes),
        wishes.timezone, wishes.keys if hashes else None, clock, errors,
    )  # fmt: skip


def arrivals(
    box: queue.Queue[bytes], stop: Callable[[], bool], *, wait: float = 0.1
) -> Iterator[bytes]:
    """What a draining thread put in a queue, as much at once as is there; nothing when nothing came.

    Args:
        box: Filled by the thread that reads standard input; an empty portion ends it.
        stop: True ends the reading once what arrived is handed on.
        wait: Seconds after which an empty portion says that nothing came.
    """
    ended = False
    while not ended:
        got: list[bytes] = []
        size = 0
        try:
            while size < MOST_AT_ONCE:
                portion = box.get_nowait() if got else box.get(timeout=wait)
                ended = not portion
                if ended:
                    break
                got.append(portion)
                size += len(portion)
        except queue.Empty:
            pass
        if got or not ended:
            yield b"".join(got)
        if stop():
            return


@dataclass(slots=True)
class _State:
    """Where the stream stands until and after its format is known."""

    work: Filtering
    splitter: Splitter = field(default_factory=Splitter)
    head: bytes = field(default=b"", repr=False)
    began: float | None = None
    told: float = 0.0
    reads: Format | None = None
    tally: Tally = field(default_factory=Tally)
    under_way: deque[Future[tuple[Parsed, list[Text]]]] = field(default_factory=deque)
    version: bytes = b""
    header: bytes = b""


def filter_lines(
    portions: Iterable[bytes],
    work: Filtering,
    write: Callable[[pa.Buffer], None],
    *,
    stop: Callable[[], bool] = lambda: False,
    chosen: Callable[[Choice], None] = lambda _: None,
    dropped: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Scrub a stream of lines; whole lines are written as soon as their portion has arrived.

    Args:
        portions: Bytes as they arrive; empty when nothing came for a while.
        work: How to scrub them.
        write: Takes lines, each with its line end.
        stop: Whether the reading was ended from outside, so that the rest is not a whole line.
        chosen: Told which format the lines are in, once.
        dropped: Told once a minute, while there is something to tell, where every line went.

    Returns:
        Where every line went.

    Raises:
        FormatError: No format fits the first lines.
        SourceError: They are compressed.
    """
    state = _State(work)
    give_back_libraries()
    with ThreadPoolExecutor(SIZES.threads) as pool:
        for portion in portions:
            if portion:
                state.splitter.push(portion)
            if state.reads is None:
                _decide(state, portion, chosen)
            if state.splitter.has_line and (state.reads or not state.head):
                _begin(state, pool, state.splitter.take())
            is_first = not state.tally.lines
            # as long as more is waiting, blocks are worked on side by side
            _hand_out(state, write, SIZES.threads if len(portion) >= _MUCH else 0)
            if is_first and state.tally.lines:
                # only now everything is loaded
                give_back_libraries()
            _tell(state, dropped)
        if state.reads is None:
            if stop():
                state.head = state.head[: state.head.rfind(b"\n") + 1]
            _decide(state, b"", chosen, final=True)
        _begin(state, pool, state.splitter.take(final=not stop()))
        _hand_out(state, write, 0)
    return state.tally


def _decide(
    state: _State, portion: bytes, chosen: Callable[[Choice], None], *, final: bool = False
) -> None:
    """Judge the format on the first lines that are not blank, as soon as that can be done."""
    head = (state.head + portion[: _DECIDE_BYTES - len(state.head)]).lstrip(b" \t\r\n")
    state.head, work = head, state.work
    if not head:
        return
    packed = compression(head)
    if packed != "none" and (len(head) >= SNIFF or final):
        raise SourceError(
            f"standard input is compressed ({packed})",
            hint="decompress it first: zcat FILE | logscrub filter",
        )
    now = time.monotonic()
    state.began = state.began or now
    full = final or len(head) >= _DECIDE_BYTES
    whole = head if full else head[: head.rfind(b"\n") + 1]
    enough = full or whole.count(b"\n") >= DECIDE_LINES
    if not whole or not (enough or work.reads or now - state.began >= DECIDE_AFTER):
        return
    sample = b"\n".join(whole.split(b"\n", DECIDE_LINES)[:DECIDE_LINES])
    choice = (
        Choice(work.reads, f"read as lines of {work.errors.name}, a server's error log")
        if work.errors
        else choose(sample + b"\n", work.format, work.reads)
    )
    if choice.format is None and enough:
        hint = _HINTS.get(choice.kind, choice.hint.removesuffix("; nothing was committed"))
        raise FormatError(f"standard input: {choice.reason}", hint=hint)
    if choice.format is not None:
        state.reads, state.head, state.told = choice.format, b"", now
        state.splitter.hold = hold(choice.format)
        state.splitter.headed = choice.format.headed
        chosen(choice)


def _begin(state: _State, pool: ThreadPoolExecutor, block: Block | None) -> None:
    """Scrub a block; as long as no format is known there are only blank lines, which any format counts."""
    if block is not None:
        reads = state.reads or named(_ANY)
        if reads.headed and not block.header and _has_version(block.data):
            state.version = _VERSION
        state.under_way.append(pool.submit(scrub_block, block, reads, state.work))


def _has_version(lines: bytes) -> bool:
    """Whether a W3C log says its version before it says its fields."""
    comments = takewhile(
        lambda line: not line.strip() or (line.startswith(b"#") and not line.startswith(HEADER)),
        lines.removeprefix(_MARK).splitlines(),
    )
    return any(line.startswith(b"#Version:") for line in comments)


def _hand_out(state: _State, write: Callable[[pa.Buffer], None], left: int) -> None:
    """Write what is scrubbed, in its order, until so many blocks are left under way."""
    while len(state.under_way) > left:
        parsed, texts = state.under_way.popleft().result()
        state.tally.add(parsed, None)
        for text in texts:
            if text.header != state.header:
                write(pa.py_buffer(state.version + text.header))
                state.header, state.version = text.header, b""
            write(_bytes(text.lines))


def _bytes(lines: pa.BinaryArray) -> pa.Buffer:
    """The lines, one behind the other."""
    ends = np.frombuffer(lines.buffers()[1], np.int32)
    return lines.buffers()[2][int(ends[lines.offset]) : int(ends[lines.offset + len(lines)])]


def _tell(state: _State, dropped: Callable[[Tally], None]) -> None:
    now = time.monotonic()
    if state.tally.rejects and now - state.told >= TELL_EVERY:
        state.told = now
        dropped(state.tally)


@dataclass(frozen=True, slots=True)
class Text:
    """Scrubbed lines.

    Args:
        header: What says which fields they have, empty where nothing does.
        lines: One for each row, each with its line end.
    """

    header: bytes
    lines: pa.BinaryArray


def scrub_block(block: Block, reads: Format, work: Filtering) -> tuple[Parsed, list[Text]]:
    """Scrub the lines of one block.

    Returns:
        What they were read as, and the scrubbed lines, in their order.

    Raises:
        FormatError: Tokens need the time zone of the lines, and nobody said which it is.
        KeyFileError: A key cannot be read.
    """
    if work.errors:
        parsed, found = scrub_errors(block, work.errors)
        return parsed, [Text(b"", found)] if parsed.rows else []
    transform = work.transform
    wanted = transform.needs | {Raw.AGENT, Raw.METHOD}
    # Tokens depend on the day in UTC; all else is read and written in the server's own time.
    zone = work.zone or (None if work.keys else "UTC")
    parts = pieces(block, reads, wanted, zone=zone, lexicons=transform.lexicons)
    texts = [(_scrubbed(one, work), one.found.lines.offsets) for one in parts if one.parsed.rows]
    runs = groupby(texts, key=lambda one: one[0].header)
    return in_order(parts), [_together(header, list(some)) for header, some in runs]


def _together(header: bytes, texts: list[tuple[Text, Ints]]) -> Text:
    """Lines of several layouts, under one header or none, in the order of the lines that they were."""
    if len(texts) == 1:
        return texts[0][0]
    order = np.argsort(np.concatenate([offsets for _, offsets in texts]), kind="stable")
    return Text(header, pa.concat_arrays([one.lines for one, _ in texts]).take(pa.array(order)))


def _scrubbed(piece: Piece, work: Filtering) -> Text:
    """The lines of one layout."""
    policy, transform, parsed = work.policy, work.transform, piece.parsed
    if Raw.TIME not in parsed.columns:
        parsed = _at(parsed, work.clock())
    rule = policy.address
    keys = keystore.period_keys(
        work.keys, transform.periods(parsed), rotation_days=rule.rotation.days, ttl_days=rule.key_ttl.days,
        now=work.clock(),
    ) if work.keys else {}  # fmt: skip
    scrubbed = transform.apply(parsed, keys=keys)
    show = partial(agent_texts, keep=policy.agent)
    agents = (
        through(transform, parsed, "agent", Raw.AGENT, show)
        if Raw.AGENT in parsed.columns
        else None
    )
    keep = policy.agent
    has_agent = keep.browser or keep.os or keep.bot
    how = shown(piece.layout, frozenset(transform.kept) | ({AGENT} if has_agent else set()))
    found = how.of(piece.found)
    if how.layout.paths:
        values = columns(found, parsed, scrubbed, agents, layout=how.layout, policy=policy)
        return Text(b"", objects(found, values, how.layout))
    text = lines(found, parsed, scrubbed, agents, layout=how.layout, policy=policy)
    return Text(how.header, text)


def _at(parsed: Parsed, now: datetime) -> Parsed:
    """The lines of a format without times, as if they were written now."""
    moment = np.full(parsed.rows, int(now.timestamp() * 1000))
    stamps = pa.array(moment, pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
    return replace(parsed, columns={**parsed.columns, Raw.TIME: stamps})
