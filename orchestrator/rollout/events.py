"""What happens in a run, as values: recorded in the ledger, written to ``--events``, replayed.

``at`` is in milliseconds since 1970-01-01 UTC, by the ledger's clock. Nothing here holds a secret:
failures are redacted before they leave a worker.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from orchestrator.rollout.outcomes import Outcome


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"  # at a gate, or for its window
    PAUSED = "paused"  # somebody asked for it, pressed Ctrl-C, or its ledger went away
    FAILED = "failed"  # over budget, or a gate failed
    ABORTED = "aborted"
    DONE = "done"  # every wave passed, its failures within budget


class WaveState(StrEnum):
    """Where a wave stands."""

    PENDING = "pending"
    RUNNING = "running"
    GATE = "gate"  # its targets are through, its gate is not
    PASSED = "passed"
    FAILED = "failed"


class GateKind(StrEnum):
    """What a gate asks for."""

    REQUIRES = "requires"  # another environment, before the first wave of one
    SOAK = "soak"
    APPROVAL = "approval"
    QUERY = "query"
    COMMAND = "command"
    WINDOW = "window"  # the time of day at which targets may start


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run."""

    at: int


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The run begins."""

    by: str


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """Somebody took up a run that had stopped, or that nobody held any more."""

    by: str


@dataclass(frozen=True, slots=True)
class RunWaiting(Event):
    """Nothing can start before a gate or the window opens."""

    reason: str
    until: int | None = None
    """When it opens by time alone, in ms; ``None`` where that takes somebody."""


@dataclass(frozen=True, slots=True)
class RunPaused(Event):
    """Nothing more is started until somebody resumes it."""

    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class RunAborted(Event):
    """Nothing more is started, ever."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunFailed(Event):
    """A wave was over its budget, or a gate failed. ``retry`` and ``skip`` may fix it."""

    reason: str


@dataclass(frozen=True, slots=True)
class RunDone(Event):
    """Every wave passed."""


@dataclass(frozen=True, slots=True)
class WaveStarted(Event):
    """The targets of a wave may start."""

    wave: int
    """Its position in the run, from 0."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class WaveEnded(Event):
    """All that will start of a wave has ended: ``gate``, ``passed`` or ``failed``."""

    wave: int
    state: WaveState
    failed: int = 0
    name: str = ""
    since: int | None = None
    """When its targets were through, in ms, where that was before ``at``."""


@dataclass(frozen=True, slots=True)
class GatePassed(Event):
    """One condition of a wave's gate holds."""

    wave: int
    kind: GateKind
    detail: str = ""
    name: str = ""
    """The wave's."""


@dataclass(frozen=True, slots=True)
class GateFailed(Event):
    """One condition of a wave's gate was tried, and does not hold."""

    wave: int
    kind: GateKind
    detail: str = ""
    name: str = ""
    """The wave's."""


@dataclass(frozen=True, slots=True)
class Approved(Event):
    """Somebody approved that the run goes on after a wave."""

    wave: int
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Overridden(Event):
    """Somebody passed a closed gate all the same."""

    wave: int
    kind: GateKind
    by: str
    reason: str
    detail: str = ""
    """What the gate had to say."""


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    """A worker is about to be given the target."""

    target: str
    number: int
    """From 1, over the whole run."""


@dataclass(frozen=True, slots=True)
class RevisionCommitting(Event):
    """A revision is about to change what can't be rolled back with it.

    The same one again says only that fewer are ``following``.
    """

    target: str
    number: int
    revision: str
    statement: str = ""
    following: tuple[str, ...] = ()
    """Revisions right after it that may do so, too, without another event."""


@dataclass(frozen=True, slots=True)
class AttemptEnded(Event):
    """An attempt ended; its target is settled unless another attempt follows."""

    number: int
    outcome: Outcome
    final: bool = True
    """Whether this is the target's outcome."""


@dataclass(frozen=True, slots=True)
class AttemptLost(Event):
    """Nobody saw the end of an attempt; the next one looks first what became of it."""

    target: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class TargetSettled(Event):
    """A target has its outcome without an attempt: at head already, or blocked."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TargetSkipped(Event):
    """Somebody decided that the run goes on without the target."""

    target: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class TargetMade(Event):
    """A target's database or schema was made, taken away again, or kept since it is not empty.

    Or it ``differs`` from what building its revisions would have left.
    """

    target: str
    what: Literal["created", "dropped", "kept", "differs"]
    detail: str
    """Which one it is: ``schema acme``; how it came to differ."""


@dataclass(frozen=True, slots=True)
class TargetRetried(Event):
    """Somebody wants the target tried again."""

    target: str
    by: str
