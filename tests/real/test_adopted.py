"""What surrounds an existing Alembic environment keeps its meaning: ini file, ``-x``, schemas."""

import io
import shutil

import pytest
from alembic import command
from alembic.config import Config

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_env_py import CONFIGURE, HEAD
from tests.real.test_failures import CREATE, target
from tests.servers import Server, unique

OURS = HEAD + CONFIGURE + "run(config.attributes['connection'])\n"


def configured(shop: ProjectFolder, text: str, ini: str, where: str = "") -> None:
    """Write a project whose one database is that of ``alembic.ini``."""
    shop.config(
        f"""
        [project]
        name = "adopted"
        [databases.app]
        config_file = "{where}alembic.ini"
        [environments.dev]
        url = "sqlite:///var/app.db"
        """
    )
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text() + text)
    (shop.folder / where).mkdir(exist_ok=True)
    (shop.folder / where / "alembic.ini").write_text(ini)


READS = """
import os
from pathlib import Path
assert config.get_main_option("greeting") == "100%", config.get_main_option("greeting")
assert config.get_section_option("other", "key") == str(Path(config.config_file_name).parent)
assert Path(config.config_file_name).read_text().startswith("[alembic]")
assert config.get_main_option("sqlalchemy.url").endswith("/var/app.db")
assert config.config_ini_section == "alembic"
assert Path("beside.txt").read_text() == "as alembic is run here"
import beside_the_ini, in_a_folder_of_it
from logging.config import fileConfig
fileConfig(config.config_file_name)
"""


@pytest.mark.parametrize("where", ["", "inner/"], ids=["beside", "in-a-folder"])
def test_what_the_ini_file_says_keeps_its_meaning(project: ProjectFolder, where: str):
    ini = (
        "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .:lib\n"
        "greeting = 100%%\nsqlalchemy.url = postgresql://nobody:%%40@nowhere/nothing\n"
        "[other]\nkey = %(here)s\n"
    )
    configured(project, "", ini, where)
    folder = project.folder / where
    (folder / "beside.txt").write_text("as alembic is run here")
    (folder / "beside_the_ini.py").touch()
    (folder / "lib").mkdir()
    (folder / "lib" / "in_a_folder_of_it.py").touch()
    project.scripts(env_py=HEAD + READS + CONFIGURE + "run(config.attributes['connection'])\n")
    project.revision("a1", None, CREATE + "\nimport in_a_folder_of_it")
    shutil.move(project.folder / "migrations" / "app", folder / "mine")
    shutil.rmtree(project.folder / "migrations")
    (folder / "mine").rename(folder / "migrations")

    assert project.run("status", "-o", "json").states() == {"dev/app": "empty"}
    assert project.run("upgrade", "-o", "json").states() == {"dev/app": "done"}
    assert project.run("check", "-o", "json").states() == {"dev/app": "in_sync"}
    assert (project.folder / "var" / "app.db").exists()


@pytest.mark.parametrize("template", ["generic", "async", "multidb", "pyproject"])
def test_what_alembic_init_writes_runs_as_it_is(
    project: ProjectFolder, template: str, monkeypatch: pytest.MonkeyPatch
):
    pyproject = template == "pyproject"
    if not hasattr(Config, "toml_file_name") and pyproject:
        pytest.skip("this Alembic knows no pyproject.toml")
    monkeypatch.chdir(project.folder)
    toml = {"toml_file": "pyproject.toml"} if pyproject else {}
    config = Config("alembic.ini", stdout=io.StringIO(), **toml)
    command.init(config, "migrations", template=template)
    name = "engine2" if template == "multidb" else "app"
    url = "sqlite+aiosqlite" if template == "async" else "sqlite"
    project.config(
        f"""
        [project]
        name = "adopted"
        [databases.{name}]
        config_file = "{"pyproject.toml" if pyproject else "alembic.ini"}"
        {'ini_section = "engine2"' if template == "multidb" else ""}
        [environments.dev]
        url = "{url}:///var/{{tenant}}.db"
        tenants = ["acme", "birch"]
        """
    )
    project.run("revision", name, "--empty", "-m", "first")
    project.run("revision", name, "--empty", "-m", "second")

    project.run("upgrade")

    assert set(project.run("status", "-o", "json").states().values()) == {"current"}
    down = project.run("downgrade", "dev", "--revision", "-1", "-y", "-o", "json")
    assert set(down.states().values()) == {"done"}
    names = {path.name for path in project.folder.glob("**/*.db")}
    assert names == {"acme.db", "birch.db", "ledger.db"}


