"""Where heads are found without a worker for each target, and where only env.py can tell."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.project_folder import ENV_PY, ProjectFolder
from tests.real.conftest import Fleet
from tests.servers import unique

TENANTS = ("acme", "birch", "cedar")
CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
NOTES = """
import os
with open({path!r}, "a") as file:
    file.write("ran\\n")
"""
CONFIGURE = "context.configure(connection=connection, target_metadata=target_metadata"


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    project.config(
        """
        [project]
        name = "shop"
        [databases.app]
        script_location = "migrations/app"
        [environments.prod]
        url = "sqlite:///{tenant}.db"
        tenants = ["acme", "birch", "cedar"]
        x = { tenant = "{tenant}" }
        """
    )
    return project


def env_py(shop: ProjectFolder, extra: str = "", before: str = "") -> None:
    """Write an env.py that notes when it runs, with more options in its context.configure()."""
    text = NOTES.format(path=str(shop.folder / "runs")) + before + ENV_PY
    text = text.replace(CONFIGURE, CONFIGURE + extra)
    shop.scripts(env_py=text)
    shop.revision("a1", None, CREATE, 'op.drop_table("items")')


def ran(shop: ProjectFolder) -> int:
    path = shop.folder / "runs"
    count = len(path.read_text().splitlines()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return count


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for sql in statements:
            connection.execute(sql)
        connection.commit()


def states(shop: ProjectFolder, *arguments: str) -> list[str]:
    return list(shop.run("status", *arguments, "-o", "json").states().values())


@pytest.mark.parametrize(
    ("extra", "before", "runs"),
    [
        pytest.param("", "", 0, id="nothing is said"),
        pytest.param(', version_table="versions"', "", 0, id="it is written out"),
        pytest.param(", version_table=table", "table = 'versions'\n", 0, id="it has a name"),
        pytest.param(
            ', version_table="ver" + "sions"', "", 2, id="it is computed: one target is asked"
        ),
        pytest.param(", **options()", "from elsewhere import options\n", 2, id="a module says it"),
    ],
)
def test_env_py_is_run_only_where_nothing_else_tells(
    shop: ProjectFolder, extra: str, before: str, runs: int
) -> None:
    (shop.folder / "elsewhere.py").write_text(
        "def options():\n    return {'version_table': 'versions'}\n"
    )
    env_py(shop, extra, before)
    shop.run("upgrade", "--exclude", "prod/app/cedar")
    execute(shop.folder / "cedar.db", "CREATE TABLE stray (id INTEGER)")
    if runs:
        execute(shop.folder / "acme.db", "DELETE FROM versions")
    ran(shop)

    found = states(shop)

    assert found == ["unversioned" if runs else "current", "current", "unversioned"]
    # A worker first learns what env.py does, then reads.
    assert ran(shop) <= 2 + 2 * len(TENANTS)
    if not runs and not extra:
        shop.run("upgrade")
        ran(shop)
        assert states(shop) == ["current"] * 3
        assert ran(shop) == 0


def test_a_version_table_that_differs_from_tenant_to_tenant(shop: ProjectFolder) -> None:
    env_py(
        shop,
        ', version_table="versions_of_" + context.get_x_argument(as_dictionary=True)["tenant"]',
    )
    shop.run("upgrade", "--exclude", "prod/app/cedar")

    assert states(shop) == ["current", "current", "empty"]
    assert states(shop, "--heads") == ["current", "current", "empty"]
    assert set(shop.run("upgrade", "-o", "json").states().values()) == {"done", "unchanged"}


def test_the_version_table_of_the_file_is_believed(shop: ProjectFolder) -> None:
    path = shop.folder / "environments.toml"
    path.write_text(
        path.read_text().replace(
            '"migrations/app"\n', '"migrations/app"\nversion_table = "versions"\n'
        )
    )
    env_py(shop)
    shop.run("upgrade", "prod/app/acme")
    execute(
        shop.folder / "birch.db",
        "CREATE TABLE alembic_version (version_num)",
        "INSERT INTO alembic_version VALUES ('a1')",
    )
    ran(shop)

    assert states(shop) == ["current", "unversioned", "empty"]
    assert ran(shop) == 0


def test_an_env_py_that_can_not_run_still_lets_the_heads_be_read(shop: ProjectFolder) -> None:
    env_py(shop)
    shop.run("upgrade", "prod/app/acme")
    path = shop.folder / "migrations/app/env.py"
    path.write_text("import nowhere\n" + path.read_text())
    assert states(shop) == ["current", "empty", "empty"]

    path.write_text(path.read_text().replace(CONFIGURE, CONFIGURE + ", version_table=nowhere.name"))
    told = shop.run("status", "-o", "json", code=3).json["targets"]

    # What is there is told; where it is not, nobody knows where it would be.
    assert [t["state"] for t in told] == ["current", "failed", "failed"]
    assert "nowhere" in told[1]["failure"]["message"]


def test_a_target_that_can_not_be_read_does_not_keep_the_others_from_it(
    project: ProjectFolder, mariadb, postgres
) -> None:
    """One file, three servers, one of them down."""
    with (
        mariadb.databases(unique("survey")) as (my,),
        postgres.databases(unique("survey")) as (pg,),
    ):
        postgres.execute("CREATE SCHEMA acme", pg)
        project.environ |= {"MY": mariadb.url("DB"), "PG": postgres.url(pg)}
        project.config(
            f"""
            [project]
            name = "shop"
            [databases.app]
            script_location = "migrations/app"
            [environments.files]
            url = "sqlite:///{{tenant}}.db"
            tenants = ["acme", "birch"]
            [environments.mysql]
            url = "mysql+pymysql://{mariadb.user}:${{env:MY_PASSWORD}}@{mariadb.host}:{mariadb.port}/{{tenant}}"
            tenants = ["{my}", "nowhere"]
            [environments.postgres]
            url = "${{env:PG}}"
            schema = "{{tenant}}"
            tenants = ["acme", "nowhere"]
            [environments.down]
            url = "postgresql+psycopg://app:hunter2secret@127.0.0.1:9/{{tenant}}"
            tenants = ["acme"]
            [environments.refused]
            url = "mysql+pymysql://{mariadb.user}:hunter2secret@{mariadb.host}:{mariadb.port}/{{tenant}}"
            tenants = ["{my}_2"]
            """
        )
        project.environ["MY_PASSWORD"] = mariadb.password
        project.scripts()
        project.revision("a1", None, CREATE, 'op.drop_table("items")')
        project.run("upgrade", "files/app/acme", f"mysql/app/{my}", "postgres/app/acme")
        (project.folder / "birch.db").write_text("this is no database, but it is long enough " * 9)

        ran = project.run("status", "-o", "json", code=3)

        failures = {t["name"]: (t["failure"] or {}).get("message", "") for t in ran.json["targets"]}
        assert ran.states() == {
            "files/app/acme": "current",
            "files/app/birch": "unreachable",
            f"mysql/app/{my}": "current",
            "mysql/app/nowhere": "unreachable",
            "postgres/app/acme": "current",
            "postgres/app/nowhere": "unreachable",
            "down/app/acme": "unreachable",
            f"refused/app/{my}_2": "unreachable",
        }
        assert "not a database" in failures["files/app/birch"]
        assert "1049" in failures["mysql/app/nowhere"]
        assert "there is no schema or database 'nowhere'" in failures["postgres/app/nowhere"]
        assert "refused" in failures["down/app/acme"].lower()
        assert "1045" in failures[f"refused/app/{my}_2"]
        assert "hunter2secret" not in ran.out + ran.err
        assert mariadb.password not in ran.out + ran.err
        servers = {
            t["server_version"].split()[0] for t in ran.json["targets"] if t["server_version"]
        }
        assert servers == {"SQLite", "MariaDB", "PostgreSQL"}
        assert all(t["failure"]["next_step"] for t in ran.json["targets"] if t["failure"])


def test_schemas_that_env_py_compares_beyond_its_own_are_compared_one_by_one(
    project: ProjectFolder, postgres
) -> None:
    with postgres.databases(unique("beyond")) as (name,):
        postgres.execute_all([f"CREATE SCHEMA {tenant}" for tenant in TENANTS], name)
        project.environ["DATABASE_URL"] = postgres.url(name)
        project.config(
            """
            [project]
            name = "shop"
            [databases.app]
            script_location = "migrations/app"
            metadata = "models:metadata"
            [environments.prod]
            url = "${env:DATABASE_URL}"
            schema = "{tenant}"
            tenants = ["acme", "birch", "cedar"]
            """
        )
        (project.folder / "models.py").write_text(
            "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
            "sa.Table('items', metadata, sa.Column('id', sa.Integer, primary_key=True))\n"
        )
        env_py(project, ", include_schemas=True")
        project.run("upgrade")
        ran(project)

        by_class = project.run("check", "-o", "json", code=4).json
        runs = ran(project)
        each = project.run("check", "--every-target", "-o", "json", code=4).json

        assert runs >= len(TENANTS)
        told = [
            {t["name"]: sorted(d["text"] for d in t["differences"]) for t in answer["targets"]}
            for answer in (by_class, each)
        ]
        assert told[0] == told[1]
        assert "extra table birch.items" in told[0]["prod/app/acme"]
        assert "extra table acme.items" in told[0]["prod/app/birch"]


def test_heads_of_a_dropped_branch_are_unknown_and_of_another_are_not(fleet: Fleet) -> None:
    fleet.declare(3)
    fleet.project.revision("a1", None, CREATE, 'op.drop_table("items")')
    fleet.project.revision("b1", None, 'op.create_table("b", sa.Column("id", sa.Integer))')
    fleet.project.run("upgrade")
    (fleet.project.folder / "migrations/app/versions/b1.py").unlink()
    fleet.rows("t001", "DELETE FROM alembic_version WHERE version_num = 'b1'")

    told = fleet.project.run("status", "-o", "json", code=3).json["targets"]

    assert [t["state"] for t in told] == ["unknown_revision", "current", "unknown_revision"]
    assert told[0]["heads"] == ["a1", "b1"]
    assert told[0]["failure"]["message"] == (
        "the database is at revision 'b1', which the scripts don't have"
    )
    assert "--purge" in told[0]["failure"]["next_step"]
