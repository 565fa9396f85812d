"""No two runs ever work on one target at once; waits are short, and say who holds what."""

import contextlib
import fcntl
import time

import pytest

from tests.project_folder import wait_until
from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE, target

SLOW = (
    CREATE
    + """
time.sleep(3)
op.create_table("log", sa.Column("n", sa.Integer))
op.execute("INSERT INTO log VALUES (1)")
"""
)


def test_two_orchestrators_started_together_do_the_work_once(fleet: Fleet):
    fleet.declare(3, lock_timeout='"20s"')
    fleet.project.revision("a1", None, SLOW)

    both = [fleet.project.start("upgrade", "-o", "json") for _ in range(2)]

    ran = [started.wait(code=None) for started in both]
    codes = sorted(one.code for one in ran)
    assert codes in ([0, 0], [0, 5]), ran
    for one in ran:
        if one.code == 0:
            assert set(one.states().values()) <= {"done", "unchanged"}
        else:
            # By when it looked: before the first run started a target, or after.
            assert "still has prod/app/t" in one.err or ("is at work on prod/app/t" in one.err)
    for tenant in fleet.tenants:
        assert fleet.rows(tenant, "SELECT count(*) FROM log") == [(1,)]


def test_a_target_that_is_locked_is_refused_and_says_by_whom(fleet: Fleet, tmp_path):
    fleet.declare(2, lock_timeout='"1s"')
    started, release = tmp_path / "started", tmp_path / "release"
    fleet.project.revision(
        "a1",
        None,
        f"open({str(started)!r}, 'w').close()\n"
        f"while not os.path.exists({str(release)!r}): time.sleep(0.05)\n{CREATE}",
    )
    first = fleet.project.start("upgrade", "prod/app/t000")
    wait_until(started.exists)

    # Somebody who has a ledger of his own knows nothing of the first run.
    text = (fleet.project.folder / "environments.toml").read_text()
    other = text.replace("[project]", '[project]\nledger = "sqlite:///other.ledger"', 1)
    (fleet.project.folder / "other.toml").write_text(other)
    ran = fleet.project.run(
        "--config", "other.toml", "upgrade", "prod/app/t000", "-o", "json", code=5
    )

    assert ran.states() == {"prod/app/t000": "locked"}
    told = target(ran, "prod/app/t000")
    assert told["attempts"] == 1
    who = {
        "sqlite": "process ",
        "mariadb": "connection ",
        "mysql": "connection ",
        "postgres": "orchestrator ",
    }[fleet.kind]
    assert told["failure"]["message"].startswith("locked by ")
    assert who in told["failure"]["message"]
    release.touch()
    first.wait()
    assert fleet.heads("t000") == ["a1"]


@contextlib.contextmanager
def holding(fleet: Fleet, tenant: str):
    """Hold a lock on table ``items`` from another session."""
    if fleet.kind == "sqlite":
        import sqlite3

        connection = sqlite3.connect(
            fleet.project.folder / "var" / f"{tenant}.db", isolation_level=None
        )
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = fleet.server.connect(fleet.database(tenant))
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM items")
    try:
        yield
    finally:
        connection.close()


def test_a_migration_behind_a_metadata_lock_gives_up_soon_and_changes_nothing(fleet: Fleet):
    fleet.declare(2, lock_timeout='"1s"', retries=1)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    fleet.project.revision("b2", "a1", 'op.add_column("items", sa.Column("price", sa.Integer))')

    with holding(fleet, "t000"):
        ran = fleet.project.run("upgrade", "-o", "json", code=3)

    assert ran.states() == {"prod/app/t000": "failed", "prod/app/t001": "done"}
    told = target(ran, "prod/app/t000")
    assert told["attempts"] == 2, "a lock wait that changed nothing is tried again"
    assert told["failure"]["next_step"] == (
        "find the session that holds the table, or raise lock_timeout"
    )
    assert told["failure"]["half_applied"] is False
    assert fleet.heads("t000") == ["a1"]
    fleet.project.run("upgrade")
    assert fleet.heads("t000") == ["b2"]


def test_a_lock_wait_is_retried_until_the_lock_is_free(fleet: Fleet):
    fleet.declare(1, lock_timeout='"1s"', retries=10)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    fleet.project.revision("b2", "a1", 'op.add_column("items", sa.Column("price", sa.Integer))')

    with holding(fleet, "t000"):
        started = fleet.project.start("upgrade", "-o", "json")
        wait_until(lambda: "retry" in started.err)

    assert target(started.wait(), "prod/app/t000")["attempts"] > 1
    assert fleet.heads("t000") == ["b2"]


