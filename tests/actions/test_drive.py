"""The loop round targets that are only read, with a pool that runs nothing."""

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.dispatch.dispatcher import Drive
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import Silent
from orchestrator.engines.local import Event, Finished
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.schedule import Work


class PressedWhileStarting:
    """A pool during whose n-th submit Ctrl-C is pressed. Every job ends well."""

    def __init__(self, interrupts: Interrupts, at: int) -> None:
        self.interrupts, self.at = interrupts, at
        self.given: list[str] = []

    def submit(self, key: str, _: Any, __: float, *, kind: str) -> None:
        self.given.append(key)
        self.interrupts.presses += len(self.given) == self.at

    def wait(self, _: float) -> list[Event]:
        return [Finished(key, Outcome(key, State.CURRENT)) for key in self.given]


@pytest.mark.parametrize("at", [1, 3])
def test_what_did_not_start_when_ctrl_c_was_pressed_does_not_start(at: int) -> None:
    names = [f"{n}" for n in range(9)]
    interrupts = Interrupts()
    pool: Any = PressedWhileStarting(interrupts, at)
    settings: Any = SimpleNamespace(target_timeout=9.0, retries=0, retry_delay=1.0)
    targets: Any = dict.fromkeys(names, SimpleNamespace(name="x", database="app", server="s"))
    job: Any = lambda _: None  # noqa: E731 - as short as it can be
    drive = Drive(pool, Silent(), interrupts, targets, job, lambda _: settings)

    outcomes = drive.run([Work(name) for name in names])

    assert pool.given == names[:at]
    assert [outcomes[name].state for name in names[at:]] == [State.NOT_STARTED] * (9 - at)
