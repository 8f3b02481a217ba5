{{ optional_versions('export_activities') }}
