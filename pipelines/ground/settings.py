"""Settings: one dlt configuration, from options, STRAVA_* variables, `.env` and dlt's own files.

dlt resolves each field: an explicit value (an option of the command) overrides its providers, which are asked in
order: the environment, `.env`, then dlt's `secrets.toml` and `config.toml`.
"""

import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException, ValueNotSecretException
from dlt.common.configuration.providers import ConfigProvider, EnvironProvider
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.typing import TSecretStrValue
from dotenv import dotenv_values

from pipelines.ground.errors import BadSetting, NotAuthorised, StorageFailed
from pipelines.ground.goals import Goal, parse_goals
from pipelines.ground.resources import ON_DEMAND

REPO = Path(__file__).resolve().parents[2]
SECTIONS = ("sources", "strava")
MAX_PER_PAGE = 200
# the characters of a host: all but those that separate the parts of an address
_HOST = re.compile(r"[^\x00-\x20\x7f/?#@\\<>^`{|}*]+")
# a hundred years
MOST_HOURS = 876_600
# systems allow 255 and 4,096 bytes: files written beside another have a longer name, and dbt's files are deep below
LONGEST_NAME = 220
LONGEST_PATH = 3500
# the schemas in the warehouse that queries name without a catalog
SCHEMAS = ("staging",)
# the range of the athlete's numbers: a value beyond it is in another unit, or a mistake
POSSIBLE = {
    "rest_hr": (20, 150, "beats per minute"),
    "max_hr": (80, 250, "beats per minute"),
    "threshold_hr": (60, 240, "beats per minute"),
    "ftp": (20, 1000, "watts"),
}
# the settings that are paths, or may be
PATHS = ("home", "token_file", "warehouse", "bronze_url", "publish", "watch")
# a shell would replace these; here, a folder of that name would be created
VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*|\{[A-Z_][A-Z0-9_]*\})")


@dataclass(frozen=True)
class Setting:
    """The names of a field of `StravaSettings` outside, newest first, and what it is for."""

    names: tuple[str, ...]
    help: str


