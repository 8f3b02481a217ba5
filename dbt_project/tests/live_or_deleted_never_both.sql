-- Every activity that was ever seen is in one of the two tables, and in one only.
with seen as (
    select distinct id
    from {{ ref('stg_strava__activities') }}
    where id is not null
)

select seen.id
from seen
left join {{ ref('activities') }} as activities on seen.id = activities.id
left join {{ ref('deleted_activities') }} as deleted_activities on seen.id = deleted_activities.id
where (activities.id is null) = (deleted_activities.id is null)
