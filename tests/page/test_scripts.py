"""The page's scripts under Node: formats, dates, sums, filters, comparisons and shades, without a browser."""

import copy
from datetime import date, timedelta

import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

EPOCH = date(1970, 1, 1)
DATES = st.dates(date(1900, 1, 1), date(2200, 12, 31))
MILE_M = 1609.344
FOOT_M = 0.3048
GAP = "\u00a0"


@pytest.fixture(scope="module")
def data():
    return synthetic.athlete(3, seed=2)


@pytest.fixture
def page(node, data):
    """The page of three years, with no choice made."""
    node.open(data)
    return node


@pytest.fixture
def shown(node, data):
    """What a panel shows with these filters, as text."""

    def text(panel, of=data, **choices):
        node.open(of, **choices)
        return node(f"textOf({panel!r})")

    return text


def daily(data):
    table = data["tables"]["activities_daily"]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def total(data, measure, sport="All", first=date.min, last=date.max):
    return sum(
        row[measure] or 0
        for row in daily(data)
        if sport in ("All", row["sport_group"]) and str(first) <= row["activity_date"] <= str(last)
    )


# --- formats, worked out by hand


@pytest.mark.parametrize(
    ("units", "metres_per_second", "sport", "text"),
    [
        # 1.25 m/s: 100 m in 80 s, 91.44 m in 73.152 s
        ("km", 1.25, "Swim", "1:20 /100 m"),
        ("mi", 1.25, "Swim", "1:13 /100 yd"),
        # 1000 m in 300 s, a mile in 482.8 s
        ("km", 10 / 3, "Run", "5:00 /km"),
        ("mi", 10 / 3, "Run", "8:03 /mi"),
        ("km", 1.25, "Walk", "13:20 /km"),
        ("km", 10, "Ride", "36.0 km/h"),
        ("mi", 10, "Ride", "22.4 mi/h"),
        ("km", 10, "Snow", "36.0 km/h"),
        ("km", 0, "Run", "–"),
        ("km", None, "Run", "–"),
    ],
)
def test_a_speed_is_said_as_the_sport_says_it(node, data, units, metres_per_second, sport, text):
    node.open(data, units=units)
    assert node.call("speed", metres_per_second, sport).replace(GAP, " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.5, "1:00"), (2830, "47:10"), (3599.6, "1:00:00"), (3723, "1:02:03"), (None, "–")],
)
def test_a_time_is_said_in_hours_only_where_there_are_any(page, seconds, text):
    assert page.call("clock", seconds) == text


@pytest.mark.parametrize(
    ("units", "measure", "value", "text"),
    [
        ("km", "distance_m", 4200, "4.2 km"),
        ("km", "distance_m", 99_949, "99.9 km"),
        ("km", "distance_m", 99_950, "100 km"),
        ("km", "distance_m", 1_234_567, "1,235 km"),
        ("mi", "distance_m", 16_093.44, "10.0 mi"),
        ("km", "distance_m", 0, "0 km"),
        ("km", "moving_time_s", 5400, "1.5 h"),
        ("km", "moving_time_s", 1_000_000, "278 h"),
        ("km", "total_elevation_gain_m", 12.5, "13 m"),
        ("mi", "total_elevation_gain_m", 304.8, "1,000 ft"),
        ("km", "activities", 1, "1 activity"),
        ("km", "activities", 1200, "1,200 activities"),
        ("km", "distance_m", None, "–"),
    ],
)
def test_a_total_has_its_unit_and_as_many_digits_as_it_deserves(node, data, units, measure, value, text):
    node.open(data, units=units)
    assert node.call("measured", measure, value).replace(GAP, " ") == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (112, 100, "+12 %"),
        (88, 100, "−12 %"),
        (100.4, 100, "±0 %"),
        (5, 0, None),
        (0, 100, "−100 %"),
        (2500, 100, "+2,400 %"),
    ],
)
def test_a_change_is_against_what_was_before(page, now, before, text):
    said = page.call("change", now, before)
    assert (said and said.replace(GAP, " ")) == text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("2026-11-16", "2026-11-22", "16 – 22 Nov 2026"),
        ("2026-10-26", "2026-11-01", "26 Oct – 1 Nov 2026"),
        ("2025-12-29", "2026-01-04", "29 Dec 2025 – 4 Jan 2026"),
        ("2026-11-16", "2026-11-16", "16 Nov 2026"),
        (None, "2026-11-16", "–"),
    ],
)
def test_a_range_says_once_what_its_ends_share(page, first, last, text):
    assert page.call("rangeText", first, last).replace(GAP, " ") == text