SEES_X = """
assert "flag" in context.get_x_argument()
# As a dictionary, Alembic 1.13.0 takes no key alone.
x = dict(argument.partition("=")[::2] for argument in context.get_x_argument())
assert x == {"tenant": "acme", "database": "app", "secret": "s3cret", "flag": "", "n": "3",
             "given": "here", "over": "given"}, x
assert config.cmd_opts.x[0] == "tenant=acme"
assert [each for each in config.cmd_opts.x if each.startswith("over=")] == ["over=given"]
"""


def test_arguments_come_from_the_file_and_the_command_line(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    shop = fleet.project
    shop.environ["THE_SECRET"] = "s3cret"
    path = shop.folder / "environments.toml"
    x = (
        'tenant = "{label}", secret = "${env:THE_SECRET}", flag = true, n = 3, over = "ridden", '
        'unused = "x"'
    )
    text = path.read_text().replace("tenants = ['t000']", 'tenants = [{name="t000", label="acme"}]')
    text = text.replace("[environments.prod]", f"[environments.prod]\nx = {{ {x} }}")
    text += '[environments.prod.databases.app]\nx = { database = "{database}", unused = "y" }\n'
    path.write_text(text)
    seen = SEES_X.replace('"given"', '"unused": "y", "given"', 1)
    shop.scripts(env_py=HEAD + seen + CONFIGURE + "run(config.attributes['connection'])")
    shop.revision("a1", None, CREATE + "\nassert context.get_x_argument()[0] == 'tenant=acme'")
    given = ("-x", "given=here", "-x", "over=given")

    shop.run("upgrade", *given)
    ran = shop.run("check", *given)
    failed = shop.run("downgrade", "prod", "--revision", "base", "-y", code=3)

    assert "in sync" in ran.out
    assert "s3cret" not in failed.out + failed.err
    del shop.environ["THE_SECRET"]
    assert "${env:THE_SECRET}" in shop.run("status", code=2).err


def test_an_argument_that_nothing_fills_is_told_before_anything_is_touched(project: ProjectFolder):
    configured(project, 'x = { tenant = "{tenant}" }\n', "[alembic]\nscript_location = m\n")

    error = project.run("status", code=2).err

    assert "nothing fills {tenant}" in error
    assert "environments.toml:8" in error


def test_a_function_of_the_application_prepares_the_config(project: ProjectFolder):
    configured(project, "", "[alembic]\nscript_location = migrations/app\n")
    path = project.folder / "environments.toml"
    said = '[databases.app]\nconfigure = "shop.migrating:configure"\npython_path = ["src"]'
    path.write_text(path.read_text().replace("[databases.app]", said))
    (project.folder / "src" / "shop").mkdir(parents=True)
    (project.folder / "src" / "shop" / "migrating.py").write_text(
        "def configure(config):\n"
        "    config.attributes['configure_logger'] = False\n"
        "    config.set_main_option('shop', config.get_main_option('sqlalchemy.url')[:6])\n"
    )
    asks = (
        "assert config.attributes['configure_logger'] is False\n"
        "assert config.get_main_option('shop') == 'sqlite'\n"
        "import shop.migrating\n"
    )
    project.scripts(env_py=OURS.replace("metadata = ", asks + "metadata = ", 1))
    project.revision("a1", None, CREATE)

    project.run("upgrade")

    path.write_text(path.read_text().replace("migrating:configure", "migrating:configured"))
    failure = target(project.run("check", "-o", "json", code=3), "dev/app")["failure"]
    assert "configured" in failure["message"]


BROKEN = {
    "no file": ("", 'config_file = "nowhere.ini"', "there is no 'nowhere.ini'"),
    "no section": ("", 'ini_section = "orders"', "alembic.ini has no section [orders]"),
    "no scripts": ("[alembic]\na = 1\n", "", "says no script_location"),
    "no env.py": ("[alembic]\nscript_location = void\n", "", "there is no 'void/env.py'"),
    "no ini": ("what is this", "", "alembic.ini can't be read"),
    "no value": ("[alembic]\nscript_location = %(no)s\n", "", "option 'script_location'"),
}


@pytest.mark.parametrize(("ini", "said", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_configuration_is_told_at_its_place(project, ini: str, said: str, message: str):
    configured(project, "", ini or "[alembic]\nscript_location = m\n")
    path = project.folder / "environments.toml"
    text = path.read_text()
    line = 'config_file = "alembic.ini"'
    path.write_text(text.replace(line, said if "config_file" in said else f"{line}\n{said}"))

    ran = project.run("status", code=2)

    assert message in ran.err
    assert "environments.toml:5" in ran.err or "environments.toml:6" in ran.err


COOKBOOK = """
tenant = context.get_x_argument(as_dictionary=True)["tenant"]
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    connection.execute(text(f'SET search_path TO "{tenant}"'))
    connection.commit()
    connection.dialect.default_schema_name = tenant
    run(connection)
"""
TRANSLATES = """
tenant = context.get_x_argument(as_dictionary=True)["tenant"]
engine = create_engine(config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    connection = connection.execution_options(schema_translate_map={None: tenant})
    run(connection, version_table_schema=tenant)
"""
TRANSLATES_ON_ENGINE = """
tenant = context.get_x_argument(as_dictionary=True)["tenant"]
engine = create_engine(config.get_main_option("sqlalchemy.url")).execution_options(
    schema_translate_map={"tenant": tenant}
)
metadata.schema = "tenant"
with engine.connect() as connection:
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{tenant}"'))
    connection.commit()
    run(connection, version_table_schema=tenant, include_schemas=True)
"""
TRANSLATES_ELSEWHERE = """
tenant = context.get_x_argument(as_dictionary=True)["tenant"]
with create_engine("postgresql+psycopg://nobody@127.0.0.1:1/x").connect() as connection:
    connection = connection.execution_options(schema_translate_map={"tenant": tenant})
    run(connection, version_table_schema=tenant)
"""
LOOPS_OVER_SCHEMAS = """
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    for tenant in ("t0", "t1"):
        connection.execute(text(f"SET search_path TO {tenant}"))
        connection.commit()
        run(connection)
"""


def schemas(shop: ProjectFolder, server: Server, name: str, body: str) -> None:
    """Write a project whose targets are two schemas of one database."""
    shop.environ["DATABASE_URL"] = server.url(name)
    shop.config(
        """
        [project]
        name = "schemas"
        [databases.app]
        script_location = "migrations/app"
        [environments.prod]
        url = "${env:DATABASE_URL}"
        schema = "{tenant}"
        tenants = ["t0", "t1"]
        x = { tenant = "{tenant}" }
        """
    )
    shop.scripts(env_py=HEAD + CONFIGURE + body)
    schema = ', schema="tenant"' if '"tenant": tenant' in body else ""
    made = f'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True){schema})'
    shop.revision("a1", None, made)
    shop.revision("b2", "a1", "op.execute('SELECT 1')")


@pytest.mark.parametrize(
    "body",
    [COOKBOOK, TRANSLATES, TRANSLATES_ON_ENGINE, TRANSLATES_ELSEWHERE, LOOPS_OVER_SCHEMAS],
    ids=["search-path", "translates", "on-engine", "elsewhere", "loops"],
)
def test_a_schema_for_each_tenant(project: ProjectFolder, postgres: Server, body: str):
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname ~ '^(t[0-9]|public)'"
    both = {"items", "alembic_version"}
    with postgres.databases(unique("schemas")) as (name,):
        postgres.execute("CREATE SCHEMA t0", name)
        postgres.execute("CREATE SCHEMA t1", name)
        # Two env.py at once that create it "if not exists" may both find that it doesn't.
        postgres.execute("CREATE SCHEMA meta", name)
        schemas(project, postgres, name, body)

        project.run("upgrade", "prod/*/t1")
        assert set(postgres.execute(tables, name)) == {("t1", table) for table in both}
        project.run("upgrade")

        expected = {(tenant, table) for tenant in ("t0", "t1") for table in both}
        assert set(postgres.execute(tables, name)) == expected
        assert set(project.run("status", "-o", "json").states().values()) == {"current"}
        if "schema_translate_map" not in body:  # with it, autogenerate compares other names
            assert set(project.run("check", "-o", "json").states().values()) == {"in_sync"}


VERSIONS_ELSEWHERE = """
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS meta"))
    connection.commit()
    run(connection, version_table_schema="meta", version_table="versions")
"""
OWN_SEARCH_PATH = """
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS shop"))
    connection.execute(text("SET search_path TO shop, public"))
    connection.commit()
    run(connection)
"""


TRANSLATES_ALL = """
with create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS shop"))
    connection.commit()
    run(connection.execution_options(schema_translate_map={None: "shop"}))
"""


@pytest.mark.parametrize(
    ("body", "tables"),
    [
        (TRANSLATES_ALL, {("shop", "alembic_version"), ("shop", "items")}),
        (VERSIONS_ELSEWHERE, {("meta", "versions"), ("public", "items")}),
        (OWN_SEARCH_PATH, {("shop", "alembic_version"), ("shop", "items")}),
    ],
    ids=["translate-map", "version-table-schema", "search-path"],
)
def test_a_whole_database_may_be_divided_as_env_py_likes(
    new_fleet, body: str, tables: set[tuple[str, str]]
):
    fleet: Fleet = new_fleet("postgres")
    fleet.declare(2)
    fleet.project.scripts(env_py=HEAD + CONFIGURE + body)
    fleet.project.revision("a1", None, CREATE)

    fleet.project.run("upgrade")

    found = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information)'"
    for tenant in fleet.tenants:
        assert set(fleet.rows(tenant, found)) == tables
    assert set(fleet.project.run("status", "-o", "json").states().values()) == {"current"}
    assert set(fleet.project.run("upgrade", "-o", "json").states().values()) == {"unchanged"}


def test_a_version_table_that_targets_would_share_is_refused(
    project: ProjectFolder, postgres: Server
):
    with postgres.databases(unique("schemas")) as (name,):
        postgres.execute("CREATE SCHEMA t0", name)
        postgres.execute("CREATE SCHEMA t1", name)
        # Two env.py at once that create it "if not exists" may both find that it doesn't.
        postgres.execute("CREATE SCHEMA meta", name)
        schemas(project, postgres, name, VERSIONS_ELSEWHERE)

        failure = target(project.run("upgrade", "-o", "json", code=3), "prod/app/t0")["failure"]

    assert "versions in schema 'meta'" in failure["message"]
    assert "other targets would share them" in failure["message"]


REVISIONS = {
    "orm": """
from sqlalchemy.orm import Session, declarative_base
class Item(declarative_base()):
    __tablename__ = "items"
    id = sa.Column(sa.Integer, primary_key=True)
    note = sa.Column(sa.String(9))
session = Session(bind=op.get_bind())
session.add(Item(id=1, note="orm"))
session.flush()
session.query(Item).filter_by(id=1).one().note = "changed"
session.commit()
""",
    "own_transaction": """
with op.get_bind().begin_nested():
    op.execute("INSERT INTO items (id, note) VALUES (1, 'changed')")
""",
    "reads_and_writes": """
items = sa.table("items", sa.column("id", sa.Integer), sa.column("note", sa.String))
op.bulk_insert(items, [{"id": n, "note": "old"} for n in range(1, 4)])
for row in op.get_bind().execute(sa.select(items)).all():
    op.execute(items.update().where(items.c.id == row.id).values(note="changed"))
""",
    "reflects": """
table = sa.Table("items", sa.MetaData(), autoload_with=op.get_bind())
op.get_bind().execute(table.insert().values(id=1, note="changed"))
assert sa.inspect(op.get_bind()).has_table("items")
""",
    "raw_driver": """
cursor = op.get_bind().connection.cursor()
cursor.execute("INSERT INTO items (id, note) VALUES (1, 'changed')")
cursor.close()
""",
    "second_connection": """
if op.get_bind().dialect.name != "sqlite":
    with op.get_bind().engine.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM items")).scalar() == 0
op.execute("INSERT INTO items (id, note) VALUES (1, 'changed')")
""",
    "autocommit_block": """
with op.get_context().autocommit_block():
    op.execute("INSERT INTO items (id, note) VALUES (1, 'changed')")
""",
}


def test_revisions_work_on_data_in_their_own_ways(fleet: Fleet):
    fleet.declare(2)
    shop = fleet.project
    # One transaction for each revision: a second connection sees what the one before committed.
    env_py = HEAD + CONFIGURE + "run(config.attributes['connection'], transaction_per_migration=1)"
    shop.scripts(env_py=env_py)
    columns = 'sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.String(9))'
    shop.revision("start", None, f'op.create_table("items", {columns})')
    before = "start"
    for name, body in REVISIONS.items():
        check = 'assert op.get_bind().execute(sa.text("SELECT note FROM items")).first()[0] == '
        shop.revision(name, before, body)
        shop.revision(f"{name}_after", name, f"{check}'changed'\nop.execute('DELETE FROM items')")
        before = f"{name}_after"

    ran = shop.run("upgrade", "-o", "json")

    assert set(ran.states().values()) == {"done"}
    for tenant in fleet.tenants:
        assert fleet.heads(tenant) == [before]
