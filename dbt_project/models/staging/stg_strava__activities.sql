with source as (
    {{ located_rows('activities') }}
),

{{ typed_versions() }}
