"""The folder `strava_api`, copied by itself into an empty dlt project: what a dlt user gets, by dlt's own ways."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from home import OUR_SETTINGS

from simulator import Simulator

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).resolve().parents[2] / "pipelines" / "sources" / "strava_api"
SCOPE = "read,read_all,activity:read,activity:read_all,profile:read_all"
LIST = "/athlete/activities"
# what every script below begins with, and what it may use
BEFORE = """
import json, os, sys, urllib.request
import dlt
from strava_api import strava_api

def at(destination, name="strava"):
    return dlt.pipeline(name, destination=destination, dataset_name="raw", pipelines_dir="pipelines_dir")

def rows(pipeline, query):
    with pipeline.sql_client() as client:
        return [list(row) for row in client.execute_sql(query)]

def strava(control, **arguments):
    url = os.environ["SIMULATOR"] + "/_control/" + control
    reads = control in ("activities", "requests")
    with urllib.request.urlopen(url, None if reads else json.dumps(arguments).encode()) as answer:
        return json.load(answer)

def asked(path):
    paths = [request["path"] for request in strava("requests")]
    return [found.rpartition("/")[2] for found in paths if path in found]

def failure_of(pipeline, source):
    try:
        pipeline.run(source)
    except Exception as error:
        causes = [error]
        while causes[-1].__cause__ is not None:
            causes.append(causes[-1].__cause__)
        return type(error).__name__, type(causes[-1]).__name__, str(causes[-1])

def tell(**what):
    assert "pipelines" not in sys.modules and "simulator" not in sys.modules
    print(json.dumps(what, default=str))
"""


class Project:
    """An empty dlt project with the source in it, and a Strava that its configuration names."""

    def __init__(self, folder: Path, strava: Simulator) -> None:
        self.folder = folder
        self.strava = strava
        self.token_file = folder / "tokens.json"
        shutil.copytree(SOURCE, folder / "strava_api", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / ".dlt").mkdir()
        self.configure()

    def configure(self, refresh_token: str | None = None, **config: object) -> None:
        """Write dlt's files; by default the refresh token is a new one, and the tokens are kept in the project."""
        secrets = {
            "client_secret": self.strava.client_secret,
            "refresh_token": refresh_token or self.strava.issue_refresh_token(SCOPE),
        }
        settings = {
            "client_id": self.strava.client_id,
            "token_file": str(self.token_file),
            "api_url": self.strava.api_url,
            "oauth_url": self.strava.oauth_url,
            "min_interval_s": 0.0,
            "retry_wait_s": 0.01,
        }
        for name, stored in (("secrets", secrets), ("config", settings | config)):
            lines = [f"{key} = {json.dumps(value)}" for key, value in stored.items()]
            text = "\n".join(["[runtime]", "dlthub_telemetry = false", "[sources.strava_api]", *lines])
            (self.folder / ".dlt" / f"{name}.toml").write_text(text)

    def run(self, script: str) -> dict[str, Any]:
        """What `script` tells, run in a process of its own that finds nothing of this repository."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith((*OUR_SETTINGS, "DLT_"))}
        origin = self.strava.oauth_url.removesuffix("/oauth")
        ran = subprocess.run(
            [sys.executable, "-c", BEFORE + script],
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": "", "DLT_DATA_DIR": str(self.folder / "dlt_data"), "SIMULATOR": origin},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-5000:]
        assert self.strava.client_secret not in ran.stderr
        reported: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return reported


@pytest.fixture
def strava():
    with Simulator(seed=7, activities=250) as simulator:
        simulator.set_limits(**dict.fromkeys(("read_15min", "read_day", "overall_15min", "overall_day"), 10**6))
        yield simulator


@pytest.fixture
def project(tmp_path, strava):
    return Project(tmp_path, strava)


def test_resources_behave_as_dlt_documents_them(project, strava):
    newest = strava.activities()[0]
    reported = project.run(f"""
since = {newest["start_date"]!r}
source = strava_api()
tell(
    names=list(source.resources),
    selected=list(source.selected_resources),
    chosen=list(strava_api().with_resources("activities", "activity_kudos").selected_resources),
    all_ids=[row["id"] for row in strava_api().activities],
    one_page=len(list(strava_api().activities.add_limit(1))),
    mapped=[row["shoes"] for row in strava_api().activities.add_map(lambda row: row | dict(shoes=2)).add_limit(1)][:3],
    details=[row["id"] for row in strava_api(since=since).activity_details],
    filtered=[row["activity_id"] for row in strava_api().activities.add_limit(1).add_filter(
        lambda row: row["kudos_count"] > 2) | strava_api().activity_kudos],
    hints=strava_api().activities.compute_table_schema()["write_disposition"],
)
""")
    truth = strava.activities()
    assert reported["names"][:2] == ["activities", "athlete"]
    assert len(reported["names"]) == 12
    # whoever does not choose pays a few requests, not some for each activity
    assert set(reported["selected"]) == {"activities", "athlete", "gear"}
    assert set(reported["chosen"]) == {"activities", "activity_kudos"}
    assert reported["all_ids"] == [activity["id"] for activity in reversed(truth)]
    assert (reported["one_page"], reported["mapped"], reported["details"], reported["hints"]) == (
        200,
        [2, 2, 2],
        [newest["id"]],
        "merge",
    )
    liked = {activity["id"] for activity in truth[50:] if activity["kudos_count"] > 2}
    assert set(reported["filtered"]) == liked


def test_duckdb_has_each_activity_once_and_details_are_requested_if_missing_or_changed(project, strava):
    reported = project.run("""
