"""An opened activity under Node: what it shows of whom, and its place among those like it."""

import json
import re
from typing import Any

import pytest
from made_up_details import details_of
from scripts import Scripts
from synthetic import VARIANTS, Page, change, rows
from test_panels import NONSENSE


def opened(node: Scripts, id_: str) -> str:
    text: str = node(f"openedText({id_!r})")
    return text


def shown_of(details: dict[str, Any], table: str, position: int) -> list[dict[str, Any]]:
    """The rows of a table of the made-up details."""
    columns = dict(details["tables"][table])
    positions = columns.pop("position")
    if position not in positions:
        return []
    lists = [column[positions.index(position)] for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "public"])
@pytest.mark.parametrize("units", ["km", "mi"])
def test_an_activity_of_anybody_says_nothing_of_the_inside_of_a_program(node, variant, name, units):
    data = variant(name)
    node.open(data, units=units)
    activities = rows(data, "activities")
    for row in activities[:: max(1, len(activities) // 25)]:
        text = opened(node, row["id"])
        assert not NONSENSE.search(text), text
        assert row["name"] in text
        assert ("Distance" in text) == bool(row["distance_m"])


def test_its_details_are_those_of_its_place_in_the_list(node, variant):
    data = variant("three years")
    made = details_of(data)
    node.open(data)
    for position, row in list(enumerate(rows(data, "activities")))[:40]:
        for table in ("activity", "splits", "laps", "best_efforts", "zone_times", "left_out"):
            found = node(f"details().then((all) => all.rows({table!r}, {row['id']!r}))")
            assert found == shown_of(made, table, position), table
    assert node("details().then((all) => all.rows('splits', 'nobody'))") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("three years", "Known by Strava's API."),
        ("without details", "Its details (splits, laps, efforts) have not been fetched yet, or Strava refuses them."),
        ("export only", "Known by your export. Details (splits, laps, efforts) come from the API alone."),
    ],
)
def test_it_says_by_which_doors_it_came_and_why_there_are_no_details(node, variant, name, said):
    data = variant(name)
    node.open(data)
    second = rows(data, "activities")[1]
    assert said in opened(node, second["id"])
    assert ("Splits" in opened(node, second["id"])) == (name == "three years")


def test_of_two_doors_both_are_named(node, variant):
    data = variant("three years")
    node.open(data)
    assert "Known by Strava's API and an activity file." in opened(node, rows(data, "activities")[0]["id"])


def similar(data: Page, activity: dict[str, Any], odd: set[str]) -> dict[str, Any] | None:
    """The same by Python: activities of the sport whose distance differs by 10 % at most, by speed."""
    if not activity["distance_m"] or not activity["moving_time_s"]:
        return None
    listed = rows(data, "activities")
    like = [
        row
        for row in listed
        if row["sport_type"] == activity["sport_type"]
        and row["id"] not in odd
        and row["moving_time_s"]
        and 0.9 <= row["distance_m"] / activity["distance_m"] <= 1.1
    ]
    others = [row for row in like if row is not activity and row["id"] != activity["id"]]
    if not others:
        return None
    at = [row["id"] for row in listed].index(activity["id"])
    later = {row["id"] for row in listed[:at]}
    before = [row for row in others if row["id"] not in later][:10]

    def speed(row: dict[str, Any]) -> float:
        return float(row["distance_m"] / row["moving_time_s"])

    return {
        "count": len(like),
        "rank": 1 + sum(speed(row) > speed(activity) for row in others),
        "best": max(map(speed, others)),
        "last": [row["id"] for row in before],
        "mean": sum(row["distance_m"] for row in before) / sum(row["moving_time_s"] for row in before)
        if before
        else None,
    }


def test_its_place_among_similar_ones_is_by_speed_among_its_sport_and_distance(node, variant):
    data = variant("three years")
    node.open(data)
    compared = 0
    for row in rows(data, "activities")[::9]:
        expected = similar(data, row, set())
        found = node(
            f"{{ const found = amongSimilar(activityOf({row['id']!r}), () => false) ?? {{ last: [] }};"
            "const { count, rank, best, last, mean } = found;"
            "({ count, rank, best: best && speedIn(best), last: last.map(({ id }) => id), mean }) }"
        )
        if expected is None:
            assert found.get("rank") is None
        else:
            assert found == expected
            compared += 1
    assert compared > 20


