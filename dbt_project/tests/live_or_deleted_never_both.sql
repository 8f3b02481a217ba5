-- Every activity that was ever seen is in exactly one of the two tables, except those that were known by a file alone
-- until Strava's own version came, which are in neither.
with seen as (
    {%- for relation in (
        ref('stg_strava__activities'), ref('stg_strava__export_activities'), ref('stg_strava__activity_files')
    ) %}
    {% if not loop.first %}union{% endif %}
    select id
    from {{ relation }}
    where id is not null
    {%- endfor %}
),

superseded as (
    select distinct id
    from {{ ref('stg_strava__tombstones') }}
    where reason = 'superseded'
)

select seen.id
from seen
left join {{ ref('activities') }} as activities on seen.id = activities.id
left join {{ ref('deleted_activities') }} as deleted_activities on seen.id = deleted_activities.id
left join superseded on seen.id = superseded.id
where
    case when activities.id is null then 0 else 1 end
    + case when deleted_activities.id is null then 0 else 1 end
    + case when superseded.id is null then 0 else 1 end
    <> 1
