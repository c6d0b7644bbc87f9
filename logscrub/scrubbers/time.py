"""Time stamps, as coarse as the policy says."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pyarrow as pa

Precision = Literal["millisecond", "second", "minute", "hour", "day"]
STEPS: Final[dict[Precision, int]] = {
    "millisecond": 1,
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
}
"""Milliseconds each; UTC has no other days, as leap seconds are not counted."""


def coarsen(instants: pa.TimestampArray, precision: Precision) -> pa.TimestampArray:
    """Round down, before 1970 too.

    Args:
        instants: `timestamp[ms, UTC]`.
        precision: One of `STEPS`.

    Returns:
        As many instants of the same type, none later than it was; null stays.

    Keeps: the beginning of the second, minute, hour or day (UTC).
    Loses: what is finer. The order of rows still tells time: whoever writes them has to sort.

    >>> noon = pa.array([43_210_987], pa.timestamp("ms", tz="UTC"))
    >>> coarsen(noon, "hour").cast(pa.int64()).to_pylist()
    [43200000]
    """
    step = STEPS[precision]
    if step == 1:
        return instants
    numbers = instants.cast(pa.int64())
    floored = numbers.fill_null(0).to_numpy() // np.int64(step) * np.int64(step)
    missing = numbers.is_null().to_numpy(zero_copy_only=False)
    return pa.array(floored, mask=missing).cast(instants.type)
