{#
    Names without a database, so that a view finds its tables whatever the file is called, and under whatever name
    somebody attaches it: DuckDB looks them up where the view is.
#}
{% macro ref() %}
    {{ return(builtins.ref(*varargs, **kwargs).include(database=false)) }}
{% endmacro %}

{% macro source() %}
    {{ return(builtins.source(*varargs, **kwargs).include(database=false)) }}
{% endmacro %}
