"""Commands as processes: started, watched, killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Lock, Thread

from home import REPO, Ran

HANGS_AFTER_S = 120


class Launcher:
    """A process that forks commands; one serves many examples. `environment` is what it adds to this process's own."""

    def __init__(self, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("launcher.py"))],
            env=os.environ | {"PYTHONPATH": str(REPO)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # a Ctrl-C is for who asked for the commands
            start_new_session=True,
        )
        self._lock = Lock()
        self._wishes = 0

    def ask(self, **wish: object) -> int:
        """What the launcher answers."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            self._wishes += 1
            stdin.write(json.dumps(wish | {"number": self._wishes}) + "\n")
            stdin.flush()
            # before it may be the answer to one who was interrupted
            while (answer := stdout.readline().split())[0] != str(self._wishes):
                pass
            return int(answer[1])

    def start(self, *arguments: str, environment: Mapping[str, str]) -> "Command":
        """Start the command."""
        folder = Path(tempfile.mkdtemp(prefix="command-"))
        return Command(self, folder, self.ask(arguments=arguments, environment=dict(environment), folder=str(folder)))

    def close(self) -> None:
        """End the launcher."""
        self._process.kill()
        self._process.communicate()


class Command:
    """A command that runs."""

    def __init__(self, launcher: Launcher, folder: Path, id_: int) -> None:
        self._launcher = launcher
        self._folder = folder
        self._ended = False
        self._hung = False
        self.id = id_

    def kill(self) -> None:
        """SIGKILL; no error when it has ended, since its id is its own until somebody has waited for it."""
        if not self._ended:
            os.kill(self.id, signal.SIGKILL)

    def end(self) -> None:
        """Kill it if it still runs, and wait."""
        if not self._ended:
            self.kill()
            self.wait()

    def stop(self) -> list[int]:
        """SIGSTOP; the ids of the processes it has started, of which there will be no more."""
        os.kill(self.id, signal.SIGSTOP)
        try:
            return [int(id_) for id_ in Path(f"/proc/{self.id}/task/{self.id}/children").read_text().split()]
        except OSError:
            return []

    def wait(self) -> Ran:
        """How it ended."""
        ended = Event()
        watch = Thread(target=self._watch, args=(ended,))
        watch.start()
        code = self._launcher.ask(wait=self.id)
        self._ended = True
        ended.set()
        watch.join()
        ran = Ran(code, (self._folder / "stdout").read_text(), (self._folder / "stderr").read_text())
        shutil.rmtree(self._folder)
        assert not self._hung, f"it hung: {ran.err}"
        return ran

    def _watch(self, ended: Event) -> None:
        # second by second: a machine that slept meanwhile is none that hung
        if not any(ended.wait(1) for _ in range(HANGS_AFTER_S)):
            self._hung = True
            self.kill()