def test_a_lock_wait_in_the_middle_of_a_revision_is_not_retried_where_ddl_stays(
    new_fleet, mysql_like
):
    fleet = new_fleet(mysql_like)
    fleet.declare(1, lock_timeout='"1s"', retries=5)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    fleet.project.revision(
        "b2",
        "a1",
        'op.create_table("before", sa.Column("id", sa.Integer))\n'
        'op.add_column("items", sa.Column("price", sa.Integer))',
    )

    with holding(fleet, "t000"):
        ran = fleet.project.run("upgrade", "-o", "json", code=3)

    told = target(ran, "prod/app/t000")
    assert told["attempts"] == 1, "a second attempt would create the table twice"
    assert told["failure"]["half_applied"] is True
    assert len(told["failure"]["executed"]) == 1


def test_a_statement_that_takes_too_long_is_stopped(new_fleet):
    columns = "information_schema.columns"
    for kind, statement in (
        ("mariadb", "SELECT SLEEP(20)"),
        (
            "mysql",  # a SLEEP() that is stopped is no error there
            f"SELECT count(*) FROM {columns} a, {columns} b, {columns} c",
        ),
        ("postgres", "SELECT pg_sleep(20)"),
    ):
        fleet = new_fleet(kind)
        fleet.declare(1, statement_timeout='"1s"')
        fleet.project.revision("a1", None, f'op.execute("{statement}")')

        ran = fleet.project.run("upgrade", "-o", "json", code=3)

        told = target(ran, "prod/app/t000")
        assert told["failure"]["statement"] == statement
        assert told["failure"]["next_step"].startswith("raise statement_timeout")
        assert told["attempts"] == 1


def test_a_statement_that_a_dead_orchestrator_left_running_still_holds_the_target(
    new_fleet, mysql_like
):
    """The server goes on with it; the lock is its session's, so nobody else gets in meanwhile."""
    fleet = new_fleet(mysql_like)
    fleet.declare(1, lock_timeout='"2s"')
    # Not SLEEP(): that one looks whether its client is still there.
    slow = "CREATE TABLE slow AS SELECT BENCHMARK(1000000000, SHA2('x', 256)) AS n"
    fleet.project.revision("a1", None, f'op.execute("{slow}")')
    orphans = (
        "SELECT id FROM information_schema.processlist WHERE info LIKE 'CREATE TABLE slow%' "
        f"AND db = '{fleet.database('t000')}'"
    )
    started = fleet.project.start("upgrade")
    wait_until(lambda: fleet.server.execute(orphans))
    started.kill()

    ran = fleet.project.run("upgrade", code=5)

    assert "prod/app/t000: run 1 began a1, and nobody recorded the end" in ran.err
    assert "orchestrator resume 1" in ran.err

    resumed = fleet.project.start("resume", "1", "-o", "json")
    time.sleep(4)
    assert resumed.process.poll() is None, "it waits for the statement, longer than lock_timeout"
    ((orphan,),) = fleet.server.execute(orphans)
    fleet.server.execute(f"KILL {orphan}")

    ran = resumed.wait(code=3)
    assert ran.states() == {"prod/app/t000": "in_doubt"}
    assert "a1" in target(ran, "prod/app/t000")["failure"]["message"]


def test_a_pooler_that_swaps_sessions_is_refused(pgbouncer, new_fleet, postgres):
    fleet = new_fleet("postgres")
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE)
    bouncer = pgbouncer(postgres, mode="transaction")
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text().replace(f":{postgres.port}/", f":{bouncer.port}/"))

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    for told in ran.json["targets"]:
        assert "transaction mode" in told["failure"]["message"]
        assert "directly" in told["failure"]["next_step"]
    assert fleet.tables("t000") == set()


def test_a_pooler_that_keeps_sessions_is_fine(pgbouncer, new_fleet, postgres):
    fleet = new_fleet("postgres")
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE)
    bouncer = pgbouncer(postgres, mode="session")
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text().replace(f":{postgres.port}/", f":{bouncer.port}/"))

    fleet.project.run("upgrade")

    assert fleet.heads("t000") == ["a1"]


def test_a_lock_file_left_behind_by_a_dead_process_holds_nobody_up(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE)
    (fleet.project.folder / "var").mkdir()
    lock = fleet.project.folder / "var/t000.db.lock"
    lock.write_text("left behind")

    fleet.project.run("upgrade")

    assert not lock.exists()