SETTINGS: Mapping[str, Setting] = {
    "client_id": Setting(("STRAVA_CLIENT_ID",), "Client ID of your app, from https://www.strava.com/settings/api"),
    "client_secret": Setting(("STRAVA_CLIENT_SECRET",), "Client Secret of your app, from the same page"),
    "redirect_uri": Setting(
        ("STRAVA_REDIRECT_URI",),
        "where Strava sends the browser after `auth`, which listens there if it is a loopback address with a free port",
    ),
    "scope": Setting(
        ("STRAVA_SCOPE",),
        "what `auth` requests; without `activity:read_all` your only-me activities are missing, without "
        "`profile:read_all` your zones",
    ),
    "api_url": Setting(("STRAVA_API_URL",), "Strava's API (from 2027-01-04: https://api-v3.strava.com)"),
    "oauth_url": Setting(("STRAVA_OAUTH_URL",), "Strava's OAuth pages"),
    "home": Setting(("STRAVA_HOME",), "where the relative paths below start; default: this repository"),
    "token_file": Setting(("STRAVA_TOKEN_FILE",), "the tokens, mode 0600"),
    "warehouse": Setting(("STRAVA_WAREHOUSE",), "the DuckDB file"),
    "bronze_url": Setting(
        ("STRAVA_BRONZE_URL",),
        "the folder of the shards, here or in a bucket: `s3://bucket/folder`, with AWS's own variables",
    ),
    "publish": Setting(
        ("STRAVA_PUBLISH",),
        "a read-only copy of the warehouse for dashboards, replaced in one step after each build; "
        "its name equals the warehouse's up to the first dot",
    ),
    "watch": Setting(
        ("STRAVA_WATCH",),
        "a folder into which watches and sync programs write FIT, GPX and TCX files (also `.gz`, also in "
        "subfolders): each `flow` and `import` reads what is new there; nothing is ever written to it",
    ),
    "purge_deleted": Setting(
        ("STRAVA_PURGE_DELETED",), "whether each `flow` purges what was deleted at Strava: `true` or `false`"
    ),
    "page": Setting(("STRAVA_PAGE",), "whether each `flow` makes the page: `true` or `false`"),
    "per_page": Setting(("PER_PAGE",), "activities per request of the list, 1 to 200"),
    "enrich_limit": Setting(
        ("ENRICH_LIMIT", "STRAVA_ENRICH_MAX"), "how many details a run fetches at most: a number, 0 for none, or `all`"
    ),
    "enrich_sleep_ms": Setting(
        ("STRAVA_ENRICH_SLEEP_MS",), "minimum time between two requests for details, in milliseconds"
    ),
    "retry_wait_s": Setting(
        ("STRAVA_RETRY_WAIT_S",),
        "wait before the second try of a failed request, in seconds; each further wait is twice as long",
    ),
    "reserve": Setting(
        ("STRAVA_RESERVE",), "requests of each day that are left to pulls when details are fetched; 0 for none"
    ),
    "max_wait_s": Setting(
        ("STRAVA_MAX_WAIT_S",),
        "maximum wait for the next 15-minute window, in seconds; 0 not to wait, for schedulers; `flow --backfill` "
        "always waits",
    ),
    "lookback_days": Setting(
        ("STRAVA_LOOKBACK_DAYS",), "how far behind the cursor each pull starts, for late uploads and edits, in days"
    ),
    "sweep_hours": Setting(
        ("STRAVA_SWEEP_HOURS",),
        "how often a pull walks the whole list, for late uploads, edits and deletions of any age, in hours; "
        "0 for always",
    ),
    "details_days": Setting(
        ("STRAVA_DETAILS_DAYS",),
        "after how many days details are fetched again (a description that was edited alone shows nowhere else); "
        "at most 20 a day; 0 for never",
    ),
    "resources": Setting(
        ("STRAVA_RESOURCES",),
        f"what else to mirror, separated by commas: {', '.join(f'`{name}`' for name in ON_DEMAND)}; each costs one "
        "request for each activity that has any",
    ),
    "schedule": Setting(
        ("STRAVA_SCHEDULE",), "when `schedule` runs the flow: minute, hour, day, month, weekday, as in cron"
    ),
    "time_zone": Setting(("TZ",), "the time zone of STRAVA_SCHEDULE, like `Europe/Berlin`"),
    "rest_hr": Setting(("STRAVA_REST_HR",), "your heart rate at rest, in beats per minute"),
    "max_hr": Setting(("STRAVA_MAX_HR",), "your highest heart rate, in beats per minute"),
    "threshold_hr": Setting(
        ("STRAVA_THRESHOLD_HR",), "your heart rate at threshold (what you can hold for an hour), in beats per minute"
    ),
    "ftp": Setting(("STRAVA_FTP",), "your functional threshold power, in watts"),
    "sex": Setting(("STRAVA_SEX",), "`m` or `f`: which constants turn a heart rate into load"),
    "units": Setting(("STRAVA_UNITS",), "the page's units when it opens: `km` or `mi`"),
    "goals": Setting(
        ("STRAVA_GOALS",),
        "goals, separated by commas, like `Run 1000 km/year, Ride 100 km/week, All 10 h/week`: a group of sports or "
        "`All`; `km`, `mi`, `m` (climbed; in Swim and Water a distance), `h`, `x` (activities) or `days`; per `week`, "
        "`month` or `year`",
    ),
    "state_passphrase": Setting(
        ("STRAVA_STATE_PASSPHRASE",), "the passphrase of `backup` and `restore`, at least 16 characters"
    ),
}


