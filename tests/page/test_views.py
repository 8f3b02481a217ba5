"""The list of all activities, one period against another and data health, under Node, against the same in Python."""

import itertools
import json
import unicodedata
from datetime import date, timedelta
from typing import Any

import pytest
import synthetic
from synthetic import TODAY, Page, Row, change, rows

EPOCH = date(1970, 1, 1)


# all activities


def listed(node, expression: str) -> list[str]:
    """The ids of the activities that an expression leaves."""
    found: list[str] = node(f"{expression}.map(({{id}}) => id)")
    return found


def plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)).lower()


@pytest.mark.parametrize(
    "words", ["", "   ", "morning", "RUN easy", "gravel ride tempo", "ĺong", "script", "untitled", "nobody's"]
)
def test_a_search_finds_the_names_that_have_all_words_whatever_case_and_accents(node, variant, words):
    data = variant("three years")
    node.open(data)
    wanted = plain(words).split()
    names = {row["id"]: plain(row["name"] or "Untitled") for row in rows(data, "activities")}
    expected = [id_ for id_, name in names.items() if all(word in name for word in wanted)]
    assert listed(node, f"namedLike(ACTIVITIES, {json.dumps(words)})") == expected
    assert (len(expected) > 0) == (words != "nobody's")


def test_accents_and_ligatures_of_a_name_are_no_hindrance(node, variant):
    data = synthetic.page(rows(variant("one activity"), "activities"))
    change(data, "activities", name="Überfahrt nach Ærø — ﬁnal")
    node.open(data)
    for words in ("uber", "ÜBERFAHRT", "final nach"):
        assert len(listed(node, f"namedLike(ACTIVITIES, {json.dumps(words)})")) == 1


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize(
    "sort", ["started_local", "distance_m", "moving_time_s", "average_heartrate", "kudos", "speed"]
)
def test_a_sort_is_by_figures_with_what_is_unknown_last_and_of_equals_the_newest_first(node, variant, sort, descending):
    data = variant("three years")
    node.open(data)

    def figure(row: Row) -> Any:
        if sort == "distance_m":
            return row[sort] or None
        if sort == "speed":
            known = row["distance_m"] and row["moving_time_s"] and row["sport_group"] != "Gym"
            return row["distance_m"] / row["moving_time_s"] if known else None
        return row[sort]

    newest = sorted(rows(data, "activities"), key=lambda row: row["started_local"], reverse=True)
    known = sorted((row for row in newest if figure(row) is not None), key=figure, reverse=descending)
    # `reverse` keeps the order of equals
    expected = [row["id"] for row in [*known, *(row for row in newest if figure(row) is None)]]
    assert listed(node, f"sortedBy(ACTIVITIES, {sort!r}, {json.dumps(descending)})") == expected


def test_names_are_sorted_as_people_do(node, variant):
    data = variant("three years")
    for number, row in enumerate(data["tables"]["activities"]["rows"][:6]):
        row[data["tables"]["activities"]["columns"].index("name")] = ["b10", "B2", "", "ä", "a", None][number]
    first = [row["id"] for row in rows(data, "activities")[:6]]
    node.open(data)
    found = listed(node, "sortedBy(ACTIVITIES.slice(0, 6), 'name', false)")
    # accents and case make no difference, and 10 is more than 2; without a name last
    assert [first.index(id_) for id_ in found] == [3, 4, 1, 0, 2, 5]


def test_the_list_has_the_choice_fifty_at_a_time(node, variant):
    data = variant("three years")
    node.open(data, sport="Run", year=2025)
    chosen = [
        row for row in rows(data, "activities") if row["sport_group"] == "Run" and row["started_local"][:4] == "2025"
    ]
    shown = node("rowsShown('listing')")
    assert shown[0][:4] == ["Day", "Name", "Sport", "Distance"]
    assert len(shown) == 1 + min(50, len(chosen))
    assert f"{len(chosen)} activities, Run, 2025." in node("textOf('listing')")
    assert f"1 to 50 of {len(chosen)}" in node("textOf('listing')")


# one period with another


def day(number: int) -> date:
    return EPOCH + timedelta(days=number)


