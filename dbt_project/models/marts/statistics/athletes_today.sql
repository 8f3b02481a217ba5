{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with athletes as (
    select * from {{ ref('int_athletes__today') }}
),

final as (
    select
        athlete_id,
        today
    from athletes
)

select * from final
