with source as (
    {{ optional_rows('activity_point_files', {
        'file_id': 'bigint',
        'id': 'bigint',
        'athlete_id': 'bigint',
        'fetched_at': 'timestamp',
        'payload_hash': dbt.type_string(),
        'started_at': 'timestamp',
    }) }}
),

typed as (
    select
        ---------- ids
        cast(file_id as bigint) as file_id,
        cast(id as bigint) as id,
        cast(athlete_id as bigint) as athlete_id,

        ---------- which version
        cast(fetched_at as {{ dbt.type_timestamp() }}) as fetched_at,
        cast(payload_hash as {{ dbt.type_string() }}) as payload_hash,
        cast(file_id as bigint) as row_id,

        ---------- timestamps
        cast(started_at as {{ dbt.type_timestamp() }}) as started_at
    from source
)

select * from typed
