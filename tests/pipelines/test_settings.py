"""Settings: where each may stand, which place wins, and what a wrong one gets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from home import REPO, Ran
from said import assert_said

from pipelines.ground.settings import SETTINGS

SHOW = """
import json, sys
from dataclasses import asdict
from pipelines.ground.settings import SETTINGS, read_settings
settings = read_settings(**json.loads(sys.argv[1]))
paths = {name: str(getattr(settings, name)) for name in ("token_path", "warehouse_path", "bronze_path")}
print(json.dumps({field: getattr(settings, field) for field in SETTINGS} | paths))
"""

DEFAULTS = {
    "client_id": None,
    "client_secret": None,
    "redirect_uri": "http://localhost/exchange_token",
    "scope": "read,profile:read_all,activity:read,activity:read_all",
    "api_url": "https://www.strava.com/api/v3",
    "oauth_url": "https://www.strava.com/oauth",
    "home": "",
    "token_file": "secrets/strava_token.json",
    "warehouse": "warehouse/strava.duckdb",
    "bronze_url": "data",
    "per_page": 200,
    "enrich_limit": "100",
    "enrich_sleep_ms": 200,
    "retry_wait_s": 1.0,
    "reserve": 20,
    "max_wait_s": 900,
    "lookback_days": 30,
    "sweep_hours": 24,
    "details_days": 30,
    "resources": None,
    "publish": None,
    "watch": None,
    "purge_deleted": False,
    "page": False,
    "state_passphrase": None,
    "schedule": "7 * * * *",
    "time_zone": "UTC",
    "rest_hr": None,
    "max_hr": None,
    "threshold_hr": None,
    "ftp": None,
    "sex": None,
    "units": "km",
    "goals": None,
}

# values that a careless reader would take for numbers, expand, or cut
OTHERS = {
    "client_id": "007",
    "client_secret": "1e10",
    "redirect_uri": "http://127.0.0.1:8080/back?x=1#y",
    "scope": "read",
    "api_url": "http://localhost:1/api/v3",
    "oauth_url": "http://localhost:1/oauth",
    "home": "/tmp/else where",
    "token_file": "t/$HOME.json",
    "warehouse": "w/other.duckdb",
    "bronze_url": "shards",
    "per_page": 150,
    "enrich_limit": "all",
    "enrich_sleep_ms": 0,
    "retry_wait_s": 0.5,
    "reserve": 0,
    "max_wait_s": 60,
    "lookback_days": 7,
    "sweep_hours": 6.5,
    "details_days": 7.5,
    "resources": "kudos, photos",
    "publish": "p/other.published.duckdb",
    "watch": "~/Garmin",
    "purge_deleted": True,
    "page": True,
    "state_passphrase": "a longer one than 16",
    "schedule": "*/5 * * * 1-5",
    "time_zone": "Europe/Berlin",
    "rest_hr": 47.5,
    "max_hr": 191,
    "threshold_hr": 172,
    "ftp": 262.5,
    "sex": "f",
    "units": "mi",
    "goals": "Run 1000 km/year, All 7.5h / week",
}
SHOWABLE = {field: value for field, value in OTHERS.items() if field not in ("client_secret", "state_passphrase")}


class Checkout:
    """A copy of this repository, so that its .env and .dlt/ can be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("pipelines", ".dlt"):
            shutil.copytree(REPO / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "secrets.toml"))

    def write(self, file: str, values: dict) -> None:
        if file == ".env":
            text = "".join(f"{name}='{value}'\n" for name, value in values.items())
        else:
            old = (self.folder / file).read_text() if (self.folder / file).exists() else ""
            text = f"{old}\n[sources.strava]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items())
        (self.folder / file).write_text(text)

    def python(self, *arguments: str, **environment: str) -> Ran:
        # an empty user's home: no ~/.dlt of whoever runs the tests
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "nobody"), "PYTHONPATH": str(self.folder)}
        ran = subprocess.run(
            [sys.executable, *arguments],
            env=base | environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def settings(self, options: dict | None = None, **environment: str) -> dict:
        project = {"DLT_PROJECT_DIR": str(self.folder)}
        ran = self.python("-c", SHOW, json.dumps(options or {}), **project, **environment)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    def command(self, *arguments: str, **environment: str) -> Ran:
        return self.python(str(self.folder / "pipelines" / "strava.py"), *arguments, **environment)


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "checkout")


def names(field):
    return SETTINGS[field].names


def shared(settings):
    return {field: settings[field] for field in SETTINGS}


def test_the_defaults_are_the_documented_ones(checkout):
    shown = checkout.settings()
    assert shared(shown) == DEFAULTS
    assert shown["token_path"] == str(checkout.folder / "secrets/strava_token.json")
    assert shown["warehouse_path"] == str(checkout.folder / "warehouse/strava.duckdb")
    assert shown["bronze_path"] == str(checkout.folder / "data")


