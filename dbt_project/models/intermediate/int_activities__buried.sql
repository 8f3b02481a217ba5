with tombstones as (
    select
        *,
        max(noticed_at) over (partition by id) as buried_at,
        max(case when purged then noticed_at end) over (partition by id) as purged_at,
        -- A purge repeats the tombstone it follows: when and why is what the newest other one says.
        row_number() over (partition by id order by purged asc, noticed_at desc, payload_hash desc) as recency
    from {{ ref('stg_strava__tombstones') }}
    where id is not null
),

newest as (
    select * from tombstones
    where recency = 1
),

summaries as (
    select
        versions.id,
        max(versions.fetched_at) as seen_at
    from {{ ref('stg_strava__activities') }} as versions
    inner join newest on versions.id = newest.id
    group by versions.id
),

details as (
    select
        versions.id,
        max(versions.fetched_at) as seen_at
    from {{ ref('stg_strava__activity_details') }} as versions
    inner join newest on versions.id = newest.id
    group by versions.id
),

seen as (
    select
        newest.id,
        -- Details are no versions of an activity, unless they are all that is known of it.
        coalesce(summaries.seen_at, details.seen_at) as seen_at
    from newest
    left join summaries on newest.id = summaries.id
    left join details on newest.id = details.id
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
