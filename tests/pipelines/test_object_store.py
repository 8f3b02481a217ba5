"""Bronze in a bucket: a local S3 server over real HTTP, and a machine that forgets everything but its token."""

import shutil
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from imports import Steps
from landed import DETAIL, LIST, all_ids, assert_one_sentence
from moto.server import ThreadedMotoServer

from pipelines.bronze.shard import PARQUET
from pipelines.bronze.store import open_bronze
from pipelines.bronze.tables import SCHEMA
from pipelines.ground.durable import is_there
from pipelines.ground.errors import StorageFailed
from pipelines.ground.progress import Report
from pipelines.ground.settings import read_settings
from pipelines.runs.repair import repair
from pipelines.sources.strava_api.pause import Pause
from simulator import write_export

pytestmark = pytest.mark.slow

KEY, SECRET = "AKIAEXAMPLE", "a secret that no one must see"


@pytest.fixture(scope="module")
def s3():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, athlete):
    """An empty bucket; the user's settings name a folder in it."""
    requests.post(f"{s3}/moto-api/reset", timeout=10)
    requests.put(f"{s3}/athlete", timeout=10)
    athlete.settings |= {
        "STRAVA_BRONZE_URL": "s3://athlete/history/strava",
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    return f"{s3}/athlete"


def objects(bucket, table):
    listing = requests.get(bucket, params={"prefix": f"history/strava/{table}/"}, timeout=10).text
    return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]


@pytest.fixture
def bronze(athlete, bucket, monkeypatch):
    """Bronze as a run opens it, of 20 small shards in the bucket and in the copy."""
    for name, value in athlete.settings.items():
        monkeypatch.setenv(name, value)
    bronze = open_bronze(read_settings(), Report())
    for number in range(20):
        name = f"activities_7_20260101{number:06}_{number:08x}"
        row = dict.fromkeys(SCHEMA.names) | {"id": number, "athlete_id": 7, "shard": name}
        file = BytesIO()
        pq.write_table(pa.Table.from_pylist([row], SCHEMA), file, **PARQUET)
        requests.put(f"{bucket}/history/strava/activities/{name}.parquet", data=file.getvalue(), timeout=10)
    bronze.fetch()
    return bronze


def refuse(*_arguments, **_options):
    raise StorageFailed("Access Denied")


# of a flow and of a purge all but the build
FLOW = "pull,enrich,purge_if_wanted,stage"
PURGE = "purge,stage"


def forget(athlete):
    """What a fresh machine has not: everything but the token."""
    for folder in ("warehouse", "output", "data"):
        shutil.rmtree(athlete.home / folder, ignore_errors=True)


def test_shards_live_in_the_bucket_under_the_names_they_have_in_a_folder(athlete, bucket):
    ran = athlete.spawn("pull")
    assert ran.code == 0, ran.err
    (shard,) = objects(bucket, "activities")
    assert shard.startswith("history/strava/activities/activities_")
    assert shard.endswith(".parquet")
    assert not (athlete.home / "data").exists()
    assert athlete.sql("select count(*) from staging.activities") == [(60,)]
    assert SECRET not in ran.out + ran.err


def test_a_fresh_machine_goes_on_from_the_bucket_without_asking_for_what_is_known(athlete, bucket):
    assert athlete.spawn(ENRICH_LIMIT="5").code == 0
    held = objects(bucket, "activities") + objects(bucket, "activity_details")
    forget(athlete)
    athlete.strava.clear_requests()
    assert athlete.spawn(ENRICH_LIMIT="0").code == 0
    assert len(athlete.requests(LIST)) == 2
    assert athlete.requests(DETAIL) == []
    assert objects(bucket, "activities") + objects(bucket, "activity_details") == held
    assert {id_ for (id_,) in athlete.sql("select id from staging.activities")} == all_ids(athlete.strava)
    assert athlete.sql("select count(*) from staging.activity_details") == [(5,)]


@pytest.mark.deep
def test_what_another_machine_landed_is_not_landed_again(athlete, bucket):
    athlete.spawn("pull")
    (athlete.home / "warehouse").rename(athlete.home / "one machine")
    late = athlete.strava.add(name="late")["id"]
    athlete.spawn("pull", SOAK_STEPS="pull")
    shutil.rmtree(athlete.home / "warehouse")
    (athlete.home / "one machine").rename(athlete.home / "warehouse")
    ran = athlete.spawn("pull")
    assert "nothing new" in ran.err
    assert athlete.sql("select count(*) from staging.activities where id = ?", late) == [(1,)]


