"""What the page shows of whom, under Node: no athlete, settings or clock make it say nonsense or hide something."""

import re
from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import pytest
import synthetic
from scripts import Scripts
from synthetic import SETTINGS, VARIANTS, Page, change, rows, with_settings

NONSENSE = re.compile(r"\[object|\b(NaN|undefined|null|Infinity)\b|Set\W+to see|: $")
# what a load needs: heart rate three of them, power one
OF_LOAD = {"rest_hr": "STRAVA_REST_HR", "max_hr": "STRAVA_MAX_HR", "sex": "STRAVA_SEX", "ftp_w": "STRAVA_FTP"}
COMBINATIONS = list(chain.from_iterable(combinations(SETTINGS, count) for count in range(len(SETTINGS) + 1)))
Shown = Callable[..., str]


@pytest.fixture
def shown(node: Scripts, variant: Callable[[str], Page]) -> Shown:
    """What a panel shows of an athlete with these filters, as text: shown("weekly", "idle", sport="Run")."""

    def text(panel: str, of: str | Page, **choices: Any) -> str:
        node.open(variant(of) if isinstance(of, str) else of, **choices)
        said: str = node(f"textOf({panel!r})")
        return said

    return text


def series(node: Scripts, panel: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node(f"textOf({panel!r}), charts.at(-1).option.series")
    return found


# nonsense


@pytest.mark.parametrize("name", VARIANTS)
def test_no_text_shows_internals_of_the_program(node, variant, name):
    for choices in ({"span": "all"}, {"units": "mi", "sport": "Run", "year": 2025}):
        node.open(variant(name), **choices)
        assert [said for said in node("everythingSaid()") if NONSENSE.search(said)] == []


@pytest.fixture(scope="module")
def two_years() -> Page:
    return synthetic.athlete(1, seed=21, hostile=False)


@pytest.mark.parametrize("names", COMBINATIONS, ids="+".join)
def test_whatever_is_set_the_page_says_what_is_missing_in_whole_sentences(node, two_years, names):
    node.open(with_settings(two_years, *names))
    assert [said for said in node("everythingSaid()") if NONSENSE.search(said)] == []
    hint = re.search(r"Set ([A-Z_, and]+) to see more", node("textOf('load')"))
    missing = {setting for name, setting in OF_LOAD.items() if name not in names}
    assert set(re.findall(r"STRAVA_\w+", hint[1] if hint else "")) == missing
    zones = node("textOf('zones')")
    assert ("Set STRAVA_MAX_HR" in zones) == ("max_hr" not in names)


def test_with_a_maximum_alone_the_page_names_the_missing_heart_rate_and_no_useless_setting(shown, variant):
    thin = with_settings(variant("without heart rate"), "max_hr")
    assert shown("zones", thin).endswith("No activity has heart rate yet.")


# zones


def test_every_zone_has_its_bounds_even_without_any_time_in_it(node, two_years):
    names = [
        "Zone 1 (up to 130 bpm)",
        "Zone 2 (131\u2013144 bpm)",
        "Zone 3 (145\u2013158 bpm)",
        "Zone 4 (159\u2013172 bpm)",
        "Zone 5 (from 173 bpm)",
    ]
    for kept in ((1, 2, 3, 4), (1,), (4,)):
        table = two_years["tables"]["zones"]
        zone = table["columns"].index("zone")
        fewer = table | {"rows": [row for row in table["rows"] if row[zone] in kept]}
        node.open(two_years | {"tables": two_years["tables"] | {"zones": fewer}})
        assert node("rowsShown('zones')[0]") == ["Month", *names]


def test_months_without_heart_rate_keep_their_place_among_the_zones(node, two_years):
    table = two_years["tables"]["zones"]
    gap = table | {"rows": [row for row in table["rows"] if not "2026-03" < row[0] < "2026-09"]}
    thin = two_years | {"tables": two_years["tables"] | {"zones": gap}}
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]
    for choices in ({}, {"year": 2026}):
        node.open(thin, **choices)
        found = node("rowsShown('zones').slice(1)")
        assert [row[0] for row in found] == [f"{month} 2026" for month in months]
        assert [row[1:] for row in found[3:8]] == [["0"] * 5] * 5


def test_a_wrong_clock_neither_stretches_the_zones_nor_hides_those_of_today(node, variant):
    node.open(variant("wrong clocks"))
    found = [row[0] for row in node("rowsShown('zones').slice(1)")]
    assert (len(found), found[-1]) == (24, "Nov 2026")


# the measure follows the sport


def test_an_athlete_who_only_lifts_sees_hours_instead_of_kilometres(node, shown, variant):
    for panel in ("weekly", "calendar", "months", "cumulative"):
        text = shown(panel, "only lifting")
        assert "Nothing in" not in text
        assert "Moving time (h)" in text, panel
    assert node("document.getElementById('measure').value") == "moving_time_s"
    # who chooses another one gets it
    assert "Activities of each day" in shown("calendar", "only lifting", measure="activities")


