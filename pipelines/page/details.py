"""What an opened activity shows beyond the list of activities: splits, laps, efforts, zones, what was left out.

It is more than a page may weigh, and nobody opens all of it. So it is text of its own in the page, compressed, which
the page inflates when the first activity is opened.
"""

import base64
import zlib
from dataclasses import dataclass

import duckdb

VERSION = 1
# 9 takes three times as long and saves one per cent
LEVEL = 6
# more bars than these are no longer read one by one
MOST_SPLITS = 60
MOST_SPLITS_OF_A_RIDE = 20
SPLITS_IN_ONE = 5
SYSTEMS = {"km": "metric", "mi": "standard"}


@dataclass(frozen=True)
class Details:
    """A table of details: what is selected of its rows, by name, and in which order those of an activity are."""

    name: str
    columns: dict[str, str]
    source: str
    order: str


def _whole(column: str) -> str:
    """SQL for `column` as a whole number; NULL if it is none, or beyond all."""
    return f"try_cast(round({column}) as bigint)"


def _exact(column: str) -> str:
    """SQL for `column` as a decimal: sums of doubles depend on their order, which threads decide."""
    return f"try_cast({column} as decimal(15, 3))"


def _list(column: str) -> str:
    """SQL for `column` of all rows, by their position."""
    return f"coalesce(list({column} order by position), [])"


def _number(column: str, places: int) -> str:
    """SQL for `column` with so many decimals; NULL if JSON has no word for it."""
    return f"case when isfinite({column}) then round({column}, {places}) end"


ACTIVITIES = """(
    select
        activities.*,
        activities.id as activity_id,
        gear.gear_id,
        raw.device_name,
        activity_load.load,
        activity_load.load_source,
        details.id is not null as has_details
    from strava.activities_local as activities
    left join strava.activity_gear as gear on activities.id = gear.activity_id
    left join strava.activities as raw on activities.id = raw.id
    left join strava.activity_load on activities.id = activity_load.activity_id
    left join strava.activity_details as details on activities.id = details.id
)"""
# rides have many splits, which come by five; so do marathons and what is longer
SPLITS = f"""(
    select
        activity_id,
        (split - 1) // splits_in_one as place,
        count(*) as splits,
        sum({_exact("distance_m")}) as distance_m,
        sum(moving_time_s) as moving_time_s,
        sum({_exact("elevation_difference_m")}) as elevation_difference_m,
        sum({_exact("average_heartrate")} * moving_time_s)
            / nullif(sum(moving_time_s) filter (average_heartrate is not null), 0) as average_heartrate
    from (
        select
            splits.*,
            case
                when count(*) over (partition by splits.activity_id)
                    > if(activities.sport_group = 'Ride', {MOST_SPLITS_OF_A_RIDE}, {MOST_SPLITS})
                    then {SPLITS_IN_ONE}
                else 1
            end as splits_in_one
        from strava.splits
        join strava.activities_local as activities on splits.activity_id = activities.id
        where splits.system = $system
    )
    group by activity_id, place
)"""
# one lap is the activity again
LAPS = "(from strava.laps qualify count(*) over (partition by activity_id) > 1)"
# what Strava shows; a rank is among all of the athlete's own, which are counted
SEGMENTS = """(
    select *, dense_rank() over (order by segment) - 1 as segment_place
    from (
        select *, count(rank_own) over (partition by segment) as efforts
        from (
            select *, coalesce(segment_id::varchar, segment_name, '') as segment
            from strava.segment_efforts
            where athlete_id = $athlete
        )
    )
    where not hidden
)"""
TABLES = (
    Details(
        "activity",
        {
            "elapsed_time_s": "elapsed_time_s",
            "max_heartrate": _whole("max_heartrate"),
            "average_watts": _whole("average_watts"),
            "weighted_average_watts": _whole("weighted_average_watts"),
            "device_watts": "device_watts::tinyint",
            "load": _number("load", 1),
            "load_source": "load_source",
            "gear_id": "gear_id",
            "device_name": "device_name",
            "doors": "doors",
            "has_details": "has_details::tinyint",
        },
        ACTIVITIES,
        "activity_id",
    ),
    Details(
        "splits",
        {
            "splits": "splits",
            "distance_m": _whole("distance_m"),
            "moving_time_s": "moving_time_s",
            "elevation_difference_m": _whole("elevation_difference_m"),
            "average_heartrate": _whole("average_heartrate"),
        },
        SPLITS,
        "place",
    ),
    Details(
        "laps",
        {
            "name": "nullif(name, 'Lap ' || lap_index)",
            "distance_m": _whole("distance_m"),
            "moving_time_s": "moving_time_s",
            "total_elevation_gain_m": _whole("total_elevation_gain_m"),
            "average_heartrate": _whole("average_heartrate"),
        },
        LAPS,
        "lap_index",
    ),
    Details(
        "best_efforts",
        {
            "effort": "effort",
            "elapsed_time_s": "elapsed_time_s",
            "rank_all_time": "rank_all_time",
            "rank_in_year": "rank_in_year",
        },
        "strava.best_efforts",
        "distance_m, effort",
    ),
    Details(
        "segment_efforts",
        {
            "segment": "segment_place",
            "elapsed_time_s": "elapsed_time_s",
            "rank_own": "rank_own",
            "pr_rank": "pr_rank",
            "kom_rank": "kom_rank",
        },
        SEGMENTS,
        "start_date_local, effort_id",
    ),
    Details(
        "zone_times",
        {"zone": "zone", "moving_time_s": _whole("moving_time_s"), "source": "source"},
        "strava.zone_times",
        "zone, source",
    ),
    Details(
        "left_out",
        {
            "reason": "reason",
            "explanation": "explanation",
            "left_out_of": "left_out_of",
            "effort": "effort",
            "value": _number("value", 3),
            "limit_value": _number("limit_value", 3),
            "unit": "unit",
        },
        "strava.left_out",
        "reason, effort, effort_id",
    ),
)


