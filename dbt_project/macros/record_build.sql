{#
    Runs at the end of every dbt command. After one that built all models and seeds without a failure, it leaves one row in
    staging.dbt_builds: how much of staging this build saw. The pipeline skips dbt while these counts are still right, so a
    partial, failed or empty build must not be recorded. `dbt run` leaves seeds out, so it is partial. The pipeline notes
    its own partial builds itself: then built_at is later than whole_at.
#}
{% macro record_build() %}
    {#- Nothing is recorded in the warehouse of another project; and only staging of DuckDB can be up to date. -#}
    {%- if project_name != 'strava_stats' or target.type != 'duckdb' or not execute -%}
        {{ return('') }}
    {%- elif flags.WHICH != 'build' or flags.EMPTY or flags.SAMPLE -%}
        {{ return('') }}
    {%- endif -%}

    {%- set built = [] -%}
    {%- for result in results -%}
        {%- if result.status | string not in ('success', 'pass', 'warn', 'no-op') -%}
            {{ return('') }}
        {%- endif -%}
        {%- if result.node.resource_type in ('model', 'seed') -%}
            {%- do built.append(result.node.unique_id) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ('model', 'seed') and node.unique_id not in built -%}
        {{ return('') }}
    {%- endfor -%}

    {%- set activities = source('strava', 'activities') -%}
    {%- set dbt_builds = api.Relation.create(
        database=activities.database, schema=activities.schema, identifier='dbt_builds'
    ) -%}
    create or replace table {{ dbt_builds }} as
    select
        cast('{{ modules.datetime.datetime.now(modules.pytz.utc).replace(tzinfo=none) }}' as {{ dbt.type_timestamp() }}) as built_at,
        cast('{{ run_started_at.replace(tzinfo=none) }}' as {{ dbt.type_timestamp() }}) as whole_at,
        cast((select count(*) from {{ activities }}) as bigint) as activity_rows,
        cast((select count(*) from {{ source('strava', 'activity_details') }}) as bigint) as detail_rows,
        cast((select count(*) from {{ source('strava', 'tombstones') }}) as bigint) as tombstone_rows
        {%- for table in ('export_activities', 'activity_files', 'exports', 'athlete', 'athlete_zones', 'gear') %},
        cast({{ '(select count(*) from ' ~ source('strava', table) ~ ')' if has_source(table) else 0 }} as bigint)
        as {{ table }}
        {%- endfor %}
        {%- for table in tables_on_demand() %},
        cast({{ '(select count(*) from ' ~ source('strava', table) ~ ')' if var('strava__using_' ~ table, false) else 0 }} as bigint)
        as {{ table }}
        {%- endfor %}
{% endmacro %}
