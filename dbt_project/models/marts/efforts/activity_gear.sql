{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with geared as (
    select * from {{ ref('int_activities__geared') }}
),

final as (
    select
        athlete_id,
        id as activity_id,
        gear_id
    from geared
)

select * from final
