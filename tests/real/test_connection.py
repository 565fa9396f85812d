"""Whatever env.py does to connect, the migration runs on our connection, to its target."""

import sqlite3
from contextlib import closing

import pytest

from tests.project_folder import ENV_PY
from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE, target
from tests.servers import unique

COOKBOOK = """
from alembic import context
connectable = context.config.attributes.get("connection")
assert connectable is not None
context.configure(connection=connectable, target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
"""
ELSEWHERE = """
from alembic import context
from sqlalchemy import create_engine
with create_engine("sqlite:///elsewhere.db").connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""
DISPOSES = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"), echo=False)
connection = engine.connect()
try:
    context.configure(connection)
    with context.begin_transaction():
        context.run_migrations()
finally:
    connection.close()
    engine.dispose()
"""
LOOKS_FIRST = """
from alembic import context
from sqlalchemy import create_engine, text
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    connection.execute(text("SELECT 1"))
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.mark.parametrize(
    "env_py",
    [ENV_PY, COOKBOOK, ELSEWHERE, DISPOSES, LOOKS_FIRST],
    ids=["template", "cookbook", "elsewhere", "disposes", "looks-first"],
)
def test_the_migration_reaches_its_target_and_nothing_else(fleet: Fleet, env_py: str):
    fleet.declare(2)
    fleet.project.scripts(env_py=env_py)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.revision("b2", "a1", 'op.create_table("more", sa.Column("id", sa.Integer))')

    ran = fleet.project.run("upgrade", "-o", "json")

    assert set(ran.states().values()) == {"done"}
    for tenant in fleet.tenants:
        assert fleet.heads(tenant) == ["b2"]
        assert fleet.tables(tenant) == {"alembic_version", "items", "more"}
    elsewhere = fleet.project.folder / "elsewhere.db"
    if elsewhere.exists():
        with closing(sqlite3.connect(elsewhere)) as connection:
            assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_one_connection_per_target(new_fleet, mysql_like):
    fleet = new_fleet(mysql_like)
    fleet.declare(1)
    fleet.project.revision(
        "a1",
        None,
        "seen = op.get_bind().execute(sa.text('SELECT count(*) FROM information_schema.processlist"
        " WHERE db = DATABASE()')).scalar()\nassert seen == 1, seen",
    )

    fleet.project.run("upgrade")


def test_autocommit_blocks_work_and_are_told_when_they_stay(fleet: Fleet):
    fleet.declare(1, retries=3)
    fleet.project.revision("a1", None, CREATE)
    index = "CREATE INDEX CONCURRENTLY ix ON items (id)"
    statement = index if fleet.kind == "postgres" else index.replace(" CONCURRENTLY", "")
    fleet.project.revision(
        "b2",
        "a1",
        f"with op.get_context().autocommit_block():\n    op.execute({statement!r})\n"
        'op.create_table("later", sa.Column("id", sa.Integer))\n'
        'op.execute("INSERT INTO nowhere VALUES (1)")',
    )

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    told = target(ran, "prod/app/t000")
    assert told["attempts"] == 1
    assert told["failure"]["half_applied"] is True
    assert told["failure"]["executed"][0] == statement
    assert fleet.heads("t000") == ["a1"]


def test_a_version_table_of_another_name_needs_no_word_of_ours(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.scripts(
        env_py=COOKBOOK.replace("target_metadata=None", "version_table='my_versions'")
    )
    fleet.project.revision("a1", None, CREATE)

    fleet.project.run("upgrade")

    assert fleet.tables("t000") == {"my_versions", "items"}
    assert set(fleet.project.run("status", "-o", "json").states().values()) == {"current"}


def test_a_version_table_that_is_said_must_be_that_of_env_py(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    env_py = COOKBOOK.replace("target_metadata=None", "version_table='my_versions'")
    fleet.project.scripts(env_py=env_py)
    fleet.project.revision("a1", None, CREATE)
    path = fleet.project.folder / "environments.toml"
    said = '[databases.app]\nversion_table = "others"'
    path.write_text(path.read_text().replace("[databases.app]", said))

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    failure = target(ran, "prod/app/t000")["failure"]
    assert "version_table 'my_versions', environments.toml says 'others'" in failure["message"]
    path.write_text(path.read_text().replace("others", "my_versions"))
    fleet.project.run("upgrade")
    assert fleet.tables("t000") == {"my_versions", "items"}


def test_a_folder_named_alembic_is_in_nobodys_way(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE)
    (fleet.project.folder / "alembic").mkdir()
    (fleet.project.folder / "alembic/__init__.py").write_text("raise RuntimeError('not me')")

    fleet.project.run("upgrade")

    assert fleet.heads("t000") == ["a1"]


SETS_SEARCH_PATH = """
from alembic import context
from sqlalchemy import create_engine, text
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    connection.execute(text("SET search_path TO public"))
    connection.commit()
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def test_what_env_py_does_to_its_connection_does_not_move_ours(project, postgres):
    with postgres.databases(unique("moved")) as (name,):
        postgres.execute("CREATE SCHEMA acme", name)
        project.environ["DATABASE_URL"] = postgres.url(name)
        project.config(
            """
            [project]
            name = "moved"
            [databases.app]
            script_location = "migrations/app"
            [environments.prod]
            url = "${env:DATABASE_URL}"
            schema = "{tenant}"
            tenants = ["acme"]
            """
        )
        project.scripts(env_py=SETS_SEARCH_PATH)
        project.revision("a1", None, CREATE)
        tables = "SELECT schemaname, tablename FROM pg_tables WHERE tablename IN ('items', 'more')"

        project.run("upgrade")

        assert postgres.execute(tables, name) == [("acme", "items")]
        project.revision(
            "b2",
            "a1",
            'op.execute("SET search_path TO public")\n'
            'op.create_table("more", sa.Column("id", sa.Integer))',
        )
        ran = project.run("upgrade", "-o", "json", code=3)
        failure = target(ran, "prod/app/acme")["failure"]
        assert "left the session in another schema" in failure["message"]
        assert postgres.execute(tables, name) == [("acme", "items")], "it was rolled back"


