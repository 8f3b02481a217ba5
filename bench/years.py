"""The shards of years of daily runs, appended at once: `python -m bench.years DATA RUNS small|large`.

Each run lands a shard of the list, every second one a shard of details as well: earlier versions of activities that
exist. `small` writes each shard to a file of its own, as runs do; `large` writes the same rows as one shard per table.
"""

import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EVERY = {"activities": 1, "activity_details": 2}


def append(data: Path, runs: int, in_small_files: bool) -> None:
    """Append the rows of `runs` runs to the tables in the folder `data`."""
    for table, every in EVERY.items():
        rows = pa.concat_tables([pq.read_table(path) for path in sorted((data / table).glob("*.parquet"))])
        athlete_id = rows["athlete_id"][0].as_py()
        earliest = pc.min(rows["fetched_at"]).as_py()
        fetched_at = [earliest - timedelta(days=1 + number / 50) for number in range(0, runs, every)]
        taken = rows.take([number % len(rows) for number in range(len(fetched_at))])
        names = [f"{table}_{athlete_id}_{at:%Y%m%d%H%M%S}_{number:08x}" for number, at in enumerate(fetched_at)]
        taken = taken.set_column(
            taken.schema.get_field_index("fetched_at"), "fetched_at", pa.array(fetched_at, pa.timestamp("us"))
        )
        for numbers in [[number] for number in range(len(names))] if in_small_files else [list(range(len(names)))]:
            name = names[numbers[0]]
            part = taken.slice(numbers[0], len(numbers))
            part = part.set_column(part.schema.get_field_index("shard"), "shard", pa.array([name] * len(part)))
            pq.write_table(part, data / table / f"{name}.parquet", compression="zstd", use_dictionary=["shard"])


if __name__ == "__main__":
    append(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "small")
