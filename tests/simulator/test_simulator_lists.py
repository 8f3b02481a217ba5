"""The list of activities over HTTP: order, windows, pages, and what changes between two walks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulated_app import App

from simulator import Simulator


def ids(activities: list[dict[str, Any]]) -> list[int]:
    return [activity["id"] for activity in activities]


def epoch(activity: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(activity["start_date"]).timestamp())


def test_a_walk_to_the_empty_page_sees_every_activity_once(strava: Simulator, app: App) -> None:
    assert app.walk(per_page=7) == strava.activities()
    assert [len(app.page(page=page, per_page=25)) for page in (1, 2, 3, 4)] == [25, 25, 10, 0]


def test_a_page_holds_thirty_by_default_and_two_hundred_at_most() -> None:
    with Simulator(activities=250) as strava:
        app = App(strava)
        assert len(app.page()) == 30
        assert len(app.page(per_page=200)) == 200
        assert len(app.page(per_page=999)) == 200


def test_the_newest_come_first_but_after_alone_starts_with_the_oldest(strava: Simulator, app: App) -> None:
    newest_first = strava.activities()
    dates = [activity["start_date"] for activity in newest_first]
    assert dates == sorted(dates, reverse=True)
    low, high = epoch(newest_first[40]), epoch(newest_first[10])
    assert ids(app.page(after=low, per_page=200)) == ids(newest_first[:40])[::-1]
    assert ids(app.page(before=high, per_page=200)) == ids(newest_first[11:])
    assert ids(app.page(after=low, before=high, per_page=200)) == ids(newest_first[11:40])


@pytest.mark.parametrize(("inclusive", "expected"), [(True, 11), (False, 10)])
def test_after_is_read_in_either_way(inclusive: bool, expected: int) -> None:
    with Simulator(activities=60, after_inclusive=inclusive) as strava:
        assert len(App(strava).page(after=epoch(strava.activities()[10]))) == expected


def test_after_in_the_future_is_a_400(strava: Simulator, app: App) -> None:
    tomorrow = int((strava.now() + timedelta(days=1)).timestamp())
    answer = app.get("/athlete/activities", after=tomorrow)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"resource": "Application", "field": "after", "code": "future"}]


@pytest.mark.parametrize("query", [{"page": "0"}, {"per_page": "0"}, {"page": "x"}, {"before": "1e9"}])
def test_invalid_numbers_are_a_400(app: App, query: dict[str, str]) -> None:
    assert app.get("/athlete/activities", **query).status_code == 400


def test_hidden_start_times_share_a_second(strava: Simulator) -> None:
    hidden = [a["start_date"] for a in strava.activities() if a["start_date_local"].endswith("T00:00:01Z")]
    assert len(hidden) == 2
    assert len(set(hidden)) == 1


def test_a_late_upload_shows_up_where_its_date_is(strava: Simulator, app: App) -> None:
    before = strava.activities()
    start = datetime.fromtimestamp(epoch(before[30]) + 1, UTC)
    late = strava.add(start_date=start, name="found an old watch", distance=12345.6)
    assert (late["name"], late["distance"]) == ("found an old watch", 12345.6)
    assert app.page(per_page=200) == [*before[:30], late, *before[30:]]


def test_an_edit_is_seen_in_list_and_detail(strava: Simulator, app: App) -> None:
    key = strava.activities()[3]["id"]
    strava.edit(key, name="Robert'); DROP TABLE activities;--", sport_type="TrailRun", description="windy")
    seen = next(a for a in app.page(per_page=200) if a["id"] == key)
    assert (seen["name"], seen["sport_type"], seen["type"]) == ("Robert'); DROP TABLE activities;--", "TrailRun", "Run")
    assert "description" not in seen
    assert app.get(f"/activities/{key}").json()["description"] == "windy"


def test_an_edited_start_moves_the_local_start_and_the_place_in_the_list(strava: Simulator, app: App) -> None:
    activity = strava.edit(strava.activities()[0]["id"], start_date="2001-02-03T04:05:06Z")
    assert app.page(per_page=200)[-1]["id"] == activity["id"]
    start, local = (datetime.fromisoformat(activity[key]) for key in ("start_date", "start_date_local"))
    assert (local - start).total_seconds() == activity["utc_offset"]


def test_a_crop_shortens_distance_time_and_line(strava: Simulator, app: App) -> None:
    before = next(a for a in strava.activities() if a["map"]["summary_polyline"])
    strava.crop(before["id"])
    after = app.get(f"/activities/{before['id']}").json()
    assert after["distance"] == pytest.approx(before["distance"] * 0.9, abs=0.1)
    assert after["moving_time"] < before["moving_time"]
    assert before["map"]["summary_polyline"].startswith(after["map"]["summary_polyline"])
    assert len(after["map"]["summary_polyline"]) < len(before["map"]["summary_polyline"])


def test_a_deleted_activity_is_gone_from_list_and_detail(strava: Simulator, app: App) -> None:
    key = strava.activities()[5]["id"]
    strava.delete(key)
    assert key not in ids(app.page(per_page=200))
    answer = app.get(f"/activities/{key}")
    assert (answer.status_code, answer.json()["message"]) == (404, "Resource Not Found")


def test_a_restored_activity_is_back_byte_for_byte(strava: Simulator, app: App) -> None:
    key = strava.activities()[4]["id"]
    strava.edit(key, name="as it was", description="only in its detail")
    before, detail = app.http.get(f"{strava.api_url}/athlete/activities").content, app.get(f"/activities/{key}").content
    strava.delete(key)
    assert strava.deleted_ids == [key]
    strava.restore(key)
    assert app.http.get(f"{strava.api_url}/athlete/activities").content == before
    assert app.get(f"/activities/{key}").content == detail
    assert strava.deleted_ids == []
    with pytest.raises(KeyError):
        strava.restore(key)


def test_an_activity_that_was_hidden_can_be_shown_again(strava: Simulator) -> None:
    others = App(strava, scope="read,activity:read")
    key = strava.add()["id"]
    strava.hide(key)
    assert others.get(f"/activities/{key}").status_code == 404
    assert strava.unhide(key)["visibility"] == "everyone"
    assert others.get(f"/activities/{key}").status_code == 200


def test_the_list_serves_any_bytes_instead_of_a_summary(strava: Simulator, app: App) -> None:
    before = app.http.get(f"{strava.api_url}/athlete/activities").content
    second = strava.activities()[1]["id"]
    text = strava.summary_texts()[second]
    strava.set_summary(second, b"\xff no JSON")
    after = app.http.get(f"{strava.api_url}/athlete/activities").content
    assert after == before.replace(text, b"\xff no JSON") != before
    assert strava.summary_texts()[second] == b"\xff no JSON"


def test_what_the_details_alone_say_is_in_no_summary(strava: Simulator, app: App) -> None:
    key = strava.activities()[3]["id"]
    before, detail = app.page(), app.get(f"/activities/{key}").json()
    strava.edit_detail(key, name="in its detail", distance=1.5)
    assert app.page() == before
    assert app.get(f"/activities/{key}").json() == detail | {"name": "in its detail", "distance": 1.5}


def test_only_me_activities_need_the_scope_read_all(strava: Simulator, app: App) -> None:
    key = strava.activities()[5]["id"]
    strava.hide(key)
    less = App(strava, scope="read,activity:read")
    assert key in ids(app.page(per_page=200))
    assert key not in ids(less.page(per_page=200))
    assert app.get(f"/activities/{key}").status_code == 200
    assert less.get(f"/activities/{key}").status_code == 404


def test_a_short_page_is_followed_by_more_and_nothing_is_lost(strava: Simulator, app: App) -> None:
    strava.fault("short_page", path="/athlete/activities", missing=4)
    pages = [app.page(page=page, per_page=20) for page in range(1, 6)]
    assert [len(page) for page in pages] == [16, 20, 20, 4, 0]
    assert [activity for page in pages for activity in page] == strava.activities()


def test_an_arrival_between_two_pages_shows_the_same_activity_twice(strava: Simulator, app: App) -> None:
    strava.fault("shift", path="/athlete/activities")
    first, second = app.page(page=1, per_page=20), app.page(page=2, per_page=20)
    assert first[-1] == second[0]


def test_a_deletion_between_two_pages_skips_one(strava: Simulator, app: App) -> None:
    truth = strava.activities()
    strava.fault("shift", path="/athlete/activities", delete=True)
    first, second = app.page(page=1, per_page=20), app.page(page=2, per_page=20)
    assert ids(first + second) == ids(truth[:20] + truth[21:41])


def test_the_new_api_host_has_no_prefix(strava: Simulator, app: App) -> None:
    assert app.http.get(f"{strava.url}/athlete/activities").json() == app.page()
