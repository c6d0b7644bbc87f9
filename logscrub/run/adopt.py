"""Which of the files that are there are new to `follow`, and how far each of them was read already.

A file is a source the ledger knows when its bytes say so. While such a source is being followed, a second file with the
same bytes is a copy in the making (copytruncate, gzip): it waits until the first one ends, and then has its rest read.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logscrub.blocks import Splitter
from logscrub.errors import FormatError, SourceError
from logscrub.follow import begins_with, generations, is_generation, opened, seen
from logscrub.formats import w3c
from logscrub.identity import HEAD, Chain
from logscrub.run.following import (
    Followed,
    Waiting,
    commit_all,
    complain,
    guarded,
    read,
    settle,
)
from logscrub.run.ingest import settle_outcome, with_ledger
from logscrub.run.recognise import Recognised, ambiguous, recognise, refuse_salvaged, same_family
from logscrub.run.staging import stage
from logscrub.run.stream import Stream
from logscrub.source import Found, Opened, changed, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from logscrub.follow import Seen, Tail
    from logscrub.records import Source
    from logscrub.run.following import Following
    from logscrub.source import Input

_LOOK: Final = 0.5
"""Seconds between two looks at the folders."""
_THOROUGH: Final = 5.0
"""Seconds between two looks that do not trust the folders' own times of change."""
_AGAIN: Final = 5.0
"""Seconds until a file is looked at again that waits for another one."""
_REFUSED: Final = 60.0
"""The same for one that was refused and has not changed."""
_SAMPLE: Final = 2**18


def discover(state: Following) -> None:
    """Find files that are not followed yet, and take them on."""
    now = time.monotonic()
    if now - state.looked < _LOOK or not (_is_news(state) or now - state.looked >= _THOROUGH):
        return
    state.looked = now
    fresh = _fresh(state, now)
    _keep_waiting(state, fresh)
    for one, before in fresh:
        if before[0] in state.waiting and len(state.files) >= state.most:
            continue
        # what is in memory only cannot be recognised in another file
        for open_one in list(state.files.values()):
            guarded(state, open_one, read)
        commit_all(state)
        try:
            _adopt(state, one, before)
        except _StoppedError:
            return
        except (SourceError, FormatError) as error:
            # an archive that is still being written is no news
            is_young = isinstance(error, SourceError) and _age(state, before) < _REFUSED
            if not is_young:
                complain(state, error)
            settle(state, before, again=_AGAIN if is_young else _REFUSED)
    _tell_of_the_crowd(state)


def _keep_waiting(state: Following, fresh: list[tuple[Input, Seen]]) -> None:
    """Whoever waits has its turn before others; what is gone, or settled, waits no longer."""
    paths = {before[0]: one.path for one, before in fresh}
    state.waiting = {
        key: replace(one, path=paths[key]) for key, one in state.waiting.items() if key in paths
    }
    places = {key: place for place, key in enumerate(state.waiting)}
    fresh.sort(key=lambda one: places.get(one[1][0], len(places)))


def _tell_of_the_crowd(state: Following) -> None:
    """Say that files wait, again only when they have become twice as many."""
    number = len(state.waiting)
    if number < max(1, 2 * state.crowd):
        return
    state.crowd = number
    first = next(iter(state.waiting.values())).path
    complain(
        state,
        SourceError(
            f"files that wait to be read: {number}, the first is {first}; no more than {state.most} can be open",
            hint="each has its turn when another one is quiet; raise LimitNOFILE= of the unit, or ulimit -n",
        ),
    )


def _age(state: Following, seen: Seen) -> float:
    return state.upkeep.clock.wall().timestamp() - seen[2] / 1e9


