import json
import socket
import sqlite3
import subprocess
import sys

import pytest

from orchestrator.config.problems import Problems
from orchestrator.config.secrets import Secrets
from orchestrator.dialects import Timeouts
from orchestrator.errors import SecretError, TargetsFailed
from orchestrator.fleet.address import AddressTemplate
from orchestrator.inspection.connecting import connected, rows
from orchestrator.inspection.tenants.read import read_tenants
from tests.fleet.examples import make_config


def read(folder, tenants, url="sqlite:///{tenant}.db", secrets=None, **more):
    config = make_config({"orders": ()}, prod={"url": url, "tenants": tenants, **more})
    return list(read_tenants("prod", config, folder, Secrets(folder, secrets or {})))


def problem(folder, tenants, **more):
    with pytest.raises(Problems) as error:
        read(folder, tenants, **more)
    (found,) = error.value.problems
    key = next(iter(tenants))
    assert found.at == ("environments", "prod", "tenants", key)
    return found.message


def names(tenants):
    return [tenant["name"] for tenant in tenants]


def test_a_list_is_read_as_it_is(tmp_path):
    tenants = ["birch", {"name": "acme", "vip": True}]
    assert read(tmp_path, tenants) == [{"name": "birch"}, {"name": "acme", "vip": "true"}]
    assert read(tmp_path, []) == []


