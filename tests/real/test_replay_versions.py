"""What happens behind our back to a version row, or to a schema, while revisions are replayed."""

from collections.abc import Callable

import pytest

from orchestrator.rollout.outcomes import State
from tests.real.conftest import Fleet
from tests.real.replaying import everything, history, replayed, worker_of

INSERT = "op.execute(\"INSERT INTO items (n, name) VALUES ({0}, 'row {0}')\")"
BODIES = [INSERT.format(n) for n in range(1, 5)]
# What deletes the version row as soon as r2 writes.
LOSES = {
    "postgres": (
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.n = 2 THEN DELETE FROM alembic_version; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER lose AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION lose()"
    ),
    "sqlite": (
        "CREATE TRIGGER lose AFTER INSERT ON items WHEN NEW.n = 2 BEGIN"
        " DELETE FROM alembic_version; END"
    ),
}
_MYSQL = (
    "CREATE TRIGGER lose AFTER INSERT ON items FOR EACH ROW"
    " DELETE FROM alembic_version WHERE NEW.n = 2"
)
# What lets the version row be as it is.
KEEPS = {
    "postgres": "CREATE RULE keep AS ON UPDATE TO alembic_version DO INSTEAD NOTHING",
    "sqlite": (
        "CREATE TRIGGER keep BEFORE UPDATE ON alembic_version BEGIN SELECT RAISE(IGNORE); END"
    ),
}
_KEEPS = (
    "CREATE TRIGGER keep BEFORE UPDATE ON alembic_version FOR EACH ROW"
    " SET NEW.version_num = OLD.version_num"
)


@pytest.mark.parametrize("what", ["loses", "keeps", "loses, each for itself"])
def test_a_version_row_that_does_not_move_is_told(fleet: Fleet, what: str) -> None:
    fleet.declare(5)
    if "each" in what:
        env_py = fleet.project.folder / "migrations/app/env.py"
        said = "target_metadata=target_metadata)\n        with"
        more = said.replace(")", ", transaction_per_migration=True)")
        env_py.write_text(env_py.read_text().replace(said, more))
    history(fleet, *BODIES)
    sql = KEEPS.get(fleet.kind, _KEEPS) if what == "keeps" else LOSES.get(fleet.kind, _MYSQL)
    with worker_of(fleet) as worker:
        for tenant in fleet.tenants:
            worker.done(tenant, revision="r0", replay=False)
        for tenant in ("t003", "t004"):
            fleet.rows(tenant, sql)
        assert [worker.done(tenant) for tenant in ("t000", "t001", "t002")] == [0, 0, 4]

        replayed = worker.migrate("t003")
        built = worker.migrate("t004", replay=False)

    assert replayed.state is built.state is State.FAILED
    assert replayed.failure is not None
    assert "version" in replayed.failure.message
    assert replayed.heads == built.heads
    assert everything(fleet, "t003") == everything(fleet, "t004")


def test_a_version_row_that_was_moved_before_is_followed(fleet: Fleet) -> None:
    """What is replayed is what comes after the revision that the target is at."""
    fleet.declare(4)
    history(fleet, *BODIES)
    with worker_of(fleet) as worker:
        worker.done("t003", revision="r1", replay=False)
        fleet.rows("t003", "UPDATE alembic_version SET version_num = 'r2'")

        assert replayed(fleet, worker) == [0, 0, 5, 2]

    assert fleet.rows("t003", "SELECT n FROM items ORDER BY n") == [(1,), (3,), (4,)]
    assert fleet.heads("t003") == ["r4"]


# What makes every new table of a database another one than elsewhere.
ALTERS = """
CREATE FUNCTION alter_it() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
    FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP
        IF made.object_identity = 'public.other' AND tg_tag = 'CREATE TABLE' THEN
            ALTER TABLE other ADD COLUMN more integer;
        END IF;
    END LOOP;
END $$;
CREATE EVENT TRIGGER alters ON ddl_command_end EXECUTE FUNCTION alter_it()
"""
DIFFERS = "its revisions were replayed, and its schema is not prod/app/t001's"
OTHER = 'op.create_table("other", sa.Column("n", sa.Integer))'


def alter(fleet: Fleet) -> None:
    """From the third target on, let a table be made another one."""
    for tenant in fleet.tenants:
        fleet.rows(tenant, ALTERS)
    for tenant in ("t000", "t001"):
        fleet.rows(tenant, "ALTER EVENT TRIGGER alters DISABLE")


def test_a_schema_that_is_not_what_building_leaves_ends_replaying(
    new_fleet: Callable[[str], Fleet],
) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(5)
    history(fleet, OTHER, *BODIES)
    alter(fleet)
    with worker_of(fleet) as worker:
        assert worker.done("t000") == worker.done("t001") == 0
        assert worker.differs == []

        assert worker.done("t002") == 6

        assert worker.differs == [
            "its revisions were replayed, and its schema is not prod/app/t001's"
        ]
        assert worker.done("t003") == worker.done("t004") == 0


def test_targets_that_began_otherwise_are_not_compared(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(4)
    history(fleet, *BODIES)
    fleet.rows("t002", "CREATE TABLE drifted (n integer)")
    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 5, 5]
        assert worker.differs == []


def test_what_is_built_for_each_target_may_differ(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(4)
    own = "n = op.get_bind().execute(sa.text('SELECT current_database()')).scalar()"
    history(fleet, f"{own}\nop.create_table(n, sa.Column('n', sa.Integer))", *BODIES)
    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 5, 5]
        assert worker.differs == []


def test_a_difference_is_said_and_shown(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(5, max_parallel=1)
    history(fleet, OTHER, *BODIES)
    alter(fleet)

    ran = fleet.project.run("upgrade")

    shown = fleet.project.run("show")
    for text in (ran.out + ran.err, shown.out):
        words = " ".join(text.split())
        assert DIFFERS in words
    assert "differs: 1 target" in " ".join(shown.out.split())
    assert "prod/app/t002" in shown.out
    told = fleet.project.run("show", "-o", "json").json
    assert "its revisions were replayed" in str(told)
