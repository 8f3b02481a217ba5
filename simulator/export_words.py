"""What Strava's bulk export calls things: titles by year and language, months, sports, and how numbers look.

English titles as seen in real exports; Dutch, German and French as far as seen, the others are English and marked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

WIDTHS: Final = {2018: 10, 2019: 11, 2020: 72, 2021: 80, 2022: 84, 2023: 87, 2024: 94, 2025: 99, 2026: 103}
OF_2018: Final = (
    "id", "date", "name", "type", "description", "elapsed_time", "distance", "commute", "gear", "filename",
)  # fmt: skip
# the first block, and in it what came later
_FIRST: Final = (
    "Activity ID", "Activity Date", "Activity Name", "Activity Type", "Activity Description", "Elapsed Time",
    "Distance", "Max Heart Rate", "Relative Effort", "Commute", "Activity Private Note", "Activity Gear", "Filename",
)  # fmt: skip
_SECOND: Final = (
    "Athlete Weight", "Bike Weight", "Elapsed Time", "Moving Time", "Distance", "Max Speed", "Average Speed",
    "Elevation Gain", "Elevation Loss", "Elevation Low", "Elevation High", "Max Grade", "Average Grade",
    "Average Positive Grade", "Average Negative Grade", "Max Cadence", "Average Cadence", "Max Heart Rate",
    "Average Heart Rate", "Max Watts", "Average Watts", "Calories", "Max Temperature", "Average Temperature",
    "Relative Effort", "Total Work", "Number of Runs", "Uphill Time", "Downhill Time", "Other Time",
    "Perceived Exertion", "Type", "Start Time", "Weighted Average Power", "Power Count", "Prefer Perceived Exertion",
    "Perceived Relative Effort", "Commute", "Total Weight Lifted", "From Upload", "Grade Adjusted Distance",
    "Weather Observation Time", "Weather Condition", "Weather Temperature", "Apparent Temperature", "Dewpoint",
    "Humidity", "Weather Pressure", "Wind Speed", "Wind Gust", "Wind Bearing", "Precipitation Intensity",
    "Sunrise Time", "Sunset Time", "Moon Phase", "Bike", "Gear", "Precipitation Probability", "Precipitation Type",
    "Cloud Cover", "Weather Visibility", "UV Index", "Weather Ozone",
)  # fmt: skip
_LATER: Final = {
    79: ("Jump Count", "Total Grit", "Average Flow", "Flagged", "Average Elapsed Speed"),
    80: ("Dirt Distance",),
    84: ("Newly Explored Distance", "Newly Explored Dirt Distance", "Activity Count"),
    87: ("Total Steps",),
    92: ("Carbon Saved", "Pool Length", "Training Load", "Intensity", "Average Grade Adjusted Pace"),
    94: ("Timer Time", "Total Cycles"),
    99: ("Recovery", "With Pet", "Competition", "Long Run", "For a Cause"),
    101: ("With Kid", "Downhill Distance"),
    103: ("Total Sets", "Total Reps"),
    # nobody has seen this one yet
    106: ("Hidden Talent", "Shoe Temperature", "Dogs Met"),
}
_UNTRANSLATED: Final = (
    "Type", "Start Time", "Jump Count", "Total Grit", "Average Flow", "Flagged", "Average Elapsed Speed",
    "Dirt Distance", "Newly Explored Distance", "Newly Explored Dirt Distance", "Activity Count", "Total Steps",
)  # fmt: skip
_FORMER: Final = {
    "Average Flow": "Avg Flow",
    "Average Elapsed Speed": "Avg Elapsed Speed",
    "Activity Count": "Sport Type",
}


def english_titles(width: int) -> list[str]:
    """The titles of an activities.csv with so many columns, in English, as they are called today.

    Raises ValueError for a width that Strava has never had.
    """
    if width == len(OF_2018):
        return list(OF_2018)
    late = {"Max Heart Rate": 84, "Activity Private Note": 86}
    titles = [title for title in _FIRST if late.get(title, 0) <= width]
    if width > 11:
        titles += [title for title in _SECOND if title not in ("Type", "Start Time") or width >= 79]
        titles += [title for since, later in _LATER.items() if since <= width for title in later]
        titles += ["Media"] if width >= 86 else []
    if len(titles) != width:
        raise ValueError(f"no export has {width} columns")
    return titles


def header(width: int, language: str, *, untranslated: bool) -> list[str]:
    """The titles of an activities.csv in a language; `untranslated`: with the HTML that some of 2021 to 2023 had."""
    english = english_titles(width)
    if width == len(OF_2018):
        return english
    words = LANGUAGES[language].titles
    titles = [words(title) for title in english]
    if untranslated and language == "en":
        titles = [_in_a_span(title) if title in _UNTRANSLATED else title for title in english]
    return titles


def _in_a_span(title: str) -> str:
    key = _FORMER.get(title, title).lower().replace(" ", "_")
    missing = f"translation missing: en-US.lib.export.portability_exporter.activities.horton_values.{key}"
    return f'<span class="translation_missing" title="{missing}">{_FORMER.get(title, title)}</span>'


@dataclass(frozen=True)
class Language:
    """How a language writes an export: dates, numbers, sports, titles."""

    date: Callable[[datetime], str]
    decimal: str
    thousands: str
    sports: dict[str, str]
    titles: Callable[[str], str]

    def number(self, value: float, decimals: int) -> str:
        """A number for people, cut and not rounded, as Strava does."""
        cut = int(value * 10**decimals + 1e-6)
        whole, rest = divmod(cut, 10**decimals)
        text = f"{whole:,}".replace(",", self.thousands)
        return text + (f"{self.decimal}{rest:0{decimals}}" if decimals else "")


def iso_date(moment: datetime) -> str:
    """A date as exports had it until 2019."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


