-- Details follow their activity, and what a purge has erased is nobody's business any more.
select details.id
from {{ ref('activity_details') }} as details
inner join {{ ref('int_activities__buried') }} as buried on details.id = buried.id
where buried.is_gone or details.fetched_at <= buried.purged_at
