{%- set fields = compared_fields() -%}
{%- set edited = ['name', 'sport_type', 'commute', 'gear_id'] -%}
{%- set kinds = {'number': 'double', 'instant': 'timestamp'} -%}
{%- set types = {'type': 'string'} -%}
{%- for field, compared in fields.items() %}{% do types.update({field: kinds.get(compared.as, 'string')}) %}{% endfor -%}
{%- set doors = {
    'api': ref('stg_strava__activities'),
    'export': ref('stg_strava__export_activities'),
    'file': ref('stg_strava__activity_files'),
} -%}

with several as (
    select
        id,
        athlete_id
    from {{ ref('activities') }}
    where doors not in ('api', 'export', 'file')
),
{%- for door, relation in doors.items() %}

newest_{{ door }} as (
    {{ newest_of_live(relation, 'several') }}
),

of_{{ door }} as (
    select
        versions.id,
        versions.fetched_at,
        {{ parse_json('versions.payload', types) }} as typed
    from {{ relation }} as versions
    inner join newest_{{ door }} as newest on versions.row_id = newest.row_id
),
{%- endfor %}

side_by_side as (
    {%- for field, compared in fields.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        several.id as activity_id,
        several.athlete_id,
        '{{ field }}' as field,
        cast({{ value_by('api', field) }} as {{ dbt.type_string() }}) as api_value,
        cast({{ value_by('export', field) }} as {{ dbt.type_string() }}) as export_value,
        cast({{ value_by('file', field) if compared.file else 'null' }} as {{ dbt.type_string() }}) as file_value,
        coalesce({{ field in edited }} and of_export.fetched_at > of_api.fetched_at, false) as is_edited_later,
        {{ doors_differ(field, compared) }} as doors_differ,
        {{ file_differs(field, compared) }} as file_differs
    from several
    left join of_api on several.id = of_api.id
    left join of_export on several.id = of_export.id
    {%- if compared.file %}
    left join of_file on several.id = of_file.id
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        activity_id,
        athlete_id,
        field,
        api_value,
        export_value,
        file_value,
        case
            when doors_differ and is_edited_later then 'export'
            when api_value is not null then 'api'
            else 'export'
        end as winner,
        case
            when not doors_differ then 'a file is the original, without crops and edits'
            when is_edited_later then 'edited, and the export is newer'
            {%- for field in edited %}
            when field = '{{ field }}' then 'edited, and the version of the API is newer'
            {%- endfor %}
            else 'the API knows the activity'
        end as reason
    from side_by_side
    where doors_differ or file_differs
)

select * from final
