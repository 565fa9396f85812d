"""Plug-ins of Alembic that compare what autogenerate does not: each target gets what is its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.project_folder import ENV_PY, ProjectFolder
from tests.real.conftest import Fleet
from tests.servers import Postgres
from tests.third_party.conftest import third_party_python

pytestmark = pytest.mark.slow

TENANTS = ("t000", "t001", "t002")
MODELS = """
import enum
import alembic_postgresql_enum
import sqlalchemy as sa
from alembic_utils.pg_function import PGFunction
from alembic_utils.pg_grant_table import PGGrantTable
from alembic_utils.pg_policy import PGPolicy
from alembic_utils.pg_trigger import PGTrigger
from alembic_utils.pg_view import PGView
from alembic_utils.replaceable_entity import register_entities

class Mood(enum.Enum):
    low = "low"
    high = "high"

metadata = sa.MetaData()
sa.Table("items", metadata, sa.Column("id", sa.Integer, primary_key=True),
         sa.Column("mood", sa.Enum(Mood, name="mood")))
ENTITIES = [
    PGFunction("public", "twice(n integer)",
               "RETURNS integer LANGUAGE sql AS $$ SELECT n * 2 $$"),
    PGFunction("public", "touch()",
               "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"),
    PGView("public", "ids", "SELECT items.id FROM items WHERE items.id > 3"),
    PGTrigger("public", "touched", "BEFORE INSERT ON public.items FOR EACH ROW"
              " EXECUTE FUNCTION public.touch()", on_entity="public.items"),
    PGPolicy("public", "own", "USING (id > 5)", on_entity="items"),
    PGGrantTable("public", "items", "pg_monitor", "SELECT", ["id", "mood"]),
]
register_entities(ENTITIES)
"""
MADE = """
import models
op.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
op.execute("CREATE TABLE items (id serial PRIMARY KEY, mood mood)")
for entity in models.ENTITIES:
    op.execute(entity.to_sql_statement_create())
"""
CHANGES = {
    "nothing": "SELECT 1",
    "rows": "INSERT INTO items DEFAULT VALUES",
    "a function's body": "CREATE OR REPLACE FUNCTION twice(n integer) RETURNS integer"
    " LANGUAGE sql AS $$ SELECT n * 3 $$",
    "a function more": "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$",
    "a function less": "DROP FUNCTION twice",
    "a view": "CREATE OR REPLACE VIEW ids AS SELECT id FROM items WHERE id > 4",
    "a trigger": "DROP TRIGGER touched ON items;"
    " CREATE TRIGGER touched BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()",
    "a trigger less": "DROP TRIGGER touched ON items",
    "a policy": "DROP POLICY own ON items; CREATE POLICY own ON items USING (id > 6)",
    "a policy less": "DROP POLICY own ON items",
    "a grant less": "REVOKE SELECT ON items FROM pg_monitor",
    "a grant more": "GRANT INSERT ON items TO pg_monitor",
    "an enum's value": "ALTER TYPE mood ADD VALUE 'middling'",
    "a column": "ALTER TABLE items ADD note text",
}
HARMLESS = {"nothing", "rows"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Fleet]:
    """Three databases, and an env.py whose model is all that the plug-ins know of."""
    folder = tmp_path_factory.mktemp("plugins")
    program = third_party_python().with_name("orchestrator")
    fleet = Fleet("postgres", ProjectFolder(folder, program=program), postgres)
    with ExitStack() as stack:
        stack.callback(fleet.drop)
        fleet.declare(len(TENANTS))
        (folder / "models.py").write_text(MODELS)
        env_py = ENV_PY.replace(
            "target_metadata = None", "import models\ntarget_metadata = models.metadata"
        )
        fleet.project.scripts(env_py=env_py)
        fleet.project.revision("a1", None, MADE)
        fleet.project.run("upgrade")
        yield fleet


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.dictionaries(st.sampled_from(TENANTS), st.sampled_from(sorted(CHANGES))))
def test_each_target_is_told_what_is_its_own(fleet: Fleet, changes: dict[str, str]) -> None:
    assert isinstance(fleet.server, Postgres)
    for tenant in TENANTS:
        fleet.rows(tenant, "DROP SCHEMA public CASCADE")
        fleet.rows(tenant, "CREATE SCHEMA public")
    fleet.project.run("upgrade")
    for tenant, what in changes.items():
        fleet.server.execute_all(CHANGES[what].split("; "), fleet.database(tenant))

    found = fleet.project.run("check", "-o", "json", code=None).json
    each = fleet.project.run("check", "--every-target", "-o", "json", code=None).json

    def told(answer: dict) -> dict[str, object]:
        return {target["name"]: target["differences"] for target in answer["targets"]}

    assert told(found) == told(each)
    differ = {f"prod/app/{tenant}" for tenant, what in changes.items() if what not in HARMLESS}
    assert {name for name, differences in told(found).items() if differences} == differ
