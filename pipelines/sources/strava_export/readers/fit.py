"""FIT files: the messages of an activity as points, laps and sessions.

Message and field numbers, scales and offsets are those of Garmin's FIT profile (developer.garmin.com/fit).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from .activity import ActivityFile, Lap, Session, UnreadableFile, credible_offset_s
from .fit_hr import heart_rates_at
from .fit_messages import LEAST_TIME, TIMESTAMP, Block, Messages, is_fit, read_messages
from .fit_names import SPORTS, SUB_SPORTS, device_name
from .points import check_count, points_table

FIT_EPOCH_S: Final = 631_065_600
_FIT_EPOCH: Final = datetime(1989, 12, 31, tzinfo=UTC)
_FILE_ID, _SPORT, _SESSION, _LAP, _RECORD, _DEVICE_INFO, _ACTIVITY, _LENGTH, _HR = 0, 12, 18, 19, 20, 23, 34, 101, 132
_WANTED: Final = (_FILE_ID, _SPORT, _SESSION, _LAP, _RECORD, _DEVICE_INFO, _ACTIVITY, _LENGTH, _HR)


class _From(NamedTuple):
    """A field of a record: value / scale - offset."""

    number: int
    scale: float = 1
    offset: float = 0


# degrees are 180 times that, which is exact in floats
_HALF_CIRCLES: Final = 2**31
_POSITION: Final = ("lat", "lng")
# the first field with a value counts: 73 and 78 are the enhanced ones
_COLUMNS: Final = {
    "lat": (_From(0, _HALF_CIRCLES),),
    "lng": (_From(1, _HALF_CIRCLES),),
    "distance_m": (_From(5, 100),),
    "altitude_m": (_From(78, 5, 500), _From(2, 5, 500)),
    "speed_m_s": (_From(73, 1000), _From(6, 1000)),
    "heart_rate": (_From(3),),
    "cadence": (_From(4),),
    "power_w": (_From(7),),
    "temperature_c": (_From(13),),
}
_COMPRESSED_SPEED_DISTANCE: Final = 8
_PRODUCT_NAME: Final = 8


def read_fit(data: bytes) -> ActivityFile:
    """Read a FIT file, or several in a chain.

    Raises `UnreadableFile` if it is not one, or has no points, sessions and laps.
    """
    if not is_fit(data):
        raise UnreadableFile("damaged", "It does not begin as a FIT file does.")
    messages = read_messages(data, _WANTED)
    sessions = tuple(_sessions(messages))
    laps = tuple(_laps(messages))
    points = _points(messages)
    if not len(points) and not sessions and not laps:
        if messages.faults:
            raise UnreadableFile(
                "damaged", f"Nothing of an activity can be read from it: {', '.join(messages.faults)}."
            )
        raise UnreadableFile("no activity", "It is a FIT file without an activity.")
    start = sessions[0].start if sessions else None
    sport, sub_sport = _sport(messages, sessions)
    return ActivityFile(
        format="fit",
        points=points,
        start=start or (points["time"][0].as_py() if len(points) else None),
        sport=sport,
        sub_sport=sub_sport,
        device=_device(messages),
        utc_offset_s=_utc_offset_s(messages),
        sessions=sessions,
        laps=laps,
        faults=tuple(dict.fromkeys(messages.faults)),
        device_id=_device_id(messages),
    )


def _points(messages: Messages) -> pa.Table:
    records = messages.of(_RECORD)
    if not records:
        return _points_of_lengths(messages)
    check_count(messages.count(_RECORD))
    parts = [_record_columns(block) for block in records]
    columns = {
        name: pa.concat_arrays(
            [part.get(name, pa.nulls(len(block), pa.float64())) for part, block in zip(parts, records, strict=True)]
        )
        for name in _COLUMNS
        if any(name in part for part in parts)
    }
    time = pc.add(pa.concat_arrays([block.times() for block in records]), FIT_EPOCH_S)
    if len(records) > 1:
        # rows of several definitions, restored to the file's order
        order = pc.sort_indices(pa.array(chain.from_iterable(block.positions for block in records), pa.int64()))
        columns = {name: values.take(order) for name, values in columns.items()}
        time = time.take(order)
    table = points_table(columns, time)
    rates = heart_rates_at(table["time"], messages.of(_HR), FIT_EPOCH_S)
    if rates is not None:
        at = table.schema.get_field_index("heart_rate")
        table = table.set_column(at, table.schema.field(at), pc.coalesce(table["heart_rate"], rates))
    return table


def _record_columns(block: Block) -> dict[str, pa.Array]:
    columns = {}
    for name, sources in _COLUMNS.items():
        found = [values for values in (block.scaled(*source) for source in sources) if values is not None]
        if found:
            columns[name] = found[0] if len(found) == 1 else pc.coalesce(*found)
        if name in columns and name in _POSITION:
            columns[name] = pc.multiply(columns[name], 180)
    for name, values in _speed_and_distance(block).items():
        columns[name] = pc.coalesce(columns[name], values) if name in columns else values
    return columns


def _speed_and_distance(block: Block) -> dict[str, pa.Array]:
    """Unpack field 8: 12 bits of speed and 12 bits of a distance that overflows."""
    packed = block.raw(_COMPRESSED_SPEED_DISTANCE)
    if not packed or len(packed[0]) != 3:
        return {}
    speeds: list[float | None] = []
    distances: list[float | None] = []
    distance = 0
    for value in packed:
        if value == b"\xff\xff\xff":
            speeds.append(None)
            distances.append(None)
            continue
        bits = int.from_bytes(value, "little")
        distance += ((bits >> 12) - distance) & 0xFFF
        speeds.append((bits & 0xFFF) / 100)
        distances.append(distance / 16)
    return {"speed_m_s": pa.array(speeds, pa.float64()), "distance_m": pa.array(distances, pa.float64())}


def _points_of_lengths(messages: Messages) -> pa.Table:
    """Make a point of the end of each pool length, for watches that record nothing else in a pool."""
    pool_m = next((metres for (metres,) in _rows(messages, _SESSION, _From(44, 100)) if metres), None)
    ends, distances = [], []
    swum_m = 0.0
    for start, elapsed_s, active in _rows(messages, _LENGTH, _From(2), _From(3, 1000), _From(12)):
        if start is None or elapsed_s is None:
            continue
        swum_m += (pool_m or 0) if active != 0 else 0
        ends.append(FIT_EPOCH_S + round(start + elapsed_s))
        distances.append(swum_m if pool_m else None)
    return points_table({"distance_m": pa.array(distances, pa.float64())}, pa.array(ends, pa.int64()))


def _rows(messages: Messages, number: int, *fields: _From) -> list[tuple[float | None, ...]]:
    """Return fields of all messages of a number, in the file's order; whole numbers below 2**53 stay exact."""
    check_count(messages.count(number))
    placed: list[tuple[int, tuple[float | None, ...]]] = []
    for block in messages.of(number):
        columns = []
        for one in fields:
            values = block.scaled(*one)
            columns.append([None] * len(block) if values is None else values.to_pylist())
        placed += zip(block.positions, zip(*columns, strict=True), strict=True)
    placed.sort(key=lambda row: row[0])
    return [row for _, row in placed]


