"""The ways in which real ``env.py`` files differ: each runs unmodified, and only on its target."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE, target

CONFIGURE = """
def run(connection, **options):
    context.configure(connection=connection, target_metadata=metadata, **options)
    with context.begin_transaction():
        context.run_migrations()
"""
HEAD = """
import sys
from alembic import context
import sqlalchemy as sa
from sqlalchemy import create_engine, engine_from_config, pool, text
config = context.config
metadata = sa.MetaData()
sa.Table("items", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
BODIES = {
    "connection-in-attributes": "run(config.attributes['connection'])",
    "connection-in-attributes-that-its-giver-commits": """
context.configure(connection=config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
""",
    "connection-or-engine-of-its-own": """
connectable = config.attributes.get("connection", None)
if connectable is None:
    connectable = engine_from_config(
        config.get_section(config.config_ini_section), prefix="sqlalchemy."
    )
with connectable.connect() as connection:
    run(connection)
""",
    "engine-in-attributes": """
engine = config.attributes["connection"]
connection = engine.connect()
try:
    run(connection)
finally:
    connection.close()
""",
    "engine-of-connection-in-attributes": """
with config.attributes["connection"].engine.connect() as connection:
    run(connection)
""",
    "begins-itself": """
with create_engine(config.get_main_option("sqlalchemy.url")).begin() as connection:
    run(connection)
""",
    "begins-on-the-connection": """
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    with connection.begin():
        context.configure(connection=connection, target_metadata=metadata)
        context.run_migrations()
""",
    "looks-first-and-leaves-a-transaction": """
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    connection.execute(text("SELECT 1"))
    run(connection)
""",
    "url-in-online-mode": "run(None, url=config.get_main_option('sqlalchemy.url'))",
    "connection-by-position": """
with engine_from_config(config.get_section("alembic"), poolclass=pool.NullPool).connect() as c:
    context.configure(c, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
""",
    "application-engine": """
from application import engine
with engine.connect() as connection:
    run(connection)
""",
    "application-engine-that-cannot-be-reached": """
engine = create_engine("postgresql+psycopg://nobody:none@127.0.0.1:1/nothing")
with engine.connect() as connection:
    assert connection.dialect.name == "postgresql"
    run(connection)
""",
    "application-session": """
from sqlalchemy.orm import sessionmaker
from application import engine
session = sessionmaker(bind=engine)()
run(session.connection())
session.close()
""",
    "sets-its-own-url": """
config.set_main_option("sqlalchemy.url", "sqlite:///elsewhere.db")
with engine_from_config(config.get_section("alembic"), prefix="sqlalchemy.").connect() as c:
    run(c)
""",
    "logging-without-a-file": """
from logging.config import fileConfig
fileConfig(config.config_file_name)
run(config.attributes["connection"])
""",
    "logging-with-a-file-that-is-not-there": """
from logging.config import fileConfig
fileConfig("nowhere.ini", disable_existing_loggers=False)
run(config.attributes["connection"])
""",
    "every-option": """
def include_object(object, name, type_, reflected, compare_to):
    return not (type_ == "table" and name == "left_out")

def include_name(name, type_, parents):
    return name != "left_out"

def process(context, revision, directives):
    assert directives

def applied(ctx, step, heads, run_args, **kw):
    print("applied", step.up_revision_id)

metadata.naming_convention = {"pk": "pk_%(table_name)s"}
run(
    config.attributes["connection"],
    include_object=include_object,
    include_name=include_name,
    include_schemas=False,
    compare_type=lambda *_: None,
    compare_server_default=True,
    render_as_batch=True,
    process_revision_directives=process,
    version_table="versions_of_mine",
    transaction_per_migration=True,
    on_version_apply=applied,
    user_module_prefix="sa.",
    template_args={"a": 1},
)
""",
    "version-table-of-a-helper": """
from helper import options
run(config.attributes["connection"], **options)
""",
    "autocommit": """
engine = create_engine(config.get_main_option("sqlalchemy.url"))
with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
    run(connection)
""",
    "looks-through-its-engine-meanwhile": """
engine = create_engine(config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        sa.inspect(engine).get_table_names()
        with engine.connect() as other:
            other.execute(text("SELECT 1"))
        context.run_migrations()
""",
    "reads-its-command-line": """
assert sys.argv[0] == "alembic", sys.argv
assert {"upgrade", "downgrade", "current", "check"} & set(sys.argv[1:]), sys.argv
assert config.cmd_opts.cmd[0].__name__ in sys.argv
run(config.attributes["connection"])
""",
    "configures-twice": """
context.configure(connection=config.attributes["connection"])
known = context.get_context().get_current_revision()
run(config.attributes["connection"])
""",
    "loops-over-databases": """
for url in ("sqlite:///one.db", config.get_main_option("sqlalchemy.url"), "sqlite:///two.db"):
    with create_engine(url).connect() as connection:
        run(connection)
""",
    "loops-over-databases-and-begins": """
engines = {}
for name in ("sqlite:///one.db", config.get_main_option("sqlalchemy.url")):
    connection = create_engine(name).connect()
    engines[name] = (connection, connection.begin())
try:
    for connection, _ in engines.values():
        context.configure(connection=connection, target_metadata=metadata)
        context.run_migrations()
    for _, transaction in engines.values():
        transaction.commit()
finally:
    for connection, _ in engines.values():
        connection.close()
""",
}
APPLICATION = """
from sqlalchemy import create_engine
engine = create_engine("sqlite:///application.db")
"""
HELPER = 'options = {"version_table": "versions_of_mine"}'


def declare(fleet: Fleet, body: str, count: int = 2) -> ProjectFolder:
    fleet.declare(count)
    write(fleet.project, "app", body)
    return fleet.project


def write(shop: ProjectFolder, database: str, body: str) -> None:
    shop.scripts(database, env_py=HEAD + CONFIGURE + body)
    (shop.folder / "application.py").write_text(APPLICATION)
    (shop.folder / "helper.py").write_text(HELPER)
    shop.revision("a1", None, CREATE, "op.drop_table('items')", database=database)
    added = 'op.add_column("items", sa.Column("note", sa.String(9)))'
    shop.revision("b2", "a1", added, database=database)


class Everything:
    """All of them in one project, whose commands ran one after the other."""

    def __init__(self, folder: Path) -> None:
        self.shop = ProjectFolder(folder)
        databases = "".join(
            f"[databases.{name}]\nscript_location = 'migrations/{name}'\n" for name in BODIES
        )
        self.shop.config(
            '[project]\nname = "everything"\n' + databases + "[environments.prod]\n"
            'url = "sqlite:///var/{database}-{tenant}.db"\ntenants = ["t0", "t1"]\n'
        )
        for name, body in BODIES.items():
            write(self.shop, name, body)
        run = self.shop.run
        self.first = run("upgrade", "--revision", "a1", "-o", "json", code=None).states()
        self.status = run("status", "-o", "json", code=None).states()
        self.check = run("check", "-o", "json", code=None).states()
        self.second = run("upgrade", "-o", "json", code=None).states()
        self.differs = run("check", "-o", "json", code=None).states()
        self.down = run("downgrade", "prod", "--revision", "-1", "-y", "-o", "json", code=None)

    def rows(self, name: str, tenant: str, sql: str) -> list[tuple[Any, ...]]:
        path = self.shop.folder / "var" / f"{name}-{tenant}.db"
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    return Everything(tmp_path_factory.mktemp("everything"))


@pytest.mark.parametrize("name", BODIES)
def test_it_migrates_its_target(everything: Everything, name: str):
    table = "versions_of_mine" if "version" in name or "every" in name else "alembic_version"
    for tenant in ("t0", "t1"):
        target = f"prod/{name}/{tenant}"
        assert everything.first[target] == "done"
        assert everything.status[target] == everything.check[target] == "behind"
        assert everything.second[target] == "done"
        # Of an extra column only what include_name and compare_type are asked about.
        assert everything.differs[target] == "differs"
        assert everything.down.states()[target] == "done"
        tables = everything.rows(name, tenant, "SELECT name FROM sqlite_master WHERE type='table'")
        assert set(tables) == {("items",), (table,)}
        assert everything.rows(name, tenant, f"SELECT * FROM {table}") == [("a1",)]


def test_none_of_them_touches_another_database(everything: Everything):
    files = {path.name for path in everything.shop.folder.glob("**/*.db")}
    targets = {f"{name}-{tenant}.db" for name in BODIES for tenant in ("t0", "t1")}
    assert files == {*targets, "ledger.db"}


ASYNC = """
import asyncio
from sqlalchemy.ext.asyncio import async_engine_from_config, create_async_engine

def do_run_migrations(connection):
    run(connection)

async def run_async_migrations():
    connectable = async_engine_from_config(
        config.get_section(config.config_ini_section, {}),
        prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    async with connectable.connect() as connection:
        await connection.execute(text("SELECT 1"))
        await connection.commit()
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()

asyncio.run(run_async_migrations())
"""
ASYNC_APPLICATION = """
import asyncio
from sqlalchemy.ext.asyncio import create_async_engine

async def main():
    engine = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with engine.begin() as connection:
        await connection.run_sync(run)

asyncio.run(main())
"""


@pytest.mark.parametrize("body", [ASYNC, ASYNC_APPLICATION], ids=["own-engine", "application"])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_an_asynchronous_one_runs_on_our_connection(new_fleet, kind: str, body: str):
    fleet = new_fleet(kind)
    shop = declare(fleet, body)
    path = shop.folder / "environments.toml"
    text = path.read_text().replace("sqlite://", "sqlite+aiosqlite://")
    path.write_text(text.replace("postgresql+psycopg", "postgresql+asyncpg"))

    shop.run("upgrade")

    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}
    for tenant in fleet.tenants:
        assert fleet.tables(tenant) == {"items", "alembic_version"}
    assert set(shop.run("check", "-o", "json", code=4).states().values()) == {"differs"}


