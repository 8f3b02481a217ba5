-- Pulled from one account, but by another athlete: two token files may have been mixed up.
{{ config(severity='warn') }}

select
    id,
    athlete_id,
    athlete
from {{ ref('activities') }}
where athlete.id <> athlete_id
