with activities as (
    select * from {{ ref('activities') }}
),

ranked as (
    select
        athlete_id,
        -- No place on Earth is further from UTC: a larger value is not an offset.
        case when utc_offset between -43200 and 50400 then utc_offset else 0 end as utc_offset_s,
        row_number() over (partition by athlete_id order by start_date desc nulls last, id desc) as recency
    from activities
),

final as (
    select
        athlete_id,
        cast({{ dbt.dateadd('second', 'cast(utc_offset_s as integer)', utc_now()) }} as date) as today
    from ranked
    where recency = 1
)

select * from final
