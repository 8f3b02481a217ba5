"""What is mirrored besides activities and their details, as declarations of the source."""

from pipelines.sources.strava_api import ENDPOINTS

_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
ALWAYS = ATHLETE, ATHLETE_ZONES, GEAR = tuple(_BY_NAME[name] for name in ("athlete", "athlete_zones", "gear"))
# as STRAVA_RESOURCES names them
ON_DEMAND = {
    name: _BY_NAME[resource]
    for name, resource in {
        "kudos": "activity_kudos",
        "comments": "activity_comments",
        "photos": "activity_photos",
        "laps": "activity_laps",
        "zones": "activity_zones",
        "routes": "routes",
    }.items()
}
ROUTES = ON_DEMAND["routes"]