@configspec
class StravaSettings(BaseConfiguration):
    """The settings, typed and checked. The reference of settings is generated from here and from `SETTINGS`."""

    client_id: str | None = None
    client_secret: TSecretStrValue | None = None
    redirect_uri: str = "http://localhost/exchange_token"
    scope: str = "read,profile:read_all,activity:read,activity:read_all"
    api_url: str = "https://www.strava.com/api/v3"
    oauth_url: str = "https://www.strava.com/oauth"
    home: str = ""
    token_file: str = "secrets/strava_token.json"  # noqa: S105 - a path
    warehouse: str = "warehouse/strava.duckdb"
    bronze_url: str = "data"
    publish: str | None = None
    watch: str | None = None
    purge_deleted: bool = False
    page: bool = False
    per_page: int = MAX_PER_PAGE
    enrich_limit: str = "100"
    enrich_sleep_ms: int = 200
    reserve: int = 20
    max_wait_s: int = 900
    lookback_days: int = 30
    sweep_hours: float = 24
    details_days: float = 30
    resources: str | None = None
    retry_wait_s: float = 1.0
    schedule: str = "7 * * * *"
    time_zone: str = "UTC"
    rest_hr: float | None = None
    max_hr: float | None = None
    threshold_hr: float | None = None
    ftp: float | None = None
    sex: str | None = None
    units: str = "km"
    goals: str | None = None
    state_passphrase: TSecretStrValue | None = None

    __config_gen_annotations__: ClassVar[list[str]] = []

    def on_resolved(self) -> None:
        """Refuse what cannot be right.

        Raises:
            BadSetting: it names the setting, its value and what is allowed.
        """
        if not 1 <= self.per_page <= MAX_PER_PAGE:
            raise BadSetting(f"PER_PAGE is {self.per_page}: Strava takes 1 to {MAX_PER_PAGE} activities per page.")
        if self.enrich_sleep_ms < 0:
            raise BadSetting(f"STRAVA_ENRICH_SLEEP_MS is {self.enrich_sleep_ms}: it must be 0 or more milliseconds.")
        if self.reserve < 0:
            raise BadSetting(f"STRAVA_RESERVE is {self.reserve}: it must be 0 or more requests.")
        if self.max_wait_s < 0:
            raise BadSetting(f"STRAVA_MAX_WAIT_S is {self.max_wait_s}: it must be 0 or more seconds.")
        if not 0 <= self.retry_wait_s < math.inf:
            raise BadSetting(f"STRAVA_RETRY_WAIT_S is {self.retry_wait_s}: it must be 0 or more seconds.")
        for field, url in (
            ("redirect_uri", self.redirect_uri),
            ("api_url", self.api_url),
            ("oauth_url", self.oauth_url),
        ):
            if not _is_address(url):
                name = SETTINGS[field].names[0]
                raise BadSetting(
                    f"{name} is {without_password(url)!r}: it must be an address that starts with https:// or http://."
                )
        self._check_spans()
        self._check_athlete()
        self._check_paths()
        _ = self.enrich_max, self.wanted_resources

    def _check_paths(self) -> None:
        for field in PATHS:
            self.path(field)
        _ = self.token_path, self.warehouse_path, self.bronze_path, self.publish_path, self.watch_path

    def _check_spans(self) -> None:
        if self.lookback_days < 0:
            raise BadSetting(f"STRAVA_LOOKBACK_DAYS is {self.lookback_days}: it must be 0 or more days.")
        if not 0 <= self.sweep_hours < MOST_HOURS:
            raise BadSetting(f"STRAVA_SWEEP_HOURS is {self.sweep_hours}: it must be from 0 to {MOST_HOURS} hours.")
        if not 0 <= self.details_days < MOST_HOURS / 24:
            raise BadSetting(
                f"STRAVA_DETAILS_DAYS is {self.details_days}: it must be from 0 to {MOST_HOURS // 24} days."
            )

    def _check_athlete(self) -> None:
        for field, (lowest, highest, unit) in POSSIBLE.items():
            value = getattr(self, field)
            if value is not None and not lowest <= value <= highest:
                raise BadSetting(
                    f"{SETTINGS[field].names[0]} is {value}: it must be from {lowest} to {highest} {unit}, or not set."
                )
        rising = [field for field in ("rest_hr", "threshold_hr", "max_hr") if getattr(self, field) is not None]
        for lower, higher in pairwise(rising):
            if getattr(self, lower) >= getattr(self, higher):
                raise BadSetting(
                    f"{SETTINGS[lower].names[0]} is {getattr(self, lower)}: it must be below "
                    f"{SETTINGS[higher].names[0]}, which is {getattr(self, higher)}."
                )
        if self.sex is not None and self.sex.lower() not in ("m", "f"):
            raise BadSetting(f"STRAVA_SEX is {self.sex!r}: it must be m or f, or not set.")
        if self.units.lower() not in ("km", "mi"):
            raise BadSetting(f"STRAVA_UNITS is {self.units!r}: it must be km or mi.")
        _ = self.goals_read

    @property
    def wanted_resources(self) -> tuple[str, ...]:
        """What else to mirror, each once, by its name in `ON_DEMAND`.

        Raises:
            BadSetting: it names what does not exist.
        """
        names = tuple(dict.fromkeys(name.strip().lower() for name in (self.resources or "").split(",") if name.strip()))
        if unknown := [name for name in names if name not in ON_DEMAND]:
            raise BadSetting(f"STRAVA_RESOURCES has {', '.join(unknown)}: it must be of {', '.join(ON_DEMAND)}.")
        return names

    @property
    def goals_read(self) -> tuple[Goal, ...]:
        """The goals.

        Raises:
            BadSetting: it names the one that is not a goal.
        """
        return parse_goals(self.goals or "")

    def path(self, field: str) -> Path:
        """The path in setting `field`, with `~` replaced by the caller's home; relative if it was given so.

        Raises:
            BadSetting: it contains a variable, which is not replaced here, or a home that does not exist.
        """
        text: str = getattr(self, field) or ""
        name = SETTINGS[field].names[0]
        if variable := next((part for part in Path(text).parts if VARIABLE.fullmatch(part)), None):
            raise BadSetting(
                f"{name} is {text!r}: {variable} is not replaced here. Write the path itself; ~ is your home."
            )
        try:
            # ./~ is a folder of that name, as in a shell
            return Path(text).expanduser() if text.startswith("~") else Path(text)
        except RuntimeError:
            raise BadSetting(
                f"{name} is {text!r}: there is no such home on this machine. Write the path itself."
            ) from None

    @property
    def home_path(self) -> Path:
        """The absolute folder where relative paths start."""
        try:
            return (REPO / self.path("home")).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise BadSetting(f"STRAVA_HOME is {self.home!r}, which is not a folder: {error}.") from None

    @property
    def token_path(self) -> Path:
        """The absolute path of the token file."""
        return self._path("token_file")

    @property
    def warehouse_path(self) -> Path:
        """The absolute path of the DuckDB file.

        Raises:
            BadSetting: no file, or none of ours, can have that name.
        """
        path = self._path("warehouse")
        if catalog_of(path).lower() in SCHEMAS:
            raise BadSetting(
                f"STRAVA_WAREHOUSE is {self.warehouse!r}: {path.name} has a schema of the same name inside, and DuckDB "
                "could not distinguish the two. Choose another name."
            )
        if "?" in str(path) or "%" in str(path.parent):
            raise BadSetting(
                f"The warehouse {path} has a ? or a % in its path, which DuckDB, or dlt beside it, takes "
                "for something else: choose another STRAVA_HOME or STRAVA_WAREHOUSE."
            )
        return path

    @property
    def publish_path(self) -> Path | None:
        """The absolute path of the read-only copy of the warehouse, if one is wanted.

        Raises:
            BadSetting: it is the warehouse itself, or has the wrong name.
        """
        if self.publish is None:
            return None
        path = self._path("publish")
        if path.resolve() == self.warehouse_path.resolve():
            raise BadSetting(f"STRAVA_PUBLISH is {self.publish!r}, the warehouse itself: name another file.")
        # DuckDB names the catalog after the file, and the place of the models depends on it
        catalog, wanted = map(catalog_of, (path, self.warehouse_path))
        if catalog != wanted or path.is_dir():
            raise BadSetting(
                f"STRAVA_PUBLISH is {self.publish!r}: the copy has to be called as the warehouse is, else its views "
                f"would not find their tables: {wanted}.published.duckdb, or {self.warehouse_path.name} in another "
                "folder."
            )
        return path

    @property
    def watch_path(self) -> Path | None:
        """The absolute folder whose activity files are imported, if there is one."""
        return None if self.watch is None else self._path("watch")

    @property
    def watch_cache_path(self) -> Path:
        """The absolute path of the cache of what is known about the files there."""
        return self.state_path / "watch.json"

    @property
    def bronze_path(self) -> Path:
        """The absolute folder of the shards, or of the copy of those in an object store."""
        if self.bronze_store is not None:
            # one copy for each place: the shards of another place are another history
            place = hashlib.sha256(self.bronze_store.encode()).hexdigest()[:8]
            return self.state_path / f"bronze-{place}"
        return self._path("bronze_url")

    def _path(self, field: str) -> Path:
        """The absolute path in setting `field`, checked before anything is requested or written.

        Raises:
            BadSetting: the system, dlt or DuckDB could not use it.
        """
        path = self.home_path / self.path(field)
        if why := why_no_path(path):
            raise BadSetting(f"{SETTINGS[field].names[0]} is {getattr(self, field)!r}, and {str(path)!r} {why}.")
        return path

    @property
    def bronze_store(self) -> str | None:
        """The address of the shards in an object store; None if they are in a folder.

        Raises:
            BadSetting: it is an address of another kind.
        """
        if "://" not in self.bronze_url:
            return None
        scheme, _, place = self.bronze_url.rstrip("/").partition("://")
        if scheme != "s3" or "/" not in place:
            raise BadSetting(
                f"STRAVA_BRONZE_URL is {without_password(self.bronze_url)!r}: it must be a folder, here or in a bucket: s3://bucket/folder."
            )
        return f"s3://{place}"

    @property
    def output_path(self) -> Path:
        """The absolute folder of the JSON files, one per pull that landed something."""
        return self.home_path / "output"

    @property
    def site_path(self) -> Path:
        """The absolute folder of the page."""
        return self.home_path / "site"

    @property
    def state_path(self) -> Path:
        """The absolute folder of what may be lost: dlt's working folder, the last known budget, the last run."""
        return self.warehouse_path.parent / ".state"

    @property
    def lock_path(self) -> Path:
        """The absolute path of the lock that every run holds."""
        return self.state_path / "run.lock"

    @property
    def restoring_path(self) -> Path:
        """The absolute path of the file that lists what a restore moves; while it exists, the restore is not done."""
        return self.state_path / ".restoring.json"

    @property
    def enrich_max(self) -> int | None:
        """How many details a run may fetch; None means all.

        Raises:
            BadSetting: ENRICH_LIMIT is neither a number of 0 or more nor `all`.
        """
        text = self.enrich_limit.strip().lower()
        if text == "all":
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise BadSetting(f"ENRICH_LIMIT is {self.enrich_limit!r}: it must be a number, 0 for none, or all.")
        return int(text)

    def credentials(self) -> tuple[str, str]:
        """Client id and secret of the app.

        Raises:
            NotAuthorised: either is missing; the text says how to get them.
        """
        if not self.client_id or not self.client_secret:
            fields = {"client_id": self.client_id, "client_secret": self.client_secret}
            missing = [SETTINGS[field].names[0] for field, value in fields.items() if not value]
            raise NotAuthorised(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Create an app at "
                "https://www.strava.com/settings/api (Authorization Callback Domain: localhost), then put its "
                "Client ID and Client Secret into .env (see .env.example). To try without an account: make demo."
            )
        return self.client_id, self.client_secret


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    return re.sub(r"//[^/]*@", "//…@", url)


