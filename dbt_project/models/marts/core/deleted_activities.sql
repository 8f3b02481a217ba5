{%- set doors = {
    'api': ref('stg_strava__activities'),
    'export': ref('stg_strava__export_activities'),
    'file': ref('stg_strava__activity_files'),
} -%}

with gone as (
    select
        *,
        coalesce(purged_at >= noticed_at, false) as purged
    from {{ ref('int_activities__buried') }}
    -- An activity that was known by a file first, and then by Strava, has Strava's id.
    where is_gone and coalesce(reason, '') <> 'superseded'
),

-- The API's version if it knew the activity, as in `activities`.
last_versions as (
    select
        door,
        row_id
    from (
        select
            *,
            row_number() over (partition by id order by door asc, fetched_at desc, payload_hash desc) as recency
        from (
            {%- for door, relation in doors.items() %}
            {% if not loop.first %}union all{% endif %}
            select
                '{{ door }}' as door,
                versions.row_id,
                versions.id,
                versions.fetched_at,
                versions.payload_hash
            from {{ relation }} as versions
            inner join gone on versions.id = gone.id
            where not gone.purged and not coalesce(versions.fetched_at <= gone.purged_at, false)
            {%- endfor %}
        ) as versions
    ) as ranked
    where recency = 1
),

last_known as (
    {%- for door, relation in doors.items() %}
    {% if not loop.first %}union all{% endif %}
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
    from {{ relation }} as versions
    inner join last_versions on versions.row_id = last_versions.row_id and last_versions.door = '{{ door }}'
    {%- endfor %}
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