def test_special_cases_have_words_of_their_own(page):
    assert page.call("percent", 0.747) == f"75{GAP}%"
    assert page.call("percent", None) == "–"
    assert page.call("hourText", 7) == "07:00"
    assert page.call("monthText", "2026-02-11") == f"Feb{GAP}2026"
    assert page.call("sportText", "BackcountrySki") == "Backcountry Ski"
    view = "(viewOnStrava({!r}, 'x') ?? {{attributes: {{}}}}).attributes.href"
    assert page(view.format("17")) == "https://www.strava.com/activities/17"
    assert page(view.format("javascript:alert(1)")) is None


# --- dates


@settings(max_examples=150, deadline=None)
@given(day=DATES)
def test_a_day_number_is_a_day_in_no_zone(node, data, day):
    if not node.opened:
        node.open(data)
    number = (day - EPOCH).days
    text = f"{day:%Y-%m-%d}".rjust(10, "0")
    expression = (
        f"[dayNumber({text!r}), dayText({number}), weekdayOf({number}), dayText(mondayOf({number})), yearOf({text!r})]"
    )
    assert node(expression) == [number, text, day.weekday(), str(day - timedelta(day.weekday())), day.year]


# --- sums, filters, comparisons


@pytest.mark.parametrize("sport", ["All", "Run", "Swim"])
@pytest.mark.parametrize(("units", "metre", "foot", "height"), [("km", 1000, 1, "m"), ("mi", MILE_M, FOOT_M, "ft")])
def test_tiles_add_up_the_days_of_the_choice(shown, data, sport, units, metre, foot, height):
    text = shown("tiles", sport=sport, units=units, span="all")
    distance, climbed = total(data, "distance_m", sport) / metre, total(data, "total_elevation_gain_m", sport) / foot
    assert f"Activities{total(data, 'activities', sport):,}" in text
    assert f"Distance{distance:,.0f} {units}" in text if distance >= 99.95 else f"{distance:,.1f} {units}" in text
    assert f"Climbed{climbed:,.0f} {height}" in text


def test_a_sum_includes_its_first_and_its_last_day(page, data):
    first, last = sorted(date.fromisoformat(row["activity_date"]) for row in daily(data))[10:200:150]
    for sport in ("All", "Ride"):
        sums = page(
            f"choose({{ sport: {sport!r} }}), sumOf(sportDays(), {(first - EPOCH).days}, {(last - EPOCH).days})"
        )
        for measure, value in sums.items():
            assert value == pytest.approx(total(data, measure, sport, first, last)), measure
    (only,) = [row for row in daily(data) if row["activity_date"] == str(last)][:1]
    day = (last - EPOCH).days
    page(f"choose({{ sport: {only['sport_group']!r} }})")
    assert page(f"sumOf(sportDays(), {day}, {day})")["activities"] == only["activities"]


