with activities as (
    select * from {{ ref('int_activities__dated') }}
),

details as (
    select id from {{ ref('activity_details') }}
),

final as (
    select
        activities.athlete_id,
        cast(extract(year from activities.activity_date) as integer) as year,
        cast(count(*) as bigint) as activities,
        cast(sum(case when activities.has_route then 1 else 0 end) as bigint) as with_route,
        cast(count(activities.average_heartrate) as bigint) as with_heartrate,
        cast(sum(case when activities.device_watts then 1 else 0 end) as bigint) as with_power,
        cast(count(details.id) as bigint) as with_details,
        {%- for door in ['api', 'export', 'file'] %}
        cast(sum(case when activities.doors like '%{{ door }}%' then 1 else 0 end) as bigint) as by_{{ door }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from activities
    left join details on activities.id = details.id
    group by activities.athlete_id, extract(year from activities.activity_date)
)

select * from final