pipeline = at(dlt.destinations.duckdb("strava.duckdb"))

def run():
    pipeline.run(strava_api().with_resources("activities", "activity_details"))
    return dict(
        activities=rows(pipeline, f"select {COLUMNS} from activities order by id"),
        details=rows(pipeline, "select id, name from activity_details order by id"),
    )

COLUMNS = "id, name, distance, start_date, start_date_local"
truth = strava("activities")
first = run()
strava("clear_requests")
edited, liked, *_ = [activity["id"] for activity in truth]
strava("edit", id=edited, name="Evening run", kudos_count=99)
strava("edit", id=liked, kudos_count=99)
added = strava("add", name="new")["id"]
second = run()
of_numbers = "select distinct data_type from information_schema.columns where column_name = 'distance'"
of_variants = "select column_name from information_schema.columns where contains(column_name, '__v_')"
tell(
    truth=truth, first=first, second=second, lists=len(asked("/athlete/activities")), details=asked("/activities/"),
    wanted=[edited, added], kinds=rows(pipeline, of_numbers), variants=rows(pipeline, of_variants),
)
""")
    truth = {activity["id"]: activity for activity in reported["truth"]}
    expected = [[id_, activity["name"], activity["distance"]] for id_, activity in sorted(truth.items())]
    assert [row[:3] for row in reported["first"]["activities"]] == expected
    assert [row[0] for row in reported["first"]["details"]] == sorted(truth)
    assert (reported["kinds"], reported["variants"]) == ([["DOUBLE"]], [])
    for id_, _, _, start, local in reported["first"]["activities"]:
        assert start[:19].replace(" ", "T") == truth[id_]["start_date"][:19]
        assert local.replace(" ", "T") == truth[id_]["start_date_local"][:19]
    second = reported["second"]
    assert {row[0]: row[1] for row in second["activities"]} == {a["id"]: a["name"] for a in strava.activities()}
    assert dict(second["details"])[reported["wanted"][0]] == "Evening run"
    assert len(second["activities"]) == len(second["details"]) == 251
    # the lookback is a page or two, not the history; others' kudos are no edit
    assert reported["lists"] <= 2
    assert sorted(map(int, reported["details"])) == sorted(reported["wanted"])


@pytest.mark.parametrize(
    ("destination", "count"),
    [
        (
            'dlt.destinations.sqlalchemy("sqlite:///strava.db")',
            'rows(pipeline, f"select count(*) from {name}")[0][0]',
        ),
        (
            'dlt.destinations.filesystem("files")',
            "pipeline.dataset()[name].arrow().num_rows",
        ),
    ],
    ids=["SQLite", "Parquet files"],
)
def test_every_resource_goes_to_other_destinations(tmp_path, destination, count):
    with Simulator(seed=7, activities=20) as strava:
        strava.set_limits(**dict.fromkeys(("read_15min", "read_day", "overall_15min", "overall_day"), 10**6))
        project = Project(tmp_path, strava)
        files = "parquet" if "filesystem" in destination else None
        script = f"""
pipeline = at({destination})
counts = []
for _ in range(2):
    source = strava_api()
    pipeline.run(source.with_resources(*source.resources), loader_file_format={files!r})
    counts.append({{name: {count} for name in source.resources}})
tell(counts=counts)
"""
        first, second = project.run(script)["counts"]
        truth = strava.activities()
        parts = ("kudos", "comment", "total_photo")
        kudos, comments, photos = (sum(activity[f"{part}_count"] for activity in truth) for part in parts)
        assert (first["activities"], first["activity_details"], first["athlete"]) == (20, 20, 1)
        assert (first["activity_kudos"], first["activity_comments"], first["activity_photos"]) == (
            kudos,
            comments,
            photos,
        )
        assert first["gear"] == len({activity["gear_id"] for activity in truth if activity["gear_id"]})
        assert min(first[name] for name in ("activity_streams", "activity_laps", "activity_zones")) >= 10
        assert (first["athlete_zones"], first["routes"] > 0) == (1, True)
        # also where the destination cannot merge
        assert second == first


def test_what_strava_refuses_is_an_error_of_the_run_and_the_rotated_token_survives_it(project, strava):
    strava.fault("500", times=None, path=LIST)
    started_with = strava.issue_refresh_token(SCOPE)
    project.configure(refresh_token=started_with)
    reported = project.run("""
