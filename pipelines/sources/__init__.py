"""The sources of activities: dlt sources that work alone in any dlt project, so they import nothing else of ours."""
