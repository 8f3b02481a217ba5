"""Heart rates that a strap stored itself, for example under water, and sent afterwards as `hr` messages.

An anchor ties the strap's clock of 1/1024 s to a timestamp; the following ones have eight heart rates each, with the
last 12 bits of that clock (developer.garmin.com/fit/cookbook/decoding-activity-files, "Heart rate data").
"""

from bisect import bisect_right
from itertools import accumulate, pairwise
from math import ceil
from typing import Any, Final

import pyarrow as pa

from .fit_messages import Block

_TICKS: Final = 1024
_STEP_S: Final = 0.25
_MOST_STEPS: Final = 21
_TIMESTAMP, _FRACTION, _RATES, _CLOCK, _CLOCK_BITS = 253, 0, 6, 9, 10


def heart_rates_at(time: pa.ChunkedArray, blocks: list[Block], epoch_s: int) -> pa.Array | None:
    """Return a heart rate for each point: the mean since the point before, as in Garmin's SDK.

    A heart rate counts every quarter of a second until the next one, for at most 5 s. `time` is the points', ascending.
    Returns None without heart rates.
    """
    beats = _beats(blocks)
    if not beats or not len(time):
        return None
    beats.sort()
    at: list[float] = []
    values: list[int] = []
    for (seconds, rate), (until, _) in pairwise([*beats, beats[-1]]):
        steps = min(max(ceil((until - seconds) / _STEP_S), 1), _MOST_STEPS)
        at += [epoch_s + seconds + _STEP_S * step for step in range(steps)]
        values += [rate] * steps
    sums = [0, *accumulate(values)]
    rates: list[int | None] = []
    points = time.cast(pa.int64()).to_pylist()
    first = bisect_right(at, points[0] - 1)
    for point in points:
        after = bisect_right(at, point, first)
        count = after - first
        rates.append((2 * (sums[after] - sums[first]) + count) // (2 * count) if count else None)
        first = after
    return pa.array(rates, pa.int16())


def _beats(blocks: list[Block]) -> list[tuple[float, int]]:
    """Return seconds since FIT's epoch and heart rate."""
    messages: list[tuple[int, tuple[Any, ...]]] = []
    for block in blocks:
        length = len(block)
        fields = (block.arrays(_TIMESTAMP), block.arrays(_FRACTION), block.arrays(_RATES), block.arrays(_CLOCK))
        rows = zip(*(field or [()] * length for field in fields), block.raw(_CLOCK_BITS) or [b""] * length, strict=True)
        messages += zip(block.positions, rows, strict=True)
    messages.sort(key=lambda message: message[0])
    beats: list[tuple[float, int]] = []
    anchor_s: float | None = None
    anchor = clock = 0
    for _, (stamp, fraction, rates, clocks, packed) in messages:
        if stamp and clocks:
            anchor_s = stamp[0] + (fraction[0] / 32768 if fraction and fraction[0] != 0xFFFF else 0)
            anchor = clocks[0]
        ticks = list(clocks)
        if not clocks:
            bits = int.from_bytes(packed, "little")
            for i in range(len(packed) * 8 // 12):
                clock += ((bits >> 12 * i) - clock) & 0xFFF
                ticks.append(clock)
        if anchor_s is None:
            continue
        if ticks:
            clock = ticks[-1]
        beats += [
            (anchor_s + (tick - anchor) / _TICKS, rate)
            for tick, rate in zip(ticks, rates, strict=False)
            if 0 < rate < 0xFF
        ]
    return beats
