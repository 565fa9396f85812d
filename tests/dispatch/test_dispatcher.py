"""Attempts within what servers bear, tried again when it is time."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.dispatch.batch import Batch
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import NullObserver
from orchestrator.engines.base import CannotStart, EngineEvent, Finished
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.rollout.schedule import Schedule, Slot, Work

NAMES = [f"t{n}" for n in range(16)]
TARGETS: Any = {
    name: SimpleNamespace(name=name, environment="prod", database="app", server="s")
    for name in NAMES
}
SETTINGS = SimpleNamespace(target_timeout=9.0, retries=3, retry_delay=0.001)
CONFIG: Any = SimpleNamespace(
    environments={"prod": SimpleNamespace(rollout=SETTINGS, databases={})}
)


class Counting:
    """An engine that ends all that runs at each ``wait``, and counts how much that was.

    ``exhausted``: so many of the first attempts found that the server had no more of something.
    ``full``: from so many at once on, no worker can be had.
    """

    def __init__(self, exhausted: int = 0, full: int = 99) -> None:
        self.exhausted, self.full = exhausted, full
        self.running: list[str] = []
        self.at_once: list[int] = []

    @property
    def busy(self) -> int:
        return len(self.running)

    def capacity_of(self, _: str | None) -> int:
        return 99

    def room(self, _: str | None, before: Sequence[str | None] = ()) -> int:
        return 99 - len(before)

    def submit(self, key: str, _: Any, __: float, *, kind: str, place: str | None) -> None:
        assert (kind, place) == ("app", None)
        if self.busy >= self.full:
            raise CannotStart("no more processes")
        self.running.append(key)

    def wait(self, _: float) -> list[EngineEvent]:
        ended, self.running = self.running, []
        self.at_once += [len(ended)] if ended else []
        return [Finished(name, self._outcome(name)) for name in ended]

    def _outcome(self, name: str) -> Outcome:
        if not self.exhausted:
            return Outcome(name, State.CURRENT)
        self.exhausted -= 1
        failure = Failure("too many connections", retryable=True, exhausted=True)
        return Outcome(name, State.FAILED, failure=failure)


def batch(engine: Any) -> dict[str, Outcome]:
    slots = (Slot("server s", 8), Slot("this machine", 99))
    schedule = Schedule([Work(name, (), slots) for name in NAMES])
    dispatcher = Dispatcher(engine, NullObserver(), Interrupts(), TARGETS, schedule)
    job: Any = lambda _: None  # noqa: E731 - as short as it can be
    return Batch(dispatcher, schedule, CONFIG, job).run()


def test_a_server_that_ran_out_of_something_gets_half_as_many_at_once() -> None:
    engine = Counting(exhausted=1)

    outcomes = batch(engine)

    assert engine.at_once[0] == 8
    assert max(engine.at_once[1:]) <= 4
    assert {outcome.state for outcome in outcomes.values()} == {State.CURRENT}
    assert sorted(outcome.attempts for outcome in outcomes.values()) == [1] * 15 + [2]


def test_a_machine_without_more_processes_does_with_those_that_it_has() -> None:
    engine = Counting(full=3)

    outcomes = batch(engine)

    assert max(engine.at_once) == 3
    assert {(o.state, o.attempts) for o in outcomes.values()} == {(State.CURRENT, 1)}


def test_without_any_process_each_target_says_why() -> None:
    outcomes = batch(Counting(full=0))

    failures = {outcome.failure.message for outcome in outcomes.values() if outcome.failure}
    assert failures == {"no more processes"}
    assert len(outcomes) == 16


@pytest.fixture
def dispatcher() -> Dispatcher:
    engine: Any = Counting()
    return Dispatcher(engine, NullObserver(), Interrupts(), TARGETS, Schedule(()))


def test_a_retry_comes_when_its_delay_is_over(dispatcher: Dispatcher) -> None:
    dispatcher.retry("t0", 3600.0)
    assert dispatcher.next_due() is None
    dispatcher.retry("t1")
    assert dispatcher.next_due() == "t1"
    assert dispatcher.next_due() is None
    assert dispatcher.waits_to_retry


def test_retries_are_cancelled_the_next_one_first(dispatcher: Dispatcher) -> None:
    for at, name in enumerate(("t2", "t0", "t1")):
        dispatcher.retry(name, 10.0 + at)

    assert dispatcher.cancel_retries(lambda name: name != "t0") == ["t2", "t1"]
    assert dispatcher.cancel_retries() == ["t0"]
    assert not dispatcher.waits_to_retry
