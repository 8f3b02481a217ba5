with source as (
    {%- if var('strava__using_activity_details', true) %}
    {{ located_rows('activity_details') }}
    {%- else %}
    {{ no_rows(dict(columns_of_notes(), row_id=type_of_row_locator())) }}
    {%- endif %}
),

{{ typed_versions() }}
