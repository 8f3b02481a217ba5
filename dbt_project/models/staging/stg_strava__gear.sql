{%- set fields = {
    'id': 'string',
    'name': 'string',
    'primary': 'boolean',
    'retired': 'boolean',
    'distance': 'double',
    'brand_name': 'string',
    'model_name': 'string',
    'description': 'string',
} %}

{{ parsed_versions('gear', fields) }}
