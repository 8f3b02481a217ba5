with ranked as (
    select
        *,
        row_number() over (partition by athlete_id order by fetched_at desc, payload_hash desc) as recency
    from {{ ref('stg_strava__athlete') }}
),

final as (
    select
        athlete_id,
        said.username,
        said.firstname,
        said.lastname,
        said.city,
        said.state,
        said.country,
        said.sex,
        said.weight as weight_kg,
        said.ftp as ftp_w,
        said.measurement_preference,
        coalesce(said.summit, said.premium) as has_subscription,
        said.created_at,
        fetched_at
    from ranked
    where recency = 1
)

select * from final
