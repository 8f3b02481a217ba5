{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with activities as (
    select * from {{ ref('int_activities__plausibility') }}
),

settings as (
    select
        *,
        -- Without a threshold in the settings: 85 % of the reserve.
        coalesce(threshold_hr, rest_hr + 0.85 * (max_hr - rest_hr)) as threshold_hr_used,
        case sex when 'm' then 0.64 when 'f' then 0.86 end as trimp_factor,
        case sex when 'm' then 1.92 when 'f' then 1.67 end as trimp_exponent
    from {{ ref('stg_strava__athlete_settings') }}
),

reserves as (
    select
        activities.athlete_id,
        activities.id as activity_id,
        activities.activity_date,
        activities.sport_group,
        activities.moving_time_s,
        settings.ftp_w,
        settings.trimp_factor,
        settings.trimp_exponent,
        case
            when settings.threshold_hr_used > settings.rest_hr and settings.max_hr > settings.rest_hr
                then (settings.threshold_hr_used - settings.rest_hr) / (settings.max_hr - settings.rest_hr)
        end as threshold_reserve,
        case
            when settings.max_hr <= settings.rest_hr or not ({{ counts_for('load') }}) then null
            when activities.average_heartrate < settings.rest_hr then 0
            else (activities.average_heartrate - settings.rest_hr) / (settings.max_hr - settings.rest_hr)
        end as reserve,
        -- Strava's estimate of the watts is not a measurement.
        case
            when
                activities.device_watts
                and {{ counts_for('load') }}
                and {{ counts_for('load_by_power') }}
                then activities.weighted_average_watts / nullif(settings.ftp_w, 0)
        end as intensity
    from activities
    left join settings on activities.athlete_id = settings.athlete_id
),

trimps as (
    select
        *,
        moving_time_s / 60e0 * reserve * trimp_factor * exp(trimp_exponent * reserve) as trimp,
        60 * threshold_reserve * trimp_factor * exp(trimp_exponent * threshold_reserve) as trimp_of_threshold_hour
    from reserves
),

scores as (
    select
        *,
        100 * trimp / trimp_of_threshold_hour as hr_tss,
        100 * moving_time_s * intensity * intensity / 3600e0 as tss
    from trimps
),

final as (
    select
        athlete_id,
        activity_id,
        activity_date,
        sport_group,
        moving_time_s,
        cast(round(trimp, 6) as double) as trimp,
        cast(round(hr_tss, 6) as double) as hr_tss,
        cast(round(tss, 6) as double) as tss,
        cast(round(coalesce(tss, hr_tss), 6) as double) as load,
        case when tss is not null then 'power' when hr_tss is not null then 'heart_rate' end as load_source,
        -- From an average instead of a stream. The watts, in contrast, were weighted by Strava second by second.
        case when tss is not null then false when hr_tss is not null then true end as is_estimate
    from scores
)

select * from final
