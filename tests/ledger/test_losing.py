"""A ledger's server that dies in the middle: nothing is half written, and work goes on after."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.ledger import Holder, Ledger, LedgerLost
from orchestrator.rollout import events as e
from orchestrator.rollout.outcomes import Outcome, State
from tests.ledger.conftest import Place, a_run
from tests.servers import PASSWORD

ME = Holder("kim", "elsewhere", 1)
SIZE = 40


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_a_server_killed_while_we_write(kind: str, request: pytest.FixtureRequest) -> None:
    server: Any = request.getfixturevalue(f"private_{kind}")()
    server.create("ledger")
    place = Place(server.url("ledger"), server, "ledger")
    names = [f"prod/app/{n}" for n in range(SIZE)]
    with Ledger.open(place.location) as ledger:
        for lives in range(3):
            run = a_run(ledger, names)
            hold = ledger.hold(run, ME)
            killer = threading.Timer(0.05 + 0.1 * lives, server.kill)
            killer.start()
            number, lost = _write_until_lost(hold.write, names)
            killer.join()
            assert PASSWORD not in str(lost)
            with pytest.raises(LedgerLost):
                hold.beat()
            server.start()
            states = {attempt.number: 0 for attempt in ledger.attempts(run)}
            for attempt in ledger.attempts(run):
                states[attempt.number] += 1
            assert set(states.values()) <= {SIZE}, "a batch was written in part"
            assert len(states) in (number - 1, number), "what was confirmed is gone"
            hold.write(_batch(names, number))
            assert len(ledger.attempts(run)) == SIZE * number
            assert ledger.run(run).tally == {State.DONE: SIZE}
            hold.release()


def _batch(names: list[str], number: int) -> list[e.Event]:
    events: list[e.Event] = []
    for name in names:
        done = Outcome(name, State.DONE, ("r1",), (f"r{number}",))
        ended = e.AttemptEnded(number, number, done)
        events += [e.AttemptStarted(number, name, number), ended]
    return events


def _write_until_lost(
    write: Callable[[list[e.Event]], None], names: list[str]
) -> tuple[int, LedgerLost]:
    deadline = time.monotonic() + 30
    number = 0
    while time.monotonic() < deadline:
        number += 1
        try:
            write(_batch(names, number))
        except LedgerLost as lost:
            return number, lost
    raise AssertionError("the server was killed, and nobody noticed")


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_a_server_that_was_restarted_meanwhile_is_not_noticed(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: Any = request.getfixturevalue(f"private_{kind}")()
    server.create("ledger")
    with Ledger.open(Place(server.url("ledger"), server, "ledger").location) as ledger:
        run = a_run(ledger)
        hold = ledger.hold(run, ME)
        server.restart()
        assert ledger.now() > 0
        server.restart()
        hold.write([e.RunStarted(1, "kim")])
        assert ledger.run(run).state is e.RunState.RUNNING


def test_a_sqlite_ledger_that_somebody_keeps_locked_is_lost(
    new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3
    from contextlib import closing

    from orchestrator.dialects import Timeouts
    from orchestrator.ledger import connecting

    monkeypatch.setattr(connecting, "_TIMEOUTS", Timeouts(lock=0.2))
    place = new_place("sqlite")
    with Ledger.open(place.location) as ledger:
        run = a_run(ledger)
        hold = ledger.hold(run, ME)
        with closing(sqlite3.connect(place.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerLost, match="database is locked"):
                hold.write([e.RunStarted(1, "kim")])
            assert ledger.run(run).state is e.RunState.PAUSED  # readers don't wait
            other.execute("ROLLBACK")
        hold.write([e.RunStarted(1, "kim")])
