"""Activity files through the readers' door, cell for cell against what was written and two other libraries."""

import gzip
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import fitdecode
import fitparse
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.sources.strava_export.readers import POINTS, ActivityFile, UnreadableFile, read_activity_file
from simulator.activity_files import EDGE_530, Device, FitWriter, Sample, fit_crc, fit_file, gpx_file, tcx_file

START = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
FIT_EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
COLUMNS = Sample._fields[1:]
# how far what a format stores may be from what was measured: half its step
STEP = {"lat": 1e-7, "lng": 1e-7, "distance_m": 0.0051, "altitude_m": 0.11, "speed_m_s": 0.00051}
RIDE = [
    Sample(i, 51.5 + i * 1e-5, -0.1, i * 7.25, 20 + i * 0.2, 7.25, 120 + i % 40, 80 + i % 7, 200 + i % 10, 21)
    for i in range(120)
]
PROFILE = {
    "lat": ("position_lat",),
    "lng": ("position_long",),
    "distance_m": ("distance",),
    "altitude_m": ("enhanced_altitude", "altitude"),
    "speed_m_s": ("enhanced_speed", "speed"),
    "heart_rate": ("heart_rate",),
    "cadence": ("cadence",),
    "power_w": ("power",),
    "temperature_c": ("temperature",),
}
Row = dict[str, Any]


def rows(data: bytes, name: str = "1.fit") -> list[Row]:
    return read_activity_file(data, name).points.to_pylist()


def by_fitdecode(data: bytes) -> Iterator[Row]:
    with warnings.catch_warnings(), fitdecode.FitReader(io.BytesIO(data), processor=None) as fit:
        warnings.simplefilter("ignore")
        for frame in fit:
            if isinstance(frame, fitdecode.FitDataMessage) and frame.name == "record":
                fields = [f for f in frame.fields if not isinstance(f.field, fitdecode.types.DevField)]
                yield _profile_row([(f.name, f.value) for f in fields])


def by_fitparse(data: bytes) -> Iterator[Row]:
    fit = fitparse.FitFile(io.BytesIO(data), check_crc=False, data_processor=fitparse.processors.FitFileDataProcessor())
    for message in fit.get_messages("record"):
        fields = [f for f in message.fields if not isinstance(f.field, fitparse.records.DevField)]
        yield _profile_row([(f.name, f.raw_value if f.name == "timestamp" else f.value) for f in fields])


def _profile_row(fields: list[tuple[str, Any]]) -> Row:
    row: Row = {"time": next((value for name, value in fields if name == "timestamp"), None)}
    for column, names in PROFILE.items():
        found = (value for wanted in names for name, value in fields if name == wanted and value is not None)
        row[column] = next(found, None)
    for column in ("lat", "lng"):
        row[column] = None if row[column] is None else row[column] * 180 / 2**31
    return row


def tidied(raw: Sequence[Row]) -> list[Row]:
    """What the door promises beyond the bytes: a row a second in order, whole positions, none at 0, 0, no rate of 0."""
    seconds: dict[int, Row] = {}
    for row in sorted((row for row in raw if row["time"] is not None), key=lambda row: row["time"]):
        known = seconds.setdefault(row["time"], dict.fromkeys(row))
        known.update({column: value for column, value in row.items() if value is not None})
    for row in seconds.values():
        row["time"] = datetime.fromtimestamp(row["time"] + FIT_EPOCH.timestamp(), UTC)
        if None in (row["lat"], row["lng"]) or (row["lat"] == 0 and row["lng"] == 0):
            row["lat"] = row["lng"] = None
        row["heart_rate"] = row["heart_rate"] or None
    return list(seconds.values())


def written(samples: Sequence[Sample]) -> list[Row]:
    at = int((START - FIT_EPOCH).total_seconds())
    return tidied([{"time": at + s.t_s, **{column: getattr(s, column) for column in COLUMNS}} for s in samples])


