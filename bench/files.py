"""Activity files of an hour, read by our reader and by fitdecode, each in a process of its own.

`python -m bench.files write FOLDER` makes them; `python -m bench.files ours|fitdecode FOLDER COUNT` reads COUNT of them
in turns, and prints records and seconds of processor time, of the loop alone.
"""

import gzip
import io
import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fitdecode

from pipelines.sources.strava_export.readers import read_activity_file
from simulator.activity_files import Sample, fit_file

HOUR_S = 3600
START = datetime(2024, 5, 1, 8, tzinfo=UTC)


def write(folder: Path) -> None:
    """Write files as eight devices would: half of them plain, the others each in a way of their own."""
    ways: list[dict[str, Any]] = [{}, {}, {}, {}, {"big_endian": True}, {"developer_fields": True}]
    ways += [{"compressed_timestamps": True}, {"interleaved": True}]
    for number, way in enumerate(ways):
        samples = [
            Sample(
                second,
                51.5 + number + second * 1e-5,
                -0.1 - second * 1e-5,
                second * 7.25,
                20 + second % 500 * 0.2,
                6 + second * 7 % 13 / 4,
                110 + second * 3 % 60,
                80 + second % 15,
                150 + second * 11 % 200,
                21 + second // 900,
            )
            for second in range(HOUR_S)
        ]
        data = fit_file(samples, start=START, sport="cycling", sub_sport="road", laps_s=(900,) * 4, **way)
        (folder / f"{number}.fit.gz").write_bytes(gzip.compress(data, mtime=0))


def read_ours(data: bytes) -> int:
    """Read a file's points as columns; return how many."""
    return len(read_activity_file(data, "hour.fit.gz").points)


def read_by_fitdecode(data: bytes) -> int:
    """Read a file's points as rows of values; return how many."""
    with fitdecode.FitReader(io.BytesIO(gzip.decompress(data))) as fit:
        records = (frame for frame in fit if isinstance(frame, fitdecode.FitDataMessage) and frame.name == "record")
        return len([{field.name: field.value for field in record.fields} for record in records])


def main() -> None:
    """Do what the first argument says."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "write":
        write(folder)
        return
    read = {"ours": read_ours, "fitdecode": read_by_fitdecode}[what]
    warnings.simplefilter("ignore")
    paths = sorted(folder.glob("*.fit.gz"))
    records = 0
    began_at_s = time.process_time()
    for number in range(int(sys.argv[3])):
        records += read(paths[number % len(paths)].read_bytes())
    print(records, time.process_time() - began_at_s)


if __name__ == "__main__":
    main()
