"""Staging keeps DuckDB on a short leash; a shard that needs more gets it."""

from pipelines import staging


def test_a_shard_that_needs_more_memory_than_was_reckoned_is_loaded_all_the_same(athlete, run, monkeypatch):
    monkeypatch.setattr(staging, "_memory_mb", lambda _missing: 1)
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(60, 60)]
