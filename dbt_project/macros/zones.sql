{#
    The five heart-rate zones of each athlete with their bounds in whole beats, both of which belong to the zone. They start
    at per cent of the reserve above the resting heart rate; without that, of the maximum. None without a maximum.
#}
{% macro heart_rate_zones() -%}
    select
        athlete_id,
        cast(zone as integer) as zone,
        lowest_bpm,
        cast(lead(lowest_bpm) over (partition by athlete_id order by zone asc) - 1 as integer) as highest_bpm
    from (
        {%- for zone, percent in {1: none, 2: 60, 3: 70, 4: 80, 5: 90}.items() %}
        {% if not loop.first %}union all{% endif %}
        select
            athlete_id,
            {{ zone }} as zone,
            {% if percent is none %}cast({{ lowest_heart_rate() }} as integer)
            {%- else %}cast(ceil(round(coalesce(rest_hr, 0) + (max_hr - coalesce(rest_hr, 0)) * {{ percent }} / 100, 6)) as integer)
            {%- endif %} as lowest_bpm
        from {{ ref('stg_strava__athlete_settings') }}
        where max_hr > coalesce(rest_hr, 0)
        {%- endfor %}
    ) as borders
{%- endmacro %}
