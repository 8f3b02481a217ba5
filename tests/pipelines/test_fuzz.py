"""Whatever comes in, through the command: no traceback, a documented exit code, nothing of a neighbour lost."""

import json
import os
import shutil
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from home import Athlete
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from landed import versions
from processes import Launcher
from soak.strava import Strava

from pipelines.bronze.tables import SCHEMA
from pipelines.ground.errors import exit_codes

pytestmark = pytest.mark.deep
NEIGHBOURS = 12
ODD = 12
PER_PAGE = "5"


def thrifty(few, many):
    """A `few` examples, or `many` times FUZZ_TIMES; always the same ones. A process each makes shrinking dear."""
    times = int(os.environ.get("FUZZ_TIMES", "0"))
    return settings(
        max_examples=many * times or few,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@dataclass
class World:
    """A Strava whose newest activities may be anything, and an athlete with a home."""

    strava: Strava
    athlete: Athlete
    launcher: Launcher
    neighbours: list[int] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)

    def run(self, *arguments, **given):
        ran = self.launcher.start(*arguments, environment=self.athlete.environment(**given)).wait()
        assert "Traceback" not in ran.out + ran.err, ran.err
        assert ran.code in exit_codes().keys() - {1}, (ran.code, ran.err)
        if ran.code:
            assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 1, ran.err
        return ran