from pathlib import Path
tokens = Path("tokens.json")
pipeline = at(dlt.destinations.duckdb("strava.duckdb"))
down = failure_of(pipeline, strava_api())
kept, mode = json.loads(tokens.read_text())["refresh_token"], tokens.stat().st_mode & 0o777
# the token that the configuration has is dead by now, the file's one lives
strava("clear_faults")
strava("limits", read_15min=10)
strava("usage", read_15min=0)
spent = failure_of(pipeline, strava_api().with_resources("activities", "activity_details"))
strava("limits", read_15min=1000)
strava("usage", read_15min=0)
tokens.write_text(json.dumps({"refresh_token": "dead"}))
dead = failure_of(pipeline, strava_api())
# authorised anew: the token in the configuration is taken where the file's is refused
anew = strava("refresh_token", scope="read,activity:read_all")["refresh_token"]
listed = len(list(strava_api(refresh_token=anew).activities))
tell(down=down, kept=kept, mode=mode, spent=spent, dead=dead, listed=listed)
""")
    assert reported["down"][:2] == ["PipelineStepFailed", "StravaUnavailable"]
    assert reported["kept"] != started_with
    assert reported["mode"] == 0o600
    assert reported["spent"][:2] == ["PipelineStepFailed", "BudgetSpent"]
    assert "15-minute limit is used up" in reported["spent"][2]
    assert "it opens again at 20" in reported["spent"][2]
    assert reported["dead"][:2] == ["PipelineStepFailed", "NotAuthorised"]
    assert "refresh token" in reported["dead"][2]
    assert "make auth" not in reported["dead"][2]
    assert reported["listed"] == 250


def test_a_spent_limit_may_leave_the_rest_to_the_next_run(project, strava):
    strava.set_limits(read_15min=100)
    reported = project.run("""
pipeline = at(dlt.destinations.duckdb("strava.duckdb"))

def details():
    pipeline.run(strava_api(when_spent="later", lookback_days=1).with_resources("activities", "activity_details"))
    return [id_ for (id_,) in rows(pipeline, "select id from activity_details")]

first = details()
strava("limits", read_15min=1000)
strava("clear_requests")
tell(first=first, second=details(), asked=[int(id_) for id_ in asked("/activities/")])
""")
    first, second = set(reported["first"]), set(reported["second"])
    assert 90 <= len(first) < 100
    assert first < second == {activity["id"] for activity in strava.activities()}
    assert not set(reported["asked"]) & first


def test_a_spent_limit_may_be_waited_for(project, strava):
    strava.set_limits(read_15min=3)
    strava.approach(seconds=8)
    reported = project.run("tell(listed=len(list(strava_api(when_spent='wait', per_page=100).activities)))")
    assert reported == {"listed": 250}


def test_one_refused_activity_does_not_stop_the_others_and_a_deleted_one_is_not_requested_again(project, strava):
    corrupt, gone = (activity["id"] for activity in strava.activities()[:2])
    strava.fault("500", id=corrupt)
    strava.fault("empty404", id=gone)
    since = strava.activities()[11]["start_date"]
    reported = project.run(f"""
pipeline = at(dlt.destinations.duckdb("strava.duckdb"))

def details():
    pipeline.run(strava_api(since={since!r}).with_resources("activities", "activity_details"))
    return len(rows(pipeline, "select id from activity_details"))

first = details()
strava("clear_faults")
strava("clear_requests")
tell(first=first, second=details(), asked=asked("/activities/"))
""")
    assert reported == {"first": 10, "second": 11, "asked": [str(corrupt)]}


def test_a_range_of_activities_is_loaded_alone_and_leaves_the_next_run_as_it_was(project, strava):
    since, until = strava.activities()[60]["start_date"], strava.activities()[20]["start_date"]
    reported = project.run(f"""
def some():
    source = strava_api().with_resources("activities")
    bounds = dlt.sources.incremental("start_date", initial_value={since!r}, end_value={until!r})
    source.activities.apply_hints(incremental=bounds)
    return source

pipeline = at(dlt.destinations.duckdb("strava.duckdb"))
pipeline.run(strava_api())
before = pipeline.state["sources"]
pipeline.run(some())
after = pipeline.state["sources"]
alone = at(dlt.destinations.duckdb("alone.duckdb"), "alone")
alone.run(some())
tell(
    same=before == after,
    ids=[id_ for (id_,) in rows(alone, "select id from activities order by start_date")],
    tables=[name for (name,) in rows(alone, "select table_name from information_schema.tables")],
)
""")
    assert reported["same"]
    assert reported["ids"] == [activity["id"] for activity in reversed(strava.activities()[21:61])]
    assert {name for name in reported["tables"] if not name.startswith("_dlt")} == {"activities"}
