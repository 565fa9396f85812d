"""What an application does to statements on their way is done for each target."""

from collections.abc import Callable
from textwrap import dedent

import pytest

from tests.project_folder import ENV_PY
from tests.real.conftest import Fleet
from tests.real.replaying import Worker, history, replayed, worker_of

MARKED = """
op.create_table("marked", sa.Column("id", sa.Integer), sa.Column("MARK", sa.Text), comment="MARK")
op.create_index("by_id", "marked", ["id"])
"""
# The same for the first two, so that what they send is.
WHOSE = """
import hooks
name = context.config.get_main_option("sqlalchemy.url").removesuffix(".db")[-4:]
hooks.tenant = "same" if name in {"t000", "t001"} else name
"""
HEAR = """
@event.listens_for(Engine, "before_cursor_execute", retval=True)
def hear(connection, cursor, statement, parameters, context, many):
    return f"/* {tenant} */ " + statement.replace("MARK", tenant), parameters
"""
HOOKS = {
    "a listener": HEAR,
    "a listener before it is compiled": """
        @event.listens_for(Engine, "before_execute", retval=True)
        def hear(connection, construct, multi, params, options):
            if "marked" in str(construct) and "CREATE TABLE" in str(construct):
                construct = sa.text(str(construct).replace("MARK", tenant))
            return construct, multi, params
    """,
    "a listener of the driver's execute": """
        @event.listens_for(Engine, "do_execute")
        def hear(cursor, statement, parameters, context):
            cursor.execute(statement.replace("MARK", tenant), parameters)
            return True
    """,
    "a compiler of tables": """
        @compiles(CreateTable)
        def create(element, compiler, **options):
            return compiler.visit_create_table(element, **options).replace("MARK", tenant)
    """,
    "a compiler of columns": """
        @compiles(CreateColumn)
        def create(element, compiler, **options):
            return compiler.visit_create_column(element, **options).replace("MARK", tenant)
    """,
    "a compiler of types": """
        @compiles(sa.Text)
        def text(element, compiler, **options):
            return f"VARCHAR(30) DEFAULT '{tenant}'"
    """,
    "a listener of tables": """
        @event.listens_for(sa.Table, "before_create")
        def before(table, connection, **options):
            for column in table.c:
                column.name = column.name.replace("MARK", tenant)
    """,
    "a listener of columns": """
        @event.listens_for(sa.Column, "before_parent_attach")
        def attach(column, table):
            column.name = column.name.replace("MARK", tenant)
    """,
    "a listener of indexes": """
        @event.listens_for(sa.Index, "after_parent_attach")
        def attach(index, table):
            index.name = f"by_{tenant}"
    """,
    "an operation": """
        from alembic.operations import Operations, ops
        from alembic.operations.toimpl import create_table as plain
        def create(operations, operation):
            for column in operation.columns:
                column.name = column.name.replace("MARK", tenant)
            return plain(operations, operation)
        Operations._to_impl._registry[(ops.CreateTableOp, "default")] = create
    """,
    "an implementation of a dialect": """
        from alembic.ddl.sqlite import SQLiteImpl
        class Impl(SQLiteImpl):
            __dialect__ = "sqlite"
            def create_table(self, table, **options):
                for column in table.c:
                    column.name = column.name.replace("MARK", tenant)
                super().create_table(table, **options)
    """,
    "a compiler, from the third target on": """
        def late():
            if tenant != "same":
                @compiles(CreateTable)
                def create(element, compiler, **options):
                    return compiler.visit_create_table(element, **options).replace("MARK", tenant)
    """,
}
IMPORTS = """
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn, CreateTable
tenant = None
def late():
    pass
"""


def hook(fleet: Fleet, text: str, said: str = "", configure: str = "") -> None:
    """Let ``env.py`` import a module that does something to what is executed."""
    (fleet.project.folder / "hooks.py").write_text(IMPORTS + dedent(text))
    none = "target_metadata = None\n"
    env_py = ENV_PY.replace(none, none + WHOSE + "hooks.late()\n" + dedent(said))
    last = "target_metadata=target_metadata)\n        with"
    assert last in env_py
    fleet.project.scripts(env_py=env_py.replace(last, last.replace(")", f", {configure})")))


def schema(fleet: Fleet, tenant: str) -> str:
    sql = "SELECT sql FROM sqlite_master WHERE tbl_name = 'marked'"
    return "\n".join(row[0] for row in fleet.rows(tenant, sql))


@pytest.mark.parametrize("text", HOOKS.values(), ids=HOOKS)
def test_who_changes_what_is_executed_is_asked_for_each_target(
    new_fleet: Callable[[str], Fleet], text: str
) -> None:
    fleet = new_fleet("sqlite")
    fleet.declare(4)
    hook(fleet, text)
    history(fleet, first=MARKED)

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 0, 0]

    late = "from the third" in next(name for name, hook in HOOKS.items() if hook == text)
    for tenant in fleet.tenants:
        name = tenant if tenant > "t001" else "MARK" if late else "same"
        assert name in schema(fleet, tenant)


