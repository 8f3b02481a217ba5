def test_a_pull_lands_every_activity_once(athlete, run):
    ran = run("pull")
    assert (ran.code, ran.out) == (0, "")
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(60, 60)]
    assert athlete.sql("select id, payload from staging.activities where false") == []
    again = run("pull")
    assert "nothing new" in again.err
    assert len(athlete.shards()) == 1
