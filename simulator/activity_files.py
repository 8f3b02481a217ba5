"""Files as devices write them: FIT, GPX and TCX of generated samples, with every defect that real ones have.

FIT after Garmin's protocol (developer.garmin.com/fit/protocol), GPX 1.1 (topografix.com), TCX v2 (Garmin). Nothing here
shares code with the readers in `pipelines`, so that neither can hide the other's mistakes.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

FIT_EPOCH: Final = datetime(1989, 12, 31, tzinfo=UTC)
PAUSE_S: Final = 10
SPORTS: Final = {"generic": 0, "running": 1, "cycling": 2, "swimming": 5, "training": 10, "walking": 11, "hiking": 17}
SUB_SPORTS: Final = {
    "generic": 0,
    "treadmill": 1,
    "trail": 3,
    "spin": 5,
    "indoor_cycling": 6,
    "road": 7,
    "mountain": 8,
    "lap_swimming": 17,
    "open_water": 18,
    "strength_training": 20,
    "gravel_cycling": 46,
    "virtual_activity": 58,
}

Value = int | float | bytes | Sequence[int | None] | None
Field = tuple[int, int, Value]  # number in the profile, base type, raw value

_ENUM, _SINT8, _UINT8, _STRING, _BYTE, _SINT32, _UINT16, _UINT32, _FLOAT32 = 0, 1, 2, 7, 13, 0x85, 0x84, 0x86, 0x88
_UINT32Z = 0x8C
_FORMATS: Final = {
    _ENUM: ("B", 0xFF),
    _SINT8: ("b", 0x7F),
    _UINT8: ("B", 0xFF),
    _BYTE: ("B", 0xFF),
    _SINT32: ("i", 0x7FFFFFFF),
    _UINT16: ("H", 0xFFFF),
    _UINT32: ("I", 0xFFFFFFFF),
    _UINT32Z: ("I", 0),
    _FLOAT32: ("f", float("nan")),
}


class Sample(NamedTuple):
    """What a device measured `t_s` seconds after the start; None for what it did not."""

    t_s: int
    lat: float | None = None
    lng: float | None = None
    distance_m: float | None = None
    altitude_m: float | None = None
    speed_m_s: float | None = None
    heart_rate: int | None = None
    cadence: int | None = None
    power_w: int | None = None
    temperature_c: int | None = None


class Device(NamedTuple):
    """A maker's and a product's number in the FIT profile, the name that GPX and TCX bear, and FIT's serial number."""

    manufacturer: int
    product: int
    name: str
    serial: int | None = None


EDGE_530: Final = Device(1, 3121, "Garmin Edge 530")
FORERUNNER_945: Final = Device(1, 3113, "Garmin Forerunner 945")


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


_CRC_TABLE: Final = [_crc_of_byte(byte) for byte in range(256)]


def fit_crc(data: bytes, crc: int = 0) -> int:
    """Return the CRC-16 that ends a FIT file, byte by byte."""
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[crc & 0xFF ^ byte]
    return crc


