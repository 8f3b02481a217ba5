import json
import os
import re
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deep import deep_but
from landed import LIST, all_ids, ask, assert_one_sentence, contents, details_asked, ids, names, versions, write_shard

from pipelines.bronze.shard import ShardDamaged, look_through
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import SCHEMA, WATCHED_FILES
from pipelines.bronze.watched import WatchedFile, watched_files
from pipelines.ground.errors import StorageFailed

pytestmark = pytest.mark.slow

NOON = datetime(2026, 3, 4, 12)


def output(athlete):
    return sorted((athlete.home / "output").iterdir())


def test_a_payload_is_byte_for_byte_what_strava_sent_in_bronze_staging_and_output(athlete, run, strava):
    strava.edit(strava.activities()[3]["id"], name='Ü "quoted" \\ \u2028 🚴\n')
    run("pull", PER_PAGE="25")
    sent = ask(athlete, LIST, after=0, per_page=200)
    for payloads in (
        [payload for _, payload in versions(athlete)],
        [payload for (payload,) in athlete.sql("select payload from staging.activities order by start_date, id")],
    ):
        assert b"[" + b",".join(payload.encode() for payload in payloads) + b"]" == sent
    [array] = output(athlete)
    assert array.read_bytes().replace(b",\n{", b",{").strip() == sent
    assert json.loads(array.read_bytes()) == json.loads(sent)


def test_files_are_named_after_athlete_and_second(athlete, run, pull, strava):
    began_at = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    run(ENRICH_LIMIT="1")
    pull("--all")
    stem = rf"_{strava.athlete_id}_(\d{{14}})"
    [shard], [details], [array] = athlete.shards(), athlete.shards("activity_details"), output(athlete)
    stamps = [
        re.fullmatch(pattern, path.name)[1]
        for pattern, path in (
            (rf"activities{stem}_[0-9a-f]+\.parquet", shard),
            (rf"activity_details{stem}_[0-9a-f]+\.parquet", details),
            (rf"strava_activities{stem}\.json", array),
        )
    ]
    assert len(set(stamps)) == 1
    assert began_at <= stamps[0] <= f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    assert pq.read_table(shard, columns=["shard"]).column(0).unique().to_pylist() == [shard.stem]


def test_a_shard_has_the_keys_as_typed_columns_and_the_payload_as_text(athlete, pull):
    pull()
    schema = pq.read_schema(athlete.shards()[0])
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "id": pa.int64(),
        "athlete_id": pa.int64(),
        "start_date": pa.timestamp("us"),
        "fetched_at": pa.timestamp("us"),
        "payload_hash": pa.string(),
        "payload": pa.string(),
        "shard": pa.string(),
    }


def test_output_contains_only_what_its_pull_landed(athlete, pull, strava):
    pull()
    strava.edit(strava.activities()[0]["id"], name="Renamed")
    # names have seconds
    time.sleep(1)
    pull()
    assert [activity["name"] for activity in json.loads(output(athlete)[1].read_bytes())] == ["Renamed"]


def test_two_pulls_within_one_second_lose_nothing(athlete, pull, strava):
    pull()
    for name in ("A", "B", "C"):
        strava.edit(strava.activities()[0]["id"], name=name)
        pull()
    assert names(athlete, strava.activities()[0]["id"])[1:] == ["A", "B", "C"]
    landed = [activity["name"] for path in output(athlete) for activity in json.loads(path.read_bytes())]
    assert {"A", "B", "C"} <= set(landed)


def test_every_shard_that_can_be_seen_is_whole(athlete, pull, strava):
    # megabytes that do not compress, so that writing them takes a while
    for activity in strava.activities():
        strava.edit(activity["id"], name=secrets.token_hex(100_000))
    folder = athlete.home / "data" / "activities"
    done, torn, seen = threading.Event(), [], set()

    def look():
        while not done.is_set():
            for path in folder.glob("*.parquet"):
                try:
                    pq.read_metadata(path)
                    seen.add(path.name)
                except (OSError, pa.ArrowException) as error:
                    torn.append((path, error))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        assert pull().code == 0
    finally:
        done.set()
        watcher.join()
    assert torn == []
    assert seen == {path.name for path in athlete.shards()}


