"""Routes on the page: what Strava's polylines say, with fewer points, whatever they hold."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.ground.polyline import decode, encode, simplify
from pipelines.page.routes import FEWEST_POINTS, MOST_POINTS, MOST_POINTS_IN_ALL, TOLERANCE_M, most_points, route
from simulator import polyline as simulated

METRES_PER_UNIT = 1.11195
# of 1e-5 degree, steps of a few metres to a few kilometres
steps = st.lists(st.tuples(st.integers(-900, 900), st.integers(-900, 900)), min_size=1, max_size=150)
starts = st.tuples(st.integers(-80_00000, 80_00000), st.integers(-178_00000, 178_00000))


def line(start, steps):
    points = [start]
    for lat, lng in steps:
        points.append((points[-1][0] + lat, points[-1][1] + lng))
    return points


def metres_off(point, a, b, shrink):
    """How far `point` is from the segment a-b, on the plane, in metres."""
    (y, x), (ay, ax), (by, bx) = ((lat * METRES_PER_UNIT, lng * METRES_PER_UNIT * shrink) for lat, lng in (point, a, b))
    length2 = (bx - ax) ** 2 + (by - ay) ** 2
    share = 0 if length2 == 0 else max(0, min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2))
    return math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay))


def farthest_off_m(points, kept):
    shrink = math.cos(math.radians(points[0][0] / 1e5))
    return max(min(metres_off(point, a, b, shrink) for a, b in pairwise(kept)) for point in points)


@given(starts, steps)
def test_decoding_undoes_what_another_encoder_did(start, steps):
    points = line(start, steps)
    assert decode(simulated.encode(points)) == points
    assert encode(points) == simulated.encode(points)


@given(starts, steps)
@example((47_00000, 8_00000), [(0, 100), (0, -300), (0, 200)])  # there and back: the turns lie on the line
def test_no_point_is_farther_from_the_simplified_route_than_nine_metres(start, steps):
    points = line(start, steps)
    kept = simplify(points, TOLERANCE_M, len(points))
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert farthest_off_m(points, kept) <= TOLERANCE_M + 1e-6


@given(starts, st.lists(st.tuples(st.integers(-60, 60), st.integers(-60, 60)), min_size=1, max_size=80))
def test_what_the_page_draws_is_off_by_nine_metres_and_rounding_at_most(start, steps):
    points = line(start, steps)
    drawn = [(lat * 10, lng * 10) for lat, lng in decode(route(simulated.encode(points)))]
    if not drawn:
        first = {(round(lat / 10), round(lng / 10)) for lat, lng in (points[0], points[-1])}
        assert len(first) == 1, "only a route that stays within one step of the grid is none"
        return
    # half a step of the grid of 1e-4 degree, both ways
    rounding_m = METRES_PER_UNIT * math.hypot(5, 5)
    assert farthest_off_m(points, drawn) <= TOLERANCE_M + rounding_m + 0.01


def test_a_long_route_keeps_the_points_that_matter_most():
    # a saw of growing teeth: the later ones are the larger ones
    points = [(at % 2 * at * 20, at * 100) for at in range(400)]
    kept = simplify(points, TOLERANCE_M, MOST_POINTS)
    assert len(kept) == MOST_POINTS
    assert kept[-90:] == points[-90:]


def test_a_straight_line_is_its_two_ends():
    assert simplify([(at * 7, at * 11) for at in range(500)], TOLERANCE_M, MOST_POINTS) == [(0, 0), (499 * 7, 499 * 11)]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not a polyline",
        "<script>",
        "_p~iF~ps|U_ulL",  # a latitude without its longitude
        "_p~iF~ps|U_ulLnnq",  # cut in the midst of a number
        "_p~iF~ps|U",  # one point is no route
        "_p~iF~ps|U????",  # three times the same
        "~" * 400 + "?" * 2,  # a number beyond all bounds
        "ÿ_p~iF~ps|U_ulLnnqC",
        "_p~iF~ps|U\n_ulLnnqC",
        "__rbRA__rbRA",  # leaves the Earth
    ],
)
def test_a_text_that_is_not_a_route_gives_none(text):
    assert route(text) == ""


@given(st.text(max_size=60) | st.text(alphabet=[chr(code) for code in range(63, 127)], max_size=60))
def test_whatever_text_comes_is_a_route_or_none(text):
    points = decode(route(text))
    assert all(abs(lat) <= 90_0000 and abs(lng) <= 360_0000 for lat, lng in points)


def test_googles_own_example_is_read_as_google_reads_it():
    assert decode("_p~iF~ps|U_ulLnnqC_mqNvxq`@") == [
        (38_50000, -120_20000),
        (40_70000, -120_95000),
        (43_25200, -126_45300),
    ]


def test_a_route_over_the_180th_meridian_does_not_jump_round_the_earth():
    points = decode(simulated.encode([(-16_80000, 179_99900), (-16_80100, -179_99900)]))
    assert points == [(-16_80000, 179_99900), (-16_80100, 180_00100)]


def test_many_routes_have_fewer_points_each_and_one_more_rarely_changes_the_others():
    given = [most_points(routes) for routes in range(20_000)]
    assert given[0] == given[900] == MOST_POINTS
    assert given == sorted(given, reverse=True)
    assert all(most * routes <= MOST_POINTS_IN_ALL or most == FEWEST_POINTS for routes, most in enumerate(given))
    assert len(set(given)) < 20