def test_csv(tmp_path):
    text = '\ufeffname, tier\r\nbirch,"free, for now"\r\n\r\nacme,\r\n'
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert read(tmp_path, {"csv": "t.csv"}) == [
        {"name": "birch", "tier": "free, for now"},
        {"name": "acme"},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv:1 has no column 'name', only nothing"),
        (b"id,tier\n1,free", "t.csv:1 has no column 'name', only id, tier"),
        (b"name,a,a\n", "t.csv:1 has two columns 'a'"),
        (
            b"name,tier\nacme\n,free\nbirch,free,x\n",
            (
                "t.csv:2 has 1 column where the header has 2; t.csv:3 has an empty name;"
                " t.csv:4 has 3 columns where the header has 2"
            ),
        ),
        (b'name\n"acme', "t.csv:2 is not CSV: unexpected end of data"),
        (b"name\n\xff", "t.csv is not UTF-8"),
    ],
)
def test_a_mistake_in_csv_is_reported_with_its_line(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    assert problem(tmp_path, {"csv": "t.csv"}) == f"tenants of 'prod': {message}"


def test_a_csv_file_that_is_not_there(tmp_path):
    assert "t.csv: No such file" in problem(tmp_path, {"csv": "t.csv"})
    assert "Is a directory" in problem(tmp_path, {"csv": "."})


def test_a_csv_file_without_rows(tmp_path):
    (tmp_path / "t.csv").write_text("name\n")
    expected = "environment 'prod' has no tenants: t.csv has no rows"
    assert problem(tmp_path, {"csv": "t.csv"}) == expected


@pytest.fixture
def control(tmp_path):
    with sqlite3.connect(tmp_path / "control.db") as connection:
        connection.execute("CREATE TABLE tenants (id, name, tier, shard)")
        rows = [(2, "acme", "free", 5), (1, "birch", None, 6), (3, "100%:x", "paid", 7)]
        connection.executemany("INSERT INTO tenants VALUES (?, ?, ?, ?)", rows)
    connection.close()
    return tmp_path


def query(sql, url="sqlite:///control.db"):
    return {"query": sql, "url": url}


def test_a_query_is_sent_as_it_is(control):
    sql = "SELECT name, tier, shard FROM tenants WHERE name NOT LIKE '100%:x' ORDER BY id"
    assert read(control, query(sql)) == [
        {"name": "birch", "shard": "6"},
        {"name": "acme", "tier": "free", "shard": "5"},
    ]


def test_the_control_database_may_be_a_secret(control):
    tenants = query("SELECT name FROM tenants WHERE id = 1", "${env:CONTROL}")
    assert names(read(control, tenants, secrets={"CONTROL": "sqlite:///control.db"})) == ["birch"]
    with pytest.raises(SecretError, match="CONTROL"):
        read(control, tenants)


def test_a_control_database_that_never_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.inspection.tenants.asking._READ_TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"mysql+pymysql://app:pw@127.0.0.1:{mute.getsockname()[1]}/control"
        with pytest.raises(TargetsFailed, match="could not be read from"):
            read(tmp_path, query("SELECT 1", url))


def test_an_option_that_the_driver_lacks(tmp_path):
    url = "mysql+pymysql://app:pw@127.0.0.1:1/control?sslmode=require"
    with pytest.raises(TargetsFailed, match="sslmode"):
        read(tmp_path, query("SELECT 1", url))


def test_mistakes_of_a_query(control):
    assert "row 1 has no name, only id" in problem(control, query("SELECT id FROM tenants"))
    assert "the query returned no rows" in problem(
        control, query("SELECT name FROM tenants LIMIT 0")
    )
    with pytest.raises(TargetsFailed) as error:
        read(control, query("SELECT name FROM tennants"))
    assert str(error.value) == (
        "the tenants of 'prod' could not be read from sqlite: no such table: tennants\n"
        "  check environments.prod.tenants, and that the server can be reached"
    )


def test_a_statement_that_returns_nothing_is_a_clear_error(control):
    with pytest.raises(TargetsFailed, match="does not return rows"):
        read(control, query("DELETE FROM tenants"))


def test_a_control_database_that_is_not_there_is_not_created(tmp_path):
    with pytest.raises(TargetsFailed, match=r"there is no file .*control\.db"):
        read(tmp_path, query("SELECT 1"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_down_is_named_without_its_password(tmp_path):
    url = "mysql+pymysql://app:${env:PW}@127.0.0.1:9/control"
    with pytest.raises(TargetsFailed) as error:
        read(tmp_path, query("SELECT 1", url), secrets={"PW": "hunter2"})
    message = str(error.value)
    assert "could not be read from mysql://localhost:9: Can't connect" in message
    assert "hunter2" not in message
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_a_url_that_is_none_is_a_problem(tmp_path):
    tenants = query("SELECT 1", "${env:CONTROL}")
    with pytest.raises(Problems) as error:
        read(tmp_path, tenants, secrets={"CONTROL": "hunter2"})
    assert "hunter2" not in str(error.value)


def test_a_driver_that_does_not_exist(tmp_path):
    with pytest.raises(TargetsFailed, match="nosuch"):
        read(tmp_path, query("SELECT 1", "nosuch://h/d"))


def command(script, *arguments):
    return {"command": [sys.executable, "-c", script, *arguments]}


def test_a_command_prints_json_lines_in_the_folder(tmp_path):
    script = (
        "import json, os, sys; print(json.dumps({'name': sys.argv[1], 'vip': False, 'n': 5}));"
        "print(); print(json.dumps({'name': os.path.basename(os.getcwd()), 'x': None}))"
    )
    assert read(tmp_path, command(script, "a b")) == [
        {"name": "a b", "vip": "false", "n": "5"},
        {"name": tmp_path.name},
    ]


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("[1]", "item 1 is neither"),
        ('[{"name": "a"}', "starts like a JSON array"),
        ('{"name": "a"}\n["b"]', "line 2 is not like"),
        ('{"name": "a"}\n{"id": 1}', "line 2 has no name, only id"),
        ('{"name": "a", "tags": []}', "line 1 label 'tags' is a list"),
        ('{"name": "\\\\ud800"}', "line 1 label 'name' is not Unicode text"),
        ("[" * 100_000, "starts like a JSON array"),
        ("", "printed nothing"),
    ],
)
def test_mistakes_in_what_a_command_prints(tmp_path, printed, message):
    (tmp_path / "out").write_text(printed.replace("\\\\", "\\"))
    assert message in problem(tmp_path, command("print(open('out').read())"))


@pytest.mark.parametrize(
    "printed",
    [
        '[{"name": "acme"}, {"name": "birch"}]',
        '[\n  {\n    "name": "acme"\n  },\n  {\n    "name": "birch"\n  }\n]\n',
        ' ["acme", "birch"]',
        "acme\n\nbirch\r\n",
        '{"name": "acme"}\n{"name": "birch"}',
        '\ufeff["acme", "birch"]',
    ],
)
def test_a_command_may_print_an_array_objects_or_names(tmp_path, printed):
    (tmp_path / "out").write_text(printed)

    assert read(tmp_path, {"command": ["cat", "out"]}) == [{"name": "acme"}, {"name": "birch"}]


def test_a_command_that_fails(tmp_path):
    script = "import sys; print('x\\nno vault', file=sys.stderr); print('{}'); sys.exit(7)"
    with pytest.raises(TargetsFailed, match="exit code 7: no vault"):
        read(tmp_path, command(script))
    with pytest.raises(TargetsFailed, match="No such file"):
        read(tmp_path, {"command": ["./nothing"]})
    with pytest.raises(TargetsFailed, match="not UTF-8"):
        read(tmp_path, command("import sys; sys.stdout.buffer.write(b'\\xff')"))


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "a[b]"
    for path in ("var/acme/orders.db", "var/birch/orders.db", "var/birch/old.db", "var/x.db"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (folder / "var" / "folder" / "orders.db").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("url", "pattern", "found"),
    [
        ("sqlite:///var/{tenant}/{database}.db", "var/*/*.db", ["acme", "birch"]),
        ("sqlite:///./var/{tenant}.db", "var/*.db", ["x"]),
        ("sqlite:///file:var/{tenant}/orders.db?uri=true", "var/**/*.db", ["acme", "birch"]),
        ("sqlite:///var/birch/{tenant}.db", "./var/birch/*.db", ["old", "orders"]),
    ],
)
def test_files(shop, url, pattern, found):
    assert names(read(shop, {"files": pattern}, url)) == found


def test_an_absolute_glob(shop):
    pattern = f"{shop.parent}/*/var/*.db"
    assert names(read(shop, {"files": pattern}, "sqlite:///var/{tenant}.db")) == ["x"]


def test_files_that_tell_of_no_tenant(shop):
    files = {"files": "var/*.db"}
    assert "no file is like 'var/*.db' and fits" in problem(shop, files, url="sqlite:///v/{tenant}")
    message = problem(shop, files, url="sqlite:///{tier}/{tenant}.db")
    assert message == (
        "tenants can't be discovered: a label other than {tenant} can't be read off"
        " the path in the url"
    )
    assert "only SQLite" in problem(shop, files, url="mysql://h/{tenant}")


@pytest.mark.parametrize(
    ("tenants", "url", "message"),
    [
        ({"databases": "%"}, "mysql+pymysql://{shard}/{tenant}", "say where to look with 'url'"),
        ({"databases": "%"}, "mysql+pymysql://h/{tier}{tenant}", "a label other than {tenant}"),
        ({"databases": "%"}, "sqlite:///{tenant}", "sqlite has no databases"),
        ({"schemas": "%"}, "postgresql+psycopg://h/{tenant}", "say where to look with 'url'"),
        ({"schemas": "%"}, "mysql+pymysql://h/d", "mysql has no schemas"),
    ],
)
def test_what_can_not_be_discovered(tmp_path, tenants, url, message):
    more = {"schema": "{tenant}"} if "schemas" in tenants else {}
    assert message in problem(tmp_path, tenants, url=url, **more)


def test_nothing_imports_sqlalchemy_before_it_is_needed():
    script = "import sys, orchestrator.inspection.tenants.read; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"False\n"


def test_a_tenant_that_is_listed_twice_is_told_with_its_lines(tmp_path):
    (tmp_path / "t.csv").write_text("name,tier\na,x\nb,x\na,y\n")

    with pytest.raises(Problems) as told:
        read(tmp_path, {"csv": "t.csv"})

    assert "tenant 'a' is listed in lines 2 and 4 of t.csv" in str(told.value)
    assert "{tenant}" not in str(told.value)


def test_a_tenant_that_a_command_prints_twice_is_told_with_its_lines(tmp_path):
    lines = "".join(json.dumps({"name": name}) + "\n" for name in ("a", "a", "b", "a"))
    (tmp_path / "lines").write_text(lines)

    with pytest.raises(Problems) as told:
        read(tmp_path, {"command": ["cat", str(tmp_path / "lines")]})

    assert "tenant 'a' is listed in lines 1, 2 and 4" in str(told.value)


def test_a_query_on_sqlite_has_a_time_out(tmp_path):
    url = f"sqlite:///{tmp_path}/x.db"
    location = AddressTemplate.parse(url, None, tmp_path).blank.resolve(lambda _: "")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    with (
        connected(location, Timeouts(1, 0.05)) as connection,
        pytest.raises(sqlite3.OperationalError, match="interrupted"),
    ):
        rows(connection, endless)
