"""Random histories by all doors: exports, files of a watch, the API, withdrawals and kills, and what they end in."""

import gzip
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
from home import Athlete
from landed import NO_LIMITS
from processes import Launcher

from simulator import Simulator, write_export
from simulator.activity_files import Sample, fit_file
from simulator.export_words import LANGUAGES

SPRING = datetime(2026, 4, 6, 12, tzinfo=UTC)
DAY_S = 86_400
CHANGES = ("add", "late upload", "edit", "crop", "delete", "restore")
# what happens one day, before there is an API
DAYS = (*CHANGES, "record", "export", "export", "import", "import")
# and what happens once there is one
HOURS = (*CHANGES, "record", "pull", "pull", "import")
# of exports; the words of the unknown one say nothing about a sport
SPOKEN = sorted(LANGUAGES.keys() - {"unknown"})
# a command changes files so often, or less; then it ends before it is killed
CHANGES_OF_FILES = 250
KILLED = -9
# what an export and the list have in common, as the warehouse shows it; an export rounds metres to 32 bits
EXACT = ("name", "elapsed_time", "start_date", "type")
METRES = ("distance",)
NEAR = 1e-6


@dataclass(frozen=True)
class Wanted:
    """What the warehouse has to say of an activity: these fields; the door of `doors` is known, another may be too."""

    fields: Mapping[str, Any]
    doors: frozenset[str]


@dataclass(frozen=True)
class EndedByDoors:
    """A history at its end: by id, what the warehouse has to show of this athlete."""

    name: str
    athlete_id: int
    wanted: Mapping[int, Wanted]

    def differences_among(self, athletes: Path) -> list[str]:
        """What differs in the warehouse at `athletes`, in words."""
        with duckdb.connect(str(athletes), read_only=True) as connection:

            def asked(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query, [self.athlete_id]).fetchall()

            fields = ", ".join((*EXACT, *METRES))
            shown = asked(f"select id, doors, {fields} from strava.activities where athlete_id = ?")
            sources = asked(
                "select activity_id, string_agg(door, ', ' order by door) from strava.activity_sources "
                "where athlete_id = ? group by all"
            )
            [(counted,)] = asked(
                "select coalesce(sum(activities), 0) from strava.activities_daily where athlete_id = ?"
            )
        ids = [id_ for id_, *_ in shown]
        found = [f"{id_} is there twice" for id_ in set(ids) if ids.count(id_) > 1]
        found += [f"{id_} is missing" for id_ in self.wanted.keys() - set(ids)]
        found += [f"{id_} is shown and should not be" for id_ in set(ids) - self.wanted.keys()]
        if counted != len(ids):
            found.append(f"the days have {counted} activities, the table {len(ids)}")
        if dict(sources) != {id_: doors for id_, doors, *_ in shown}:
            found.append("the sources have other doors than the activities")
        for id_, doors, *values in shown:
            if id_ in self.wanted:
                found += _field_differences(
                    id_, self.wanted[id_], doors, dict(zip((*EXACT, *METRES), values, strict=True))
                )
        return found


def _field_differences(id_: int, wanted: Wanted, doors: str, shown: Mapping[str, Any]) -> list[str]:
    found = [
        f"{id_}: {name} is {shown[name]!r}, not {value!r}"
        for name, value in wanted.fields.items()
        if not _is_same(name, shown[name], value)
    ]
    known = frozenset(doors.split(", "))
    # an export's own files are a door too, and which of its activities have one does not matter here
    if known - {"file"} != wanted.doors - {"file"} or wanted.doors - known:
        found.append(f"{id_}: its doors are {doors}, not {', '.join(sorted(wanted.doors))}")
    return found


def _is_same(name: str, shown: Any, wanted: Any) -> bool:
    if name == "start_date":
        return bool(shown == datetime.fromisoformat(wanted).replace(tzinfo=None))
    if name in METRES:
        return abs(float(shown or 0) - float(wanted or 0)) <= max(NEAR * float(wanted or 0), 0.05)
    return bool(shown == wanted)


def _put(path: Path, content: bytes) -> None:
    """Write a file of the watch, which nobody is writing any more."""
    path.write_bytes(content)
    os.utime(path, (time.time() - 3600,) * 2)


Listed = dict[int, dict[str, Any]]


