"""One comparison for a class is used only where nothing that ``env.py`` adds can tell its members
apart."""

import pytest

from tests.project_folder import ENV_PY
from tests.real.conftest import Fleet

CONFIGURE = "target_metadata=target_metadata)"
PLUGIN = """
from alembic.autogenerate import comparators
from alembic.operations import ops
import sqlalchemy as sa

@comparators.dispatch_for("schema")
def rows(autogen_context, upgrade_ops, schemas):
    if autogen_context.connection.execute(sa.text("SELECT 1 FROM parents")).first():
        upgrade_ops.ops.append(ops.DropTableOp("junk"))
"""
BY_TENANT = """
def include_object(object, name, type_, reflected, compare_to):
    return not (name == "extra" and "{tenant}" in str(config.get_main_option("sqlalchemy.url")))
"""
BY_CONSTANT = """
URL = config.get_main_option("sqlalchemy.url")
def include_object(object, name, type_, reflected, compare_to):
    return not (name == "extra" and "{tenant}" in URL)
"""
BY_ITS_OWN_TABLES = """
def include_object(object, name, type_, reflected, compare_to):
    rows = context.get_bind().exec_driver_sql("SELECT count(*) FROM parents").scalar()
    return not (name == "extra" and not rows)
"""
HARMLESS = """
IGNORED = ("extra", "other")
def include_object(object, name, type_, reflected, compare_to):
    return not (type_ == "table" and reflected and name in IGNORED)
"""


def begun(fleet: Fleet, more: str, passed: str = "") -> None:
    """Upgrade a fleet whose ``env.py`` has something of its own, and add a table to each target."""
    env_py = ENV_PY.replace(
        "\n\ndef run_migrations_offline", more + "\n\ndef run_migrations_offline"
    )
    env_py = env_py.replace(
        "target_metadata = None",
        "import sqlalchemy as sa\ntarget_metadata = sa.MetaData()\n"
        "sa.Table('parents', target_metadata, sa.Column('id', sa.Integer, primary_key=True))",
    )
    fleet.declare(3)
    fleet.project.scripts(env_py=env_py.replace(CONFIGURE, f"{CONFIGURE[:-1]}{passed})"))
    made = 'op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True))'
    fleet.project.revision("a1", None, made)
    fleet.project.run("upgrade")


@pytest.fixture
def fleet(new_fleet) -> Fleet:
    return new_fleet("sqlite")


def test_a_plugin_s_difference_is_found_in_each_target(fleet):
    begun(fleet, PLUGIN)
    last = fleet.tenants[-1]
    fleet.rows(last, "INSERT INTO parents VALUES (1)")

    answer = fleet.project.run("check", "-o", "json", code=4)

    states = answer.states()
    assert states.pop(f"prod/app/{last}") == "differs"
    assert set(states.values()) == {"in_sync"}
    text = fleet.project.run("check", code=4).out
    assert (
        "each target of app is compared by itself: not Alembic alone compares, but also env.py"
        in " ".join(text.split())
    )


@pytest.mark.parametrize("callback", [BY_TENANT, BY_CONSTANT, BY_ITS_OWN_TABLES])
def test_a_callback_that_may_decide_by_the_target_is_asked_for_each(fleet, callback):
    last = "t002"
    begun(fleet, callback.replace("{tenant}", last), ", include_object=include_object")
    assert last in fleet.tenants
    for tenant in fleet.tenants:
        fleet.rows(tenant, "CREATE TABLE extra (id INTEGER PRIMARY KEY)")
    for tenant in fleet.tenants[:-1]:
        fleet.rows(tenant, "INSERT INTO parents VALUES (1)")

    by_class = fleet.project.run("check", "-o", "json", code=4).states()
    each = fleet.project.run("check", "--every-target", "-o", "json", code=4).states()

    assert by_class == each
    assert by_class.pop(f"prod/app/{last}") == "in_sync"
    assert set(by_class.values()) == {"differs"}


def test_a_callback_that_only_reads_what_it_is_given_is_asked_once(fleet):
    begun(fleet, HARMLESS, ", include_object=include_object")

    assert "by itself" not in fleet.project.run("check").out