_EN_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_NL_MONTHS: Final = (
    "jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec",
)  # fmt: skip
_FR_MONTHS: Final = (
    "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
)  # fmt: skip


def _english_date(moment: datetime) -> str:
    hour = moment.hour % 12 or 12
    clock = f"{hour}:{moment:%M:%S} {'AM' if moment.hour < 12 else 'PM'}"
    return f"{_EN_MONTHS[moment.month - 1]} {moment.day}, {moment.year}, {clock}"


def _dutch_date(moment: datetime) -> str:
    dot = "." if moment.year <= 2020 and moment.month != 5 else ""
    return f"{moment.day} {_NL_MONTHS[moment.month - 1]}{dot} {moment:%Y, %H:%M:%S}"


def _french_date(moment: datetime) -> str:
    return f"{moment.day} {_FR_MONTHS[moment.month - 1]} {moment.year} à {moment:%H:%M:%S}"


_DE: Final = {
    "Activity ID": "Aktivitäts-ID", "Activity Date": "Aktivitätsdatum", "Activity Name": "Name der Aktivität",
    "Activity Type": "Aktivitätsart", "Activity Description": "Aktivitätsbeschreibung",
    "Elapsed Time": "Verstrichene Zeit", "Distance": "Distanz", "Max Heart Rate": "Max. Herzfrequenz",
    "Relative Effort": "Relative Leistung", "Commute": "Pendeln",
    "Activity Private Note": "Hinweis zur Privatsphäre für Aktivitäten", "Activity Gear": "Aktivitätsausrüstung",
    "Filename": "Dateiname", "Athlete Weight": "Sportlergewicht", "Bike Weight": "Fahrradgewicht",
    "Moving Time": "Bewegungszeit", "Max Speed": "Höchstgeschw.", "Average Speed": "Durchschnittliche Geschwindigkeit",
    "Elevation Gain": "Höhenzunahme", "Elevation Loss": "Höhenunterschied", "Elevation Low": "Min. Höhe",
    "Elevation High": "Max. Höhe", "Max Grade": "Max. Steigung", "Average Grade": "Durchschnittliche Steigung",
    "Average Positive Grade": "Durchschnittliche positive Steigung",
    "Average Negative Grade": "Durchschnittliche negative Steigung", "Max Cadence": "Max. Tritt-/Schrittfrequenz",
    "Average Cadence": "Durchschnittliche Trittfrequenz", "Average Heart Rate": "Durchschnittliche Herzfrequenz",
    "Max Watts": "Max. Watt", "Average Watts": "Durchschnittliche Watt", "Calories": "Kalorien",
    "Max Temperature": "Max. Temperatur", "Average Temperature": "Durchschnittliche Temperatur",
    "Total Work": "Gesamtarbeit", "Number of Runs": "Anzahl Läufe", "Uphill Time": "Bergaufzeit",
    "Downhill Time": "Bergabzeit", "Other Time": "Andere Zeit", "Perceived Exertion": "Gefühlte Anstrengung",
    "Type": "Art", "Start Time": "Startzeit", "Weighted Average Power": "Gewichtete durchschnittliche Leistung",
    "Power Count": "Leistungszählung", "From Upload": "Von Upload", "Bike": "Fahrrad", "Gear": "Ausrüstung",
    "Humidity": "Luftfeuchtigkeit", "Wind Speed": "Windgeschwindigkeit", "Flagged": "Gemeldet",
    "Total Steps": "Schritte insgesamt", "Media": "Medien", "Pool Length": "Beckenlänge",
}  # fmt: skip
_NL: Final = {
    "Activity ID": "Activiteits-ID", "Activity Date": "Datum van activiteit", "Activity Name": "Naam activiteit",
    "Activity Type": "Activiteitstype", "Activity Description": "Beschrijving van activiteit",
    "Elapsed Time": "Verstreken tijd", "Distance": "Afstand", "Relative Effort": "Vergelijkbare poging",
    "Commute": "Forenzenrit", "Activity Gear": "Uitrusting voor activiteit", "Filename": "Bestandsnaam",
    "Athlete Weight": "Gewicht sporter", "Bike Weight": "Gewicht fiets", "Moving Time": "Beweegtijd",
    "Max Speed": "Max. snelheid", "Average Speed": "Gemiddelde snelheid", "Elevation Gain": "Hoogteverschil",
    "Elevation Loss": "Hoogteverlies", "Elevation Low": "Kleinste hoogte", "Elevation High": "Grootste hoogte",
    # swapped, as in a real export of 2020
    "Max Cadence": "Gemiddelde cadans", "Average Cadence": "Max. cadans",
    "Max Heart Rate": "Max. hartslag", "Average Heart Rate": "Gemiddelde hartslag", "Max Watts": "Maximaal wattage",
    "Average Watts": "Gemiddeld wattage", "Calories": "Calorieën", "Total Work": "Totale arbeid",
    "From Upload": "Van upload", "Bike": "Fiets", "Gear": "Uitrusting", "Humidity": "Vochtigheid", "Media": "Media",
}  # fmt: skip
_FR: Final = {
    "Activity ID": "ID de l'activité", "Activity Date": "Date de l'activité", "Activity Name": "Nom de l'activité",
    "Activity Type": "Type d'activité", "Activity Description": "Description de l'activité",
    "Elapsed Time": "Temps écoulé", "Distance": "Distance", "Max Heart Rate": "Fréquence cardiaque max.",
    "Relative Effort": "Mesure d'effort", "Commute": "Trajet travail", "Activity Private Note": "Note privée",
    "Activity Gear": "Équipement de l'activité", "Filename": "Nom du fichier", "Athlete Weight": "Poids de l'athlète",
    "Bike Weight": "Poids du vélo", "Moving Time": "Durée de déplacement", "Max Speed": "Vitesse max.",
    "Average Speed": "Vitesse moyenne", "Elevation Gain": "Dénivelé positif", "Elevation Loss": "Dénivelé négatif",
    "Average Heart Rate": "Fréquence cardiaque moyenne", "Calories": "Calories", "Bike": "Vélo", "Gear": "Équipement",
    "Media": "Médias",
}  # fmt: skip


