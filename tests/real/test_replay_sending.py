"""Statements that are sent together do what they did one by one."""

from collections.abc import Callable

import pytest

from tests.network import network
from tests.real.conftest import Fleet
from tests.real.replaying import assert_all_alike, history, replayed, worker_of

MAKES = b"CREATE TABLE alembic_version"
ROW = "op.execute(\"INSERT INTO items (n, name) VALUES ({}, '{}')\")"
PARAMETER = 'op.execute(sa.text("UPDATE items SET name = :x").bindparams(x="{}"))'


def counts(fleet: Fleet, *bodies: str) -> list[int]:
    """Migrate three targets by replaying and one by building; return what was replayed."""
    fleet.declare(4)
    history(fleet, *bodies)
    with worker_of(fleet) as worker:
        for tenant in fleet.tenants:
            worker.done(tenant, revision="r0", replay=False)
        found = replayed(fleet, worker, fleet.tenants[:3])
        worker.done("t003", replay=False)
    assert_all_alike(fleet)
    return found


def test_much_is_sent_at_once(fleet: Fleet) -> None:
    long = """
    op.create_table("{0}", sa.Column("n", sa.Integer), sa.Column("text", sa.Text))
    for n in range(40):
        op.execute(f"INSERT INTO {0} VALUES ({{n}}, '{{'x' * 5000}}')")
    """
    bodies = [long.format(f"long_{n}") for n in range(8)]

    assert counts(fleet, *bodies) == [0, 0, 8]


def test_a_slow_revision_is_sent_alone(new_fleet: Callable[[str], Fleet]) -> None:
    sleep = 'op.execute("DO $$ BEGIN PERFORM pg_sleep(0.2); END $$")'
    bodies = [ROW.format(1, "a"), sleep + "\n" + ROW.format(2, "b"), ROW.format(3, "c")]

    assert counts(new_fleet("postgres"), *bodies) == [0, 0, 3]


@pytest.mark.parametrize(
    "word", ["ROLLBACK", "/* so */ rollback work", "SELECT 1; ABORT", "COMMIT"]
)
def test_who_ends_the_transaction_is_not_replayed(
    new_fleet: Callable[[str], Fleet], word: str
) -> None:
    body = f"{ROW.format(1, 'gone')}\nop.execute('{word}')\n{ROW.format(2, 'there')}"

    assert counts(new_fleet("postgres"), body, ROW.format(3, "last")) == [0, 0, 1]


def test_a_savepoint_is_gone_back_to(fleet: Fleet) -> None:
    body = f"""
    op.execute("SAVEPOINT here")
    {ROW.format(1, "gone")}
    op.execute("ROLLBACK TO SAVEPOINT here")
    {ROW.format(2, "there")}
    """

    assert counts(fleet, body) == [0, 0, 1]

    assert fleet.rows("t002", "SELECT n FROM items") == [(2,)]


def test_how_text_is_written_may_be_changed_on_the_way(
    new_fleet: Callable[[str], Fleet], mysql_like: str
) -> None:
    mode = "op.execute(\"SET SESSION sql_mode = '{}'\")"
    body = "\n".join(
        [
            ROW.format(1, "x"),
            mode.format("NO_BACKSLASH_ESCAPES"),
            PARAMETER.format(r"it\'s a \\ and a \" and \\n"),
            mode.format(""),
        ]
    )

    counts(new_fleet(mysql_like), body, PARAMETER.format(r"then \\ again"))


def test_a_call_that_returns_rows_elsewhere_counts_as_one(
    new_fleet: Callable[[str], Fleet], mysql_like: str
) -> None:
    """What the version row's statement says that it changed is not another one's answer."""
    fleet = new_fleet(mysql_like)
    fleet.declare(3)
    history(fleet, f"{ROW.format(1, 'x')}\nop.execute('CALL p()')\n{ROW.format(2, 'y')}")
    says = {"t002": "SELECT 1 UNION SELECT 2; SELECT 3"}
    with worker_of(fleet) as worker:
        for tenant in fleet.tenants:
            worker.done(tenant, revision="r0", replay=False)
            fleet.rows(tenant, f"CREATE PROCEDURE p() BEGIN {says.get(tenant, 'DO 1')}; END")

        assert replayed(fleet, worker) == [0, 0, 1]

    assert fleet.heads("t002") == ["r1"]
    assert fleet.rows("t002", "SELECT n FROM items ORDER BY n") == [(1,), (2,)]


def test_what_is_built_after_it_is_sent_one_by_one(
    new_fleet: Callable[[str], Fleet], mysql_like: str
) -> None:
    two = "INSERT INTO items VALUES (3, 'x'); INSERT INTO items VALUES (4, 'x')"
    tries = f"""
    try:
        op.execute("{two}")
    except sa.exc.DBAPIError:
        {ROW.format(5, "refused")}
    """
    fleet = new_fleet(mysql_like)

    assert counts(fleet, f"{ROW.format(1, 'a')}\n{ROW.format(2, 'b')}", tries) == [0, 0, 1]

    assert fleet.rows("t002", "SELECT n FROM items ORDER BY n") == [(1,), (2,), (5,)]


def test_replay_is_switched_off_in_the_file(fleet: Fleet) -> None:
    fleet.declare(4)
    history(fleet, *(ROW.format(n, n) for n in range(5)))
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text().replace("[databases.app]", "[databases.app]\nreplay = false"))
    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 0, 0]


def test_what_is_replayed_takes_fewer_round_trips(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("postgres")
    assert fleet.server is not None
    fleet.declare(5)
    history(fleet, *(ROW.format(n, n) for n in range(20)))
    trips: list[int] = []
    path = fleet.project.folder / "environments.toml"
    with network(fleet.server.port) as (port, traffic):
        path.write_text(path.read_text().replace(f":{fleet.server.port}/", f":{port}/"))
        with worker_of(fleet) as worker:
            for tenant in fleet.tenants:
                before = traffic.round_trips
                worker.done(tenant)
                trips.append(traffic.round_trips - before)

    # The third one's schema is looked at.
    assert max(trips[3:]) * 2 < min(trips[:2]), trips


def test_a_server_far_away_is_not_a_slow_one(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("mariadb")
    assert fleet.server is not None
    fleet.declare(4)
    history(fleet, *(ROW.format(n, n) for n in range(6)))
    path = fleet.project.folder / "environments.toml"
    with network(fleet.server.port, 0.05) as (port, traffic):
        path.write_text(path.read_text().replace(f":{fleet.server.port}/", f":{port}/"))
        with worker_of(fleet) as worker:
            for tenant in fleet.tenants:
                worker.done(tenant)
        migrated = [said for said in traffic.connections if any(MAKES in text for text in said)]
    built, *_, last = map(len, migrated)

    # Each revision took three times as long as its round trips, which is more than a tenth of a
    # second; they are sent together all the same.
    assert len(migrated) == 4
    assert built - last > 3 * 7
