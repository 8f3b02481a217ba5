"""FIT's bytes as columns of its messages, without a loop over messages if many of a kind follow each other.

A definition gives its messages a fixed size. So a run of them is cut out as a whole, and the k-th byte of a field in
all of them is one slice with a step. According to Garmin's FIT protocol (developer.garmin.com/fit/protocol).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from .fit_crc import crc16
from .points import check_count

TIMESTAMP: Final = 253
LEAST_TIME: Final = 0x10000000  # a timestamp below this counts from when the device was switched on
_MOST_DEFINITIONS: Final = 5000  # real files have dozens
_CRC_SIZE: Final = 2
_FIRST_LOOK: Final = 64
_LAST_LOOK: Final = 1 << 16
_LOCAL_OF_COMPRESSED: Final = bytes(byte & 0xE0 for byte in range(256))


class _BaseType(NamedTuple):
    width: int
    arrow: pa.DataType
    invalid: int | None  # None: a float, invalid unless it is a finite number


_BASE_TYPES: Final = {
    0x00: _BaseType(1, pa.uint8(), 0xFF),
    0x01: _BaseType(1, pa.int8(), 0x7F),
    0x02: _BaseType(1, pa.uint8(), 0xFF),
    0x0A: _BaseType(1, pa.uint8(), 0),
    0x0D: _BaseType(1, pa.uint8(), 0xFF),
    0x83: _BaseType(2, pa.int16(), 0x7FFF),
    0x84: _BaseType(2, pa.uint16(), 0xFFFF),
    0x8B: _BaseType(2, pa.uint16(), 0),
    0x85: _BaseType(4, pa.int32(), 0x7FFFFFFF),
    0x86: _BaseType(4, pa.uint32(), 0xFFFFFFFF),
    0x8C: _BaseType(4, pa.uint32(), 0),
    0x88: _BaseType(4, pa.float32(), None),
    0x89: _BaseType(8, pa.float64(), None),
    0x8E: _BaseType(8, pa.int64(), 0x7FFFFFFFFFFFFFFF),
    0x8F: _BaseType(8, pa.uint64(), 0xFFFFFFFFFFFFFFFF),
    0x90: _BaseType(8, pa.uint64(), 0),
}


class _Field(NamedTuple):
    offset: int
    size: int
    base_type: int


@dataclass(frozen=True)
class _Definition:
    message: int
    big_endian: bool
    size: int  # the size of a message, its header byte included
    fields: dict[int, _Field]
    time_at: int | None  # the offset of the timestamp in a message


@dataclass
class Block:
    """All messages of one definition, in the file's order."""

    definition: _Definition
    compressed_times: list[int] | None
    _runs: list[tuple[int, int]] = field(default_factory=list)  # where each run begins, and how many messages it has
    _bytes: bytes = b""

    def __len__(self) -> int:
        return sum(count for _, count in self._runs)

    def add(self, position: int, count: int) -> None:
        """Add a run of messages."""
        if self._runs:
            last, so_far = self._runs[-1]
            if last + so_far * self.definition.size == position:
                self._runs[-1] = (last, so_far + count)
                return
        check_count(len(self._runs))
        self._runs.append((position, count))

    def cut_out(self, data: bytes) -> None:
        """Keep the messages' bytes."""
        size = self.definition.size
        self._bytes = b"".join([data[position : position + size * count] for position, count in self._runs])

    @property
    def positions(self) -> Iterator[int]:
        """The place in the file where each message begins."""
        size = self.definition.size
        return (position + size * i for position, count in self._runs for i in range(count))

    def numbers(self, number: int) -> pa.Array | None:
        """Return a field's values (the first of an array), null if invalid, or None if there is no such field."""
        where = self.definition.fields.get(number)
        base = _BASE_TYPES.get(where.base_type) if where else None
        if where is None or base is None or where.size < base.width or where.size % base.width:
            return None
        columns = bytearray(len(self) * base.width)
        for i in range(base.width):
            byte = base.width - 1 - i if self.definition.big_endian else i
            columns[i :: base.width] = self._bytes[where.offset + byte :: self.definition.size]
        values = pa.Array.from_buffers(base.arrow, len(self), [None, pa.py_buffer(columns)])
        valid = (
            pc.is_finite(values) if base.invalid is None else pc.not_equal(values, pa.scalar(base.invalid, base.arrow))
        )
        return pc.if_else(valid, values, None)

    def scaled(self, number: int, scale: float = 1, offset: float = 0) -> pa.Array | None:
        """Return a field's values as floats, value / scale - offset."""
        values = self.numbers(number)
        if values is None:
            return None
        values = values.cast(pa.float64(), safe=False)
        if scale != 1:
            values = pc.divide(values, scale)
        return pc.subtract(values, offset) if offset else values

    def raw(self, number: int) -> list[bytes]:
        """Return a field's bytes in each message, or nothing if there is no such field."""
        where = self.definition.fields.get(number)
        if where is None:
            return []
        size = self.definition.size
        return [self._bytes[at : at + where.size] for at in range(where.offset, len(self._bytes), size)]

    def arrays(self, number: int) -> list[tuple[int, ...]]:
        """Return a field's unsigned integers in each message, invalid ones included."""
        where = self.definition.fields.get(number)
        base = _BASE_TYPES.get(where.base_type) if where else None
        if where is None or base is None or base.invalid is None or where.size % base.width:
            return []
        form = {1: "B", 2: "H", 4: "I", 8: "Q"}[base.width]
        unpack = struct.Struct(f"{'>' if self.definition.big_endian else '<'}{where.size // base.width}{form}").unpack
        return [unpack(value) for value in self.raw(number)]

    def times(self) -> pa.Array:
        """Return when each message was written, in FIT's seconds as int64; null if that is not credible."""
        if self.compressed_times is not None:
            values: pa.Array = pa.array(self.compressed_times, pa.int64())
        else:
            found = self.numbers(TIMESTAMP)
            if found is None or not pa.types.is_integer(found.type) or found.type == pa.uint64():
                return pa.nulls(len(self), pa.int64())
            values = found.cast(pa.int64())
        credible = pc.and_(pc.greater_equal(values, LEAST_TIME), pc.less(values, 0xFFFFFFFF))
        return pc.if_else(credible, values, None)


