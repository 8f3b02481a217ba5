"""Routes for the page: Strava's polylines, with only as many points as a picture shows.

Strava's are in units of 1e-5 degree, ours of 1e-4.
"""

from pipelines.ground.polyline import decode, encode, simplify

# how far a point may be from the simplified route
TOLERANCE_M = 9.0
# more points of a long ride would not be visible: when all of it is in view, a pixel is 20 m and more
MOST_POINTS = 110
# points of all routes together, which share the page's two megabytes
MOST_POINTS_IN_ALL = 100_000
FEWEST_POINTS = 25


def most_points(routes: int) -> int:
    """How many points each of so many routes may have; in steps, so that one more route seldom changes the others."""
    return max(FEWEST_POINTS, min(MOST_POINTS, MOST_POINTS_IN_ALL // max(routes, 1) // 5 * 5))


def route(polyline: str | None, most: int = MOST_POINTS) -> str:
    """The route for a polyline of Strava's, simplified and encoded in 1e-4 degree; empty without one."""
    points = decode(polyline or "")
    rounded = [(round(lat / 10), round(lng / 10)) for lat, lng in simplify(points, TOLERANCE_M, most)]
    kept = [point for at, point in enumerate(rounded) if at == 0 or point != rounded[at - 1]]
    return encode(kept) if len(kept) > 1 else ""
