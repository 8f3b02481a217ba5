"""Sports in Strava's words: the `sport_type` for an activity file's sport, and the coarser `type` of it."""

import re
from typing import Final

from . import seeds

# all others are types themselves, or Workout
_TYPES: Final = {
    "TrailRun": "Run",
    "MountainBikeRide": "Ride",
    "GravelRide": "Ride",
    "EMountainBikeRide": "EBikeRide",
    "VirtualRow": "Rowing",
}
_OWN_TYPES: Final = frozenset(
    (
        *("AlpineSki", "BackcountrySki", "Canoeing", "Crossfit", "EBikeRide", "Elliptical", "Golf", "Handcycle"),
        *("Hike", "IceSkate", "InlineSkate", "Kayaking", "Kitesurf", "NordicSki", "Ride", "RockClimbing"),
        *("RollerSki", "Rowing", "Run", "Sail", "Skateboard", "Snowboard", "Snowshoe", "Soccer", "StairStepper"),
        *("StandUpPaddling", "Surfing", "Swim", "Velomobile", "VirtualRide", "VirtualRun", "Walk"),
        *("WeightTraining", "Wheelchair", "Windsurf", "Workout", "Yoga"),
    )
)
_BECAME_SEVERAL: Final = frozenset((*_TYPES.values(), "Workout"))
_SEPARATORS: Final = re.compile(r"[\W_]+")


def type_of(sport_type: str) -> str:
    """Strava's `type` of a `sport_type`: TrailRun is a Run, Pilates a Workout."""
    return sport_type if sport_type in _OWN_TYPES else _TYPES.get(sport_type, "Workout")


def is_several(type_: str) -> bool:
    """Whether a `type` stands for several sport types, so that a Run may be a TrailRun."""
    return type_ in _BECAME_SEVERAL


def sport_type_of(sport: str | None, sub_sport: str | None) -> str | None:
    """Strava's `sport_type` for a file's sport, in the words of FIT, GPX or TCX; None if unknown."""
    if sport is None:
        return None
    known = seeds.file_sports()
    key, sub_key = _key(sport), _key(sub_sport or "")
    for candidate in ((key, sub_key), ("", sub_key), (key, "")):
        if candidate != ("", "") and (found := known.get(candidate)):
            return found
    # some programs write Strava's own words
    return _by_squeezed_name().get(key.replace("_", ""))


def _key(text: str) -> str:
    return _SEPARATORS.sub("_", text.strip().casefold())


def _by_squeezed_name() -> dict[str, str]:
    names = {*seeds.file_sports().values(), *seeds.sport_names().values(), *_OWN_TYPES}
    return {name.casefold(): name for name in names}