@pytest.mark.parametrize(
    "place", ["environment", ".env", ".dlt/config.toml", ".dlt/secrets.toml", "dlt's variables", "dlt's names in .env"]
)
def test_every_setting_may_be_in(checkout, place):
    by_name = {names(field)[0]: str(value) for field, value in OTHERS.items()}
    by_dlt = {f"SOURCES__STRAVA__{field.upper()}": str(value) for field, value in OTHERS.items()}
    environment = {"environment": by_name, "dlt's variables": by_dlt}.get(place, {})
    if place.startswith(".dlt"):
        checkout.write(place, OTHERS if "secrets" in place else SHOWABLE)
    elif ".env" in place:
        checkout.write(".env", by_name if place == ".env" else by_dlt)
    shown = shared(checkout.settings(**environment))
    assert shown == (
        OTHERS if place != ".dlt/config.toml" else SHOWABLE | {"client_secret": None, "state_passphrase": None}
    )


def test_a_secret_in_config_toml_which_people_commit_is_refused(checkout):
    checkout.write(".dlt/config.toml", {"client_secret": "not here"})
    ran = checkout.command("pull")
    assert_said(ran, 2, "config.toml", "client_secret", "secrets.toml")
    assert "not here" not in ran.err


def test_a_number_in_a_toml_file_is_a_limit_and_an_id_too(checkout):
    checkout.write(".dlt/config.toml", {"enrich_limit": 50, "client_id": 12345})
    shown = checkout.settings()
    assert (shown["enrich_limit"], shown["client_id"]) == ("50", "12345")


def test_an_option_overrides_the_environment_which_overrides_dotenv_which_overrides_config_toml(checkout):
    checkout.write(".dlt/config.toml", {"per_page": 10, "scope": "config", "home": "/config", "token_file": "config"})
    checkout.write(".env", {"PER_PAGE": 20, "STRAVA_SCOPE": "env file", "STRAVA_HOME": "/env-file"})
    shown = checkout.settings({"per_page": 40}, PER_PAGE="30", STRAVA_SCOPE="environment")
    got = [shown[field] for field in ("per_page", "scope", "home", "token_file")]
    assert got == [40, "environment", "/env-file", "config"]


def test_an_empty_variable_counts_as_not_set(checkout):
    checkout.write(".env", {"PER_PAGE": 20})
    assert checkout.settings(PER_PAGE="", ENRICH_LIMIT="")["per_page"] == 20


def test_the_older_name_of_the_limit_works_and_the_newer_wins(checkout):
    assert checkout.settings(STRAVA_ENRICH_MAX="7")["enrich_limit"] == "7"
    assert checkout.settings(STRAVA_ENRICH_MAX="7", ENRICH_LIMIT="8")["enrich_limit"] == "8"


def test_variables_of_other_programs_are_not_used(checkout):
    somebody = dict.fromkeys(("CLIENT_ID", "CLIENT_SECRET", "SCOPE", "WAREHOUSE", "TOKEN_FILE"), "/somebody/else")
    dlts = {"CREDENTIALS__CLIENT_ID": "9", "SOURCES__HOME": "/else", "LOOKBACK_DAYS": "1", "API_URL": "http://else"}
    assert shared(checkout.settings(**somebody, **dlts)) == DEFAULTS


@pytest.mark.parametrize("home", ["here", "/tmp/far away", "~/mine"])
def test_relative_paths_start_at_home_and_absolute_ones_stay(checkout, home):
    shown = checkout.settings(STRAVA_HOME=home, STRAVA_WAREHOUSE="/abs/w.duckdb", STRAVA_TOKEN_FILE="~/token.json")
    user = str(checkout.folder / "nobody")
    assert shown["bronze_path"] == str(checkout.folder / home.replace("~", user) / "data")
    assert (shown["warehouse_path"], shown["token_path"]) == ("/abs/w.duckdb", f"{user}/token.json")


def test_dotenv_and_config_toml_reach_the_command_from_any_folder(checkout, athlete):
    checkout.write(".env", {name: value for name, value in athlete.settings.items() if name != "STRAVA_CLIENT_ID"})
    checkout.write(".dlt/config.toml", {"per_page": 25, "client_id": athlete.strava.client_id})
    ran = checkout.command("pull")
    assert ran.code == 0, ran.err
    assert {request.query["per_page"] for request in athlete.requests("/athlete/activities")} == {"25"}
    assert len(athlete.shards()) == 1
    assert sorted(path.name for path in checkout.folder.iterdir()) == [".dlt", ".env", "pipelines"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".env", b"# caf\xe9\nPER_PAGE=20\n"),
        (".dlt/config.toml", b"[sources.strava\nper_page = 1"),
        (".dlt/secrets.toml", b"\xff"),
    ],
    ids=[".env", "config.toml", "secrets.toml"],
)
def test_a_file_of_settings_that_cannot_be_read_is_named(checkout, file, content):
    (checkout.folder / file).write_bytes(content)
    assert_said(checkout.command("status"), 2, Path(file).name)


