"""The loop round a schedule, with a pool that runs nothing."""

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.actions.drive import Drive
from orchestrator.actions.interrupts import Interrupts
from orchestrator.actions.results import Silent
from orchestrator.engines.pool import Event, Finished
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
        return [Finished(key, Outcome(key, State.DONE)) for key in self.given]


@pytest.mark.parametrize("at", [1, 3])
def test_what_did_not_start_when_ctrl_c_was_pressed_does_not_start(at: int) -> None:
    names = [f"{n}" for n in range(9)]
    interrupts = Interrupts()
    pool: Any = PressedWhileStarting(interrupts, at)
    settings: Any = SimpleNamespace(target_timeout=9.0, retries=0, retry_delay=1.0)
    targets: Any = dict.fromkeys(names, SimpleNamespace(database="app"))
    job: Any = lambda _: None  # noqa: E731
    drive = Drive(pool, Silent(), interrupts, targets, job, lambda _: settings, changes=True)

    outcomes = drive.run([Work(name, "prod") for name in names])

    assert pool.given == names[:at]
    assert [outcomes[name].state for name in names[at:]] == [State.NOT_STARTED] * (9 - at)


def test_what_was_settled_gets_no_worker_and_nothing_starts_once_ctrl_c_was_pressed_meanwhile() -> (
    None
):
    interrupts = Interrupts()
    pool: Any = PressedWhileStarting(interrupts, 9)
    settings: Any = SimpleNamespace(target_timeout=9.0, retries=0, retry_delay=1.0)
    targets: Any = {name: SimpleNamespace(database="app", name=name) for name in "abc"}
    job: Any = lambda _: None  # noqa: E731 - as short as it can be

    def settled(target: Any) -> Outcome | None:
        if target.name == "a":
            return Outcome("a", State.UNCHANGED)
        interrupts.presses += 1  # while it was looked at
        return None

    drive = Drive(
        pool, Silent(), interrupts, targets, job, lambda _: settings, changes=True, settled=settled
    )

    outcomes = drive.run([Work(name, "prod") for name in "abc"])

    assert pool.given == []
    assert [outcomes[name].state for name in "abc"] == [
        State.UNCHANGED,
        State.NOT_STARTED,
        State.NOT_STARTED,
    ]
