"""What the athlete's own page shows, read from the marts: the same JSON for the same warehouse, day and settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from pipelines.ground.goals import Goal
from pipelines.warehouse.fields import UnknownField

VERSION = 1
# decimals by the end of a column's name, which holds its unit
DECIMALS = (
    ("share", 4),
    ("coverage", 3),
    ("monotony", 2),
    ("heartrate", 1),
    # Strava's own decimals: sums of what is shown are the sums of what is stored
    ("_m", 1),
    ("_s", 1),
    ("load", 1),
    ("fitness", 1),
    ("fatigue", 1),
    ("form", 1),
    ("strain", 0),
)
# beyond, a double and JavaScript do not count in ones
EXACT = 2**53
# of columns of several units: that of speeds
MOST_DECIMALS = 3
# what the athlete has to say for all figures to be there
SETTINGS = ("rest_hr", "max_hr", "threshold_hr", "ftp_w", "sex")
# what the page shows of the warehouse that changes without a build
WITHOUT_BUILD = ("staging.athlete_settings", "staging.goals", "strava.sweeps", "strava.exports")


@dataclass(frozen=True)
class Table:
    """A table of the page: what it selects, of which rows, in which order."""

    name: str
    columns: str
    order: str
    source: str = ""
    where: str = "true"


TABLES = (
    Table(
        "activities",
        "id, started_local, sport_type, sport_group, name, distance_m, moving_time_s, total_elevation_gain_m, "
        "average_heartrate, kudos, route",
        # the newest first
        "started_local desc, id desc",
        source="(select *, summary_polyline as route from strava.activities_local)",
    ),
    Table(
        "activities_daily",
        "activity_date, sport_group, activities, distance_m, moving_time_s, total_elevation_gain_m",
        "activity_date, sport_group",
        source="strava.sport_groups_daily",
        where="sport_group <> 'All'",
    ),
    Table(
        "records",
        "sport_group, year, record, value, unit, activity_id, activity_name, activity_date",
        "sport_group, year nulls first, record",
    ),
    Table(
        "eddington",
        "sport_group, unit, eddington, days_needed_for_next",
        "sport_group, unit",
    ),
    Table(
        "eddington_days",
        "sport_group, unit, distance, days",
        "sport_group, unit, distance",
        source="(select days.*, eddington.eddington from strava.eddington_days as days "
        "join strava.eddington as eddington using (athlete_id, sport_group, unit))",
        # beyond lie single days, as far as the longest of all
        where="distance <= 1.5 * eddington + 10",
    ),
    Table(
        "streaks",
        "sport_group, period, longest, longest_start_date, longest_end_date, current, current_start_date",
        "sport_group, period",
    ),
    Table(
        "year_in_review",
        "year, sport_group, activities, distance_m, moving_time_s, total_elevation_gain_m, kudos, active_days, "
        "longest_distance_m, longest_activity_id, longest_activity_name, biggest_day_date, biggest_day_distance_m, "
        "longest_day_streak, favourite_weekday, favourite_hour, most_used_gear_id, eddington_km, eddington_mi, "
        "first_activity_date, last_activity_date",
        "year, sport_group",
    ),
    Table(
        "weekday_hours",
        "year, sport_group, weekday, hour, activities, moving_time_s",
        "year, sport_group, weekday, hour",
    ),
    Table(
        "goals",
        "sport_group, measure, period, period_start_date, period_end_date, target, achieved, share, expected_share",
        "sport_group, measure, period, period_start_date, target",
    ),
    Table(
        "data_coverage",
        "activities, with_route, with_heartrate, with_power, with_details, first_activity_date, last_activity_date, "
        "misfits, without_api, without_time_zone",
        "activities",
    ),
    Table(
        "best_efforts",
        "activity_id, activity_name, activity_date, year, sport_group, effort, distance_m, elapsed_time_s, "
        "moving_time_s, rank_all_time, rank_in_year",
        "sport_group, distance_m, effort, rank_all_time, activity_date, activity_id",
        where="rank_all_time <= 3 or rank_in_year = 1",
    ),
    Table(
        "left_out",
        "reason, left_out_of, explanation, activities, latest_activity_id, latest_activity_name, latest_activity_date",
        "reason, left_out_of",
        source="(select athlete_id, reason, left_out_of, explanation, count(distinct activity_id) as activities, "
        "max_by(activity_id, (activity_date, activity_id)) as latest_activity_id, "
        "max_by(coalesce(activity_name, ''), (activity_date, activity_id)) as latest_activity_name, "
        "max(activity_date) as latest_activity_date from strava.left_out group by all)",
    ),
    Table(
        "race_predictions",
        "from_effort, from_activity_date, from_distance_m, from_time_s, to_effort, to_distance_m, predicted_time_s",
        "from_distance_m, from_effort, to_distance_m, to_effort",
    ),
    Table(
        "zones",
        "month_start_date, sport_group, zone, moving_time_s, source",
        "month_start_date, sport_group, zone, source",
    ),
    Table(
        "data_coverage_yearly",
        "year, activities, with_route, with_heartrate, with_power, with_details, by_api, by_export, by_file",
        "year",
    ),
    Table("zone_bounds", "zone, lowest_bpm, highest_bpm", "zone"),
    Table(
        "training_load_daily",
        "date, load, coverage, fitness, fatigue, form, monotony, strain, is_warm_up",
        "date",
        # without any load there is nothing to show
        where="fitness is not null",
    ),
    Table(
        "gear",
        "gear_id, name, retired, is_primary, kind, activities, distance_m, moving_time_s, total_elevation_gain_m, "
        "first_used_date, last_used_date, strava_distance_m",
        "distance_m desc, gear_id",
    ),
)

# what there is to know of the data themselves
HEALTH = (
    Table(
        "sweeps",
        "ended_at, complete, activities_listed, versions_landed, activities_gone, reason",
        "ended_at desc",
        # the last ones, and the last that came to its end
        source="(from strava.sweeps qualify row_number() over (partition by athlete_id order by ended_at desc) <= 3 "
        "or (complete and row_number() over (partition by athlete_id, complete order by ended_at desc) = 1))",
    ),
    Table(
        "exports",
        "exported_at, imported_at, activities, files",
        "exported_at desc, imported_at desc",
    ),
    Table(
        "seen",
        "what, latest_at, activities",
        "what",
        source="(select athlete_id, 'summaries' as what, max(fetched_at) as latest_at, count(*) as activities "
        "from strava.activities where doors like 'api%' group by athlete_id union all "
        "select athlete_id, 'details', max(fetched_at), count(*) from strava.activity_details group by athlete_id "
        "union all select athlete_id, 'deleted', max(noticed_at), count(*) from strava.deleted_activities "
        "group by athlete_id)",
    ),
    Table(
        "misfits",
        "field, activities",
        "activities desc, field",
        source="(select athlete_id, trim(field) as field, count(*) as activities from (select athlete_id, "
        "unnest(string_split(misfit_fields, ',')) as field from strava.activities) group by all)",
    ),
    Table(
        "differences",
        "field, winner, reason, activities",
        "activities desc, field, winner, reason",
        source="(select athlete_id, field, winner, reason, count(*) as activities from strava.source_differences "
        "group by all)",
    ),
)


def athlete_shown(connection: duckdb.DuckDBPyConnection, token_path: Path) -> tuple[int | None, int]:
    """Whose page it is, and how many athletes the warehouse has: who has authorised this program, else who has most.

    None where nobody has any activity.
    """
    athletes = connection.execute(
        "select athlete_id from strava.activities_local where athlete_id is not null "
        "group by athlete_id order by count(*) desc, athlete_id"
    ).fetchall()
    ids = [athlete_id for (athlete_id,) in athletes]
    if len(ids) > 1:
        # imported here: that takes 50 ms, and hardly a warehouse has several
        from pipelines.sources.strava_api.auth import TokenFile  # noqa: PLC0415

        if (authorised := TokenFile(token_path).athlete_id()) in ids:
            return authorised, len(ids)
    return next(iter(ids), None), len(ids)


def page_json(
    connection: duckdb.DuckDBPyConnection,
    athlete_id: int | None,
    drawn: Callable[[list[str | None]], list[str]],
    unknown: list[UnknownField] | None,
) -> bytes:
    """The page's data as JSON; `drawn` makes routes of Strava's polylines.

    unknown: the fields that Strava has begun to send; None if no run has looked yet.

    Raises:
        duckdb.CatalogException: a mart is not there.
    """
    settings = settings_in_force(connection, athlete_id)
    shown = {name: settings.get(name) for name in SETTINGS}
    tables: dict[str, dict[str, Any]] = {}
    for table in (*TABLES, *HEALTH):
        columns, rows = _rows(connection, table, athlete_id)
        if "route" in columns:
            at = columns.index("route")
            for row, route in zip(rows, drawn([row[at] for row in rows]), strict=True):
                row[at] = route
        tables[table.name] = {"columns": columns, "rows": rows}
    fields = [{"table": one.table, "field": one.field, "since": f"{one.first_seen_at:%F}"} for one in unknown or ()]
    data = {
        "version": VERSION,
        "today": str(today(connection, athlete_id)),
        "units": units_of(connection, athlete_id),
        "public": False,
        "athlete": {"id": None if athlete_id is None else str(athlete_id)},
        "settings": shown,
        "missing": [name for name, value in shown.items() if value is None],
        "source": {"built_at": _instant(built_at(connection)), "warehouse_version": duckdb.__version__},
        "unknown_fields": None if unknown is None else fields,
        "tables": tables,
    }
    return orjson.dumps(data)


def today(connection: duckdb.DuckDBPyConnection, athlete_id: int | None) -> date:
    """The athlete's local date; UTC's without one."""
    row = connection.execute("select today from strava.athletes_today where athlete_id = ?", [athlete_id]).fetchone()
    if row is None:
        row = connection.execute("select make_timestamp(epoch_us(current_timestamp))::date").fetchone()
    return row[0]  # type: ignore[index,no-any-return]  # the second query has a row


def built_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the last whole `dbt build` was (UTC)."""
    row = connection.execute("select built_at from staging.dbt_builds").fetchone()
    return row[0] if row else None


