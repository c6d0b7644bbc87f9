"""What was said of distinct values before, so that each is asked about once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNKNOWN: Final = -2


@dataclass(slots=True)
class _Said:
    """What one scrubber said so far.

    Args:
        codes: For each raw value the place of its answer, -1 for null.
        places: The place of each answer.
        answers: All answers.
    """

    codes: dict[str | None, int] = field(default_factory=dict, repr=False)
    places: dict[str | None, int] = field(default_factory=lambda: {None: -1}, repr=False)
    answers: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()), repr=False)


class Memory:
    """What scrubbers said of distinct values in the blocks before: a log repeats itself.

    In memory only. Bounded, because attackers choose the values.
    """

    _CHARACTERS = 16 * 2**20
    _LONGEST = 256

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}
        self._size = 0
        self._learning = threading.Lock()

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        """Start empty in another process."""
        return (Memory, ())

    def recall(
        self, name: str, values: pa.StringArray, scrub: Callable[[pa.StringArray], pa.Array]
    ) -> pa.DictionaryArray:
        """What `scrub` gives, asking it only for values that are new or too long to remember.

        Returns:
            `dictionary<int32, string>`, as long as `values`; its dictionary may hold more than that.
        """
        said = self._said.get(name) or self._said.setdefault(name, _Said())
        asked = values.to_numpy(zero_copy_only=False)
        known = map(said.codes.get, asked, repeat(_UNKNOWN))
        codes = np.fromiter(known, np.int32, len(asked))
        fresh = np.flatnonzero(codes == _UNKNOWN)
        if len(fresh):
            answers = scrub(values.take(pa.array(fresh)))
            codes[fresh] = self._learn(said, asked[fresh].tolist(), answers)
        indices = pa.array(codes, mask=codes < 0)
        return pa.DictionaryArray.from_arrays(indices, said.answers, safe=False)

    def _learn(
        self, said: _Said, raw: Sequence[str | None], answers: pa.StringArray
    ) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        found = answers.dictionary_encode()
        texts = found.dictionary.to_pylist()
        with self._learning:
            new = [text for text in texts if text not in said.places]
            said.places.update(zip(new, count(len(said.answers)), strict=False))
            said.answers = pa.concat_arrays([said.answers, pa.array(new, pa.string())])
            places = np.array([*(said.places[text] for text in texts), -1], np.int32)
            codes: np.ndarray[tuple[int], np.dtype[np.int32]] = places[
                found.indices.fill_null(-1).to_numpy()
            ]
            short = {
                text: code
                for text, code in zip(raw, codes.tolist(), strict=True)
                if text is None or len(text) <= self._LONGEST
            }
            said.codes.update(short)
            self._size += sum(map(len, filter(None, [*short, *new])))
            if self._size > self._CHARACTERS:
                # replaced, never emptied: another thread may be looking things up in them
                self._said, self._size = {}, 0
        return codes
