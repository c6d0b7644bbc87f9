"""What was said of distinct values before, so that each is asked about once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from logscrub.compiled import laid_out
from logscrub.lexicon import Lexicon, grown

if TYPE_CHECKING:
    from collections.abc import Callable

    from logscrub.compiled import Places


class Said(NamedTuple):
    """What one scrubber said of the values of one lexicon so far.

    Args:
        places: For each value the place of its answer, -1 for null.
        answers: All distinct answers.
    """

    places: Places
    answers: pa.Array


class _Learnt:
    """What one scrubber said, and of which values."""

    def __init__(self, lexicon: object) -> None:
        self.lexicon = lexicon
        self.known = 0
        self._places = np.empty(0, np.int32)
        self._answers = Lexicon()
        self._kind = pa.string()

    def add(self, found: pa.Array) -> None:
        """Keep the answers to the values that follow."""
        self._kind = found.type
        count = self.known + len(found)
        if count > len(self._places):
            self._places = grown(self._places, self.known, 2 * count)
        places = self._places[self.known : count]
        places[:] = -1
        there = found.is_valid().to_numpy(zero_copy_only=False)
        places[there] = self._answers.number(*laid_out(found.drop_null().cast(pa.string())))
        self.known = count

    @property
    def said(self) -> Said:
        """All of it, as it is now."""
        answers = self._answers.values(kind=pa.string())
        return Said(self._places[: self.known], answers.cast(self._kind))


class Memory:
    """What scrubbers said of the values of each lexicon. In memory only, and no larger than the lexicons are."""

    def __init__(self) -> None:
        self._learnt: dict[str, _Learnt] = {}
        self._learning = threading.Lock()

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        """Start empty in another process."""
        return (Memory, ())

    def recall(
        self,
        name: str,
        lexicon: object,
        values: pa.StringArray,
        scrub: Callable[[pa.Array], pa.Array],
    ) -> Said:
        """What `scrub` gives for values, asking it only about those that are new.

        Args:
            name: Of the scrubber.
            lexicon: What the values belong to; for the same one they begin as they did before, and only grow.
            values: All of them, distinct.
            scrub: Gives one answer a value, null or not, whatever else is asked.

        Returns:
            At least as many places as there are values.
        """
        with self._learning:
            learnt = self._learnt.get(name)
            if learnt is None or learnt.lexicon is not lexicon:
                learnt = self._learnt[name] = _Learnt(lexicon)
            known = learnt.known
            if known >= len(values):
                return learnt.said
        found = scrub(values[known:])
        with self._learning:
            # another thread may have asked about some of them in the meantime
            if learnt.known < len(values):
                learnt.add(found[learnt.known - known :])
            return learnt.said
