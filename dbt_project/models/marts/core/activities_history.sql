{{ config(materialized='view') }}

{#- Files are not versions: they do not change. -#}
{%- set doors = {'api': ref('stg_strava__activities'), 'export': ref('stg_strava__export_activities')} -%}

with versions as (
    -- Once each, even if a version landed twice.
    {%- for door, relation in doors.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        versions.id,
        versions.athlete_id,
        '{{ door }}' as door,
        versions.fetched_at,
        versions.payload_hash,
        min(versions.row_id) as row_id
    from {{ relation }} as versions
    left join {{ ref('int_activities__buried') }} as buried on versions.id = buried.id
    where
        versions.id is not null
        and not coalesce(versions.fetched_at <= buried.purged_at, false)
    group by versions.id, versions.athlete_id, versions.fetched_at, versions.payload_hash
    {%- endfor %}
),

events as (
    select
        *,
        0 as is_tombstone
    from versions
    {%- for door in doors %}
    union all
    select
        id,
        athlete_id,
        '{{ door }}' as door,
        noticed_at as fetched_at,
        payload_hash,
        null as row_id,
        1 as is_tombstone
    from {{ ref('stg_strava__tombstones') }}
    {%- endfor %}
),

-- Narrow columns only: payloads are read for the rows, and parsed for the columns, that a query asks for.
lined_up as (
    select
        *,
        lead(fetched_at) over (partition by id, door order by fetched_at, is_tombstone, payload_hash) as valid_to,
        row_number() over (partition by id, is_tombstone order by fetched_at, door, payload_hash) as version,
        lag(row_id) over (partition by id, door, is_tombstone order by fetched_at, payload_hash) as previous_row_id
    from events
),

{#- One for each use: DuckDB materialises a CTE that is read twice, with all payloads of the history. -#}
{%- for payloads in ('payloads', 'previous_payloads') %}
{{ payloads }} as (
    {%- for door, relation in doors.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        '{{ door }}' as door,
        row_id,
        payload
    from {{ relation }}
    {%- endfor %}
),

{% endfor -%}

parsed as (
    select
        lined_up.*,
        {{ members_of_json('versions.payload') }} as members,
        {{ members_of_json('previous.payload') }} as previous_members,
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
                'gear_id': 'string',
                'visibility': 'string',
                'kudos_count': 'bigint',
            }
        ) }} as typed
    from lined_up
    inner join payloads as versions on lined_up.row_id = versions.row_id and lined_up.door = versions.door
    left join previous_payloads as previous
        on lined_up.previous_row_id = previous.row_id and lined_up.door = previous.door
    where lined_up.is_tombstone = 0
),

final as (
    select
        id,
        athlete_id,
        cast(version as bigint) as version,
        fetched_at as valid_from,
        valid_to,
        door,
        case
            when previous_row_id is not null
                then {{ changed_members('previous_members', 'members') }}
        end as changed_fields,
        typed.name,
        typed.type,
        typed.sport_type,
        typed.start_date,
        typed.start_date_local,
        typed.distance,
        typed.moving_time,
        typed.elapsed_time,
        typed.total_elevation_gain,
        typed.gear_id,
        typed.visibility,
        typed.kudos_count,
        payload_hash
    from parsed
)

select * from final
