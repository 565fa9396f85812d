"""Runs whose process died, or was asleep, while somebody else took them up."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.fleet.address import AddressTemplate
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import AttemptRecord
from tests.project_folder import Started, wait_until
from tests.real.conftest import Fleet

GATE = """
open("at-gate", "a").close()
while not os.path.exists("go"):
    time.sleep(0.02)
"""
CREATE = 'op.create_table("items", sa.Column("n", sa.Integer))'
COUNT = 'op.execute("INSERT INTO items (n) VALUES (1)")'
LEDGER = ".orchestrator/ledger.db"


def at_gate(fleet: Fleet) -> Started:
    """Start an upgrade of three targets, one at a time, the first of which waits at a gate."""
    fleet.declare(3, max_parallel=1)
    fleet.project.revision("a1", None, f"{GATE}\n{CREATE}\n{COUNT}")
    started = fleet.project.start("upgrade", "--yes")
    wait_until(lambda: (fleet.project.folder / "at-gate").exists())
    return started


def open_gate(fleet: Fleet) -> None:
    (fleet.project.folder / "go").touch()


def attempts(folder: Path) -> list[AttemptRecord]:
    with ledger(folder) as opened:
        return opened.attempts(1)


def ledger(folder: Path) -> Ledger:
    template = AddressTemplate.parse(f"sqlite:///{LEDGER}", None, folder)
    return Ledger.open(template.fill({}).resolve(lambda _: ""))


def time_passes(folder: Path) -> None:
    """Let the last sign of life of the run's holder be a minute old."""
    with closing(sqlite3.connect(folder / LEDGER)) as connection:
        connection.execute("UPDATE orchestrator_runs SET heartbeat_at = heartbeat_at - 60000")
        connection.commit()


def dump(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / LEDGER)) as connection:
        return list(connection.iterdump())


def assert_done_once(fleet: Fleet) -> None:
    for tenant in fleet.tenants:
        assert fleet.heads(tenant) == ["a1"]
        assert fleet.rows(tenant, "SELECT count(*) FROM items")[0][0] == 1


def test_no_attempt_of_a_dead_orchestrator_stays_open(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("sqlite")
    at_gate(fleet).kill()
    open_gate(fleet)

    fleet.project.run("resume", "1")

    found = attempts(fleet.project.folder)
    states = [(attempt.target[-4:], attempt.number, attempt.state) for attempt in found]
    assert states == [
        ("t000", 1, "lost"),
        ("t000", 2, "done"),
        ("t001", 1, "done"),
        ("t002", 1, "done"),
    ]
    assert found[0].failure is not None
    assert "process that ran it died" in found[0].failure.message
    assert_done_once(fleet)


def test_of_two_that_resume_at_once_one_does_the_work(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("sqlite")
    at_gate(fleet).kill()

    both = [fleet.project.start("resume", "1") for _ in range(2)]
    wait_until(lambda: any(one.process.poll() is not None for one in both))
    open_gate(fleet)
    ended = [one.wait(None) for one in both]

    assert sorted(ran.code for ran in ended) == [0, 5], ended
    refused = next(ran for ran in ended if ran.code == 5)
    worker = next(one for one in both if one.process.returncode == 0)
    assert "run 1 is held by " in refused.err
    assert f"(process {worker.process.pid})" in refused.err
    assert_done_once(fleet)
    assert len(attempts(fleet.project.folder)) == 4


@pytest.mark.parametrize("kind", ["sqlite", "mariadb", "mysql", "postgres"])
def test_who_slept_through_its_lease_writes_nothing_more(
    new_fleet: Callable[[str], Fleet], kind: str
) -> None:
    fleet = new_fleet(kind)
    folder = fleet.project.folder
    asleep = at_gate(fleet)
    os.kill(asleep.process.pid, signal.SIGSTOP)
    time_passes(folder)
    other = fleet.project.start("resume", "1")
    wait_until(lambda: attempts(folder)[0].state == "lost")

    open_gate(fleet)
    if fleet.ddl_commits:  # its worker waits for an answer: whether it was recorded
        assert "items" not in fleet.tables("t000")
    else:
        other.wait(0)
    before = dump(folder) if not fleet.ddl_commits else []
    os.kill(asleep.process.pid, signal.SIGCONT)
    late = asleep.wait(5)

    other.wait(0)
    assert "run 1 is no longer held from here" in late.err
    assert "t001" not in late.err, "it started something more"
    if before:
        assert dump(folder) == before
    assert_done_once(fleet)
    assert {attempt.state for attempt in attempts(folder)} <= {"lost", "done", "unchanged"}
    assert not any(a.state == "done" and a.number == 1 for a in attempts(folder)[:1])
