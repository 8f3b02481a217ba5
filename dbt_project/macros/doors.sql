{# How API, export and file become one row per activity. #}


{#
    Whether two ids of gear mean the same piece: exports from before 2025 silently round them to a 32-bit float.
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

{# The largest error of a 32-bit float: half a unit in the last of its 24 bits. #}
{% macro float32_error(value) -%}
    abs({{ value }}) / 16777216e0
{%- endmacro %}


{#
    Whether an export names another sport than the API. It names the coarser `type`, so a Run is not another sport than
    a TrailRun; an unknown sport is no difference.
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
    `type` or `sport_type` from the CTEs `sent`, `exported` and `recorded`: the API's, unless a newer export names
    another sport. A file may know better than an export which sport type of that type it was.
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

{# A field that an athlete edits, from the same CTEs: the newer of API and export, if both have a value. #}
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
    A hook after a merge into `activities`, in its transaction: an activity without a time zone from the API or a file
    takes that of the activity nearest in time that has one, so it depends on all rows and not on their order. Without
    any, it stays in UTC. It takes the zone and not its offset, because the clocks may have changed between the two.
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

    -- One for each instant; none at all if no activity lacks a zone.
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
                cast(null as {{ dbt.type_timestamp() }}) as signpost_date
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
            -- Of two equally near ones, the earlier.
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

{# The name of a zone as Strava writes it, `(GMT+05:45) Asia/Kathmandu`. #}
{% macro zone_name(timezone) -%}
    coalesce(nullif(split_part({{ timezone }}, ') ', 2), ''), {{ timezone }})
{%- endmacro %}