def _is_news(state: Following) -> bool:
    """Whether a name appeared or went in a folder, or a file waits."""
    times = {folder: _changed_at(folder) for folder in state.folders}
    is_new = times != state.folders or not times
    state.folders.update(times)
    now = time.monotonic()
    return is_new or any(now >= again > 0 for *_, again in state.settled.values())


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _inputs(state: Following) -> list[Input]:
    """The files of the user's paths; a path of one file stands for its rotated generations too."""
    wanted: list[str] = []
    rules = state.job.policy.sources
    for text in state.paths or [rule.path.replace("{site}", "*") for rule in rules]:
        path = Path(text)
        if any(sign in text for sign in "*?[") or path.is_dir():
            wanted.append(text)
        else:
            wanted += map(str, generations(path))
            state.folders.setdefault(path.parent, 0)
    found = find(wanted, rules, out=state.out.root) if wanted else Found()
    for one in found.inputs:
        state.folders.setdefault(one.path.parent, 0)
    if left := [(str(path.absolute()), why) for path, why in found.left if path not in state.left]:
        state.ledger.see_outside(left, at=state.upkeep.dated(state.job).stamp)
        state.left |= {path for path, _ in found.left}
    return found.inputs


def _fresh(state: Following, now: float) -> list[tuple[Input, Seen]]:
    """The files that are not open, and not settled as they are, with what is to be seen of them."""
    found = []
    for one in _inputs(state):
        before = seen(one.path)
        if before is None:
            continue
        key, size, changed_at = before
        _meet(state, key, one.path)
        if followed := state.files.get(key):
            followed.one, followed.is_live = one, is_live(one.path)
            followed.stream.path = str(one.path.absolute())
            continue
        was_size, was_changed, again = state.settled.get(key, (-1, -1, 0.0))
        if (size, changed_at) != (was_size, was_changed) or 0 < again <= now:
            found.append((one, before))
    return found


def _meet(state: Following, key: tuple[int, int], path: Path) -> None:
    """A file of a known source may have another name by now: what becomes of its hashes depends on it."""
    if followed := state.files.get(key):
        source = followed.stream.source.id if followed.stream.source else ""
    else:
        source = state.places.get(key, ("", path))[0]
    if source and state.places.get(key) != (source, path):
        state.ledger.seen(source, str(path.absolute()), at=state.upkeep.dated(state.job).stamp)
        state.places[key] = (source, path)


def is_live(path: Path) -> bool:
    """Whether a name is not that of a rotated file: without what rotation appends it would be a log's."""
    stem, dot, _ = path.name.partition(".log")
    return not is_generation(path.name, stem + dot)


def _adopt(state: Following, one: Input, before: Seen) -> None:
    known = with_ledger(state.job, state.ledger).known
    with Opened(one.path) as file:
        if not file.size:
            settle(state, before)
            return
        found = recognise(_alive(state, file.chunks()), known, state.job.instance)
        is_packed = file.compression != "none"
    certain = _certain(state, one, found)
    state.places.pop(before[0], None)
    if certain and certain.source:
        state.places[before[0]] = (certain.source.id, one.path)
    if certain is None:
        settle(state, before, again=_AGAIN)
    elif is_packed:
        _take_archive(state, one, before)
    elif certain.verdict == "shorter" or (certain.verdict == "complete" and not is_live(one.path)):
        settle(state, before)
    else:
        _follow(state, one, certain.source, before)


def _certain(state: Following, one: Input, found: Recognised) -> Recognised | None:
    """What a file is, None when that shows only later.

    Raises:
        SourceError: It may be a copy of a log, or another log that begins alike.
    """
    if found.source is None:
        return found
    if found.verdict == "salvaged":
        raise refuse_salvaged(str(one.path), found.source)
    other = _reader_of(state, found.source)
    if other is not None:
        # a copy in the making, unless its bytes, or its name, say that it is a log of its own
        is_own = found.verdict == "shorter" and (
            _took_the_place(one, other) or not _is_beginning(state, other.tail.before(), one.path)
        )
        return Recognised("new") if is_own else None
    if found.verdict != "shorter" or same_family(str(one.path), found.source.path):
        return found
    if state.job.distinct or _differs(state, Path(found.source.path), one.path):
        return Recognised("new")
    raise ambiguous(str(one.path), found.source)


