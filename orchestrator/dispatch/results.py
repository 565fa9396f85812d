"""What commands return to their callers, and what the command line renders."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.fleet.target import Target
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import SUCCEEDED, Outcome, State

_DIFFERENCES = frozenset({State.DIFFERS, State.BEHIND})
_FAILED = frozenset(
    {
        State.FAILED,
        State.IN_DOUBT,
        State.UNREACHABLE,
        State.UNKNOWN_REVISION,
        State.INCONSISTENT,
    }
)
_REFUSED = frozenset({State.LOCKED})
_PAUSED = frozenset({RunState.PAUSED, RunState.WAITING, RunState.RUNNING})
"""A run that is neither over nor held from here: somebody has to resume it."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run stood when the command that drove it ended."""

    id: int
    state: RunState
    reason: str = ""
    """Why it waits, was paused, failed or was aborted."""
    until: int | None = None
    """When what it waits for comes by itself, in ms since 1970-01-01 UTC."""
    appeared: tuple[str, ...] = ()
    """Targets that were not there when the plan was sealed: they were left alone."""
    vanished: tuple[str, ...] = ()
    """Targets of the plan that are not there any more."""
    unwritten: str = ""
    """What of ``--events`` could not be written, and why. The run is not touched by it."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcomes of one command, one for each selected target, in configured order.

    ``exit_code``: 130 interrupted, else 6 when its run waits or is paused, else 3 when a target
    or the run failed, else 5 when a target was locked or the run aborted, else 4 when ``check``
    found differences, else 5 when ``--events`` could not be written, else 0.
    """

    verb: str
    """``upgrade``, ``downgrade``, ``stamp``, ``status``, ``check``, ``wait``."""
    targets: tuple[Target, ...]
    outcomes: tuple[Outcome, ...]
    interrupted: bool = False
    dry_run: bool = False
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    """What is to be said of scripts that could only be read, not loaded."""
    run: RunEnd | None = None
    """The run that the command drove; ``None`` where it changed nothing."""

    @classmethod
    def of(
        cls,
        verb: str,
        targets: Iterable[Target],
        outcomes: Mapping[str, Outcome],
        *,
        began: float,
        **more: Any,
    ) -> "Result":
        """Put outcomes in the order of their targets. ``began`` by this process's clock."""
        there = tuple(targets)
        in_order = tuple(outcomes[target.name] for target in there)
        seconds = round(time.monotonic() - began, 3)
        return cls(str(verb), there, in_order, seconds=seconds, **more)

    @property
    def tally(self) -> Counter[State]:
        """How many targets are in each state."""
        return Counter(outcome.state for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """What the program exits with."""
        states = self.tally.keys()
        if self.interrupted:
            return 130
        run = None if self.run is None else self.run.state
        if run in _PAUSED:
            return 6
        if states & _FAILED:
            return 3
        if states & _REFUSED or run is RunState.ABORTED:
            return 5
        if run is RunState.FAILED:
            return 3
        if self.verb == "check":
            return 4 if states & _DIFFERENCES else 0
        if self.verb == "status":
            return 0
        if self.verb == "wait":
            return 0 if states <= {State.CURRENT} else 3
        if not states <= SUCCEEDED | {State.SKIPPED}:
            return 3
        return 5 if self.run is not None and self.run.unwritten else 0
