"""The measures. Both sides of a ratio are measured in turns, in one run, against the same simulated Strava.

A ratio is of the best times: what else the machine does can only add to them, and rarely to both sides alike.
"""

import math
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from bench.athlete import Home, Strava, clean_environment, simulated_strava
from bench.buckets import Bucket, object_store
from bench.processes import CommandFailed, Finished, run_timed

PER_PAGE = 200
SMALL = 1000
# a page of an athlete of eight years
SHOWN = 3000
SHOWN_WITH = {
    "STRAVA_REST_HR": "52",
    "STRAVA_MAX_HR": "188",
    "STRAVA_FTP": "245",
    "STRAVA_SEX": "f",
    "STRAVA_GOALS": "Run 1000 km/year, All 6 h/week",
}
MB = 10**6
DETAILS_OF_LARGE = 5000
FIRST_SYNCS = (0, 1, 200, 201, SMALL)
# some thirty years of daily runs
RUNS = 10_000
# what an old home runs every day, or now and then
OF_EVERY_DAY = (
    ("pull",),
    ("flow", "--limit", "0"),
    ("enrich", "--limit", "0"),
    ("status",),
    ("page",),
    ("backup", "--unencrypted", "{home}/strava.bundle"),
)
NOTHING_LANDED = "dbt: nothing landed since the last build."
DBT_TOOK = re.compile(r"^dbt: \d+ models built, .* in ([\d.]+) s\.$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One promise: what was measured, in `unit`, against what it may be at most (None: nothing is promised).

    `how` says in words how it came about, `samples` what it was made of.
    """

    point: int
    what: str
    measured: float
    target: float | None
    unit: str
    how: str
    samples: Mapping[str, list[float]] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the promise is kept."""
        return self.target is None or self.measured <= self.target


@dataclass(frozen=True)
class FirstSync:
    """A home's first `pull`: the process, and the requests that Strava saw."""

    home: Home
    pull: Finished
    paths: list[str]

    @property
    def list_requests(self) -> int:
        """How many of the requests were for the list."""
        return sum(path.endswith("/athlete/activities") for path in self.paths)


class Lab:
    """What the measures share: a folder, simulated Stravas by size, and homes at them."""

    def __init__(
        self, folder: Path, activities: int, repeat: int, show: Callable[[str], None], stack: ExitStack
    ) -> None:
        self.folder = folder
        self.large = activities
        self.repeat = repeat
        self.show = show
        self._stack = stack
        self._stravas: dict[int, Strava] = {}
        self._large_sync: FirstSync | None = None
        self._homes = 0

    def strava(self, activities: int) -> Strava:
        """The simulated Strava of that size; started once."""
        if activities not in self._stravas:
            self.show(f"starting a simulated Strava with {activities:,} activities")
            self._stravas[activities] = self._stack.enter_context(simulated_strava(activities, self.folder))
        return self._stravas[activities]

    def first_sync(self, activities: int) -> FirstSync:
        """Pull everything into a new home."""
        strava = self.strava(activities)
        self._homes += 1
        home = Home(self.folder / f"home_{self._homes}", strava)
        strava.control("clear_requests")
        return FirstSync(home, home.time("pull"), strava.requests())

    def large_sync(self) -> FirstSync:
        """The one large home that measures continue with."""
        if self._large_sync is None:
            self._large_sync = self.first_sync(self.large)
            self.show(f"first pull of {self.large:,}: {self._large_sync.pull.seconds:.2f} s")
        return self._large_sync

    def keep_as_large(self, sync: FirstSync) -> None:
        """Let measures continue with `sync`, or drop its files if there is a large home already."""
        if self._large_sync is None:
            self._large_sync = sync
        else:
            shutil.rmtree(sync.home.folder)


def _span(seconds: Sequence[float]) -> str:
    return f"{min(seconds):.2f} s (to {max(seconds):.2f})"


def pull(lab: Lab) -> Iterator[Result]:
    """Point 1: simulator → shards + staging, against bare requests + `read_json` + COPY; start-up on both sides."""
    strava = lab.strava(lab.large)
    floors: list[Finished] = []
    ours: list[Finished] = []
    for _ in range(lab.repeat):
        folder = lab.folder / "floor"
        folder.mkdir()
        floors.append(strava.time_floor("list", folder))
        shutil.rmtree(folder)
        sync = lab.first_sync(lab.large)
        ours.append(sync.pull)
        peak_mb = sync.pull.peak_bytes / MB
        lab.show(f"floor {floors[-1].seconds:.2f} s, pull {ours[-1].seconds:.2f} s, at most {peak_mb:.0f} MB")
        lab.keep_as_large(sync)
    what = f"pull of {lab.large:,} activities"
    samples = {
        "floor_s": [run.seconds for run in floors],
        "pull_s": [run.seconds for run in ours],
        "floor_cpu_s": [run.cpu_s for run in floors],
        "pull_cpu_s": [run.cpu_s for run in ours],
    }
    ratio = min(samples["pull_s"]) / min(samples["floor_s"])
    how = f"{_span(samples['pull_s'])}, floor {_span(samples['floor_s'])}"
    yield Result(1, f"{what}, time", ratio, 1.2, "x the floor", how, samples)
    ratio = min(samples["pull_cpu_s"]) / min(samples["floor_cpu_s"])
    how = f"{_span(samples['pull_cpu_s'])}, floor {_span(samples['floor_cpu_s'])}"
    yield Result(1, f"{what}, processor time", ratio, None, "x the floor", how)
    peaks = [run.peak_bytes / MB for run in ours]
    yield Result(1, f"{what}, peak memory", max(peaks), 220, "MB", "most of all repeats", {"peak_mb": peaks})


def details(lab: Lab) -> Iterator[Result]:
    """Point 2: fetching and landing 1,000 details, against bare requests in a loop; start-up on neither side.

    Ours is pull + enrich (no command: no dbt) less the same with nothing left to do; the floor's loop times itself.
    """
    strava = lab.strava(SMALL)
    folder = lab.folder / "details"
    folder.mkdir()
    (folder / "ids.txt").write_text("\n".join(map(str, strava.ids())))
    floors: list[float] = []
    wholes: list[float] = []
    idles: list[float] = []
    for _ in range(lab.repeat):
        home = lab.first_sync(SMALL).home
        floors.append(float(strava.time_floor("details", folder).printed))
        strava.control("clear_requests")
        wholes.append(home.time(enrich_limit=SMALL).seconds)
        fetched = sum("/activities/" in path for path in strava.requests())
        if fetched != SMALL:
            raise CommandFailed(f"enrich asked for {fetched:,} details instead of {SMALL:,}.")
        idles.append(home.time(enrich_limit=SMALL).seconds)
        lab.show(f"loop {floors[-1]:.2f} s, run {wholes[-1]:.2f} s less an idle one of {idles[-1]:.2f} s")
    ours = min(wholes) - min(idles)
    yield Result(
        2,
        f"{SMALL:,} details, fetched and landed",
        ours / min(floors),
        2,
        "x the loop",
        f"{ours:.2f} s: run {_span(wholes)} less idle run {_span(idles)}; loop {_span(floors)}",
        {"loop_s": floors, "run_s": wholes, "idle_run_s": idles},
    )


def nothing_new(lab: Lab) -> Iterator[Result]:
    """Point 3: `flow` once more. The small home has all its details; the large one has none and asks for none."""
    small = lab.first_sync(SMALL).home
    lab.show("flow, with all details and dbt build")
    small.time("flow", "--limit", "all")
    yield from _idle_flow(lab, small, ["flow"], most_requests=3)
    large = lab.large_sync().home
    lab.show("flow, with dbt build")
    large.time("flow", "--limit", "0")
    # of no person: 100,000 activities in 16 years are 570 in the lookback, more pages than 3 requests can walk
    yield from _idle_flow(lab, large, ["flow", "--limit", "0"], most_requests=None)


def _idle_flow(lab: Lab, home: Home, command: list[str], most_requests: int | None) -> Iterator[Result]:
    times: list[float] = []
    requests: list[float] = []
    starts = 0
    listed = ""
    for _ in range(lab.repeat):
        before = home.dbt_traces()
        home.strava.control("clear_requests")
        flow = home.time(*command)
        times.append(flow.seconds)
        requests.append(len(home.strava.requests()))
        starts += NOTHING_LANDED not in flow.printed or home.dbt_traces() != before
        listed = next((line for line in flow.printed.splitlines() if line.startswith("Activities: ")), "")
        lab.show(f"{' '.join(command)} at {home.strava.activities:,}: {times[-1]:.2f} s, {requests[-1]:.0f} requests")
    what = f"flow with nothing new at {home.strava.activities:,}"
    yield Result(3, f"{what}, time", median(times), 3, "s", "whole process", {"flow_s": times})
    yield Result(3, f"{what}, requests", max(requests), most_requests, "requests", listed, {"requests": requests})
    yield Result(3, f"{what}, dbt starts", starts, 0, "starts", "from what it says and dbt's files")


def first_syncs(lab: Lab) -> Iterator[Result]:
    """Point 4: requests for the list in a first sync."""
    for activities in sorted({*FIRST_SYNCS, lab.large}):
        sync = lab.large_sync() if activities == lab.large else lab.first_sync(activities)
        yield Result(
            4,
            f"first sync of {activities:,}, list requests",
            sync.list_requests,
            math.ceil(activities / PER_PAGE) + 3,
            "requests",
            f"{len(sync.paths)} with token and athlete",
        )


def build(lab: Lab) -> Iterator[Result]:
    """Point 5: `dbt build` after one new activity in a large history, against a small one; dbt's own process."""
    small = lab.first_sync(SMALL).home
    large = lab.large_sync().home
    took: dict[Home, list[float]] = {small: [], large: []}
    for home in took:
        lab.show(f"first dbt build of {home.strava.activities:,}")
        home.time("flow", "--limit", "0")
    for _ in range(lab.repeat):
        for home, seconds in took.items():
            home.strava.control("add")
            home.time("pull")
            told = DBT_TOOK.search(home.time("build").printed)
            if told is None:
                raise CommandFailed("build did not run dbt though an activity had landed.")
            seconds.append(float(told[1]))
        lab.show(f"dbt build after one activity: {took[small][-1]:.1f} s, {took[large][-1]:.1f} s at {lab.large:,}")
    yield Result(
        5,
        f"dbt build after one new activity at {lab.large:,}",
        min(took[large]) / min(took[small]),
        1.5,
        f"x at {SMALL:,}",
        f"{_span(took[large])}, {_span(took[small])} at {SMALL:,}",
        {"large_s": took[large], "small_s": took[small]},
    )


def marts(lab: Lab) -> Iterator[Result]:
    """Point 6: DuckDB's time for all models, as dbt tells it: a rebuild, and the build after one new activity."""
    home = lab.large_sync().home
    details = min(DETAILS_OF_LARGE, lab.large)
    lab.show(f"fetching {details:,} details")
    home.time("enrich", "--limit", str(details))
    rebuilds: list[float] = []
    news: list[float] = []
    slowest: list[str] = []
    for _ in range(lab.repeat):
        home.drop_warehouse()
        home.time("build")
        runs = home.model_runs()
        rebuilds.append(_busy_s(runs))
        longest = sorted(((ended_at - began_at).total_seconds(), model) for began_at, ended_at, model in runs)
        slowest.append(", ".join(f"{model} {seconds:.1f}" for seconds, model in longest[:-4:-1]))
        home.strava.control("add")
        home.time("pull")
        home.time("enrich", "--limit", "1")
        news.append(_busy_s(home.model_runs()))
        lab.show(f"all models {rebuilds[-1]:.2f} s ({slowest[-1]}), after one activity {news[-1]:.2f} s")
    how = f"{_span(rebuilds)}; {details:,} with details; longest {slowest[rebuilds.index(min(rebuilds))]}"
    yield Result(6, f"all models anew at {lab.large:,}", min(rebuilds), 10, "s", how, {"models_s": rebuilds})
    what = f"all models after one activity with details at {lab.large:,}"
    yield Result(6, what, min(news), None, "s", _span(news), {"models_s": news})


def _busy_s(runs: Sequence[tuple[datetime, datetime, str]]) -> float:
    """Time in which at least one of `runs` (in the order of their begins) went on: two at once wait for each other."""
    busy = timedelta()
    until = datetime.min.replace(tzinfo=UTC)
    for began_at, ended_at, _ in runs:
        busy += max(ended_at, until) - max(began_at, until)
        until = max(ended_at, until)
    return busy.total_seconds()


def page(lab: Lab) -> Iterator[Result]:
    """Point 7: the page of 3,000 activities, start-up aside (that of `--help`), and the size of its file.

    Routes are drawn once and kept; the first page, which draws them all, is shown without a target.
    """
    home = lab.first_sync(SHOWN).home
    lab.show(f"flow of {SHOWN:,} with their details, with dbt build")
    home.time("flow", "--limit", str(SHOWN), more=SHOWN_WITH)
    file = home.folder / "site" / "index.html"
    routes = home.folder / "warehouse" / ".state" / "routes.json"
    first: list[Finished] = []
    again: list[Finished] = []
    starts: list[float] = []
    for _ in range(lab.repeat):
        starts.append(home.time("--help").seconds)
        routes.unlink(missing_ok=True)
        for runs in (first, again):
            file.unlink(missing_ok=True)
            runs.append(home.time("page", more=SHOWN_WITH))
        lab.show(f"page {again[-1].seconds:.2f} s, with all routes drawn anew {first[-1].seconds:.2f} s")
    size_mb = file.stat().st_size / MB
    targets = ((f"page of {SHOWN:,}", again, 1.2), ("the same, all routes drawn anew", first, None))
    for what, finished, target in targets:
        seconds = [run.seconds for run in finished]
        how = f"whole process {_span(seconds)}, its start-up {_span(starts)}"
        samples = {"page_s": seconds, "start_s": starts}
        yield Result(7, f"{what}, time", min(seconds) - min(starts), target, "s", how, samples)
    yield Result(7, "its size", size_mb, 2.5, "MB", "with all that it needs inside")


def files(lab: Lab) -> Iterator[Result]:
    """Point 8: FIT files of an hour by our reader, records a second against fitdecode's; 2,000 of them on one core."""
    folder = lab.folder / "files"
    folder.mkdir()

    def run(what: str, *count: str) -> Finished:
        return run_timed([sys.executable, "-m", "bench.files", what, str(folder), *count], clean_environment(folder))

    run("write")
    samples: dict[str, list[float]] = {"ours": [], "fitdecode": []}
    for _ in range(lab.repeat):
        for what, count in (("fitdecode", "8"), ("ours", "160")):
            records, cpu_s = map(float, run(what, count).printed.split())
            samples[what].append(records / cpu_s)
        lab.show(f"records/s: ours {samples['ours'][-1]:,.0f}, fitdecode {samples['fitdecode'][-1]:,.0f}")
    ours, theirs = max(samples["ours"]), max(samples["fitdecode"])
    how = f"records/s of processor time: {ours:,.0f}, fitdecode {theirs:,.0f}"
    # a ratio like the others, that may be so much at most: our time for a record against theirs
    yield Result(8, "FIT records, time for one", theirs / ours, 1 / 15, "x fitdecode", how, samples)
    half = run("ours", "2000")
    how = f"whole process; {half.cpu_s:.1f} s of processor time"
    yield Result(8, "2,000 FIT files of an hour (4,000 on two cores)", half.seconds, 90, "s", how)
    yield Result(8, "its peak memory (two processes)", 2 * half.peak_bytes / MB, 400, "MB", "twice that of the one")


def exports(lab: Lab) -> Iterator[Result]:
    """Point 9: landing an export of 5,000 activities and 800 MB, against reading and writing its bytes; and again."""
    folder = lab.folder / "exports"
    folder.mkdir()
    path, home = folder / "export_1.zip", folder / "home"
    environment = clean_environment(folder) | {"STRAVA_HOME": str(home)}

    def run(what: str, *arguments: str) -> Finished:
        return run_timed([sys.executable, "-m", "bench.exports", what, str(path), *arguments], environment)

    run("write")
    floors: list[Finished] = []
    landings: list[Finished] = []
    again: list[Finished] = []
    for _ in range(lab.repeat):
        shutil.rmtree(home, ignore_errors=True)
        floors.append(run("floor", str(folder)))
        landings.append(run("land"))
        again.append(run("land"))
        lab.show(f"floor {floors[-1].seconds:.2f} s, landing {landings[-1].seconds:.2f} s")
    seconds, least = ([each.seconds for each in runs] for runs in (landings, floors))
    samples = {"landing_s": seconds, "floor_s": least}
    how = f"{_span(seconds)}, floor {_span(least)}; whole processes"
    yield Result(9, "landing an export of 800 MB", min(seconds) / min(least), 2, "x floor", how, samples)
    cpu, cpu_least = (min(each.cpu_s for each in runs) for runs in (landings, floors))
    how = f"{cpu:.2f} s, floor {cpu_least:.2f} s"
    yield Result(9, "the same in processor time", cpu / cpu_least, None, "x floor", how)
    peak = max(each.peak_bytes for each in landings) / MB
    yield Result(9, "its peak memory", peak, 250, "MB", "worst of all repeats")
    seconds = [each.seconds for each in again]
    yield Result(9, "the same export again", min(seconds), 3, "s", "whole process", {"again_s": seconds})


def age(lab: Lab) -> Iterator[Result]:
    """Point 10: each command in a home after 10,000 runs, against one with the same rows in few files."""
    young = lab.first_sync(SMALL).home
    lab.show("flow of the young home, with details and dbt build")
    young.time("flow", "--limit", str(SMALL // 2))
    old = young.copied(lab.folder / "old")
    for home, kind in ((young, "large"), (old, "small")):
        run_timed(
            [sys.executable, "-m", "bench.years", str(home.folder / "data"), str(RUNS), kind],
            clean_environment(home.folder),
        )
    with object_store(lab.folder) as address:
        in_buckets: list[Home] = []
        for home in (young, old):
            bucket = Bucket(address, home.folder.name.replace("_", "-"))
            bucket.take(home.folder / "data")
            in_bucket = home.copied(lab.folder / f"{home.folder.name}_in_bucket")
            in_bucket.settings = bucket.settings
            in_buckets.append(in_bucket)
        yield from _aged(lab, young, old, "")
        yield from _aged(lab, in_buckets[0], in_buckets[1], ", in a bucket")


def _aged(lab: Lab, young: Home, old: Home, where: str) -> Iterator[Result]:
    for home, kind in ((young, "large"), (old, "small")):
        first = home.time("flow", "--limit", "0")
        lab.show(f"the first flow over {RUNS:,} runs in {kind} files{where}: {first.seconds:.1f} s")
    for command in OF_EVERY_DAY:
        samples: dict[str, list[float]] = {"old_s": [], "young_s": []}
        for _ in range(lab.repeat):
            for home, seconds in ((young, samples["young_s"]), (old, samples["old_s"])):
                arguments = [argument.format(home=home.folder) for argument in command]
                seconds.append(home.time(*arguments).seconds)
                (home.folder / "strava.bundle").unlink(missing_ok=True)
        how = f"{_span(samples['old_s'])}, young {_span(samples['young_s'])}"
        ratio = min(samples["old_s"]) / min(samples["young_s"])
        yield Result(10, f"{command[0]} after {RUNS:,} runs{where}", ratio, 1.3, "x the young home", how, samples)
        lab.show(f"{command[0]}{where}: {how}")


def one_new(lab: Lab) -> Iterator[Result]:
    """Point 12: a flow that finds one new activity, against one that finds nothing new."""

    def found_s(home: Home) -> float:
        home.strava.control("add")
        found = home.time("flow", "--limit", "0")
        if not DBT_TOOK.search(found.printed):
            raise CommandFailed("flow built nothing though an activity had landed.")
        return found.seconds

    for home in (lab.first_sync(SMALL).home, lab.large_sync().home):
        lab.show(f"flow at {home.strava.activities:,}, with a build")
        home.time("flow", "--limit", "0")
        # dbt builds this one, the others do the same again
        by_dbt = found_s(home)
        idle: list[float] = []
        new: list[float] = []
        for _ in range(lab.repeat):
            idle.append(home.time("flow", "--limit", "0").seconds)
            new.append(found_s(home))
        what = f"flow with one new activity at {home.strava.activities:,}"
        how = f"{_span(new)}, nothing new {_span(idle)}"
        yield Result(12, what, min(new) / min(idle), 3, "x nothing new", how, {"new_s": new, "idle_s": idle})
        lab.show(f"{what}: {how}")
        ratio = by_dbt / min(idle)
        yield Result(12, "the same for the first time, by dbt", ratio, None, "x nothing new", f"{by_dbt:.2f} s", {})


def first_flow(lab: Lab) -> Iterator[Result]:
    """Point 13: the first flow of 1,000 activities, warehouse included, against the program that this one replaces."""
    strava = lab.strava(SMALL)
    flows: list[float] = []
    originals: list[float] = []
    for number in range(lab.repeat):
        folder = lab.folder / f"original_{number}"
        folder.mkdir()
        originals.append(strava.time_floor("original", folder).seconds)
        flows.append(Home(lab.folder / f"new_{number}", strava).time("flow", "--limit", "0").seconds)
        lab.show(f"first flow {flows[-1]:.2f} s, the original's way {originals[-1]:.2f} s")
    how = f"{_span(flows)}, the original's way {_span(originals)}; whole processes"
    ratio = min(flows) / min(originals)
    samples = {"flow_s": flows, "original_s": originals}
    yield Result(13, f"first flow of {SMALL:,} activities", ratio, 4, "x the original", how, samples)


MEASURES: Mapping[int, Callable[[Lab], Iterator[Result]]] = {
    1: pull,
    2: details,
    3: nothing_new,
    4: first_syncs,
    5: build,
    6: marts,
    7: page,
    8: files,
    9: exports,
    10: age,
    # 11 is the comparison of engines, which has a command of its own
    12: one_new,
    13: first_flow,
}