def test_what_appears_is_on_the_disk_before_it_has_its_name_and_then_the_name_is(athlete, run, monkeypatch):
    # nobody cuts the power here: what is told to the disk, in which order, is all there is to see
    reported = []
    fsync, replace, link = os.fsync, Path.replace, Path.hardlink_to

    def watched_fsync(descriptor):
        reported.append(("on disk", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def watched_replace(path, target):
        reported.append(("appears", path.stat().st_ino, Path(target)))
        return replace(path, target)

    def watched_link(path, source):
        reported.append(("appears", Path(source).stat().st_ino, path))
        link(path, source)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    monkeypatch.setattr(Path, "hardlink_to", watched_link)
    assert run(ENRICH_LIMIT="2").code == 0
    appeared = {step[2]: place for place, step in enumerate(reported) if step[0] == "appears"}
    durable = [*(athlete.home / "data").rglob("*.parquet"), athlete.token_file]
    assert set(durable) <= appeared.keys()
    for path in durable:
        place = appeared[path]
        assert ("on disk", path.stat().st_ino) in reported[:place], path
        assert ("on disk", path.parent.stat().st_ino) in reported[place:], path


def test_shards_are_never_touched_again(athlete, run, pull, strava):
    run(ENRICH_LIMIT="2")
    tables = ("activities", "activity_details")
    before = [contents(athlete.home / "data" / table) for table in tables]
    strava.edit(strava.activities()[0]["id"], name="Renamed")
    pull("--all")
    run(ENRICH_LIMIT="2")
    for table, stored in zip(tables, before, strict=True):
        assert stored.items() < contents(athlete.home / "data" / table).items()


def test_nothing_is_left_beside_the_shards(athlete, run):
    run(ENRICH_LIMIT="2")
    for table in ("activities", "activity_details"):
        assert {path.suffix for path in (athlete.home / "data" / table).iterdir()} == {".parquet"}


@pytest.mark.parametrize("damage", deep_but(1, "cut", "empty", "text"))
def test_a_torn_shard_is_set_aside_and_named_and_its_content_is_fetched_again(athlete, run, strava, damage):
    run("pull")
    [shard] = athlete.shards()
    whole = shard.read_bytes()
    shard.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not a shard"}[damage])
    athlete.warehouse.unlink()
    ran = run("pull")
    assert ran.code == 0
    assert f"warning: The shard {shard} is damaged" in ran.err
    assert shard.with_name(shard.name + ".torn").exists()
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    ran = run("pull")
    assert (ran.code, "warning" in ran.err) == (0, False), ran.err


@pytest.mark.parametrize(
    ("share", "wrong"), deep_but(1, (0.7, b"\x00"), (0.5, b"\xff"), (0.9, b"\xff")), ids=["0.7", "0.5", "0.9"]
)
def test_damage_within_the_payloads_is_reported_without_quoting_them(athlete, run, strava, wrong, share):
    run("pull")
    [shard] = athlete.shards()
    chunk = pq.read_metadata(shard).row_group(0).column(SCHEMA.names.index("payload"))
    at = chunk.data_page_offset + int(share * chunk.total_compressed_size)
    content = shard.read_bytes()
    shard.write_bytes(content[:at] + 40 * wrong + content[at + 40 :])
    with pytest.raises(ShardDamaged):
        look_through(shard)
    athlete.warehouse.unlink()
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert "start_date" not in ran.err
    assert f"warning: The shard {shard} is damaged" in ran.err
    assert shard.with_name(shard.name + ".torn").exists()
    # nothing in the list's walk reads a payload: staging does, so the next run fetches it again
    assert run("pull").code == 0
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    assert athlete.sql("select count(distinct id) from staging.activities") == [(60,)]


@pytest.mark.deep
def test_a_torn_shard_whose_rows_are_in_the_warehouse_is_rewritten_completely(athlete, run, strava):
    gone, renamed, *_ = [activity["id"] for activity in strava.activities()]
    assert run(ENRICH_LIMIT="3").code == 0
    strava.edit(renamed, name="renamed")
    assert run("pull").code == 0
    stored = {path: pq.read_table(path).to_pylist() for path in (athlete.home / "data").rglob("*.parquet")}
    for path in stored:
        path.write_bytes(path.read_bytes()[:-20])
    # what is gone at Strava by then, and what was there before an edit, nobody could fetch again
    strava.delete(gone)
    ran = run("flow", ENRICH_LIMIT="3", STRAVA_SWEEP_HOURS="0")
    assert ran.code == 0, ran.err
    assert ran.err.count("the warehouse had its rows, and it was written anew") == len(stored)
    assert {path: pq.read_table(path).to_pylist() for path in stored} == stored
    assert "Activities: 59 listed, nothing new." in ran.err
    assert {id_ for (id_,) in athlete.sql("select id from strava.activities")} == all_ids(strava)
    assert athlete.sql("select id from strava.deleted_activities") == [(gone,)]
    assert run("status").code == 0


def test_a_damaged_shard_that_was_renamed_is_rewritten_too(athlete, run, strava):
    run("pull")
    renamed = athlete.shards()[0].rename(athlete.home / "data" / "activities" / "renamed.parquet")
    rows, content = pq.read_table(renamed).to_pylist(), renamed.read_bytes()
    at = pq.read_metadata(renamed).row_group(0).column(SCHEMA.names.index("start_date")).data_page_offset
    renamed.write_bytes(content[:at] + b"\xff" * 20 + content[at + 20 :])
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert "the warehouse had its rows, and it was written anew" in ran.err
    assert pq.read_table(renamed).to_pylist() == rows


def test_a_torn_copy_of_a_shard_does_not_stop_staging(athlete, run, strava):
    run("pull")
    [shard] = athlete.shards()
    shard.with_name("copy.parquet").write_bytes(shard.read_bytes()[:-9])
    strava.add(name="today")
    ran = run("pull")
    assert (ran.code, "copy.parquet is damaged" in ran.err) == (0, True)
    assert athlete.sql("select count(*) from staging.activities") == [(61,)]


def test_after_a_clock_that_jumped_back_the_newest_version_is_still_the_last_one(athlete, pull, strava):
    pull()
    [shard] = athlete.shards()
    table = pq.read_table(shard)
    # all was fetched by a clock that was a day ahead
    fetched_at = pa.array([at + timedelta(days=1) for at in table.column("fetched_at").to_pylist()], pa.timestamp("us"))
    pq.write_table(table.set_column(table.schema.get_field_index("fetched_at"), "fetched_at", fetched_at), shard)
    newest = strava.activities()[0]["id"]
    for name in ("A", "B", "A"):
        strava.edit(newest, name=name)
        pull()
    assert names(athlete, newest)[1:] == ["A", "B", "A"]
    assert "nothing new" in pull().err


def test_a_pull_by_a_clock_that_jumped_back_has_its_output_too(athlete, pull, strava):
    pull()
    [array] = output(athlete)
    array.rename(
        array.with_name(re.sub(r"\d{14}", f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d%H%M%S}", array.name))
    )
    strava.add(name="today")
    pull()
    landed = [activity["name"] for path in output(athlete) for activity in json.loads(path.read_bytes())]
    assert "today" in landed


def test_output_that_a_killed_pull_did_not_write_comes_with_the_next_one(athlete, pull):
    pull()
    output(athlete)[0].unlink()
    pull()
    assert len(json.loads(output(athlete)[0].read_bytes())) == 60


def test_the_next_run_removes_what_is_half_written_and_puts_back_what_was_set_aside(athlete, pull):
    pull()
    [shard] = athlete.shards()
    content = shard.read_bytes()
    state = athlete.home / "warehouse" / ".state"
    shard.rename(shard.with_name(f"{shard.name}.torn"))
    left = [
        shard.with_name(f".{shard.name}.1.tmp"),
        athlete.home / "output" / ".strava_activities_1_20260101000000.json.1.tmp",
        state / ".budget.json.1.tmp",
        # fetched, but not taken by dlt; landed, but not forgotten by it
        state / "dlt" / "waiting" / "activities.parquet",
        state / "dlt" / "strava_bronze" / "load" / "loaded" / "1700000000.1" / "activities.parquet",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert pull().code == 0
    assert [path for path in left if path.exists()] == []
    assert shard.read_bytes() == content
    assert not list((athlete.home / "data").rglob("*.torn"))


def test_a_folder_that_cannot_be_written_is_reported_and_loses_nothing(athlete, run, pull, strava):
    pull()
    before = contents(athlete.home / "data" / "activities")
    folder = athlete.home / "data" / "activity_details"
    folder.write_text("a file where a folder is needed")
    assert_one_sentence(run(ENRICH_LIMIT="2"), 6, str(folder))
    assert contents(athlete.home / "data" / "activities") == before
    folder.unlink()
    assert run(ENRICH_LIMIT="2").code == 0
    assert sorted(ids(athlete, "activity_details")) == sorted(details_asked(athlete))


class PurgedMeanwhile(BronzeReader):
    """Bronze of which another process removes the first shard once it has been listed."""

    def shards(self, table):
        found = super().shards(table)
        if table == "activities":
            found[0].unlink(missing_ok=True)
        return found


def test_a_shard_that_a_purge_removes_meanwhile_hides_no_damage_of_another(athlete, pull, strava):
    pull()
    strava.add(name="in a second shard")
    pull()
    _, second = athlete.shards()
    second.write_bytes(second.read_bytes()[:-100])
    bronze = PurgedMeanwhile(athlete.home / "data")
    assert bronze.leave_out_damaged() == 1
    assert list(bronze.damaged) == [second]


def test_a_query_that_fails_over_whole_shards_is_reported_as_it_is(athlete, pull):
    pull()
    before = contents(athlete.home / "data")
    with pytest.raises(
        StorageFailed, match=r"could not be read, though each by itself is whole: Binder Error: .*no_such"
    ):
        BronzeReader(athlete.home / "data").query("select no_such from {activities}")
    assert contents(athlete.home / "data") == before


def test_a_note_on_a_file_that_cannot_be_understood_hides_no_other(tmp_path):
    files = [
        WatchedFile(-id_, datetime(2026, 3, 4, 12, id_), "/watch", f"{id_}.fit", f"{id_:064}", NOON, 60.0, 200.0)
        for id_ in (1, 2, 3)
    ]
    rows = [
        {"id": file.activity_id, "start_date": NOON, "fetched_at": file.taken_at, "payload": file.payload(7).text}
        for file in files
    ]
    rows[1]["payload"] = b"{"
    write_shard(tmp_path, WATCHED_FILES, rows)
    assert [file.name for file in watched_files(BronzeReader(tmp_path), 7)] == ["1.fit", "3.fit"]
