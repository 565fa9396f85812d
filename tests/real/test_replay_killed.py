"""A worker, or all of us, killed while a target's revisions are replayed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from orchestrator.engines.base import Lost, Message
from orchestrator.rollout.outcomes import State
from orchestrator.worker.jobs import Committing, Go
from tests.project_folder import wait_until
from tests.real.conftest import Fleet
from tests.real.replaying import Worker, everything, history, replayed, worker_of

LOG = 'op.create_table("log", sa.Column("n", sa.Integer))'
SAYS = 'op.execute("INSERT INTO log (n) VALUES ({})")'
ADD = 'op.add_column("items", sa.Column("price", sa.Integer))'
BODIES = [LOG, SAYS.format(2), f"{SAYS.format(3)}\n{ADD}\n{SAYS.format(4)}", SAYS.format(5)]
WAITS = {
    "postgres": "SELECT 1 FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'",
    "mysql": (
        "SELECT 1 FROM information_schema.processlist WHERE db = '{}'"
        " AND state LIKE 'Waiting for table%'"
    ),
}


@contextmanager
def held(fleet: Fleet, tenant: str) -> Iterator[None]:
    """Hold a tenant's table ``items``, so that nobody can alter it."""
    assert fleet.server is not None
    connection = fleet.server.connect(fleet.database(tenant))
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM items")
        yield
        cursor.execute("ROLLBACK")


def waits(fleet: Fleet, tenant: str) -> bool:
    """Whether somebody waits for a tenant's table."""
    assert fleet.server is not None
    sql = WAITS.get(fleet.kind, WAITS["mysql"]).format(fleet.database(tenant))
    return bool(fleet.server.execute(sql))


def until_waiting(worker: Worker, tenant: str, look: Callable[[], Any]) -> list[Committing]:
    """Answer what a worker asks before it commits, with ``look`` each time; until it waits."""
    asked: list[Committing] = []
    while not waits(worker.fleet, tenant):
        for event in worker.engine.wait(0.05):
            assert isinstance(event, Message), event
            if isinstance(event.content, Committing):
                asked.append(event.content)
                look()
                if event.content.waits:
                    worker.engine.answer(tenant, Go(ok=True))
    return asked


@pytest.fixture(params=["mariadb", "mysql", "postgres"])
def server_fleet(request: pytest.FixtureRequest, new_fleet: Callable[[str], Fleet]) -> Fleet:
    return new_fleet(request.param)


def prepared(fleet: Fleet, worker: Worker) -> None:
    """The history's first revision is everywhere, and two targets have got all of it."""
    history(fleet, *BODIES)
    for tenant in fleet.tenants:
        worker.done(tenant, revision="r0", replay=False)
    assert replayed(fleet, worker, ["t000", "t001"]) == [0, 0]


@pytest.mark.parametrize("replays", [True, False])
def test_a_worker_that_is_killed_leaves_nothing_undone_unseen(
    server_fleet: Fleet, replays: bool
) -> None:
    fleet = server_fleet
    fleet.declare(3)
    seen: list[set[str]] = []
    with worker_of(fleet) as worker:
        prepared(fleet, worker)
        with held(fleet, "t002"):
            pid = worker.start("t002", replay=replays)
            asked = until_waiting(worker, "t002", lambda: seen.append(fleet.tables("t002")))
            os.kill(pid, signal.SIGKILL)
            assert any(isinstance(event, Lost) for event in worker.events())
        assert seen[:1] == ([{"items", "alembic_version"}] if fleet.ddl_commits else [])
        begun = {id_ for one in asked for id_ in (one.revision, *one.following)}
        committing = tuple(sorted(begun))

        outcome = worker.migrate("t002", committing=committing, origin=("r0",), lock_wait=30)

        rows = fleet.rows("t002", "SELECT n FROM log ORDER BY n")
        if not fleet.ddl_commits:
            assert (outcome.state, rows) == (State.DONE, [(2,), (3,), (4,), (5,)])
            return
        # A server goes on with what was sent at once, also when nobody waits for it any more.
        if replays and outcome.heads == ("r4",):
            assert (outcome.state, rows) == (State.DONE, [(2,), (3,), (4,), (5,)])
            return
        assert outcome.state is State.IN_DOUBT
        doubts = {("r2",): "r3", ("r3",): "r4"} if replays else {("r2",): "r3"}
        assert outcome.failure
        assert outcome.failure.revision == doubts[outcome.heads]
        assert rows[:1] == [(2,)]
        assert (5,) not in rows
        assert len(rows) == len(set(rows))


def test_all_of_us_killed(server_fleet: Fleet) -> None:
    fleet = server_fleet
    fleet.declare(4, max_parallel=1)
    history(fleet)
    fleet.project.run("upgrade")
    history(fleet, *BODIES)

    with held(fleet, "t003"):
        started = fleet.project.start("upgrade")
        wait_until(lambda: waits(fleet, "t003"))
        started.kill()

    ran = fleet.project.run("resume", "2", "-o", "json", code=None)
    state = ran.states()["prod/app/t003"]
    if fleet.ddl_commits and fleet.heads("t003") == ["r4"]:  # the server went on with all of it
        assert state == "done"
    elif fleet.ddl_commits:
        assert state == "in_doubt"
        if fleet.heads("t003") == ["r2"]:  # else the server went on, and r3 is complete
            mend(fleet, "t003")
        fleet.project.run("retry", "2", "prod/app/t003", code=None)
        fleet.project.run("upgrade")
    for tenant in fleet.tenants:
        assert everything(fleet, tenant) == everything(fleet, "t000")


def mend(fleet: Fleet, tenant: str) -> None:
    """Undo by hand what r3 left."""
    fleet.rows(tenant, "DELETE FROM log WHERE n > 2")
    sql = (
        "SELECT 1 FROM information_schema.columns WHERE column_name = 'price'"
        f" AND table_schema = '{fleet.database(tenant)}'"
    )
    if fleet.rows(tenant, sql):
        fleet.rows(tenant, "ALTER TABLE items DROP COLUMN price")
