"""A tenant whose database or schema is not there is made, and taken back while it is empty."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.servers import Postgres, Server, unique

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
DROP = 'op.drop_table("items")'


@pytest.fixture(params=["mariadb", "mysql", "postgres", "schemas"])
def bare(
    request: pytest.FixtureRequest, new_fleet: Callable[[str], Fleet], postgres: Postgres
) -> Iterator[Fleet]:
    """Three tenants of which nothing is there yet, to be made."""
    schemas = request.param == "schemas"
    fleet = new_fleet("postgres" if schemas else request.param)
    fleet.declare(3)
    assert fleet.server is not None
    fleet.drop()
    path = fleet.project.folder / "environments.toml"
    more = "create = true\n"
    text = path.read_text()
    if schemas:
        shared = unique("shared")
        postgres.create(shared)
        text = text.replace(f"{fleet.prefix}_{{tenant}}", shared)
        more += 'schema = "{tenant}"\n'
    path.write_text(text.replace("[environments.prod]\n", f"[environments.prod]\n{more}"))
    fleet.project.revision("a1", None, CREATE, DROP)
    yield fleet
    if schemas:
        postgres.drop(shared)
    else:
        fleet.server.drop(*(fleet.database(tenant) for tenant in fleet.tenants))


def test_it_is_made_upgraded_and_taken_back(bare: Fleet) -> None:
    run = bare.project.run
    assert "3 empty" in run("status").out
    assert "3 targets" in run("plan").out
    assert "3 behind" in run("check", code=None).out
    assert run("drift", code=None).code in {0, 3}
    assert "3 planned" in run("upgrade", "--dry-run").out

    ran = run("upgrade")

    assert "3 done" in ran.out
    assert ran.err.count("created") == 3
    assert "3 current" in run("status").out
    assert "created: 3 targets" in run("show", "1").out
    story = run("show", "1", "-o", "json").json
    assert [one["what"] for one in story["remarks"]] == ["created"] * 3
    assert "created" not in run("upgrade").err

    ran = run("rollback", "1", "--yes")

    assert ran.err.count("was empty, and is dropped") == 3, ran
    assert "3 empty" in run("status").out
    told = run("show", "last", "-o", "json").json["remarks"]
    assert [one["what"] for one in told] == ["dropped"] * 3
    run("upgrade")
    assert "3 current" in run("status").out


def test_what_is_not_empty_is_kept(bare: Fleet) -> None:
    run = bare.project.run
    run("upgrade")
    bare.project.revision("b2", "a1", "op.execute('CREATE TABLE other (id INT)')", "pass")
    run("upgrade", "prod/app/t001")

    run("rollback", "2", "--yes")
    ran = run("rollback", "1", "--yes")

    assert ran.err.count("was empty, and is dropped") == 2, ran
    assert ran.err.count("is kept") == 1
    assert "other" in ran.err
    assert "prod/app/t001" in next(line for line in ran.err.splitlines() if "is kept" in line)


def test_a_schema_whose_database_is_not_there_either(
    new_fleet: Callable[[str], Fleet], postgres: Postgres
) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(2)
    fleet.drop()
    path = fleet.project.folder / "environments.toml"
    both = '[environments.prod]\ncreate = true\nschema = "{tenant}"\n'
    path.write_text(path.read_text().replace("[environments.prod]\n", both))
    fleet.project.revision("a1", None, CREATE, DROP)

    ran = fleet.project.run("upgrade")

    assert f"database {fleet.database('t000')}, schema t000" in ran.err
    assert "2 done" in ran.out
    fleet.project.run("rollback", "1", "--yes")


def test_without_the_setting_nothing_is_made(bare: Fleet) -> None:
    path = bare.project.folder / "environments.toml"
    path.write_text(path.read_text().replace("create = true", "create = false"))

    ran = bare.project.run("upgrade", code=3)

    assert "create = true" in ran.out
    assert "unreachable" in bare.project.run("status", code=3).out


OF_DATABASE = (
    "SELECT pg_get_userbyid(datdba) || ' ' || pg_encoding_to_char(encoding) FROM pg_database"
    " WHERE datname = current_database()"
)
SETTINGS = {
    "mariadb": (
        'create_charset = "latin1"\ncreate_collation = "latin1_bin"',
        "SELECT @@collation_database",
        "latin1_bin",
    ),
    "mysql": (
        'create_charset = "latin1"\ncreate_collation = "latin1_bin"',
        "SELECT @@collation_database",
        "latin1_bin",
    ),
    "postgres": (
        'create_owner = "pg_monitor"\ncreate_charset = "LATIN1"\ncreate_collation = "C"',
        OF_DATABASE,
        "pg_monitor LATIN1",
    ),
    "schemas": (
        'create_owner = "pg_monitor"',
        "",
        "pg_monitor",
    ),
}


def test_owner_charset_and_collation_are_as_the_file_says(
    bare: Fleet, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["bare"]
    settings, sql, expected = SETTINGS[kind]
    path = bare.project.folder / "environments.toml"
    text = path.read_text()
    path.write_text(text.replace("create = true", f"create = true\n{settings}"))
    bare.project.run("upgrade", "prod/app/t000")

    if kind != "schemas":
        assert bare.rows("t000", sql) == [(expected,)]
        return
    assert isinstance(bare.server, Server)
    database = next(line for line in text.splitlines() if line.startswith("url")).rsplit("/")[-1]
    owner = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 't000'"
    assert bare.server.execute(owner, database.rstrip("'")) == [(expected,)]


def test_two_at_once_make_it_once(bare: Fleet, tmp_path: Path) -> None:
    """Each from a folder, and with a ledger, of its own."""
    source, folder = bare.project.folder, tmp_path / "other"
    folder.mkdir()
    (folder / "environments.toml").write_text((source / "environments.toml").read_text())
    (folder / "migrations").symlink_to(source / "migrations")
    other = ProjectFolder(folder, dict(bare.project.environ))

    started = [bare.project.start("upgrade"), other.start("upgrade")]
    ran = [one.wait(None) for one in started]

    assert sum(one.err.count("created ") for one in ran) == 3, ran
    assert all(one.code in {0, 3, 5} for one in ran)
    assert all("exists" not in one.out for one in ran)
    bare.project.run("resume", code=None)
    assert "3 current" in bare.project.run("status").out
