with exported as (
    select
        activity_id,
        gear_name,
        exported_at
    from {{ ref('export_details') }}
    where gear_name <> ''
),

activities as (
    select
        dated.id,
        dated.athlete_id,
        dated.gear_id,
        dated.activity_date,
        dated.start_date,
        dated.sport_group,
        dated.distance_m,
        dated.moving_time_s,
        dated.total_elevation_gain_m,
        coalesce(dated.doors like 'api%', false) as is_sent,
        exported.gear_name,
        exported.exported_at
    from {{ ref('int_activities__dated') }} as dated
    left join exported on dated.id = exported.activity_id
    where dated.gear_id is not null or exported.gear_name is not null
),

-- The id to use for gear that exports name. The API's ids are exact, and those of newer rows more often.
named as (
    select
        athlete_id,
        gear_name,
        gear_id
    from (
        select
            athlete_id,
            gear_name,
            gear_id,
            row_number() over (
                partition by athlete_id, gear_name order by is_sent desc, start_date desc nulls last, id desc
            ) as place
        from activities
        where gear_id is not null and gear_name is not null
    ) as ranked
    where place = 1
),

resolved as (
    select
        activities.*,
        -- Exports from before 2025 round ids, so one pair of shoes may have two: the name identifies it.
        case
            when activities.is_sent then activities.gear_id
            when activities.gear_id is null then coalesce(named.gear_id, 'name:' || activities.gear_name)
            when {{ is_same_gear('activities.gear_id', 'named.gear_id') }} then named.gear_id
            else activities.gear_id
        end as exact_gear_id
    from activities
    left join named on activities.athlete_id = named.athlete_id and activities.gear_name = named.gear_name
),

final as (
    select
        id,
        athlete_id,
        exact_gear_id as gear_id,
        gear_name,
        exported_at,
        activity_date,
        start_date,
        sport_group,
        distance_m,
        moving_time_s,
        total_elevation_gain_m
    from resolved
    where exact_gear_id is not null
)

select * from final
