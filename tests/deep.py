"""One input of many in `make test`, all of them in `make test-deep`."""

from typing import Any

import pytest


def deep_but(count: int, *inputs: Any) -> list[Any]:
    """Parameters of a test: the first `count` of `inputs`, the others with the mark `deep`; a tuple is several."""
    sets = [each if isinstance(each, tuple) else (each,) for each in inputs]
    return [pytest.param(*each, marks=pytest.mark.deep if at >= count else ()) for at, each in enumerate(sets)]
