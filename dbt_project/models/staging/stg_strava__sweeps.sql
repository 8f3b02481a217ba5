with source as (
    {{ optional_source('sweeps', columns_of_notes()) }}
),

-- Sweeps are few: here the payload is parsed in the view.
parsed as (
    select
        *,
        {{ parse_json(
            'payload',
            {
                'after': 'timestamp',
                'reached': 'timestamp',
                'started_at': 'timestamp',
                'ended_at': 'timestamp',
                'listed': 'bigint',
                'landed': 'bigint',
                'gone': 'bigint',
                'complete': 'boolean',
                'reason': 'string',
            }
        ) }} as said
    from source
),

typed as (
    select
        ---------- ids
        cast(athlete_id as bigint) as athlete_id,

        ---------- what was walked, and when
        said.after as after_start_date,
        said.reached as reached_start_date,
        said.started_at,
        coalesce(said.ended_at, cast(fetched_at as {{ dbt.type_timestamp() }})) as ended_at,

        ---------- the result
        said.listed as activities_listed,
        said.landed as versions_landed,
        said.gone as activities_gone,
        coalesce(said.complete, false) as complete,
        said.reason
    from parsed
)

select * from typed