def _of(words: dict[str, str], mark: str) -> Callable[[str], str]:
    return lambda title: words.get(title, f"{title} {mark}")


_DE_SPORTS: Final = {
    "Ride": "Radfahrt", "Run": "Lauf", "VirtualRide": "Virtuelle Radfahrt", "Hike": "Wanderung",
    "Walk": "Spaziergang", "NordicSki": "Skilanglauf", "Swim": "Schwimmen", "WeightTraining": "Krafttraining",
    "Workout": "Training", "Sail": "Segeln",
}  # fmt: skip
_NL_SPORTS: Final = {
    "Ride": "Fietsrit", "Run": "Hardloopsessie", "VirtualRide": "Virtuele fietsrit", "Hike": "Hike",
    "Walk": "Wandeling", "NordicSki": "Langlaufen", "Swim": "Zwemmen", "WeightTraining": "Krachttraining",
    "Workout": "Training", "Sail": "Zeilen",
}  # fmt: skip
_FR_SPORTS: Final = {
    "Ride": "Sortie à vélo", "Run": "Course à pied", "VirtualRide": "Sortie à vélo virtuelle", "Hike": "Randonnée",
    "Walk": "Marche", "NordicSki": "Ski nordique", "Swim": "Natation", "WeightTraining": "Entraînement aux poids",
    "Workout": "Entraînement", "Sail": "Voile",
}  # fmt: skip
_ALL_SPORTS: Final = (
    "Ride", "Run", "VirtualRide", "Hike", "Walk", "NordicSki", "Swim", "WeightTraining", "Workout", "Yoga", "Sail",
)  # fmt: skip


LANGUAGES: Final = {
    "en": Language(
        _english_date,
        ".",
        ",",
        {"VirtualRide": "Virtual Ride", "NordicSki": "Nordic Ski", "WeightTraining": "Weight Training"},
        lambda title: title,
    ),
    "de": Language(
        lambda moment: f"{moment:%d.%m.%Y, %H:%M:%S}",
        ",",
        ".",
        _DE_SPORTS,
        _of(_DE, "(de)"),
    ),
    "nl": Language(
        _dutch_date,
        ",",
        ".",
        _NL_SPORTS,
        _of(_NL, "(nl)"),
    ),
    "fr": Language(
        _french_date,
        ",",
        "\u202f",
        _FR_SPORTS,
        _of(_FR, "(fr)"),
    ),
    # a language that no program knows: its words are English read backwards
    "unknown": Language(
        lambda moment: f"{moment.day}/{moment.month}/{moment:%Y %H:%M:%S}",
        ",",
        ".",
        {name: name[::-1].capitalize() for name in _ALL_SPORTS},
        lambda title: title[::-1].capitalize(),
    ),
}
