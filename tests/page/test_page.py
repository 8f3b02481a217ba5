"""The page: the marts' own figures, whole, safe whatever a name holds, and silent about what is not public."""

import base64
import hashlib
import json
import math
import re
import shutil
import subprocess
import sys
from datetime import date

import duckdb
import pytest
from deep import deep_but
from home import Athlete
from made_page import ATHLETE, HEARTRATE, HOSTILE, Parsed, page_file, rows_of
from said import assert_said

from pipelines.ground.polyline import decode
from pipelines.page.data import HEALTH, TABLES
from pipelines.page.html import SITE
from simulator import Simulator

pytestmark = pytest.mark.slow

SPORTS = ("Run", "Ride", "Walk", "Hike", "Swim")
# of figures that have more than one decimal
HALF_A_DIGIT = {
    "share": 5.1e-5,
    "expected_share": 5.1e-5,
    "coverage": 5.1e-4,
    "monotony": 5.1e-3,
    "value": 5.1e-4,
    "strain": 0.51,
}


@pytest.fixture
def page(built):
    return Parsed(page_file(built).read_text())


def of_mart(athlete, query):
    """Rows of `query` as dicts, with dates and ids as the page has them."""
    with duckdb.connect(str(athlete.warehouse), read_only=True) as connection:
        found = connection.execute(query)
        names = [name for name, *_ in found.description]
        return [dict(zip(names, map(as_text, names, row), strict=True)) for row in found.fetchall()]


def as_text(name, value):
    is_id = name == "id" or name.endswith("_id")
    return str(value) if value is not None and (is_id or isinstance(value, date)) else value


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("table", [table.name for table in TABLES if table.name != "activities"])
def test_a_table_of_the_page_says_what_its_mart_says(built, page, table):
    source = {
        "activities_daily": "(select athlete_id, activity_date, sport_group, sum(activities) as activities, "
        "sum(distance_m) as distance_m, sum(moving_time_s) as moving_time_s, "
        "sum(total_elevation_gain_m) as total_elevation_gain_m "
        "from strava.activities_daily join (select distinct sport_type, sport_group "
        "from strava.activities_local) using (sport_type) group by all)",
        "best_efforts": "(from strava.best_efforts where rank_all_time <= 3 or rank_in_year = 1)",
        "eddington_days": "(select d.* from strava.eddington_days d join strava.eddington e "
        "using (athlete_id, sport_group, unit) where d.distance <= 1.5 * e.eddington + 10)",
        "left_out": "(select distinct on (athlete_id, reason, left_out_of) *, activity_id as latest_activity_id, "
        "coalesce(activity_name, '') as latest_activity_name, activity_date as latest_activity_date, (select "
        "count(distinct activity_id) from strava.left_out as others where (others.athlete_id, others.reason, "
        "others.left_out_of) = (one.athlete_id, one.reason, one.left_out_of)) as activities from strava.left_out one "
        "order by activity_date desc, activity_id desc)",
        "training_load_daily": "(from strava.training_load_daily where fitness is not null)",
    }.get(table, f"strava.{table}")
    shown = rows_of(page.data, table)
    columns = ", ".join(page.data["tables"][table]["columns"])
    stored = of_mart(built, f"select {columns} from {source}")
    assert stored, "an empty mart proves nothing"
    assert len(shown) == len(stored)
    # whole rows, numbers aside, say which is which; what two rows share they may swap
    numbers = [name for name in shown[0] if any(is_number(row[name]) for row in stored)]

    def key(row):
        texts = [str(row[name]) for name in row if name not in numbers]
        return texts + [round(row[name] or 0) for name in numbers]

    for ours, theirs in zip(sorted(shown, key=key), sorted(stored, key=key), strict=True):
        for name, value in theirs.items():
            if is_number(value):
                half_a_digit = HALF_A_DIGIT.get(name, 0.0501)
                assert ours[name] == pytest.approx(value, abs=half_a_digit), (name, ours)
                assert ours[name] == round(ours[name], math.floor(-math.log10(half_a_digit))), (name, ours)
            else:
                assert ours[name] == value, (name, ours)


def test_gear_is_in_the_page_by_distance_the_furthest_first(page):
    distances = [row["distance_m"] for row in rows_of(page.data, "gear")]
    assert len(set(distances)) > 1
    assert distances == sorted(distances, reverse=True)


