{# The day of the week of a date: 1 for Monday to 7 for Sunday. Engines start on different days. #}
{% macro weekday(date) -%}
cast({{ dbt.datediff(dbt.date_trunc('week', date), date, 'day') }} + 1 as integer)
{%- endmacro %}
