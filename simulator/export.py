"""Strava's bulk export of a simulated athlete: a ZIP with activities.csv, the activities' files, and everything else.

What is private in a real one (addresses, logins, messages, other people) is there too, each value bearing
`PRIVATE_MARK`: who reads an export can be tested for leaving it alone.
"""

import csv
import gzip
import hashlib
import io
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from simulator import detail
from simulator.activity_files import EDGE_530, FORERUNNER_945, Sample, fit_file, gpx_file, tcx_file
from simulator.athlete import Activity, epoch_of
from simulator.export_words import LANGUAGES, OF_2018, WIDTHS, Language, english_titles, header, iso_date
from simulator.world import World

PRIVATE_MARK: Final = "PRIVATE-never-read-this"
POINTS: Final = 300
# until then Strava wrote numbers with 32 bits
_DOUBLES_SINCE: Final = 2025
_FIT_SPORTS: Final = {
    "Run": ("running", "generic"),
    "TrailRun": ("running", "trail"),
    "Ride": ("cycling", "road"),
    "GravelRide": ("cycling", "gravel_cycling"),
    "MountainBikeRide": ("cycling", "mountain"),
    "VirtualRide": ("cycling", "virtual_activity"),
    "Swim": ("swimming", "lap_swimming"),
    "Walk": ("walking", "generic"),
    "Hike": ("hiking", "generic"),
    "WeightTraining": ("training", "strength_training"),
}
_TCX_SPORTS: Final = {"running": "Running", "cycling": "Biking"}
_STREAMS: Final = ("time", "latlng", "distance", "altitude", "velocity_smooth", "heartrate", "cadence", "watts", "temp")
_PRIVATE_FILES: Final = {
    "privacy_zones.csv": ("Privacy Zone ID", "Address", "Radius"),
    "logins.csv": ("Login Date", "IP Address", "Device"),
    "contacts.csv": ("Contact Name", "Contact E-mail"),
    "followers.csv": ("Follower Athlete ID", "Follower Status"),
    "following.csv": ("Athlete ID", "Favorite Status"),
    "blocks.csv": ("Blocked Athlete ID",),
    "comments.csv": ("Activity ID", "Comment"),
    "reactions.csv": ("Parent Type", "Reaction"),
    "connected_apps.csv": ("App", "Enabled"),
    "email_preferences.csv": ("Preference", "Value"),
    "emergency_contacts.csv": ("Name", "Phone"),
    "visibility_settings.csv": ("Setting", "Value"),
    "messaging.csv": ("Thread", "Text"),
}


@dataclass
class ExportedRow:
    """A row of activities.csv, as texts by title (the second of a kind has `#2` behind it), and its file's content.

    `raw` makes the line otherwise; `lost` is why nobody can read it as a row; `spoiled`: a defect has it.
    """

    activity: Activity
    cells: dict[str, str]
    file: Callable[[], bytes] | None = None
    samples: list[Sample] | None = None
    raw: Callable[[], bytes] | None = None
    lost: str | None = None
    spoiled: bool = False

    @property
    def file_name(self) -> str:
        """The member with its file; empty without one."""
        return self.cells["Filename"]


@dataclass
class Written:
    """What an export has in it, for those who check a reader of it.

    `row_ids` are the ids of readable rows, in order; `lost_rows` counts the others. `files` are hashes of the readable
    files by name; `lost_files` the unreadable or missing ones with a word for why. `refused` is set if the export as a
    whole cannot be read. `defects` are those that it has.
    """

    athlete_id: int
    width: int
    row_ids: list[int] = field(default_factory=list)
    lost_rows: int = 0
    files: dict[str, str] = field(default_factory=dict)
    lost_files: dict[str, str] = field(default_factory=dict)
    refused: str | None = None
    defects: tuple[str, ...] = ()


class NoRoom(ValueError):
    """An account has no activity left that a defect could spoil."""