def assert_close(read: list[Row], truth: list[Row], columns: Sequence[str] = COLUMNS) -> None:
    assert [row["time"] for row in read] == [row["time"] for row in truth]
    for column in columns:
        pairs = [(row[column], true[column]) for row, true in zip(read, truth, strict=True)]
        off = [(a, b) for a, b in pairs if a != b and (a is None or b is None or abs(a - b) > STEP.get(column, 0))]
        assert not off, (column, off)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def recordings(draw: st.DrawFn) -> list[Sample]:
    """Samples as watches take them: some columns, gaps, the same second twice, a clock that goes back."""
    present = draw(st.sets(st.sampled_from(COLUMNS)))
    t_s, metres, samples = 0, 0.0, []
    for step in draw(st.lists(st.sampled_from((1, 1, 1, 1, 2, 7, 31, 32, 400, 0, -1)), min_size=1, max_size=30)):
        metres += draw(st.integers(0, 200))
        anywhere = st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-179_999_999, 179_999_999))
        lat, lng = draw(st.sampled_from(((0, 0), (None, None))) | anywhere)
        values = {
            "lat": None if lat is None else lat / 1e6,
            "lng": None if lng is None else lng / 1e6,
            "distance_m": metres,
            "altitude_m": draw(maybe(st.integers(-400, 8000))),
            "speed_m_s": draw(maybe(st.integers(0, 4000))),
            "heart_rate": draw(maybe(st.integers(0, 254))),
            "cadence": draw(maybe(st.integers(0, 254))),
            "power_w": draw(maybe(st.integers(0, 3000))),
            "temperature_c": draw(maybe(st.integers(-128, 126))),
        }
        if values["speed_m_s"] is not None:
            values["speed_m_s"] /= 100
        samples.append(Sample(t_s, **{name: value for name, value in values.items() if name in present}))
        t_s = max(0, t_s + step)
    return samples


FORMS = st.fixed_dictionaries(
    {},
    optional={
        "big_endian": st.booleans(),
        "header_size": st.sampled_from((12, 14)),
        "define_always": st.booleans(),
        "enhanced": st.booleans(),
        "compressed_timestamps": st.booleans(),
        "developer_fields": st.booleans(),
        "interleaved": st.booleans(),
        "events": st.booleans(),
        "crc": st.just(0x1234),
    },
)


@given(samples=recordings(), form=FORMS)
# a second that is there twice: rows merged by it come in another order
@example(samples=[Sample(t_s) for t_s in (0, 1, 2, 3, 10, 41, 73, 473, 473, 474)], form={})
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_fit_file_reads_as_it_was_written_and_as_two_libraries_read_it(
    samples: list[Sample], form: dict[str, Any]
) -> None:
    data = fit_file(samples, start=START, **form)
    read = rows(data)
    assert read == tidied(list(by_fitdecode(data)))
    assert read == tidied(list(by_fitparse(data)))
    assert_close(read, written(samples))


def test_a_ride_has_its_sport_device_offset_laps_and_start() -> None:
    data = fit_file(
        RIDE, start=START, sport="cycling", sub_sport="road", device=EDGE_530, utc_offset_s=20700, laps_s=(60, 59)
    )
    ride = read_activity_file(data, "1.fit")
    assert (ride.format, ride.sport, ride.sub_sport, ride.device) == ("fit", "cycling", "road", "Garmin Edge 530")
    assert (ride.start, ride.utc_offset_s, ride.faults) == (START, 20700, ())
    assert [(lap.elapsed_s, lap.distance_m) for lap in ride.laps] == [(60, 60 * 7.25), (59, 59 * 7.25)]


def points_of(activity: ActivityFile) -> list[Row]:
    found: list[Row] = activity.points.to_pylist()
    return found


def refusal(data: bytes, name: str = "1.fit") -> str:
    with pytest.raises(UnreadableFile) as refused:
        read_activity_file(data, name)
    assert str(refused.value).endswith(".")
    return refused.value.reason


