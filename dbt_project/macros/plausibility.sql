{#
    What makes no sense, which figures leave it out, and why, all in one place. In doubt, a value stays. Sums never
    change: what is no record still counts in the distances, as it does at Strava.
#}


{#
    reason -> the column or expression that is beyond `limit`, its unit, the figures that leave it out, and the reason in
    words. `activity` has the reasons in int_activities__plausibility, each with a column `is_<reason>`; `effort` has
    those of a single effort.
#}
{% macro plausibility_reasons(of) -%}
    {%- set records = ['longest_distance', 'longest_time', 'most_elevation', 'highest_point', 'fastest'] -%}
    {%- set efforts = ['best_efforts', 'segment_efforts', 'race_predictions'] -%}
    {%- set reasons = {
        'activity': {
            'short': {
                'left_out_of': ['fastest'],
                'value': 'moving_time_s', 'limit': 600, 'unit': 's',
                'why': 'shorter than ten minutes',
            },
            'indoors': {
                'left_out_of': ['highest_point', 'fastest'],
                'value': none, 'limit': none, 'unit': none,
                'why': 'on a trainer or treadmill',
            },
            'virtual': {
                'left_out_of': ['highest_point', 'fastest'],
                'value': none, 'limit': none, 'unit': none,
                'why': 'on a virtual course',
            },
            'manual': {
                'left_out_of': ['fastest'],
                'value': none, 'limit': none, 'unit': none,
                'why': 'entered by hand',
            },
            'flagged': {
                'left_out_of': ['fastest'] + efforts,
                'value': none, 'limit': none, 'unit': none,
                'why': 'flagged at Strava',
            },
            'too_fast': {
                'left_out_of': records + efforts,
                'value': 'speed_m_s', 'limit': 'speed_limit_m_s', 'unit': 'm/s',
                'why': 'on average faster than anybody has been over the distance',
            },
            'beyond_top_speed': {
                'left_out_of': ['fastest'],
                'value': 'max_speed_m_s', 'limit': 'top_speed_limit_m_s', 'unit': 'm/s',
                'why': 'at its fastest beyond any top speed of the sport: a vehicle, or a jump of the GPS',
            },
            'by_vehicle': {
                'left_out_of': efforts,
                'value': 'max_speed_m_s', 'limit': 'top_speed_limit_m_s', 'unit': 'm/s',
                'why': 'beyond any top speed of the sport, and fast throughout: a vehicle',
            },
            'left_recording': {
                'left_out_of': ['longest_distance', 'longest_time', 'load', 'zones'],
                'value': 'moving_time_s', 'limit': 'recording_limit_s', 'unit': 's',
                'why': 'hardly moved for so long: left recording',
            },
            'too_steep': {
                'left_out_of': ['most_elevation'],
                'value': 'climb_m_s', 'limit': 'climb_limit_m_s', 'unit': 'm/s',
                'why': 'climbed faster than anybody has',
            },
            'too_high': {
                'left_out_of': ['highest_point'],
                'value': 'elev_high_m', 'limit': 8849, 'unit': 'm',
                'why': 'higher than Mount Everest',
            },
            'no_heart_rate': {
                'left_out_of': ['load_by_heart_rate', 'zones_by_average', 'data_coverage'],
                'value': 'no_heartrate', 'limit': 'heartrate_limit', 'unit': 'bpm',
                'why': 'the heart rate is none of a heart',
            },
            'no_power': {
                'left_out_of': ['load_by_power'],
                'value': 'weighted_average_watts', 'limit': 'power_limit_w', 'unit': 'W',
                'why': 'the power is none of legs',
            },
        },
        'effort': {
            'effort_too_fast': {
                'value': 'effort_speed_m_s', 'limit': 'effort_speed_limit_m_s', 'unit': 'm/s',
                'why': 'faster than anybody has been over the distance',
            },
            'effort_too_long': {
                'value': 'effort_distance_m', 'limit': 'activity_distance_m', 'unit': 'm',
                'why': 'longer than its activity',
            },
        },
    } -%}
    {{ return(reasons[of]) }}
{%- endmacro %}

{# Whether a row of int_activities__plausibility may count for `figure`: a record, a mart or a part of one. #}
{% macro counts_for(figure) -%}
    {%- set flags = [] -%}
    {%- for reason, rule in plausibility_reasons('activity').items() if figure in rule.left_out_of -%}
        {%- do flags.append('is_' ~ reason) -%}
    {%- endfor -%}
    not coalesce({{ flags | join(' or ') }}, false)
{%- endmacro %}


{# A heart rate; NULL if a missing strap sends 0, or a broken one 65,535. All heart rates go through this. #}
{% macro heart_rate(column) -%}
    case when {{ column }} between {{ lowest_heart_rate() }} and {{ highest_heart_rate() }} then {{ column }} end
{%- endmacro %}

{% macro lowest_heart_rate() -%}20{%- endmacro %}
{% macro highest_heart_rate() -%}250{%- endmacro %}


{#
    Which speeds, climbs and durations are possible, by sport type and not by group: an athlete can change the group, but
    not what a body can do. A type that is missing here, and every one that Strava adds, has no limits.
#}
{% macro ways_of_moving() -%}
    {{ return({
        'run': ['Run', 'TrailRun', 'VirtualRun'],
        'walk': ['Walk', 'Hike', 'Snowshoe'],
        'swim': ['Swim'],
        'ride': ['Ride', 'GravelRide', 'MountainBikeRide', 'VirtualRide', 'Handcycle'],
        'e-ride': ['EBikeRide', 'EMountainBikeRide'],
        'velomobile': ['Velomobile'],
        'ski': ['AlpineSki', 'Snowboard'],
        'tour': ['BackcountrySki', 'NordicSki'],
        'roll': ['RollerSki', 'InlineSkate', 'IceSkate', 'Skateboard', 'Wheelchair'],
        'paddle': ['Canoeing', 'Kayaking', 'Rowing', 'VirtualRow', 'StandUpPaddling'],
        'sail': ['Sail', 'Kitesurf', 'Windsurf', 'Surfing'],
        'exercise': [
            'Crossfit', 'Dance', 'Elliptical', 'HighIntensityIntervalTraining', 'PhysicalTherapy', 'Pilates',
            'StairStepper', 'WeightTraining', 'Workout', 'Yoga',
        ],
        'play': [
            'Badminton', 'Basketball', 'Cricket', 'Golf', 'Padel', 'Pickleball', 'Racquetball', 'RockClimbing', 'Soccer',
            'Squash', 'TableTennis', 'Tennis', 'Volleyball',
        ],
    }) }}
{%- endmacro %}

{# The way of moving of a sport type; NULL for an unknown one. #}
{% macro way_of_moving(sport_type) -%}
    case
        {%- for way, types in ways_of_moving().items() %}
        when {{ sport_type }} in ('{{ types | join("', '") }}') then '{{ way }}'
        {%- endfor %}
    end
{%- endmacro %}

{#
    The mean speed beyond which an average over `distance_m` makes no sense, in m/s: the world's best plus 5 %, for a
    newer record, a downhill course and the GPS. NULL if unknown.

    way -> (metres from which it applies, m/s, source). The best over a distance limits any longer distance too. From
    World Athletics' lists of records and bests, as of 2025, unless another source is named.
#}
{% macro highest_average_speed(way, distance_m) -%}
    {%- set bests = {
        'run': [
            (319614, 319614 / 86400, 'A. Sorokin, 24 h, 319,614 m, Verona 2022 (IAU)'),
            (100000, 100000 / 21935, 'A. Sorokin, 100 km in 6:05:35, Vilnius 2023 (IAU)'),
            (42195, 42195 / 7235, 'K. Kiptum, marathon in 2:00:35, Chicago 2023'),
            (21097, 21097.5 / 3402, 'J. Kiplimo, half marathon in 56:42, Barcelona 2025'),
            (10000, 10000 / 1571, 'J. Cheptegei, 10,000 m in 26:11.00, Valencia 2020'),
            (5000, 5000 / 755.36, 'J. Cheptegei, 5,000 m in 12:35.36, Monaco 2020'),
            (3218, 3218.69 / 474.1, 'J. Ingebrigtsen, 2 miles in 7:54.10, Paris 2023'),
            (1609, 1609.344 / 223.13, 'H. El Guerrouj, 1 mile in 3:43.13, Rome 1999'),
            (1000, 1000 / 131.96, 'N. Ngeny, 1,000 m in 2:11.96, Rieti 1999'),
            (800, 800 / 100.91, 'D. Rudisha, 800 m in 1:40.91, London 2012'),
            (400, 400 / 43.03, 'W. van Niekerk, 400 m in 43.03, Rio 2016'),
            (0, 12.42, 'U. Bolt, highest speed within 100 m, Berlin 2009 (IAAF biomechanical report)'),
        ],
        'walk': [
            (50000, 50000 / 12753, 'Y. Diniz, 50 km race walk in 3:32:33, Zurich 2014'),
            (20000, 20000 / 4570, 'T. Yamanishi, 20 km race walk in 1:16:10, Kobe 2025'),
            (0, 5000 / 1074.48, 'F. Fortunato, 5,000 m race walk in 17:54.48, Ancona 2025'),
        ],
        'swim': [
            (800, 2.1, '800 m in 7:32.12 (Zhang L., 2009) is 1.77 m/s; the rest is the current of open water'),
            (0, 50 / 20.91, 'C. Cielo, 50 m in 20.91, Sao Paulo 2009 (World Aquatics)'),
        ],
        'ride': [
            (1000000, 1026215 / 86400, 'C. Strasser, 24 h, 1,026,215 m, Zeltweg 2021 (WUCA)'),
            (200000, 15, 'the fastest one-day races are ridden at 13 m/s; the rest is a tailwind'),
            (50000, 19, 'F. Ganna, one hour, 56,792 m (15.8 m/s), Grenchen 2022 (UCI); the rest is a descent'),
            (10000, 24, 'a pass of the Alps downhill'),
            (0, 36, '130 km/h, the highest speeds of road races, downhill'),
        ],
        'velomobile': [
            (50000, 92439 / 3600, 'F. Russo, one hour, 92,439 m, DEKRA track 2016 (IHPVA)'),
            (0, 144.17 / 3.6, 'T. Reichert, 144.17 km/h, Battle Mountain 2016 (IHPVA)'),
        ],
        'ski': [
            (10000, 42.8, 'half an hour at what downhill racers reach at their fastest'),
            (0, 255.5 / 3.6, 'S. Billy, 255.5 km/h, Vars 2023 (FIS)'),
        ],
        'tour': [
            (10000, 20, 'a descent'),
            (0, 40, 'a steep one'),
        ],
        'roll': [
            (10000, 20, 'a pass downhill; 12 m/s are the best on ice and in marathons on wheels'),
            (0, 146.73 / 3.6, 'P. Connolly, 146.73 km/h on a longboard, Quebec 2017 (Guinness)'),
        ],
        'paddle': [(0, 9, 'an eight over 2,000 m in 5:18.68 is 6.3 m/s (World Rowing, 2017); the rest is a river')],
        'sail': [(0, 65.45 * 1852 / 3600, 'P. Larsen, 65.45 kn over 500 m, Walvis Bay 2012 (WSSRC)')],
    } -%}
    {%- do bests.update({'e-ride': bests['ride']}) -%}
    case {{ way }}
        {%- for of_way, speeds in bests.items() %}
        when '{{ of_way }}' then case
            {%- for metres, speed, _ in speeds %}
            when {{ distance_m }} >= {{ metres }} then {{ '%.3f' % (speed * 1.05) }}e0
            {%- endfor %}
        end
        {%- endfor %}
    end
{%- endmacro %}

{#
    The highest plausible speed at any moment, in m/s: the world's best with more room, because a single jump of the GPS
    is enough to exceed it. 12.4 m/s on foot (Bolt), 36 on a bike, 71 on skis; a swimmer's watch loses the GPS at every
    stroke.
#}
{% macro highest_top_speed(way) -%}
    {%- set speeds = {
        'run': 14, 'walk': 14, 'swim': 10, 'ride': 40, 'e-ride': 40, 'velomobile': 45, 'ski': 75, 'tour': 45, 'roll': 45,
        'paddle': 15, 'sail': 38,
    } -%}
    case {{ way }}
        {%- for of_way, speed in speeds.items() %}
        when '{{ of_way }}' then {{ speed }}e0
        {%- endfor %}
    end
{%- endmacro %}

{#
    The average from which on such a top speed means a vehicle and not a jump of the GPS, in m/s. Tunnels and towers cause
    such jumps in many city marathons: their efforts stay, down to a marathon in 2:36.
#}
{% macro average_of_a_vehicle(way) -%}
    case {{ way }} when 'run' then 4.5e0 when 'walk' then 2.5e0 when 'ride' then 14e0 when 'e-ride' then 14e0 end
{%- endmacro %}

{#
    The highest rate of climbing over a whole activity, in m/s: 0.61 is R. Bonnet's vertical kilometre (27:21, Fully 2024),
    0.55 what the best of the Tour ride for half an hour. A motor helps; lifts and cable cars are not climbing, but Strava
    counts them, and so they stay.
#}
{% macro highest_climb(way) -%}
    case
        when {{ way }} in ('run', 'walk', 'ride', 'tour') then 0.7e0
        when {{ way }} = 'e-ride' then 1.5e0
    end
{%- endmacro %}

{#
    The seconds in motion from which on a recording counts as left on instead of as a long activity; NULL for never.

    Nobody moves so slowly for eight hours, with each metre climbed counting as eight on the flat (Naismith's rule: P.
    Scarf, Journal of Sports Sciences 25, 2007): slower than a walk on a bike; 0.6 m/s running (the last at the Tor des
    Geants do 1), 0.2 on a mountain or in the Channel. Without any distance, twelve hours. Sailors, skiers and drifters may
    rest.
#}
{% macro longest_recording(way, distance_m, climbed_m, moving_time_s) -%}
    {%- set paces = {
        'ride': 1.5, 'e-ride': 1.5, 'velomobile': 1.5, 'run': 0.6, 'walk': 0.2, 'tour': 0.2, 'swim': 0.2,
    } -%}
    case
        when {{ way }} = 'exercise' then 43200
        {%- for of_way, pace in paces.items() %}
        when {{ way }} = '{{ of_way }}' then case
            when coalesce({{ distance_m }}, 0) <= 0 then 43200
            when
                {{ distance_m }} + 8 * greatest(coalesce({{ climbed_m }}, 0), 0) < {{ pace }}e0 * {{ moving_time_s }}
                then 28800
        end
        {%- endfor %}
    end
{%- endmacro %}


{# Whether an effort over `distance_m` in `elapsed_time_s` is faster than anybody. #}
{% macro is_effort_too_fast(way, distance_m, elapsed_time_s) -%}
    coalesce(
        {{ distance_m }} / nullif(cast({{ elapsed_time_s }} as double), 0)
        > {{ highest_average_speed(way, distance_m) }}, false
    )
{%- endmacro %}

{#
    Whether an effort is longer than its activity, by more than a hundredth and ten metres, because Strava names round
    distances. If a distance is edited, as after a treadmill run, the efforts stay unchanged.
#}
{% macro is_effort_too_long(distance_m, activity_distance_m) -%}
    coalesce({{ distance_m }} > {{ activity_distance_m }} * 1.01 + 10, false)
{%- endmacro %}