@pytest.mark.parametrize(
    ("today", "span", "first", "before"),
    [
        ("2026-11-26", "year", (2026, 1, 1), ((2025, 1, 1), (2025, 11, 26))),
        ("2026-11-26", "month", (2026, 11, 1), ((2026, 10, 1), (2026, 10, 26))),
        ("2026-11-26", "week", (2026, 11, 23), ((2026, 11, 16), (2026, 11, 19))),
        # a month, and a year, that has no such day
        ("2026-03-31", "month", (2026, 3, 1), ((2026, 2, 1), (2026, 2, 28))),
        ("2024-02-29", "year", (2024, 1, 1), ((2023, 1, 1), (2023, 2, 28))),
        ("2026-01-02", "week", (2025, 12, 29), ((2025, 12, 22), (2025, 12, 26))),
    ],
)
def test_a_span_is_set_against_the_same_days_of_the_one_before(node, data, today, span, first, before):
    node.open(data | {"today": today}, span=span)
    spans = node("spans()")
    dates = [[str(EPOCH + timedelta(day)) for day in spans[name]] for name in ("now", "before")]
    assert dates == [[str(date(*first)), today], [str(date(*day)) for day in before]]


def test_a_past_year_is_set_against_the_whole_year_before(node, data):
    node.open(data, year=2025)
    spans = node("spans()")
    assert [str(EPOCH + timedelta(day)) for day in spans["now"] + spans["before"]] == [
        *("2025-01-01", "2025-12-31"),
        *("2024-01-01", "2024-12-31"),
    ]


def test_what_the_address_says_is_chosen_and_nonsense_is_not(node, data):
    choices = {"year": 2025, "sport": "Run", "type": "TrailRun", "measure": "activities", "span": "week"}
    choices |= {"units": "mi", "theme": "dark", "activity": data["tables"]["activities"]["rows"][3][0]}
    choices |= {"compare": "2025-03-01..2025-05-31", "with": "days-before"}
    node.open(data, **choices)
    assert node("state") == choices
    assert node("chosenText()") == "Trail Run, 2025"
    node.open(data, year=1066, sport="Quidditch", type="toString", measure="toString", span="decade", units="furlong")
    defaults = {"year": None, "sport": "All", "type": None, "measure": "distance_m", "span": "year", "units": "km"}
    defaults |= {"theme": "auto", "compare": "this-year", "with": "year-before", "activity": None}
    assert node("state") == defaults
    for nonsense in ("year-before", "2025-02-30..2025-03-01", "2025-01-01..", "0025-01-01..2025-01-01", "toString"):
        node.open(data, compare=nonsense, **{"with": "last-year"})
        assert node("state") == defaults
    node.open(data, compare="2025", **{"with": "2024"})
    assert node("state") == defaults | {"compare": "2025", "with": "2024"}
    # a type of another sport
    node.open(data, sport="Ride", type="TrailRun", theme="pink")
    assert node("state") == defaults | {"sport": "Ride"}
    node.open(data)
    node("choose({ sport: 'Run', year: 2025 })")
    assert node("location.hash") == "#year=2025&sport=Run"


@pytest.mark.parametrize("sport", ["All", "Ride"])
def test_weeks_months_and_days_have_the_sums_of_their_days(node, data, sport):
    node.open(data, sport=sport, measure="activities")
    monday = synthetic.TODAY - timedelta(synthetic.TODAY.weekday())
    weeks = node("rowsShown('weekly')")[1:]
    mondays = [monday - timedelta(7 * (51 - n)) for n in range(52)]
    assert [row[-1] for row in weeks] == [
        f"{total(data, 'activities', sport, first, first + timedelta(6)):,}" for first in mondays
    ]
    months = node("rowsShown('months')")
    assert [row[-1] for row in months[1:4]] == [
        f"{total(data, 'activities', sport, date(year, 1, 1), date(year, 12, 31)):,}" for year in (2026, 2025, 2024)
    ]
    may = [row[5] for row in months[1:4]]
    assert may == [f"{total(data, 'activities', sport, date(y, 5, 1), date(y, 5, 31)):,}" for y in (2026, 2025, 2024)]
    days = {row[0]: row[-1] for row in node("rowsShown('calendar')") if len(row) == 3}
    assert sum(map(int, list(days.values())[1:])) == total(data, "activities", sport)


