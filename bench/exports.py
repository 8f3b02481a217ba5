"""An export of 5,000 activities and 4,000 files (800 MB), its landing, and what that costs at least.

`python -m bench.exports write ZIP` makes it; `floor ZIP FOLDER` reads the members of the ZIP and writes their bytes
once; `land ZIP` lands it in the home that the environment names, without staging and build.
"""

import os
import random
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.ground.memory import share_one_arena
from pipelines.ground.progress import Report
from pipelines.ground.settings import read_settings
from pipelines.ground.stop import StopFlag
from pipelines.mirror.export_import import ImportChoice
from pipelines.runs.flow import Choices, run_steps
from simulator import World, write_export

ROWS, FILES = 5000, 4000
FILE_BYTES = 200_000


def write(path: Path) -> None:
    """Write an export whose files shrink as little as real ones do: those that Strava packs, not at all."""
    noise = random.Random(1)  # noqa: S311
    world = World(3, ROWS, clock=datetime.now(UTC) - timedelta(days=3))
    with TemporaryDirectory(dir=path.parent) as folder:
        small = Path(folder) / "export.zip"
        write_export(world, small, points=1)
        with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as big:
            files = 0
            for info in source.infolist():
                content = source.read(info)
                if info.filename.startswith("activities/"):
                    files += 1
                    if files > FILES:
                        continue
                    packed = info.filename.endswith(".gz")
                    content = noise.randbytes(FILE_BYTES) if packed else noise.randbytes(FILE_BYTES // 2).hex().encode()
                big.writestr(info, content, zipfile.ZIP_DEFLATED)


def floor(path: Path, folder: Path) -> None:
    """Read each member, and write its bytes once, down to the disk."""
    with zipfile.ZipFile(path) as archive, (folder / "bytes").open("wb") as file:
        for info in archive.infolist():
            file.write(archive.read(info))
        file.flush()
        os.fsync(file.fileno())


def land(path: Path) -> None:
    """Land it, as the command does."""
    share_one_arena()
    choices = Choices(exports=ImportChoice((path,)))
    run_steps(read_settings(), Report(), StopFlag(), "import", ["import"], choices)


def main() -> None:
    """Do what the first argument says."""
    what, path = sys.argv[1], Path(sys.argv[2])
    if what == "write":
        write(path)
    elif what == "floor":
        floor(path, Path(sys.argv[3]))
    else:
        land(path)


if __name__ == "__main__":
    main()
