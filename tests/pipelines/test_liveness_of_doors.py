"""Which activities bronze calls live, whatever has landed through whichever door in whatever order."""

import shutil
from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from landed import write_shard

from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import (
    ACTIVITIES,
    ACTIVITY_DETAILS,
    ACTIVITY_FILES,
    EXPORT_ACTIVITIES,
    TABLES,
    TOMBSTONES,
)

NOON = datetime(2026, 11, 1, 12)
# a summary and a row of an export are versions; details and a file stand in where there is neither
VERSIONS, STAND_INS = (ACTIVITIES, EXPORT_ACTIVITIES), (ACTIVITY_DETAILS, ACTIVITY_FILES)
# (table, activity, minute)
EVENTS = st.lists(
    st.tuples(st.sampled_from([*VERSIONS, *STAND_INS, TOMBSTONES]), st.integers(1, 3), st.integers(0, 8)), max_size=14
)


def expected(events):
    """The rule as a person says it."""
    live = set()
    for id_ in {id_ for _, id_, _ in events}:
        seen = {table: [minute for of, other, minute in events if (of, other) == (table, id_)] for table in TABLES}
        versions = [minute for table in VERSIONS for minute in seen[table]]
        newest = versions or [minute for table in STAND_INS for minute in seen[table]]
        if newest and max(newest) > max(seen[TOMBSTONES], default=-1):
            live.add(id_)
    return live


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
@example(events=[(EXPORT_ACTIVITIES, 1, 0), (TOMBSTONES, 1, 1), (ACTIVITY_FILES, 1, 2), (ACTIVITY_DETAILS, 1, 3)])
@example(events=[(ACTIVITIES, 1, 0), (TOMBSTONES, 1, 1), (EXPORT_ACTIVITIES, 1, 2)])
@example(events=[(TOMBSTONES, 1, 1), (ACTIVITY_FILES, 1, 2)])
def test_an_activity_is_live_if_its_newest_version_is_newer_than_its_newest_tombstone(events, tmp_path):
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    for table in {table for table, _, _ in events}:
        landed = [{"id": id_, "fetched_at": NOON + timedelta(minutes=at)} for of, id_, at in events if of == table]
        write_shard(tmp_path / "data", table, landed)
    bronze = BronzeReader(tmp_path / "data")
    assert bronze.live_of_all() == set(bronze.live(7)) == expected(events)
    known = {id_ for table, id_, _ in events if table in (ACTIVITIES, ACTIVITY_DETAILS)}
    assert set(bronze.live_at_api(7)) == expected(events) & known
    assert bronze.with_details(7) == expected(events) & {id_ for table, id_, _ in events if table == ACTIVITY_DETAILS}