def test_the_page_says_what_there_is_to_know_of_the_data(built, page):
    ((swept, listed, complete),) = built.sql("select ended_at, activities_listed, complete from strava.sweeps")
    (sweep,) = rows_of(page.data, "sweeps")
    assert (sweep["ended_at"], sweep["activities_listed"], sweep["complete"]) == (
        f"{swept:%Y-%m-%dT%H:%MZ}",
        listed,
        complete,
    )
    seen = {row["what"]: row for row in rows_of(page.data, "seen")}
    for what, table in (("summaries", "activities"), ("details", "activity_details")):
        ((latest, count),) = built.sql(f"select max(fetched_at), count(*) from strava.{table}")
        assert (seen[what]["latest_at"], seen[what]["activities"]) == (f"{latest:%Y-%m-%dT%H:%MZ}", count)
    assert seen.keys() == {"summaries", "details"}
    assert [rows_of(page.data, name) for name in ("exports", "misfits", "differences")] == [[], [], []]


def test_a_sweep_without_anything_new_is_on_the_page_of_the_next_flow(built):
    flow = {"STRAVA_PAGE": "true", "ENRICH_LIMIT": "0"}
    assert built.spawn("flow", **flow).code == 0
    assert "Page: " not in built.spawn("flow", **flow).err
    assert built.spawn("pull", "--all").code == 0
    ran = built.spawn("flow", **flow)
    assert "dbt: nothing landed" in ran.err
    assert "Page: " in ran.err
    newest = rows_of(Parsed(page_file(built).read_text()).data, "sweeps")[0]["ended_at"]
    assert [(newest,)] == [(f"{at:%Y-%m-%dT%H:%MZ}",) for (at,) in built.sql("select max(ended_at) from strava.sweeps")]


def test_the_page_has_each_activity_as_strava_listed_it(built, page):
    shown = {row["id"]: row for row in rows_of(page.data, "activities")}
    listed = {str(activity["id"]): activity for activity in built.strava.activities()}
    assert shown.keys() == listed.keys()
    for id_, activity in listed.items():
        row = shown[id_]
        assert row["name"] == activity["name"]
        assert row["started_local"] == activity["start_date_local"][:16]
        assert row["distance_m"] == pytest.approx(activity["distance"], abs=0.05)
        assert row["moving_time_s"] == activity["moving_time"]
        assert row["average_heartrate"] == pytest.approx(activity.get("average_heartrate"), abs=0.05)
        assert row["kudos"] == activity["kudos_count"]


def test_routes_begin_and_end_where_they_do(built, page):
    shown = {row["id"]: row["route"] for row in rows_of(page.data, "activities")}
    routes = 0
    for activity in built.strava.activities():
        points = decode((activity.get("map") or {}).get("summary_polyline") or "")
        route = decode(shown[str(activity["id"])])
        assert bool(route) == (len(points) > 1)
        if route:
            routes += 1
            for point, drawn in ((points[0], route[0]), (points[-1], route[-1])):
                assert math.dist(point, (drawn[0] * 10, drawn[1] * 10)) < 8
    assert routes > 20


def test_sums_of_the_page_are_those_of_the_warehouse(built, page):
    stored = of_mart(
        built,
        "select year(year_start_date) as year, sum(distance_m) as m, sum(activities) as n "
        "from strava.activities_yearly group by all",
    )
    assert sum(row["n"] for row in stored) == 150
    for row in stored:
        daily = [day for day in rows_of(page.data, "activities_daily") if day["activity_date"][:4] == str(row["year"])]
        single = [one for one in rows_of(page.data, "activities") if one["started_local"][:4] == str(row["year"])]
        for rows in (daily, single):
            assert sum(one["distance_m"] for one in rows) == pytest.approx(row["m"], abs=0.01)
        assert sum(day["activities"] for day in daily) == len(single) == row["n"]


def test_the_head_of_the_data_says_whose_and_of_when_they_are(built, page):
    data = {name: value for name, value in page.data.items() if name != "tables"}
    unknown = data.pop("unknown_fields")
    # the one that the simulator sends as Strava does since 2026
    assert [(each["table"], each["field"]) for each in unknown] == [("activity_details", "sport_image_visibility")]
    ((today, built_at),) = built.sql("select today, built_at from strava.athletes_today, staging.dbt_builds")
    assert data == {
        "version": 1,
        "today": str(today),
        "units": "mi",
        "public": False,
        "athlete": {"id": str(built.strava.athlete_id)},
        "settings": {"rest_hr": 51.375, "max_hr": 187.625, "threshold_hr": 168.875, "ftp_w": 243.125, "sex": "f"},
        "missing": [],
        "source": {"built_at": f"{built_at:%Y-%m-%dT%H:%M:%SZ}", "warehouse_version": duckdb.__version__},
    }