def test_the_review_is_of_the_chosen_year_against_the_one_before(shown, data):
    table = data["tables"]["year_in_review"]
    years = {
        row["year"]: row
        for row in (dict(zip(table["columns"], values, strict=True)) for values in table["rows"])
        if row["sport_group"] == "All"
    }
    text = shown("review", year=2025)
    assert text.startswith("2025")
    assert f"Activities{years[2025]['activities']:,}{years[2024]['activities']:,} activities in 2024" in text
    assert f"Active days{years[2025]['active_days']}{years[2024]['active_days']} days in 2024" in text
    assert f"Kudos{years[2025]['kudos']:,}{years[2024]['kudos']:,} in 2024" in text
    assert f"Longest streak{years[2025]['longest_day_streak']} days" in text
    assert shown("review").startswith("2026")
    # the first year has none before it
    assert " in 2023" not in shown("review", year=2024)


REVIEWED = {
    "activities": 3,
    "distance_m": 36_500,
    "moving_time_s": 10_800,
    "total_elevation_gain_m": 450,
    "kudos": 12,
    "active_days": 2,
    "longest_distance_m": 21_100,
    "longest_activity_id": "17",
    "longest_activity_name": "Round the lake",
    "biggest_day_date": "2025-07-21",
    "biggest_day_distance_m": 26_500,
    "longest_day_streak": 1,
    "favourite_weekday": 7,
    "favourite_hour": 23,
    "most_used_gear_id": "b1",
    "eddington_km": 2,
    "eddington_mi": 1,
    "first_activity_date": "2025-03-09",
    "last_activity_date": "2025-07-21",
}


def reviewed(data, **others):
    """`data` whose years in review are 2025 alone, and that one `REVIEWED`, with `others` in the place of its own."""
    tables = copy.deepcopy(data["tables"])
    columns = tables["year_in_review"]["columns"]
    row = REVIEWED | {"year": 2025, "sport_group": "All"} | others
    tables["year_in_review"]["rows"] = [[row[column] for column in columns]]
    columns = tables["gear"]["columns"]
    bike = dict.fromkeys(columns) | {"gear_id": "b1", "name": "Old bike", "kind": "bike"}
    # gear that has no id is nobody's most used
    tables["gear"]["rows"] = [list(one.values()) for one in (bike | {"gear_id": None, "name": "no gear"}, bike)]
    return data | {"tables": tables}


def test_a_year_in_review_says_each_of_its_moments(shown, data):
    assert shown("review", of=reviewed(data), year=2025).partition("Longest activity")[2] == (
        "21.1 kmRound the lake" + "Biggest day26.5 km21 Jul 2025" + "Longest streak1 dayin a row"
        "Favourite startSundaysand 23:00 to 00:00" + "Eddington of the year2 kmfrom this year's days alone"
        "Most usedOld bikebike" + "From first to last9 Mar – 21 Jul 2025Table: "
    )
    assert "Longest activity13.1 miRound the lakeBiggest day16.5 mi" in shown("review", of=reviewed(data), units="mi")
    shoes = reviewed(data)
    kind = shoes["tables"]["gear"]["columns"].index("kind")
    shoes["tables"]["gear"]["rows"][1][kind] = "shoes"
    assert "Most usedOld bikeshoes" in shown("review", of=shoes)


@pytest.mark.parametrize(
    ("unknown", "words"),
    [
        ({"longest_distance_m": None, "longest_activity_id": None, "longest_activity_name": None}, "Longest activity"),
        ({"longest_activity_name": None}, "Round"),
        ({"biggest_day_distance_m": None, "biggest_day_date": None}, "Biggest day"),
        ({"favourite_weekday": None, "favourite_hour": None}, "Favourite start"),
        ({"favourite_hour": None}, "23:00"),
        ({"most_used_gear_id": None}, "Most used"),
        ({"eddington_km": None, "eddington_mi": 0}, "Eddington"),
        ({"kudos": None}, "Kudos"),
    ],
)
def test_a_year_in_review_leaves_out_what_is_unknown_and_nothing_else(shown, data, unknown, words):
    text = shown("review", of=reviewed(data, **unknown))
    assert words not in text
    for known in {"Longest activity", "Biggest day", "Favourite start", "Most used", "Eddington", "Kudos"} - {words}:
        assert known in text


