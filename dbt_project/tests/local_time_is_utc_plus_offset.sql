-- This was true for all real activities seen. If it is not, check the local dates of the rollups.
{{ config(severity='warn') }}

select
    id,
    start_date,
    utc_offset,
    start_date_local
from {{ ref('activities') }}
where start_date_local <> {{ dbt.dateadd('second', 'try_cast(utc_offset as integer)', 'start_date') }}
