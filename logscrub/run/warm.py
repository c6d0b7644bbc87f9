"""What the first block needs, loaded while the first lines of a pipe are waited for."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from logscrub.formats import parse
from logscrub.formats.catalogue import resolve
from logscrub.machine import give_back_libraries
from logscrub.schema import Block
from logscrub.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: Final = (
    b'192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] "GET /page/1234-a.html?b=c HTTP/1.1" 200 1 "https://www.example.com/" '
    b'"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"\n'
)


@contextmanager
def warming(transform: Transform) -> Iterator[None]:
    """Parse and scrub one line aside, so that loops are compiled and engines loaded when the first lines come."""
    give_back_libraries()
    thread = threading.Thread(target=_scrub_once, args=(transform,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _scrub_once(transform: Transform) -> None:
    # what fails here fails again where it is told
    with suppress(Exception):
        # of its own, so that nothing of this line is remembered
        aside = Transform(transform.policy, transform.databases)
        parsed = parse(Block.of(LINE, offset=1), resolve("combined"), aside.needs)
        aside.apply(parsed, keys=dict.fromkeys(aside.periods(parsed)))
        give_back_libraries()