def test_nothing_is_not_unknown(shown, data):
    text = shown("review", of=reviewed(data, kudos=0, eddington_km=0, favourite_hour=0))
    for said in ("Kudos0", "Eddington of the year0 km", "and 00:00 to 01:00"):
        assert said in text


def without_kudos(data, year, kept=0):
    """`data` whose activities of `year` only an export knows, but for the first few."""
    tables = copy.deepcopy(data["tables"])
    activities = tables["activities"]
    kudos, started = (activities["columns"].index(name) for name in ("kudos", "started_local"))
    of_year = [row for row in activities["rows"] if row[started].startswith(str(year))]
    for row in of_year[kept:]:
        row[kudos] = None
    return data | {"tables": tables}, len(of_year) - kept


def test_kudos_that_no_export_has_are_unknown_and_not_zero(shown, data):
    exported, _ = without_kudos(data, 2025)
    assert "Kudos–an export has none" in shown("review", of=reviewed(exported, kudos=None), year=2025)
    partly, unknown = without_kudos(data, 2025, kept=1)
    text = shown("review", of=reviewed(partly, kudos=12), year=2025)
    assert f"Kudos12without {unknown} activities of an export, which has none" in text
    # those of another year say nothing of this one
    elsewhere, _ = without_kudos(data, 2024)
    assert "an export" not in shown("review", of=reviewed(elsewhere), year=2025)


def test_the_page_says_what_is_unknown_of_activities_that_only_an_export_knows(shown, data):
    assert "export" not in shown("gaps").replace("known by an export", "")
    tables = copy.deepcopy(data["tables"])
    coverage = tables["data_coverage"]
    for name, count in (("without_api", 3), ("without_time_zone", 1)):
        coverage["rows"][0][coverage["columns"].index(name)] = count
    text = shown("gaps", of=data | {"tables": tables})
    assert "3 activities are known by an export or a file alone" in text
    assert "1 activity has no time zone" in text
    assert "The others: known by an export or a file alone, still to be fetched, or refused." in text


def test_a_review_names_the_longest_activity_by_its_id_and_draws_its_route(node, data):
    activities = data["tables"]["activities"]
    known = [dict(zip(activities["columns"], row, strict=True)) for row in activities["rows"]]
    longest = next(one for one in known if one["route"] and one["started_local"] < "2025")
    node.open(reviewed(data, longest_activity_id=longest["id"]))
    day = date.fromisoformat(longest["started_local"][:10])
    assert f"Round the lake{day.day} {day:%b %Y}" in node("textOf('review')")
    assert node("all(drawn('review'), ({ tag }) => tag === 'svg').length") == 1


def test_the_years_behind_a_review_are_listed_newest_first(shown, node, data):
    years = [{"year": 2024, "eddington_km": None}, {"year": 2025}, {"year": 2023, "longest_distance_m": None}]
    three = reviewed(data)
    three["tables"]["year_in_review"]["rows"] = [
        row for year in years for row in reviewed(data, **year)["tables"]["year_in_review"]["rows"]
    ]
    node.open(three)
    assert [[cell.replace(GAP, " ") for cell in row] for row in node("rowsShown('review')")[1:]] == [
        ["2025", "3", "2", "36.5", "3.0", "450", "21.1 km", "1", "2"],
        ["2024", "3", "2", "36.5", "3.0", "450", "21.1 km", "1", "–"],
        ["2023", "3", "2", "36.5", "3.0", "450", "–", "1", "2"],
    ]
    captions = "all(drawn('review'), ({ tag }) => tag === 'caption').map((one) => one.textContent)"
    assert node(captions) == ["Years, all sports"]
    assert "Choose a year above" in shown("review", of=three)
    assert "Choose a year above" not in shown("review", of=three, year=2024)
    assert "2024No activities in this choice: all sports, 2024." in shown("review", of=reviewed(data), year=2024)
    assert "2025No activities in this choice: Run, 2025." in shown("review", of=reviewed(data), year=2025, sport="Run")


