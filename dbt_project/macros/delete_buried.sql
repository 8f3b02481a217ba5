{#
    A merge never deletes. This hook, in the transaction of the merge, takes out what must not be there any more:
    activities that are gone (their details with them), and rows made of versions that a purge has erased since.
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
