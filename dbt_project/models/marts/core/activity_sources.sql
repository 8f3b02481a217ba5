{{ config(materialized='table' if target.type == 'spark' else 'view') }}

{%- set doors = {
    'api': ref('stg_strava__activities'),
    'export': ref('stg_strava__export_activities'),
    'file': ref('stg_strava__activity_files'),
} -%}

with activities as (
    select
        activities.id,
        activities.athlete_id,
        buried.purged_at
    from {{ ref('activities') }} as activities
    left join {{ ref('int_activities__buried') }} as buried on activities.id = buried.id
),

exports as (
    select * from {{ ref('stg_strava__exports') }}
),

-- An export contains all activities, but a row lands only if it is new: both are needed.
listed as (
    select
        item as id,
        'export' as door,
        exported_at
    from (
        {{ elements_of('exports', 'activity_ids', ['exported_at']) }}
    ) as rows_of_exports
    union all
    select
        item.activity_id as id,
        'file' as door,
        exported_at
    from (
        {{ elements_of('exports', 'files', ['exported_at']) }}
    ) as files_of_exports
),

seen as (
    {%- for door, relation in doors.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        id,
        '{{ door }}' as door,
        fetched_at as seen_at,
        payload_hash
    from {{ relation }}
    {%- endfor %}
    union all
    select
        id,
        door,
        exported_at as seen_at,
        null as payload_hash
    from listed
),

final as (
    select
        activities.id as activity_id,
        activities.athlete_id,
        seen.door,
        min(seen.seen_at) as first_seen_at,
        max(seen.seen_at) as last_seen_at,
        cast(count(distinct seen.payload_hash) as bigint) as versions
    from activities
    inner join seen on activities.id = seen.id
    where not coalesce(seen.seen_at <= activities.purged_at, false)
    group by activities.id, activities.athlete_id, seen.door
    -- An activity that an export only lists, because its row could not be read, is not known through it.
    having count(seen.payload_hash) > 0
)

select * from final
