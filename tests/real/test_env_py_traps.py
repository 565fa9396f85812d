"""What an ``env.py`` or a revision may do that could end in a lie: none of it does."""

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder, Ran
from tests.real.conftest import Fleet
from tests.real.test_adopted import schemas
from tests.real.test_env_py import CONFIGURE, HEAD, declare
from tests.real.test_failures import target
from tests.servers import Server, unique

PLAIN = "run(config.attributes['connection'])\n"
HALF = """
op.create_table("half", sa.Column("id", sa.Integer))
op.execute("INSERT INTO half VALUES (1)")
raise ValueError("boom")
"""
HIDES = """
context.configure(connection=config.attributes["connection"])
try:
    context.run_migrations()
except Exception as error:
    print("hidden", error)
"""
PREPARES = """
engine = create_engine(config.get_main_option("sqlalchemy.url"))
with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
    connection.execute(text("SELECT 1"))
with engine.connect() as connection:
    run(connection)
"""
FAILING = {"hides-it": HIDES, "prepares-in-autocommit": PREPARES, "plain": PLAIN}


@pytest.mark.parametrize("body", FAILING.values(), ids=FAILING)
def test_what_a_revision_raised_is_told_and_nothing_of_it_stays(new_fleet, body: str):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, body)
    shop.revision("c3", "b2", HALF)

    ran = shop.run("upgrade", "-o", "json", code=3)

    for tenant in fleet.tenants:
        failure = target(ran, f"prod/app/{tenant}")["failure"]
        assert "ValueError: boom" in failure["message"]
        assert failure["revision"] == "c3"
        assert "half" not in fleet.tables(tenant)


def test_a_commit_that_failed_is_no_success_even_if_env_py_hides_it(new_fleet):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, f"try:\n    {PLAIN}except Exception as error:\n    print(error)\n", 1)
    config = shop.folder / "environments.toml"
    config.write_text(config.read_text() + 'lock_timeout = "200ms"\nretries = 0\n')
    (shop.folder / "var").mkdir()
    with closing(sqlite3.connect(shop.folder / "var" / "t000.db", isolation_level=None)) as reader:
        reader.execute("CREATE TABLE kept (id INTEGER)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM kept").fetchall()

        told = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")

        assert (told["state"], told["heads"]) == ("failed", [])
    assert fleet.tables("t000") == {"kept"}


WRITES = """
with create_engine(config.get_main_option("sqlalchemy.url")).begin() as connection:
    connection.execute(text("CREATE TABLE IF NOT EXISTS written (id INTEGER)"))
run(config.attributes["connection"])
"""


