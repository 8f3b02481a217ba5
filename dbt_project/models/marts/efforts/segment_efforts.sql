{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with unnested as (
    {{ elements_of(ref('int_details__parsed'), 'segment_efforts', ['id', 'athlete_id']) }}
),

activities as (
    select
        *,
        {{ counts_for('segment_efforts') }} as counts
    from {{ ref('int_activities__plausibility') }}
),

efforts as (
    select
        unnested.athlete_id,
        unnested.id as activity_id,
        unnested.item.id as effort_id,
        unnested.item.segment.id as segment_id,
        coalesce(unnested.item.segment.name, unnested.item.name) as segment_name,
        unnested.item.start_date_local,
        unnested.item.distance as distance_m,
        unnested.item.moving_time as moving_time_s,
        unnested.item.elapsed_time as elapsed_time_s,
        {{ heart_rate('unnested.item.average_heartrate') }} as average_heartrate,
        unnested.item.average_watts,
        unnested.item.pr_rank,
        unnested.item.kom_rank,
        coalesce(unnested.item.hidden, false) as hidden,
        unnested.item.segment.id is not null
        and coalesce(unnested.item.elapsed_time > 0, false)
        and coalesce(activities.counts, true)
        and not {{ is_effort_too_fast('activities.way', 'unnested.item.distance', 'unnested.item.elapsed_time') }}
        and not {{ is_effort_too_long('unnested.item.distance', 'activities.distance_m') }} as is_ranked
    from unnested
    left join activities on unnested.id = activities.id
    where unnested.item.id is not null
),

final as (
    select
        athlete_id,
        activity_id,
        effort_id,
        segment_id,
        segment_name,
        start_date_local,
        distance_m,
        moving_time_s,
        elapsed_time_s,
        average_heartrate,
        average_watts,
        pr_rank,
        kom_rank,
        hidden,
        case when is_ranked then cast(row_number() over (
            partition by athlete_id, segment_id, is_ranked
            order by elapsed_time_s, start_date_local, effort_id
        ) as bigint) end as rank_own
    from efforts
)

select * from final