def _instant(fit_s: float | None) -> datetime | None:
    if fit_s is None or not LEAST_TIME <= fit_s < 2**32:
        return None
    return _FIT_EPOCH + timedelta(seconds=fit_s)


def _name(names: dict[int, str], number: float | None) -> str | None:
    return None if number is None else names.get(int(number), str(int(number)))


def _sessions(messages: Messages) -> Iterator[Session]:
    fields = (_From(2), _From(7, 1000), _From(9, 100), _From(5), _From(6), _From(8, 1000), _From(22), _From(11))
    for start, elapsed_s, distance_m, sport, sub_sport, timer_s, ascent_m, calories in _rows(
        messages, _SESSION, *fields
    ):
        names = _name(SPORTS, sport), _name(SUB_SPORTS, sub_sport)
        yield Session(_instant(start), elapsed_s, distance_m, *names, timer_s, ascent_m, calories)


def _laps(messages: Messages) -> Iterator[Lap]:
    for start, elapsed_s, timer_s, distance_m in _rows(
        messages, _LAP, _From(2), _From(7, 1000), _From(8, 1000), _From(9, 100)
    ):
        yield Lap(_instant(start), elapsed_s, timer_s, distance_m)


def _sport(messages: Messages, sessions: Sequence[Session]) -> tuple[str | None, str | None]:
    if sessions and sessions[0].sport is not None:
        return sessions[0].sport, sessions[0].sub_sport
    for sport, sub_sport in _rows(messages, _SPORT, _From(0), _From(1)):
        return _name(SPORTS, sport), _name(SUB_SPORTS, sub_sport)
    return None, None


def _device(messages: Messages) -> str | None:
    """Return the name of the recording device: from `file_id`, otherwise from the device with index 0, the creator."""
    makers = _rows(messages, _FILE_ID, _From(1), _From(2))
    makers += [row[:2] for row in _rows(messages, _DEVICE_INFO, _From(2), _From(4), _From(0)) if row[2] == 0]
    texts = [text for block in messages.of(_FILE_ID) for value in block.raw(_PRODUCT_NAME) if (text := _text(value))]
    for maker, product in makers:
        name = device_name(maker, product, texts[0] if texts else None)
        if name is not None:
            return name
    return texts[0] if texts else None


def _device_id(messages: Messages) -> str | None:
    """Return a hash of maker, product and serial number in `file_id`, if it has all three."""
    for ids in _rows(messages, _FILE_ID, _From(1), _From(2), _From(3)):
        if None not in ids:
            return blake2b(repr(ids).encode(), digest_size=6).hexdigest()
    return None


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "replace").strip()


def _utc_offset_s(messages: Messages) -> int | None:
    """Return `activity.local_timestamp` minus its timestamp, if a time zone can have that offset."""
    for at, local in _rows(messages, _ACTIVITY, _From(TIMESTAMP), _From(5)):
        if at is not None and local is not None:
            offset_s = credible_offset_s(timedelta(seconds=local - at))
            if offset_s is not None:
                return offset_s
    return None