def settings_in_force(connection: duckdb.DuckDBPyConnection, athlete_id: int | None) -> dict[str, Any]:
    """What the athlete set, by name; None, or missing, what is not set. Without an athlete, what was set last."""
    said = _newest(connection, "staging.athlete_settings", athlete_id) or {}
    return {name: _rounded(value, MOST_DECIMALS) for name, value in said.items()}


def goals_in_force(connection: duckdb.DuckDBPyConnection, athlete_id: int | None) -> list[Goal]:
    """The athlete's goals, in order."""
    return sorted(Goal(**goal) for goal in _newest(connection, "staging.goals", athlete_id) or [])


def _newest(connection: duckdb.DuckDBPyConnection, table: str, athlete_id: int | None) -> Any:
    """What the newest version of an athlete in `table` says, or of all versions without an athlete; None if none."""
    found = connection.execute(
        f"select payload from {table} where athlete_id = coalesce(?, athlete_id) "
        "order by fetched_at desc, payload_hash desc limit 1",
        [athlete_id],
    ).fetchone()
    return orjson.loads(found[0]) if found else None


def units_of(connection: duckdb.DuckDBPyConnection, athlete_id: int | None) -> str:
    """The units that the athlete set, `km` or `mi`."""
    return settings_in_force(connection, athlete_id).get("units") or "km"


