"""A revision that fails while it is replayed is told as if it had been built."""

import re
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Any

import pytest

from orchestrator.rollout.outcomes import Outcome, State
from tests.real.conftest import Fleet
from tests.real.replaying import Worker, assert_all_alike, everything, history, worker_of

ITEMS = """
op.create_table("items", sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
                sa.Column("name", sa.String(50)))
"""
INSERT = "op.execute(\"INSERT INTO items (n, name) VALUES ({}, '100% {}')\")"


@dataclass(frozen=True)
class Case:
    """What is in the way of a revision, and what takes it away."""

    upgrade: str
    obstacle: str
    mend: str
    half: tuple[str, ...] = ()
    """Of its statements, those that have to be undone where the server does not."""


def row(n: int, name: str = "x") -> str:
    return INSERT.format(n, name)


TABLE = 'op.create_table("other", sa.Column("n", sa.Integer, primary_key=True))'
DOUBLE = "INSERT INTO items (n, name) VALUES (7, 'mine')"
NO_DOUBLE = "DELETE FROM items WHERE n = 7 AND name = 'mine'"
CASES = {
    "a table that exists": Case(
        f"{row(1)}\n{TABLE}\n{row(2)}",
        "CREATE TABLE other (n INTEGER)",
        "DROP TABLE other",
        ("DELETE FROM items WHERE n = 1",),
    ),
    "first of all": Case(
        f"{TABLE}\n{row(1)}", "CREATE TABLE other (n INTEGER)", "DROP TABLE other"
    ),
    "a row that exists": Case(f"{row(1)}\n{row(7)}\n{row(2)}", DOUBLE, NO_DOUBLE),
    "last of all, after DDL": Case(
        f"{row(1)}\n{TABLE}\n{row(2)}\n{row(7)}",
        DOUBLE,
        NO_DOUBLE,
        ("DELETE FROM items WHERE n = 1", "DROP TABLE other"),
    ),
    "one of many rows": Case(
        f"""
        {row(1)}
        items = sa.table("items", sa.column("n"), sa.column("name"))
        op.bulk_insert(items, [{{"n": n, "name": f"{{n}} %"}} for n in range(5, 9)])
        {row(2)}
        """,
        DOUBLE,
        NO_DOUBLE,
    ),
    "after many rows": Case(
        f"""
        items = sa.table("items", sa.column("n"), sa.column("name"))
        op.bulk_insert(items, [{{"n": n, "name": f"{{n}} %"}} for n in range(20, 25)])
        {row(1)}
        {row(7)}
        """,
        DOUBLE,
        NO_DOUBLE,
    ),
    "a table that is gone": Case(
        f"{row(1)}\nop.drop_table('gone')\n{row(2)}",
        "DROP TABLE gone",
        "CREATE TABLE gone (n INTEGER)",
        ("DELETE FROM items WHERE n = 1",),
    ),
    "with a parameter": Case(
        f"""
        {row(1)}
        op.execute(sa.text("INSERT INTO items VALUES (:n, :name)").bindparams(n=7, name=":n"))
        """,
        DOUBLE,
        NO_DOUBLE,
    ),
}


def told(outcome: Outcome, fleet: Fleet) -> dict[str, Any]:
    """All that is told of a failed target, without its own name."""
    failure = outcome.failure and replace(outcome.failure, traceback=None)
    told = {
        "failure": str(failure),
        "state": outcome.state,
        "before": outcome.heads_before,
        "heads": outcome.heads,
        "revisions": [revision.id for revision in outcome.revisions],
    }
    name = outcome.target.rpartition("/")[2]
    names = rf"{fleet.database(name)}|{outcome.target}"
    return {key: re.sub(names, "ITS NAME", str(value)) for key, value in told.items()}