def _took_the_place(one: Input, other: Followed) -> bool:
    """Whether the other file was renamed and this one has a live name: nobody copies to the name of a live log."""
    return is_live(one.path) and not (other.is_live and other.tail.is_at(other.one.path))


def _reader_of(state: Following, source: Source) -> Followed | None:
    for one in state.files.values():
        if one.stream.source and one.stream.source.id == source.id:
            return one
    return None


def _is_beginning(state: Following, whole: Iterable[bytes], path: Path) -> bool:
    with Opened(path) as part:
        return begins_with(whole, _alive(state, part.chunks()))


def _differs(state: Following, known: Path, path: Path) -> bool:
    """Whether the raw file of a source is there, and another one is not its beginning."""
    try:
        with Opened(known) as whole:
            return not _is_beginning(state, whole.chunks(), path)
    except SourceError:
        return False


def _alive(state: Following, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same chunks; the watchdog hears that all is well, and a wish to stop is heard."""
    for chunk in chunks:
        state.watch.beat(state)
        if state.watch.stop():
            raise _StoppedError
        yield chunk


class _StoppedError(Exception):
    """Whoever wants to stop need not wait until a large file is recognised."""


def _take_archive(state: Following, one: Input, before: Seen) -> None:
    """A compressed file is read to its end and committed at once."""
    job = with_ledger(state.upkeep.dated(state.job), state.ledger)
    staged = stage(one, job, stop=state.watch.stop, watch=lambda *_: state.watch.beat(state))
    outcome = settle_outcome(state.out, state.ledger, staged, job)
    is_young = bool(outcome.error) and _age(state, before) < _REFUSED
    settle(state, before, again=_AGAIN if is_young else 0.0)
    if source := outcome.batch.source.id if outcome.batch else outcome.known:
        state.places[before[0]] = (source, one.path)
    if outcome.batch:
        state.count(outcome)
        state.watch.tell(f"read {one.path}", None)
    if outcome.error and not is_young:
        complain(state, outcome.error)


def _follow(state: Following, one: Input, source: Source | None, before: Seen) -> None:
    """Open a plain file behind what is committed of it."""
    job = state.job
    tail = opened(one.path, source.position if source else 0)
    try:
        stream = Stream(
            job, path=str(one.path.absolute()), kind="file", source=source,
            format=job.format if one.format == "auto" else one.format,
            site=one.site or job.site, zone=one.timezone or job.timezone,
        )  # fmt: skip
        if source:
            chain, lines = Chain(job.instance), Splitter()
            headed = lines.headed = source.format == w3c.NAME
            for data in _alive(state, tail.before(source.position)):
                chain.update(data)
                if headed:
                    lines.push(data)
                    lines.take()
            stream.start_at(_proven(chain, source), lines.header)
            stream.head = b"".join(tail.before(min(HEAD, source.position)))
        _judge(stream, tail, one)
    except BaseException:
        tail.close()
        raise
    state.waiting.pop(tail.key, None)
    if stream.reads is None and not one.chosen and "access" not in one.path.name:
        tail.close()
        settle(state, before)
        return
    if len(state.files) >= state.most:
        tail.close()
        state.waiting[tail.key] = Waiting(one.path, stream.committed, time.monotonic())
        return
    state.files[tail.key] = Followed(tail, stream, one, is_live(one.path), None, time.monotonic())
    if not state.crowd:
        # files that take turns are no news
        state.watch.tell(f"following {one.path} from byte {tail.position:,}", None)


def _proven(chain: Chain, source: Source) -> Chain:
    if chain.value() != source.chain:
        raise changed()
    return chain


def _judge(stream: Stream, tail: Tail, one: Input) -> None:
    """Decide on the format by the lines that are there; what decides nothing leaves that to the lines to come."""
    sample = tail.around(_SAMPLE)
    try:
        if sample.count(b"\n"):
            stream.judge(sample[: sample.rfind(b"\n") + 1], str(one.path))
    except FormatError:
        if one.chosen:
            raise
