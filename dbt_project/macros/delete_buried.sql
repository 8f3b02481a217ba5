{#
    A merge never deletes. This hook, in the transaction of the merge, deletes activities that are gone (with their
    details), and rows made from versions that a purge has erased since.
#}
{% macro delete_buried() %}
delete from {{ this }}
where id in (
    select merged.id
    from {{ this }} as merged
    inner join {{ ref('int_activities__buried') }} as buried on merged.id = buried.id
    where buried.is_gone or merged.fetched_at <= buried.purged_at
)
{% endmacro %}
