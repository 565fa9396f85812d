"""Who is told what happens while a command runs."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.fleet.target import Target
from orchestrator.rollout.events import Event
from orchestrator.rollout.outcomes import Failure, Outcome

NOTIFY_INTERVAL = 30.0
"""Seconds after which it is said again who is waited for."""


class Observer(Protocol):
    """Told what happens while a command runs. Called in the command's own thread."""

    def begin(self, verb: str, targets: Sequence[Target]) -> None:
        """The work is known and about to start."""

    def started(self, target: Target, attempt: int, place: str | None) -> None:
        """A worker was given the target; of a place, if it asks for one."""

    def running(self, target: Target, revision: str) -> None:
        """The target's worker reached a revision."""

    def retrying(self, target: Target, failure: Failure, delay: float) -> None:
        """An attempt failed and another follows in ``delay`` seconds."""

    def throttled(self, server: str, limit: int, failure: Failure) -> None:
        """A server ran out of something: at most ``limit`` targets are at work on it from now."""

    def waiting(self, what: str, why: str) -> None:
        """A target, or the run itself, waits for somebody else; said again every half minute."""

    def finished(self, target: Target, outcome: Outcome) -> None:
        """The target has its outcome."""

    def happened(self, event: Event) -> None:
        """Something happened in a run: a wave began, a gate passed, it waits."""

    def interrupted(self, presses: int) -> None:
        """Ctrl-C was pressed once (finish what runs) or twice (stop the workers)."""


class NullObserver:
    """An observer that ignores everything."""

    def begin(self, verb: str, targets: Sequence[Target]) -> None: ...
    def started(self, target: Target, attempt: int, place: str | None) -> None: ...
    def running(self, target: Target, revision: str) -> None: ...
    def retrying(self, target: Target, failure: Failure, delay: float) -> None: ...
    def throttled(self, server: str, limit: int, failure: Failure) -> None: ...
    def waiting(self, what: str, why: str) -> None: ...
    def finished(self, target: Target, outcome: Outcome) -> None: ...
    def happened(self, event: Event) -> None: ...
    def interrupted(self, presses: int) -> None: ...
