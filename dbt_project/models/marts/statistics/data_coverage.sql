with activities as (
    select * from {{ ref('activities') }}
),

details as (
    select id from {{ ref('activity_details') }}
),

final as (
    select
        activities.athlete_id,
        cast(count(*) as bigint) as activities,
        cast(sum(case when activities.map.summary_polyline <> '' then 1 else 0 end) as bigint) as with_route,
        cast(count({{ heart_rate('activities.average_heartrate') }}) as bigint) as with_heartrate,
        cast(sum(case when activities.device_watts then 1 else 0 end) as bigint) as with_power,
        cast(count(details.id) as bigint) as with_details,
        cast(sum(
            case when coalesce(activities.start_date_local, activities.start_date) is null then 1 else 0 end
        ) as bigint) as without_date,
        cast(min(coalesce(activities.start_date_local, activities.start_date)) as date) as first_activity_date,
        cast(max(coalesce(activities.start_date_local, activities.start_date)) as date) as last_activity_date,
        cast(count(activities.misfit_fields) as bigint) as misfits,
        cast(sum(case when activities.doors like 'api%' then 0 else 1 end) as bigint) as without_api,
        cast(sum(
            case when activities.time_zone_source in ('neighbour', 'utc') then 1 else 0 end
        ) as bigint) as without_time_zone
    from activities
    left join details on activities.id = details.id
    group by activities.athlete_id
)

select * from final