@pytest.mark.parametrize(
    "settings",
    [
        {"STRAVA_BRONZE_URL": "s3://nobodys/history"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    ],
    ids=["no bucket", "no store"],
)
def test_a_store_that_cannot_be_used_is_said_in_a_sentence(athlete, bucket, settings):
    ran = athlete.spawn("pull", **settings)
    assert_one_sentence(ran, 6, "Bronze at s3://", "could not be used")
    assert SECRET not in ran.out + ran.err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HTTP_PROXY": "http://user:a-secret-of-mine@"}, ["HTTP_PROXY is not the address of a proxy"]),
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "AWS_CA_BUNDLE": "/no/such"}, ["/no/such", "AWS_CA_BUNDLE"]),
    ],
)
def test_a_proxy_or_certificates_that_keep_it_from_the_store_are_named(athlete, bucket, settings, words):
    ran = athlete.spawn("pull", **{"NO_PROXY": "", "no_proxy": "", "REQUESTS_CA_BUNDLE": ""} | settings)
    assert_one_sentence(ran, 2, *words)
    assert "a-secret-of-mine" not in ran.out + ran.err


def test_a_bucket_without_credentials_is_said_in_a_sentence(athlete, bucket):
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    assert_one_sentence(athlete.spawn("pull", **nothing), 2, "no credentials", "AWS_ACCESS_KEY_ID")


@pytest.mark.deep
def test_a_purge_erases_from_the_bucket_too(athlete, bucket):
    athlete.spawn(ENRICH_LIMIT="5", SOAK_STEPS="pull,enrich")
    gone = athlete.strava.activities()[0]
    athlete.strava.delete(gone["id"])
    athlete.spawn("pull", SOAK_STEPS="pull")
    ran = athlete.spawn("purge", SOAK_STEPS="purge")
    assert ran.code == 0, ran.err
    forget(athlete)
    assert athlete.spawn("pull").code == 0
    held = athlete.sql("select id from staging.activities union all select id from staging.activity_details")
    assert (gone["id"],) not in held
    assert len(set(held)) == 59


@pytest.mark.deep
def test_what_was_purged_from_a_bucket_does_not_come_back_with_a_backup(athlete, bucket, tmp_path_factory):
    file = str(tmp_path_factory.mktemp("backups") / "strava.bundle")
    gone = athlete.strava.activities()[2]["id"]
    athlete.strava.edit(gone, name="Nobody is to know")
    assert athlete.spawn("pull").code == 0
    assert athlete.spawn("backup", file, "--unencrypted").code == 0
    athlete.strava.delete(gone)
    fetched_and_purged = {"ENRICH_LIMIT": "0", "STRAVA_PURGE_DELETED": "true", "SOAK_STEPS": "pull,purge_if_wanted"}
    assert athlete.spawn("flow", "--all", **fetched_and_purged).code == 0
    assert athlete.spawn("restore", file, "--force", "--unencrypted").code == 0
    athlete.authorise()
    (output,) = (athlete.home / "output").iterdir()
    assert "Nobody is to know" in output.read_text()
    ran = athlete.spawn("flow", ENRICH_LIMIT="0", SOAK_STEPS=FLOW)
    assert ran.code == 0, ran.err
    assert "Nobody is to know" not in output.read_text()
    assert athlete.sql("select count(*) from staging.activities where id = ?", gone) == [(0,)]


@pytest.mark.deep
def test_what_was_withdrawn_is_gone_from_the_bucket_too_and_a_fresh_machine_knows(
    athlete, bucket, tmp_path, monkeypatch, capfd
):
    athlete.strava.set_clock(datetime.now(UTC) - timedelta(days=1))
    path = tmp_path / "1.zip"
    write_export(athlete.strava, path, points=3)
    athlete.strava.set_clock(datetime.now(UTC))
    assert athlete.spawn(ENRICH_LIMIT="5", SOAK_STEPS="pull,enrich").code == 0
    Steps(athlete, monkeypatch, capfd)(path)
    exports = objects(bucket, "export_activities") + objects(bucket, "activity_files")
    # here, but not yet there: the copy of a machine that was killed
    moment = r"os.remove .*/bronze-[^/]+/activity_details/.*"
    assert athlete.spawn("withdraw", "--door", "api", "--yes", SOAK_KILL_AT=moment).code == -9
    assert objects(bucket, "activity_details")
    forget(athlete)
    ran = athlete.spawn("purge", SOAK_STEPS=PURGE)
    assert ran.code == 0, ran.err
    assert [objects(bucket, table) for table in ("activities", "activity_details", "sweeps", "athlete")] == [[]] * 4
    assert objects(bucket, "export_activities") + objects(bucket, "activity_files") == exports
    assert athlete.sql("select count(*) from staging.activities") == [(0,)]
    assert athlete.sql("select count(*) from staging.export_activities") == [(60,)]