@pytest.mark.parametrize("big_endian", [False, True])
def test_old_devices_speed_and_distance_in_three_bytes_are_unpacked(big_endian: bool) -> None:
    data = fit_file(
        RIDE, start=START, compressed_speed_distance=True, compressed_timestamps=True, big_endian=big_endian
    )
    assert rows(data) == tidied(list(by_fitdecode(data)))
    assert [row["distance_m"] for row in rows(data)][-1] == pytest.approx(RIDE[-1].distance_m, abs=1 / 16)


def test_a_chain_of_fit_files_is_one_activity() -> None:
    later = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)
    data = fit_file(RIDE, start=START) + fit_file(RIDE, start=later, big_endian=True, sport="cycling")
    chained = read_activity_file(data, "1.fit")
    assert rows(data) == tidied(list(by_fitdecode(data)))
    assert [(session.start, session.sport) for session in chained.sessions] == [(START, "running"), (later, "cycling")]
    assert (len(chained.points), chained.faults) == (2 * len(RIDE), ())


def test_a_file_of_a_chain_does_not_borrow_the_definitions_of_the_one_before() -> None:
    first = fit_file(RIDE, start=START)
    undefined = FitWriter()
    undefined.message(20, [(253, 0x86, 1_100_000_000), (3, 2, 140)])
    body = bytes(range(4)) * 30  # headers of local types 0 to 3 and no definition
    header = undefined.file()[:4] + len(body).to_bytes(4, "little") + b".FIT\0\0"
    content = header + body
    chained = read_activity_file(first + content + fit_crc(content).to_bytes(2, "little"), "1.fit")
    assert (len(chained.points), chained.faults) == (len(RIDE), (f"{len(body)} bytes that are not messages",))


