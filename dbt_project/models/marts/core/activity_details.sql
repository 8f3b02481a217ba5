{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='id',
        on_schema_change='append_new_columns',
        post_hook='{{ delete_buried() }}',
    )
}}

with to_merge as (
    {{ newest_versions(ref('stg_strava__activity_details')) }}
),

final as (
    select
        versions.id,
        versions.athlete_id,
        {{ as_json('versions.payload') }} as json,
        versions.fetched_at,
        versions.payload_hash
    -- The view, not a CTE of it: DuckDB materialises a CTE that is read twice, with all payloads of the history.
    from {{ ref('stg_strava__activity_details') }} as versions
    inner join to_merge on versions.row_id = to_merge.row_id
)

select * from final