def details_text(connection: duckdb.DuckDBPyConnection, athlete_id: int | None, units: str) -> str:
    """The details of the activities of `page_json` as JSON, packed; splits by the mile if `units` says so.

    Of each table: `position`, places of activities in the list of the page, and of each column a list for each of them.

    Raises:
        duckdb.CatalogException: a mart is not there.
    """
    asked: dict[str, object] = {"athlete": athlete_id, "system": SYSTEMS[units]}
    tables = [f'"{table.name}":{_columns(connection, table, asked)}' for table in TABLES]
    segments = _segments(connection, asked)
    text = f'{{"version":{VERSION},"segments":{segments},"tables":{{{",".join(tables)}}}}}'
    return packed(text)


def packed(text: str) -> str:
    """`text` as the page has it: Base64 of a zlib stream, which has neither a time nor a name in it."""
    return base64.b64encode(zlib.compress(text.encode(), LEVEL)).decode()


def _columns(connection: duckdb.DuckDBPyConnection, table: Details, asked: dict[str, object]) -> str:
    """The columns of `table` as a JSON object; DuckDB writes it, which takes a tenth of the time."""
    lists = ", ".join(
        f"list({sql} order by {table.order}) as c{number}" for number, sql in enumerate(table.columns.values())
    )
    names = ", ".join(f"'{name}', {_list(f'c{number}')}" for number, name in enumerate(table.columns))
    query = f"""
        with places as (
            -- the order of the list of the page
            select id, row_number() over (order by started_local desc, id desc) - 1 as position
            from strava.activities_local
            where athlete_id = $athlete
        ),
        rows as (
            select places.position, source.*
            from {table.source} as source
            join places on source.activity_id = places.id
        ),
        lists as (select position, {lists} from rows group by position)
        select json_object('position', {_list("position")}, {names})::varchar from lists
    """
    named = {name: value for name, value in asked.items() if f"${name}" in query}
    row = connection.execute(query, named).fetchone()
    return row[0]  # type: ignore[index,no-any-return]  # an aggregate without groups has a row


def _segments(connection: duckdb.DuckDBPyConnection, asked: dict[str, object]) -> str:
    """The segments of `segment_efforts`, by place: id, name as it was last, and how many efforts have a rank."""
    row = connection.execute(
        f"""
        select json_object('id', {_list("id")}, 'name', {_list("name")}, 'efforts', {_list("efforts")})::varchar
        from (
            select
                segment_place as position,
                any_value(segment_id)::varchar as id,
                max_by(coalesce(segment_name, ''), (start_date_local, effort_id)) as name,
                any_value(efforts) as efforts
            from {SEGMENTS}
            group by segment_place
        )
        """,
        {"athlete": asked["athlete"]},
    ).fetchone()
    return row[0]  # type: ignore[index,no-any-return]  # an aggregate without groups has a row
