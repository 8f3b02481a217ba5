"""Google's encoded polylines, the form in which Strava sends routes: read, written, simplified.

Encoding: developers.google.com/maps/documentation/utilities/polylinealgorithm. Strava's count 1e-5 degree. Simplified
by Ramer and Douglas and Peucker's algorithm, the farthest point first.
"""

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from itertools import accumulate

METRES_PER_UNIT = 1.11195  # 1e-5 degree of latitude
UNITS_PER_DEGREE = 100_000
NUMBERS = re.compile(r"[_-~]*[?-^]")
POLYLINE = re.compile(r"([?-~]*[?-^])?")

Point = tuple[int, int]


def decode(polyline: str) -> list[Point]:
    """The points (latitude, longitude) of a polyline; none if it is cut, leaves the Earth or is not a polyline."""
    if not POLYLINE.fullmatch(polyline):
        return []
    numbers = list(map(_decoded, NUMBERS.findall(polyline)))
    if len(numbers) % 2:
        return []
    lats, lngs = list(accumulate(numbers[::2])), list(accumulate(numbers[1::2]))
    if not lats or max(map(abs, lats)) > 90 * UNITS_PER_DEGREE or max(map(abs, lngs)) > 180 * UNITS_PER_DEGREE:
        return []
    if max(lngs) - min(lngs) > 180 * UNITS_PER_DEGREE:
        # it crosses the 180th meridian: count on instead of jumping round the Earth
        lngs = [lng + 360 * UNITS_PER_DEGREE if lng < 0 else lng for lng in lngs]
    return list(zip(lats, lngs, strict=True))


@lru_cache(maxsize=1 << 14)
def _decoded(characters: str) -> int:
    value = sum((ord(character) - 63 & 0x1F) << 5 * at for at, character in enumerate(characters))
    return ~(value >> 1) if value & 1 else value >> 1


def encode(points: Iterable[Point]) -> str:
    """The polyline of points."""
    parts = []
    last_lat = last_lng = 0
    for lat, lng in points:
        parts += [_encoded(lat - last_lat), _encoded(lng - last_lng)]
        last_lat, last_lng = lat, lng
    return "".join(parts)


@lru_cache(maxsize=1 << 14)
def _encoded(number: int) -> str:
    value = ~(number << 1) if number < 0 else number << 1
    characters = []
    while value >= 0x20:
        characters.append(chr((0x20 | value & 0x1F) + 63))
        value >>= 5
    return "".join(characters) + chr(value + 63)


def simplify(points: Sequence[Point], tolerance_m: float, most: int) -> list[Point]:
    """Of `points` (1e-5 degree), first and last and those without which one would be farther off than `tolerance_m`.

    If that takes more than `most`, those farthest off are kept. Distances are on a plane that touches the Earth at
    the first point, good to 1 % on a day's route.
    """
    if len(points) <= 2:
        return list(points)
    shrink = math.cos(math.radians(points[0][0] / UNITS_PER_DEGREE))
    x_m = [lng * METRES_PER_UNIT * shrink for _, lng in points]
    y_m = [lat * METRES_PER_UNIT for lat, _ in points]
    kept = [0, len(points) - 1]
    segments = [_farthest(x_m, y_m, 0, len(points) - 1)]
    while segments and len(kept) < most:
        off_m2, first, split, last = heappop(segments)
        if -off_m2 <= tolerance_m**2:
            break
        kept.append(split)
        if split - first > 1:
            heappush(segments, _farthest(x_m, y_m, first, split))
        if last - split > 1:
            heappush(segments, _farthest(x_m, y_m, split, last))
    return [points[at] for at in sorted(kept)]


def _farthest(x_m: list[float], y_m: list[float], first: int, last: int) -> tuple[float, int, int, int]:
    """The point between `first` and `last` farthest from their segment: minus its distance squared, first, it, last."""
    start_x, start_y = x_m[first], y_m[first]
    along_x, along_y = x_m[last] - start_x, y_m[last] - start_y
    length2 = along_x * along_x + along_y * along_y
    most2, farthest = -1.0, first
    # a plain loop: a million points pass through here in a second
    for at in range(first + 1, last):
        x, y = x_m[at] - start_x, y_m[at] - start_y
        share = x * along_x + y * along_y
        if 0 < share < length2:
            across = x * along_y - y * along_x
            off2 = across * across / length2
        else:
            if share > 0:
                x, y = x - along_x, y - along_y
            off2 = x * x + y * y
        if off2 > most2:
            most2, farthest = off2, at
    return -most2, first, farthest, last
