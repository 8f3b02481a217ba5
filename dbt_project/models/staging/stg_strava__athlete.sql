{%- set gear = {
    'id': 'string',
    'name': 'string',
    'primary': 'boolean',
    'retired': 'boolean',
    'distance': 'double',
} %}

{%- set fields = {
    'username': 'string',
    'firstname': 'string',
    'lastname': 'string',
    'city': 'string',
    'state': 'string',
    'country': 'string',
    'sex': 'string',
    'weight': 'double',
    'ftp': 'double',
    'measurement_preference': 'string',
    'premium': 'boolean',
    'summit': 'boolean',
    'created_at': 'timestamp',
    'bikes': [gear],
    'shoes': [gear],
} %}

{{ parsed_versions('athlete', fields) }}
