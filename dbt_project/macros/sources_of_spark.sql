{#
    Spark's sources: a hook at the start of every dbt command. DuckDB has its sources in staging, where dlt loads them;
    Spark reads the shards themselves, as external tables in the schema `bronze`, so nothing is copied. A view in
    staging has each shard once: while bronze is compacted, and after a kill, two files may have the same shard.

    STRAVA_SPARK_BRONZE is the folder with the shards; STRAVA_SPARK_STAGED has what the pipeline makes of them (readings)
    and STRAVA_SPARK_POINTS the points of files. Each is a path from the root, or an address that Spark can read, like
    s3a://bucket/folder.
#}
{% macro declare_sources() -%}
    {{ return(adapter.dispatch('declare_sources', 'strava_stats')()) }}
{%- endmacro %}

{% macro default__declare_sources() -%}
{%- endmacro %}

{% macro spark__declare_sources() -%}
    {%- if not execute or project_name != 'strava_stats' or flags.WHICH not in ('build', 'run', 'test') -%}
        {{ return('') }}
    {%- endif -%}
    {%- set staged = ['activity_files', 'activity_point_files', 'export_activities'] -%}
    {%- set staging = source('strava', 'activities').schema -%}
    {%- do run_statement('create schema if not exists spark_catalog.bronze') -%}
    {%- do run_statement('create schema if not exists ' ~ staging) -%}

    {%- set shards = [] -%}
    {%- for source in graph.sources.values() if source.source_name == 'strava' -%}
        {%- do run_statement('drop table if exists spark_catalog.bronze.' ~ source.name) -%}
        {%- if source.name == 'activity_points' -%}
            {%- do run_statement(external_table(source.name, place_of('STRAVA_SPARK_POINTS'), columns_of_points())) -%}
        {%- elif source.name in staged -%}
            {%- do run_statement(
                external_table(
                    source.name,
                    place_of('STRAVA_SPARK_STAGED') ~ '/' ~ source.name,
                    columns_of_point_files() if source.name == 'activity_point_files' else columns_of_shards()
                )
            ) -%}
        {%- else -%}
            {%- do run_statement(
                external_table(source.name, place_of('STRAVA_SPARK_BRONZE') ~ '/' ~ source.name, columns_of_shards())
            ) -%}
            {%- do shards.append(source.name) -%}
        {%- endif -%}
    {%- endfor -%}

    {%- set left_out = files_left_out(shards) -%}
    {%- for source in graph.sources.values() if source.source_name == 'strava' -%}
        {%- set view = api.Relation.create(schema=staging, identifier=source.name, type='view') -%}
        {%- do run_statement('create or replace view ' ~ view ~ ' as ' ~ staged_rows(source.name, left_out)) -%}
        {%- do adapter.cache_added(view) -%}
    {%- endfor -%}
{%- endmacro %}

{# Not run_query: over Thrift, what has no columns is not an empty result but an error. #}
{% macro run_statement(sql) -%}
    {%- call statement(auto_begin=false) -%}
        {{ sql }}
    {%- endcall -%}
{%- endmacro %}

{# A folder or an address from the environment. #}
{% macro place_of(variable) -%}
    {%- set place = env_var(variable, '').rstrip('/') -%}
    {%- if not (place.startswith('/') or '://' in place) -%}
        {%- do exceptions.raise_compiler_error(
            variable ~ ' must be a path from the root, or an address like s3a://bucket/folder; it is "' ~ place ~ '"'
        ) -%}
    {%- endif -%}
    {{ return(place) }}
{%- endmacro %}

{# The folder may be missing: then there are no rows. #}
{% macro external_table(name, place, columns) -%}
    create table spark_catalog.bronze.{{ name }} {{ columns }} using parquet options (pathGlobFilter '*.parquet')
    location '{{ place | replace('\\', '\\\\') | replace("'", "\\'") }}'
{%- endmacro %}

{% macro columns_of_shards() -%}
    (
        id bigint, athlete_id bigint, start_date timestamp_ntz, fetched_at timestamp_ntz,
        payload_hash string, payload string, shard string
    )
{%- endmacro %}

{% macro columns_of_point_files() -%}
    (
        id bigint, athlete_id bigint, fetched_at timestamp_ntz, payload_hash string, started_at timestamp_ntz,
        samples bigint, shard string, made_of string, file_number int
    )
{%- endmacro %}

{% macro columns_of_points() -%}
    (
        file_number int, t_s int, dt_s smallint, lat_e6 int, lng_e6 int, distance_dm int, altitude_dm int,
        speed_mm_s int, heart_rate smallint, cadence smallint, power_w smallint, temperature_c tinyint
    )
{%- endmacro %}

{#
    The shards in `tables` that several files have, and each of those files but the one that is read, as
    `<table> <shard> <file>`. It reads the names of shards alone, and there are none unless a compaction was killed.
#}
{% macro files_left_out(tables) -%}
    {%- set query -%}
        with files as (
            {%- for table in tables %}
            {% if not loop.first %}union all{% endif %}
            select distinct
                concat('{{ table }} ', shard) as shard,
                _metadata.file_name as file
            from spark_catalog.bronze.{{ table }}
            {%- endfor %}
        )

        select concat(shard, ' ', file)
        from (
            select
                *,
                row_number() over (partition by shard order by file desc) as place
            from files
        )
        where place > 1
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}

{# The rows of a source, as DuckDB has them in staging. #}
{% macro staged_rows(table, left_out) -%}
    {%- if table == 'activity_point_files' -%}
        select
            *,
            row_number() over (order by shard, file_number) as file_id
        from spark_catalog.bronze.activity_point_files
    {%- elif table == 'activity_points' -%}
        select
            files.file_id,
            points.*
        from spark_catalog.bronze.activity_points as points
        inner join {{ source('strava', 'activity_point_files') }} as files
            on
                points._metadata.file_name = concat(files.shard, '.parquet')
                and points.file_number = files.file_number
    {%- else -%}
        select
            *,
            concat(_metadata.file_name, ':', _metadata.row_index) as locator
        from spark_catalog.bronze.{{ table }}
        where true
        {%- for name in left_out if name.startswith(table ~ ' ') %}
            and concat('{{ table }} ', shard, ' ', _metadata.file_name) <> '{{ name | replace("'", "\\'") }}'
        {%- endfor %}
    {%- endif -%}
{%- endmacro %}
