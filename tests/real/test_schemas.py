"""PostgreSQL with a schema per tenant."""

import pytest

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_failures import target
from tests.servers import unique

TENANTS = tuple(f"tenant_{n:02}" for n in range(60))


@pytest.fixture
def schemas(project: ProjectFolder, postgres):
    """A database with a schema for each tenant; ``items`` is also in ``public``."""
    with postgres.databases(unique("schemas")) as (name,):
        postgres.execute_all(
            [f'CREATE SCHEMA "{tenant}"' for tenant in TENANTS]
            + ["CREATE TABLE public.items (untouched integer)"],
            name,
        )
        project.environ["DATABASE_URL"] = postgres.url(name)
        project.config(
            """
            [project]
            name = "schemas"
            [databases.app]
            script_location = "migrations/app"
            metadata = "models:metadata"
            [environments.prod]
            url = "${env:DATABASE_URL}"
            schema = "{tenant}"
            tenants = { schemas = "tenant_%" }
            """
        )
        project.scripts()
        (project.folder / "models.py").write_text(
            "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
            "sa.Table('items', metadata, sa.Column('id', sa.Integer, primary_key=True))\n"
        )
        project.revision(
            "a1",
            None,
            'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))',
            'op.drop_table("items")',
        )
        yield lambda sql: postgres.execute(sql, name)


def test_each_schema_gets_its_own_tables_and_its_own_version(project, schemas):
    ran = project.run("upgrade", "-o", "json")

    assert list(ran.states()) == [f"prod/app/{tenant}" for tenant in TENANTS]
    assert set(ran.states().values()) == {"done"}
    found = schemas(
        "SELECT schemaname, string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables"
        " WHERE schemaname = 'public' OR schemaname LIKE 'tenant%' GROUP BY 1 ORDER BY 1"
    )
    assert found == [("public", "items"), *((t, "alembic_version,items") for t in TENANTS)]
    assert set(project.run("check", "-o", "json").states().values()) == {"in_sync"}


def test_the_sql_of_a_schema_goes_to_that_schema(project, schemas, tmp_path):
    project.run("upgrade", "prod/app/tenant_01", "--sql", "out")

    sql = (tmp_path / "out/prod/app/tenant_01.sql").read_text()
    assert sql.startswith('SET search_path TO "tenant_01";')
    schemas(sql)
    assert schemas("SELECT version_num FROM tenant_01.alembic_version") == [("a1",)]


def test_a_downgrade_never_falls_through_to_public(project, schemas):
    project.run("upgrade", "prod/app/tenant_00")
    schemas("DROP TABLE tenant_00.items")

    ran = project.run(
        "downgrade", "prod/app/tenant_00", "--revision", "base", "--yes", "-o", "json", code=3
    )

    assert "items" in target(ran, "prod/app/tenant_00")["failure"]["message"]
    assert schemas("SELECT count(*) FROM public.items") == [(0,)]


def test_a_schema_that_is_gone_is_told(project, schemas):
    path = project.folder / "environments.toml"
    path.write_text(path.read_text().replace('{ schemas = "tenant_%" }', '["nowhere"]'))

    ran = project.run("upgrade", "-o", "json", code=3)
    assert (
        "no schema or database 'nowhere'" in target(ran, "prod/app/nowhere")["failure"]["message"]
    )
    assert project.run("status", "-o", "json", code=3).states() == {
        "prod/app/nowhere": "unreachable"
    }


def test_schemas_of_one_database_are_worked_on_at_once_and_locked_one_by_one(project, schemas):
    project.revision(
        "b2",
        "a1",
        'op.execute("""CREATE TABLE seen AS SELECT count(*) AS n FROM pg_locks'
        " WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database"
        ' WHERE datname = current_database())""")\ntime.sleep(0.5)',
    )

    project.run("upgrade")

    most = max(schemas(f"SELECT n FROM {tenant}.seen")[0][0] for tenant in TENANTS)
    assert 1 < most <= 8


def test_discovered_databases_and_files(project, new_fleet, mysql_like):
    fleet: Fleet = new_fleet(mysql_like)
    fleet.declare(3)
    fleet.project.revision("a1", None, "pass")
    path = fleet.project.folder / "environments.toml"
    listed = f"{list(fleet.tenants)!r}"
    assert listed in path.read_text()
    pattern = f'{{ databases = "{fleet.prefix}_%" }}'
    path.write_text(path.read_text().replace(listed, pattern))

    states = fleet.project.run("upgrade", "-o", "json").states()

    assert list(states) == [f"prod/app/{tenant}" for tenant in fleet.tenants]
