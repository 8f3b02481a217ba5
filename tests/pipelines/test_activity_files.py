"""Activity files through the readers' door, cell for cell against what was written and two other libraries."""

import io
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import fitdecode
import fitparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.strava_export.readers import read_activity_file
from simulator.activity_files import EDGE_530, Sample, fit_file

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
    """What the door promises beyond the bytes: a row a second in order, no half position, none at 0, 0, no heart rate 0."""
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
        lat, lng = draw(st.sampled_from(((51.5, -0.12), (-33.9, 151.2), (0, 0), (None, None))))
        values = {
            "lat": lat,
            "lng": lng,
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