def test_a_listener_hears_every_statement_of_every_target(fleet: Fleet) -> None:
    fleet.declare(4)
    text = HEAR.replace(
        "    return", "    open('heard', 'a').write(f'{tenant} {statement}\\n')\n    return"
    )
    hook(fleet, text)
    insert = 'op.execute("INSERT INTO marked (id) VALUES (1)")'
    history(fleet, insert, insert, first=MARKED.replace('"MARK"', '"name"'))

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 0, 0]

    heard = (fleet.project.folder / "heard").read_text()
    for name, count in (("same", 4), ("t002", 2), ("t003", 2)):
        assert heard.count(f"{name} INSERT INTO marked") == count
        assert heard.count(f"{name} UPDATE alembic_version") == count


PATCH = """
from sqlalchemy.sql.compiler import SQLCompiler
plain = SQLCompiler.visit_textclause
def patched(self, *arguments, **options):
    return plain(self, *arguments, **options).replace("MARK", tenant)
SQLCompiler.visit_textclause = patched
"""


def test_what_two_targets_do_not_send_alike_is_never_replayed(
    new_fleet: Callable[[str], Fleet],
) -> None:
    """Whatever it is that makes the difference."""
    fleet = new_fleet("sqlite")
    fleet.declare(4)
    hook(fleet, PATCH, "hooks.tenant = name\n")
    history(fleet, "op.execute(\"INSERT INTO items VALUES (1, 'MARK')\")")

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 1, 1]

    for tenant in fleet.tenants:
        assert fleet.rows(tenant, "SELECT name FROM items") == [(tenant,)]


CALLED = """
def called(*, ctx, step, heads, run_args):
    open("called", "a").write(f"{tenant} {step.up_revision_id}\\n")
"""


def test_who_is_told_of_each_revision_is_told_of_each_targets(
    new_fleet: Callable[[str], Fleet],
) -> None:
    fleet = new_fleet("sqlite")
    fleet.declare(4)
    hook(fleet, CALLED, configure="on_version_apply=hooks.called")
    history(fleet, first=MARKED)

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 0, 0]

    told = (fleet.project.folder / "called").read_text().split("\n")
    assert told == ["same r0", "same r0", "t002 r0", "t003 r0", ""]


CONVENTION = """
def named(constraint, table):
    return tenant
plain = sa.MetaData(naming_convention={"ix": "ix_%(table_name)s", "ck": "ck_%(constraint_name)s"})
own = sa.MetaData(naming_convention={"named": named, "ck": "ck_%(named)s_%(constraint_name)s"})
"""
CHECKED = """
op.create_table("marked", sa.Column("id", sa.Integer), sa.CheckConstraint("id > 1", name="high"))
"""


@pytest.mark.parametrize(("metadata", "counts"), [("plain", [0, 0, 1, 1]), ("own", [0, 0, 0, 0])])
def test_a_naming_convention_is_followed(
    new_fleet: Callable[[str], Fleet], metadata: str, counts: list[int]
) -> None:
    fleet = new_fleet("sqlite")
    fleet.declare(4)
    hook(fleet, CONVENTION, f"target_metadata = hooks.{metadata}\n")
    history(fleet, first=CHECKED)

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == counts

    for tenant, name in zip(fleet.tenants, ["same", "same", "t002", "t003"], strict=True):
        assert ("ck_high" if metadata == "plain" else f"ck_{name}_high") in schema(fleet, tenant)


def in_schemas(fleet: Fleet, tenants: list[str]) -> Worker:
    """One database of PostgreSQL, and a schema in it for each tenant."""
    fleet.declare(1)
    assert fleet.server is not None
    for tenant in tenants:
        fleet.rows("t000", f'CREATE SCHEMA "{tenant}"')
    path = fleet.project.folder / "environments.toml"
    text = path.read_text().replace("{tenant}'", "t000'\nschema = '{tenant}'")
    path.write_text(text.replace("['t000']", str(tenants)))
    return Worker(fleet)


TRANSLATED = """
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
        connection = connection.execution_options(schema_translate_map={"mine": schema})
        """.lstrip()


@pytest.mark.parametrize("translates", [False, True])
def test_each_schema_gets_what_is_its_own(
    new_fleet: Callable[[str], Fleet], translates: bool
) -> None:
    fleet = new_fleet("postgres")
    tenants = ["s0", "s1", "s2", "s3"]
    worker = in_schemas(fleet, tenants)
    if translates:
        said = "context.configure(connection=connection"
        fleet.project.scripts(env_py=ENV_PY.replace(said, TRANSLATED + said))
    schema = "schema='mine'" if translates else "schema=None"
    history(
        fleet,
        f'there = op.create_table("there", sa.Column("n", sa.Integer), {schema})\n'
        'op.bulk_insert(there, [{"n": 1}])',
        'op.execute("INSERT INTO items SELECT 1, current_schema()")',
    )
    try:
        counts = replayed(fleet, worker, tenants)
    finally:
        worker.engine.close()

    assert counts == ([0, 0, 0, 0] if translates else [0, 0, 3, 3])
    for tenant in tenants:
        assert fleet.rows("t000", f"SELECT name FROM {tenant}.items") == [(tenant,)]
        assert fleet.rows("t000", f"SELECT n FROM {tenant}.there") == [(1,)]
        assert fleet.rows("t000", f"SELECT * FROM {tenant}.alembic_version") == [("r2",)]
