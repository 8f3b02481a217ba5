"""Loops on a map, and Google's encoded polylines, the form in which Strava sends them.

Encoding: developers.google.com/maps/documentation/utilities/polylinealgorithm. Coordinates are ints of 1e-5 degree.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from random import Random

Point = tuple[int, int]
METRES_PER_UNIT = 1.11195  # 1e-5 degree of latitude


@lru_cache(maxsize=1 << 16)
def _encode_number(value: int) -> str:
    value = value << 1 if value >= 0 else ~(value << 1)
    characters = []
    while value >= 0x20:
        characters.append(chr((0x20 | (value & 0x1F)) + 63))
        value >>= 5
    characters.append(chr(value + 63))
    return "".join(characters)


def encode(points: Iterable[Point]) -> str:
    """Return the polyline of points (latitude, longitude in 1e-5 degree)."""
    parts = []
    last_lat = last_lng = 0
    for lat, lng in points:
        parts.append(_encode_number(lat - last_lat) + _encode_number(lng - last_lng))
        last_lat, last_lng = lat, lng
    return "".join(parts)


def decode(polyline: str) -> list[Point]:
    """Return the points (latitude, longitude in 1e-5 degree) of a polyline."""
    numbers, value, shift = [], 0, 0
    for character in polyline:
        bits = ord(character) - 63
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits < 0x20:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    points, lat, lng = [], 0, 0
    for i in range(0, len(numbers) - 1, 2):
        lat += numbers[i]
        lng += numbers[i + 1]
        points.append((lat, lng))
    return points


def length_m(points: list[Point]) -> float:
    """Return the length in metres of the line through points (equirectangular: good to 0.1 % on a day's route)."""
    if len(points) < 2:
        return 0.0
    shrink = math.cos(math.radians(points[0][0] / 1e5))
    return METRES_PER_UNIT * sum(math.hypot(b[0] - a[0], (b[1] - a[1]) * shrink) for a, b in pairwise(points))


@lru_cache(maxsize=1024)
def _outline(seed: int, count: int) -> tuple[list[tuple[float, float]], float]:
    """Return the points (north, east) of a wobbly ring about a unit across, and its length."""
    rng = Random(f"{seed}/{count}")  # noqa: S311 - a route, not a secret
    waves = [(rng.uniform(0.05, 0.5) / k, k, rng.uniform(0, 2 * math.pi)) for k in (1, 2, 3, 5, 9)]
    heading = rng.uniform(0, 2 * math.pi)
    points = []
    for i in range(count):
        angle = heading + 2 * math.pi * i / (count - 1)
        radius = 1 + sum(a * math.sin(k * angle + phase) for a, k, phase in waves) + rng.gauss(0, 0.008)
        points.append((radius * math.sin(angle), radius * math.cos(angle)))
    return points, sum(math.dist(a, b) for a, b in pairwise(points))


@lru_cache(maxsize=4096)
def loop(seed: int, distance_m: int, lat: int) -> tuple[str, Point]:
    """Make a closed route of about `distance_m` metres at a latitude (1e-5 degree).

    Returns the polyline of all points but the first, relative to it (polylines hold differences, so the same tail
    fits any start nearby), and the last point's offset from the first.
    """
    shape, outline_m = _outline(seed, 40 + min(190, distance_m // 600 * 10))
    scale = distance_m / outline_m / METRES_PER_UNIT
    stretch = scale / math.cos(math.radians(lat / 1e5))
    first_y, first_x = shape[0]
    offsets = [(round((y - first_y) * scale), round((x - first_x) * stretch)) for y, x in shape]
    return encode(offsets)[2:], offsets[-1]  # the first point is (0, 0): "??"
