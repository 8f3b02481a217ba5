with source as (
    {{ optional_source('goals', {
        'sport_group': dbt.type_string(),
        'measure': dbt.type_string(),
        'period': dbt.type_string(),
        'target': 'double',
    }) }}
),

typed as (
    select
        cast(sport_group as {{ dbt.type_string() }}) as sport_group,
        cast(measure as {{ dbt.type_string() }}) as measure,
        cast(period as {{ dbt.type_string() }}) as period,
        cast(target as double) as target
    from source
)

select * from typed
