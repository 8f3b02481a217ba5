import shutil
import subprocess

import pytest

pytestmark = pytest.mark.workflows


def test_the_job_lint_lints(forge, venv):
    forge.share(venv)
    ran = forge.act("ci.yml", "--job", "lint", event="push")
    assert ran.code == 0, ran.log
    # and it would find something
    (forge.checkout / "pipelines" / "stop.py").write_text("import os\n")
    ran = forge.act("ci.yml", "--job", "lint", event="push")
    assert ran.code == 1
    assert "F401" in ran.log


def test_the_job_test_sets_up_both_pythons_and_tests_on_them(forge):
    few = "-k test_make_help_names_every_target"
    ran = forge.act("ci.yml", "--job", "test", "--env", f"PYTEST_ADDOPTS={few}", event="pull_request")
    assert ran.code == 0, ran.log
    assert ran.log.count("1 passed") == 2
    for python in ("3.11", "3.13"):
        assert f"test on {python}" in ran.log


def test_the_job_deep_runs_the_long_tests_in_two_parts(forge, venv):
    forge.share(venv)
    # of these two, each part has one
    two = "-k 'a_purge_killed_at_any_moment or a_flow_purges_if_the_settings_say_so'"
    ran = forge.act("ci.yml", "--job", "deep", "--env", f"PYTEST_ADDOPTS={two}", event="push")
    assert ran.code == 0, ran.log
    assert ran.log.count("1 passed") == 2


def test_the_job_spark_starts_the_suites_on_spark_and_on_a_cluster(forge, venv, spark_venv):
    forge.share(venv)
    forge.share(spark_venv, ".venv-spark")
    # that both suites pass takes ten minutes, and they are called beside this one too
    ran = forge.act("ci.yml", "--job", "spark", "--env", "PYTEST_ADDOPTS=--collect-only", event="push")
    assert ran.code == 0, ran.log
    assert "test_every_row_of_every_relation_is_the_same_on_both_engines" in ran.log
    assert "test_cluster.py" in ran.log


def test_the_job_page_opens_the_page_in_a_browser(forge, venv):
    if not shutil.which("chromium"):
        pytest.skip("there is no chromium: the job `page` of ci.yml was not run")
    forge.share(venv)
    one = "-k test_a_chart_that_would_be_empty_is_a_sentence"
    ran = forge.act("ci.yml", "--job", "page", "--env", f"PYTEST_ADDOPTS={one}", event="push")
    assert ran.code == 0, ran.log
    assert " passed" in ran.log


def test_the_job_image_builds_the_image_and_runs_the_demo_in_it(forge):
    engine = shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False)
    if not engine or engine.returncode != 0:
        pytest.skip("no container engine answers: the job `image` of ci.yml was not run")
    ran = forge.act("ci.yml", "--job", "image", event="push")
    assert ran.code == 0, ran.log
    assert "strava.activities" in ran.log
