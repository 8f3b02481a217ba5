{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with bounds as (
    {{ heart_rate_zones() }}
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
        activities.id as activity_id,
        activities.activity_date,
        activities.sport_group,
        bounds.zone,
        bounds.lowest_bpm,
        bounds.highest_bpm,
        cast(sum(measured.moving_time_s) as double) as moving_time_s,
        measured.source
    from measured
    inner join activities on measured.activity_id = activities.id
    inner join bounds
        on
            activities.athlete_id = bounds.athlete_id
            and measured.average_heartrate >= bounds.lowest_bpm
            -- an average between two beats counts to the lower one
            and (measured.average_heartrate < bounds.highest_bpm + 1 or bounds.highest_bpm is null)
    group by
        activities.athlete_id,
        activities.id,
        activities.activity_date,
        activities.sport_group,
        bounds.zone,
        bounds.lowest_bpm,
        bounds.highest_bpm,
        measured.source
)

select * from final
