{%- set fields = {
    'heart_rate': {'custom_zones': 'boolean', 'zones': [{'min': 'bigint', 'max': 'bigint'}]},
    'power': {'zones': [{'min': 'bigint', 'max': 'bigint'}]},
} %}

{{ parsed_versions('athlete_zones', fields) }}