def test_a_revision_that_uses_another_database_is_no_success(new_fleet, mysql_like):
    fleet = new_fleet(mysql_like)
    fleet.declare(2)
    fleet.project.revision("a1", None, f'op.execute("USE {fleet.database("t001")}")')

    ran = fleet.project.run("upgrade", "prod/app/t000", "-o", "json", code=3)

    assert "another schema or database" in target(ran, "prod/app/t000")["failure"]["message"]


def test_a_second_connection_within_a_revision_leaves_the_first_alone(fleet: Fleet):
    fleet.declare(1)
    fleet.project.revision(
        "a1",
        None,
        """
        op.create_table("one", sa.Column("id", sa.Integer))
        sa.inspect(op.get_bind().engine).get_table_names()
        with op.get_bind().engine.connect() as other:
            other.execute(sa.text("SELECT 1"))
        op.create_table("two", sa.Column("id", sa.Integer))
        """,
    )

    fleet.project.run("upgrade")

    assert fleet.tables("t000") == {"alembic_version", "one", "two"}


def test_what_a_revision_keeps_at_module_level_stays_with_its_target(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(4, max_parallel=1)
    fleet.project.revision(
        "a1", None, "seen.append(1)\nassert seen == [1], seen", header="seen = []"
    )

    fleet.project.run("upgrade")


def test_a_file_uri_is_locked_and_created_where_it_points(project):
    path = project.folder / "var" / "uri.db"
    project.config(
        """
        [project]
        name = "uri"
        [databases.app]
        script_location = "migrations/app"
        [environments.dev]
        url = "sqlite:///file:var/uri.db?uri=true"
        """
    )
    project.scripts()
    project.revision("a1", None, CREATE)

    project.run("status")
    assert not path.exists()
    project.run("upgrade")
    assert path.exists()
    assert [p.name for p in project.folder.iterdir() if p.name.startswith("file:")] == []


def test_what_a_migration_changes_in_its_process_stays_with_its_target(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(3, max_parallel=1)
    fleet.project.revision(
        "a1",
        None,
        """
        assert os.getcwd() != "/", "cwd"
        assert "SEEN" not in os.environ, "environ"
        assert "/nowhere" not in sys.path, "sys.path"
        os.chdir("/")
        os.environ["SEEN"] = "1"
        sys.path.insert(0, "/nowhere")
        """,
    )

    fleet.project.run("upgrade")


def test_an_alarm_of_one_target_does_not_end_the_next(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(2, max_parallel=1)
    fleet.project.revision(
        "a1",
        None,
        """
        import signal
        signal.alarm(1) if "t000" in str(op.get_bind().engine.url) else time.sleep(2)
        """,
    )

    assert set(fleet.project.run("upgrade", "-o", "json").states().values()) == {"done"}