@pytest.mark.parametrize(
    ("today", "key", "first", "last"),
    [
        ("2026-11-26", "this-year", "2026-01-01", "2026-11-26"),
        ("2026-11-26", "this-month", "2026-11-01", "2026-11-26"),
        ("2026-11-26", "this-week", "2026-11-23", "2026-11-26"),
        ("2026-01-01", "this-week", "2025-12-29", "2026-01-01"),
        ("2026-03-01", "last-28", "2026-02-02", "2026-03-01"),
        ("2024-12-31", "last-365", "2024-01-02", "2024-12-31"),
        ("2026-11-26", "2024", "2024-01-01", "2024-12-31"),
    ],
)
def test_a_period_with_a_name_has_its_days(node, variant, today, key, first, last):
    node.open(variant("three years") | {"today": today})
    assert [str(day(number)) for number in node.call("periodOf", key)] == [first, last]


@pytest.mark.parametrize(
    ("function", "first", "last", "before_first", "before_last"),
    [
        ("yearBefore", "2026-01-01", "2026-11-26", "2025-01-01", "2025-11-26"),
        ("yearBefore", "2024-02-01", "2024-02-29", "2023-02-01", "2023-02-28"),
        ("daysBefore", "2026-01-01", "2026-01-31", "2025-12-01", "2025-12-31"),
        ("daysBefore", "2026-03-01", "2026-03-01", "2026-02-28", "2026-02-28"),
    ],
)
def test_what_was_before_a_period(node, variant, function, first, last, before_first, before_last):
    node.open(variant("empty"))
    period = [(date.fromisoformat(text) - EPOCH).days for text in (first, last)]
    assert [str(day(number)) for number in node.call(function, period)] == [before_first, before_last]


@pytest.mark.parametrize("sport", ["All", "Run"])
def test_sums_and_growth_of_a_period_are_those_of_its_activities(node, variant, sport):
    data = variant("three years")
    node.open(data, sport=sport)
    first, last = date(2025, 2, 27), date(2026, 12, 31)
    within = [
        row
        for row in rows(data, "activities")
        if str(first) <= row["started_local"][:10] <= str(last) and sport in ("All", row["sport_group"])
    ]
    period = [(one - EPOCH).days for one in (first, last)]
    sums = node(f"sumsOver(sportDays(), {period})")
    assert sums == {
        "activities": len(within),
        **{
            name: sum(row[name] for row in within) for name in ("distance_m", "moving_time_s", "total_elevation_gain_m")
        },
        "active_days": len({row["started_local"][:10] for row in within}),
        "days": (last - first).days + 1,
    }
    grown = node(f"grownOver(sportDays(), {period}, 'moving_time_s')")
    assert len(grown) == sums["days"]
    assert grown[(TODAY - first).days] == sums["moving_time_s"]
    assert set(grown[(TODAY - first).days + 1 :]) == {None}, "what is to come is unknown"
    assert grown[9] == sum(r["moving_time_s"] for r in within if r["started_local"][:10] <= str(first + timedelta(9)))
    by_sport = {row["sport"]: row["sums"] for row in node(f"bySport(sportDays(), [{period}], 'distance_m')")}
    assert sum(metres for (metres,) in by_sport.values()) == sums["distance_m"]
    assert (len(by_sport) > 1) == (sport == "All")


def test_two_years_are_compared_by_every_measure_and_sport(node, variant):
    data = variant("three years")
    node.open(data, measure="moving_time_s")
    node("textOf('compare')")
    node(
        "all(hosts.compare, ({tag}) => tag === 'select').at(0).listeners.change({target: {value: '2025', id: 'x'}}), 0"
    )
    node(
        "all(hosts.compare, ({tag}) => tag === 'select').at(1).listeners.change({target: {value: '2024', id: 'x'}}), 0"
    )
    shown = node("rowsShown('compare')")
    (heads,) = [row for row in shown if row[0] == "Sums"]
    assert heads[1:3] == ["1 Jan \u2013 31 Dec 2025", "1 Jan \u2013 31 Dec 2024"]
    counts = [
        sum(row["started_local"].startswith(str(year)) for row in rows(data, "activities")) for year in (2025, 2024)
    ]
    (activities,) = [row for row in shown if row[0] == "Activities"]
    assert [int(text) for text in activities[1:3]] == counts
    sports = {row["sport_group"] for row in rows(data, "activities") if row["started_local"][:4] in ("2024", "2025")}
    assert {row[0] for row in shown} >= sports
    assert [len(one["data"]) for one in node("charts.at(-1).option.series")] == [365, 366]


# data health


