-- Every activity that was ever seen is in one of the two tables, and in one only.
with seen as (
    {%- for relation in (
        ref('stg_strava__activities'), ref('stg_strava__export_activities'), ref('stg_strava__activity_files')
    ) %}
    {% if not loop.first %}union{% endif %}
    select id
    from {{ relation }}
    where id is not null
    {%- endfor %}
)

select seen.id
from seen
left join {{ ref('activities') }} as activities on seen.id = activities.id
left join {{ ref('deleted_activities') }} as deleted_activities on seen.id = deleted_activities.id
where (activities.id is null) = (deleted_activities.id is null)
