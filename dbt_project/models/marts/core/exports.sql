{{ config(materialized='table' if target.type == 'spark' else 'view') }}

{%- set key = ['athlete_id', 'exported_at', 'imported_at'] -%}

with exports as (
    select * from {{ ref('stg_strava__exports') }}
),

activities as (
    select
        {{ key | join(', ') }},
        count(*) as activities
    from (
        {{ elements_of('exports', 'activity_ids', key) }}
    ) as rows_of_exports
    group by {{ key | join(', ') }}
),

files as (
    select
        {{ key | join(', ') }},
        count(*) as files
    from (
        {{ elements_of('exports', 'files', key) }}
    ) as files_of_exports
    group by {{ key | join(', ') }}
),

final as (
    select
        exports.athlete_id,
        exports.exported_at,
        exports.imported_at,
        cast(coalesce(activities.activities, 0) as bigint) as activities,
        cast(coalesce(files.files, 0) as bigint) as files
    from exports
    left join activities
        on
            exports.athlete_id = activities.athlete_id
            and exports.exported_at = activities.exported_at
            and exports.imported_at = activities.imported_at
    left join files
        on
            exports.athlete_id = files.athlete_id
            and exports.exported_at = files.exported_at
            and exports.imported_at = files.imported_at
)

select * from final
