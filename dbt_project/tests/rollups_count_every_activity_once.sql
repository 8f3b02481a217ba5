-- Sums of doubles depend on their order, and those of a day are rounded to the millimetre: hence the tolerance.
with activities as (
    select
        athlete_id,
        count(*) as activities,
        coalesce(sum(distance), 0) as distance_m,
        coalesce(sum(moving_time), 0) as moving_time_s,
        coalesce(sum(total_elevation_gain), 0) as total_elevation_gain_m,
        coalesce(sum(kudos_count), 0) as kudos,
        0.001 * count(*) + 1e-9 * coalesce(sum(abs(distance)), 0) as distance_tolerance_m,
        0.001 * count(*) + 1e-9 * coalesce(sum(abs(total_elevation_gain)), 0) as elevation_tolerance_m
    from {{ ref('activities') }}
    where coalesce(start_date_local, start_date) is not null
    group by athlete_id
),

rollups as (
    {%- for rollup in ('activities_daily', 'activities_weekly', 'activities_monthly', 'activities_yearly') %}
    {% if not loop.first %}union all{% endif %}
    select
        '{{ rollup }}' as rollup_name,
        athlete_id,
        sum(activities) as activities,
        sum(distance_m) as distance_m,
        sum(moving_time_s) as moving_time_s,
        sum(total_elevation_gain_m) as total_elevation_gain_m,
        coalesce(sum(kudos), 0) as kudos
    from {{ ref(rollup) }}
    group by athlete_id
    {%- endfor %}
)

select
    activities.athlete_id,
    rollups.rollup_name
from activities
left join rollups on activities.athlete_id = rollups.athlete_id
where
    rollups.athlete_id is null
    or activities.activities <> rollups.activities
    or activities.moving_time_s <> rollups.moving_time_s
    or activities.kudos <> rollups.kudos
    or abs(activities.distance_m - rollups.distance_m) > activities.distance_tolerance_m
    or abs(activities.total_elevation_gain_m - rollups.total_elevation_gain_m) > activities.elevation_tolerance_m