@pytest.fixture(scope="module")
def world(tmp_path_factory, launcher):
    strava = Strava(seed=7, activities=NEIGHBOURS + ODD)
    with strava:
        athlete = Athlete(tmp_path_factory.mktemp("home"), strava)
        athlete.settings |= {"PER_PAGE": PER_PAGE, "STRAVA_RETRY_WAIT_S": "0", "ENRICH_LIMIT": "0"}
        athlete.authorise()
        ids = [activity["id"] for activity in strava.activities()]
        # odd ones and neighbours by turns, so that each page has both
        world = World(strava, athlete, launcher, ids[::2], ids[1::2])
        assert world.run("pull").code == 0
        yield world


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([2**63, -(2**63) - 1, 10**400, 1e308, -0.0, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", "2026-01-31T10:00:00Z", "9999-99-99", "\x00", "null", "1", "ä\u2028\U0001f6b4", "x" * 3000]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
DEEP = st.integers(1, 600).map(lambda depth: "[" * depth + "]" * depth)
FIELDS = st.sampled_from(
    [
        "athlete",
        "start_date",
        "start_date_local",
        "name",
        "sport_type",
        "distance",
        "moving_time",
        "kudos_count",
        "map",
        "start_latlng",
        "gear_id",
        "visibility",
        "utc_offset",
        "workout_type",
        "upload_id",
        "trainer",
        "unheard_of",
    ]
)


@st.composite
def odd_activities(draw):
    """(place, text): what stands in the place of an activity; its id is its own, all else is open."""
    place = draw(st.integers(0, ODD - 1))
    changed = draw(st.dictionaries(FIELDS, VALUES, max_size=6))
    return place, changed, draw(st.none() | DEEP), draw(st.booleans())


@pytest.mark.slow
@thrifty(4, 8)
@given(odd=st.lists(odd_activities(), min_size=4, max_size=10), everything=st.booleans())
def test_an_activity_with_anything_in_its_fields_lands_and_so_do_its_neighbours(world, odd, everything):
    sent = {}
    for place, changed, deep, ascii_only in odd:
        id_ = world.odd[place]
        summary = world.strava.summary(id_) | changed | ({"nested": "DEEP"} if deep else {})
        text = json.dumps(summary, ensure_ascii=ascii_only, separators=(",", ":")).replace('"DEEP"', deep or "")
        world.strava.set_summary(id_, sent.setdefault(id_, text.encode()))
    ran = world.run("pull", *(["--all"] if everything else []), STRAVA_SWEEP_HOURS="0")
    assert ran.code == 0, ran.err
    landed = dict(versions(world.athlete))
    assert landed.keys() >= set(world.neighbours)
    assert {id_: landed[id_].encode() for id_ in sent} == sent


@pytest.mark.slow
def test_whatever_landed_by_then_is_built_with_its_neighbours_as_they_are(world):
    # after the test above, with what it left
    ran = world.run("flow", STRAVA_SWEEP_HOURS="0")
    assert ran.code == 0, ran.err
    built = dict(world.athlete.sql("select id, name from strava.activities"))
    assert len(built) == NEIGHBOURS + ODD
    for id_ in world.neighbours:
        assert built[id_] == world.strava.summary(id_)["name"]


BODIES = st.one_of(
    st.binary(max_size=60),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [b"[", b"]", b"[[]]", b"[{}", b'[{"id":1}', b'[{"id":1},]', b"[NaN]", b"\xef\xbb\xbf[]", b'"\xff"']
    ),
    st.sampled_from([b'[{"id":1e999}]', b'[{"id":' + b"9" * 5000 + b"}]", b'{"a":' * 3000, b"[" * 100_000]),
)


@pytest.mark.slow
@thrifty(4, 8)
@given(bodies=st.lists(st.tuples(st.integers(0, ODD - 1), BODIES), min_size=1, max_size=2))
def test_bytes_that_are_no_activity_stop_a_pull_at_most_and_lose_nothing(world, bodies):
    before = {id_: world.strava.summary_texts()[id_] for id_ in world.odd}
    # by rows: after so many pulls their files are compacted now and then
    landed_before = set(versions(world.athlete))
    try:
        for place, body in bodies:
            world.strava.set_summary(world.odd[place], body)
        assert world.run("pull", "--all").code in (0, 4)
        assert landed_before <= set(versions(world.athlete))
    finally:
        for id_, text in before.items():
            world.strava.set_summary(id_, text)
    late = world.strava.add(name="after the trouble")["id"]
    assert world.run("pull", "--all").code == 0
    landed = dict(versions(world.athlete))
    assert landed.keys() >= {*world.neighbours, *world.odd, late}


@pytest.mark.slow
def test_an_activity_that_two_pages_show_differently_is_one_activity(world):
    twice, *_ = world.neighbours
    text = world.strava.summary_texts()[world.odd[-1]]
    world.strava.set_summary(world.odd[-1], json.dumps(world.strava.summary(twice) | {"name": "again"}).encode())
    assert world.run("pull", "--all").code == 0
    shown = [json.loads(payload)["name"] for id_, payload in versions(world.athlete) if id_ == twice]
    assert {"again", world.strava.summary(twice)["name"]} <= set(shown)
    world.strava.set_summary(world.odd[-1], text)
    assert world.run("pull", "--all").code == 0
    assert world.athlete.sql("select count(distinct id) from staging.activities where id = ?", twice) == [(1,)]


# --- headers

NUMBERS = st.one_of(
    st.integers(-5, 2000).map(str),
    st.sampled_from(["", " ", "9" * 4000, "1e3", "0x10", "٣", "NaN", "-0", "1_000", "1;2"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=6),
)
RATES = st.lists(NUMBERS, max_size=3).map(",".join)
HEADERS = st.dictionaries(
    st.sampled_from(["X-ReadRateLimit-Limit", "X-ReadRateLimit-Usage", "X-RateLimit-Limit", "x-ratelimit-usage"])
    | st.sampled_from(["Retry-After", "Set-Cookie", "Link", "Date "]),
    RATES,
    max_size=5,
)


@pytest.mark.slow
@thrifty(4, 8)
@given(headers=HEADERS)
# no header at all, of which urllib3 tells with a traceback
@example(headers={"Date ": ""})
def test_any_headers_are_read_or_left_alone(world, headers):
    latin = {name: value.encode("utf-8", "replace").decode("latin-1") for name, value in headers.items()}
    world.strava.limits.headers = lambda *_: latin
    try:
        assert world.run("pull", "--all").code in (0, 2)
    finally:
        del world.strava.limits.headers
    # limits that were made up are nothing to wait for
    (world.athlete.home / "warehouse" / ".state" / "budget.json").unlink(missing_ok=True)
    assert world.run("status").code == 0


# --- the token file

TOKENS = st.one_of(
    st.binary(max_size=50),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"refresh_token": st.just("x") | VALUES},
        optional=dict.fromkeys(("access_token", "expires_at", "athlete_id", "scope", "saved_at", "more"), VALUES),
    ).map(lambda held: json.dumps(held).encode()),
)


