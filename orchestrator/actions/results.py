"""What commands return to their callers, and what the command line renders."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.fleet.target import Target
from orchestrator.rollout.events import Event, RunState
from orchestrator.rollout.outcomes import SUCCEEDED, Failure, Outcome, Revision, State

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
SAYS_AGAIN = 30.0
"""Seconds after which it is said again who is waited for."""
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

    @property
    def tally(self) -> Counter[State]:
        """How many targets are in each state."""
        return Counter(outcome.state for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """The exit code of DESIGN.md."""
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


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of a database, newest first, and where targets stand."""

    database: str
    revisions: tuple[Revision, ...]
    environments: tuple[str, ...]
    """The environments that were read, in order."""
    standing: dict[str, dict[str, int]]
    """Revision id → environment → number of targets at it. ``""`` stands for empty targets."""
    unreadable: tuple[Outcome, ...] = ()
    """Targets whose heads could not be read, or that are at revisions the scripts don't know."""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """As ``status`` on the same targets: 130 interrupted, else 3 when one is unreadable."""
        if self.interrupted:
            return 130
        return 3 if self.unreadable else 0


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision file that ``revision`` or ``merge`` wrote."""

    database: str
    path: str | None
    """`None` when the models and the revisions agree, and nothing was written."""
    id: str
    """The new revision's id, or the heads where nothing was written."""
    empty: bool
    """It was asked for without operations."""
    revisions: tuple[Revision, ...] = ()
    """What was written: one, unless ``process_revision_directives`` made more of it."""
    warnings: tuple[str, ...] = ()
    """What went wrong once it was written: hooks that failed."""


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """The files that ``upgrade --sql`` wrote, by target, and the targets it could not read."""

    result: Result
    files: dict[str, str]


class Observer(Protocol):
    """Told what happens while a command runs. Called in the command's own thread."""

    def begin(self, verb: str, targets: Sequence[Target]) -> None:
        """The work is known and about to start."""

    def started(self, target: Target, attempt: int) -> None:
        """A worker was given the target."""

    def running(self, target: Target, revision: str) -> None:
        """The target's worker reached a revision."""

    def retrying(self, target: Target, failure: Failure, delay: float) -> None:
        """An attempt failed and another follows in ``delay`` seconds."""

    def crowded(self, server: str, limit: int, failure: Failure) -> None:
        """A server ran out of something: at most ``limit`` targets are at work on it from now."""

    def waiting(self, what: str, why: str) -> None:
        """A target, or the run itself, waits for somebody else; said again every half minute."""

    def finished(self, target: Target, outcome: Outcome) -> None:
        """The target has its outcome."""

    def happened(self, event: Event) -> None:
        """Something happened in a run: a wave began, a gate passed, it waits."""

    def interrupted(self, presses: int) -> None:
        """Ctrl-C was pressed once (finish what runs) or twice (stop the workers)."""


class Silent:
    """An observer that ignores everything."""

    def begin(self, verb: str, targets: Sequence[Target]) -> None: ...
    def started(self, target: Target, attempt: int) -> None: ...
    def running(self, target: Target, revision: str) -> None: ...
    def retrying(self, target: Target, failure: Failure, delay: float) -> None: ...
    def crowded(self, server: str, limit: int, failure: Failure) -> None: ...
    def waiting(self, what: str, why: str) -> None: ...
    def finished(self, target: Target, outcome: Outcome) -> None: ...
    def happened(self, event: Event) -> None: ...
    def interrupted(self, presses: int) -> None: ...
