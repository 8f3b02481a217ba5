"""Points as columns: values that no sensor can measure become null, and each second has one row."""

from array import array
from math import nan
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from .activity import POINTS, UnreadableFile

MAX_POINTS: Final = 2_000_000
_LONGEST_S: Final = 60 * 86400
_KINDS: Final = {field.name: field.type for field in POINTS}


def points_table(columns: dict[str, pa.Array], time_s: pa.Array) -> pa.Table:
    """Return the points of an activity file.

    `columns` are floats by the names of `POINTS`, any of which may be missing; `time_s` is epoch seconds as int64, null
    for points without a time, which are left out, as are times 60 days off the median. Rows of one second become one,
    with the last value of each column. A position of 0, 0 and a heart rate of 0 mean that there was none.
    """
    arrays = [time_s]
    for name, kind in _KINDS.items():
        if name != "time":
            arrays.append(_fitting(columns[name], kind) if name in columns else pa.nulls(len(time_s), kind))
    table = pa.table(arrays, names=list(_KINDS))
    table = _one_row_a_second(_without_odd_times(table))
    lat, lng = table["lat"], table["lng"]
    if lat.null_count < len(lat):
        somewhere = pc.and_(pc.less_equal(pc.abs(lat), 90), pc.less_equal(pc.abs(lng), 180))
        somewhere = pc.and_(somewhere, pc.or_(pc.not_equal(lat, 0), pc.not_equal(lng, 0)))
        table = _replaced(table, "lat", pc.if_else(somewhere, lat, None))
        table = _replaced(table, "lng", pc.if_else(somewhere, lng, None))
    rate = table["heart_rate"]
    if rate.null_count < len(rate):
        table = _replaced(table, "heart_rate", pc.if_else(pc.greater(rate, 0), rate, None))
    return _replaced(table, "time", table["time"].cast(POINTS.field("time").type)).cast(POINTS)


class PointList:
    """Points that come one by one, as floats: eight bytes a value, a quarter of what Python's objects take."""

    def __init__(self) -> None:
        self._time_s = array("d")
        self._columns = {name: array("d") for name in _KINDS if name != "time"}

    def __len__(self) -> int:
        return len(self._time_s)

    def add(self, time_s: float | None, values: dict[str, float]) -> None:
        """Add a point; missing values are null."""
        self._time_s.append(nan if time_s is None else time_s)
        for name, column in self._columns.items():
            column.append(values.get(name, nan))

    def table(self) -> pa.Table:
        """Return them like `points_table`."""
        columns = {name: _finite(column) for name, column in self._columns.items()}
        return points_table(columns, pc.floor(_finite(self._time_s)).cast(pa.int64()))


def _finite(values: "array[float]") -> pa.Array:
    found = pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])
    return pc.if_else(pc.is_finite(found), found, None)


def check_count(count: int) -> None:
    """Raise `UnreadableFile` if a file has more of something than weeks of recording give."""
    if count > MAX_POINTS:
        raise UnreadableFile("too large", f"It has more than {MAX_POINTS:,} points or the like.")


def _replaced(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def _fitting(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return floats as `kind`; a value that it cannot hold becomes null."""
    if not pa.types.is_integer(kind):
        return values
    limit = 2 ** (kind.bit_width - 1) - 1
    whole = pc.round(values)
    return pc.if_else(pc.less_equal(pc.abs(whole), limit), whole, None).cast(kind)


def _without_odd_times(table: pa.Table) -> pa.Table:
    time = table["time"]
    if time.null_count:
        table = table.filter(pc.is_valid(time))
        time = table["time"]
    if len(time):
        ends = pc.min_max(time).as_py()
        if ends["max"] - ends["min"] > _LONGEST_S:
            order = pc.sort_indices(time)
            middle = time[order[len(order) // 2].as_py()].as_py()
            table = table.filter(pc.less_equal(pc.abs(pc.subtract(time, middle)), _LONGEST_S))
    return table


def _one_row_a_second(table: pa.Table) -> pa.Table:
    time = table["time"]
    if len(time) < 2 or pc.all(pc.less(time.slice(0, len(time) - 1), time.slice(1))).as_py():
        return table
    table = table.take(pc.sort_indices(time))  # a stable sort: rows of one second stay in the file's order
    time = table["time"]
    if pc.all(pc.less(time.slice(0, len(time) - 1), time.slice(1))).as_py():
        return table
    names = table.column_names[1:]
    merged = table.group_by("time", use_threads=False).aggregate([(name, "last") for name in names])
    merged = merged.select(["time", *(f"{name}_last" for name in names)]).rename_columns(["time", *names])
    return merged.sort_by("time")  # the order of groups is not guaranteed
