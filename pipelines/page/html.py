"""The page: one HTML file with everything inside, which sends no request and opens by double click."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.ground import polyline as polylines
from pipelines.ground.durable import real, written_whole
from pipelines.ground.errors import BadSetting
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.ground.written_places import Places
from pipelines.page import data as page_data
from pipelines.page import details as page_details
from pipelines.page import public_data, routes
from pipelines.page.files import is_page, note_path, page_path, routes_path
from pipelines.warehouse.athlete_settings import settings_are_known
from pipelines.warehouse.database import not_built, open_warehouse, require_warehouse
from pipelines.warehouse.fields import UnknownField, unknown_fields

TITLE = "Strava Stats"
ROUTE_MAKERS = (routes.__file__, polylines.__file__)
SITE = Path(__file__).resolve().parent / "site"
# so that JSON keeps its meaning and cannot end the script element that contains it
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def _require_replaceable(path: Path) -> None:
    """Check that a page may replace what is at `path`: a page, an empty file or nothing.

    Raises:
        BadSetting: it is something else.
    """
    if path.is_file() and path.stat().st_size and not is_page(path):
        raise BadSetting(
            f"{path} is not a page of this program: move it away, write elsewhere with --out, or replace it with "
            "--force."
        )


def make_page(
    settings: StravaSettings,
    report: Report,
    public: bool = False,
    path: Path | None = None,
    force: bool = False,
    marts: Path | None = None,
) -> None:
    """Write the page, unless the same bytes are there already; of several athletes, it shows that of the token file.

    path: where to write it instead of in the site. force: replace whatever is there. marts: the DuckDB file to show
    instead of the warehouse.

    Raises:
        BadSetting: there is no warehouse yet, or none of this version; something else is where the page goes.
        WarehouseBusy: another process has the DuckDB file open for writing.
        StorageFailed: the page cannot be written.
    """
    path = path or page_path(settings, public)
    require_place(settings, path, force)
    with _opened(settings, marts) as connection:
        athlete_id, athletes = page_data.athlete_shown(connection, settings.token_path)
        if public:
            data = public_data.public_json(connection, athlete_id, public_data.last_day(datetime.now(UTC)))
            details = ""
        else:
            unknown = unknown_fields(settings.state_path)
            data = page_data.page_json(connection, athlete_id, Routes(routes_path(settings)), unknown)
            details = page_details.details_text(connection, athlete_id, page_data.units_of(connection, athlete_id))
            made_from = _made_from(connection, athlete_id, unknown)
    html = render(data, details)
    changed = _bytes_at(path) != html
    places = Places(settings)
    if changed:
        with places.noting("page", path), written_whole(path) as file:
            file.write(html)
    else:
        places.note("page", path)
    if not public and path == page_path(settings):
        with written_whole(note_path(settings), durable=False) as file:
            file.write(json.dumps(made_from).encode())
    whose = f", of athlete {athlete_id}, one of {athletes} in the warehouse" if athletes > 1 and not public else ""
    report.say(f"Page: {path} ({len(html) / 1e6:.1f} MB{'' if changed else ', as it was'}{whose}).")


def require_place(settings: StravaSettings, path: Path, force: bool) -> None:
    """Check that a page may be written to `path`; with `force` whatever is there, unless it is ours.

    Raises:
        BadSetting: it may not.
        StorageFailed: it is a link that leads nowhere.
    """
    target = real(path)
    if target in {real(own) for own in (settings.warehouse_path, settings.token_path)}:
        raise BadSetting(f"{path} is the warehouse or the token file: write the page elsewhere.")
    if not force:
        _require_replaceable(target)


def shows_settings(settings: StravaSettings) -> bool:
    """Whether the warehouse has the athlete's numbers and goals as they are set now.

    Raises:
        BadSetting: there is no warehouse yet, or none of this version.
        WarehouseBusy: another process has the DuckDB file open for writing.
    """
    with _opened(settings) as connection:
        page_data.built_at(connection)
        athlete_id, _ = page_data.athlete_shown(connection, settings.token_path)
        return settings_are_known(connection, settings, athlete_id)


def page_is_current(settings: StravaSettings) -> bool:
    """Whether the page exists and would be the same again, because day, build, settings and code are."""
    if not page_path(settings).exists():
        return False
    with _opened(settings) as connection:
        athlete_id, _ = page_data.athlete_shown(connection, settings.token_path)
        made_from = _made_from(connection, athlete_id, unknown_fields(settings.state_path))
    return _bytes_at(note_path(settings)) == json.dumps(made_from).encode()


def render(data_json: bytes, details: str = "") -> bytes:
    """The HTML of the page with its data, and with the details of its activities, of which a public page has none."""
    data = data_json.decode()
    for character, escape in ESCAPES.items():
        data = data.replace(character, escape)
    css = (SITE / "page.css").read_text(encoding="utf-8")
    vendor_js = (SITE / "vendor" / "echarts.min.js").read_text(encoding="utf-8")
    page_js = (SITE / "page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(SITE), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    # the template marks what it must not escape as safe: our own files, and the data escaped above
    html = environment.get_template("template.html.j2").render(
        title=TITLE,
        csp=_csp(css, vendor_js, page_js),
        css=css,
        vendor_js=vendor_js,
        page_js=page_js,
        data_json=data,
        details=details,
    )
    return html.encode()


def _csp(css: str, *scripts: str) -> str:
    """A policy that allows exactly these texts, and no request at all."""
    hashes = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {hashes}; style-src {_hash(css)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class Routes:
    """Routes of polylines; a file, which may be deleted, keeps those of the page before."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, polylines: list[str | None]) -> list[str]:
        """The route for each polyline, empty without one."""
        keys = [_fingerprint(polyline.encode()) if polyline else "" for polyline in polylines]
        most = routes.most_points(len(set(keys) - {""}))
        code = b"".join(Path(file).read_bytes() for file in ROUTE_MAKERS)
        maker = f"{_fingerprint(code)}, {most}"
        kept = self._kept(maker)
        made = {
            key: kept[key] if key in kept else routes.route(text, most)
            for key, text in zip(keys, polylines, strict=True)
            if key
        }
        if made != kept:
            with written_whole(self._path, durable=False) as file:
                file.write(orjson.dumps({"maker": maker, "routes": made}))
        return [made.get(key, "") for key in keys]

    def _kept(self, maker: str) -> dict[str, str]:
        try:
            kept = orjson.loads(self._path.read_bytes())
            return dict(kept["routes"]) if kept["maker"] == maker else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def _fingerprint(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _bytes_at(path: Path) -> bytes | None:
    with suppress(OSError):
        return path.read_bytes()
    return None


def _made_from(
    connection: duckdb.DuckDBPyConnection, athlete_id: int | None, unknown: list[UnknownField] | None
) -> dict[str, str]:
    """What the page depends on."""
    asked = [connection.execute(f"from {table} order by all").fetchall() for table in page_data.WITHOUT_BUILD]
    code = [Path(file) for file in (__file__, page_data.__file__, page_details.__file__, *ROUTE_MAKERS)]
    files = [*code, *sorted(path for path in SITE.rglob("*") if path.is_file())]
    return {
        "athlete": str(athlete_id),
        "today": str(page_data.today(connection, athlete_id)),
        "built_at": str(page_data.built_at(connection)),
        "settings": _fingerprint(repr(asked).encode()),
        "unknown_fields": _fingerprint(repr(unknown).encode()),
        "code": _fingerprint(b"".join(path.read_bytes() for path in files)),
    }


@contextmanager
def _opened(settings: StravaSettings, marts: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The opened warehouse, or `marts` instead of it, if it has this version's marts.

    Raises:
        BadSetting: there is none, it was never built, or an older version built it.
    """
    if marts is None:
        require_warehouse(settings)
    path = marts or settings.warehouse_path
    with open_warehouse(path, read_only=True) as connection:
        try:
            yield connection
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            if "dbt_builds" in str(error):
                raise not_built(path) from error
            if marts is not None:
                raise BadSetting(
                    "The exported marts are of another version, without what the page shows. Build and export them "
                    f"again. ({str(error).splitlines()[0]})"
                ) from error
            raise BadSetting(
                f"The warehouse {path} is of an older version, without what the page shows. Run `make compact`. "
                f"({str(error).splitlines()[0]})"
            ) from error
