"""The distinct values of text fields, remembered over blocks.

Only values that no block before had are decoded and scrubbed; all rows else are numbers. In memory only, and bounded,
because attackers choose the values.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from logscrub.compiled import compiled, laid_out
from logscrub.lexicon import Lexicon, grown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from logscrub.compiled import Bytes, Places
    from logscrub.schema import Raw

    Derive = Callable[[pa.Array], Mapping[Raw, pa.Array]]
    Columns = dict[Raw, tuple[pa.DictionaryArray, Lexicon]]


class _Field:
    """One field of a layout: its raw values, and the number of the text that each of them gives."""

    def __init__(self) -> None:
        self._raw = Lexicon()
        self._texts: dict[Raw, Lexicon] = {}
        self._numbers: dict[Raw, Places] = {}
        self._derived = 0
        self._adding = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether another one should take its place."""
        return self._raw.is_full or any(one.is_full for one in self._texts.values())

    def columns(self, data: Bytes, starts: Places, ends: Places, derive: Derive) -> Columns:
        """As `Lexicons.texts`."""
        with self._adding:
            rows = self._raw.number(data, starts, ends)
            # counted only once all have their texts: another thread may come after one that failed
            known, count = self._derived, self._raw.count
            if count > known or not self._numbers:
                for raw, texts in derive(self._raw.values(known)).items():
                    self._add(raw, texts.cast(pa.string()), known)
                self._derived = count
            return {
                raw: (_column(of, rows, self._texts[raw]), self._texts[raw])
                for raw, of in self._numbers.items()
            }

    def _add(self, raw: Raw, texts: pa.Array, known: int) -> None:
        """Number the texts of the raw values from `known` on."""
        added = self._texts.setdefault(raw, Lexicon()).number(*laid_out(texts))
        added[texts.is_null().to_numpy(zero_copy_only=False)] = -1
        of = self._numbers.get(raw, np.empty(0, np.int32))
        if known + len(added) > len(of):
            of = grown(of, known, 2 * (known + len(added)))
        of[known : known + len(added)] = added
        self._numbers[raw] = of


class Lexicons:
    """The lexicons of all text fields of a run."""

    def __init__(self) -> None:
        self._fields: dict[Hashable, _Field] = {}
        self._choosing = threading.Lock()

    def __reduce__(self) -> tuple[type[Lexicons], tuple[()]]:
        """Start empty in another process."""
        return (Lexicons, ())

    def texts(
        self, key: Hashable, data: Bytes, starts: Places, ends: Places, derive: Derive
    ) -> Columns:
        """The text columns that a field gives.

        Args:
            key: What the field is; the same key goes with the same `derive`.
            data: Padded.
            starts: Where each value begins.
            ends: Where it ends.
            derive: Makes the texts of distinct values (`binary`) that are new.

        Returns:
            For each column `dictionary<int32, string>`, whose dictionary may hold more than these rows use, and the
            lexicon it comes from: while that is the same, a dictionary begins as those before it did.
        """
        with self._choosing:
            field = self._fields.get(key)
            if field is None or field.is_full:
                field = self._fields[key] = _Field()
        try:
            return field.columns(data, starts, ends, derive)
        except BaseException:
            # what was numbered and not derived would be given the texts of others
            self._fields.pop(key, None)
            raise


def _column(of: Places, rows: Places, lexicon: Lexicon) -> pa.DictionaryArray:
    numbers = np.empty_like(rows)
    nulls = _look_up(of, rows, numbers)
    indices = pa.array(numbers, mask=numbers < 0 if nulls else None)
    return pa.DictionaryArray.from_arrays(indices, lexicon.values(kind=pa.string()), safe=False)


@compiled
def _look_up(of: Places, rows: Places, numbers: Places) -> int:
    nulls = 0
    for row in range(len(rows)):
        numbers[row] = of[rows[row]]
        nulls += numbers[row] < 0
    return nulls
