{# Every row with a value is a failure. #}
{% test always_null(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
{% endtest %}
