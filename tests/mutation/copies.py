"""Copies of the tree, in which tests run while the tree itself is worked on; with a run ends all that it started."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
# git-ignored; what `make clean` may remove
WORK = REPO / ".mutation"


@dataclass(frozen=True)
class Ended:
    """How pytest ended: its exit code, None when it hung; and what it printed."""

    code: int | None
    out: str


class Copy:
    """A copy of the files that git knows, or would, at `WORK`/`name`."""

    def __init__(self, name: str) -> None:
        self.root = WORK / name
        self._temporary = WORK / f"{name}.tmp"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=REPO,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        shutil.rmtree(self.root, ignore_errors=True)
        for file in filter(None, listed.split("\0")):
            # what was removed and is not committed yet is listed as well
            if (REPO / file).is_file():
                (self.root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPO / file, self.root / file, follow_symlinks=False)
        (self.root / ".venv").symlink_to((REPO / ".venv").resolve())

    def write(self, file: str, text: str) -> None:
        """Let `file` say `text`, at another second: by that Python knows whether what it compiled is out of date."""
        path = self.root / file
        modified_s = int(path.stat().st_mtime)
        path.write_text(text)
        os.utime(path, (modified_s + 1, modified_s + 1))

    def pytest(self, arguments: Sequence[str], timeout_s: float, **environment: str) -> Ended:
        """Run pytest here; whatever it started has ended when this returns."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self.root,
            env=os.environ | {"TMPDIR": str(self._temporary), "MUTATION_RUN": mark} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=timeout_s)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired as expired:
            _kill(mark)
            process.communicate()
            out, code = str(expired), None
        _kill(mark)
        shutil.rmtree(self._temporary, ignore_errors=True)
        return Ended(code, out)

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self._temporary, ignore_errors=True)


def _kill(mark: str) -> None:
    """Kill every process that began with this mark in its environment."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                if f"MUTATION_RUN={mark}".encode() in (folder / "environ").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
