with ranked as (
    select
        *,
        row_number() over (partition by athlete_id order by fetched_at desc, payload_hash desc) as recency
    from {{ ref('stg_strava__athlete_zones') }}
),

newest as (
    select
        athlete_id,
        fetched_at,
        said.heart_rate.custom_zones as is_custom,
        said.heart_rate.zones as heart_rate,
        said.power.zones as power
    from ranked
    where recency = 1
),

heart_rate as (
    {{ elements_of('newest', 'heart_rate', ['athlete_id', 'fetched_at', 'is_custom']) }}
),

power as (
    {{ elements_of('newest', 'power', ['athlete_id', 'fetched_at']) }}
),

final as (
    select
        athlete_id,
        'heart_rate' as kind,
        position as zone,
        item.min as lowest,
        -- Strava sends -1 if the last zone has no upper bound.
        nullif(item.max, -1) as highest,
        is_custom,
        fetched_at
    from heart_rate
    union all
    select
        athlete_id,
        'power' as kind,
        position as zone,
        item.min as lowest,
        nullif(item.max, -1) as highest,
        cast(null as boolean) as is_custom,
        fetched_at
    from power
)

select * from final