REFUSED = {
    "on-an-engine-of-its-own": """
other = create_engine("sqlite:///other.db")
with other.begin() as connection:
    connection.execute(text("CREATE TABLE audit (id INTEGER)"))
run(config.attributes["connection"])
""",
    "on-the-engine-of-the-application": """
from application import engine
metadata.create_all(engine)
run(config.attributes["connection"])
""",
    "and-hides-it": """
from application import engine
try:
    metadata.create_all(engine)
except Exception:
    pass
run(config.attributes["connection"])
""",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_ddl_elsewhere_is_refused_before_it_runs(new_fleet, body: str):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, body, count=1)

    failure = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["failure"]

    assert "which is not the target" in failure["message"]
    assert "CREATE TABLE" in failure["message"]
    assert "env.py:" in failure["message"]
    assert "guard code that creates tables" in failure["next_step"]
    for path in {*shop.folder.glob("**/*.db")} - {shop.folder / ".orchestrator/ledger.db"}:
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT * FROM sqlite_master").fetchall() == [], path


def test_ddl_elsewhere_in_a_revision_is_refused(new_fleet):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, "run(config.attributes['connection'])", count=1)
    shop.revision(
        "c3",
        "b2",
        "sa.MetaData().create_all(sa.create_engine('sqlite://'))\n"
        "sa.create_engine('sqlite:///x.db').connect().execute(sa.text('DROP TABLE IF EXISTS y'))",
    )

    failure = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["failure"]

    assert failure["revision"] == "c3"
    assert "DROP TABLE IF EXISTS y" in failure["message"]


