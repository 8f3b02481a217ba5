"""`sql`: what it answers to a terminal, a pipe and a program, and that it reads the warehouse and nothing else."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from home import OUR_SETTINGS, REPO, Ran

ROWS = 120
COLUMNS = 40


class Home:
    """A home with a small warehouse, and `sql` run in it as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = folder / "warehouse" / "strava.duckdb"
        self.warehouse.parent.mkdir()
        self.secret = folder / "token.json"
        self.secret.write_text('{"refresh_token": "very secret"}')
        with duckdb.connect(str(self.warehouse)) as connection:
            columns = ", ".join(f"range * {number} as a_long_name_of_column_{number}" for number in range(COLUMNS))
            connection.execute(
                f"create schema staging; create table staging.wide as select {columns} from range({ROWS})"
            )
            connection.execute("create table staging.odd (n integer, name varchar, json json)")
            connection.execute(
                """insert into staging.odd values (1, 'Zoë | "漢字"', '{"map": {"id": "a1"}}'), (2, '', null)"""
            )

    def environment(self, **settings: str) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith((*OUR_SETTINGS, "PYTHON"))
        }
        return inherited | {"STRAVA_HOME": str(self.folder)} | settings

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(REPO / "pipelines" / "strava.py"), "sql", *arguments]

    def sql(self, *arguments: str, stdin: bytes = b"", **settings: str) -> Ran:
        ran = subprocess.run(
            self.command(*arguments),
            input=stdin,
            env=self.environment(**settings),
            capture_output=True,
            check=False,
            timeout=60,
        )
        encoding = settings.get("PYTHONIOENCODING", "utf-8")
        return Ran(ran.returncode, ran.stdout.decode(encoding), ran.stderr.decode(encoding))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def sql(home, monkeypatch, capfd):
    """`sql` in this process, standard output being no terminal."""
    from pipelines.strava import main

    def run(*arguments):
        monkeypatch.setenv("STRAVA_HOME", str(home.folder))
        capfd.readouterr()
        code = main(["sql", *arguments])
        return Ran(code, *capfd.readouterr())

    return run


def test_a_pipe_gets_the_last_statement_without_a_semicolon_all_statements_and_no_prompt(home):
    ran = home.sql(stdin=b"\xef\xbb\xbfselect 41 as a;\n-- then\nselect 42 as b\n")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "┌────┐\n│  a │\n├────┤\n│ 41 │\n└────┘\n\n┌────┐\n│  b │\n├────┤\n│ 42 │\n└────┘\n"
    assert home.sql(stdin=b"-- nothing\n") == Ran(0, "", "")


@pytest.mark.parametrize("arguments", [[], [""]], ids=["no query", "an empty one"])
def test_without_a_query_it_shows_one(home, arguments):
    ran = home.sql(*arguments, stdin=b" \n")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == 'error: There is no query. Give one like this: make sql Q="FROM strava.activities_yearly"\n'


def test_a_pipe_gets_all_rows_and_all_columns(sql):
    ran = sql("from staging.wide order by 2")
    lines = ran.out.splitlines()
    assert len(lines) == ROWS + 4
    assert [len(line.split("│")) for line in lines[3:-1]] == [COLUMNS + 2] * ROWS
    assert f"a_long_name_of_column_{COLUMNS - 1}" in lines[1]
    assert len({len(line) for line in lines}) == 1


def test_a_failing_statement_ends_it_with_code_2_and_says_so_on_standard_error(home):
    ran = home.sql(stdin=b"select 1 as a; select wrong; select 2 as b")
    assert ran.code == 2
    assert "wrong" in ran.err
    assert "│ 1 │" in ran.out
    assert "b" not in ran.out
    broken = home.sql(stdin=b"select 1; selec")
    assert (broken.code, broken.out) == (2, "")


