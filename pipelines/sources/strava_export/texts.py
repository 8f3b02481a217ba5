"""Texts of activities.csv as values: numbers, dates and sport names in each language."""

import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from . import seeds

_CLOCK: Final = re.compile(r"(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}))?(?:\.\d+)?(?!\d)")
_DATE: Final = re.compile(r"\d+")
_WORD: Final = re.compile(r"[^\W\d_]+")
_BEFORE_NOON: Final = frozenset(("am", "上午", "午前", "오전"))
_AFTER_NOON: Final = frozenset(("pm", "下午", "午後", "오후"))
_NUMBER: Final = re.compile(r"[+-]?[\d.,'\s]*\d[\d.,'\s]*")
_TRUE: Final = frozenset(("true", "1", "1.0"))
_FALSE: Final = frozenset(("false", "0", "0.0"))
_METRES_PER: Final = {"km": 1000.0, "nautical mile": 1852.0}
# the sports that Strava shows in metres and in nautical miles; all others are in kilometres
_IN_METRES: Final = frozenset(("Swim", "Rowing"))
_IN_NAUTICAL_MILES: Final = frozenset(("Sail", "Windsurf"))


def raw_number(text: str) -> float:
    """A number in the block for programs, the same in all languages.

    Raises:
        ValueError: it is not a number, or not finite.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


def displayed_number(text: str) -> float:
    """A number in the block for people: `1,500`, `9,44`, `1.050`, `1 234,5`.

    Strava shows at most two decimals, so three digits after the last separator are thousands.

    Raises:
        ValueError: it is none.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text} is not a number")
    text = re.sub(r"[\s']", "", text)
    whole, separator, rest = text, "", ""
    for candidate in ".,":
        head, found, tail = text.rpartition(candidate)
        if found and len(head) + 1 > len(whole) * bool(separator):
            whole, separator, rest = head, found, tail
    if separator and (len(rest) == 3 or text.count(separator) > 1):
        whole, rest = whole + rest, ""
    whole = whole.replace(".", "").replace(",", "")
    return float(f"{whole}.{rest or 0}")


def truth(text: str) -> bool:
    """A yes or no.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{text} is neither true nor false")


def instant_of_epoch(text: str) -> datetime:
    """An instant from seconds since 1970.

    Raises:
        ValueError: no calendar has it.
    """
    try:
        return datetime.fromtimestamp(raw_number(text), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text} is not an instant") from error


def displayed_instant(text: str, *, month_first: bool = False) -> datetime:
    """An activity's date, which is in UTC, in the words of a language.

    `month_first`: whether `3/4/2024` begins with the month.

    Raises:
        ValueError: it is none.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    clock = next(iter(_CLOCK.finditer(text, _behind_the_date(text))), None)
    if clock is None:
        raise ValueError(f"{text} has no time of day")
    hour, minute, second = (int(part or 0) for part in clock.groups())
    date = text[: clock.start()] + " " + text[clock.end() :]
    # `a. m.` and `p. m.`, as in Spanish
    words = _WORD.findall(re.sub(r"\b([ap])\.?\s*m\b", r"\1m", date))
    if _AFTER_NOON & set(words) and hour < 12:
        hour += 12
    elif _BEFORE_NOON & set(words) and hour == 12:
        hour = 0
    numbers = _DATE.findall(date)
    month = next((seeds.months()[word] for word in words if word in seeds.months()), None)
    year, month, day = _ordered(numbers, month, month_first=month_first)
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


class DateOrder:
    """Whether dates like 3/4/2024 begin with the month: no month is above 12, and all dates of an export are alike."""

    def __init__(self) -> None:
        self._month_was_first = False
        self._day_was_first = False

    @property
    def month_first(self) -> bool:
        """Whether some of the dates seen begin with the month, and none with the day."""
        return self._month_was_first and not self._day_was_first

    def look_at(self, text: str) -> None:
        """Learn from a date."""
        first, _, rest = text.partition("/")
        second = rest.partition("/")[0]
        if first.isdecimal() and second.isdecimal() and len(first) <= 2:
            self._day_was_first |= int(first) > 12
            self._month_was_first |= int(second) > 12


def _behind_the_date(text: str) -> int:
    """The text after the date, which has the time of day: `09.12.2022` is not one."""
    year = re.search(r"\d{4}", text)
    return year.end() if year and _CLOCK.search(text, year.end()) else 0


def _ordered(numbers: list[str], month: int | None, *, month_first: bool) -> tuple[int, int, int]:
    if len(numbers) != (2 if month else 3):
        raise ValueError(f"{' '.join(numbers)} is not a date")
    if month:
        day, year = sorted(numbers, key=len) if len(numbers[0]) != len(numbers[1]) else numbers
        return _whole_year(year), month, int(day)
    if len(numbers[0]) == 4:
        return int(numbers[0]), int(numbers[1]), int(numbers[2])
    first, second, year = numbers
    if month_first:
        first, second = second, first
    return _whole_year(year), int(second), int(first)


def _whole_year(text: str) -> int:
    return int(text) + (2000 if len(text) == 2 else 0)


def type_of_sport(name: str, language: str | None) -> str | None:
    """Strava's `type` for a sport's name, None if the name is unknown.

    English names are types with blanks and hyphens in them, so a new one needs no entry.
    """
    known, key = seeds.sport_names(), name.strip().casefold()
    if language and (type_ := known.get((language, key))):
        return type_
    if language == "en":
        return re.sub(r"[^\w]", "", name) or None
    types = {type_ for (_, other), type_ in known.items() if other == key}
    return types.pop() if len(types) == 1 else None


def displayed_distance_m(text: str, type_: str | None, *, in_metres: bool) -> float:
    """Metres of a distance in the block for people; `in_metres` as until 2019.

    Raises:
        ValueError: it is not a distance, or its unit is unknown because the sport is.
    """
    if in_metres:
        return raw_number(text)
    if type_ is None:
        raise ValueError(f"{text} may be metres, kilometres or nautical miles")
    number = displayed_number(text)
    if type_ in _IN_METRES:
        return number
    return number * _METRES_PER["nautical mile" if type_ in _IN_NAUTICAL_MILES else "km"]
