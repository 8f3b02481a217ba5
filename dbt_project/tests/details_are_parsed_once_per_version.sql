-- Each activity with details has parsed details of the same version; others have none.
select coalesce(details.id, parsed.id) as id
from {{ ref('activity_details') }} as details
full join {{ ref('int_details__parsed') }} as parsed on details.id = parsed.id
where
    details.id is null
    or parsed.id is null
    or details.fetched_at <> parsed.fetched_at
    or details.payload_hash <> parsed.payload_hash
