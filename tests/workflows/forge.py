"""A forge on this machine: a bare repository as origin, and its workflows run by act, each run on a fresh checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from home import OUR_SETTINGS, REPO

WORKFLOWS = REPO / ".github" / "workflows"
STATE = "refs/heads/strava-state"
PASSPHRASE = "correct horse battery staple"
# whoever runs the tests may be a workflow himself
NOT_INHERITED = (*OUR_SETTINGS, "GITHUB_", "ACTIONS_", "RUNNER", "GIT_CONFIG", "AWS_", "PYTEST", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Acted:
    """How a run of a workflow ended, and its log."""

    code: int
    log: str


@dataclass
class Forge:
    """A repository with its secrets and variables."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    private: bool = True

    def __post_init__(self) -> None:
        self.origin = self.folder / "origin.git"
        self.checkout = self.folder / "checkout"
        self.uploads = self.folder / "uploads"
        self.home = self.folder / "home"
        self.home.mkdir()
        # where the stand-in for setup-python looks besides
        if (Path.home() / ".pyenv").exists():
            (self.home / ".pyenv").symlink_to(Path.home() / ".pyenv")
        # what is tracked, as it is on disk: what somebody works on is what is tested
        for name in _git(REPO, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
            if name and (REPO / name).is_file():
                (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPO / name, self.checkout / name)
        _git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        _git(self.checkout, "init", "--quiet", "--initial-branch=main")
        _git(self.checkout, "remote", "add", "origin", str(self.origin))
        self.commit("all")
        _git(self.checkout, "push", "--quiet", "origin", "main")

    def commit(self, message: str, *forced: str) -> None:
        """Commit all there is in the checkout, and `forced` although they are ignored."""
        _git(self.checkout, "add", "--all")
        if forced:
            _git(self.checkout, "add", "--force", *forced)
        _git(self.checkout, "commit", "--quiet", "--message", message)

    def share(self, venv: Path, name: str = ".venv") -> None:
        """Let every checkout have `venv` already, so that a run need not set it up."""
        (self.checkout / name).symlink_to(venv)

    def act(self, workflow: str, *options: str, event: str = "workflow_dispatch", **inputs: str) -> Acted:
        """Run a workflow to its end, with `inputs` as they are typed into the form: texts, as GitHub hands them on."""
        path = WORKFLOWS / workflow
        (self.folder / "secrets").write_text("".join(f"{name}={value}\n" for name, value in self.secrets.items()))
        (self.folder / "vars").write_text("".join(f"{name}={value}\n" for name, value in self.variables.items()))
        payload = {"repository": {"private": self.private, "name": "strava-stats"}, "inputs": inputs}
        (self.folder / "event.json").write_text(json.dumps(payload))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        command = [Path(sys.executable).with_name("act"), event, "--workflows", f".github/workflows/{workflow}"]
        command += ["--platform", "ubuntu-latest=-self-hosted", "--pull=false", "--action-offline-mode"]
        command += ["--no-cache-server", "--eventpath", self.folder / "event.json"]
        command += ["--secret-file", self.folder / "secrets", "--var-file", self.folder / "vars"]
        # act gives each step a terminal, GitHub does not
        command += ["--env", f"ACT_UPLOADS={self.uploads}", "--env", "TTY_COMPATIBLE=0", *options]
        stand_ins = {
            "actions/setup-python": setup_python(),
            "actions/upload-artifact": Path(__file__).parent / "upload-artifact",
        }
        for action, commit in re.findall(r"uses: (\S+)@([0-9a-f]{40})", path.read_text()):
            if action in stand_ins:
                command += ["--local-repository", f"{action}@{commit}={stand_ins[action]}"]
        ran = subprocess.run(
            command,
            cwd=self.checkout,
            env=inherited | {"HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        return Acted(ran.returncode, ran.stdout)

    def state(self) -> str | None:
        """The commit of the branch that holds the state."""
        return _git(self.origin, "for-each-ref", "--format=%(objectname)", STATE).strip() or None

    def history(self) -> list[str]:
        """The commits of that branch."""
        return _git(self.origin, "rev-list", STATE).split()

    def parts(self) -> dict[str, bytes]:
        """The files of that branch."""
        names = _git(self.origin, "ls-tree", "--name-only", STATE).split()
        read = ["git", "--git-dir", str(self.origin), "cat-file", "blob"]
        return {
            name: subprocess.run([*read, f"{STATE}:{name}"], capture_output=True, check=True).stdout for name in names
        }

    def replace_state(self, content: bytes) -> None:
        """Put `content` in the place of the bundle, as the only commit of the branch."""
        (self.folder / "content").write_bytes(content)
        blob = _git(self.origin, "hash-object", "-w", str(self.folder / "content")).strip()
        made = ["git", "--git-dir", str(self.origin), "mktree"]
        entry = f"100644 blob {blob}\tbundle.000\n"
        tree = subprocess.run(made, input=entry, capture_output=True, text=True, check=True).stdout.strip()
        _git(self.origin, "update-ref", STATE, _git(self.origin, "commit-tree", tree, "-m", "cut").strip())


def setup_python() -> Path:
    """The action that stands in for actions/setup-python where there is no network."""
    path = os.environ.get("ACT_SETUP_PYTHON", "")
    assert (Path(path or "/nowhere") / "action.yml").is_file(), (
        f"ACT_SETUP_PYTHON is {path!r}: set it to the folder of an action that stands in for actions/setup-python"
    )
    return Path(path).resolve()


def _git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{what}": "forge@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-C", str(folder), *arguments]
    ran = subprocess.run(command, env=os.environ | who, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
