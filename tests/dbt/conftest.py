"""A clone of the dbt project to build in."""

import shutil
from pathlib import Path

import pytest
from processes import REPO


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a clone holds for dbt: the project and the two profiles."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(REPO / "dbt_project", root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copy(REPO / "profiles.yml", root)
    return root