def test_env_py_does_not_run_before_the_lock_is_held(new_fleet):
    fleet = new_fleet("sqlite")
    shop = declare(fleet, WRITES, 1)
    config = shop.folder / "environments.toml"
    config.write_text(config.read_text() + 'lock_timeout = "200ms"\n')
    (shop.folder / "var").mkdir()
    with closing(sqlite3.connect(shop.folder / "var" / "t000.db")) as database:
        database.execute("CREATE TABLE kept (id INTEGER)")
    with (shop.folder / "var" / "t000.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.lockf(lock, fcntl.LOCK_EX)

        ran = shop.run("upgrade", "-o", "json", code=5)

    assert ran.states() == {"prod/app/t000": "locked"}
    assert fleet.tables("t000") == {"kept"}


BODIES = {
    "asks-for-its-revision": """
assert context.get_revision_argument() is not None or config.cmd_opts.revision == "heads"
assert config.cmd_opts.revision in ("a1", "heads"), config.cmd_opts
run(config.attributes["connection"])
""",
    "exits-when-it-is-done": PLAIN + "sys.exit(0)\n",
    "does-nothing-when-nothing-is-to-be-done": """
from alembic.script import ScriptDirectory
connection = config.attributes["connection"]
context.configure(connection=connection)
heads = set(ScriptDirectory.from_config(config).get_heads())
if set(context.get_context().get_current_heads()) != heads:
    run(connection)
""",
    "registers-with-alembic": """
from alembic.autogenerate import comparators, renderers
from kept import Thing
@renderers.dispatch_for(Thing)
def render(autogen_context, op):
    return "pass"
@comparators.dispatch_for("schema")
def compare(*arguments):
    pass
run(config.attributes["connection"])
""",
    "goes-through-others-for-some-targets": """
url = config.get_main_option("sqlalchemy.url")
for each in [url] if "t0" in url else [url, "sqlite:///shadow.db"]:
    with create_engine(each).connect() as connection:
        run(connection)
""",
    "runs-twice": PLAIN + PLAIN,
    "another-version-table-for-some": """
table = "alembic_version" if "t0" in config.get_main_option("sqlalchemy.url") else "versions_x"
run(config.attributes["connection"], version_table=table)
""",
    "isolation-of-its-engine": """
engine = create_engine(config.get_main_option("sqlalchemy.url"), isolation_level="AUTOCOMMIT")
with engine.connect() as connection:
    assert connection.connection.dbapi_connection.isolation_level is None
    run(connection)
""",
    "leaves-options-behind": """
engine = create_engine(config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    connection.execution_options(schema_translate_map={None: "nowhere"}).execute(text("SELECT 1"))
with engine.connect() as connection:
    run(connection)
""",
    "looks-at-another-database": """
with create_engine("sqlite:///control.db").connect() as connection:
    assert sa.Table("tenants", sa.MetaData(), autoload_with=connection).columns.keys() == ["name"]
    assert sa.inspect(connection).get_table_names() == ["tenants"]
    assert connection.execute(text("SELECT name FROM tenants")).scalars().all() == ["acme"]
run(config.attributes["connection"])
""",
    "wants-no-revision": """
def none(context, revision, directives):
    directives[:] = []
run(config.attributes["connection"], process_revision_directives=none)
""",
}
KEPT = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase
class Thing: pass
class Base(DeclarativeBase): pass
"""
DECLARES = """
from kept import Base
class Item(Base):
    __tablename__ = "items"
    id = sa.Column(sa.Integer, primary_key=True)
"""


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> tuple[ProjectFolder, list[Ran]]:
    """All of them in one project, whose commands ran one after the other."""
    shop = ProjectFolder(tmp_path_factory.mktemp("traps"))
    databases = "".join(f"[databases.{n}]\nscript_location = 'migrations/{n}'\n" for n in BODIES)
    shop.config(
        '[project]\nname = "traps"\n' + databases + "[environments.prod]\n"
        'url = "sqlite:///var/{database}-{tenant}.db"\ntenants = ["t0", "t1", "t2"]\n'
        'rollout.max_failures = "100%"\n'
    )
    (shop.folder / "kept.py").write_text(KEPT)
    with closing(sqlite3.connect(shop.folder / "control.db")) as control:
        control.execute("CREATE TABLE tenants (name TEXT)")
        control.execute("INSERT INTO tenants VALUES ('acme')")
        control.commit()
    for name, body in BODIES.items():
        shop.scripts(name, env_py=HEAD + CONFIGURE + body)
        made = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
        # One that reads the revisions itself could not, with plain Alembic either.
        header = DECLARES if "ScriptDirectory" not in body else ""
        shop.revision("a1", None, made, database=name, header=header)
        shop.revision("b2", "a1", "pass", database=name)
    commands = ("upgrade --revision +1", "upgrade", "upgrade", "status", "check")
    return shop, [shop.run(*c.split(), "-o", "json", code=None) for c in commands]


@pytest.mark.parametrize("name", BODIES)
def test_it_is_taken_as_it_is(traps: tuple[ProjectFolder, list[Ran]], name: str):
    states = [ran.states() for ran in traps[1]]
    asks = name == "asks-for-its-revision"  # a +1 is none of those that it knows
    skips = name == "does-nothing-when-nothing-is-to-be-done"  # so that nothing is compared
    for tenant in ("t0", "t1", "t2"):
        told = [state[f"prod/{name}/{tenant}"] for state in states]
        first, last = ("failed" if asks else "done"), ("failed" if asks or skips else "in_sync")
        assert told == [first, "done", "unchanged", "current", last]
        heads = traps[1][0].json["targets"]
        reached = next(t["heads"] for t in heads if t["name"] == f"prod/{name}/{tenant}")
        assert reached == ([] if asks else ["a1"]), "one step, however often env.py asks"


def test_no_other_database_is_made(traps: tuple[ProjectFolder, list[Ran]]):
    assert {path.name for path in Path(traps[0].folder).glob("*.db")} == {"control.db"}


LEAVES = {
    "set-schema": "op.execute(\"SET SCHEMA 't1'\")",
    "on-the-cursor": "op.get_bind().connection.cursor().execute('SET search_path TO t1')",
    "in-a-comment": "op.execute('/* */ SET /* */ search_path /* */ TO t1')",
}


@pytest.mark.parametrize("leaves", LEAVES.values(), ids=LEAVES)
def test_a_revision_can_t_leave_its_schema_unseen(
    project: ProjectFolder, postgres: Server, leaves: str
):
    with postgres.databases(unique("leaves")) as (name,):
        postgres.execute("CREATE SCHEMA t0", name)
        postgres.execute("CREATE SCHEMA t1", name)
        schemas(project, postgres, name, PLAIN)
        project.run("upgrade")
        project.revision("c3", "b2", leaves)
        project.revision("d4", "c3", 'op.create_table("late", sa.Column("id", sa.Integer))')

        failure = target(project.run("upgrade", "prod/*/t0", "-o", "json", code=3), "prod/app/t0")

        assert "left the session in another schema" in failure["failure"]["message"]
        assert set(project.run("status", "-o", "json").states().values()) == {"behind"}
        late = "SELECT 1 FROM pg_tables WHERE tablename = 'late'"
        assert postgres.execute(late, name) == []


CHOOSES = {
    "arguments": """
url = config.get_main_option("sqlalchemy.url")
engine = create_engine(url, connect_args={"options": "-csearch_path=shop"})
with engine.connect() as connection:
    run(connection)
""",
    "listener": """
engine = create_engine(config.get_main_option("sqlalchemy.url"))
@sa.event.listens_for(engine, "connect", insert=True)
def connect(connection, record):
    connection.execute("SET search_path TO shop")
    connection.commit()
with engine.connect() as connection:
    run(connection)
""",
    "second-connection": """
engine = create_engine(config.get_main_option("sqlalchemy.url"))
with engine.begin() as first, engine.connect() as second:
    second.execute(text("SET search_path TO shop"))
    second.commit()
    run(second)
""",
}


@pytest.mark.parametrize("body", CHOOSES.values(), ids=CHOOSES)
def test_a_schema_that_we_can_t_follow_is_refused(new_fleet, body: str):
    fleet: Fleet = new_fleet("postgres")
    shop = declare(fleet, body, 1)
    fleet.rows("t000", "CREATE SCHEMA shop")

    failure = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["failure"]

    assert "schema" in failure["message"]
    assert "schema" in failure["next_step"]
    assert fleet.tables("t000") == set()


def test_no_secret_is_in_what_differs_nor_in_what_is_refused(new_fleet):
    fleet = new_fleet("sqlite")
    body = """
key = context.get_x_argument(as_dictionary=True)["key"]
metadata.tables["items"].append_column(sa.Column(key, sa.Integer))
url = f"postgresql+psycopg://app@127.0.0.1:1/x?password={key}"
if sa.__file__ and "elsewhere=1" in context.get_x_argument():
    with create_engine(url).connect() as connection:
        run(connection)
    url = "postgresql+psycopg://app@127.0.0.1:1/y?password=inthefileitself"
    with create_engine(url).connect() as connection:
        run(connection)
else:
    run(config.attributes["connection"])
"""
    shop = declare(fleet, body, 1)
    shop.environ["KEY"] = "hunter2secret"
    path = shop.folder / "environments.toml"
    x = '[environments.prod]\nx = { key = "${env:KEY}" }'
    path.write_text(path.read_text().replace("[environments.prod]", x, 1))
    shop.run("upgrade")

    differs = shop.run("check", "-o", "json", code=4)
    refused = shop.run("check", "-x", "elsewhere=1", "-o", "json", code=3)

    assert "missing column items.***" in differs.out
    assert "none of them is the target" in refused.out
    shown = differs.out + differs.err + refused.out + refused.err
    assert "hunter2secret" not in shown
    assert "inthefileitself" not in shown
