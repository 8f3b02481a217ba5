{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='id',
        on_schema_change='append_new_columns',
        pre_hook="{{ add_missing_texts(['doors', 'time_zone_source', 'export_hash', 'file_hash']) }}",
        post_hook=['{{ delete_buried() }}', '{{ take_time_zones_of_neighbours() }}'],
    )
}}

{#- Strava's fields and their types. Strava writes a number as int in one row and as float in the next: only ids,
    counts and seconds are integers here. -#}
{%- set fields = {
    'id_str': 'string',
    'resource_state': 'integer',
    'athlete': {'id': 'bigint', 'resource_state': 'integer'},
    'external_id': 'string',
    'upload_id': 'bigint',
    'upload_id_str': 'string',
    'gear_id': 'string',
    'device_name': 'string',

    'name': 'string',
    'type': 'string',
    'sport_type': 'string',
    'workout_type': 'integer',

    'start_date': 'timestamp',
    'start_date_local': 'timestamp',
    'timezone': 'string',
    'utc_offset': 'double',
    'moving_time': 'bigint',
    'elapsed_time': 'bigint',

    'distance': 'double',
    'total_elevation_gain': 'double',
    'elev_high': 'double',
    'elev_low': 'double',
    'average_speed': 'double',
    'max_speed': 'double',

    'has_heartrate': 'boolean',
    'average_heartrate': 'double',
    'max_heartrate': 'double',
    'heartrate_opt_out': 'boolean',
    'display_hide_heartrate_option': 'boolean',
    'average_cadence': 'double',
    'average_temp': 'double',
    'average_watts': 'double',
    'weighted_average_watts': 'double',
    'max_watts': 'double',
    'kilojoules': 'double',
    'device_watts': 'boolean',
    'suffer_score': 'double',

    'start_latlng': 'array<double>',
    'end_latlng': 'array<double>',
    'start_latitude': 'double',
    'start_longitude': 'double',
    'location_city': 'string',
    'location_state': 'string',
    'location_country': 'string',
    'map': {'id': 'string', 'summary_polyline': 'string', 'resource_state': 'integer'},

    'achievement_count': 'bigint',
    'kudos_count': 'bigint',
    'comment_count': 'bigint',
    'athlete_count': 'bigint',
    'photo_count': 'bigint',
    'total_photo_count': 'bigint',
    'pr_count': 'bigint',
    'has_kudoed': 'boolean',

    'trainer': 'boolean',
    'commute': 'boolean',
    'manual': 'boolean',
    'private': 'boolean',
    'visibility': 'string',
    'hide_from_home': 'boolean',
    'flagged': 'boolean',
    'from_accepted_tag': 'boolean',
} -%}
{#- The fields that a row of an export or an activity's file can have. Only the API has the rest. -#}
{%- set known_elsewhere = [
    'external_id', 'upload_id', 'gear_id', 'device_name', 'name', 'type', 'sport_type', 'workout_type', 'start_date',
    'moving_time', 'elapsed_time', 'distance', 'total_elevation_gain', 'elev_high', 'elev_low', 'average_speed',
    'max_speed', 'has_heartrate', 'average_heartrate', 'max_heartrate', 'average_cadence', 'average_temp',
    'average_watts', 'weighted_average_watts', 'max_watts', 'kilojoules', 'device_watts', 'suffer_score',
    'start_latlng', 'end_latlng', 'map', 'total_photo_count', 'trainer', 'commute', 'manual', 'private', 'visibility',
    'flagged',
] -%}
{#- What an athlete edits, besides the sport. -#}
{%- set edited = ['name', 'commute', 'gear_id'] -%}
{#- No activity has so many metres, seconds or kudos, no upload such an id. Sums of smaller values cannot overflow. -#}
{%- set too_much = '1e15' -%}
{%- set texts = {'id': 'string'} -%}
{%- for field in fields %}{% do texts.update({field: 'string'}) %}{% endfor -%}
{%- set read_elsewhere = {'utc_offset': 'double', 'timezone': 'string', 'time_zone_source': 'string'} -%}
{%- for field in known_elsewhere %}{% do read_elsewhere.update({field: fields[field]}) %}{% endfor -%}
{#- These have seconds with fractions. -#}
{%- do read_elsewhere.update({'moving_time': 'double', 'elapsed_time': 'double'}) -%}
{%- set doors = {'exported': ref('stg_strava__export_activities'), 'recorded': ref('stg_strava__activity_files')} -%}

with
{%- if is_incremental() %}
{%- for door, versions in doors.items() %}
{%- set hash = 'export_hash' if door == 'exported' else 'file_hash' %}

newest_{{ door }} as (
    {{ newest_of_live(versions) }}
),

read_{{ door }} as (
    select
        newest.id,
        versions.athlete_id,
        {{ dbt.hash('versions.payload') }} as {{ hash }}
    from newest_{{ door }} as newest
    inner join {{ versions }} as versions on newest.row_id = versions.row_id
),

merged_{{ door }} as (
    select
        id,
        athlete_id,
        doors,
        {{ hash }}
    from {{ this }}
    where {{ hash }} is not null
),

-- Any other reading, not only a newer one: a reader may have improved since, and a purge erases.
changed_{{ door }} as (
    select coalesce(read_{{ door }}.id, merged_{{ door }}.id) as id
    from read_{{ door }}
    full join merged_{{ door }} on read_{{ door }}.id = merged_{{ door }}.id
    where
        coalesce(read_{{ door }}.{{ hash }}, '') <> coalesce(merged_{{ door }}.{{ hash }}, '')
        {%- if door == 'recorded' %}
        -- Files may come before their athlete is known.
        or (merged_recorded.doors = 'file' and read_recorded.athlete_id <> merged_recorded.athlete_id)
        {%- endif %}
),
{%- endfor %}

changed as (
    select versions.id
    from {{ ref('stg_strava__activities') }} as versions
    left join {{ ref('int_activities__buried') }} as buried on versions.id = buried.id
    left join {{ this }} as merged on versions.id = merged.id
    where
        versions.id is not null
        and not coalesce(buried.is_gone or versions.fetched_at <= buried.purged_at, false)
        and (
            -- Neither in the table nor known by the API; the API's door comes first.
            coalesce(substr(merged.doors, 1, 3), '') <> 'api'
            or versions.fetched_at > merged.fetched_at
            or (versions.fetched_at = merged.fetched_at and versions.payload_hash > merged.payload_hash)
        )
    union
    select id from changed_exported
    union
    select id from changed_recorded
    union
    -- The versions of which the row is made were purged, but another door may still know the activity.
    select merged.id
    from {{ this }} as merged
    inner join {{ ref('int_activities__buried') }} as buried on merged.id = buried.id
    where merged.fetched_at <= buried.purged_at
),
{%- endif %}
{%- set among = 'changed' if is_incremental() else none %}

to_merge as (
    {{ newest_of_live(ref('stg_strava__activities'), among) }}
),

parsed as (
    select
        versions.id,
        versions.athlete_id,
        versions.fetched_at,
        versions.payload_hash,
        {{ parse_json('versions.payload', fields) }} as typed,
        {{ parse_json('versions.payload', texts) }} as sent_as
    -- The view, not a CTE of it: DuckDB materialises a CTE that is read twice, with all payloads of the history.
    from {{ ref('stg_strava__activities') }} as versions
    inner join to_merge on versions.row_id = to_merge.row_id
),

fitted as (
    select
        id,
        athlete_id,
        fetched_at,
        payload_hash,
        sent_as,
        {%- for field, type in fields.items() %}
        {%- if type in ('integer', 'bigint') %}
        {#- Engines round 12.7 to an integer: that is another number, so it does not fit. #}
        case
            when typed.{{ field }} = try_cast(sent_as.{{ field }} as double) and abs(typed.{{ field }}) < {{ too_much }}
                then typed.{{ field }}
        end as {{ field }}
        {%- elif type == 'double' %}
        case when abs(typed.{{ field }}) < {{ too_much }} then typed.{{ field }} end as {{ field }}
        {%- elif type is mapping %}
        case when substr(sent_as.{{ field }}, 1, 1) = '{' then typed.{{ field }} end as {{ field }}
        {%- else %}
        typed.{{ field }}
        {%- endif %}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from parsed
),

sent as (
    select
        *,
        nullif(concat_ws(
            ', ',
            case when sent_as.id is null then 'payload' end
            {%- for field in fields %},
            case when {{ field }} is null and sent_as.{{ field }} is not null then '{{ field }}' end
            {%- endfor %}
        ), '') as misfit_fields
    from fitted
),
{%- for door, versions in doors.items() %}

{{ door }}_to_merge as (
    {{ newest_of_live(versions, among) }}
),

{{ door }}_parsed as (
    select
        versions.id,
        versions.athlete_id,
        versions.fetched_at,
        versions.payload_hash,
        {{ dbt.hash('versions.payload') }} as reading_hash,
        {{ parse_json('versions.payload', read_elsewhere) }} as typed
    from {{ versions }} as versions
    inner join {{ door }}_to_merge as to_merge on versions.row_id = to_merge.row_id
),

{{ door }} as (
    select
        id,
        athlete_id,
        fetched_at,
        payload_hash,
        {%- for field, type in read_elsewhere.items() %}
        {%- if field == 'utc_offset' %}
        -- No place on Earth is further from UTC: the clock failed.
        case when typed.utc_offset between -43200 and 50400 then typed.utc_offset end as utc_offset,
        {%- elif fields[field] == 'bigint' %}
        case
            when abs(typed.{{ field }}) < {{ too_much }} then cast(round(typed.{{ field }}) as bigint)
        end as {{ field }},
        {%- elif type == 'double' %}
        case when abs(typed.{{ field }}) < {{ too_much }} then typed.{{ field }} end as {{ field }},
        {%- else %}
        typed.{{ field }},
        {%- endif %}
        {%- endfor %}
        reading_hash
    from {{ door }}_parsed
),
{%- endfor %}

known as (
    select id from sent
    union
    select id from exported
    union
    select id from recorded
),

-- By field, the API's value, otherwise the newest export's, otherwise the file's.
joined as (
    select
        known.id,
        {%- for column in ('athlete_id', 'fetched_at', 'payload_hash') %}
        coalesce(sent.{{ column }}, exported.{{ column }}, recorded.{{ column }}) as {{ column }},
        {%- endfor %}
        {%- for field in fields %}
        {%- if field in ('type', 'sport_type') %}
        {{ sport_of(field) }} as {{ field }},
        {%- elif field in edited %}
        {{ newest_edit_of(field) }} as {{ field }},
        {%- elif field in known_elsewhere %}
        coalesce(sent.{{ field }}, exported.{{ field }}, recorded.{{ field }}) as {{ field }},
        {%- else %}
        sent.{{ field }},
        {%- endif %}
        {%- endfor %}
        recorded.utc_offset as recorded_utc_offset,
        recorded.timezone as recorded_timezone,
        coalesce(recorded.time_zone_source, 'file') as recorded_time_zone_source,
        sent.id is not null as is_sent,
        sent.misfit_fields,
        concat_ws(
            ', ',
            case when sent.id is not null then 'api' end,
            case when exported.id is not null then 'export' end,
            case when recorded.id is not null then 'file' end
        ) as doors,
        exported.reading_hash as export_hash,
        recorded.reading_hash as file_hash
    from known
    left join sent on known.id = sent.id
    left join exported on known.id = exported.id
    left join recorded on known.id = recorded.id
),

-- Local time and its zone belong together: they come from one source, never from two.
located as (
    select
        *,
        case
            when start_date_local is not null then 'api'
            when start_date is not null and recorded_utc_offset is not null then recorded_time_zone_source
            when start_date is not null and not is_sent then 'utc'
        end as time_zone_source
    from joined
),

final as (
    select
        id,
        athlete_id,
        {%- for field in fields %}
        {%- if field == 'start_date_local' %}
        case
            when coalesce(time_zone_source, 'api') = 'api' then start_date_local
            else {{ dbt.dateadd('second', 'cast(coalesce(recorded_utc_offset, 0) as integer)', 'start_date') }}
        end as start_date_local,
        {%- elif field == 'timezone' %}
        case when coalesce(time_zone_source, 'api') = 'api' then timezone else recorded_timezone end as timezone,
        {%- elif field == 'utc_offset' %}
        case
            when coalesce(time_zone_source, 'api') = 'api' then utc_offset
            else coalesce(recorded_utc_offset, 0)
        end as utc_offset,
        {%- else %}
        {{ field }},
        {%- endif %}
        {%- endfor %}
        fetched_at,
        payload_hash,
        misfit_fields,
        doors,
        time_zone_source,
        export_hash,
        file_hash
    from located
)

select * from final
