{{ optional_versions('activity_files') }}
