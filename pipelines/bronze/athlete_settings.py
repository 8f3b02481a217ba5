"""The athlete's own numbers and goals: what bronze keeps of the settings."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pipelines.bronze.tables import ATHLETE_SETTINGS, GOALS
from pipelines.ground.settings import StravaSettings
from pipelines.sources.strava_api.payloads import Payload


def settings_payloads(settings: StravaSettings, athlete_id: int) -> dict[str, Payload]:
    """By table of bronze, what `settings` say of an athlete: an object of numbers, and a list of goals."""
    numbers = {
        "rest_hr": settings.rest_hr,
        "max_hr": settings.max_hr,
        "threshold_hr": settings.threshold_hr,
        "ftp_w": settings.ftp,
        "sex": settings.sex and settings.sex.lower(),
        "units": settings.units.lower(),
    }
    goals = [asdict(goal) for goal in settings.goals_read]
    return {ATHLETE_SETTINGS: _payload(athlete_id, numbers), GOALS: _payload(athlete_id, goals)}


def payloads_without_settings(athlete_id: int) -> dict[str, Payload]:
    """The same if nothing is set, which is how an athlete without a row counts."""
    return settings_payloads(StravaSettings(), athlete_id)


def _payload(athlete_id: int, said: Any) -> Payload:
    text = json.dumps(said).encode()
    return Payload(athlete_id, athlete_id, None, text, hashlib.sha256(text).digest())