VALUES = """select date '2020-01-31' as day, timestamptz '2020-01-01 00:00:00+00' as at, 1.50::decimal(9, 2) as price,
    '\\xAA\\x00'::blob as bytes, {'a': 1, 'b': [1.5, null, 'nan'::double]} as struct, map {'k': 1} as map,
    null as nothing, '' as empty, 'inf'::double as many, 'a|b, "c"' || chr(10) || 'd' as text, json '{"x": 1}' as json,
    interval 90 minute as span,
    170141183460469231731687303715884105727::hugeint as huge, date 'infinity' as never, true as yes, 1 as yes"""


def test_json_is_json_whatever_the_values_are(sql):
    ran = sql("--format", "json", VALUES)
    [row] = json.loads(ran.out, parse_constant=pytest.fail)
    assert row["day"] == "2020-01-31"
    assert (row["price"], row["struct"], row["map"]) == (1.5, {"a": 1, "b": [1.5, None, None]}, {"k": 1})
    assert (row["nothing"], row["empty"], row["many"], row["json"]) == (None, "", None, {"x": 1})
    assert row["text"] == 'a|b, "c"\nd'
    assert (row["huge"], row["yes"], row["yes_1"]) == (2**127 - 1, True, 1)
    assert json.loads(sql("--format", "json", "select 1 as a where false").out) == []
    assert len(json.loads(sql("--format", "json", "from staging.wide").out)) == ROWS


def test_csv_distinguishes_null_from_an_empty_text_and_reads_back_the_same(sql, tmp_path):
    ran = sql("--format", "csv", VALUES)
    head, row = csv.reader(io.StringIO(ran.out))
    assert head[:3] == ["day", "at", "price"]
    assert row[head.index("text")] == 'a|b, "c"\nd'
    assert row[head.index("bytes")] == "\\xAA\\x00"
    assert sql("--format", "csv", "select null as a, '' as b, ' x' as c, 'y' as d").out == 'a,b,c,d\n,""," x",y\n'
    file = tmp_path / "odd.csv"
    file.write_text(sql("--format", "csv", "from staging.odd").out)
    back = duckdb.sql(f"from read_csv('{file}', force_not_null = ['name'])").fetchall()
    assert [name for _, name, _ in back] == ['Zoë | "漢字"', ""]


def test_markdown_and_tables_keep_a_row_on_a_line(sql):
    markdown = sql("--format", "markdown", "select 'a|b' || chr(10) || 'c' as text, 1 as n, null as nothing").out
    assert markdown == "| text | n | nothing |\n| --- | ---: | ---: |\n| a\\|b<br>c | 1 | NULL |\n"
    table = sql("select '漢' || chr(10) || chr(27) || '[31m' as text, 'x' as y").out
    assert table.splitlines()[3] == "│ 漢\\n\\x1b[31m │ x │"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_console_of_any_encoding_gets_an_answer(home, encoding):
    ran = home.sql("from staging.odd", PYTHONIOENCODING=encoding)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0].startswith("+-"), "lines are drawn with what there is"
    assert ("Zoë" if encoding == "latin-1" else "Zo\\xeb") in ran.out


def test_json_is_json_on_a_console_of_any_encoding(home):
    ran = home.sql("--format", "json", "from staging.odd", PYTHONIOENCODING="ascii")
    assert json.loads(ran.out)[0]["name"] == 'Zoë | "漢字"'


def test_a_query_in_the_consoles_encoding_is_understood_and_other_bytes_are_reported(home):
    assert "ë" in home.sql(stdin="select 'ë' as x".encode("latin-1"), PYTHONIOENCODING="latin-1").out
    ran = home.sql(stdin=b"select '\xeb' as x")
    assert (ran.code, "UTF-8" in ran.err) == (2, True)


def test_a_dollar_and_a_comment_at_the_beginning_reach_duckdb(sql):
    assert "a1" in sql("--", "-- the map's\nselect json->>'$.map.id' as id from staging.odd where n = 1").out