def test_a_fit_file_cut_off_anywhere_keeps_every_whole_point_and_says_so() -> None:
    whole = fit_file(RIDE, start=START)
    points = rows(whole)
    for size in range(len(whole) - 1, 200, -97):
        cut = read_activity_file(whole[:size], "1.fit")
        assert points_of(cut) == points[: len(cut.points)]
        assert "cut off before its end" in cut.faults
    assert len(read_activity_file(whole[: len(whole) // 2], "1.fit").points) > 50
    assert read_activity_file(fit_file(RIDE, start=START, with_session=False)[:-700], "1.fit").sport == "running"


@pytest.mark.parametrize(
    ("defect", "fault"),
    [
        ({"crc": 1}, "its checksum does not match"),
        ({"data_size": 0}, "its header gives no length"),
        ({"data_size": 100_000}, "cut off before its end"),
        ({"data_size": 2000}, "its checksum does not match"),
    ],
)
def test_a_fit_file_whose_ends_are_wrong_is_read_to_its_last_point(defect: dict[str, int], fault: str) -> None:
    activity = read_activity_file(fit_file(RIDE, start=START, **defect), "1.fit")
    assert points_of(activity) == rows(fit_file(RIDE, start=START))
    assert (activity.faults[0], activity.sport) == (fault, "running")


def test_what_follows_a_whole_fit_file_is_not_taken_for_messages() -> None:
    whole = fit_file(RIDE, start=START)
    activity = read_activity_file(whole + bytes(500), "1.fit")
    assert points_of(activity) == rows(whole)
    assert activity.faults == ("500 bytes after its end",)


def test_fields_of_no_size_take_no_bytes() -> None:
    assert rows(fit_file(RIDE, start=START, empty_fields=True)) == rows(fit_file(RIDE, start=START))


def test_an_apps_fields_named_speed_and_distance_replace_nothing() -> None:
    assert rows(fit_file(RIDE, start=START, developer_fields=True)) == rows(fit_file(RIDE, start=START))
    bare = [sample._replace(speed_m_s=None, distance_m=None) for sample in RIDE]
    assert {
        (row["speed_m_s"], row["distance_m"]) for row in rows(fit_file(bare, start=START, developer_fields=True))
    } == {(None, None)}


def test_a_straps_heart_rates_are_put_at_their_seconds() -> None:
    apart = rows(fit_file(RIDE, start=START, heart_rate_messages=True))
    measured = [sample.heart_rate or 0 for sample in RIDE]
    # each counts for the quarters of a second until the next one; that of the point's own second for one
    means = [int((3 * before + own) / 4 + 0.5) for before, own in pairwise(measured)]
    assert [row["heart_rate"] for row in apart] == [measured[0], *means]


def test_a_pool_swim_without_records_has_a_point_at_the_end_of_each_length() -> None:
    swim = read_activity_file(
        fit_file([], start=START, sport="swimming", sub_sport="lap_swimming", pool_lengths_s=(30, 40, 35)), "1.fit"
    )
    assert [((row["time"] - START).seconds, row["distance_m"]) for row in points_of(swim)] == [
        (30, 25.0),
        (70, 50.0),
        (105, 75.0),
    ]


def test_a_multisport_file_has_a_session_for_each_part() -> None:
    parts = (("swimming", "open_water", 30), ("cycling", "road", 60), ("running", "generic", 29))
    triathlon = read_activity_file(fit_file(RIDE, start=START, sessions=parts), "1.fit")
    assert [(part.sport, part.sub_sport, part.elapsed_s) for part in triathlon.sessions] == list(parts)
    assert (triathlon.sport, triathlon.start) == ("swimming", START)


AN_HOUR_AND_A_MINUTE_EAST = int((START - FIT_EPOCH).total_seconds()) + 119 + 3660


@pytest.mark.parametrize("local_timestamp", [0, 0x10000001, 0xFFFFFFFE, None, AN_HOUR_AND_A_MINUTE_EAST])
def test_an_impossible_local_time_is_none(local_timestamp: int | None) -> None:
    data = fit_file(RIDE, start=START, utc_offset_s=None, local_timestamp=local_timestamp)
    assert read_activity_file(data, "1.fit").utc_offset_s is None


def test_a_watch_whose_clock_jumps_by_years_keeps_the_points_in_between() -> None:
    jump = [*RIDE[:60], RIDE[60]._replace(t_s=9 * 365 * 86400), *RIDE[61:]]
    assert len(rows(fit_file(jump, start=START, elapsed_s=119))) == len(RIDE) - 1


@pytest.mark.parametrize(
    ("device", "product_name", "name"),
    [
        (Device(1, 3113, ""), None, "Garmin Forerunner 945"),
        (Device(1, 65000, ""), None, "Garmin"),
        (Device(32, 31, ""), "ELEMNT BOLT", "Wahoo ELEMNT BOLT"),
        (Device(294, 0, ""), "COROS PACE 2", "COROS PACE 2"),
        (Device(60000, 1, ""), None, None),
    ],
)
def test_a_device_has_a_name_to_read(device: Device, product_name: str | None, name: str | None) -> None:
    data = fit_file(RIDE, start=START, device=device, product_name=product_name)
    assert read_activity_file(data, "1.fit").device == name


def test_what_our_reader_refuses_fitdecode_reads() -> None:
    fit = FitWriter()
    for number in range(6000):
        fit.message(0x8000 + number, [(0, 2, 1)])
    at = int((START - FIT_EPOCH).total_seconds())
    for second in range(20):
        fit.message(20, [(253, 0x86, at + second), (3, 2, 140)])
    data = fit.file()
    activity = read_activity_file(data, "1.fit")
    assert points_of(activity) == tidied(list(by_fitdecode(data)))
    assert activity.faults == ("our own reader cannot read it, fitdecode can",)


def test_a_fit_file_without_an_activity_is_refused_with_the_reason() -> None:
    settings_file = FitWriter()
    settings_file.message(0, [(0, 0, 2)])
    assert refusal(settings_file.file()) == "no activity"
    assert refusal(fit_file(RIDE, start=START)[:60]) == "damaged"
    assert refusal(b"\x0e" + bytes(100), "1.fit.gz") == "damaged"


@pytest.mark.parametrize("write", [gpx_file, tcx_file])
@given(samples=recordings(), utc_offset_s=st.sampled_from((None, 20700, -12600)), blanks=st.integers(0, 12))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_gpx_and_a_tcx_file_read_as_they_were_written(
    write: Callable[..., bytes], samples: list[Sample], utc_offset_s: int | None, blanks: int
) -> None:
    samples = [s if s.lat is not None and s.lng is not None else s._replace(lat=1.5, lng=2.5) for s in samples]
    data = write(samples, start=START, utc_offset_s=utc_offset_s, blanks=blanks)
    lacks = "distance_m" if write is gpx_file else "temperature_c"
    activity = read_activity_file(data, "1.xml")
    assert_close(points_of(activity), written(samples), [column for column in COLUMNS if column != lacks])
    assert (activity.start, activity.utc_offset_s, activity.faults) == (START, utc_offset_s, ())


def test_two_devices_of_one_model_differ_by_their_serial_numbers_if_they_have_any() -> None:
    first, second, third, unknown = (
        read_activity_file(fit_file(RIDE[:points], start=START, device=EDGE_530._replace(serial=serial)), "").device_id
        for serial, points in ((3_900_000_001, None), (3_900_000_002, None), (3_900_000_001, 2), (None, None))
    )
    assert first == third
    assert len({first, second, None}) == 3
    assert unknown is None


def test_gpx_and_tcx_have_sport_device_and_laps() -> None:
    gpx = read_activity_file(gpx_file(RIDE, start=START, sport="cycling", creator="StravaGPX Consent Strip"), "1.gpx")
    assert (gpx.format, gpx.sport, gpx.device) == ("gpx", "cycling", "StravaGPX Consent Strip")
    tcx = read_activity_file(tcx_file(RIDE, start=START, sport="Biking", laps_s=(60,)), "1.tcx")
    assert (tcx.format, tcx.sport, tcx.device) == ("tcx", "Biking", "Garmin Forerunner 945")
    assert [(lap.start, lap.elapsed_s) for lap in tcx.laps] == [(START, 60), (START + timedelta(seconds=60), 59)]
    assert [(session.start, session.elapsed_s) for session in tcx.sessions] == [(START, 119)]


@pytest.mark.parametrize("write", [fit_file, gpx_file, tcx_file])
def test_content_decides_whatever_the_name_and_the_wrapping(write: Callable[..., bytes]) -> None:
    data = write(RIDE, start=START)
    expected = rows(data)
    assert rows(gzip.compress(data), "1.bin.gz") == expected
    assert rows(gzip.compress(data), "1.fit") == expected
    assert rows(gzip.compress(gzip.compress(data)), "1.tcx.gz.gz") == expected
    assert rows(data, "1.csv") == expected


def test_damaged_gzip_gives_what_can_be_unpacked_and_says_so() -> None:
    data = tcx_file(RIDE * 3, start=START)
    packed = gzip.compress(data)
    wrong_sum = read_activity_file(packed[:-8] + b"\0\0\0\0" + packed[-4:], "1.tcx.gz")
    assert (points_of(wrong_sum), wrong_sum.faults) == (rows(data), ("its gzip is damaged",))
    cut = read_activity_file(packed[: len(packed) // 2], "1.tcx.gz")
    assert len(cut.points) > 20
    assert cut.faults[0] == "its gzip is cut off"
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    assert "its gzip is damaged" in read_activity_file(bytes(flipped), "1.tcx.gz").faults


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "1.fit", "empty"),
        (b" \n" * 50, "1.gpx", "empty"),
        (bytes(4096), "1.fit", "empty"),
        (gzip.compress(b"", mtime=0), "1.tcx.gz", "empty"),
        (gzip.compress(bytes(1 << 20), mtime=0) * 200, "1.fit.gz", "too large"),
        (b"PK\x03\x04" + bytes(30), "1.zip", "unknown format"),
        (b"<html><body>Not found</body></html>", "1.gpx", "unknown format"),
        (b"<gpx/>", "1.gpx", "no activity"),
        (b"<" + b"a" * 2_000_000, "1.gpx", "forbidden"),
        (b"<gpx>" * 200, "1.gpx", "forbidden"),
        (b'<?xml version="1.0" encoding="klingon"?><gpx/>', "1.gpx", "no activity"),
        (gpx_file(RIDE, start=START, with_times=False), "routes/1.gpx", "no times"),
        (tcx_file(RIDE, start=START).replace(b"Activit", b"Course"), "course.tcx", "no activity"),
        (gpx_file(RIDE, start=START, doctype="<!DOCTYPE gpx>"), "1.gpx", "forbidden"),
        (
            tcx_file(RIDE, start=START, doctype='<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'),
            "1.tcx",
            "forbidden",
        ),
    ],
    ids=[
        "nothing",
        "blanks",
        "zeros",
        "packed nothing",
        "bomb",
        "ZIP",
        "web page",
        "no track",
        "endless tag",
        "too deep",
        "unknown encoding",
        "route",
        "course",
        "DOCTYPE",
        "entities",
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, name: str, reason: str) -> None:
    assert refusal(data, name) == reason


def test_xml_with_characters_that_it_does_not_allow_is_read_without_them() -> None:
    for name, encoding in (("Bell \x07 hill", "UTF-8"), ("Köln", "UTF-16")):
        assert rows(gpx_file(RIDE, start=START, name=name, encoding=encoding)) == rows(gpx_file(RIDE, start=START))
    in_latin = gpx_file(RIDE, start=START, name="Köln", encoding="iso-8859-1")
    for declared in (b"UTF-8", b"UTF-16", b"gb2312", b"klingon", b"punycode"):
        activity = read_activity_file(in_latin.replace(b"iso-8859-1", declared), "1.gpx")
        assert len(activity.points) == len(RIDE)
        assert activity.faults == ("it has characters that XML does not allow, or another encoding than it says",)


def test_a_cut_gpx_or_tcx_file_keeps_its_whole_points_and_says_where_it_ends() -> None:
    for write in (gpx_file, tcx_file):
        whole = write(RIDE, start=START)
        cut = read_activity_file(whole[: len(whole) // 2], "1.xml")
        assert points_of(cut) == rows(whole)[: len(cut.points)]
        assert len(cut.points) > 50
        assert cut.faults[0].startswith("damaged at line ")


WHOLE = [
    fit_file(RIDE[:40], start=START, developer_fields=True, heart_rate_messages=True),
    fit_file(RIDE[:40], start=START, compressed_timestamps=True, compressed_speed_distance=True, big_endian=True),
    gpx_file(RIDE[:12], start=START),
    tcx_file(RIDE[:12], start=START, laps_s=(5,)),
    gzip.compress(tcx_file(RIDE[:12], start=START)),
]


@given(
    data=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    end=st.floats(0, 1),
)
@settings(max_examples=250, deadline=timedelta(seconds=10), suppress_health_check=[HealthCheck.too_slow])
def test_bytes_changed_and_cut_anywhere_give_points_or_a_reason(
    data: bytes, changes: list[tuple[float, int]], end: float
) -> None:
    changed = bytearray(data)
    for where, byte in changes:
        changed[int(where * (len(changed) - 1))] = byte
    try:
        activity = read_activity_file(bytes(changed[: 1 + int(end * len(changed))]), "1.fit")
    except UnreadableFile:
        return
    assert len(activity.points) <= len(data)
    assert activity.points.schema == POINTS
    activity.points.validate(full=True)