def _rows(
    connection: duckdb.DuckDBPyConnection, table: Table, athlete_id: int | None
) -> tuple[list[str], list[list[Any]]]:
    """Names of the columns and rows of `table`, as the page has them but for routes."""
    columns = table.columns.split(", ")
    selected = ", ".join(_selected(column) for column in columns)
    source = table.source or f"strava.{table.name}"
    order = ", ".join(f"rows.{key}" for key in table.order.split(", "))
    query = f"select {selected} from {source} as rows where athlete_id = ? and ({table.where}) order by {order}"
    found = connection.execute(query, [athlete_id]).fetchall()
    decimals = [_decimals(column) for column in columns]
    return columns, [
        [value if type(value) is str else _rounded(value, places) for value, places in zip(row, decimals, strict=True)]
        for row in found
    ]


def _selected(column: str) -> str:
    """SQL for `column`: dates and ids as text, instants as text to the minute."""
    if column == "started_local":
        return f"strftime(rows.{column}, '%Y-%m-%dT%H:%M') as {column}"
    if column.endswith("_at"):
        return f"strftime(rows.{column}, '%Y-%m-%dT%H:%MZ') as {column}"
    if column in ("id", "date") or column.endswith(("_id", "_date")):
        return f"rows.{column}::varchar as {column}"
    if column == "is_warm_up":
        # six thousand times `false` is 25 kB
        return f"rows.{column}::tinyint as {column}"
    return f"rows.{column}"


def _decimals(column: str) -> int:
    return next((places for ending, places in DECIMALS if column.endswith(ending)), MOST_DECIMALS)


def _rounded(value: Any, places: int) -> Any:
    """`value` as short as JSON can have it."""
    if isinstance(value, float):
        rounded = round(value, places)
        return int(rounded) if rounded.is_integer() and abs(rounded) < EXACT else rounded
    return value


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"