@dataclass
class Messages:
    """The messages of a FIT file, or of several in a chain, by their number in the profile, and what was wrong."""

    blocks: list[Block]
    faults: list[str]

    def of(self, message: int) -> list[Block]:
        """Return the blocks of a message number."""
        return [block for block in self.blocks if block.definition.message == message]

    def count(self, message: int) -> int:
        """Return how many messages with a number there are."""
        return sum(map(len, self.of(message)))


def is_fit(data: bytes) -> bool:
    """Whether bytes begin as a FIT file does."""
    return len(data) >= 12 and data[0] >= 12 and data[8:12] == b".FIT"


def read_messages(data: bytes, wanted: Iterable[int]) -> Messages:
    """Read the messages with the numbers `wanted`; damage ends the reading, and is among the faults."""
    scan = _Scan(data, frozenset(wanted))
    position: int | None = 0
    while position is not None and is_fit(data[position : position + 12]):
        position = scan.file(position)
    if position is not None and position < len(data):
        scan.faults.append(f"{len(data) - position:,} bytes after its end")
    blocks = [block for block in scan.blocks.values() if len(block)]
    for block in blocks:
        block.cut_out(data)
    return Messages(blocks, scan.faults)


class _Scan:
    """A pass over the bytes of one file after another."""

    def __init__(self, data: bytes, wanted: frozenset[int]) -> None:
        self.data = data
        self.blocks: dict[tuple[bytes, bool], Block] = {}
        self.faults: list[str] = []
        self._wanted = wanted
        self._definitions: dict[bytes, _Definition] = {}
        self._keys: list[bytes | None] = [None] * 16
        self._time = 0
        self._time_at: tuple[int, str] | None = None

    def file(self, begin: int) -> int | None:
        """Read a file of the chain; return where it ends, or None if nothing after it can be trusted."""
        data = self.data
        begin_body = begin + data[begin]
        size = int.from_bytes(data[begin + 4 : begin + 8], "little")
        end = begin_body + size
        self._keys = [None] * 16
        self._time, self._time_at = 0, None
        if size and end + _CRC_SIZE <= len(data):
            intact = crc16(data[begin : end + _CRC_SIZE]) == 0
            if not intact:
                self.faults.append("its checksum does not match")
            if intact or end + _CRC_SIZE == len(data) or is_fit(data[end + _CRC_SIZE : end + _CRC_SIZE + 12]):
                self._all_messages(begin_body, end)
                return end + _CRC_SIZE
            end = len(data)  # the header is older than the last messages
        elif size == 0:
            self.faults.append("its header gives no length")
            end = len(data)
        else:
            self.faults.append("cut off before its end")
            end = min(end, len(data))
        self._all_messages(begin_body, end)
        return None

    def _all_messages(self, position: int, end: int) -> None:
        position = self._messages(position, end)
        if end - position > _CRC_SIZE:
            self.faults.append(f"{end - position:,} bytes that are not messages")

    def _messages(self, position: int, end: int) -> int:
        """Read messages up to `end`; return where the first unreadable one begins."""
        while position < end:
            defines = self.data[position] & 0xC0 == 0x40
            after = self._define(position, end) if defines else self._take_run(position, end)
            if after is None:
                break
            position = after
        return position

    def _take_run(self, position: int, end: int) -> int | None:
        """Add a run of messages of one kind; return where it ends, or None if none can be read."""
        data = self.data
        header = data[position]
        compressed = header >= 0x80
        key = self._keys[header >> 5 & 3 if compressed else header & 15]
        if key is None:
            return None
        definition = self._definitions[key]
        size = definition.size
        if position + size > end:
            return None
        count = self._run(position, end, size, compressed)
        block = None
        if definition.message in self._wanted:
            block = self.blocks.get((key, compressed))
            if block is None:
                block = self.blocks[key, compressed] = Block(definition, [] if compressed else None)
            block.add(position, count)
        if compressed:
            self._decompress_times(data[position : position + count * size : size], block)
        elif definition.time_at is not None:
            last = position + (count - 1) * size + definition.time_at
            self._time_at = (last, ">I" if definition.big_endian else "<I")
        return position + count * size

    def _run(self, position: int, end: int, size: int, compressed: bool) -> int:
        """Return how many messages of one local type follow each other."""
        data, look, count = self.data, _FIRST_LOOK, 1
        following = position + size
        if following + size > end or (data[following] ^ data[position]) & (0xE0 if compressed else 0xFF):
            return 1
        whole = (end - position) // size
        while True:
            heads = data[position + count * size : position + min(whole, count + look) * size : size]
            kind = data[position : position + 1]
            if compressed:
                heads, kind = heads.translate(_LOCAL_OF_COMPRESSED), kind.translate(_LOCAL_OF_COMPRESSED)
            same = len(heads) - len(heads.lstrip(kind))
            count += same
            if same < len(heads) or count >= whole:
                return count
            look = min(look * 4, _LAST_LOOK)

    def _decompress_times(self, heads: bytes, block: Block | None) -> None:
        """Decode the five bits of time in each header, from the last whole timestamp on."""
        if self._time_at is not None:
            at, form = self._time_at
            (self._time,) = struct.unpack_from(form, self.data, at)
            self._time_at = None
        if block is not None and block.compressed_times is not None:
            check_count(len(block.compressed_times) + len(heads))
        for head in heads:
            self._time += (head - self._time) & 0x1F
            if block is not None and block.compressed_times is not None:
                block.compressed_times.append(self._time)

    def _define(self, position: int, end: int) -> int | None:
        """Add a definition; return where it ends, or None if it is cut off or one too many."""
        data = self.data
        header = data[position]
        if position + 6 > end:
            return None
        own_at = position + 6 + 3 * data[position + 5]
        after = own_at
        if header & 0x20:
            if own_at >= end:
                return None
            after = own_at + 1 + 3 * data[own_at]
        if after > end:
            return None
        # without the local number: a definition is the same under another number
        key = bytes((header & 0x20,)) + data[position + 1 : after]
        if key not in self._definitions:
            if len(self._definitions) == _MOST_DEFINITIONS:
                return None
            self._definitions[key] = _parsed(data[position:after])
        self._keys[header & 15] = key
        return after


def _parsed(definition: bytes) -> _Definition:
    big_endian = definition[2] != 0
    (message,) = struct.unpack_from(">H" if big_endian else "<H", definition, 3)
    fields: dict[int, _Field] = {}
    offset = 1
    own_at = 6 + 3 * definition[5]
    for at in range(6, own_at, 3):
        number, size, base_type = definition[at : at + 3]
        fields.setdefault(number, _Field(offset, size, base_type))
        offset += size
    # of developer fields only the size matters: those named speed or distance are the app's, not the device's
    for at in range(own_at + 1, len(definition), 3):
        offset += definition[at + 1]
    time = fields.get(TIMESTAMP)
    return _Definition(message, big_endian, offset, fields, time.offset if time and time.size == 4 else None)
