"""What cannot be read is neither damaged nor gone: a disk that fails stops a command, and costs nothing once it heals.

The disk fails by `tests/disk/failing_disk.c`, which stands between every library here and the system.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

import duckdb
import pyarrow.parquet as pq
import pytest
from deep import deep_but
from home import REPO, Athlete
from landed import DETAIL, LIST, NO_LIMITS, all_ids, assert_one_sentence, until
from processes import Launcher

from pipelines.ground.written_places import NOTE_AMONG_SHARDS
from simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")]

TABLES = ("activities", "activity_details", "sweeps", "tombstones")
ERRNOS = ("EIO", "EACCES", "ESTALE", "EMFILE", "ENOMEM")
PLAIN = "--unencrypted"


@pytest.fixture(scope="module")
def launcher(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        assert "CI" not in os.environ, "there is no C compiler, and without it nothing here is tested"
        pytest.skip("needs a C compiler: apt-get install gcc")
    library = tmp_path_factory.mktemp("disk") / "failing_disk.so"
    source = REPO / "tests" / "disk" / "failing_disk.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    launcher = Launcher(LD_PRELOAD=str(library))
    yield launcher
    launcher.close()


@dataclass
class User:
    """An athlete whose disk fails on demand."""

    athlete: Athlete
    launcher: Launcher

    @property
    def home(self):
        return self.athlete.home

    @property
    def data(self):
        return self.home / "data"

    def start(self, *arguments, disk=None, **settings):
        failing = {f"DISK_{name}": str(value) for name, value in (disk or {}).items()}
        return self.launcher.start(*arguments, environment=self.athlete.environment(**settings) | failing)

    def run(self, *arguments, disk=None, **settings):
        ran = self.start(*arguments, disk=disk, **settings).wait()
        assert "Traceback" not in ran.out + ran.err, ran.err
        return ran

    def figures(self):
        """What `status` counts."""
        ran = self.run("status", "--json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out)["activities"] | {"differences": json.loads(ran.out)["differences"]}

    def history(self):
        """Every name, byte and time of what must not change."""
        return {
            path: (path.is_file() and path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
            for folder in (self.data, self.home / "output")
            for path in [folder, *folder.rglob("*")]
        }

    def shards(self, table="*"):
        return sorted(self.data.glob(f"{table}/*.parquet"))

    def failing(self, error="EIO", when="open", under="", ending=".parquet"):
        return {"PATH": self.data / under, "ENDING": ending, "WHEN": when, "ERRNO": getattr(errno, error)}


@pytest.fixture(scope="module")
def strava():
    with Simulator(seed=7, activities=20, limits=NO_LIMITS) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def built(launcher, strava, tmp_path_factory):
    """A home with rows in all tables, built, with one activity that is gone."""
    athlete = Athlete(tmp_path_factory.mktemp("built"), strava)
    athlete.settings |= {"ENRICH_LIMIT": "4", "STRAVA_SWEEP_HOURS": "0"}
    athlete.authorise()
    user = User(athlete, launcher)
    assert user.run("pull").code == 0
    strava.delete(strava.activities()[3]["id"])
    ran = user.run("flow")
    assert ran.code == 0, ran.err
    athlete.settings |= {"ENRICH_LIMIT": "0"}
    assert {path.parent.name for path in user.shards()} == {*TABLES, "athlete", "gear"}
    return user


def _copy(user, strava, home):
    shutil.copytree(user.home, home)
    athlete = Athlete(home, strava)
    athlete.settings |= user.athlete.settings | {"STRAVA_HOME": str(home)}
    strava.clear_requests()
    return User(athlete, user.launcher)


@pytest.fixture
def user(built, strava, tmp_path):
    return _copy(built, strava, tmp_path / "home")


def assert_unreadable(ran, error, path=""):
    next_step = "change its owner or mode" if error in ("EACCES", "EPERM") else "see to the disk"
    assert_one_sentence(ran, 6, str(path), "could not be read", os.strerror(getattr(errno, error)), next_step)


def assert_as_before(user, figures, shards):
    """The disk has healed: nothing is asked for again but the list, and all is as it was."""
    ran = user.run("flow")
    assert (ran.code, "warning" in ran.err) == (0, False), ran.err
    assert user.athlete.requests(DETAIL) == []
    assert "listed, nothing new" in ran.err
    assert {path: path.read_bytes() for path in user.shards() if path.parent.name != "sweeps"} == shards
    # of another sweep by now
    assert {**user.figures(), "swept_at": "", "shards": 0, "staged": 0} == figures


def whole(user):
    shards = {path: path.read_bytes() for path in user.shards() if path.parent.name != "sweeps"}
    return {**user.figures(), "swept_at": "", "shards": 0, "staged": 0}, shards


@pytest.mark.deep
def test_while_the_disk_fails_nothing_moves_and_once_it_heals_nothing_is_fetched_again(user):
    before, history = whole(user), user.history()
    for command in ("status", "flow", "pull", "enrich", "purge"):
        arguments = (command, "--limit", "all") if command in ("flow", "enrich") else (command,)
        assert_unreadable(user.run(*arguments, disk=user.failing()), "EIO", user.data)
    assert user.history() == history
    assert user.athlete.requests(DETAIL) + user.athlete.requests(LIST) == []
    assert_as_before(user, *before)


@pytest.mark.parametrize("error", deep_but(2, *ERRNOS))
def test_whatever_the_system_says_of_a_shard_is_handed_on_and_nothing_moves(user, error):
    history = user.history()
    for command in ("status", "flow"):
        assert_unreadable(user.run(command, disk=user.failing(error)), error, user.data)
    assert user.history() == history
    assert user.athlete.requests() == []


@pytest.mark.parametrize("table", deep_but(1, *reversed(TABLES)))
def test_one_table_that_cannot_be_read_stops_status_and_flow(user, table):
    history = user.history()
    for command in ("status", "flow"):
        assert_unreadable(user.run(command, disk=user.failing(under=table)), "EIO", user.data / table)
    shards = {path for path in history if path.suffix == ".parquet"}
    assert {path: user.history()[path] for path in shards} == {path: history[path] for path in shards}


@pytest.mark.parametrize("when", deep_but(1, "short", "read"))
def test_a_read_that_fails_in_its_midst_or_ends_too_early_is_no_damage(user, when):
    history = user.history()
    for command in ("status", "flow"):
        ran = user.run(command, disk=user.failing(when=when))
        assert_one_sentence(ran, 6, str(user.data), "could not be read")
    assert user.history() == history


@pytest.mark.parametrize("error", deep_but(1, "EIO", "EACCES"))
def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(user, error):
    history = user.history()
    for command in ("status", "flow"):
        ran = user.run(command, disk=user.failing(error, "list", ending="/activities"))
        assert_unreadable(ran, error, user.data / "activities")
    assert user.history() == history
    assert user.athlete.requests(LIST) == []


def test_a_warehouse_is_not_made_anew_from_the_shards_that_could_be_read(user):
    history, wanted = user.history(), user.figures()
    user.athlete.warehouse.unlink()
    for when in ("open", "read", "short"):
        ran = user.run("build", disk=user.failing(when=when, under="tombstones"))
        assert_one_sentence(ran, 6, str(user.data / "tombstones"), "could not be read")
    assert user.history() == history
    assert user.run("pull").code == 0
    assert user.figures()["stored"] == wanted["stored"]
    assert user.athlete.sql("select count(*) from staging.tombstones") == [(1,)]


def test_a_warehouse_that_cannot_be_read_does_not_add_up(user):
    ran = user.run("status", disk=user.failing("EIO", under=user.athlete.warehouse.parent, ending=".duckdb"))
    assert_one_sentence(ran, 6, str(user.athlete.warehouse), "could not be read")


@pytest.mark.parametrize("name", ["a folder", "a link to itself", "a link to nothing"])
def test_what_is_no_file_among_the_shards_is_named_and_left_alone(user, name):
    odd = user.data / "activities" / "odd.parquet"
    if name == "a folder":
        odd.mkdir()
    else:
        odd.symlink_to(odd if name == "a link to itself" else "nowhere.parquet")
    for command in ("status", "pull"):
        assert_one_sentence(user.run(command), 6, str(odd))
    assert os.path.lexists(odd)


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("quarantine.json", ("status", "enrich")),
        ("budget.json", ("status", "pull")),
        ("last_run.json", ("status",)),
        ("places.json", ("pull",)),
    ],
)
def test_a_note_that_cannot_be_read_is_not_begun_anew(user, name, commands):
    note = user.home / "warehouse" / ".state" / name
    if name == "quarantine.json":
        note.write_text('{"1": {"reason": "no", "refusals": 3, "next_try_at_s": 99999999999}}')
    before = note.read_bytes()
    for command in commands:
        assert_one_sentence(user.run(command, disk=user.failing() | {"PATH": note, "ENDING": ""}), 6, str(note))
    assert note.read_bytes() == before


def test_a_token_file_that_cannot_be_read_is_not_a_missing_one(user):
    token_file = user.athlete.token_file
    for command in ("status", "flow"):
        assert_unreadable(
            user.run(command, disk=user.failing() | {"PATH": token_file, "ENDING": ""}), "EIO", token_file
        )


def test_what_a_killed_run_has_fetched_is_kept_while_it_cannot_be_read(user):
    taken_out = user.home / "warehouse" / ".state" / "dlt" / "taken_out" / "activities"
    taken_out.mkdir(parents=True)
    fetched = taken_out / "fetched.parquet"
    [first, *_] = user.shards("activities")
    first.rename(fetched)
    for when in ("open", "read", "short"):
        ran = user.run("pull", disk=user.failing(when=when) | {"PATH": taken_out})
        assert_one_sentence(ran, 6, str(fetched), "could not be read")
        assert fetched.exists()
    assert user.run("pull").code == 0
    assert first.read_bytes()
    assert not fetched.exists()


# --- those who only look


def _damage(user, kind):
    """(path, how the disk fails) of a shard that is damaged, no shard at all, or cannot be read."""
    [shard, *_] = user.shards("activities")
    if kind == "unreadable":
        return shard, user.failing()
    if kind == "damaged":
        shard.write_bytes(shard.read_bytes()[:-20])
        return shard, None
    foreign = shard.with_name("notes.parquet")
    foreign.write_text("notes of mine")
    return foreign, None


@pytest.mark.parametrize("kind", ["damaged", "foreign", "unreadable"])
def test_commands_that_only_look_leave_every_byte_of_the_history_as_it_is(user, kind):
    path, disk = _damage(user, kind)
    history = user.history()
    ran = user.run("status", disk=disk)
    if kind == "unreadable":
        assert_unreadable(ran, "EIO", path)
    else:
        advice = "the DuckDB file has its rows, so keep it" if kind == "damaged" else "put it back from a backup"
        assert_one_sentence(ran, 1, str(path), advice)
        assert json.loads(user.run("status", "--json").out)["adds_up"] is False
    assert "delete" not in ran.out + ran.err
    assert user.run("sql", "select count(*) from strava.activities", disk=disk).code == 0
    assert user.history() == history
    assert user.run("page", disk=disk).code == 0
    serving = user.start("serve", "--port", "0", disk=disk)
    until(lambda: "is at http" in serving.out_so_far)
    os.kill(serving.id, signal.SIGTERM)
    assert serving.wait().code == 0
    bundle = user.home / "strava.bundle"
    ran = user.run("backup", str(bundle), PLAIN, disk=disk)
    assert (ran.code, bundle.exists()) == ((0, True) if disk is None else (6, False))
    for when in ("open", "read", "short"):
        ran = user.run("backup", str(bundle), PLAIN, disk=user.failing(when=when))
        assert_one_sentence(ran, 6, str(user.data), "could not be read")
    # where page and bundle went is noted for a purge, in a file beside the shards' folders
    note = (user.data, user.data / NOTE_AMONG_SHARDS)
    after = user.history()
    assert {path: after[path] for path in after if path not in note} == {
        path: history[path] for path in history if path not in note
    }


def test_the_last_copy_of_a_damaged_shards_rows_is_never_advised_away(user):
    shard, _ = _damage(user, "damaged")
    wanted = {
        table: user.athlete.sql(f"select count(*) from strava.{table}") for table in ("activities", "activity_details")
    }
    ran = user.run("flow")
    assert ran.code == 0, ran.err
    assert "the warehouse had its rows, and it was written anew" in ran.err
    assert {table: user.athlete.sql(f"select count(*) from strava.{table}") for table in wanted} == wanted
    assert user.figures()["deleted"] == 1
    # moved away by hand: only the warehouse has them
    [details, *_] = user.shards("activity_details")
    for path, advice in (
        (shard, "the DuckDB file has its rows, so keep it"),
        (details, "may be their last copy: put them back from a backup"),
    ):
        path.rename(user.home / path.name)
        ran = user.run("status")
        assert advice in ran.out
        assert "delete" not in ran.out + ran.err


def test_on_a_read_only_disk_status_and_sql_say_what_they_say_and_a_run_says_that_it_cannot_write(user):
    disk = user.failing("EROFS", "write", ending="") | {"PATH": user.home}
    shown = user.run("status").out
    ran = user.run("status", disk=disk)
    assert (ran.code, ran.out) == (0, shown)
    assert user.run("sql", "select 1", disk=disk).code == 0
    for command in ("flow", "page"):
        assert_one_sentence(user.run(command, disk=disk), 6, "may not be written by this user")


# --- what an earlier version has set aside


def _set_aside(path):
    """As the version before did it, on any error at all."""
    return path.rename(path.with_suffix(".parquet.torn"))


@pytest.mark.deep
def test_a_shard_that_was_set_aside_brings_back_nothing_that_was_withdrawn_since(user):
    shard = next(path for path in user.shards() if path.parent.name == "activities")
    content = shard.read_bytes()
    assert user.run("withdraw", "--door", "api", "--yes").code == 0
    # as from a backup
    aside = shard.with_suffix(".parquet.torn")
    aside.write_bytes(content)
    ran = user.run("build")
    assert ran.code == 0, ran.err
    assert [path for path in user.shards() if path.parent.name == "activities"] == []
    assert not aside.exists()
    assert user.athlete.sql("select count(*) from strava.activities") == [(0,)]


def test_shards_that_were_set_aside_though_they_are_whole_come_back_byte_for_byte(user):
    before, history = whole(user), user.history()
    for path in user.shards():
        _set_aside(path)
    shown = user.run("status")
    assert "set aside" in shown.out
    assert "delete" not in shown.out
    assert len(list(user.data.rglob("*.torn"))) == len([path for path in history if path.suffix == ".parquet"])
    ran = user.run("pull")
    assert (ran.code, ran.err.count("it is back")) == (0, len([path for path in history if path.suffix == ".parquet"]))
    assert list(user.data.rglob("*.torn")) == []
    assert_as_before(user, *before)


def test_one_that_cannot_be_read_yet_stops_the_run_and_comes_back_later(user):
    before = whole(user)
    aside = [_set_aside(path) for path in user.shards()]
    ran = user.run("flow", disk=user.failing(ending=".torn"))
    assert_unreadable(ran, "EIO", user.data)
    assert sorted(user.data.rglob("*.torn")) == sorted(aside)
    assert user.run("pull").code == 0
    assert_as_before(user, *before)


def test_a_shard_that_was_repaired_since_keeps_its_place_and_what_was_set_aside_stays(user):
    shard, _ = _damage(user, "damaged")
    rows = user.athlete.sql("select count(*) from staging.activities where shard = ?", shard.stem)
    damaged = shard.read_bytes()
    assert user.run("pull").code == 0
    first = shard.with_name(f"{shard.name}.torn")
    repaired = shard.read_bytes()
    # and once more, otherwise
    shard.write_bytes(repaired[:-9])
    assert user.run("pull").code == 0
    second = shard.with_name(f"{shard.name}.2.torn")
    assert (first.read_bytes(), second.read_bytes()) == (damaged, repaired[:-9])
    assert [(pq.ParquetFile(shard).metadata.num_rows,)] == rows
    # it is whole, but its place is taken
    first.write_bytes(repaired)
    before = shard.stat().st_ino
    assert user.run("pull").code == 0
    assert (first.read_bytes(), shard.stat().st_ino) == (repaired, before)


def test_a_damaged_shard_waits_while_somebody_holds_the_warehouse_that_has_its_rows(user):
    shard, _ = _damage(user, "damaged")
    torn = shard.read_bytes()
    aside = _set_aside(shard)
    with duckdb.connect(str(user.athlete.warehouse)):
        # nobody can say now; what the earlier version has set aside is left for the next run
        assert user.run("pull").code == 5
    assert aside.read_bytes() == torn
    shard.unlink(missing_ok=True)
    aside.rename(shard)
    with duckdb.connect(str(user.athlete.warehouse)):
        assert_one_sentence(user.run("pull"), 5, "is open")
        assert shard.read_bytes() == torn
    ran = user.run("pull")
    assert (ran.code, "it was written anew" in ran.err) == (0, True)
    assert user.figures()["deleted"] == 1


@pytest.fixture(scope="module")
def purged(built, strava, tmp_path_factory):
    """A home that was purged while its activities were elsewhere, with a bundle and the DuckDB file of before."""
    home = tmp_path_factory.mktemp("purged") / "home"
    user = _copy(built, strava, home)
    assert user.run("backup", str(home / "strava.bundle"), PLAIN).code == 0
    shutil.copyfile(user.athlete.warehouse, home / "warehouse before")
    (home / "elsewhere").mkdir()
    for path in user.shards("activities"):
        path.rename(home / "elsewhere" / path.name)
    # nothing here needs the build, which is killed as it starts
    ran = user.run("purge", SOAK_KILL_AT="open .*/dbt/logs/dbt.log")
    assert (ran.code, "erased" in ran.err) == (7, True), ran.err
    return user


@pytest.mark.parametrize("how", ["whole", "damaged"])
def test_what_was_purged_does_not_come_back_with_a_shard_that_was_set_aside(purged, strava, how, tmp_path):
    user = _copy(purged, strava, tmp_path / "home")
    [gone] = {row["id"] for path in user.shards("tombstones") for row in pq.ParquetFile(path).read().to_pylist()}
    shards = []
    for path in (user.home / "elsewhere").iterdir():
        content = path.read_bytes()
        shards.append(user.data / "activities" / path.name)
        shards[-1].with_suffix(".parquet.torn").write_bytes(content if how == "whole" else content[:-20])
    if how == "damaged":
        # as a kill in the midst of a purge leaves it
        user.athlete.warehouse.with_name("strava.duckdb.wal").unlink(missing_ok=True)
        shutil.copyfile(user.home / "warehouse before", user.athlete.warehouse)
    ran = user.run("pull")
    assert ran.code == 0, ran.err
    rows = [row["id"] for path in shards for row in pq.ParquetFile(path).read().to_pylist()]
    assert sorted(rows) == sorted(all_ids(strava))
    assert gone not in rows
    assert len(list(user.data.rglob("*.torn"))) == (0 if how == "whole" else len(shards))


# --- restore


def test_a_restore_that_cannot_read_which_purges_it_must_keep_changes_nothing(purged):
    bundle = purged.home / "strava.bundle"
    history = {path: as_it_was for path, as_it_was in purged.history().items() if path.is_file()}
    ran = purged.run("restore", str(bundle), PLAIN, "--force", disk=purged.failing(under="tombstones"))
    assert_unreadable(ran, "EIO", purged.data / "tombstones")
    assert {path: as_it_was for path, as_it_was in purged.history().items() if path.is_file()} == history