@dataclass
class DoorsHistory:
    """An athlete without an account at first, whose history comes by exports and files, then by the API too.

    Each history is known by its seed and number, and the same each time. `say` hears each step.
    """

    seed: int
    number: int
    folder: Path
    launcher: Launcher
    say: Callable[[str], None] = lambda _step: None
    kills: int = 0
    # (path, what Strava had by then), oldest first
    exports: list[tuple[Path, Listed]] = field(default_factory=list)
    imported: set[int] = field(default_factory=set)
    # what the API said last; None: never asked, or withdrawn
    listed: Listed | None = None
    # activity at Strava -> hash of the file that its watch wrote
    recorded: dict[int, str] = field(default_factory=dict)
    # those of them that an export or the API has brought: their files are theirs from then on, whatever is withdrawn
    taken_over: set[int] = field(default_factory=set)

    def run(self) -> EndedByDoors:
        """Go through it; the shards are in `data` then."""
        self._dice = random.Random(self.seed * 1_000_003 + self.number)  # noqa: S311 - no secret
        # of their own, so that a history of these numbers stays the same
        self._languages = random.Random(self.number)  # noqa: S311 - no secret
        self._copies = random.Random(self.number)  # noqa: S311 - no secret
        with Simulator(self._dice.randrange(1, 2**31), activities=12, clock=SPRING, limits=NO_LIMITS) as self.strava:
            self.athlete = Athlete(self.folder / "home", self.strava)
            self.athlete.home.mkdir(parents=True)
            self.athlete.settings |= {"ENRICH_LIMIT": "4", "STRAVA_SWEEP_HOURS": "0"}
            self.athlete.settings["SOAK_COMPACTS_ABOVE"] = self._dice.choice(["1", "3", "16"])
            # whose the files of a watch are, an export says
            self._export()
            self._import(0)
            for what in self._dice.choices(DAYS, k=self._dice.randrange(3, 10)):
                self.strava.advance(DAY_S)
                self._do(what)
            if self._dice.random() < 0.3:
                self._export()
                self._import(len(self.exports) - 1)
            if self._dice.random() < 0.7:
                self.strava.set_clock(datetime.now(UTC))
                self.athlete.authorise()
                for what in [*self._dice.choices(HOURS, k=self._dice.randrange(1, 6)), "pull"]:
                    self._do(what)
            if self._dice.random() < 0.5:
                self._withdraw(self._dice.choice(["api", "export", "file"]))
            self._command("stage", "build")
            return EndedByDoors(f"history {self.number}", self.strava.athlete_id, self._wanted())

    @property
    def data(self) -> Path:
        """Where its shards are."""
        return self.athlete.home / "data"

    # --- what happens

    def _do(self, what: str) -> None:
        match what:
            case "export":
                self._export()
            case "import":
                # an older one may come after a newer one
                self._import(self._dice.randrange(len(self.exports)))
            case "record":
                self._record()
            case "pull":
                self._command("pull,stage", "pull", "--confirm-deletions")
                self.listed = self._at_strava()
                self.taken_over |= self.recorded.keys() & self.listed.keys()
            case _:
                self._change(what)

    def _change(self, what: str) -> None:
        self.say(what)
        ids, gone = sorted(self._at_strava().keys() - self.recorded.keys()), list(self.strava.deleted_ids)
        chosen = self._dice.choice(ids)
        ago_s = self._dice.randrange(3600, 20_000)
        if what == "add":
            self.strava.add(start_date=self.strava.now() - timedelta(seconds=ago_s), name=f"New {ago_s}")
        elif what == "late upload":
            self.strava.add(start_date=self.strava.now() - timedelta(days=900, seconds=ago_s), name=f"Late {ago_s}")
        elif what == "edit":
            self.strava.edit(chosen, name=f"Edited {ago_s}")
        elif what == "crop":
            # the file of one that was recorded stays as long as it was
            recorded = sorted(self.recorded)
            self.strava.crop(self._copies.choice(recorded) if recorded and self._copies.random() < 0.5 else chosen)
        elif what == "delete" and len(ids) > 3:
            self.strava.delete(chosen)
        elif what == "restore" and gone:
            self.strava.restore(self._dice.choice(gone))

    def _export(self) -> None:
        path = self.folder / f"{len(self.exports)}.zip"
        language = self._languages.choice(SPOKEN)
        write_export(self.strava, path, points=3, language=language)
        self.exports.append((path, self._at_strava()))
        self.say(f"export {len(self.exports) - 1} with {len(self.exports[-1][1])} activities, language {language}")

    def _import(self, which: int) -> None:
        path, exported = self.exports[which]
        self._command("import,stage", "import", str(path), "--confirm-deletions")
        self.imported.add(which)
        self.taken_over |= self.recorded.keys() & exported.keys()

    def _record(self) -> None:
        """A watch records an activity, uploads it, and writes its file into the folder."""
        length_s = self._dice.randrange(1500, 9000)
        metres = float(length_s * 3)
        start = self.strava.now().replace(microsecond=0) - timedelta(seconds=self._dice.randrange(10_000, 80_000))
        activity = self.strava.add(
            start, name=f"Recorded {length_s}", elapsed_time=length_s, moving_time=length_s, distance=metres
        )
        samples = [
            Sample(length_s * n // 3, lat=47.3 + metres * n / 3 / 111_195, lng=8.5, distance_m=metres * n / 3)
            for n in range(4)
        ]
        content = fit_file(samples, start=start)
        path = self.folder / "watch" / f"{length_s}.fit"
        path.parent.mkdir(exist_ok=True)
        # a sync program leaves copies, of which nothing may be seen: without the end, before or after, and in gzip
        copies = {f"{letter} {length_s}.fit": fit_file(samples[:-1], start=start) for letter in "az"}
        copies[f"{length_s}.fit.gz"] = gzip.compress(content)
        left = self._copies.sample(sorted(copies), self._copies.randrange(len(copies) + 1))
        for name in sorted(left):
            if self._copies.random() < 0.5:
                _put(path.with_name(name), copies.pop(name))
                self._command("watch,stage", "import", "--watch", str(path.parent), dice=self._copies)
        for name in (name for name in left if name in copies):
            _put(path.with_name(name), copies[name])
        _put(path, content)
        self.say(f"recorded {length_s}, with copies {', '.join(left) or 'none'}")
        self._command("watch", "import", "--watch", str(path.parent))
        self.recorded[activity["id"]] = sha256(content).hexdigest()

    def _withdraw(self, door: str) -> None:
        self._command("withdraw", "withdraw", "--door", door, "--yes")
        if door == "api":
            self.listed = None
        elif door == "export":
            self.imported.clear()
        else:
            self.recorded.clear()

    def _command(self, steps: str, *arguments: str, dice: random.Random | None = None) -> None:
        """Run a command to its end, now and then after it was killed at a change of a file."""
        dice = dice or self._dice
        self.say(" ".join(arguments))
        if dice.random() < 0.3:
            at = str(dice.randrange(1, CHANGES_OF_FILES))
            ran = self.launcher.start(
                *arguments, environment=self.athlete.environment(SOAK_STEPS=steps, SOAK_KILL_AT=at)
            )
            if ran.wait().code == KILLED:
                self.kills += 1
                self.say(f"killed at change {at}")
                self._authorise_if_locked_out()
        ran = self.launcher.start(*arguments, environment=self.athlete.environment(SOAK_STEPS=steps)).wait()
        assert ran.code == 0, f"{' '.join(arguments)}: {ran.code} {ran.err}"

    def _authorise_if_locked_out(self) -> None:
        """A kill while Strava's answer with a new token was under way: the old one is dead, nobody has the new one."""
        token_file = self.athlete.token_file
        if token_file.exists() and not self.strava.accepts_refresh_token(
            json.loads(token_file.read_bytes())["refresh_token"]
        ):
            self.say("authorised again")
            self.athlete.authorise()

    # --- what has to be shown

    def _at_strava(self) -> Listed:
        return {activity["id"]: activity for activity in self.strava.activities()}

    def _wanted(self) -> dict[int, Wanted]:
        exported = self.exports[max(self.imported)][1] if self.imported else {}
        ever_exported = {id_ for which in self.imported for id_ in self.exports[which][1]}
        live = exported if self.listed is None else self.listed
        wanted = {}
        for id_, activity in live.items():
            doors = {"api"} if self.listed is not None else set()
            doors |= {"export"} if id_ in ever_exported else set()
            doors |= {"file"} if id_ in self.recorded else set()
            wanted[id_] = Wanted({name: activity[name] for name in (*EXACT, *METRES)}, frozenset(doors))
        for id_, digest in self.recorded.items():
            if id_ not in ever_exported and (self.listed is None or id_ not in self.listed):
                shown_as = id_ if id_ in self.taken_over else -1 - int(digest, 16) % 2**52
                wanted[shown_as] = Wanted({}, frozenset({"file"}))
        return wanted
