with days as (
    select
        *,
        cast(extract(year from activity_date) as integer) as year
    from {{ ref('int_days__grouped') }}
),

ranked_days as (
    select
        *,
        -- Within a run of days, date and row number grow alike: their difference is constant.
        {{ dbt.datediff("cast('1970-01-01' as date)", 'activity_date', 'day') }} - row_number() over (
            partition by athlete_id, sport_group, year
            order by activity_date asc
        ) as run,
        row_number() over (
            partition by athlete_id, sport_group, year
            order by distance_m desc, activity_date asc
        ) as place
    from days
),

totals as (
    select
        athlete_id,
        year,
        sport_group,
        sum(activities) as activities,
        round(sum(distance_m), 3) as distance_m,
        sum(moving_time_s) as moving_time_s,
        round(sum(total_elevation_gain_m), 3) as total_elevation_gain_m,
        sum(kudos) as kudos,
        count(*) as active_days,
        max(case when place = 1 and distance_m > 0 then activity_date end) as biggest_day_date,
        max(case when place = 1 and distance_m > 0 then distance_m end) as biggest_day_distance_m,
        -- With the longest days first, the number of days that are at least as long as their rank.
        {%- for unit, unit_mm in {'km': 1000000, 'mi': 1609344}.items() %}
        sum(case when round(distance_m * 1000) >= {{ unit_mm }}.0 * place then 1 else 0 end) as eddington_{{ unit }},
        {%- endfor %}
        min(activity_date) as first_activity_date,
        max(activity_date) as last_activity_date
    from ranked_days
    group by athlete_id, year, sport_group
),

runs as (
    select
        athlete_id,
        year,
        sport_group,
        count(*) as length
    from ranked_days
    group by athlete_id, year, sport_group, run
),

streaks as (
    select
        athlete_id,
        year,
        sport_group,
        max(length) as longest_day_streak
    from runs
    group by athlete_id, year, sport_group
),

longest as (
    select * from {{ ref('records') }}
    where record = 'longest_distance'
),

-- The most frequent value, by number of activities, then by time, then the smaller one.
{%- for thing, model in {
    'weekday': ref('weekday_hours'),
    'hour': ref('weekday_hours'),
    'gear_id': ref('int_activities__geared'),
}.items() %}

counted_{{ thing }} as (
    {%- for sport_group in ('sport_group', "'All'") %}
    {% if not loop.first %}union all{% endif %}
    select
        athlete_id,
        {{ 'cast(extract(year from activity_date) as integer)' if thing == 'gear_id' else 'year' }} as year,
        {{ sport_group }} as sport_group,
        {{ thing }} as met,
        {{ 'count(*)' if thing == 'gear_id' else 'sum(activities)' }} as times,
        sum(coalesce(moving_time_s, 0)) as moving_time_s
    from {{ model }}
    where {{ thing }} is not null
    group by
        athlete_id,
        {{ 'cast(extract(year from activity_date) as integer),' if thing == 'gear_id' else 'year,' }}
        {%- if sport_group == 'sport_group' %}
        sport_group,
        {%- endif %}
        {{ thing }}
    {%- endfor %}
),

ranked_{{ thing }} as (
    select
        *,
        row_number() over (
            partition by athlete_id, year, sport_group
            order by times desc, moving_time_s desc, met asc
        ) as place
    from counted_{{ thing }}
),
{%- endfor %}

final as (
    select
        totals.athlete_id,
        totals.year,
        totals.sport_group,
        cast(totals.activities as bigint) as activities,
        cast(totals.distance_m as double) as distance_m,
        cast(totals.moving_time_s as bigint) as moving_time_s,
        cast(totals.total_elevation_gain_m as double) as total_elevation_gain_m,
        cast(totals.kudos as bigint) as kudos,
        cast(totals.active_days as bigint) as active_days,
        longest.value as longest_distance_m,
        longest.activity_id as longest_activity_id,
        longest.activity_name as longest_activity_name,
        totals.biggest_day_date,
        totals.biggest_day_distance_m,
        cast(streaks.longest_day_streak as bigint) as longest_day_streak,
        ranked_weekday.met as favourite_weekday,
        ranked_hour.met as favourite_hour,
        ranked_gear_id.met as most_used_gear_id,
        cast(totals.eddington_km as bigint) as eddington_km,
        cast(totals.eddington_mi as bigint) as eddington_mi,
        totals.first_activity_date,
        totals.last_activity_date
    from totals
    inner join streaks
        on
            totals.athlete_id = streaks.athlete_id
            and totals.year = streaks.year
            and totals.sport_group = streaks.sport_group
    left join longest
        on
            totals.athlete_id = longest.athlete_id
            and totals.year = longest.year
            and totals.sport_group = longest.sport_group
    {%- for thing in ('weekday', 'hour', 'gear_id') %}
    left join ranked_{{ thing }}
        on
            totals.athlete_id = ranked_{{ thing }}.athlete_id
            and totals.year = ranked_{{ thing }}.year
            and totals.sport_group = ranked_{{ thing }}.sport_group
            and ranked_{{ thing }}.place = 1
    {%- endfor %}
)

select * from final
