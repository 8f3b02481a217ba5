with gone as (
    select
        *,
        coalesce(purged_at >= noticed_at, false) as purged
    from {{ ref('int_activities__buried') }}
    where is_gone
),

last_versions as (
    select row_id
    from (
        select
            versions.row_id,
            row_number() over (
                partition by versions.id
                order by versions.fetched_at desc, versions.payload_hash desc
            ) as recency
        from {{ ref('stg_strava__activities') }} as versions
        inner join gone on versions.id = gone.id
        where not gone.purged
    ) as ranked
    where recency = 1
),

last_known as (
    select
        versions.id,
        versions.fetched_at,
        {{ as_json('versions.payload') }} as payload,
        {{ parse_json(
            'versions.payload',
            {
                'name': 'string',
                'type': 'string',
                'sport_type': 'string',
                'start_date': 'timestamp',
                'start_date_local': 'timestamp',
                'distance': 'double',
                'moving_time': 'bigint',
                'elapsed_time': 'bigint',
                'total_elevation_gain': 'double',
            }
        ) }} as typed
    -- The view, not a CTE of it: only the payloads of these rows are read.
    from {{ ref('stg_strava__activities') }} as versions
    inner join last_versions on versions.row_id = last_versions.row_id
),

final as (
    select
        gone.id,
        gone.athlete_id,
        gone.noticed_at,
        gone.reason,
        gone.noticed_by,
        gone.purged,
        last_known.typed.name,
        last_known.typed.type,
        last_known.typed.sport_type,
        last_known.typed.start_date,
        last_known.typed.start_date_local,
        last_known.typed.distance,
        last_known.typed.moving_time,
        last_known.typed.elapsed_time,
        last_known.typed.total_elevation_gain,
        last_known.fetched_at,
        last_known.payload
    from gone
    left join last_known on gone.id = last_known.id
)

select * from final
