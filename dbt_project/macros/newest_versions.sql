{#
    The keys of the versions that a merge has to write: `row_id` of the newest version of each live id, in an incremental
    run only if it is newer than the one in the model. Newer is by fetched_at, then by payload_hash, so that shards in any
    order end in the same table. A watermark would miss an old shard that arrives late. Activities that are gone are left
    out here, and not only in `delete_buried`: the model lacks them, so each run would merge them again.

    versions: a relation with id, fetched_at, payload_hash, row_id. Only these narrow columns are read here: the
    payloads of merged versions are not read.
#}
{% macro newest_versions(versions) %}
    select row_id
    from (
        select
            versions.row_id,
            row_number() over (
                partition by versions.id
                order by versions.fetched_at desc, versions.payload_hash desc
            ) as recency
        from {{ versions }} as versions
        left join {{ ref('int_activities__buried') }} as buried on versions.id = buried.id
        {% if is_incremental() %}
        left join {{ this }} as merged on versions.id = merged.id
        {% endif %}
        where
            versions.id is not null
            and not coalesce(buried.is_gone or versions.fetched_at <= buried.purged_at, false)
        {% if is_incremental() %}
            and (
                merged.id is null
                or versions.fetched_at > merged.fetched_at
                or (versions.fetched_at = merged.fetched_at and versions.payload_hash > merged.payload_hash)
            )
        {% endif %}
    ) as ranked
    where recency = 1
{% endmacro %}

{#
    `row_id`, id, fetched_at and payload_hash of the newest version of each live id, whatever a model contains; in the
    same order as above.

    among: a relation with the ids that are wanted; all without one.
#}
{% macro newest_of_live(versions, among=none) %}
    select
        row_id,
        id,
        fetched_at,
        payload_hash
    from (
        select
            versions.row_id,
            versions.id,
            versions.fetched_at,
            versions.payload_hash,
            row_number() over (
                partition by versions.id
                order by versions.fetched_at desc, versions.payload_hash desc
            ) as recency
        from {{ versions }} as versions
        left join {{ ref('int_activities__buried') }} as buried on versions.id = buried.id
        where
            versions.id is not null
            and not coalesce(buried.is_gone or versions.fetched_at <= buried.purged_at, false)
            {%- if among %}
            and versions.id in (select asked.id from {{ among }} as asked)
            {%- endif %}
    ) as ranked
    where recency = 1
{% endmacro %}
