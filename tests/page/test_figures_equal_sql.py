"""The figures on the page that the command made are those that SQL finds in the activities, for several filters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Shown, shown
from home import Athlete
from playwright.sync_api import Browser
from screenshots import take_all
from test_page_in_a_browser import MILE_M, amount, rounded, shown_tiles

from simulator import Simulator

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SETTINGS = {
    "STRAVA_PAGE": "true",
    "STRAVA_REST_HR": "50",
    "STRAVA_MAX_HR": "190",
    "STRAVA_FTP": "240",
    "STRAVA_SEX": "m",
    "STRAVA_GOALS": "Ride 3000 km/year",
    "ENRICH_LIMIT": "40",
}
# every activity with its group and local date, from what Strava sent
ACTIVITIES = """
    (select activities.*, coalesce(sport_group, 'Other') as sport, start_date_local::date as day
    from strava.activities left join strava.sport_groups
    on sport_groups.sport_type = coalesce(activities.sport_type, activities.type, 'Unknown'))
"""
CHOICES = [(None, "All"), (None, "Run"), (None, "Swim"), (2025, "All"), (2025, "Ride"), (2024, "Run")]


@pytest.fixture(scope="module")
def flowed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Athlete]:
    """An athlete after one flow that made the page."""
    with Simulator(seed=23, activities=320) as strava:
        athlete = Athlete(tmp_path_factory.mktemp("home"), strava)
        athlete.authorise()
        ran = athlete.spawn("flow", **SETTINGS)
        assert ran.code == 0, ran.err
        yield athlete


@pytest.fixture
def page(flowed: Athlete, browser: Browser) -> Iterator[Shown]:
    with shown(browser, flowed.home / "site" / "index.html") as opened:
        yield opened


def where(year: int | None, sport: str) -> str:
    return f"({year is None} or year(day) = {year or 0}) and ('{sport}' = 'All' or sport = '{sport}')"


@pytest.mark.parametrize(("year", "sport"), CHOICES)
def test_tiles(page, flowed, year, sport):
    page.choose("span", "all")
    page.choose_year(year)
    page.choose("sport", sport)
    page.settle()
    ((count, metres, seconds, climbed),) = flowed.sql(
        "select count(*), coalesce(sum(distance), 0), coalesce(sum(moving_time), 0), "
        f"coalesce(sum(total_elevation_gain), 0) from {ACTIVITIES} where {where(year, sport)}"
    )
    assert count > 0
    assert shown_tiles(page) == {
        "Activities": f"{count:,}",
        "Distance": f"{amount(metres / 1000)} km",
        "Moving time": f"{amount(seconds / 3600)} h",
        "Climbed": f"{rounded(climbed, 0)} m",
    }


@pytest.mark.parametrize("sport", ["All", "Ride", "Run"])
@pytest.mark.parametrize(("unit", "unit_m"), [("km", 1000), ("mi", MILE_M)])
def test_the_eddington_number(page, flowed, sport, unit, unit_m):
    page.choose("units", unit)
    page.choose("sport", sport)
    page.settle()
    ((number,),) = flowed.sql(
        "select coalesce(max(least(rank, floor(length))), 0)::bigint from ("
        "select length, row_number() over (order by length desc) as rank from ("
        f"select sum(distance) / {unit_m} as length from {ACTIVITIES} where {where(None, sport)} group by day))"
        " where floor(length) >= 1"
    )
    assert page.tile("Eddington") == f"{number} {unit}"
    days = dict(map(int, (cell.replace(",", "") for cell in row)) for row in page.table("eddington")[1:])
    ((most,),) = flowed.sql(
        f"select count(*) from (select sum(distance) as m from {ACTIVITIES} where {where(None, sport)} group by day) "
        f"where m >= {number * unit_m}"
    )
    assert days[number] == most >= number
    assert days.get(number + 1, 0) <= number


@pytest.mark.parametrize(("year", "sport"), CHOICES)
def test_records(page, flowed, year, sport):
    page.choose_year(year)
    page.choose("sport", sport)
    page.look_at("records")
    ((furthest, longest, highest),) = flowed.sql(
        "select max(distance), max(moving_time), max(total_elevation_gain) "
        f"from {ACTIVITIES} where {where(year, sport)}"
    )

    def said(record: str) -> str:
        found = page.page.locator(f'[data-record="{record}"] .big')
        return found.inner_text().replace("\u00a0", " ") if found.count() else "none"

    assert said("longest_distance") == f"{rounded(furthest / 1000, 1)} km"
    hours, rest = divmod(longest, 3600)
    clock = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
    assert said("longest_time") == clock
    assert said("most_elevation") == (f"{rounded(highest, 0)} m" if highest else "none")


def test_weeks_hours_and_gear(page, flowed):
    weeks = page.table("weekly")[1:]
    ((seconds,),) = flowed.sql(
        f"select sum(distance) from {ACTIVITIES} where day >= (select date_trunc('week', today) - interval 51 week "
        "from strava.athletes_today)"
    )
    tolerance = 0.05 * len(weeks)
    assert abs(sum(float(row[-1].replace(",", "")) for row in weeks) - seconds / 1000) < max(tolerance, 26)
    last = flowed.sql(
        f"select coalesce(sum(distance), 0) / 1000 from {ACTIVITIES} where day >= (select date_trunc('week', today) "
        "from strava.athletes_today)"
    )[0][0]
    assert weeks[-1][-1] == amount(last)
    hours = page.table("hours")[1:]
    busiest = flowed.sql(
        f"select dayname(day) || ' ' || strftime(start_date_local, '%H:00'), count(*) from {ACTIVITIES} "
        "group by 1 order by 2 desc, 1"
    )
    assert {row[0]: int(row[1]) for row in hours} == dict(busiest)
    page.look_at("gear")
    shown_gear = page.page.locator("table.gear tbody tr td b").all_inner_texts()
    ridden = flowed.sql(f"select sum(distance) / 1000 from {ACTIVITIES} where gear_id is not null group by gear_id")
    assert sorted(text.replace("\u00a0", " ") for text in shown_gear) == sorted(f"{amount(km)} km" for (km,) in ridden)


def test_the_latest_activities_are_strava_s_own_with_links(page, flowed):
    newest = flowed.sql(f"select id, name from {ACTIVITIES} order by start_date_local desc, id desc limit 8")
    links = page.page.locator('[data-panel="recent"] .view').evaluate_all("(all) => all.map((one) => one.href)")
    assert links == [f"https://www.strava.com/activities/{id_}" for id_, _ in newest]
    names: list[Any] = page.page.locator('[data-panel="recent"] .what bdi').all_inner_texts()
    assert [name.strip() for name in names] == [(name or "Untitled").strip() for _, name in newest]


def test_pictures_are_taken_light_dark_and_on_a_phone(flowed, browser):
    files = take_all(browser, flowed.home / "site" / "index.html", flowed.home / "site" / "screenshots")
    assert [file.name for file in files] == ["light.png", "dark.png", "phone.png", "phone-dark.png"]
    assert all(Path(file).stat().st_size > 100_000 for file in files)
