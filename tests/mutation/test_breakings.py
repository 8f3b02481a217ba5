"""What `make mutate-models` breaks, and that what it need not is still there."""

from processes import REPO

from mutation.breakings import all_breakings, read_equivalents

PROJECT = REPO / "dbt_project"


def broken(source: str) -> set[str]:
    return {breaking.lines(source)[2] for breaking in all_breakings(source)}


def test_every_part_of_a_query_is_broken() -> None:
    source = "select distinct a_m, b_m from t left join u on t.id = u.id where x > 1 and y between 2 and 3 or not z"
    assert broken(source) >= {
        source.replace("select distinct", "select"),
        source.replace("a_m, b_m", "b_m as a_m, a_m as b_m"),
        source.replace("left join", "inner join"),
        source.replace("t.id = u.id", "t.id >= u.id"),
        source.replace("x > 1", "x >= 1"),
        source.replace("x > 1", "x > 10"),
        source.replace("x > 1 and ", ""),
        source.replace(" and y between 2 and 3", ""),
        source.replace("1 and", "1 or"),
        source.replace("y between", "y not between"),
        source.replace("or not z", "or z"),
    }
    # the second half of a `between` is no condition of its own
    assert source.replace("2 and 3", "2 or 3") not in broken(source)


def test_sums_windows_and_what_stands_in_for_null_are_broken() -> None:
    source = "select coalesce(sum(a), 0), row_number() over (partition by b, c order by d desc nulls last, e) from t"
    assert broken(source) >= {
        source.replace("coalesce(sum(a), 0)", "sum(a)"),
        source.replace("sum(a)", "max(a)"),
        source.replace("partition by b, c", "partition by b"),
        source.replace("partition by b, c", "partition by c"),
        source.replace("d desc", "d asc"),
        source.replace("nulls last", "nulls first"),
        source.replace(", e)", ")"),
        source.replace("e)", "e desc)"),
    }


def test_in_jinja_sql_types_lists_and_parts_of_dates_are_broken_but_no_sentence() -> None:
    rules = "{%- set rules = {'why': 'a vehicle, or 7 jumps', 'fast': 'speed > 5'} -%}"
    assert broken(rules) == {rules.replace("> 5", other) for other in (">= 5", "< 5", "> 4", "> 6", "> 50")}
    fields = "{%- set fields = {'id': 'bigint', 'metres': 'double', 'groups': ['a', 'b']} -%}"
    assert broken(fields) == {
        fields.replace("bigint", "integer"),
        fields.replace("double", "bigint"),
        fields.replace("['a', 'b']", "[ 'b']"),
        fields.replace("['a', 'b']", "['a']"),
    }
    assert broken("{{ dbt.date_trunc('week', 'day') }}") == {
        "{{ dbt.date_trunc('month', 'day') }}",
        "{{ dbt.date_trunc('week', 'week') }}",
    }


def test_code_that_is_not_run_here_is_not_broken() -> None:
    assert broken("-- a > 1\n{# b > 2 #}\n{% macro spark__x() %}c > 3{%- endmacro %}") == set()
    # what only such a macro calls
    assert broken("{% macro spark_y(z) -%}c > 3{%- endmacro %}") == set()


def test_every_equivalent_breaking_can_still_be_made() -> None:
    for equivalent in read_equivalents():
        assert equivalent.why
        for file in equivalent.files:
            source = (PROJECT / file).read_text()
            made = [breaking.lines(source)[1:] for breaking in all_breakings(source)]
            assert [lines for lines in made if equivalent.is_of(file, *lines)], (file, equivalent)
