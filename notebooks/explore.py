# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore your history
#
# Five questions to `strava.*`, to be changed as you like. The warehouse is only read; it is the one of `STRAVA_HOME`
# and `STRAVA_WAREHOUSE`, else that of this repository. What the tables contain: docs/reference/tables.md.

# %%
import os
from pathlib import Path

import duckdb

try:
    repo = Path(__file__).resolve().parent.parent
except NameError:
    # in Jupyter, which works in the notebook's folder
    repo = Path.cwd().parent
home = repo / os.environ.get("STRAVA_HOME", "")
file = home / os.environ.get("STRAVA_WAREHOUSE", "warehouse/strava.duckdb")
if not file.is_file():
    raise SystemExit(f"There is no warehouse at {file}. Run `make flow`, or set STRAVA_HOME=demo after `make demo`.")
warehouse = duckdb.connect(str(file), read_only=True)
warehouse.sql("select min(activity_date) as first, max(activity_date) as last from strava.activities_daily").show()

# %% [markdown]
# ## 1. How far, year by year?
#
# Each sport in kilometres, with how much of the year before that is at the same day of the year.

# %%
warehouse.sql(
    """
    with so_far as (
        select year(activity_date) as year, sport_type, sum(distance_m) / 1000 as km
        from strava.activities_daily
        where dayofyear(activity_date) <= (select dayofyear(max(activity_date)) from strava.activities_daily)
        group by all
    )
    select
        year, sport_type, round(km) as km,
        round(100 * km / nullif(lag(km) over (partition by sport_type order by year), 0)) as percent_of_year_before
    from so_far
    qualify sum(km) over (partition by sport_type) > 0
    order by year desc, km desc
    """
).show(max_rows=30)

# %% [markdown]
# ## 2. Do you get further with each heartbeat?
#
# Metres per heartbeat on foot, by quarter: the same pace at a lower pulse shows here long before it shows in a race.

# %%
warehouse.sql(
    """
    select
        cast(date_trunc('quarter', start_date_local) as date) as quarter,
        count(*) as runs,
        round(sum(distance) / sum(moving_time * average_heartrate / 60), 3) as metres_per_heartbeat,
        round(avg(average_heartrate)) as average_heartrate
    from strava.activities
    where sport_type in ('Run', 'TrailRun') and average_heartrate between 20 and 250 and moving_time > 600
    group by all
    order by quarter desc
    """
).show(max_rows=30)

# %% [markdown]
# ## 3. How ready are you?
#
# Fitness, fatigue and form at the end of each of the last twelve weeks. Without your heart rates or FTP in the
# settings, or without heart rate and power in the activities, there is no training load: `coverage` says how much
# of the time has one.

# %%
warehouse.sql(
    """
    select
        date_trunc('week', date)::date as week,
        round(sum(load)) as load,
        round(sum(moving_time_with_load_s) / nullif(sum(moving_time_s), 0), 2) as coverage,
        round(last(fitness order by date), 1) as fitness,
        round(last(fatigue order by date), 1) as fatigue,
        round(last(form order by date), 1) as form
    from strava.training_load_daily
    group by all
    order by week desc
    limit 12
    """
).show(max_rows=30)

# %% [markdown]
# ## 4. When did you beat yourself?
#
# Every effort that was the fastest until then, from the details that have been fetched.

# %%
warehouse.sql(
    """
    select effort, activity_date, to_seconds(elapsed_time_s) as time, activity_name
    from strava.best_efforts
    qualify elapsed_time_s < coalesce(
        min(elapsed_time_s) over (
            partition by athlete_id, sport_group, effort
            order by activity_date, activity_id rows between unbounded preceding and 1 preceding
        ), 1e9
    )
    order by distance_m, activity_date
    """
).show(max_rows=40)

# %% [markdown]
# ## 5. How does a usual week go?
#
# Hours by weekday and part of the day, over all years.

# %%
warehouse.sql(
    """
    pivot (
        select
            weekday,
            case when hour < 10 then '1 morning' when hour < 14 then '2 noon'
                when hour < 18 then '3 afternoon' else '4 evening' end as part_of_day,
            round(moving_time_s / 3600, 1) as hours
        from strava.weekday_hours
        where sport_group <> 'All'
    )
    on part_of_day using round(sum(hours)) group by weekday order by weekday
    """
).show()