def test_a_name_cannot_leave_the_script_that_holds_the_data(built, page):
    assert set(HOSTILE) <= {row["name"] for row in rows_of(page.data, "activities")}
    assert [(tag, attributes) for tag, attributes, _ in page.texts] == [
        ("style", {}),
        ("script", {"type": "application/json", "id": "data"}),
        ("script", {"type": "text/plain", "id": "details"}),
        ("script", {}),
        ("script", {}),
    ]
    assert not {"img", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]
    html = page_file(built).read_text()
    assert html.count("</script") == 4
    assert not {"\u2028", "\u2029"} & set(html.partition('id="data">')[2].partition("</script>")[0])


def test_the_policy_admits_exactly_the_texts_of_the_file_and_no_request(page):
    (policy,) = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = {name: sources for name, *sources in map(str.split, policy.split(";"))}
    hashes = {"style": [], "script": []}
    for tag, attributes, text in page.texts:
        if "type" not in attributes:
            digest = hashlib.sha256(text.encode()).digest()
            hashes[tag].append(f"'sha256-{base64.b64encode(digest).decode()}'")
    assert rules == {
        "default-src": ["'none'"],
        "script-src": hashes["script"],
        "style-src": hashes["style"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_nothing_is_loaded_from_anywhere(page):
    addresses = [
        (tag, name, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href", "background")
    ]
    assert [each for each in addresses if not each[2].startswith(("#", "data:", "https://www.strava.com"))] == []
    assert [each for each in addresses if each[0] != "a" and not each[2].startswith(("#", "data:"))] == []
    texts = dict.fromkeys(("style", "script"), "")
    for tag, attributes, text in page.texts:
        if "id" not in attributes:
            texts[tag] += text
    assert re.findall(r"url\((?!#|['\"]?data:)|@import", texts["style"]) == []
    hosts = set(re.findall(r"(?:https?:)?//([a-z0-9.-]+\.[a-z]{2,})/", texts["script"]))
    # the addresses of SVG's names and of licences are never asked
    assert hosts <= {"www.strava.com", "www.w3.org", "www.apache.org", "github.com"}


def test_making_it_again_gives_the_same_bytes_and_leaves_the_file_alone(built):
    before, written_at = page_file(built).read_bytes(), page_file(built).stat().st_mtime_ns
    ran = built.spawn("page")
    assert (ran.code, "as it was" in ran.err) == (0, True), ran.err
    assert page_file(built).read_bytes() == before
    assert page_file(built).stat().st_mtime_ns == written_at
    # routes drawn anew are the routes that were kept
    (built.home / "warehouse" / ".state" / "routes.json").unlink()
    again = built.home / "again.html"
    assert built.spawn("page", "--out", str(again)).code == 0
    assert again.read_bytes() == before
    # the file of kept routes may hold anything
    (built.home / "warehouse" / ".state" / "routes.json").write_text('{"maker": ')
    assert built.spawn("page", "--out", str(again)).code == 0
    assert again.read_bytes() == before


def test_a_public_page_has_no_id_name_coordinate_or_heart_rate(built):
    ran = built.spawn("page", "--public")
    assert ran.code == 0, ran.err
    assert page_file(built).exists()
    public = built.home / "site" / "public" / "index.html"
    assert str(public) in ran.err
    html, data = public.read_text(), Parsed(public.read_text()).data
    assert (data["public"], data["athlete"]["id"], data["missing"]) == (True, None, [])
    assert set(data["settings"].values()) == {None}
    assert data.keys() == {"version", "today", "units", "public", "athlete", "settings", "missing", "tables"}
    facts = ["started_local", "sport_group", "distance_m", "moving_time_s", "total_elevation_gain_m"]
    assert data["tables"]["activities"]["columns"] == facts
    assert {name for name, table in data["tables"].items() if table["rows"]} == {
        "activities",
        "activities_daily",
        "data_coverage",
        "records",
        "eddington",
        "eddington_days",
        "streaks",
        "year_in_review",
        "goals",
    }
    data_of = re.compile(r'(<script type="[^"]+" id="\w+">).*?(?=</script)', re.DOTALL)
    assert data_of.sub(r"\1", html) == data_of.sub(r"\1", page_file(built).read_text())
    activities = built.strava.activities()
    private = {str(built.strava.athlete_id), "51.375", "187.625", "168.875", "243.125", str(HEARTRATE)}
    for activity in activities:
        private |= {str(activity["id"]), activity["name"], json.dumps(activity["name"])[1:-1]}
        private |= {activity.get("gear_id") or "", (activity.get("map") or {}).get("summary_polyline") or ""}
        private |= {str(degrees) for degrees in activity.get("start_latlng") or ()}
        private |= {activity["start_date_local"][:16]}
    private |= {name for (name,) in built.sql("select name from strava.gear where name is not null")}
    shown = Parsed(page_file(built).read_text()).data
    private |= {row["route"] for row in rows_of(shown, "activities")}
    # an activity may be called as the page calls a zone
    own = "".join(path.read_text() for path in SITE.rglob("*.js")) + "".join(SPORTS)
    private = {text for text in private if text and text not in own}
    assert len(private) > 500
    assert [text for text in private if text in html] == []
    assert HEARTRATE in {row["average_heartrate"] for row in rows_of(shown, "activities")}
    for name, table in data["tables"].items():
        reported = [
            column for column in table["columns"] if re.search(r"(^|_)(id|name|bpm)$|^route$|^average_heart", column)
        ]
        assert reported == [], name
    assert len(rows_of(data, "activities")) == len(activities)


def test_a_setting_that_changed_shows_without_a_build(built):
    out = built.home / "changed.html"
    ran = built.spawn("page", "--out", str(out), STRAVA_MAX_HR="", STRAVA_GOALS="Swim 20 km/month")
    assert ran.code == 0, ran.err
    data = Parsed(out.read_text()).data
    assert (data["settings"]["max_hr"], data["missing"]) == (None, ["max_hr"])
    assert [(goal["sport_group"], goal["target"]) for goal in rows_of(data, "goals")] == [("Swim", 20_000)]
    assert rows_of(data, "zones") == []
    assert built.spawn("page").code == 0, "and back"


def test_a_page_made_without_any_setting_of_the_athlete_shows_those_of_the_last_run(built):
    assert built.spawn("page").code == 0
    out = built.home / "without.html"
    # as of `STRAVA_HOME=demo make page`
    ran = built.spawn("page", "--out", str(out), **dict.fromkeys(ATHLETE, ""))
    assert ran.code == 0, ran.err
    assert out.read_bytes() == page_file(built).read_bytes()
    data = Parsed(out.read_text()).data
    assert (data["units"], data["settings"]["sex"], len(rows_of(data, "goals")) > 0) == ("mi", "f", True)


@pytest.mark.deep
def test_flow_makes_the_page_only_when_it_would_be_another(built):
    settings = {"STRAVA_PAGE": "true", "ENRICH_LIMIT": "0"}
    assert built.spawn("page").code == 0
    before, written_at = page_file(built).read_bytes(), page_file(built).stat().st_mtime_ns

    def made(**more):
        ran = built.spawn("flow", **settings | more)
        assert ran.code == 0, ran.err
        assert "dbt: nothing landed" in ran.err
        return "Page: " in ran.err

    assert not made()
    assert page_file(built).stat().st_mtime_ns == written_at
    page_file(built).unlink()
    assert not made(STRAVA_PAGE="false")
    assert made()
    assert page_file(built).read_bytes() == before
    assert made(STRAVA_FTP="250")
    assert made()
    note = built.home / "warehouse" / ".state" / "page.json"
    made_from = json.loads(note.read_text())
    note.write_text(json.dumps(made_from | {"today": "2020-01-01"}))
    assert made(), "another day"
    note.write_text(json.dumps(made_from | {"code": "of an older version"}))
    assert made(), "another version"
    assert not made()


def test_without_a_warehouse_it_says_how_to_make_one(athlete, run):
    assert_said(run("page"), 2, "There is no warehouse", "make flow", "make demo")
    assert not (athlete.home / "warehouse").exists()


def test_after_the_demo_it_says_how_to_see_that(athlete, run):
    (athlete.home / "demo" / "warehouse").mkdir(parents=True)
    for command in (["page"], ["sql", "from strava.activities"]):
        assert_said(run(*command), 2, "There is no warehouse", "make flow", "STRAVA_HOME=demo")


def test_a_warehouse_that_was_never_built_is_said(athlete, run):
    assert run("pull").code == 0
    assert_said(run("page"), 2, "is not built yet", "make compact")
    assert not (athlete.home / "site").exists()


def test_a_warehouse_of_an_older_version_is_said(athlete, run):
    assert run("pull").code == 0
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("create table staging.dbt_builds as select now()::timestamp as built_at")
    assert_said(run("page"), 2, "of an older version", "make compact")


def test_a_warehouse_that_somebody_writes_is_said(built):
    hold = f"import duckdb; held = duckdb.connect({str(built.warehouse)!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        ran = built.spawn("page")
        holder.communicate("\n")
    assert_said(ran, 5, "is open", f"process {holder.pid}")
    assert "has landed" not in ran.err


def test_a_page_that_cannot_be_written_is_said_and_the_old_one_stays(built):
    before = page_file(built).read_bytes()
    assert_said(built.spawn("page", "--out", str(page_file(built) / "page.html")), 6, "could not be written")
    assert page_file(built).read_bytes() == before
    assert [path.name for path in page_file(built).parent.iterdir() if path.name.endswith(".tmp")] == []


@pytest.mark.parametrize("activities", deep_but(1, 0, 1))
def test_an_account_with_nothing_or_one_activity_has_a_page(tmp_path, activities):
    with Simulator(seed=5, activities=activities) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        ran = athlete.spawn("flow", STRAVA_PAGE="true")
        assert ran.code == 0, ran.err
        data = Parsed(page_file(athlete).read_text()).data
        assert data["athlete"]["id"] == (str(strava.athlete_id) if activities else None)
        assert data["missing"] == ["rest_hr", "max_hr", "threshold_hr", "ftp_w", "sex"]
        assert data["tables"].keys() == {table.name for table in (*TABLES, *HEALTH)}
        assert len(rows_of(data, "activities")) == activities
        assert len(rows_of(data, "activities_daily")) == activities


def test_of_several_athletes_the_page_is_that_of_the_token_or_of_who_has_most(built, tmp_path):
    copy = Athlete(tmp_path, built.strava)
    # with the log of what has not come to the file yet
    shutil.copytree(built.warehouse.parent, copy.warehouse.parent)
    with duckdb.connect(str(copy.warehouse)) as connection:
        connection.execute(
            "update strava.activities set athlete_id = 7 where id in "
            "(select id from strava.activities order by start_date limit 3)"
        )

    def shown():
        ran = copy.spawn("page")
        assert ran.code == 0, ran.err
        assert "one of 2 in the warehouse" in ran.err
        data = Parsed(page_file(copy).read_text()).data
        return data["athlete"]["id"], len(rows_of(data, "activities"))

    assert shown() == (str(built.strava.athlete_id), 147)
    copy.authorise(athlete_id=7)
    assert shown() == ("7", 3)
    copy.authorise(athlete_id=8)
    assert shown() == (str(built.strava.athlete_id), 147)


@pytest.mark.deep
def test_a_purge_removes_what_shows_the_purged_activity(settled, run, strava):
    athlete = settled
    gone = strava.activities()[4]
    strava.edit(gone["id"], name="Never to be seen again")
    assert run("flow", STRAVA_PAGE="true", ENRICH_LIMIT="0").code == 0
    assert run("page", "--public").code == 0
    public, routes = (
        athlete.home / "site" / "public" / "index.html",
        athlete.home / "warehouse" / ".state" / "routes.json",
    )
    assert "Never to be seen again" in page_file(athlete).read_text()
    kept = len(json.loads(routes.read_text())["routes"])
    strava.delete(gone["id"])
    assert run("pull", "--all").code == 0
    ran = run("purge")
    assert (ran.code, "make page" in ran.err) == (0, True), ran.err
    assert [path for path in (page_file(athlete), public, routes) if path.exists()] == []
    assert run("page").code == 0
    assert "Never to be seen again" not in page_file(athlete).read_text()
    assert len(json.loads(routes.read_text())["routes"]) <= kept
