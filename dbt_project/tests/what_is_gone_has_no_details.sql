-- Details follow their activity, and a purge erases them too.
select details.id
from {{ ref('activity_details') }} as details
inner join {{ ref('int_activities__buried') }} as buried on details.id = buried.id
where buried.is_gone or details.fetched_at <= buried.purged_at