@pytest.mark.slow
@thrifty(10, 20)
@given(held=TOKENS, command=st.sampled_from(["pull", "status"]))
def test_any_token_file_is_said_to_be_broken_or_used_and_never_shown(world, held, command):
    token_file = world.athlete.token_file
    sound = token_file.read_bytes()
    token_file.write_bytes(held)
    ran = world.run(command)
    assert ran.code in (0, 3)
    kept = token_file.read_bytes()
    token_file.write_bytes(sound)
    # a token that Strava refused, or a file that cannot be read, is left for its owner to look at
    assert kept == held


# --- shards


def _shard_bytes(table, folder):
    path = folder / "made.parquet"
    pq.write_table(table, path, compression="zstd")
    return path.read_bytes()


@st.composite
def shards(draw):
    """How a file comes to be among the shards: (table, what it is made of, a number)."""
    kind = draw(st.sampled_from(["bytes", "cut", "flipped", "empty", "no_rows", "column_missing", "column_retyped"]))
    table = draw(st.sampled_from(["activities", "activity_details", "sweeps", "tombstones"]))
    return table, kind, draw(st.integers(0, 10**9)), draw(st.binary(max_size=80))


def _made(name, kind, number, noise, sound, folder):
    """The bytes of a shard of that name, in which `number` chooses the place of the damage."""
    rows = pq.ParquetFile(sound).read()
    rows = rows.set_column(SCHEMA.names.index("shard"), "shard", pa.array([name] * len(rows)))
    content = _shard_bytes(rows, folder)
    place = number % len(content)
    column = SCHEMA.names[number % 6]
    flipped = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
    if kind in ("no_rows", "column_missing", "column_retyped"):
        odd = {
            "no_rows": SCHEMA.empty_table(),
            "column_missing": rows.drop_columns(column),
            "column_retyped": rows.set_column(number % 4, SCHEMA.names[number % 4], pa.array(["?"] * len(rows))),
        }
        return _shard_bytes(odd[kind], folder)
    return {"bytes": noise, "empty": b"", "cut": content[:place], "flipped": flipped}[kind]


@pytest.mark.slow
@thrifty(5, 12)
@given(made=st.lists(shards(), min_size=1, max_size=2))
def test_any_file_among_the_shards_is_set_aside_or_read_and_stops_nothing(world, tmp_path_factory, made):
    home = tmp_path_factory.mktemp("copy")
    shutil.copytree(world.athlete.home, home, dirs_exist_ok=True)
    athlete = Athlete(home, world.strava)
    athlete.settings |= world.athlete.settings | {"STRAVA_HOME": str(home)}
    sound = {path: path.read_bytes() for path in athlete.shards()}
    for count, (table, kind, number, noise) in enumerate(made):
        (home / "data" / table).mkdir(parents=True, exist_ok=True)
        # older, or newer, than all that the program has written
        name = f"{table}_7_20{number % 2 * 60 + 20}0101000000_{count:08x}"
        content = _made(name, kind, number, noise, next(iter(sound)), home)
        (home / "data" / table / f"{name}.parquet").write_bytes(content)
    there = World(world.strava, athlete, world.launcher)
    ran = there.run("pull", "--all")
    assert ran.code == 0, (made, ran.err)
    assert sound.items() <= {path: path.read_bytes() for path in athlete.shards()}.items()
    assert {id_ for id_, _ in versions(athlete)} >= {*world.neighbours, *world.odd}
    # rebuilt from what is there
    (home / "warehouse" / "strava.duckdb").unlink()
    assert there.run("pull").code == 0
    staged = {id_ for (id_,) in athlete.sql("select distinct id from staging.activities")}
    assert staged >= {*world.neighbours, *world.odd}
    shutil.rmtree(home)
