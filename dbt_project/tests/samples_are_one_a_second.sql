-- The grain of activity_streams: an activity has at most one sample a second. It uses a bit for each second of a
-- minute, so that millions of samples are checked in little memory.
select
    activity_id,
    minute_of_it
from (
    select
        activity_id,
        cast(floor(t_s / 60) as integer) as minute_of_it,
        count(*) as samples,
        bit_count(bit_or(cast(power(2, t_s - 60 * floor(t_s / 60)) as bigint))) as seconds
    from {{ ref('activity_streams') }}
    group by activity_id, cast(floor(t_s / 60) as integer)
) as minutes
where activity_id is null or minute_of_it is null or samples <> seconds
