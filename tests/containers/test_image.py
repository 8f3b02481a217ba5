import json
import os
import shutil
import subprocess

from clone import IMAGE, docker, new_clone

SECRET = "s3cr3t-that-must-not-travel"
MEGABYTES = 1_000_000


def inspected(image=IMAGE):
    return json.loads(docker("image", "inspect", image))[0]


def test_the_image_is_smaller_than_700_megabytes(built):
    assert inspected()["Size"] < 700 * MEGABYTES


def test_the_image_has_labels_and_runs_without_a_fixed_user(built):
    config = inspected()["Config"]
    version = next(line for line in (built.folder / "pyproject.toml").read_text().splitlines() if "version =" in line)
    revision = built.call("git", "rev-parse", "HEAD").out.strip()
    assert config["Labels"]["org.opencontainers.image.version"] == version.split('"')[1]
    assert config["Labels"]["org.opencontainers.image.revision"] == revision
    assert config["User"] not in ("", "0", "root")
    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert config["Entrypoint"][0] == "python", "no shell before it that would keep signals to itself"


def test_no_tools_and_no_caches_of_the_build_are_left(built):
    look = "ls -d /root/.cache /tmp/* /var/lib/apt/lists/*; command -v gcc make git; ls /opt/venv/bin/pip*; true"
    assert docker("run", "--rm", "--user=0", "--entrypoint", "sh", IMAGE, "-c", f"({look}) 2>/dev/null") == ""


def test_nothing_is_compiled_again_at_every_start(built):
    missing = (
        "import pathlib, importlib.util as u, sys\n"
        "[dlt] = pathlib.Path('/opt/venv').glob('lib/*/site-packages/dlt')\n"
        "print([str(p) for f in (pathlib.Path('/app/pipelines'), dlt) for p in f.rglob('*.py')"
        " if not pathlib.Path(u.cache_from_source(str(p))).exists()])"
    )
    assert docker("run", "--rm", "--entrypoint", "python", IMAGE, "-c", missing) == "[]"


def test_no_secret_and_no_data_of_the_clone_get_into_the_image(engine, tmp_path):
    clone = new_clone()
    places = (
        ".env .dlt/secrets.toml secrets/strava_token.json data/activities/a.parquet output/a.json"
        " warehouse/strava.duckdb site/index.html demo/secrets/strava_token.json"
        " dbt_project/target/run_results.json dbt_project/logs/dbt.log"
        " pipelines/.env simulator/.env .git/config.local .venv/marker bench/results/a.json"
    )
    for place in places.split():
        clone.write(place, f"{SECRET} {place}")
    image = f"{IMAGE}-secrets"
    try:
        ran = clone.make("build", STRAVA_IMAGE=image, STRAVA_CLIENT_SECRET=SECRET)
        assert ran.code == 0, ran.err
        assert SECRET not in ran.out + ran.err
        assert SECRET not in docker("history", "--no-trunc", image)
        assert SECRET not in json.dumps(inspected(image))
        container = docker("create", image)
        try:
            with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
                found = subprocess.run(
                    ["grep", "-c", "-a", SECRET], check=False, stdin=export.stdout, capture_output=True, text=True
                )
            assert found.stdout.strip() == "0"
        finally:
            docker("rm", container)
        stored = docker("run", "--rm", "--entrypoint", "ls", image, "-A", "/app").split()
        assert set(stored) <= {".dlt", "dbt_project", "pipelines", "profiles.yml", "pyproject.toml", "simulator"} | {
            "requirements.txt"
        }
    finally:
        docker("image", "rm", image)
        shutil.rmtree(clone.folder.parent)


def test_it_runs_read_only_as_a_user_without_a_name(athlete):
    for name in ("data", "output", "warehouse", "site", "secrets"):
        (athlete.home / name).mkdir(exist_ok=True)
    for path in (athlete.home, *athlete.home.rglob("*")):
        os.chown(path, 1234, 1234)
    folders = [f"--volume={athlete.home}/{name}:/strava/{name}" for name in ("data", "output", "warehouse", "secrets")]
    settings = {name: value for name, value in athlete.settings.items() if name != "STRAVA_HOME"}
    settings |= {"ENRICH_LIMIT": "2", "TZ": "Pacific/Auckland"}
    environment = [f"--env={name}={value}" for name, value in settings.items()]
    options = ["--rm", "--read-only", "--tmpfs=/tmp", "--user=1234:1234", "--network=host", "--cap-drop=ALL"]
    ran = subprocess.run(
        ["docker", "run", *options, *folders, *environment, IMAGE, "flow"], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "warning" not in ran.stderr.lower(), ran.stderr
    assert athlete.sql("select count(*) from strava.activities") == [(athlete.strava.count,)]
    assert {path.stat().st_uid for path in athlete.home.rglob("*")} == {1234}
    # dbt leaves this file if it reads the project, which takes seconds: the image has it as dbt has read it
    assert not list(athlete.home.rglob("partial_parse.msgpack"))