BAD = [
    ("PER_PAGE", "0", "1 to 200"),
    ("PER_PAGE", "201", "1 to 200"),
    ("PER_PAGE", "-5", "1 to 200"),
    ("PER_PAGE", "x", "whole number"),
    ("PER_PAGE", "1.5", "whole number"),
    ("ENRICH_LIMIT", "-1", "all"),
    ("ENRICH_LIMIT", "x", "all"),
    ("ENRICH_LIMIT", "1.5", "all"),
    ("STRAVA_ENRICH_MAX", "many", "all"),
    ("STRAVA_LOOKBACK_DAYS", "-1", "0 or more"),
    ("STRAVA_LOOKBACK_DAYS", "month", "whole number"),
    ("STRAVA_RESERVE", "-1", "0 or more"),
    ("STRAVA_MAX_WAIT_S", "-1", "0 or more"),
    ("STRAVA_MAX_WAIT_S", "a while", "whole number"),
    ("STRAVA_ENRICH_SLEEP_MS", "-1", "0 or more"),
    ("STRAVA_ENRICH_SLEEP_MS", "fast", "whole number"),
    ("STRAVA_RETRY_WAIT_S", "-1", "0 or more"),
    ("STRAVA_RETRY_WAIT_S", "nan", "0 or more"),
    ("STRAVA_RETRY_WAIT_S", "inf", "0 or more"),
    ("STRAVA_API_URL", "www.strava.com", "https://"),
    ("STRAVA_API_URL", "http://[::1", "https://"),
    ("STRAVA_API_URL", "http://localhost:port/", "https://"),
    ("STRAVA_OAUTH_URL", "ftp://strava", "https://"),
    ("STRAVA_BRONZE_URL", "gs://bucket/data", "s3://bucket/folder"),
    ("STRAVA_BRONZE_URL", "s3://bucket", "s3://bucket/folder"),
    ("STRAVA_HOME", "$HOME/strava", "~ is your home"),
    ("STRAVA_TOKEN_FILE", "/home/${USER}/t.json", "${USER} is not replaced here"),
    ("STRAVA_BRONZE_URL", "~nobody-of-this-name/x", "no such home"),
    ("STRAVA_SWEEP_HOURS", "-1", "from 0"),
    ("STRAVA_REST_HR", "19", "from 20 to 150"),
    ("STRAVA_REST_HR", "slow", "a number"),
    ("STRAVA_MAX_HR", "300", "from 80 to 250"),
    ("STRAVA_MAX_HR", "nan", "from 80 to 250"),
    ("STRAVA_THRESHOLD_HR", "-1", "from 60 to 240"),
    ("STRAVA_FTP", "0", "from 20 to 1000"),
    ("STRAVA_FTP", "inf", "from 20 to 1000"),
    ("STRAVA_SEX", "x", "m or f"),
    ("STRAVA_UNITS", "miles", "km or mi"),
    ("STRAVA_GOALS", "Run 1000", "like Run 1000 km/year"),
    ("STRAVA_GOALS", "Jog 1000 km/year", "(All, Ride, Run,"),
    ("STRAVA_GOALS", "Run 0 km/year", "like Run 1000 km/year"),
    ("STRAVA_GOALS", "Run 1 km/day", "like Run 1000 km/year"),
    ("STRAVA_GOALS", "Run 1 km/year, run 2 mi/year", "two goals for 'run 2 mi/year'"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD, ids=[f"{name}={value[:20]}" for name, value, _ in BAD])
def test_a_wrong_setting_is_named_with_what_is_allowed(athlete, run, name, value, allowed):
    assert_said(run("pull", **{name: value}), 2, name if name != "STRAVA_ENRICH_MAX" else "ENRICH_LIMIT", allowed)
    assert athlete.requests() == []


@pytest.mark.parametrize(
    ("heart_rates", "wrong"),
    [
        (
            {"REST": "60", "MAX": "185", "THRESHOLD": "60"},
            "STRAVA_REST_HR is 60.0: it must be below STRAVA_THRESHOLD_HR",
        ),
        ({"MAX": "170", "THRESHOLD": "171"}, "STRAVA_THRESHOLD_HR is 171.0: it must be below STRAVA_MAX_HR"),
        ({"REST": "100", "MAX": "90"}, "STRAVA_REST_HR is 100.0: it must be below STRAVA_MAX_HR, which is 90.0"),
    ],
    ids=["rest", "threshold", "no threshold"],
)
def test_heart_rates_that_do_not_rise_are_reported(run, heart_rates, wrong):
    assert_said(run("pull", **{f"STRAVA_{name}_HR": value for name, value in heart_rates.items()}), 2, wrong)


@pytest.mark.parametrize("uri", ["localhost", "http://[::1/", "http://localhost:99999/", "http://localhost:x/", ""])
def test_an_invalid_redirect_address_is_reported(run, uri):
    ran = run("auth", STRAVA_REDIRECT_URI=uri or "http://")
    assert_said(ran, 2, "STRAVA_REDIRECT_URI")


@pytest.mark.parametrize(("limit", "fetched"), [("0", 0), ("3", 3), ("all", 60), (" ALL ", 60)])
def test_the_limit_of_details_takes_none_a_number_and_all(athlete, run, limit, fetched):
    ran = run(ENRICH_LIMIT=limit)
    assert ran.code == 0, ran.err
    assert len(athlete.requests("/activities/")) == fetched
