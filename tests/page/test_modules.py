"""The page's modules in web/: what they are bundled to, what they know of the page's data, and their own tests."""

import re
import subprocess

import pytest
from scripts import NODE, WEB

from pipelines.page import details
from pipelines.page.data import HEALTH, SETTINGS, TABLES

TYPES = (WEB / "src" / "types.d.ts").read_text(encoding="utf-8")


def ran(*arguments):
    return subprocess.run([NODE, *arguments], check=False, cwd=WEB, capture_output=True, text=True, timeout=120)


def test_the_scripts_in_the_page_are_what_the_modules_make():
    assert (WEB / "node_modules").is_dir(), "npm's packages are not there: make bundle"
    check = ran("bundle.js", "--check")
    assert (check.returncode, check.stderr) == (0, "")


def test_what_calculates_does_so_without_a_browser():
    tests = ran("--test", "tests/*.test.js")
    assert tests.returncode == 0, tests.stdout
    assert int(re.search(r"pass (\d+)", tests.stdout)[1]) > 20


def fields(interface):
    """The names in an interface of types.d.ts."""
    found = re.search(rf"export interface {interface} {{\n(.*?)\n}}", TYPES, flags=re.DOTALL)
    return re.findall(r"^  (\w+)\??:", found[1], flags=re.MULTILINE)


@pytest.mark.parametrize("table", [*TABLES, *HEALTH], ids=lambda table: table.name)
def test_the_types_have_the_columns_of_the_data(table):
    row = re.search(rf"^  {table.name}: (\w+);", TYPES, flags=re.MULTILINE)[1]
    assert fields(row) == table.columns.split(", ")


@pytest.mark.parametrize("table", details.TABLES, ids=lambda table: table.name)
def test_the_types_have_the_columns_of_the_details(table):
    row = re.search(rf"^  {table.name}: (\w+);", TYPES.partition("interface DetailTables")[2], flags=re.MULTILINE)[1]
    assert fields(row) == list(table.columns)


def test_the_types_have_the_tables_and_settings_of_the_data():
    assert sorted(fields("Tables")) == sorted(table.name for table in (*TABLES, *HEALTH))
    assert fields("DetailTables") == [table.name for table in details.TABLES]
    assert re.findall(r'"(\w+)"', re.search(r"type Setting = (.*);", TYPES)[1]) == list(SETTINGS)
