{{ config(materialized='view') }}

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
    from
        exports
    {%- for counted in ['activities', 'files'] %}
left join {{ counted }}
    on
    {% for column in key -%}
        exports.{{ column }} = {{ counted }}.{{ column }}
        {%- if not loop.last %}
        and {% endif %}
    {%- endfor %}
    {%- endfor %}
)

select * from final