class FitWriter:
    """The messages of one FIT file; `message` defines a local type when it has to.

    `define_always` repeats the definition before each message, as some programs do.
    """

    def __init__(self, *, big_endian: bool = False, define_always: bool = False) -> None:
        self._order = ">" if big_endian else "<"
        self._define_always = define_always
        self._body = bytearray()
        self._shapes: list[tuple[object, ...] | None] = [None] * 4
        self._next_local = 0

    def message(
        self, number: int, fields: Sequence[Field], developer: Sequence[Field] = (), offset_s: int | None = None
    ) -> None:
        """Add a message; `offset_s` gives it a compressed timestamp, the last five bits of a time."""
        encoded = [self._encode(base, value) for _, base, value in (*fields, *developer)]
        sizes = [len(value) for value in encoded]
        shape = (number, *((field[0], field[1]) for field in (*fields, *developer)), len(fields), *sizes)
        if shape in self._shapes:
            local = self._shapes.index(shape)
        else:
            local, self._next_local = self._next_local, (self._next_local + 1) % 4
            self._shapes[local] = shape
            self._define(local, number, fields, developer, sizes)
            shape = (*shape, None) if self._define_always else shape
            self._shapes[local] = shape
        self._body.append(local if offset_s is None else 0x80 | local << 5 | offset_s & 0x1F)
        self._body += b"".join(encoded)

    def _define(
        self, local: int, number: int, fields: Sequence[Field], developer: Sequence[Field], sizes: Sequence[int]
    ) -> None:
        big = self._order == ">"
        self._body += struct.pack(
            f"{self._order}BBBHB", 0x40 | (0x20 if developer else 0) | local, 0, big, number, len(fields)
        )
        for (field, base, _), size in zip(fields, sizes, strict=False):
            self._body += bytes((field, size, base))
        if developer:
            self._body.append(len(developer))
            for (field, _, _), size in zip(developer, sizes[len(fields) :], strict=True):
                self._body += bytes((field, size, 0))

    def _encode(self, base: int, value: Value) -> bytes:
        if base == _STRING:
            return value if isinstance(value, bytes) else b"\0"
        form, invalid = _FORMATS[base]
        values = value if isinstance(value, list | tuple) else [value]
        return struct.pack(f"{self._order}{len(values)}{form}", *(invalid if one is None else one for one in values))

    def file(self, *, header_size: int = 14, data_size: int | None = None, crc: int | None = None) -> bytes:
        """Return the file; `data_size` and `crc` replace what would be true."""
        size = len(self._body) if data_size is None else data_size
        header = struct.pack("<BBHI4s", header_size, 0x20, 2132, size, b".FIT")
        if header_size > len(header):
            header += struct.pack("<H", fit_crc(header))
        content = header + bytes(self._body)
        return content + struct.pack("<H", fit_crc(content) if crc is None else crc)


def _fit_time(instant: datetime) -> int:
    return round((instant - FIT_EPOCH).total_seconds())


def _scaled(value: float | None, scale: float, offset: float = 0) -> int | None:
    return None if value is None else round((value + offset) * scale)


