"""A pytest plugin: which test covers what, in this process and in those that it starts.

A test is known by a short hash of its name. COVERED_BY carries it to child processes: `coverage` reads it there as
their context. What a fixture of a file does, all tests of that file may notice: it counts to the file.
"""

import hashlib
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

_tests: dict[str, dict[str, Any]] = {}
# seconds of the fixtures that the tests of a file share; whichever is run first pays for them
_shared: dict[str, float] = defaultdict(float)


def hash_of(name: str) -> str:
    """What stands for the test, or the file, called `name`."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:12]


def _count_to(name: str) -> None:
    os.environ["COVERED_BY"] = hash_of(name)
    measured = Coverage.current()
    assert measured is not None
    measured.switch_context(hash_of(name))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    _count_to(item.nodeid)
    result = yield
    _count_to(item.location[0])
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    if fixturedef.scope == "function":
        return (yield)
    before = os.environ["COVERED_BY"]
    file = request.node.nodeid.partition("::")[0]
    _count_to(file)
    began_s = time.monotonic()
    try:
        return (yield)
    finally:
        _shared[file] += time.monotonic() - began_s
        os.environ["COVERED_BY"] = before
        Coverage.current().switch_context(before)


def pytest_runtest_logreport(report):
    test = _tests.setdefault(report.nodeid, {"seconds": 0.0, "passed": True})
    test["seconds"] = round(test["seconds"] + report.duration, 3)
    test["passed"] = test["passed"] and report.outcome == "passed"


def pytest_sessionfinish(session):
    Path(os.environ["RECORD_TO"]).write_text(json.dumps({"tests": _tests, "shared": _shared}))