def test_a_choice_without_activities_says_so(shown, data):
    without = copy.deepcopy(data)
    table = without["tables"]["activities_daily"]
    place = table["columns"].index("sport_group")
    table["rows"] = [row for row in table["rows"] if row[place] != "Run" or row[0] > "2026"]
    assert "No activities in this choice: Run, 2025." in shown("calendar", of=without, sport="Run", year=2025)
    assert "No activities yet." in shown("calendar", of=synthetic.empty())


# --- shades and routes


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(0, 10**6), min_size=1, max_size=80))
def test_shades_are_five_steps_of_about_as_many_cells_and_none_is_for_nothing(node, data, values):
    if not node.opened:
        node.open(data)
    steps = node.call("stepsOf", values)
    shades = node(f"{values}.map((value) => stepOf(value, {steps}))")
    assert [shade == 0 for shade in shades] == [value == 0 for value in values]
    by_value = sorted((value, shade) for value, shade in zip(values, shades, strict=True) if value)
    assert [shade for _, shade in by_value] == sorted(shade for _, shade in by_value)
    distinct = len(set(values) - {0})
    if distinct == len([value for value in values if value]) >= 10:
        counts = [sum(shade == step for _, shade in by_value) for step in range(1, 6)]
        assert max(counts) - min(counts) <= 2


def test_a_step_begins_above_its_bound(page):
    # days without anything are no part of the steps
    steps = page.call("stepsOf", [0] * 30 + list(range(1, 11)))
    assert steps == [2, 4, 6, 8]
    assert page(f"[0, 1, 2, 3, 4, 5, 8, 9, 10].map((value) => stepOf(value, {steps}))") == [0, 1, 1, 2, 2, 3, 4, 5, 5]


def test_the_legend_says_where_the_darkest_shade_begins(node, data):
    node.open(data, units="mi")
    legend = f"heatLegend([1, 2, 3, {MILE_M * 40}])"
    assert node(f"{legend}.textContent").replace(GAP, " ") == "lessmore than 40.0 mi"
    assert node(f"all({legend}, ({{ tag }}) => tag === 'i').map((one) => one.dataset.heat)") == list("012345")
    assert node("heatLegend([0, 0, 0, 0]).textContent") == "lessmore"


def test_a_tip_is_that_of_the_cell_under_the_pointer_and_goes_with_it(page):
    page("const host = h('div'), drawnOnce = h('div')")
    page("tipsOver(host, (index) => `before ${index}`), tipsOver(host, (index) => `cell ${index}`)")
    assert page("tipsOver(drawnOnce, String), Object.keys(drawnOnce.listeners).length") == 3
    cell = "({ closest: () => ({ dataset: { tip: '0' } }) })"
    nothing = "({ closest: () => null })"
    shows = "[tip.textContent, tip.classList.contains('shown')]"
    over = "host.listeners.{}({{ clientX: 10, clientY: 10, target: {} }})".format
    for event in ("pointermove", "pointerdown"):
        assert page(f"{over(event, cell)}, {shows}") == ["cell 0", True]
        assert page(f"{over(event, nothing)}, {shows}")[1] is False
    assert page(f"{over('pointermove', cell)}, host.listeners.pointerleave(), {shows}")[1] is False


def test_every_sport_has_its_own_dot_and_bar(page):
    page("textOf('weekly')")
    series = page("charts[0].option.series.map(({ name, itemStyle }) => [name, itemStyle.color])")
    assert series == [[name, f"var(--sport-{name.lower()})"] for name, _ in series]
    assert len({colour for _, colour in series}) == len(series) > 3
