with source as (
    {{ optional_source('tombstones', columns_of_notes()) }}
),

-- Tombstones are few: here the payload is parsed in the view.
parsed as (
    select
        *,
        {{ parse_json(
            'payload',
            {'reason': 'string', 'purged': 'boolean', 'last_payload_hash': 'string', 'noticed_by': 'string'}
        ) }} as said
    from source
),

typed as (
    select
        ---------- ids
        cast(id as bigint) as id,
        cast(athlete_id as bigint) as athlete_id,

        ---------- what was noticed
        cast(fetched_at as {{ dbt.type_timestamp() }}) as noticed_at,
        cast(payload_hash as {{ dbt.type_string() }}) as payload_hash,
        said.reason,
        coalesce(said.purged, false) as purged,
        said.noticed_by,
        said.last_payload_hash
    from parsed
)

select * from typed
