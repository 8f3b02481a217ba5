{{ config(materialized='view') }}

with settings as (
    select
        max_hr,
        coalesce(rest_hr, 0) as rest_hr
    from {{ ref('stg_strava__athlete_settings') }}
    where max_hr > coalesce(rest_hr, 0)
),

-- Per cent of the reserve above rest; without a rest, of the maximum. In whole beats: what is shown is what counts, and
-- an average between two beats counts to the lower one.
borders as (
    {%- for zone, percent in {1: none, 2: 60, 3: 70, 4: 80, 5: 90}.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        {{ zone }} as zone,
        {% if percent is none %}cast({{ lowest_heart_rate() }} as integer)
        {%- else %}cast(ceil(round(rest_hr + (max_hr - rest_hr) * {{ percent }} / 100, 6)) as integer)
        {%- endif %} as lowest_bpm
    from settings
    {%- endfor %}
),

bounds as (
    select
        zone,
        lowest_bpm,
        lead(lowest_bpm) over (order by zone) as next_bpm
    from borders
),

activities as (
    select * from {{ ref('int_activities__plausibility') }}
    where {{ counts_for('zones') }}
),

timed_splits as (
    select * from {{ ref('splits') }}
    where system = 'metric' and average_heartrate is not null and moving_time_s > 0
),

split_up as (
    select distinct activity_id from timed_splits
),

measured as (
    select
        activity_id,
        average_heartrate,
        moving_time_s,
        'splits' as source
    from timed_splits
    union all
    select
        activities.id as activity_id,
        activities.average_heartrate,
        activities.moving_time_s,
        'average' as source
    from activities
    left join split_up on activities.id = split_up.activity_id
    where split_up.activity_id is null and activities.average_heartrate is not null and activities.moving_time_s > 0
),

final as (
    select
        activities.athlete_id,
        cast({{ dbt.date_trunc('month', 'activities.activity_date') }} as date) as month_start_date,
        activities.sport_group,
        cast(bounds.zone as integer) as zone,
        bounds.lowest_bpm,
        cast(bounds.next_bpm - 1 as integer) as highest_bpm,
        cast(sum(measured.moving_time_s) as double) as moving_time_s,
        measured.source
    from measured
    inner join activities on measured.activity_id = activities.id
    inner join bounds
        on
            measured.average_heartrate >= bounds.lowest_bpm
            and (measured.average_heartrate < bounds.next_bpm or bounds.next_bpm is null)
    group by
        activities.athlete_id,
        {{ dbt.date_trunc('month', 'activities.activity_date') }},
        activities.sport_group,
        bounds.zone,
        bounds.lowest_bpm,
        bounds.next_bpm,
        measured.source
)

select * from final