def fit_file(
    samples: Sequence[Sample],
    *,
    start: datetime,
    sport: str = "running",
    sub_sport: str = "generic",
    device: Device = FORERUNNER_945,
    product_name: str | None = None,
    utc_offset_s: int | None = 0,
    local_timestamp: int | None = None,
    laps_s: Sequence[int] = (),
    sessions: Sequence[tuple[str, str, int]] = (),
    elapsed_s: int | None = None,
    with_session: bool = True,
    events: bool = True,
    big_endian: bool = False,
    header_size: int = 14,
    data_size: int | None = None,
    crc: int | None = None,
    define_always: bool = False,
    enhanced: bool = True,
    compressed_timestamps: bool = False,
    compressed_speed_distance: bool = False,
    developer_fields: bool = False,
    empty_fields: bool = False,
    interleaved: bool = False,
    heart_rate_messages: bool = False,
    pool_lengths_s: Sequence[int] = (),
    cut_to: int | None = None,
) -> bytes:
    """Return a FIT activity of `samples`, the first of them usually at 0 s.

    `utc_offset_s` stands in `activity.local_timestamp`, unless `local_timestamp` (raw) replaces it; None leaves it out.
    `laps_s` are the lengths of laps; `sessions` are sport, sub-sport and length of each part of a multisport activity.
    `elapsed_s` is what the summaries say, by default until the last sample.
    `with_session=False`: the device died before it wrote its summaries. `events=False`: pauses are gaps and no more.
    `data_size`, `crc`: what the header and the end say instead of the truth.
    `enhanced`: speed and altitude in the wide fields 73 and 78, with 6 and 2 empty beside them.
    `compressed_timestamps`, `compressed_speed_distance` (field 8): as old devices save bytes.
    `developer_fields`: fields of an app named speed and distance, with other values. `empty_fields`: one of size 0.
    `interleaved`: a message that nobody knows after each record.
    `heart_rate_messages`: heart rates apart, as a strap stores them under water.
    `pool_lengths_s`: a pool swim of 25 m lengths, their seconds. `cut_to`: so many bytes only.
    Two files after each other are a chained FIT file.
    """
    fit = FitWriter(big_endian=big_endian, define_always=define_always)
    at = _fit_time(start)
    serial = () if device.serial is None else ((3, _UINT32Z, device.serial),)
    name = () if product_name is None else ((8, _STRING, product_name.encode() + b"\0"),)
    fit.message(
        0,
        [
            (0, _ENUM, 4),
            (1, _UINT16, device.manufacturer),
            (2, _UINT16, device.product),
            (4, _UINT32, at),
            *serial,
            *name,
        ],
    )
    fit.message(
        23, [(253, _UINT32, at), (0, _UINT8, 0), (2, _UINT16, device.manufacturer), (4, _UINT16, device.product)]
    )
    if developer_fields:
        fit.message(207, [(3, _UINT8, 0), (1, _BYTE, list(range(16)))])
        for number, field in enumerate((b"speed\0", b"distance\0")):
            fit.message(206, [(0, _UINT8, 0), (1, _UINT8, number), (2, _UINT8, _FLOAT32), (3, _STRING, field)])
    fit.message(12, [(0, _ENUM, SPORTS[sport]), (1, _ENUM, SUB_SPORTS[sub_sport])])
    _event(fit, at, starts=True)
    _records(
        fit,
        samples,
        at,
        events=events,
        enhanced=enhanced,
        compressed_timestamps=compressed_timestamps,
        compressed_speed_distance=compressed_speed_distance,
        developer_fields=developer_fields,
        empty_fields=empty_fields,
        interleaved=interleaved,
        with_heart_rate=not heart_rate_messages,
    )
    if heart_rate_messages:
        _heart_rates(fit, samples, at)
    lengths_at = at
    for length_s in pool_lengths_s:
        lengths_at += length_s
        fit.message(
            101,
            [
                (253, _UINT32, lengths_at),
                (2, _UINT32, lengths_at - length_s),
                (3, _UINT32, length_s * 1000),
                (12, _ENUM, 1),
            ],
        )
    if with_session:
        if elapsed_s is None:
            elapsed_s = max((sample.t_s for sample in samples), default=sum(pool_lengths_s))
        _summaries(
            fit, samples, at, laps_s or [elapsed_s], sessions or [(sport, sub_sport, elapsed_s)], bool(pool_lengths_s)
        )
        local = (
            local_timestamp if utc_offset_s is None or local_timestamp is not None else at + elapsed_s + utc_offset_s
        )
        fit.message(
            34, [(253, _UINT32, at + elapsed_s), (0, _UINT32, elapsed_s * 1000), (1, _UINT16, 1), (5, _UINT32, local)]
        )
    return fit.file(header_size=header_size, data_size=data_size, crc=crc)[:cut_to]


def _event(fit: FitWriter, at: int, *, starts: bool) -> None:
    fit.message(21, [(253, _UINT32, at), (0, _ENUM, 0), (1, _ENUM, 0 if starts else 4)])


