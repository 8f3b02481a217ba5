"""What made-up activities look like: summaries as odd as real ones, details and streams that agree with them."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from simulated_app import App

from simulator import Simulator
from simulator.census import DETAIL, SUMMARY, kind_of

DETAILS_SAY_THEMSELVES = ("map", "resource_state", "device_name")
CLOCK = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def many() -> Iterator[Simulator]:
    with Simulator(seed=11, activities=5000, clock=CLOCK) as strava:
        strava.set_limits(read_15min=10**6, read_day=10**6, overall_15min=10**6, overall_day=10**6)
        yield strava


@pytest.fixture(scope="module")
def history(many: Simulator) -> list[dict[str, Any]]:
    return many.activities()


@pytest.mark.parametrize("name", SUMMARY)
def test_summaries_have_each_field_as_often_as_real_ones(history: list[dict[str, Any]], name: str) -> None:
    counted = Counter(kind_of(activity[name]) for activity in history if name in activity)
    for kind in counted.keys() | SUMMARY[name].keys():
        assert 100 * counted[kind] / len(history) == pytest.approx(SUMMARY[name].get(kind, 0), abs=2.5), kind


def test_the_same_seed_size_and_day_make_the_same_account() -> None:
    first, again, other = (Simulator(seed, 300, clock=CLOCK).activities() for seed in (7, 7, 8))
    assert json.dumps(first) == json.dumps(again)
    assert json.dumps(first) != json.dumps(other)


@pytest.mark.parametrize("size", [0, 1, 2, 40])
def test_small_accounts_work_too(size: int) -> None:
    strava = Simulator(activities=size)
    assert len(strava.activities()) == size
    strava.add()
    assert strava.count == size + 1


def test_local_starts_are_the_utc_starts_plus_an_offset_that_follows_summer_time(history: list[dict[str, Any]]) -> None:
    home = Counter(activity["timezone"] for activity in history).most_common(1)[0][0]
    offsets = {activity["utc_offset"] for activity in history if activity["timezone"] == home}
    assert len(offsets) == 2
    for activity in history:
        start, local = (datetime.fromisoformat(activity[key]) for key in ("start_date", "start_date_local"))
        assert local - start == timedelta(seconds=activity["utc_offset"])


def test_odd_time_zones_occur(history: list[dict[str, Any]]) -> None:
    zones = {activity["timezone"] for activity in history}
    assert zones >= {
        "(GMT-05:00) EST5EDT",
        "(GMT-05:00) Cuba",
        "(GMT-05:00) Etc/GMT+5",
        "(GMT+05:30) Asia/Kolkata",
        "(GMT+13:00) Pacific/Tongatapu",
    }


def test_the_history_ends_near_now_and_never_after(history: list[dict[str, Any]]) -> None:
    newest = datetime.fromisoformat(history[0]["start_date"])
    assert CLOCK - timedelta(days=4) < newest < CLOCK


def test_ids_are_unique_pass_two_to_the_31_and_do_not_follow_dates(history: list[dict[str, Any]]) -> None:
    found = [activity["id"] for activity in history]
    assert len(set(found)) == 5000
    assert min(found) < 2**31 < max(found)
    assert found != sorted(found, reverse=True)


def test_shapes_that_bite_are_all_there(history: list[dict[str, Any]]) -> None:
    assert any(activity["moving_time"] > activity["elapsed_time"] for activity in history)
    assert any(not activity["name"].strip() for activity in history)
    assert any("DROP TABLE" in activity["name"] for activity in history)
    assert any(activity["start_latlng"] == [] and activity["map"]["summary_polyline"] for activity in history)
    assert {"", None} < {activity["map"]["summary_polyline"] for activity in history}
    assert any(a.get("sport_type") == "TrailRun" and a["type"] == "Run" for a in history)
    assert any(a.get("sport_type") == "TidalFoiling" for a in history)
    assert all(("id_str" in a) == (a["start_date"] >= "2026-06") for a in history)


def test_distances_match_times_and_speeds(history: list[dict[str, Any]]) -> None:
    for activity in history:
        metres = activity["average_speed"] * activity["moving_time"]
        assert metres == pytest.approx(activity["distance"], rel=0.01, abs=1)
        assert activity["max_speed"] >= activity["average_speed"]


def test_winter_and_summer_differ(history: list[dict[str, Any]]) -> None:
    skiing = {a["start_date_local"][5:7] for a in history if a.get("sport_type", a["type"]) == "NordicSki"}
    assert "01" in skiing
    assert "07" not in skiing


def test_details_have_their_own_fields_as_often_as_real_ones(many: Simulator, history: list[dict[str, Any]]) -> None:
    details = [many.detail(activity["id"]) for activity in history[::10]]
    for name, shares in DETAIL.items():
        if name in ("calories", "device_name"):
            continue
        counted = Counter(kind_of(detail[name]) for detail in details if name in detail)
        for kind in counted.keys() | shares.keys():
            assert 100 * counted[kind] / len(details) == pytest.approx(shares.get(kind, 0), abs=6), (name, kind)


def test_a_detail_says_what_its_summary_says_and_always_the_same(many: Simulator) -> None:
    app = App(many)
    for activity in many.activities()[::500]:
        detail = app.get(f"/activities/{activity['id']}", include_all_efforts="true").json()
        assert detail == many.detail(activity["id"])
        shared = activity.keys() - {"map", "resource_state"}
        assert {key: detail[key] for key in shared} == {key: activity[key] for key in shared}
        assert detail["resource_state"] == 3


def test_splits_laps_and_zones_add_up_to_the_activity(many: Simulator) -> None:
    app = App(many)
    cut, zoned = 0, 0
    for activity in many.activities()[::250]:
        detail = many.detail(activity["id"])
        for stretches in (detail.get("splits_metric"), detail.get("splits_standard"), detail.get("laps")):
            if stretches:
                cut += 1
                assert sum(s["distance"] for s in stretches) == pytest.approx(activity["distance"], abs=0.1)
                assert sum(s["moving_time"] for s in stretches) == activity["moving_time"]
                assert sum(s["elapsed_time"] for s in stretches) == activity["elapsed_time"]
        assert app.get(f"/activities/{activity['id']}/laps").status_code == 200
        for zone in app.get(f"/activities/{activity['id']}/zones").json():
            zoned += 1
            assert sum(bucket["time"] for bucket in zone["distribution_buckets"]) == activity["moving_time"]
    assert min(cut, zoned) > 5


def test_hidden_efforts_are_shown_on_demand(many: Simulator) -> None:
    app = App(many)
    activity = next(
        a["id"] for a in many.activities() if any(e["hidden"] for e in many.detail(a["id"])["segment_efforts"])
    )
    few = app.get(f"/activities/{activity}").json()["segment_efforts"]
    every = app.get(f"/activities/{activity}", include_all_efforts="true").json()["segment_efforts"]
    assert few == [effort for effort in every if not effort["hidden"]] != every


def test_streams_end_where_the_activity_ends(many: Simulator) -> None:
    app = App(many)
    activity = next(
        a
        for a in many.activities()
        if a["start_latlng"] and a["has_heartrate"] and a["elapsed_time"] > a["moving_time"]
    )
    path = f"/activities/{activity['id']}/streams"
    streams = app.get(path, keys="time,distance,latlng,heartrate,moving,velocity_smooth", key_by_type="true").json()
    assert set(streams) == {"time", "distance", "latlng", "heartrate", "moving", "velocity_smooth"}
    assert len({len(stream["data"]) for stream in streams.values()}) == 1
    assert streams["time"]["data"][-1] == activity["elapsed_time"]
    assert streams["distance"]["data"][-1] == pytest.approx(activity["distance"], abs=0.1)
    assert streams["latlng"]["data"][0] == pytest.approx(activity["start_latlng"], abs=1e-4)
    assert streams["latlng"]["data"][-1] == pytest.approx(activity["end_latlng"], abs=1e-3)
    listed = app.get(path, keys="time").json()
    assert [stream["type"] for stream in listed] == ["time"]


def test_a_missing_stream_is_an_absent_key_and_none_at_all_a_404(many: Simulator) -> None:
    app = App(many)
    heartless = next(a["id"] for a in many.activities() if not a["has_heartrate"] and not a["manual"])
    assert "heartrate" not in app.get(f"/activities/{heartless}/streams", key_by_type="true").json()
    manual = next(a["id"] for a in many.activities() if a["manual"])
    assert app.get(f"/activities/{manual}/streams", key_by_type="true").status_code == 404


def test_kudos_and_comments_are_as_many_as_counted(many: Simulator) -> None:
    app = App(many)
    activity = next(a for a in many.activities() if a["kudos_count"] > 3 and a["comment_count"])
    assert len(app.get(f"/activities/{activity['id']}/kudos", per_page=200).json()) == activity["kudos_count"]
    assert len(app.get(f"/activities/{activity['id']}/kudos", per_page=2, page=2).json()) == 2
    assert len(app.get(f"/activities/{activity['id']}/comments").json()) == activity["comment_count"]


def test_retired_gear_is_found_by_its_id_only(many: Simulator) -> None:
    app = App(many)
    profile = app.get("/athlete").json()
    owned = {gear["id"] for gear in profile["shoes"] + profile["bikes"]}
    used = {activity["gear_id"] for activity in many.activities()} - {None}
    old = app.get(f"/gear/{min(used - owned)}").json()
    assert old["retired"]
    worn = sum(a["distance"] for a in many.activities() if a["gear_id"] == old["id"])
    assert old["distance"] == pytest.approx(worn, abs=1)
    assert app.get("/gear/g1").status_code == 404


def test_stats_count_what_everyone_may_see(many: Simulator) -> None:
    app = App(many)
    runs = [a for a in many.activities() if a["type"] == "Run" and a["visibility"] != "only_me"]
    stats = app.get(f"/athletes/{many.athlete_id}/stats").json()
    assert stats["all_run_totals"]["count"] == len(runs)
    assert app.get("/athletes/1/stats").status_code == 403


def test_an_account_from_a_file_is_served_unchanged(tmp_path: Path) -> None:
    text = (
        '[ {"id": 2, "athlete": {"id": 77}, "start_date": "2020-01-02T00:00:00Z",'
        ' "name": "caf\\u00e9", "distance": 1.10},\n'
        '  {"id":19836390460,"athlete":{"id":77},"start_date":"2020-01-03T00:00:00Z","odd":[1,{"a":null}]} ]'
    )
    file = tmp_path / "account.json"
    file.write_text(text)
    with Simulator(account=file) as strava:
        body = App(strava).get("/athlete/activities").text
        assert strava.athlete_id == 77
        assert json.loads(body) == json.loads(text)[::-1]
        assert '"name": "caf\\u00e9", "distance": 1.10}' in body


def test_an_account_whose_fields_are_null_or_missing_is_served_by_every_endpoint(tmp_path: Path) -> None:
    rng = Random(10)  # noqa: S311 - made-up activities
    whole = Simulator(seed=3, activities=60).activities()
    account = []
    for number, summary in enumerate(whole):
        # from one that has all but one field to one that has nothing but what it needs
        others = [name for name in summary if name not in ("id", "athlete", "start_date")]
        spoilt = rng.sample(others, len(others) * number // (len(whole) - 1) or 1)
        missing = {name for name in spoilt if rng.random() < 0.5}
        kept = {name: None if name in spoilt else value for name, value in summary.items() if name not in missing}
        if isinstance(kept.get("map"), dict) and rng.random() < 0.5:
            kept["map"] = {"summary_polyline": None}
        account.append(kept)
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    with Simulator(account=path) as strava:
        strava.set_limits(**dict.fromkeys(("read_15min", "read_day", "overall_15min", "overall_day"), 10**6))
        app = App(strava)
        assert sorted(a["id"] for a in app.walk(per_page=50)) == sorted(a["id"] for a in whole)
        for summary in account:
            detail = app.get(f"/activities/{summary['id']}", include_all_efforts="true").json()
            said = {name: value for name, value in summary.items() if name not in DETAILS_SAY_THEMSELVES}
            assert {name: detail[name] for name in said} == said
            for part, statuses in {
                "laps": {200},
                "zones": {200},
                "kudos": {200},
                "comments": {200},
                "photos": {200},
                "streams": {200, 404},
            }.items():
                assert app.get(f"/activities/{summary['id']}/{part}").status_code in statuses, (part, summary)
        worn = {summary["gear_id"] for summary in account if summary.get("gear_id")}
        others = ["/athlete", "/athlete/zones", f"/athletes/{strava.athlete_id}/stats"]
        others += [f"/athletes/{strava.athlete_id}/routes"]
        others += [f"/gear/{id_}" for id_ in worn]
        assert {other: app.get(other).status_code for other in others} == dict.fromkeys(others, 200)
        bare = account[-1]["id"]
        assert strava.crop(bare)["id"] == strava.edit(bare, start_date="2024-02-03T04:05:06Z")["id"] == bare
        assert strava.hide(bare)["visibility"] == "only_me"


def test_photos_are_as_many_as_counted_and_the_first_is_the_details_own(many: Simulator) -> None:
    app = App(many)
    activity = next(a for a in many.activities() if a["total_photo_count"])
    photos = app.get(f"/activities/{activity['id']}/photos", size=2048, photo_sources="true").json()
    assert len({photo["unique_id"] for photo in photos}) == activity["total_photo_count"]
    assert {photo["activity_id"] for photo in photos} == {activity["id"]}
    assert [list(photo["urls"]) for photo in photos] == [["2048"]] * len(photos)
    assert (
        app.get(f"/activities/{next(a['id'] for a in many.activities() if not a['total_photo_count'])}/photos").json()
        == []
    )


def test_routes_are_the_athletes_own_in_pages_and_private_ones_need_a_scope(many: Simulator) -> None:
    app = App(many)
    path = f"/athletes/{many.athlete_id}/routes"
    seen = app.get(path, per_page=200).json()
    everything = App(many, scope="read,read_all").get(path, per_page=200).json()
    assert [route for route in everything if not route["private"]] == seen
    assert {route["private"] for route in everything} == {True, False}
    assert app.get(path, per_page=2, page=2).json() == seen[2:4]
    assert all(route["id_str"] == str(route["id"]) and route["map"]["summary_polyline"] for route in seen)
    assert app.get(f"/athletes/{many.athlete_id + 1}/routes").status_code == 403


def test_an_account_nested_beyond_what_python_parses_is_served_by_every_endpoint(tmp_path: Path) -> None:
    levels = 1500
    deep = '[ {"a" : [], "b": {}, "c" :[1 , "x]"],"d":' * levels + "-1.5" + "}]" * levels
    text = '{"id":2,"athlete":{"id":77},"start_date":"2020-01-02T00:00:00Z","deep":' + deep + "}"
    file = tmp_path / "account.json"
    file.write_text(f"[{text}]")
    with Simulator(account=file) as strava:
        app = App(strava)
        assert app.get("/athlete/activities").text == f"[{text}]"
        detail = app.get("/activities/2").text
        assert '"deep":' + deep.replace(" ", "") in detail
        assert strava.edit(2, name="renamed")["name"] == "renamed"
        assert '"deep":' + deep.replace(" ", "") in app.get("/athlete/activities").text
        strava.delete(2)
        assert strava.restore(2)["name"] == strava.activities()[0]["name"] == "renamed"
        assert app.get(f"/athletes/{strava.athlete_id}/stats").status_code == 200


@pytest.mark.parametrize("inner", ["1]", "[1 2]", "{1: 2}", '{"a" 2}', '{"a": 2,}', "[1,]", "{", "[}", "nothing"])
def test_invalid_json_is_refused_however_deep_it_is(tmp_path: Path, inner: str) -> None:
    file = tmp_path / "account.json"
    account = '[{"id": 2, "athlete": {"id": 77}, "start_date": "2020-01-02T00:00:00Z", "deep": INNER}]'
    file.write_text(account.replace("INNER", "[" * 1500 + "1" + "]" * 1500))
    assert Simulator(account=file).count == 1
    file.write_text(account.replace("INNER", "[" * 1500 + inner + "]" * 1500))
    with pytest.raises(ValueError, match=r"account\.json is not a JSON array"):
        Simulator(account=file)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"id": 1}]', "[{"])
def test_a_file_that_is_not_an_account_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "account.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"account\.json is not a JSON array"):
        Simulator(account=file)
