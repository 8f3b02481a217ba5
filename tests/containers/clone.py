"""A clone of this repository that somebody without root owns, and commands run there as that owner."""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from home import OUR_SETTINGS, REPO, Athlete, Ran

IMAGE = "strava-stats-test"
SOCKET = Path("/var/run/docker.sock")
# who calls when the tests are root's: a user that no machine knows
NOBODY = 4321


def docker(*arguments: str) -> str:
    """What the engine answers; it must succeed."""
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@dataclass
class Clone:
    """A clone of the repository, its owner, and commands run there as that owner."""

    folder: Path
    uid: int
    gid: int
    settings: dict[str, str] = field(default_factory=dict)

    def start(
        self,
        *command: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **settings: str,
    ) -> subprocess.Popen[str]:
        """Start a command as the owner, in a group of processes of its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OUR_SETTINGS)}
        inherited = {name: value for name, value in inherited.items() if not name.startswith("MAKE")}
        switched: dict[str, Any] = {}
        if os.getuid() == 0:
            switched = {"user": self.uid, "group": self.gid, "extra_groups": [SOCKET.stat().st_gid]}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=inherited | {"HOME": str(self.folder.parent), "STRAVA_IMAGE": IMAGE} | self.settings | settings,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
            **switched,
        )

    def call(self, *command: str, **settings: str) -> Ran:
        """Run a command as the owner to its end."""
        with self.start(*command, **settings) as process:
            out, err = process.communicate(timeout=540)
        return Ran(process.returncode, out, err)

    def make(self, *arguments: str, **settings: str) -> Ran:
        """`make …` in a container."""
        return self.call("make", *arguments, **({"RUNNER": "container"} | settings))

    def write(self, path: str, text: str) -> None:
        """A file of the owner's."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for made in (file, file.parent):
            os.chown(made, self.uid, self.gid)

    def own(self) -> None:
        """Give all in the clone to its owner."""
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def owners(self, folder: Path) -> set[tuple[int, int]]:
        """To whom all in `folder` belongs, itself included."""
        return {(path.stat().st_uid, path.stat().st_gid) for path in (folder, *folder.rglob("*"))}


def new_folder() -> tuple[Path, int, int]:
    """A folder that the caller owns and can reach; pytest's own are closed to others."""
    uid, gid = (NOBODY, NOBODY) if os.getuid() == 0 else (os.getuid(), os.getgid())
    folder = Path(tempfile.mkdtemp(prefix="strava-stats-"))
    os.chown(folder, uid, gid)
    folder.chmod(0o755)
    return folder, uid, gid


def new_clone() -> Clone:
    """What git knows of this repository, as it lies here, in one commit of the caller's."""
    above, uid, gid = new_folder()
    clone = Clone(above / "clone", uid, gid)
    known = ["git", "-C", str(REPO), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(known, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (REPO / name).is_file():
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, clone.folder / name)
    clone.own()
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "clone"]):
        ran = clone.call("git", "-c", "user.name=x", "-c", "user.email=x@localhost", *step)
        assert ran.code == 0, ran.err
    return clone


def containers() -> list[str]:
    """The ids of the containers of the image that run."""
    return docker("ps", "--quiet", "--filter", f"ancestor={IMAGE}").split()


def state(athlete: Athlete) -> dict[str, Any]:
    """What the note of the last run says."""
    reported: dict[str, Any] = json.loads((athlete.home / "warehouse/.state/last_run.json").read_text())
    return reported