def _records(
    fit: FitWriter,
    samples: Sequence[Sample],
    at: int,
    *,
    events: bool,
    enhanced: bool,
    compressed_timestamps: bool,
    compressed_speed_distance: bool,
    developer_fields: bool,
    empty_fields: bool,
    interleaved: bool,
    with_heart_rate: bool,
) -> None:
    has = {name for name in Sample._fields if any(getattr(sample, name) is not None for sample in samples)}
    if not with_heart_rate:
        has.discard("heart_rate")
    own: list[Field] = [(0, _FLOAT32, 99.0), (1, _FLOAT32, 1e6)] if developer_fields else []
    last_s: int | None = None
    for sample in samples:
        if events and last_s is not None and sample.t_s - last_s > PAUSE_S:
            _event(fit, at + last_s, starts=False)
            _event(fit, at + sample.t_s, starts=True)
        if compressed_speed_distance:
            fields = _measured(sample, has - {"speed_m_s", "distance_m"}, enhanced)
            fields.append((8, _BYTE, _speed_and_distance(sample)))
        else:
            fields = _measured(sample, has, enhanced)
        if empty_fields:
            fields.append((98, _BYTE, []))
        if compressed_timestamps and last_s is not None and 0 <= sample.t_s - last_s < 32:
            fit.message(20, fields, own, offset_s=at + sample.t_s)
        else:
            fit.message(20, [(253, _UINT32, at + sample.t_s), *fields], own)
        if interleaved:
            fit.message(0xFF00, [(0, _UINT16, sample.t_s % 1000)])
        last_s = sample.t_s


def _measured(sample: Sample, has: set[str], enhanced: bool) -> list[Field]:
    wide = _UINT32 if enhanced else _UINT16
    every: list[tuple[str, Field]] = [
        ("lat", (0, _SINT32, _scaled(sample.lat, 2**31 / 180))),
        ("lat", (1, _SINT32, _scaled(sample.lng, 2**31 / 180))),
        ("distance_m", (5, _UINT32, _scaled(sample.distance_m, 100))),
        ("speed_m_s", (73 if enhanced else 6, wide, _scaled(sample.speed_m_s, 1000))),
        ("altitude_m", (78 if enhanced else 2, wide, _scaled(sample.altitude_m, 5, 500))),
        ("heart_rate", (3, _UINT8, sample.heart_rate)),
        ("cadence", (4, _UINT8, sample.cadence)),
        ("power_w", (7, _UINT16, sample.power_w)),
        ("temperature_c", (13, _SINT8, sample.temperature_c)),
    ]
    if enhanced:
        every += [("speed_m_s", (6, _UINT16, None)), ("altitude_m", (2, _UINT16, None))]
    return [field for name, field in every if name in has]


def _speed_and_distance(sample: Sample) -> list[int | None]:
    speed, metres = _scaled(sample.speed_m_s, 100) or 0, (_scaled(sample.distance_m, 16) or 0) & 0xFFF
    return [speed & 0xFF, speed >> 8 & 0xF | (metres & 0xF) << 4, metres >> 4]