def fail(fleet: Fleet, worker: Worker, case: Case) -> tuple[Outcome, Outcome]:
    """Let t003 fail while it is replayed, and t004 while it is built."""
    upgrade = dedent(case.upgrade)
    gone = 'op.create_table("gone", sa.Column("n", sa.Integer))'
    history(fleet, gone, row(40), row(41), upgrade, row(43), first=ITEMS)
    for tenant in fleet.tenants:
        worker.done(tenant, revision="r1", replay=False)
    for tenant in ("t003", "t004"):
        fleet.rows(tenant, case.obstacle)
    assert [worker.done(tenant) for tenant in ("t000", "t001", "t002")] == [0, 0, 4]
    return worker.migrate("t003"), worker.migrate("t004", replay=False)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_failure_is_told_as_if_it_had_been_built(fleet: Fleet, case: Case) -> None:
    fleet.declare(5)
    with worker_of(fleet) as worker:
        replayed, built = fail(fleet, worker, case)

        assert replayed.state is State.FAILED
        assert told(replayed, fleet) == told(built, fleet)
        assert everything(fleet, "t003") == everything(fleet, "t004")
        for tenant in ("t003", "t004"):
            fleet.rows(tenant, case.mend)
            for sql in case.half if fleet.ddl_commits else ():
                fleet.rows(tenant, sql)
        assert worker.done("t003") == (2 if fleet.ddl_commits else 4)
        worker.done("t004", replay=False)
    assert_all_alike(fleet)


LATE = """
CREATE TABLE late (n int UNIQUE, m int REFERENCES late (n) DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO late VALUES (1, 2); RETURN NEW; END $$;
CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION f()
"""


def test_a_constraint_that_is_looked_at_with_the_commit(new_fleet: Any) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(5)
    case = Case(row(7), LATE, "DROP FUNCTION f CASCADE; DROP TABLE late")
    with worker_of(fleet) as worker:
        replayed, built = fail(fleet, worker, case)

        assert replayed.state is State.FAILED
        assert told(replayed, fleet) == told(built, fleet)
        for tenant in ("t003", "t004"):
            fleet.rows(tenant, case.mend)
        assert worker.done("t003") == 4


def test_the_command_tells_it_and_tries_again(fleet: Fleet) -> None:
    fleet.declare(5, max_parallel=1, max_failures=2)
    case = CASES["last of all, after DDL"]
    history(fleet, row(40), first=ITEMS)
    fleet.project.run("upgrade")
    history(fleet, row(40), row(41), case.upgrade, row(43), first=ITEMS)
    for tenant in ("t003", "t004"):
        fleet.rows(tenant, case.obstacle)
    replaying = [f"prod/app/t00{n}" for n in range(4)]

    ran = fleet.project.run("upgrade", *replaying, "-o", "json", code=3)

    assert list(ran.states().values()) == ["done"] * 3 + ["failed"]
    file = fleet.project.folder / "environments.toml"
    said = "[databases.app]\n"
    file.write_text(file.read_text().replace(said, f"{said}replay = false\n"))
    built = fleet.project.run("upgrade", "prod/app/t004", "-o", "json", code=3)
    assert failure_in(ran, fleet, "t003") == failure_in(built, fleet, "t004")
    file.write_text(file.read_text().replace(f"{said}replay = false\n", said))
    for tenant in ("t003", "t004"):
        for sql in (case.mend, *(case.half if fleet.ddl_commits else ())):
            fleet.rows(tenant, sql)
    fleet.project.run("retry", "2", "prod/app/t003")
    fleet.project.run("retry", "3", "prod/app/t004")
    assert_all_alike(fleet)


def failure_in(ran: Any, fleet: Fleet, tenant: str) -> str:
    """All that an answer tells of a tenant's failure, without its own name."""
    told = next(one for one in ran.json["targets"] if one["name"].endswith(tenant))["failure"]
    text = str({key: value for key, value in told.items() if key != "traceback"})
    return re.sub(rf"{fleet.database(tenant)}|{tenant}|(?<=retry |.skip )\d", "…", text)
