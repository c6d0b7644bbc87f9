"""What was said of distinct values before, so that each is asked about once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    from logscrub.compiled import Places


@dataclass(frozen=True, slots=True)
class Said:
    """What one scrubber said of the values of one lexicon so far.

    Args:
        lexicon: Whose values they are.
        places: For each value the place of its answer, -1 for null.
        answers: All answers.
        place_of: The place of each answer.
    """

    lexicon: object = field(repr=False)
    places: Places = field(default_factory=lambda: np.empty(0, np.int32), repr=False)
    answers: pa.Array = field(default_factory=lambda: pa.nulls(0), repr=False)
    place_of: dict[Any, int] = field(default_factory=lambda: {None: -1}, repr=False)

    def after(self, found: pa.Array) -> Said:
        """With the answers to the values that follow."""
        coded = found.dictionary_encode()
        new = [one for one in coded.dictionary.to_pylist() if one not in self.place_of]
        place_of = {**self.place_of, **dict(zip(new, count(len(self.answers)), strict=False))}
        answers = pa.concat_arrays([self.answers.cast(found.type), pa.array(new, found.type)])
        places = [*(place_of[one] for one in coded.dictionary.to_pylist()), -1]
        added = np.array(places, np.int32)[coded.indices.fill_null(-1).to_numpy()]
        return Said(self.lexicon, np.concatenate([self.places, added]), answers, place_of)


class Memory:
    """What scrubbers said of the values of each lexicon. In memory only, and no larger than the lexicons are."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
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
        said = self._said.get(name)
        if said is None or said.lexicon is not lexicon:
            said = Said(lexicon)
        if len(said.places) >= len(values):
            return said
        found = scrub(values[len(said.places) :])
        with self._learning:
            newest = self._said.get(name, said)
            if newest.lexicon is not lexicon or len(newest.places) < len(said.places):
                newest = said
            missing = len(values) - len(newest.places)
            if missing > 0:
                # another thread may have asked about some of them in the meantime
                newest = newest.after(found[len(found) - missing :])
                self._said[name] = newest
        return newest
