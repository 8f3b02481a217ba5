{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with bounds as (
    {{ heart_rate_zones() }}
),

athletes as (
    select * from {{ ref('int_athletes__today') }}
),

final as (
    select
        athletes.athlete_id,
        bounds.zone,
        bounds.lowest_bpm,
        bounds.highest_bpm
    from athletes
    inner join bounds on athletes.athlete_id = bounds.athlete_id
)

select * from final