class Draft:
    """An export before it is written; defects change it. `after` are changes to the finished ZIP."""

    def __init__(self, world: World, language: str, width: int, year: int, points: int) -> None:
        self.world = world
        # until 2019 exports were in English whoever asked
        self.language = "en" if width == len(OF_2018) else language
        self.year = year
        self.points = points
        self.titles = header(width, language, untranslated=2021 <= year <= 2023)
        self.keys = keys_of(width)
        self.exported_at = world.now()
        self.rng = Random(f"export {world.athlete_id}")  # noqa: S311 - made up
        self.athlete_id = world.athlete_id
        self.rows = [self._row(activity) for activity in sorted(world.activities(), key=lambda one: int(one["id"]))]
        self.members: dict[str, bytes] = self._other_members()
        self.odd_members: list[tuple[zipfile.ZipInfo, bytes]] = []
        self.lost_files: dict[str, str] = {}
        self.no_file: set[str] = set()
        self.folder = ""
        self.line_end = "\n"
        self.delimiter = ","
        self.bom = False
        self.refused: str | None = None
        self.after: list[Callable[[Path, str], None]] = []

    @property
    def words(self) -> Language:
        """How its language writes."""
        return LANGUAGES[self.language]

    def pick(self, wanted: Callable[[ExportedRow], bool] = bool) -> ExportedRow:
        """A row that no defect has touched yet.

        Raises NoRoom if no row will do.
        """
        row = next((row for row in self.rows if not row.spoiled and wanted(row)), None)
        if row is None:
            raise NoRoom("the account has too few activities for that defect")
        row.spoiled = True
        return row

    def pick_with_file(self, ending: str = "") -> ExportedRow:
        """A row with a file."""
        return self.pick(lambda row: row.file is not None and row.file_name.endswith(ending))

    # --- rows

    def _row(self, activity: Activity) -> ExportedRow:
        full = self.world.detail(int(activity["id"]))
        row = ExportedRow(activity, cells={})
        row.cells = self._cells(activity, full)
        name = self._file_name(activity)
        row.cells["Filename"] = name
        if name:
            row.file = lambda: self.content(row)
        return row

    def _file_name(self, activity: Activity) -> str:
        upload_id, dice = activity.get("upload_id"), Random(f"{activity['id']} file").random()  # noqa: S311
        if activity.get("manual") or not upload_id:
            return ""
        if activity.get("start_latlng") and dice < 0.35:
            # an app's recording bears the activity's id, an upload its own
            return f"activities/{activity['id']}.gpx" if dice < 0.25 else f"activities/{upload_id}.gpx.gz"
        return f"activities/{upload_id}.{'tcx' if dice > 0.85 else 'fit'}.gz"

    def raw(self, value: float | None) -> str:
        """A number for programs: 32 bits wide until 2025."""
        if value is None:
            return ""
        return str(float(value) if self.year >= _DOUBLES_SINCE else float32(value))

    def _cells(self, activity: Activity, full: Activity) -> dict[str, str]:
        words, given = self.words, {name: value for name, value in activity.items() if value is not None}
        start = datetime.fromtimestamp(epoch_of(activity["start_date"]), UTC)
        type_ = str(given.get("type") or "Workout")
        metres, elapsed_s = float(given.get("distance") or 0), int(given.get("elapsed_time") or 0)
        moving_s = int(given.get("moving_time") or 0)
        gear_id = str(given.get("gear_id") or "")
        worn = self.world.gear(gear_id) if gear_id else {}
        number = int(gear_id[1:]) if gear_id[1:].isdecimal() else None
        weather = Random(f"{activity['id']} weather")  # noqa: S311
        outdoors = bool(given.get("start_latlng"))
        heart_rate = given.get("max_heartrate") if given.get("has_heartrate") else None
        old = len(self.keys) == len(OF_2018)
        cells = {
            "Activity ID": str(activity["id"]),
            "Activity Date": iso_date(start) if old else words.date(start),
            "Activity Name": str(given.get("name") or ""),
            "Activity Type": words.sports.get(type_, type_),
            "Activity Description": str(full.get("description") or ""),
            "Elapsed Time": str(elapsed_s),
            "Distance": str(metres) if old else shown_distance(words, type_, metres),
            "Max Heart Rate": _whole(heart_rate),
            "Relative Effort": _whole(given.get("suffer_score")),
            "Commute": "true" if given.get("commute") else "false",
            "Activity Private Note": str(full.get("private_note") or ""),
            "Activity Gear": str(worn.get("name") or ""),
            "Athlete Weight": self.raw(68.5),
            "Bike Weight": self.raw(8.4) if gear_id.startswith("b") else "",
            "Elapsed Time#2": self.raw(elapsed_s),
            "Moving Time": self.raw(moving_s),
            "Distance#2": self.raw(metres),
            "Max Speed": self.raw(given.get("max_speed")),
            "Average Speed": self.raw(metres / moving_s) if metres and moving_s else "",
            "Elevation Gain": self.raw(given.get("total_elevation_gain")),
            "Elevation Low": self.raw(given.get("elev_low")),
            "Elevation High": self.raw(given.get("elev_high")),
            "Average Cadence": self.raw(given.get("average_cadence")),
            "Max Heart Rate#2": self.raw(heart_rate),
            "Average Heart Rate": self.raw(given.get("average_heartrate") if given.get("has_heartrate") else None),
            "Max Watts": self.raw(given.get("max_watts")),
            "Average Watts": self.raw(given.get("average_watts")),
            "Calories": self.raw(full.get("calories")),
            "Average Temperature": self.raw(given.get("average_temp")),
            "Relative Effort#2": self.raw(given.get("suffer_score")),
            "Total Work": self.raw(1000 * given["kilojoules"]) if "kilojoules" in given else "",
            "Perceived Exertion": self.raw(full.get("perceived_exertion")),
            "Weighted Average Power": self.raw(given.get("weighted_average_watts")),
            "Commute#2": self.raw(1.0 if given.get("commute") else None),
            "From Upload": self.raw(None if start.year < 2013 else 0.0 if given.get("manual") else 1.0),
            "Bike": self.raw(number if gear_id.startswith("b") else None),
            "Gear": self.raw(number if gear_id.startswith("g") else None),
            "Flagged": self.raw(1.0 if given.get("flagged") else 0.0),
            "Timer Time": self.raw(moving_s),
            "Competition": self.raw(1.0 if given.get("workout_type") in (1, 11) else None),
            "Long Run": self.raw(1.0 if given.get("workout_type") == 2 else None),
            "Total Steps": self.raw(moving_s * 2.7 if type_ in ("Run", "Walk", "Hike") else None),
            "Media": "|".join(f"media/{name}" for name in self.photos(activity)),
        }
        if outdoors:
            cells |= {
                "Weather Observation Time": self.raw(epoch_of(activity["start_date"]) // 3600 * 3600),
                "Weather Temperature": self.raw(round(weather.gauss(13, 6), 2)),
                "Humidity": self.raw(round(weather.uniform(0.3, 1), 2)),
                "Weather Pressure": self.raw(round(weather.gauss(1015, 8), 1)),
                "Wind Speed": self.raw(round(weather.expovariate(0.4), 2)),
                "Sunrise Time": self.raw(epoch_of(activity["start_date"]) // 86400 * 86400 + 18000),
            }
        return cells

    def photos(self, activity: Activity) -> list[str]:
        """The names of an activity's photos."""
        count = int(activity.get("total_photo_count") or 0)
        rng = Random(f"{activity['id']} photos")  # noqa: S311
        return [f"{rng.getrandbits(64):016x}.jpg" for _ in range(count)]

    # --- files

    def samples(self, row: ExportedRow) -> list[Sample]:
        """What the device measured, `points` samples at most; a crop at Strava is not in it."""
        if row.samples is not None:
            return row.samples
        streams = detail.streams(self.world.uploaded(int(row.activity["id"])), _STREAMS, self.points)
        data = {name: stream["data"] for name, stream in streams.items()}
        return [
            Sample(
                time_s,
                *(data["latlng"][i] if "latlng" in data else (None, None)),
                *(data[name][i] if name in data else None for name in _STREAMS[2:]),
            )
            for i, time_s in enumerate(data.get("time", []))
        ]

    def content(self, row: ExportedRow, **options: Any) -> bytes:
        """The file of a row, by the ending of its name; `options` are the writer's."""
        name, samples, activity = row.file_name, self.samples(row), row.activity
        start = datetime.fromtimestamp(epoch_of(activity["start_date"]), UTC)
        sport, sub_sport = _FIT_SPORTS.get(str(activity.get("sport_type") or activity.get("type")), ("generic",) * 2)
        own: dict[str, Any] = {"start": start, "sport": sport}
        if name.endswith((".fit.gz", ".bin.gz")):
            own |= {"sub_sport": sub_sport, "device": EDGE_530 if sport == "cycling" else FORERUNNER_945}
            own["utc_offset_s"] = int(activity.get("utc_offset") or 0)
            return zipped(fit_file(samples, **(own | options)))
        if name.endswith(".tcx.gz"):
            own["sport"] = _TCX_SPORTS.get(sport, "Other")
            return zipped(tcx_file(samples, **(own | options)))
        own["name"] = str(activity.get("name") or "").translate(_NO_CONTROLS)
        own["creator"] = "StravaGPX" if name.endswith(".gz") else "StravaGPX Android"
        content = gpx_file(samples, **(own | options))
        return zipped(content) if name.endswith(".gz") else content

    # --- all else

    def _other_members(self) -> dict[str, bytes]:
        profile = self.world.profile()
        private = {
            name: table(titles, [[f"{PRIVATE_MARK} {title}" for title in titles]])
            for name, titles in _PRIVATE_FILES.items()
        }
        gear = [self.world.gear(gear_id) for gear_id in self.world.gear_ids()]
        bikes, shoes = ([one for one in gear if one["id"].startswith(kind)] for kind in "bg")
        media = [(f"media/{photo}", f"Caption {i}, \u201cwindy\u201d 📷") for i, photo in enumerate(self._photos())]
        return (
            private
            | {
                "messaging.json": f'[{{"text": "{PRIVATE_MARK}"}}]'.encode(),
                "bikes.csv": table(
                    ("Bike Name", "Bike Brand", "Bike Model", "Bike Default Sport Types"),
                    [(bike["name"], bike["brand_name"], bike["model_name"], "Ride") for bike in bikes],
                ),
                "shoes.csv": table(
                    ("Shoe Name", "Shoe Brand", "Shoe Model", "Shoe Default Sport Types"),
                    [(shoe["name"], shoe["brand_name"], shoe["model_name"], "Run,Walk") for shoe in shoes],
                ),
                "components.csv": table(
                    ("Bike", "Component Type", "Component Brand", "Component Model"),
                    [(bike["name"], "chain", "Shimano", "CN-HG701") for bike in bikes],
                ),
                "profile.csv": table(
                    ("Athlete ID", "Email Address", "First Name", "Last Name", "Sex", "Description", "Weight", "City"),
                    [(self.world.athlete_id, *[PRIVATE_MARK] * 3, "M", PRIVATE_MARK, profile["weight"], PRIVATE_MARK)],
                ),
                "general_preferences.csv": table(
                    ("Birthdate", "Weight", "FTP", "Max Heart Rate", "Measurement Preference", "Language"),
                    [("1985-03-14", profile["weight"], profile["ftp"], 188, "meters", self.language)],
                ),
                "goals.csv": table(
                    ("Goal Type", "Activity Type", "Goal", "Start Date", "End Date", "Time Period"),
                    [("Distance", "Ride", "5000000", "2026-01-01", "2026-12-31", "yearly")],
                ),
                "media.csv": table(("Media Filename", "Media Caption"), media),
                "routes/1.gpx": gpx_file([Sample(0, 48.0, 7.8)], start=self.exported_at, with_times=False),
            }
            | {f"media/{photo}": f"{PRIVATE_MARK} pixels".encode() for photo in self._photos()}
        )

    def _photos(self) -> list[str]:
        return [photo for activity in self.world.activities() for photo in self.photos(activity)]

    def activities_csv(self) -> bytes:
        """The file itself."""
        stream = io.BytesIO()
        stream.write(b"\xef\xbb\xbf" if self.bom else b"")
        stream.write(line(self.titles, self.line_end, self.delimiter))
        for row in self.rows:
            line_ = line(self.texts(row), self.line_end, self.delimiter) if row.raw is None else row.raw()
            stream.write(line_)
        return stream.getvalue()

    def texts(self, row: ExportedRow) -> list[str]:
        """The cells of a row, in the order of the columns."""
        return [row.cells.get(key, "") for key in self.keys]


_NO_CONTROLS: Final = {code: None for code in range(32) if code not in (9, 10)} | {0xFFFE: None, 0xFFFF: None}


def keys_of(width: int) -> list[str]:
    """The keys of a row's cells, in the order of the columns."""
    if width == len(OF_2018):
        titles = [title for title in english_titles(11) if title != "Relative Effort"]
    else:
        titles = english_titles(width)
    return [f"{title}#2" if title in titles[:i] else title for i, title in enumerate(titles)]


def float32(value: float) -> float:
    """A number as 32 bits keep it."""
    number: float = struct.unpack("f", struct.pack("f", value))[0]
    return number


def shown_distance(words: Language, type_: str, metres: float) -> str:
    """A distance for people: metres in the water, nautical miles under sail, else kilometres."""
    if type_ in ("Swim", "Rowing"):
        return words.number(metres, 0)
    return words.number(metres / (1852 if type_ in ("Sail", "Windsurf") else 1000), 2)


def _whole(value: float | None) -> str:
    return "" if value is None else str(round(value))


def line(cells: Sequence[str], end: str = "\n", delimiter: str = ",") -> bytes:
    """A line of a CSV file."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerow(cells)
    return stream.getvalue().encode()


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file."""
    return line(titles) + b"".join(line([str(cell) for cell in row]) for row in rows)


def zipped(content: bytes) -> bytes:
    """A content in gzip, the same each time."""
    return gzip.compress(content, compresslevel=1, mtime=0)


def write_export(
    world: World,
    path: Path,
    *,
    language: str = "en",
    year: int | None = None,
    width: int | None = None,
    defects: Iterable[str] = (),
    points: int = POINTS,
    folder: bool = False,
) -> Written:
    """Write the athlete's export and return what is in it.

    `year` decides how activities.csv looks (default: the world's own), `width` how many columns it has. `defects` are
    names from `simulator.export_defects`, or `mixed`. `points` is how many samples a file has at most. `folder`: an
    unpacked export instead of a ZIP.

    Raises ValueError for a language, width, year or defect that there is not, NoRoom for more defects than activities.
    """
    from simulator.export_defects import apply  # noqa: PLC0415 - defects change drafts

    if language not in LANGUAGES:
        raise ValueError(f"no language {language}; there are {', '.join(LANGUAGES)}")
    year = year or min(max(WIDTHS), world.now().year)
    if width is None and year not in WIDTHS:
        raise ValueError(f"no year {year}; there are {min(WIDTHS)} to {max(WIDTHS)}")
    draft = Draft(world, language, width or WIDTHS[year], year, points)
    done = apply(draft, defects)
    written = Written(world.athlete_id, len(draft.titles), refused=draft.refused, defects=done)
    if folder:
        _write_folder(draft, path, written)
    else:
        _write_zip(draft, path, written)
    written.row_ids = [int(row.activity["id"]) for row in draft.rows if row.lost is None]
    written.lost_rows = sum(row.lost is not None for row in draft.rows)
    return written


def _files(draft: Draft, written: Written) -> Iterable[tuple[str, bytes]]:
    written.lost_files = dict(draft.lost_files)
    for row in draft.rows:
        name = row.file_name
        if row.file is None or name in draft.no_file:
            continue
        content = row.file()
        if name not in draft.lost_files:
            written.files[name] = hashlib.sha256(content).hexdigest()
        yield name, content


def _write_folder(draft: Draft, path: Path, written: Written) -> None:
    for name, content in [("activities.csv", draft.activities_csv()), *draft.members.items()]:
        _put(path / draft.folder / name, content)
    for name, content in _files(draft, written):
        _put(path / draft.folder / name, content)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_zip(draft: Draft, path: Path, written: Written) -> None:
    moment = draft.exported_at.timetuple()[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if draft.refused != "not-an-export":
            _add(archive, f"{draft.folder}activities.csv", draft.activities_csv(), moment)
        for name, content in draft.members.items():
            _add(archive, f"{draft.folder}{name}", content, moment)
        for name, content in _files(draft, written):
            _add(archive, f"{draft.folder}{name}", content, moment)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a name that is there twice is the defect
            for info, content in draft.odd_members:
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    for change in draft.after:
        change(path, draft.folder)


def _add(archive: zipfile.ZipFile, name: str, content: bytes, moment: tuple[Any, ...]) -> None:
    info = zipfile.ZipInfo(name, (moment[0], *moment[1:6]))
    info.external_attr = 0o100644 << 16
    archive.writestr(info, content, zipfile.ZIP_DEFLATED)