def _heart_rates(fit: FitWriter, samples: Iterable[Sample], at: int) -> None:
    """Write heart rates as `hr` messages: an anchor, then eight at a time with 12 bits of 1/1024 s each."""
    beats = [(sample.t_s, sample.heart_rate) for sample in samples if sample.heart_rate]
    if not beats:
        return
    first_s, first = beats[0]
    anchor = 2048
    fit.message(
        132,
        [(253, _UINT32, at + first_s), (0, _UINT16, 0), (6, _UINT8, [first]), (9, _UINT32, [anchor])],
    )
    for i in range(1, len(beats), 8):
        eight = beats[i : i + 8]
        times = [anchor + (t_s - first_s) * 1024 & 0xFFF for t_s, _ in eight]
        packed = sum(time << 12 * k for k, time in enumerate(times)).to_bytes((len(times) * 12 + 7) // 8, "little")
        fit.message(132, [(6, _UINT8, [rate for _, rate in eight]), (10, _BYTE, list(packed))])


def _summaries(
    fit: FitWriter,
    samples: Sequence[Sample],
    at: int,
    laps_s: Sequence[int],
    sessions: Sequence[tuple[str, str, int]],
    pool: bool,
) -> None:
    lap_at = at
    for length_s in laps_s:
        within = [
            s.distance_m for s in samples if s.distance_m is not None and lap_at <= at + s.t_s <= lap_at + length_s
        ]
        distance = _scaled(max(within) - min(within), 100) if within else None
        lap_end = lap_at + length_s
        times: list[Field] = [(253, _UINT32, lap_end), (2, _UINT32, lap_at)]
        fit.message(19, [*times, (7, _UINT32, length_s * 1000), (8, _UINT32, length_s * 1000), (9, _UINT32, distance)])
        lap_at = lap_end
    session_at = at
    for sport, sub_sport, length_s in sessions:
        fields: list[Field] = [
            (253, _UINT32, session_at + length_s),
            (2, _UINT32, session_at),
            (5, _ENUM, SPORTS[sport]),
            (6, _ENUM, SUB_SPORTS[sub_sport]),
            (7, _UINT32, length_s * 1000),
            (8, _UINT32, length_s * 1000),
        ]
        fit.message(18, [*fields, *([(44, _UINT16, 2500)] if pool else [])])
        session_at += length_s


def _xml_time(start: datetime, t_s: float, utc_offset_s: int | None) -> str:
    instant = start + timedelta(seconds=t_s)
    if utc_offset_s is None:
        return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (instant.astimezone(UTC) + timedelta(seconds=utc_offset_s)).strftime("%Y-%m-%dT%H:%M:%S") + _offset(
        utc_offset_s
    )


def _offset(utc_offset_s: int) -> str:
    hours, minutes = divmod(abs(utc_offset_s) // 60, 60)
    return f"{'-' if utc_offset_s < 0 else '+'}{hours:02}:{minutes:02}"


def _wrap(text: str, *, blanks: int, doctype: str | None, encoding: str, cut_to: int | None) -> bytes:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>\n'
    return (" " * blanks + declared + (doctype or "") + text).encode(encoding)[:cut_to]


def gpx_file(
    samples: Sequence[Sample],
    *,
    start: datetime,
    sport: str | None = "running",
    creator: str = "StravaGPX",
    name: str = "Morning Run",
    utc_offset_s: int | None = None,
    with_times: bool = True,
    blanks: int = 0,
    doctype: str | None = None,
    encoding: str = "UTF-8",
    cut_to: int | None = None,
) -> bytes:
    """Return a GPX 1.1 track of the `samples` with a position; Garmin's TrackPointExtension, power as Strava has it.

    `utc_offset_s` writes local times with their offset, None UTC. `with_times=False`: a route, as in the export's
    `routes/`. `blanks` stand before the declaration, `doctype` behind it.
    """
    points = []
    for sample in samples:
        if sample.lat is None or sample.lng is None:
            continue
        inner = "" if sample.altitude_m is None else f"<ele>{sample.altitude_m}</ele>"
        inner += f"<time>{_xml_time(start, sample.t_s, utc_offset_s)}</time>" if with_times else ""
        more = "" if sample.power_w is None else f"<power>{sample.power_w}</power>"
        inside = "".join(
            f"<gpxtpx:{tag}>{value}</gpxtpx:{tag}>"
            for tag, value in (
                ("atemp", sample.temperature_c),
                ("hr", sample.heart_rate),
                ("cad", sample.cadence),
                ("speed", sample.speed_m_s),
            )
            if value is not None
        )
        more += f"<gpxtpx:TrackPointExtension>{inside}</gpxtpx:TrackPointExtension>" if inside else ""
        inner += f"<extensions>{more}</extensions>" if more else ""
        points.append(f'   <trkpt lat="{sample.lat:.7f}" lon="{sample.lng:.7f}">{inner}</trkpt>\n')
    kind = "" if sport is None else f"<type>{escape(sport)}</type>"
    stamp = f"<metadata><time>{_xml_time(start, 0, utc_offset_s)}</time></metadata>" if with_times else ""
    text = (
        f'<gpx creator={quoteattr(creator)} version="1.1" xmlns="http://www.topografix.com/GPX/1/1"'
        ' xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v1">\n'
        f" {stamp}\n"
        f" <trk><name>{escape(name)}</name>{kind}\n  <trkseg>\n{''.join(points)}  </trkseg>\n </trk>\n</gpx>\n"
    )
    return _wrap(text, blanks=blanks, doctype=doctype, encoding=encoding, cut_to=cut_to)


def tcx_file(
    samples: Sequence[Sample],
    *,
    start: datetime,
    sport: str = "Running",
    device: str | None = FORERUNNER_945.name,
    laps_s: Sequence[int] = (),
    utc_offset_s: int | None = None,
    blanks: int = 10,
    doctype: str | None = None,
    encoding: str = "UTF-8",
    cut_to: int | None = None,
) -> bytes:
    """Return a TCX activity of `samples`: `sport` is Running, Biking or Other; 10 blanks before it, as from Strava.

    `laps_s` are the lengths of laps, the rest is the last one. The other arguments are those of `gpx_file`.
    """
    ends, lap_s = [], 0
    for length_s in laps_s:
        lap_s += length_s
        ends.append(lap_s)
    laps, begin_s = [], 0
    last_s = max((sample.t_s for sample in samples), default=0)
    for number, end_s in enumerate([*ends, last_s] if not ends or ends[-1] < last_s else ends):
        within = [s for s in samples if (begin_s < s.t_s or not number) and s.t_s <= end_s]
        metres = [s.distance_m for s in within if s.distance_m is not None]
        laps.append(
            f'   <Lap StartTime="{_xml_time(start, begin_s, utc_offset_s)}">\n'
            f"    <TotalTimeSeconds>{end_s - begin_s}</TotalTimeSeconds>\n"
            f"    <DistanceMeters>{max(metres) - min(metres) if metres else 0}</DistanceMeters>\n"
            f"    <Calories>0</Calories>\n    <Track>\n"
            + "".join(_trackpoint(sample, start, utc_offset_s) for sample in within)
            + "    </Track>\n   </Lap>\n"
        )
        begin_s = end_s
    made_by = "" if device is None else f"   <Creator><Name>{escape(device)}</Name><UnitId>1</UnitId></Creator>\n"
    text = (
        '<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"'
        ' xmlns:ns3="http://www.garmin.com/xmlschemas/ActivityExtension/v2">\n <Activities>\n'
        f"  <Activity Sport={quoteattr(sport)}>\n   <Id>{_xml_time(start, 0, utc_offset_s)}</Id>\n"
        f"{''.join(laps)}{made_by}  </Activity>\n </Activities>\n</TrainingCenterDatabase>\n"
    )
    return _wrap(text, blanks=blanks, doctype=doctype, encoding=encoding, cut_to=cut_to)


def _trackpoint(sample: Sample, start: datetime, utc_offset_s: int | None) -> str:
    parts = [f"<Time>{_xml_time(start, sample.t_s, utc_offset_s)}</Time>"]
    if sample.lat is not None and sample.lng is not None:
        parts.append(
            f"<Position><LatitudeDegrees>{sample.lat:.7f}</LatitudeDegrees>"
            f"<LongitudeDegrees>{sample.lng:.7f}</LongitudeDegrees></Position>"
        )
    if sample.altitude_m is not None:
        parts.append(f"<AltitudeMeters>{sample.altitude_m}</AltitudeMeters>")
    if sample.distance_m is not None:
        parts.append(f"<DistanceMeters>{sample.distance_m}</DistanceMeters>")
    if sample.heart_rate is not None:
        parts.append(f"<HeartRateBpm><Value>{sample.heart_rate}</Value></HeartRateBpm>")
    if sample.cadence is not None:
        parts.append(f"<Cadence>{sample.cadence}</Cadence>")
    more = "" if sample.speed_m_s is None else f"<ns3:Speed>{sample.speed_m_s}</ns3:Speed>"
    more += "" if sample.power_w is None else f"<ns3:Watts>{sample.power_w}</ns3:Watts>"
    parts.append(f"<Extensions><ns3:TPX>{more}</ns3:TPX></Extensions>" if more else "")
    return f"     <Trackpoint>{''.join(parts)}</Trackpoint>\n"
