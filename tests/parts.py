"""`--part=2/3`: the second of three parts of the selected tests, for jobs that run beside each other."""

import zlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="K/N", help="only the Kth of N parts of the tests")


# last: after `-m` and `-k` have taken their choice
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not (wanted := config.getoption("part")):
        return
    part, parts = map(int, wanted.split("/"))
    if not 1 <= part <= parts:
        raise pytest.UsageError(f"--part={wanted}: the first number is one of 1 to {parts}")
    # by name and not by place, so that a new test does not move the others
    chosen = [item for item in items if zlib.crc32(item.nodeid.encode()) % parts == part - 1]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen
