import json

import duckdb
import pytest
from deep import deep_but
from hypothesis import given, settings
from hypothesis import strategies as st
from landed import LIST, all_ids, assert_one_sentence, ids, versions

from pipelines.bronze.store import READABLE
from simulator import Simulator

pytestmark = pytest.mark.slow

HOSTILE_NAMES = [
    "2026-01-31",
    "'; DROP TABLE strava.activities; --",
    '"quoted", \\ back\\slash',
    "{{ 1 / 0 }} {% raw %} ${HOME}",
    "[red]markup[/red] [/]",
    "\x00 nothing \x1b[31m",
    "line\nbreak\r\ttab\u2028",
    "\ud83d half of an emoji",
    "اركض \u202e 跑步 🏃🏽‍♀️",
    "x" * 20_000,
]
# what a list may hold beside activities
NO_ACTIVITIES = [
    b"null",
    b"42",
    b'"text"',
    b"[1, 2]",
    b"{}",
    b'{"id": null, "start_date": "2026-06-01T10:00:00Z"}',
    b'{"id": "7", "start_date": "2026-06-01T10:00:00Z", "athlete": null}',
    b'{"id": 1e3, "start_date": "2026-06-01T10:00:00Z", "athlete": {"id": "me"}}',
    b'{"id": 99999999999999999999, "start_date": 5}',
    b'{"id": 8, "start_date": null}',
    b'{"id": 9, "start_date": "0000-00-00T00:00:00Z"}',
    b'{"id": 10, "start_date": "9999-12-31T23:59:59-14:00"}',
    b'{"id": 11, "id": 12, "start_date": "2026-06-01T10:00:00"}',
]

ESCAPES = [r"\ud83d", r"\uDEB4", r"\uDBFF", r"\udc00", r"\ud7ff", r"\ue000", r"\u0000", r"\u0041", r"\\", r"\"", r"\n"]


@pytest.fixture(scope="module")
def duck():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def strava():
    with Simulator(seed=7, activities=30) as simulator:
        yield simulator


def newest(strava, count):
    return [activity["id"] for activity in strava.activities()[:count]]