def catalog_of(path: Path) -> str:
    """The name that DuckDB gives the catalog of the file at `path`."""
    return next((part for part in path.name.partition("?")[0].split(".") if part), "")


def why_no_path(path: Path) -> str:
    """Why the file or folder at `path` cannot be used, as the rest of a sentence; empty if it can."""
    try:
        encoded = str(path).encode()
    except UnicodeEncodeError:
        return "is not UTF-8 text, which DuckDB needs: choose another name"
    if b"\0" in encoded:
        return "contains a zero byte: choose another name"
    if len(encoded) > LONGEST_PATH or max(map(len, encoded.split(b"/"))) > LONGEST_NAME:
        return (
            f"is too long: a name may have {LONGEST_NAME} bytes, and a path {LONGEST_PATH}, so that the files beside "
            "and below it fit: choose a shorter one"
        )
    if "\\" in str(path) and set("*?[") & set(str(path)):
        return "contains a backslash and one of * ? [, which DuckDB takes for a pattern: choose another name"
    return ""


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # an invalid port or host is only noticed when it is read
        host = parts.hostname or ""
        host.encode("idna")
        return parts.scheme in ("http", "https") and bool(_HOST.fullmatch(host)) and parts.port != 0
    except ValueError:
        return False


class StravaNames(ConfigProvider):
    """Answers dlt's look-ups of `sources.strava.*` from variables: by this project's names, then by dlt's."""

    def __init__(self, label: str, variables: Mapping[str, str | None]) -> None:
        self._label = label
        self._variables = variables

    def get_value(self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str) -> tuple[Any | None, str]:
        """Value and name of the variable for `key`; an empty variable counts as not set."""
        names = (*SETTINGS[key].names, "__".join((*SECTIONS, key)).upper())
        if sections == SECTIONS:
            for name in names:
                if value := self._variables.get(name):
                    return value, name
        return None, names[0]

    @property
    def supports_secrets(self) -> bool:
        """The client secret may come from here."""
        return True

    @property
    def supports_sections(self) -> bool:
        """Asked with sections: a bare HOME or CLIENT_ID in the environment belongs to another program."""
        return True

    @property
    def name(self) -> str:
        """Its name in dlt's messages."""
        return self._label