@pytest.mark.deep
def test_small_shards_are_compacted_in_the_bucket_too_and_every_machine_takes_it_over(athlete, bucket):
    assert athlete.spawn("pull").code == 0
    for name in ("a", "b", "c"):
        athlete.strava.add(name=name)
        assert athlete.spawn("pull").code == 0
    assert len(objects(bucket, "activities")) == 4
    shutil.copytree(athlete.home / "warehouse", athlete.home / "another machine")
    athlete.strava.add(name="d")
    often = {"SOAK_COMPACTS_ABOVE": "2"}
    # a kill after the bucket has the compacted file, and before it has let the others go
    assert athlete.spawn("pull", SOAK_KILL_AT=r"os.remove .*/bronze-[^/]+/activities/.*", **often).code == -9
    ran = athlete.spawn("pull", **often)
    assert ran.code == 0, ran.err
    assert len(objects(bucket, "activities")) == 2
    shutil.rmtree(athlete.home / "warehouse")
    (athlete.home / "another machine").rename(athlete.home / "warehouse")
    ran = athlete.spawn("pull")
    assert (ran.code, "nothing new" in ran.err) == (0, True), ran.err
    (copy,) = (athlete.home / "warehouse" / ".state").glob("bronze-*")
    assert sorted(path.name for path in (copy / "activities").glob("*.parquet")) == sorted(
        name.rpartition("/")[2] for name in objects(bucket, "activities")
    )
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(64, 64)]
    forget(athlete)
    assert athlete.spawn("pull").code == 0
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(64, 64)]


def test_what_a_compacted_file_replaces_stays_in_a_bucket_that_lacks_it(s3, bucket, bronze):
    """As after the bucket was put back to an earlier state: the copy here is no proof of what is there."""
    small = {path.name: path.read_bytes() for path in bronze.shards("activities")}
    assert bronze.compact(Pause()) == 20
    assert len(objects(bucket, "activities")) == 1
    requests.post(f"{s3}/moto-api/reset", timeout=10)
    requests.put(bucket, timeout=10)
    for name, content in small.items():
        requests.put(f"{bucket}/history/strava/activities/{name}", data=content, timeout=10)
    bronze.fetch()
    bronze.remove_covered()
    assert len(objects(bucket, "activities")) == 20
    assert bronze.query("select count(*) from {activities}") == [(20,)]


def test_a_bucket_from_which_nothing_may_be_removed_does_not_stop_a_run(bucket, bronze, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.bronze.store.take_away", refuse)
        with pytest.raises(StorageFailed):
            bronze.compact(Pause())
        assert len(objects(bucket, "activities")) == 21
        repair(bronze, read_settings(), Report())
        assert bronze.query("select count(*) from {activities}") == [(20,)]
    repair(bronze, read_settings(), Report())
    assert len(objects(bucket, "activities")) == 1


def test_what_another_machine_compacts_meanwhile_is_fetched_from_the_compacted_file(bucket, bronze, monkeypatch):
    theirs = bronze.folder.rename(bronze.folder.with_name("theirs"))
    asked = []

    def compact_meanwhile(path):
        asked.append(path)
        if len(asked) == 5:
            ours = bronze.folder.rename(bronze.folder.with_name("ours"))
            theirs.rename(bronze.folder)
            bronze.compact(Pause())
            bronze.folder.rename(theirs)
            ours.rename(bronze.folder)
        return is_there(path)

    # asked before each file is fetched
    monkeypatch.setattr("pipelines.bronze.object_store.is_there", compact_meanwhile)
    bronze.fetch()
    assert bronze.query("select count(*) from {activities}") == [(20,)]