WAYS_OUT = [
    "call enable_logging(storage = 'file', storage_path = '{folder}/log')",
    "copy staging.odd to '{folder}/out.csv'",
    "copy staging.odd to '{secret}'",
    "copy (select 1) to '{warehouse}.tmp/out.csv'",
    "export database '{folder}/out'",
    "from read_text('{secret}')",
    "from read_blob('{secret}')",
    "from read_csv('{secret}')",
    "from read_json('{secret}')",
    "from '{secret}'",
    "from glob('{folder}/*')",
    "from sniff_csv('{secret}')",
    "from parquet_metadata('{secret}')",
    "from query('from read_text(''{secret}'')')",
    "attach '{folder}/other.duckdb'",
    "attach ':memory:' as other",
    "install httpfs",
    "load httpfs",
    "load '{folder}/evil.duckdb_extension'",
    "from 'https://127.0.0.1:1/x.csv'",
    "from read_parquet('s3://bucket/x')",
    "create persistent secret s (type http, bearer_token 'x')",
    "set enable_external_access = true",
    "reset enable_external_access",
    "set lock_configuration = false",
    "set temp_directory = '{folder}/tmp'",
    "pragma profiling_output = '{folder}/profile'",
    "set home_directory = '{folder}'",
    "select getenv('STRAVA_CLIENT_SECRET')",
    "from connection",
    "drop table staging.odd",
    "create table staging.more as select 1",
    "import database '{folder}'",
]


def test_no_statement_reads_writes_or_loads_anything_but_the_warehouse(home, sql, monkeypatch):
    monkeypatch.setenv("STRAVA_CLIENT_SECRET", "very secret")
    before = {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    for way in WAYS_OUT:
        ran = sql(way.format(folder=home.folder, secret=home.secret, warehouse=home.warehouse))
        assert (ran.code, ran.out) == (2, ""), way
        assert "very secret" not in ran.err
    assert {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()} == before
    assert "the warehouse and nothing else" in sql(f"from read_text('{home.secret}')").err


def test_what_does_not_fit_into_memory_goes_to_a_folder_that_is_gone_afterwards(home, sql, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ran = sql(
        "create temp table t as select repeat('x', 1000) || range as x from range(200_000); select count(*) from t"
    )
    assert "200000" in ran.out, ran.err
    assert list(tmp_path.iterdir()) == []
    assert [path.name for path in home.warehouse.parent.iterdir()] == [home.warehouse.name]
    too_much = sql("select len(list(repeat('x', 1000) || range)) from range(300_000)")
    assert too_much.code == 2
    assert "SET" not in too_much.err, "advice that the lock refuses"


def test_a_closed_pipe_ends_it_without_an_error_and_a_full_disk_is_reported(home):
    pipe = subprocess.Popen(
        home.command("--format", "csv", "from range(1_000_000)"),
        env=home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert pipe.stdout.readline() == b"range\n"
    pipe.stdout.close()
    assert (pipe.stderr.read(), pipe.wait(60)) == (b"", 0)
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            home.command("select 1"),
            env=home.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 6
    assert ran.stderr.startswith("error: Standard output could not be written: No space left on device.")
    closed = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *home.command("select 1")],
        env=home.environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (closed.returncode, "Standard output is closed" in closed.stderr) == (6, True)


def test_a_terminal_gets_a_prompt_survives_a_wrong_statement_and_sees_what_fits(home):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        home.command(), env=home.environment(COLUMNS="100"), stdin=theirs, stdout=theirs, stderr=theirs, cwd=home.folder
    )
    os.close(theirs)
    os.write(ours, b"select wrong;\nselect count(*)\nas found from staging.wide;\nfrom staging.wide;\n\x04")
    shown = bytearray()
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "(read only). End a statement with ; and leave with Ctrl-D." in text
    assert "strava> " in text
    assert "   ...> " in text
    assert 'Referenced column "wrong"' in text
    assert "found" in text
    assert str(ROWS) in text
    assert f"a_long_name_of_column_{COLUMNS // 2}" not in text, "cut to the terminal's size"


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:
        # nobody is left at its other end
        return b""