def test_health_says_by_year_what_activities_have(node, variant):
    data = variant("three years")
    node.open(data)
    shown = node("rowsShown('health')")
    assert shown[0] == ["Year", "Activities", "Route", "Heart rate", "Power", "Details", "API", "Export", "Files"]
    for row, text in zip(reversed(rows(data, "data_coverage_yearly")), shown[1:], strict=True):
        names = ("with_route", "with_heartrate", "with_power", "with_details", "by_api", "by_export", "by_file")
        shares = [round(100 * row[name] / row["activities"] + 1e-9) for name in names]
        assert text[:2] == [str(row["year"]), str(row["activities"])]
        for share, cell in zip(shares, text[2:], strict=True):
            assert abs(int(cell.removesuffix(" %")) - share) <= 1


def test_health_says_what_there_is_to_know_of_the_data(node, variant):
    data = variant("three years")
    node.open(data)
    said = node("textOf('health')")
    count = len(rows(data, "activities"))
    for sentence in (
        f"{count:,} activities from Strava's API, the last of them on 26 Nov 2026, 04:58 UTC.",
        f"20 Nov 2026, 05:00 UTC: {count:,} activities listed, 4 new or changed, 1 gone. "
        "The one of 25 Nov 2026, 05:00 UTC did not come to its end: more would be gone than is likely.",
        "Of 1 Mar 2026, 10:00 UTC: 70 activities, 65 files. 1 older one before.",
        "3 activities noticed as gone, the last of them on 26 Nov 2026, 04:58 UTC.",
        "elapsed_time of 12 activities: the API counts, the API is more exact.",
        "gear_id of 2 activities: kept as Strava sent it, empty here.",
        f"{count // 7:,} activities have none.",
        "make status",
    ):
        assert sentence in said, sentence


def test_health_names_the_fields_that_strava_has_begun_to_send(node, variant):
    data = variant("three years")
    for fields, sentence in (
        (None, "Not looked for yet: make flow does."),
        ([], "None: every field that Strava sends is known."),
        (
            [{"table": "activity_details", "field": "<b>mood", "since": "2026-11-20"}],
            "<b>mood in details, since 20 Nov 2026.",
        ),
    ):
        node.open(data | {"unknown_fields": fields})
        assert sentence in node("textOf('health')")


def test_without_sweeps_exports_and_differences_health_says_so(node, variant):
    data = variant("three years")
    nothing = {
        name: data["tables"][name] | {"rows": []} for name in ("sweeps", "exports", "seen", "misfits", "differences")
    }
    node.open(data | {"tables": data["tables"] | nothing})
    said = node("textOf('health')")
    for sentence in (
        "None yet: make run-all walks the whole list",
        "None was imported: make import",
        "None: the API has sent nothing yet.",
        "No activity has any yet.",
        "In nothing.",
        "Nothing: every value fits its column.",
        "None that was noticed.",
    ):
        assert sentence in said, sentence


def test_the_longest_gaps_lie_between_active_days(node, variant):
    known = [
        row
        for row in rows(variant("three years"), "activities")
        if not "2025-03-05" <= row["started_local"][:10] <= "2025-05-20"
    ]
    data: Page = synthetic.page(known)
    node.open(data)
    days = sorted({date.fromisoformat(row["started_local"][:10]) for row in known})
    gaps = sorted(((b - a).days - 1 for a, b in itertools.pairwise(days)), reverse=True)
    found = node("longestGaps(DAYS, 14, 5)")
    assert [gap["days"] for gap in found] == [gap for gap in gaps if gap >= 14][:5]
    assert found[0]["days"] >= 77
    assert (found[0]["first"] <= "2025-03-05", found[0]["last"] >= "2025-05-20") == (True, True)
    assert node("longestGaps(DAYS, 400, 5)") == []


def test_the_gap_that_lasts_until_now_is_one(node, variant):
    node.open(variant("idle"))
    (ended, days) = node("[dayText(DAYS.at(-1).day + 1), TODAY - DAYS.at(-1).day - 1]")
    assert days >= 365
    assert node("longestGaps(DAYS, 14, 5)[0]") == {"first": ended, "last": "2026-11-25", "days": days}
    node.open(synthetic.page([row | {"started_local": "2038-01-19T03:14"} for row in synthetic.made_up(1, seed=3)[:1]]))
    assert "None of 14 days or more." in node("textOf('health')")
