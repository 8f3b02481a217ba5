"""Which activities are live: the rule, in Python and as the start of a query on bronze.

An activity is live if its newest version is newer than its newest tombstone. Its versions are those of its summary and
its rows in exports; if there are none, those of its details or its file, which may be all that is known of it. dbt has
the same rule in `int_activities__buried`, and a test compares the two.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pipelines.bronze.sweep import erased_instants
from pipelines.sources.strava_api.payloads import EPOCH

# newest version last; the hash breaks ties in the same way everywhere (also in dbt's models)
VERSION_ORDER = "struct_pack(fetched_at := fetched_at, payload_hash := payload_hash)"
OF_ATHLETE = "athlete_id = $athlete_id"
OF_ANYBODY = "true"
_IN_NO_LIST = """
    id not in (select id from {activities} where id is not null)
    and id not in (select id from {export_activities} where id is not null)
"""


def is_live(version_at: datetime, buried_at: datetime | None) -> bool:
    """Whether a newest version fetched at `version_at` is newer than the activity's newest tombstone, if any."""
    return buried_at is None or version_at > buried_at


def with_live(of: str = OF_ATHLETE, in_range: str = "") -> str:
    """The start of a query: `live` has id, fetched_at and start_date of the newest version of each live activity.

    of: whose activities, OF_ATHLETE (parameter `athlete_id`) or OF_ANYBODY. in_range: further conditions on a version.
    """
    return f"""
        with known as (
            select id, athlete_id, start_date, fetched_at, payload_hash, payload from {{activities}}
            union all
            select id, athlete_id, start_date, fetched_at, payload_hash, payload from {{export_activities}}
            union all
            select id, athlete_id, start_date, fetched_at, payload_hash, payload from {{activity_details}}
            where {_IN_NO_LIST}
            union all
            select id, athlete_id, start_date, fetched_at, payload_hash, null from {{activity_files}}
            where {_IN_NO_LIST}
        ),
        newest as (
            select id, max(fetched_at) as fetched_at, max_by(start_date, {VERSION_ORDER}) as start_date
            from known
            where id is not null and {of} {in_range}
            group by id
        ),
        live as (
            select newest.* from newest
            left join (select id, max(fetched_at) as buried_at from {{tombstones}} group by id) using (id)
            where buried_at is null or newest.fetched_at > buried_at
        )
    """


def with_enriched() -> str:
    """Like `with_live`; `enriched` has an athlete's activities with details, fetched at `enriched_at`."""
    return f"""
        {with_live()},
        enriched as (
            select live.*, enriched_at from live
            inner join (select id, max(fetched_at) as enriched_at from {{activity_details}} group by id) using (id)
        )
    """


def live_at(
    instant: datetime,
    seen: Mapping[int, tuple[datetime, datetime | None]],
    tombstones: Iterable[tuple[int, int, datetime | None, datetime, str]],
) -> dict[int, datetime | None]:
    """Ids of the activities that were live at `instant` (UTC), each with its start, including those purged since.

    seen: instant and start of the newest summary up to then. tombstones: all of them, oldest first.
    """
    newest, buried = dict(seen), dict[int, datetime]()
    for _, id_, start, at, payload in tombstones:
        if at <= instant:
            buried[id_] = at
        # what a purge has erased since was there at the time
        erased = max((each for each in erased_instants(payload) if each <= instant), default=EPOCH)
        if erased > newest.get(id_, (EPOCH, None))[0]:
            newest[id_] = erased, start
    return {id_: start for id_, (at, start) in newest.items() if is_live(at, buried.get(id_))}
