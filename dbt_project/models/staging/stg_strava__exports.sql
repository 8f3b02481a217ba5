with source as (
    {{ optional_rows('exports', columns_of_notes()) }}
),

-- Exports are few: here the payload is parsed in the view.
parsed as (
    select
        *,
        {{ parse_json(
            'payload',
            {
                'origin': 'string',
                'exported_at': 'timestamp',
                'imported_at': 'timestamp',
                'width': 'integer',
                'language': 'string',
                'activity_ids': 'array<bigint>',
                'files': [{'name': 'string', 'sha256': 'string', 'kind': 'string', 'activity_id': 'bigint'}],
            }
        ) }} as said
    from source
),

typed as (
    select
        ---------- ids
        cast(athlete_id as bigint) as athlete_id,

        ---------- which export
        cast(fetched_at as {{ dbt.type_timestamp() }}) as exported_at,
        said.imported_at,
        said.origin,
        said.width,
        said.language,

        ---------- what is in it
        said.activity_ids,
        said.files
    from parsed
)

select * from typed
