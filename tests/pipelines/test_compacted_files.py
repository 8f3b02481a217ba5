"""Compaction on shard files alone, without a run: what it must not take for what, and what it must not remove."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.bronze import compaction
from pipelines.bronze.compaction import is_compacted
from pipelines.bronze.doors import came_through
from pipelines.bronze.shard import PARQUET
from pipelines.bronze.store import Bronze, BronzeReader
from pipelines.bronze.tables import SCHEMA
from pipelines.ground.errors import StorageFailed
from pipelines.sources.strava_api.pause import Pause

BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def name_of(number):
    return f"activities_7_{BEGAN_AT + timedelta(days=number):%Y%m%d%H%M%S}_{number:08x}"


def row(number, shard=None, payload=None):
    text = payload or json.dumps({"id": number, "name": f"Activity {number}"})
    return {
        "id": number,
        "athlete_id": 7,
        "start_date": BEGAN_AT + timedelta(days=number),
        "fetched_at": BEGAN_AT + timedelta(days=number),
        "payload_hash": hashlib.sha256(text.encode()).hexdigest(),
        "payload": text,
        "shard": shard or name_of(number),
    }


def put(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), path, **PARQUET)
    return path


@pytest.fixture
def folder(tmp_path):
    """The folder of 20 shards with a row each."""
    for number in range(20):
        put(tmp_path / "data" / "activities" / f"{name_of(number)}.parquet", row(number))
    return tmp_path / "data" / "activities"


@pytest.fixture
def said():
    return []


@pytest.fixture
def opened(tmp_path, said):
    """A function that opens bronze as a run does."""
    return lambda **options: Bronze(tmp_path / "data", tmp_path / "work", said.append, **options)


def ids(folder):
    return sorted(id_ for (id_,) in BronzeReader(folder.parent).query("select id from {activities}"))


def files(folder):
    return sorted(folder.glob("*.parquet"))


def compacted(folder):
    return [path for path in files(folder) if is_compacted(path)]


def damage(path, column="payload"):
    """Make the values of a column unreadable, while the names of the shards stay readable."""
    content = path.read_bytes()
    at = pq.read_metadata(path).row_group(0).column(SCHEMA.names.index(column)).data_page_offset
    path.write_bytes(content[:at] + b"\xff" * 20 + content[at + 20 :])


@pytest.mark.parametrize("other", ["activities_7_20260105000000_ffffffff", "zzz", None])
def test_a_file_in_which_a_row_bears_another_name_is_left_alone(folder, opened, other):
    """As after a wrong bit in the dictionary of names of its second row group."""
    odd = row(100)
    odd["shard"] = other
    put(folder / f"{name_of(5)}.parquet", row(5), odd)
    opened().compact(Pause())
    opened().remove_covered()
    assert ids(folder) == [*range(20), 100]
    assert len(compacted(folder)) == 1


def test_small_files_put_back_from_a_backup_outlive_a_damaged_compacted_one(folder, opened, said):
    backup = {path: path.read_bytes() for path in files(folder)}
    opened().compact(Pause())
    [one] = files(folder)
    damage(one)
    for path, content in backup.items():
        path.write_bytes(content)
    bronze = opened()
    bronze.remove_covered()
    assert [id_ for (id_,) in sorted(bronze.query("select id from {activities} where payload > ''"))] == [*range(20)]


def test_a_file_that_bears_the_name_of_a_compacted_shard_but_has_other_rows_stays(folder, opened):
    opened().compact(Pause())
    odd = put(folder / f"{name_of(5)}.parquet", row(100, shard=name_of(100)))
    opened().remove_covered()
    assert odd.exists()
    assert ids(folder) == [*range(20), 100]


def test_what_the_warehouse_lacks_of_a_damaged_compacted_file_is_not_forgotten(folder, opened, said):
    names = [name_of(number) for number in range(20)]
    opened().compact(Pause())
    [one] = files(folder)
    damage(one)
    staged = pa.Table.from_pylist([row(number) for number in range(5)], SCHEMA)
    bronze = opened(rows_of=lambda _table, _names: staged)
    assert bronze.leave_out_damaged() == 1
    assert ids(folder) == [*range(5)]
    assert BronzeReader(folder.parent).shards_set_aside() == [one]
    assert "restore it from a backup" in " ".join(said)
    # the next runs neither repeat that nor forget it
    before = files(folder), len(said)
    opened(rows_of=lambda _table, _names: staged).put_back()
    assert (files(folder), len(said)) == before
    for number, name in enumerate(names):
        put(folder / f"{name}.parquet", row(number))
    opened().remove_covered()
    assert ids(folder) == [*range(20)]


def test_links_are_left_alone(folder, opened, tmp_path):
    linked = folder / f"{name_of(5)}.parquet"
    target = linked.rename(tmp_path / "elsewhere.parquet")
    content = target.read_bytes()
    linked.symlink_to(target)
    opened().compact(Pause())
    assert target.read_bytes() == content
    assert ids(folder) == [*range(20)]
    assert len(compacted(folder)) == 1
    # one that somebody puts there afterwards too
    late = folder / f"{name_of(6)}.parquet"
    put(tmp_path / "late.parquet", row(6))
    late.symlink_to(tmp_path / "late.parquet")
    opened().remove_covered()
    assert pq.read_table(tmp_path / "late.parquet").num_rows == 1
    assert ids(folder) == [*range(20)]


def test_what_was_set_aside_and_written_anew_is_not_written_anew_again_after_compaction(folder, opened, said):
    staged = pa.Table.from_pylist([row(5)], SCHEMA)
    of_warehouse = {"rows_of": lambda _table, _names: staged}
    damage(folder / f"{name_of(5)}.parquet")
    assert opened(**of_warehouse).leave_out_damaged() == 1
    opened(**of_warehouse).compact(Pause())
    assert len(compacted(folder)) == 1
    assert BronzeReader(folder.parent).shards_set_aside() == []
    said.clear()
    opened(**of_warehouse).put_back()
    assert said == []
    assert ids(folder) == [*range(20)]


def test_a_damaged_file_does_not_keep_the_others_from_being_compacted(folder, opened):
    damage(folder / f"{name_of(5)}.parquet")
    assert opened().compact(Pause()) == 19
    assert len(files(folder)) == 2


def test_of_two_files_with_the_same_shards_one_goes(folder, opened, monkeypatch):
    monkeypatch.setattr(compaction, "MOST_FILES", 1)
    opened().compact(Pause())
    [one] = files(folder)
    rows = pq.read_table(one)
    pq.write_table(rows, one.with_name(one.name.replace(one.stem[-8:], "00000000")), **PARQUET)
    assert ids(folder) == [*range(20)]
    opened().remove_covered()
    assert len(files(folder)) == 1
    assert ids(folder) == [*range(20)]


def test_files_that_cannot_be_compacted_are_not_written_again_and_again(folder, opened, monkeypatch):
    monkeypatch.setattr(compaction, "MOST_FILES", 2)
    opened().compact(Pause())
    for number in range(100, 104):
        put(folder / f"odd {number}.parquet", row(number))
    [one] = compacted(folder)
    # as after a purge of a whole shard
    rows = pq.read_table(one)
    pq.write_table(rows.slice(1), one, **PARQUET)
    for _ in range(3):
        opened().compact(Pause())
        assert ids(folder) == [*range(1, 20), *range(100, 104)]
    assert opened().compact(Pause()) == 0


def test_a_renamed_compacted_file_is_read_shard_by_shard(folder, opened, tmp_path):
    opened().compact(Pause())
    [one] = files(folder)
    renamed = one.rename(folder / "renamed.parquet")
    found = opened().whole_shards("activities", but={name_of(0)})
    assert found == {name_of(number): renamed for number in range(1, 20)}


def test_of_a_shard_in_two_files_the_one_with_more_rows_is_kept(folder, opened, monkeypatch):
    """The other lacks what a purge erased from it: the next run erases that again."""
    monkeypatch.setattr(compaction, "MOST_FILES", 1)
    for path in files(folder):
        path.unlink()
    shard = name_of(1)
    whole = [row(0), row(1, shard), row(2, shard), row(3)]
    less = [row(1, shard), row(4)]
    put(folder / f"{name_of(0)}--{name_of(3)}.00000000.parquet", *whole)
    put(folder / f"{shard}--{name_of(4)}.00000000.parquet", *less)
    opened().compact(Pause())
    assert ids(folder) == [0, 1, 2, 3, 4]


def test_memory_that_does_not_suffice_is_an_error_of_ours(folder, opened, monkeypatch):
    def fails(_rows):
        raise MemoryError

    monkeypatch.setattr(compaction, "are_as_they_came", fails)
    with pytest.raises(StorageFailed, match="memory"):
        opened().compact(Pause())


def test_a_compacted_file_that_cannot_be_read_is_not_covered(folder, opened):
    """As those of two machines overlap: the span of one is inside that of another, its shards are not."""
    for path in files(folder)[:16]:
        path.unlink()
    inner = put(folder / f"{name_of(17)}--{name_of(18)}.00000000.parquet", row(17), row(18))
    for number in (17, 18):
        (folder / f"{name_of(number)}.parquet").unlink()
    put(folder / f"{name_of(16)}--{name_of(19)}.00000000.parquet", row(16), row(19))
    inner.write_bytes(inner.read_bytes()[:-20])
    opened().remove_covered()
    assert inner.exists()


def test_a_withdrawal_names_the_shards_inside_a_compacted_file_that_is_set_aside(folder, opened):
    opened().compact(Pause())
    [one] = files(folder)
    damage(one)
    opened().leave_out_damaged()
    put(folder / f"{name_of(50)}.parquet", row(50))
    withdrawal = came_through(BronzeReader(folder.parent), "api").withdrawal
    assert {name_of(number) for number in range(20)} <= withdrawal.shards["activities"]


def test_details_that_are_large_in_memory_become_several_files(folder, opened, monkeypatch):
    for number in range(20):
        put(folder / f"{name_of(number)}.parquet", row(number, payload=json.dumps({"id": number, "text": "a" * 10**6})))
    monkeypatch.setattr("pipelines.bronze.compaction.MEMORY_BYTES", 5 * 10**6)
    assert opened().compact(Pause()) == 20
    assert len(files(folder)) == 5
    assert ids(folder) == [*range(20)]