def test_kilometres_come_back_with_a_sport_that_has_them(node, variant):
    node.open(variant("three years"), sport="Gym")
    assert node("shownMeasure()") == "moving_time_s"
    node("choose({ sport: 'Run' })")
    assert node("[shownMeasure(), document.getElementById('measure').value]") == ["distance_m", "distance_m"]


# wrong clocks and idle years


def test_an_activity_of_2038_or_1974_does_not_change_where_the_page_opens(node, shown):
    calendar = shown("calendar", "wrong clocks")
    assert re.findall(r"(\d{4})\d* active day", calendar) == ["2026", "2025", "2024"]
    assert "Show all 5 years" in calendar
    node("all(hosts.calendar, ({ attributes }) => attributes.class === 'more')[0].listeners.click()")
    calendar = node("textOf('calendar')")
    assert "1975 – 2023: nothing" in calendar  # noqa: RUF001
    assert len(re.findall(r"active day", calendar)) == 5
    assert shown("review", "wrong clocks").startswith("2026")
    months = [row[0] for row in node("rowsShown('months').slice(1)")]
    assert months == ["2038", "2027 – 2037: nothing", "2026", "2025", "2024", "1975 – 2023: nothing", "1974"]  # noqa: RUF001
    assert "2026other years" not in shown("cumulative", "wrong clocks")
    assert "19 Jan 2038" not in shown("recent", "wrong clocks")
    assert "1 activity is dated after today, by a wrong clock." in shown("gaps", "wrong clocks")
    # whoever asks for that year gets it
    assert "2038" in shown("calendar", "wrong clocks", year=2038)


def test_after_an_idle_year_the_page_shows_the_last_active_one_in_colour(node, shown, variant):
    newest = variant("idle")["tables"]["activities"]["rows"][0][1][:4]
    assert shown("cumulative", "idle").startswith(f"Years as they grow{newest}{int(newest) - 1}other years")
    coloured = [one["name"] for one in series(node, "cumulative") if one["lineStyle"]["color"] == "var(--accent)"]
    assert coloured == [newest]
    assert shown("review", "idle").startswith(newest)


def test_fitness_opens_at_the_last_loads_and_not_at_a_year_of_nothing(node, shown, variant):
    shown("load", "idle")
    zoom = node("charts.at(-1).option.dataZoom[0]")
    last = max(row["date"] for row in rows(variant("idle"), "training_load_daily") if row["load"])
    assert zoom["startValue"] < last < zoom["endValue"] < variant("idle")["today"]
    shown("load", "three years")
    assert node("charts.at(-1).option.dataZoom[0].endValue") == synthetic.TODAY.isoformat()


def test_years_without_a_strap_are_shaded_as_warm_up_each_by_itself(node, shown):
    shown("load", "strapless for years")
    spans = [[ends["xAxis"] for ends in span] for span in series(node, "load")[0]["markArea"]["data"]]
    assert len(spans) == 2
    (first, until), (again, today) = spans
    assert first < until < "2023-06" < again < today == synthetic.TODAY.isoformat()


# said right


def test_a_year_s_eddington_number_is_in_the_unit_of_the_page(node, shown, variant):
    year = next(
        row for row in rows(variant("imperial"), "year_in_review") if (row["year"], row["sport_group"]) == (2025, "All")
    )
    assert f"Eddington of the year{year['eddington_mi']} mi" in shown("review", "imperial", year=2025)
    assert node("rowsShown('review')[0].at(-1)") == "Eddington (mi)"
    assert f"Eddington of the year{year['eddington_km']} km" in shown("review", "imperial", year=2025, units="km")


def test_with_a_single_sport_its_fastest_shows_under_all_in_its_own_unit(node, shown, variant):
    fastest = next(
        row
        for row in rows(variant("one sport"), "records")
        if (row["sport_group"], row["year"], row["record"]) == ("Ride", None, "fastest")
    )
    text = shown("records", "one sport")
    assert f"Fastest{fastest['value'] * 3.6:.1f} km/h" in text
    assert "SportLongest" not in text
    # of several sports, each has its own
    assert "Fastest" in shown("records", "three years").partition("SportLongest")[2]
    runner = synthetic.page([row for row in synthetic.made_up(2, seed=3) if row["sport_group"] == "Run"])
    assert re.search(r"Fastest\d:\d\d /km", shown("records", runner))


@pytest.mark.parametrize(
    ("measure", "achieved", "target", "text"),
    [
        ("active_days", 119, 200, "119 of 200 active days"),
        ("activities", 12, 100, "12 of 100 activities"),
        ("distance_m", 412_000, 1_000_000, "412 of 1,000 km"),
        ("moving_time_s", 5400, 36_000, "1.5 of 10.0 h"),
    ],
)
def test_a_goal_names_its_unit_once(shown, two_years, measure, achieved, target, text):
    change(two_years, "goals", measure=measure, achieved=achieved, target=target)
    assert f"{text}; " in shown("goals", two_years)


