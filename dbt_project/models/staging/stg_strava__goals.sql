{%- set fields = {
    'sport_group': 'string',
    'measure': 'string',
    'period': 'string',
    'target': 'double',
} %}

with listed as (
    {{ elements_of_newest_lists('goals', fields, {'athlete_id': 'athlete_id'}) }}
),

goals as (
    select
        athlete_id,
        {%- for field in fields %}
        item.{{ field }},
        {%- endfor %}
        fetched_at
    from listed
)

select * from goals
