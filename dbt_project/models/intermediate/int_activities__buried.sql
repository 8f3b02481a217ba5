with tombstones as (
    select
        *,
        max(noticed_at) over (partition by id) as buried_at,
        max(case when purged then noticed_at end) over (partition by id) as purged_at,
        -- A purge repeats a tombstone: the newest other one has the time and the reason.
        row_number() over (partition by id order by purged asc, noticed_at desc, payload_hash desc) as recency
    from {{ ref('stg_strava__tombstones') }}
    where id is not null
),

newest as (
    select * from tombstones
    where recency = 1
),

{#- An activity's versions, and what counts instead if none is left. -#}
{%- for kind, relations in {
    'versions': [ref('stg_strava__activities'), ref('stg_strava__export_activities')],
    'stand_ins': [ref('stg_strava__activity_details'), ref('stg_strava__activity_files')],
}.items() %}

{{ kind }} as (
    select
        id,
        max(seen_at) as seen_at
    from (
        {%- for relation in relations %}
        {% if not loop.first %}union all{% endif %}
        select
            seen.id,
            max(seen.fetched_at) as seen_at
        from {{ relation }} as seen
        inner join newest on seen.id = newest.id
        group by seen.id
        {%- endfor %}
    ) as seen_by_door
    group by id
),
{%- endfor %}

seen as (
    select
        newest.id,
        -- Details and files do not count as versions, unless they are all that is known of an activity.
        coalesce(versions.seen_at, stand_ins.seen_at) as seen_at
    from newest
    left join versions on newest.id = versions.id
    left join stand_ins on newest.id = stand_ins.id
),

final as (
    select
        newest.id,
        newest.athlete_id,
        newest.noticed_at,
        newest.reason,
        newest.noticed_by,
        newest.purged_at,
        seen.seen_at is null or seen.seen_at <= newest.buried_at as is_gone
    from newest
    left join seen on newest.id = seen.id
)

select * from final
