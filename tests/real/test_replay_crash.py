"""What is replayed on MySQL and MariaDB is one packet: whatever ends it, nothing is done twice."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.project_folder import Started, wait_until
from tests.real.conftest import Fleet

TABLES = """
op.create_table("items", sa.Column("n", sa.Integer))
op.create_table("marks", sa.Column("revision", sa.String(8)))
"""
MARK = "op.execute(\"INSERT INTO marks (revision) VALUES ('b2')\")"
COLUMN = 'op.add_column("items", sa.Column("a", sa.Integer))'
REPLAYED = "t002"
"""The third target of one worker."""
WAITS = "SELECT id FROM information_schema.processlist WHERE db = '{}' AND state = 'User sleep'"


@pytest.fixture(params=["mariadb", "mysql"])
def third(request: pytest.FixtureRequest, new_fleet: Callable[[str], Fleet]) -> Fleet:
    """Three targets at their first revision: of the next one, the third gets a recording."""
    fleet = new_fleet(request.param)
    fleet.declare(3, max_parallel=1, retries=1)
    fleet.project.revision("a1", None, TABLES)
    fleet.project.run("upgrade", "--yes")
    return fleet


def on(fleet: Fleet, event: str, does: str) -> None:
    """Let the third target's server do something more before each row of a table is changed."""
    fleet.rows(REPLAYED, f"CREATE TRIGGER acts BEFORE {event} FOR EACH ROW {does}")


def sleeping(fleet: Fleet) -> int | None:
    """Return the session that sleeps in the third target."""
    rows = fleet.rows(REPLAYED, WAITS.format(fleet.database(REPLAYED)))
    return int(rows[0][0]) if rows else None


def asleep(fleet: Fleet, event: str, code: str) -> Started:
    """Upgrade by a revision, and return in the midst of it."""
    on(fleet, event, "SET @slept = SLEEP(3)")
    fleet.project.revision("b2", "a1", code)
    started = fleet.project.start("upgrade", "--yes")
    wait_until(lambda: sleeping(fleet))
    return started


def end_session(fleet: Fleet) -> None:
    """Have the server end it, and wait until all of it is rolled back."""
    with suppress(Exception):  # it may be over
        fleet.rows(REPLAYED, f"KILL {sleeping(fleet)}")
    database = fleet.database(REPLAYED)
    others = f"information_schema.processlist WHERE db = '{database}' AND id <> CONNECTION_ID()"
    wait_until(lambda: fleet.rows(REPLAYED, f"SELECT count(*) FROM {others}") in ([(0,)], ((0,),)))


def marks(fleet: Fleet) -> int:
    return int(fleet.rows(REPLAYED, "SELECT count(*) FROM marks")[0][0])


def assert_done_once(fleet: Fleet) -> None:
    assert (marks(fleet), fleet.heads(REPLAYED)) == (1, ["b2"])


def test_it_was_replayed(third: Fleet) -> None:
    third.project.revision("b2", "a1", MARK)

    third.project.run("upgrade", "--yes")

    assert third.project.run("show", "-o", "json").json["replayed"] == 1
    assert_done_once(third)


def test_nothing_is_committed_before_its_version_row(third: Fleet) -> None:
    asleep(third, "UPDATE ON alembic_version", MARK).kill()
    end_session(third)

    assert (marks(third), third.heads(REPLAYED)) == (0, ["a1"])
    third.project.run("resume", "2")
    assert_done_once(third)


def test_what_commits_is_in_the_journal_before(third: Fleet) -> None:
    asleep(third, "INSERT ON marks", f"{COLUMN}\n{MARK}").kill()
    end_session(third)

    resumed = third.project.run("resume", "2", "-o", "json", code=3)

    assert [t["state"] for t in resumed.json["targets"]][-1] == "in_doubt"
    assert (marks(third), third.heads(REPLAYED)) == (0, ["a1"])


def test_where_its_session_is_lost_it_is_looked_at_and_not_run_again(third: Fleet) -> None:
    started = asleep(third, "INSERT ON marks", f"{COLUMN}\n{MARK}")
    end_session(third)

    ran = started.wait(3)

    assert "in doubt" in ran.err
    assert (marks(third), third.heads(REPLAYED)) == (0, ["a1"])


def test_the_server_may_go_on_after_its_client_died(third: Fleet) -> None:
    asleep(third, "INSERT ON marks", MARK).kill()

    third.project.run("resume", "2")

    assert_done_once(third)


def test_a_version_row_that_is_not_there_commits_nothing(third: Fleet) -> None:
    on(third, "INSERT ON marks", "UPDATE alembic_version SET version_num = 'other'")
    third.project.revision("b2", "a1", MARK)

    ran = third.project.run("upgrade", "--yes", "-o", "json", code=3)

    assert "other than one row of the version table was changed" in ran.out
    assert (marks(third), third.heads(REPLAYED)) == (0, ["a1"])