def test_a_climb_of_zero_is_shown_and_an_unknown_one_is_not(shown, two_years):
    change(two_years, "activities", total_elevation_gain_m=0)
    assert "Climbed0 m" in shown("recent", two_years)
    assert "Climbed–" not in shown("recent", two_years)  # noqa: RUF001
    change(two_years, "activities", total_elevation_gain_m=None)
    assert "Climbed–" in shown("recent", two_years)  # noqa: RUF001


@pytest.mark.parametrize("name", ["three years", "fifteen years", "one activity", "imperial"])
@pytest.mark.parametrize("sport", ["All", "Run"])
def test_eddington_s_axis_counts_in_round_steps(node, variant, name, sport):
    node.open(variant(name), sport=sport)
    node("charts.length = 0, textOf('eddington')")
    labelled = node("charts[0].option.xAxis.data.filter((_, i) => charts[0].option.xAxis.axisLabel.interval(i))")
    values = [int(value) for value in labelled]
    step = values[0]
    assert values == [step * n for n in range(1, len(values) + 1)]
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert 3 <= len(values) <= 12


def test_the_latest_activities_say_how_fast_they_were(node, shown):
    text = shown("recent", "three years", sport="Run")
    assert re.search(r"Pace\d+:\d\d /km", text)
    assert re.search(r"Speed\d+\.\d km/h", shown("recent", "three years", sport="Ride"))
    assert re.search(r"Pace\d+:\d\d /100 yd", shown("recent", "three years", sport="Swim", units="mi"))
    # no way, no speed; and of a public page's rounded figures none
    assert "Speed–" in shown("recent", "three years", sport="Gym")  # noqa: RUF001
    assert not re.search("Pace|Speed", shown("recent", "public"))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (-90, "High risk"),
        (-30.1, "High risk"),
        (-30, "Optimal"),
        (-10.1, "Optimal"),
        (-10, "Grey zone"),
        (4.9, "Grey zone"),
        (5, "Fresh"),
        (25, "Transition"),
        (120, "Transition"),
    ],
)
def test_every_form_has_a_name(node, two_years, form, text):
    change(two_years, "training_load_daily", form=form)
    node.open(two_years)
    said = node("textOf('load')")
    assert f"which is{text.lower()}" in said
    assert f"{text.lower()}" in node("charts.at(-1).option.tooltip.formatter([{ dataIndex: 0 }]).textContent")
    bands = node("charts.at(-1).option.series[2].markArea.data.map((band) => band.map(({ yAxis }) => String(yAxis)))")
    assert bands == [["-Infinity", "-30"], ["-30", "-10"], ["-10", "5"], ["5", "25"], ["25", "Infinity"]]


def test_the_three_lines_of_fitness_have_a_legend(shown, node):
    assert re.search(r"Fitness\d+\.\dFatigue\d+\.\dForm", shown("load", "three years"))
    kinds = "all(drawn('load'), ({ attributes }) => attributes['data-line']).map((one) => one.dataset.line)"
    assert node(kinds) == ["fitness", "fatigue", "form"]


def test_gear_without_a_name_says_which_it_is(shown):
    assert re.search(r"Unnamed \(b\d\).*Unnamed \(g\d\)", shown("gear", "without details"))


# sport types


def test_a_sport_type_can_be_chosen_within_its_group(node, variant):
    data = variant("three years")
    node.open(data, sport="Run")
    options = node("document.getElementById('type').children.map((one) => one.textContent)")
    assert options == ["All of Run", "Run", "Trail Run"]
    node("choose({ type: 'TrailRun' })")
    trail = [row for row in rows(data, "activities") if row["sport_type"] == "TrailRun"]
    assert node("location.hash") == "#sport=Run&type=TrailRun"
    sums = node("sumOf(sportDays(), -Infinity, Infinity)")
    assert sums == {
        "activities": len(trail),
        **{
            name: pytest.approx(sum(row[name] for row in trail))
            for name in ("distance_m", "moving_time_s", "total_elevation_gain_m")
        },
    }
    days = node("rowsShown('calendar').slice(1).filter((row) => row.length === 3).length")
    assert 0 < days <= len(trail)
    assert node("routesChosen().every((row) => row.sport_type === 'TrailRun')")
    assert node("routesChosen().length") == sum(bool(row["route"]) for row in trail)
    assert len(node("rowsShown('weekly')[0]")) == 3
    # what the warehouse has by group alone says so, and only as long as a type is chosen
    for panel in ("records", "eddington", "review", "streaks"):
        assert "All of Run: the warehouse has this by group" in node(f"textOf({panel!r})")
    for panel in ("weekly", "calendar", "months", "cumulative", "recent", "routes"):
        assert "All of Run" not in node(f"textOf({panel!r})")
    # another sport has other types
    node("choose({ sport: 'Ride' })")
    assert node("[state.type, location.hash]") == [None, "#sport=Ride"]


def test_a_sport_of_one_type_and_a_public_page_offer_none(node, variant):
    node.open(variant("three years"), sport="Swim")
    assert node("document.getElementById('type').hidden")
    node.open(variant("three years"), sport="Run")
    assert not node("document.getElementById('type').hidden")
    node.open(variant("public"), sport="Run", type="Run")
    assert node("[state.type, document.getElementById('type').hidden]") == [None, True]