def _dotenv(path: Path) -> Mapping[str, str | None]:
    """The settings in the file `.env`. This is its only reader: runner.sh asks it through `pipelines.places`."""
    try:
        return dotenv_values(path, interpolate=False)
    except UnicodeDecodeError:
        raise BadSetting(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise StorageFailed(f"{path} could not be read: {error.strerror}.") from error


@contextmanager
def _our_providers() -> Iterator[None]:
    """Replace dlt's environment provider, which would use HOME for `home`, by ours."""
    context = Container()[PluggableRunContext].providers
    before = context.providers
    context.providers = [
        StravaNames("Environment", os.environ),
        StravaNames(".env", _dotenv(REPO / ".env")),
        *(provider for provider in before if not isinstance(provider, EnvironProvider)),
    ]
    try:
        yield
    finally:
        context.providers = before


def read_settings(**options: Any) -> StravaSettings:
    """The settings in force; `options` (by field name, None = not given) override every other place.

    Raises:
        BadSetting: a value cannot be right (the text names the setting and what is allowed), or a file cannot be read.
    """
    given = {field: value for field, value in options.items() if value is not None}
    try:
        with _our_providers():
            return resolve_configuration(StravaSettings(), sections=SECTIONS, explicit_value=given)
    except ConfigValueCannotBeCoercedException as error:
        kind = {int: "a whole number", bool: "true or false"}.get(error.hint, "a number")
        name = SETTINGS[error.field_name].names[0]
        raise BadSetting(f"{name} is {error.field_value!r}: it must be {kind}.") from None
    except ValueNotSecretException as error:
        raise BadSetting(
            f"{error.provider_name} contains {error.key}, a secret: move it to .env or to .dlt/secrets.toml."
        ) from None
    except TomlProviderReadException as error:
        reason = str(error).splitlines()[-1]
        raise BadSetting(f"{' or '.join(error.full_paths)} cannot be read as TOML: {reason}.") from None
