"""The names of numbers in FIT files, from the profile that fitdecode contains."""

import re
from typing import Any

from fitdecode import profile

_FILE_ID = 0
_SESSION = 18
_WORDS = re.compile(r"[A-Za-z]+|\d+[A-Za-z]*")


def _enum(message: int, field: int) -> dict[int, str]:
    found: dict[int, str] = profile.MESSAGE_TYPES[message].fields[field].type.enum
    return found


def _subfield(message: int, field: int, name: str) -> dict[int, str]:
    subfields: tuple[Any, ...] = profile.MESSAGE_TYPES[message].fields[field].subfields
    found: dict[int, str] = next(sub.type.enum for sub in subfields if sub.name == name)
    return found


SPORTS = _enum(_SESSION, 5)
SUB_SPORTS = _enum(_SESSION, 6)
MANUFACTURERS = _enum(_FILE_ID, 1)
GARMIN_PRODUCTS = _subfield(_FILE_ID, 2, "garmin_product")
_GARMIN = 1


def device_name(manufacturer: float | None, product: float | None, product_name: str | None) -> str | None:
    """Return a device's name for people: `Garmin Edge 530`; only its maker's if the product is not in the profile."""
    maker = MANUFACTURERS.get(int(manufacturer or 0))
    if product_name:
        first = (maker or "").partition("_")[0]
        return (
            product_name
            if not first or first.casefold() in product_name.casefold()
            else f"{_title(first)} {product_name}"
        )
    if maker is None:
        return None
    product_word = GARMIN_PRODUCTS.get(int(product or 0)) if manufacturer == _GARMIN else None
    return _title(maker) if product_word is None else f"{_title(maker)} {_title(product_word)}"


def _title(word: str) -> str:
    """`fr945_music` → `Forerunner 945 Music`, `edge530` → `Edge 530`."""
    parts = [part[:1].upper() + part[1:] for part in _WORDS.findall(word)]
    if parts and parts[0] == "Fr" and len(parts) > 1 and parts[1][0].isdigit():
        parts[0] = "Forerunner"
    return " ".join(parts)
