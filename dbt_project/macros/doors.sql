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
    Whether an export names another sport than the API. It names the coarser `type`, so a Run is no other sport than a
    TrailRun; where one of the two is not known there is no difference.
#}
{% macro is_other_sport(api, export) -%}
    coalesce(
        coalesce({{ api }}.sport_type, {{ api }}.type) is not null
        and coalesce({{ export }}.sport_type, {{ export }}.type)
        not in (coalesce({{ api }}.sport_type, ''), coalesce({{ api }}.type, ''))
        and coalesce({{ export }}.type, {{ export }}.sport_type)
        not in (coalesce({{ api }}.sport_type, ''), coalesce({{ api }}.type, '')),
        false
    )
{%- endmacro %}

{#
    `type` or `sport_type` out of the CTEs `sent`, `exported` and `recorded`: the API's, unless a newer export names
    another sport. A file may know better than an export which kind of that type it was.
#}
{% macro sport_of(field) -%}
    case
        when exported.fetched_at > sent.fetched_at and {{ is_other_sport('sent', 'exported') }}
            then coalesce(exported.{{ field }}, exported.type)
        when coalesce(sent.sport_type, sent.type) is not null
            then sent.{{ field }}
        {%- if field == 'sport_type' %}
        when exported.sport_type is null and coalesce(exported.type, recorded.type) = recorded.type
            then coalesce(recorded.sport_type, recorded.type)
        else coalesce(exported.sport_type, exported.type, recorded.sport_type, recorded.type)
        {%- else %}
        else coalesce(exported.type, recorded.type)
        {%- endif %}
    end
{%- endmacro %}

{# A field that an athlete edits, out of the same: the newer one's, of the API and the export, where both have one. #}
{% macro newest_edit_of(field) -%}
    {%- set export = "nullif(exported.name, '')" if field == 'name' else 'exported.' ~ field -%}
    case
        when
            exported.fetched_at > sent.fetched_at
            {%- if field == 'gear_id' %}
            and not {{ is_same_gear('sent.gear_id', 'exported.gear_id') }}
            {%- endif %}
            then coalesce({{ export }}, sent.{{ field }}, recorded.{{ field }})
        else coalesce(sent.{{ field }}, exported.{{ field }}, recorded.{{ field }})
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