@pytest.mark.parametrize("content", ["", "not json", '{"pid": 4711, "host": "db1", "since": "x"}'])
def test_a_lock_file_that_somebody_holds_is_respected_whatever_is_in_it(new_fleet, content):
    fleet = new_fleet("sqlite")
    fleet.declare(1, lock_timeout='"1s"')
    fleet.project.revision("a1", None, CREATE)
    (fleet.project.folder / "var").mkdir()
    with (fleet.project.folder / "var/t000.db.lock").open("w") as lock:
        lock.write(content)
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)

        ran = fleet.project.run("upgrade", "-o", "json", code=5)

    expected = "process 4711 on db1" if "4711" in content else "another process"
    assert expected in target(ran, "prod/app/t000")["failure"]["message"]


LOG_THEN_ALTER = """
op.execute("INSERT INTO log VALUES (1)")
op.add_column("items", sa.Column("price", sa.Integer))
"""


def held_up(fleet: Fleet, *revisions: str) -> dict:
    """Run revisions, of which the last waits in vain for a lock on ``items``."""
    fleet.declare(1, lock_timeout='"1s"', retries=2)
    create_log = 'op.create_table("log", sa.Column("n", sa.Integer))'
    fleet.project.revision("a1", None, f"{CREATE}\n{create_log}")
    fleet.project.run("upgrade")
    down = "a1"
    for number, upgrade in enumerate(revisions):
        fleet.project.revision(f"r{number}", down, upgrade)
        down = f"r{number}"
    with holding(fleet, "t000"):
        ran = fleet.project.run("upgrade", "-o", "json", code=3)
    return target(ran, "prod/app/t000")


def test_data_before_a_ddl_that_waits_in_vain_is_written_once_and_told(new_fleet, mysql_like):
    """MariaDB commits before it even tries the DDL."""
    fleet = new_fleet(mysql_like)

    told = held_up(fleet, LOG_THEN_ALTER)

    assert told["attempts"] == 1
    assert told["failure"]["executed"] == ["INSERT INTO log VALUES (1)"]
    assert fleet.rows("t000", "SELECT * FROM log") == [(1,)]


def test_a_commit_of_the_revisions_own_is_noticed(new_fleet):
    fleet = new_fleet("postgres")

    told = held_up(
        fleet, 'op.execute("INSERT INTO log VALUES (1)")\nop.execute("COMMIT")\n' + LOG_THEN_ALTER
    )

    assert told["attempts"] == 1
    assert told["failure"]["half_applied"] is True
    assert fleet.rows("t000", "SELECT count(*) FROM log")[0][0] <= 2


def test_an_autocommit_block_of_an_earlier_revision_is_not_repeated(new_fleet):
    fleet = new_fleet("postgres")
    block = (
        "with op.get_context().autocommit_block():\n    op.execute('INSERT INTO log VALUES (1)')"
    )

    told = held_up(fleet, block, LOG_THEN_ALTER)

    assert told["attempts"] == 1
    assert fleet.rows("t000", "SELECT * FROM log") == [(1,)]


@pytest.mark.parametrize(
    ("kind", "unlock"),
    [
        ("mariadb", "SELECT RELEASE_ALL_LOCKS()"),
        ("mysql", "SELECT RELEASE_ALL_LOCKS()"),
        ("postgres", "SELECT pg_advisory_unlock_all()"),
    ],
)
def test_a_lock_that_is_gone_at_the_end_is_no_success(new_fleet, kind, unlock):
    fleet = new_fleet(kind)
    fleet.declare(1)
    fleet.project.revision("a1", None, f'op.execute("{unlock}")')

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    assert "lock was lost or swapped" in target(ran, "prod/app/t000")["failure"]["message"]


def test_a_connection_that_was_lost_is_not_replaced_by_one_without_the_lock(new_fleet, mysql_like):
    fleet = new_fleet(mysql_like)
    fleet.declare(1, retries=0)
    fleet.project.revision(
        "a1",
        None,
        """
        bind = op.get_bind()
        me = bind.execute(sa.text("SELECT CONNECTION_ID()")).scalar()
        try:
            bind.execute(sa.text(f"KILL {me}"))
        except Exception:
            bind.rollback()
        bind.execute(sa.text("CREATE TABLE sneaked (id INTEGER)"))
        """,
    )

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    # MariaDB ends the session before KILL returns, MySQL with the statement after it.
    lost = "2013: Lost connection" if mysql_like == "mysql" else "held the target's lock was lost"
    assert lost in target(ran, "prod/app/t000")["failure"]["message"]
    assert "sneaked" not in fleet.tables("t000")
