"""The same model SQL has to run on Spark: what engines spell differently stays in macros/engine.sql."""

import re

import pytest
from processes import REPO

from pipelines.bronze.store import READABLE

ENGINE = REPO / "dbt_project" / "macros" / "engine.sql"
# only Spark runs these
SPARKS_OWN = ("sources_of_spark.sql", "dbt_of_spark.sql")
FORBIDDEN = (
    r"::",
    r"->",
    r"\bqualify\b",
    r"\bexclude\b",
    r"\barg_(max|min)\b",
    r"\blist_\w+\(",
    r"\bunnest\b",
    r"\bexplode\b",
    r"\bstrftime\b",
    r"\b(from_json|json_\w+|get_json_object)\(",
    r"\browid\b",
    r"\btry\(",
    r"\bnow\(\)",
    r"\bas timestamp\)",
)


def test_models_are_spelled_the_same_on_every_engine() -> None:
    files = [
        path
        for path in (REPO / "dbt_project").rglob("*.sql")
        if "target" not in path.parts and path != ENGINE and path.name not in SPARKS_OWN
    ]
    assert len(files) > 10
    for path in files:
        code = re.sub(r"\{#.*?#\}|--[^\n]*", "", path.read_text(), flags=re.DOTALL)
        for spelling in FORBIDDEN:
            assert not re.search(spelling, code, re.IGNORECASE), f"{path.name}: {spelling}"


@pytest.mark.parametrize("macro", re.findall(r"macro duckdb__(\w+)", ENGINE.read_text()))
def test_what_duckdb_spells_its_own_way_has_a_way_for_spark(macro: str) -> None:
    assert f"macro spark__{macro}(" in ENGINE.read_text()


def test_bronze_reads_a_payload_as_dbt_does() -> None:
    macro = re.search(r"macro duckdb__readable_json\(column\) -%}(.*?){%- endmacro", ENGINE.read_text(), re.DOTALL)
    assert macro
    assert "".join(macro[1].replace("{{ column }}", "payload").split()) == "".join(READABLE.split())
