with source as (
    {%- if var('strava__using_activity_details', true) %}
    select
        *,
        {{ row_locator() }} as row_id
    -- render(): dbt's --empty and --sample would put a subquery here, whose rows have no locator.
    from {{ source('strava', 'activity_details').render() }}
    {%- else %}
    {{ no_rows(dict(columns_of_notes(), row_id='bigint')) }}
    {%- endif %}
),

typed as (
    select
        ---------- ids
        cast(id as bigint) as id,
        cast(athlete_id as bigint) as athlete_id,

        ---------- which version
        cast(fetched_at as timestamp) as fetched_at,
        cast(payload_hash as {{ dbt.type_string() }}) as payload_hash,
        row_id,

        ---------- what Strava sent
        cast({{ readable_json('payload') }} as {{ dbt.type_string() }}) as payload
    from source
)

select * from typed