def test_what_makes_no_sense_is_neither_compared_nor_ranked(node, variant):
    data = variant("three years")
    runs = [row for row in rows(data, "activities") if row["sport_type"] == "Run"]
    run = runs[0]
    best = max(
        (row for row in runs if 0.9 <= row["distance_m"] / run["distance_m"] <= 1.1 and row is not run),
        key=lambda row: row["distance_m"] / row["moving_time_s"],
    )
    node.open(data)
    among = f"amongSimilar(activityOf({run['id']!r}), (id) => id === {{!r}})"
    assert node(f"{among.format('nobody')}.best.id") == best["id"]
    assert node(f"{among.format(best['id'])}.best.id") != best["id"]
    assert node(f"{among.format(best['id'])}.count") == node(f"{among.format('nobody')}.count") - 1
    assert node(f"{among.format(run['id'])}.rank") is None


def test_without_a_distance_similar_is_what_took_as_long(node, variant):
    data = variant("only lifting")
    node.open(data)
    row = rows(data, "activities")[0]
    seconds = row["moving_time_s"]
    like = [one for one in rows(data, "activities") if 0.8 * seconds <= one["moving_time_s"] <= 1.2 * seconds]
    found = node(f"amongSimilar(activityOf({row['id']!r}), () => false)")
    assert (found["by"], found["count"], found["rank"], found["best"]) == ("moving_time_s", len(like), None, None)
    text = opened(node, row["id"])
    assert "fastest" not in text
    assert f"{len(like)} activities: Weight Training, " in text


def test_splits_say_where_they_begin_and_end_and_the_last_how_long_it_is(node, variant):
    data = variant("one sport")
    node.open(data)
    activities = rows(data, "activities")
    far = next(row for i, row in enumerate(activities) if row["distance_m"] > 40_000 and i % 7 != 3)
    text = opened(node, far["id"])
    ends = [f"{at}\u2013{at + 5}" for at in range(0, far["distance_m"] // 5000 * 5, 5)]
    assert all(end in text for end in ends), text
    rest = far["distance_m"] % 5000
    if rest and rest % 1000 < 950:
        assert re.search(rf"{len(ends) * 5}\u2013{(far['distance_m'] / 1000):.1f}", text)


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (1112, "1,112th")]
)
def test_a_rank_has_its_ending(node, variant, number, text):
    node.open(variant("empty"))
    assert node.call("ordinal", number) == text


def test_an_address_opens_an_activity_and_nonsense_none(node, variant):
    data = variant("three years")
    id_ = rows(data, "activities")[5]["id"]
    node.open(data, activity=id_, sport="Run")
    assert node("[state.activity, state.sport, document.getElementById('activity').open]") == [id_, "Run", True]
    node.open(data, activity="17")
    assert node("[state.activity, document.getElementById('activity').open]") == ["17", True]
    for nonsense in ("__proto__", "constructor", "", "17 or more"):
        node.open(data, activity=nonsense)
        assert node("[state.activity, document.getElementById('activity').open ?? false]") == [None, False]


def test_a_public_page_opens_nothing(node, variant):
    node.open(variant("public"), activity="9007199254740993")
    assert node("state.activity") is None
    assert node("all(drawn('recent'), ({tag}) => tag === 'a').length") == 0


def test_in_the_gym_a_distance_is_none_of_a_way(node, variant):
    data = json.loads(json.dumps(variant("only lifting")))
    change(data, "activities", distance_m=5000, moving_time_s=1800)
    node.open(data)
    text = opened(node, rows(data, "activities")[0]["id"])
    assert "24:00 to 36:00" in text
    assert not re.search(r"slower|faster|fastest|Speed", text)


@pytest.mark.parametrize(
    ("sport", "units", "is_timed"), [("Run", "km", False), ("Run", "mi", True), ("Swim", "km", True)]
)
def test_splits_say_their_time_unless_their_pace_does(node, variant, sport, units, is_timed):
    data = variant("three years")
    node.open(data, units=units)
    made = details_of(data)
    row = next(
        row
        for position, row in enumerate(rows(data, "activities"))
        if row["sport_type"] == sport and {part["splits"] for part in shown_of(made, "splits", position)} == {1}
    )
    text = opened(node, row["id"])
    heads = text[text.index("Splits") :]
    assert ("Time" in heads[: heads.index("Pace")]) == is_timed