LOOPS = """
for url in ("sqlite:///one.db", "sqlite:///two.db"):
    with create_engine(url).connect() as connection:
        run(connection)
"""


def test_one_that_migrates_only_other_databases_is_refused(new_fleet):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, LOOPS, count=1)

    failure = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["failure"]

    assert "none of them is the target: sqlite:///one.db, sqlite:///two.db" in failure["message"]
    assert "ini_section" in failure["next_step"]
    assert list(shop.folder.glob("*.db")) == []


def test_one_with_a_loop_of_its_own_is_no_success(new_fleet):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, "config.attributes['connection'].execute(text('SELECT 1'))", count=1)

    failure = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["failure"]

    assert "ran no migrations" in failure["message"]


LISTENS = """
import listeners
with config.attributes["connection"].engine.connect() as connection:
    run(connection)
"""


def test_listeners_for_all_engines_hear_of_the_first_target_too(new_fleet):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, LISTENS)
    (shop.folder / "listeners.py").write_text(
        "from sqlalchemy import Engine, event\n"
        "@event.listens_for(Engine, 'connect')\n"
        "def connect(connection, record):\n"
        "    connection.create_function('ours', 0, lambda: 7)\n"
    )
    shop.revision(
        "c3", "b2", "assert op.get_bind().execute(sa.text('SELECT ours()')).scalar() == 7"
    )

    shop.run("upgrade")