def test_whatever_is_in_a_field_lands_and_is_built(athlete, run, strava):
    known = newest(strava, len(HOSTILE_NAMES))
    for id_, name in zip(known, HOSTILE_NAMES, strict=True):
        strava.set_summary(id_, json.dumps(strava.summary(id_) | {"name": name}).encode())
    int_, float_, text, nothing, unknown, nested = newest(strava, 16)[10:]
    strava.edit(int_, distance=5000, average_speed=3)
    strava.edit(float_, distance=5000.25, kudos_count=3.0)
    strava.edit(text, distance="far", moving_time="soon", trainer="perhaps", map="none")
    strava.edit(nothing, name=None, distance=None, start_latlng=None, sport_type=None)
    strava.edit(nested, name={"de": "Lauf"}, kudos_count=[1, 2], start_latlng=[["a"]])
    strava.set_summary(
        unknown, json.dumps(strava.summary(unknown) | {"vibe": {"mood": ["good", 1]}, "distance": -1}).encode()
    )
    ran = run("flow", ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    assert athlete.sql("select count(*), count(distinct id) from strava.activities") == [(30, 30)]
    built = dict(athlete.sql("select id, name from strava.activities"))
    # what DuckDB cannot hold as text (half a character) is U+FFFD there, and stays in the payload
    assert [built[id_] for id_ in known] == [name.replace("\ud83d ", "\ufffd ") for name in HOSTILE_NAMES]
    distances = dict(athlete.sql("select id, distance from strava.activities"))
    assert [distances[id_] for id_ in (int_, float_, text, nothing, unknown)] == [5000, 5000.25, None, None, -1]
    misfits = athlete.sql("select misfit_fields from strava.activities where id = ?", text)
    assert misfits == [("moving_time, distance, map, trainer",)]


def test_a_field_that_is_missing_or_new_changes_no_schema(athlete, run, strava):
    run("pull")
    before = athlete.sql("describe staging.activities")
    missing, new = newest(strava, 2)
    kept = ("id", "athlete", "start_date")
    strava.set_summary(missing, json.dumps({k: v for k, v in strava.summary(missing).items() if k in kept}).encode())
    strava.set_summary(new, json.dumps(strava.summary(new) | {"new_field": 1.5}).encode())
    assert run("pull").code == 0
    assert athlete.sql("describe staging.activities") == before
    assert len(ids(athlete)) == 32


def test_an_element_that_is_not_an_activity_lands_unchanged_and_stops_nothing(athlete, run, strava):
    for id_, element in zip(newest(strava, len(NO_ACTIVITIES)), NO_ACTIVITIES, strict=True):
        strava.set_summary(id_, element)
    ran = run("pull")
    assert ran.code == 0, ran.err
    payloads = [payload.encode() for _, payload in versions(athlete)]
    assert len(payloads) == 30
    assert set(NO_ACTIVITIES) <= set(payloads)
    # each is known by its hash from now on
    assert "nothing new" in run("pull", "--all").err


@pytest.mark.parametrize("kind", deep_but(2, "cut", "empty_streams", "html", "nonsense", "bad_utf8"))
def test_a_body_that_is_not_a_list_never_counts_as_one(athlete, pull, strava, kind):
    strava.fault(kind, times=None, path=LIST, after=1)
    assert_one_sentence(pull(PER_PAGE="10"), 4)
    assert len(ids(athlete)) == 10
    strava.clear_faults()
    strava.fault(kind, path=LIST)
    pull(PER_PAGE="10")
    assert pull(PER_PAGE="10").code == 0
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.parametrize("nested", ["[" * 50_000 + "]" * 50_000, '{"a":' * 3_000 + "1" + "}" * 3_000])
def test_a_deeply_nested_activity_lands_and_so_do_its_neighbours(athlete, run, strava, nested):
    first, second, *_ = newest(strava, 2)
    deep = json.dumps(strava.summary(first) | {"name": "deep", "nested": "DEEP"}).replace('"DEEP"', nested).encode()
    strava.set_summary(first, deep)
    strava.set_summary(second, nested.encode())
    ran = run("pull")
    assert ran.code == 0, ran.err
    landed = versions(athlete)
    assert len(landed) == 30
    assert {(first, deep.decode()), (None, nested)} <= set(landed)
    assert athlete.sql("select count(*), count(id) from staging.activities") == [(30, 29)]
    assert "nothing new" in run("pull", "--all").err


@pytest.mark.parametrize("end", deep_but(2, "", "]]", "}", "x]"))
def test_a_deeply_nested_body_without_an_end_is_not_a_list(athlete, pull, strava, end):
    strava.set_summary(newest(strava, 1)[0], b"[" * 2_000 + end.encode() + b"]" * 1_999)
    assert_one_sentence(pull(), 4)
    assert ids(athlete) == []


def test_a_number_of_thousands_of_digits_stops_nothing(athlete, run, strava):
    first, second, *_ = newest(strava, 2)
    strava.set_summary(first, b'{"id":' + b"9" * 5_000 + b"}")
    strava.set_summary(
        second, json.dumps(strava.summary(second) | {"distance": "MANY"}).replace('"MANY"', "1e999").encode()
    )
    assert run("pull").code == 0
    assert ids(athlete).count(None) == 1
    assert len(ids(athlete)) == 30


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(parts=st.lists(st.sampled_from([*ESCAPES, "a", "ä", "u", "d83d", "\U0001f6b4"]), max_size=12))
def test_duckdb_reads_any_escapes_as_python_does(duck, parts):
    text = json.dumps({"before": 1, "name": "NAME", "after": 2}, ensure_ascii=False).replace("NAME", "".join(parts))
    name = json.loads(text)["name"].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    query = f"select json_extract_string({READABLE}, ['$.before', '$.name', '$.after']) from (select ? as payload)"
    ((read,),) = duck.execute(query, [text]).fetchall()
    assert read == ["1", name, "2"]
