"""A job on each of many targets, with an engine that runs nothing."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.dispatch.batch import Batch
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import NullObserver
from orchestrator.engines.base import EngineEvent, Finished
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.schedule import Schedule, Work


class PressedWhileStarting:
    """An engine during whose n-th submit Ctrl-C is pressed. Every job ends well."""

    def __init__(self, interrupts: Interrupts, at: int) -> None:
        self.interrupts, self.at = interrupts, at
        self.given: list[str] = []

    def capacity_of(self, _: str | None) -> int:
        return 99

    def room(self, _: str | None, before: Sequence[str | None]) -> int:
        return 99 - len(before)

    def submit(self, key: str, _: Any, __: float, *, kind: str, place: str | None) -> None:
        self.given.append(key)
        self.interrupts.presses += len(self.given) == self.at

    def wait(self, _: float) -> list[EngineEvent]:
        return [Finished(key, Outcome(key, State.CURRENT)) for key in self.given]


@pytest.mark.parametrize("at", [1, 3])
def test_what_did_not_start_when_ctrl_c_was_pressed_does_not_start(at: int) -> None:
    names = [f"{n}" for n in range(9)]
    interrupts = Interrupts()
    engine: Any = PressedWhileStarting(interrupts, at)
    settings = SimpleNamespace(target_timeout=9.0, retries=0, retry_delay=1.0)
    prod = SimpleNamespace(rollout=settings, databases={})
    config: Any = SimpleNamespace(environments={"prod": prod})
    one = SimpleNamespace(name="x", environment="prod", database="app", server="s")
    targets: Any = dict.fromkeys(names, one)
    job: Any = lambda _: None  # noqa: E731 - as short as it can be
    schedule = Schedule([Work(name) for name in names])
    dispatcher = Dispatcher(engine, NullObserver(), interrupts, targets, schedule)

    outcomes = Batch(dispatcher, schedule, config, job).run()

    assert engine.given == names[:at]
    assert [outcomes[name].state for name in names[at:]] == [State.NOT_STARTED] * (9 - at)
