{# How what the API, an export and a file say of one activity becomes one row. #}


{#
    Whether two ids of gear are of the same: exports from before 2025 round them as a float of 32 bits does, and say
    nothing of it.
#}
{% macro is_same_gear(one, other) -%}
    coalesce(
        {{ one }} = {{ other }}
        or (
            substr({{ one }}, 1, 1) = substr({{ other }}, 1, 1)
            and abs(
                try_cast(substr({{ one }}, 2) as bigint) - try_cast(substr({{ other }}, 2) as bigint)
            ) <= {{ float32_error('try_cast(substr(' ~ one ~ ', 2) as bigint)') }}
        ),
        false
    )
{%- endmacro %}

{# The furthest that a float of 32 bits may be off: half a unit in its last place, of 24 bits. #}
{% macro float32_error(value) -%}
    abs({{ value }}) / 16777216e0
{%- endmacro %}


{#
    `type` or `sport_type` out of the CTEs `sent`, `exported` and `recorded`. An export names the coarser type, so only
    one that is neither of the API's two is an edit; and a file may know better which kind of that type it was.
#}
{% macro sport_of(field) -%}
    case
        when
            exported.sport is not null and sent.id is not null
            and (
                sent.type is null and sent.sport_type is null
                or (
                    exported.fetched_at > sent.fetched_at
                    and coalesce(exported.type, exported.sport) not in (coalesce(sent.type, ''), coalesce(sent.sport_type, ''))
                    and exported.sport not in (coalesce(sent.type, ''), coalesce(sent.sport_type, ''))
                )
            )
            then exported.{{ field if field == 'type' else 'sport' }}
        when sent.id is not null
            then coalesce(sent.{{ field }}, case when sent.type is null and sent.sport_type is null then recorded.{{ field }} end)
        {%- if field == 'sport_type' %}
        when coalesce(exported.sport_type, exported.type) = exported.type and recorded.type = exported.type
            then coalesce(recorded.sport_type, exported.sport)
        when exported.sport is not null then exported.sport
        else recorded.sport
        {%- else %}
        else coalesce(exported.type, recorded.type)
        {%- endif %}
    end
{%- endmacro %}


{#
    A hook after a merge into `activities`, in its transaction: what neither the API nor a file gives a time zone takes
    that of the activity nearest in time that has one, so that it hangs on all rows there are and on no order of theirs.
    Without any it is left in UTC. The zone counts and not its offset: between the two the clocks may have changed.
#}
{% macro take_time_zones_of_neighbours() %}
merge into {{ this }} as merged
using (
    with placed as (
        select
            id,
            athlete_id,
            start_date,
            timezone,
            utc_offset,
            time_zone_source in ('neighbour', 'utc') as is_lost
        from {{ this }}
        where start_date is not null and utc_offset is not null and time_zone_source is not null
    ),

    lost as (
        select
            id,
            athlete_id,
            start_date
        from placed
        where is_lost
    ),

    -- One for each instant; without anything lost, none at all.
    signposts as (
        select
            athlete_id,
            start_date,
            timezone,
            utc_offset
        from (
            select
                *,
                row_number() over (partition by athlete_id, start_date order by id asc) as place
            from placed
            where not is_lost and athlete_id in (select lost.athlete_id from lost)
        ) as ranked
        where place = 1
    ),

    between_signposts as (
        select
            id,
            athlete_id,
            start_date,
            max(signpost_date) over (
                partition by athlete_id order by start_date asc range between unbounded preceding and current row
            ) as date_before,
            min(signpost_date) over (
                partition by athlete_id order by start_date asc range between current row and unbounded following
            ) as date_after
        from (
            select
                id,
                athlete_id,
                start_date,
                cast(null as timestamp) as signpost_date
            from lost
            union all
            select
                null as id,
                athlete_id,
                start_date,
                start_date as signpost_date
            from signposts
        ) as lined_up
    ),

    nearest as (
        select
            id,
            athlete_id,
            start_date,
            -- Of two as near, the earlier.
            case
                when
                    date_after is null
                    or {{ dbt.datediff('date_before', 'start_date', 'second') }}
                    <= {{ dbt.datediff('start_date', 'date_after', 'second') }}
                    then coalesce(date_before, date_after)
                else date_after
            end as signpost_date
        from between_signposts
        where id is not null
    ),

    local_times as (
        select
            nearest.id,
            nearest.start_date,
            signposts.timezone,
            coalesce(
                {{ local_time('nearest.start_date', zone_name('signposts.timezone')) }},
                {{ dbt.dateadd('second', 'cast(coalesce(signposts.utc_offset, 0) as integer)', 'nearest.start_date') }}
            ) as start_date_local,
            case when signposts.utc_offset is null then 'utc' else 'neighbour' end as time_zone_source
        from nearest
        left join signposts
            on nearest.athlete_id = signposts.athlete_id and nearest.signpost_date = signposts.start_date
    )

    select * from local_times
) as neighbours
on merged.id = neighbours.id
when matched and (
    merged.start_date_local <> neighbours.start_date_local
    or merged.time_zone_source <> neighbours.time_zone_source
    or coalesce(merged.timezone, '') <> coalesce(neighbours.timezone, '')
) then update set
    start_date_local = neighbours.start_date_local,
    timezone = neighbours.timezone,
    utc_offset = {{ dbt.datediff('neighbours.start_date', 'neighbours.start_date_local', 'second') }},
    time_zone_source = neighbours.time_zone_source
{% endmacro %}

{# The name of a zone in Strava's way of writing it, `(GMT+05:45) Asia/Kathmandu`. #}
{% macro zone_name(timezone) -%}
    coalesce(nullif(split_part({{ timezone }}, ') ', 2), ''), {{ timezone }})
{%- endmacro %}
