"""What is put into a ledger, and what it gives back. Times are milliseconds by its own clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import Failure, State

LOST = "lost"
"""The state of an attempt whose end nobody saw."""

AttemptState = State | Literal["lost"]
Request = Literal["pause", "abort"]
Heads = tuple[str, ...]


class Which(StrEnum):
    """Which of a run's attempts."""

    ALL = "all"
    NEWEST = "newest"  # one per target
    OPEN = "open"
    FAILED = "failed"  # failed, locked, in doubt, or lost
    SLOWEST = "slowest"  # first


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be recorded, before anything is done."""

    project: str
    verb: str
    revision: str
    by: str
    digest: str = ""
    plan: str = "{}"
    """Canonical JSON, without the list of targets."""
    parent: int | None = None
    """The run that this one rolls back."""


@dataclass(frozen=True, slots=True)
class NewWave:
    """A wave of a new run; its place in the sequence is its position."""

    name: str
    environment: str
    budget: int
    total: int


@dataclass(frozen=True, slots=True)
class NewTarget:
    """A target of a new run; its place in the sequence is its position."""

    name: str
    environment: str
    database: str
    server: str
    wave: int
    heads: Heads | None
    """Where the plan saw it; ``None`` where nobody could read it."""
    goal: Heads | None = None
    schema_class: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it."""

    id: int
    project: str
    verb: str
    revision: str
    state: RunState
    by: str
    created_at: int
    started_at: int | None
    ended_at: int | None
    reason: str | None
    """Why it waits, is paused, failed or was aborted."""
    waits_until: int | None
    """When a waiting run can go on by time alone."""
    stopped_by: str | None
    """Who paused or aborted it."""
    parent: int | None
    digest: str
    total: int
    holder: str | None
    """Who holds it, for people; ``None`` where nobody does."""
    token: int
    heartbeat_at: int | None
    request: Request | None
    request_by: str | None
    tally: Mapping[State | None, int]
    """How many targets are in which state."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted: all that is given must hold."""

    state: str = ""
    verb: str = ""
    by: str = ""
    """A part of who began it."""
    before: int | None = None
    """Only those with a smaller number."""


@dataclass(frozen=True, slots=True)
class AskedRecord:
    """Somebody who can't drive a run asked that it goes on."""

    run: int
    what: Literal["resume", "retry"]
    by: str
    reason: str
    targets: tuple[str, ...]
    """Those to be tried again; empty for all that failed."""
    at: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A target of a run as its map shows it."""

    position: int
    wave: int
    name: str
    state: State | None


@dataclass(frozen=True, slots=True)
class Pace:
    """When an attempt ended, how, and how long it took."""

    ended_at: int
    milliseconds: int
    state: AttemptState


@dataclass(frozen=True, slots=True)
class Seen:
    """What the newest run that had a target has to say of it."""

    run: int
    environment: str
    database: str
    state: State | None
    goal: Heads | None
    """Where that run brings it."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the attempts at a database's targets in an environment took, all that ended."""

    environment: str
    database: str
    at_most: tuple[int, ...]
    """How many took at most each of the bounds that were asked for."""
    count: int
    milliseconds: int
    """Of all together."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a ledger has, counted."""

    runs: Mapping[tuple[str, RunState], int]
    """By verb and state."""
    targets: Mapping[tuple[str, str, State | None], int]
    """Of runs that are not over, by environment, database and state."""
    attempts: Mapping[tuple[str, str, AttemptState], int]
    """That ended, by environment, database and state."""
    durations: tuple[Durations, ...]
    at_gates: tuple[tuple[int, str, int], ...]
    """Runs that wait at a gate, with its wave, and since when."""
    succeeded: Mapping[tuple[str, str], int]
    """When a target of an environment and a database was brought last to where it was to go."""
    now: int


@dataclass(frozen=True, slots=True)
class WaveRecord:
    """A wave of a run."""

    position: int
    name: str
    environment: str
    budget: int
    total: int
    state: WaveState
    failed: int
    started_at: int | None
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A target of a run."""

    position: int
    name: str
    environment: str
    database: str
    server: str
    wave: int
    heads: Heads | None
    goal: Heads | None
    schema_class: str | None
    detail: Mapping[str, Any]
    state: State | None
    """``None``: nothing happened yet."""
    attempts: int
    blocked_by: str | None
    settled_at: int | None
    doubt: bool
    """It was left in doubt, and nobody resolved it."""


@dataclass(frozen=True, slots=True)
class CommittingRecord:
    """What was about to change and can't be rolled back."""

    revision: str
    statement: str
    following: tuple[str, ...] = ()
    """Revisions right after it that may have begun, too."""

    @property
    def revisions(self) -> tuple[str, ...]:
        """All that may have begun."""
        return (self.revision, *self.following)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try at one target."""

    run: int
    position: int
    target: str
    number: int
    environment: str
    database: str
    started_at: int
    ended_at: int | None
    state: AttemptState | None
    """``None``: open."""
    heads_before: Heads | None
    heads_after: Heads | None
    revisions: tuple[str, ...]
    committing: tuple[CommittingRecord, ...]
    failure: Failure | None
    milliseconds: int | None
    replayed: int | None
    """How many of the revisions were sent as they were recorded on other targets."""


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One condition of a gate: how its last try went, and how many there were."""

    wave: int
    kind: GateKind
    state: Literal["passed", "failed", "overridden"]
    detail: str
    at: int
    tries: int


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """Somebody's word that a run may go on. ``Approved`` events are made with its very values."""

    wave: int
    by: str
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class OverrideRecord:
    """Somebody passed a closed gate."""

    wave: int
    kind: GateKind
    by: str
    reason: str
    detail: str
    at: int


@dataclass(frozen=True, slots=True)
class RemarkRecord:
    """Somebody decided something about a target."""

    target: str
    what: Literal["skipped", "retried", "created", "dropped", "kept", "differs"]
    by: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class DoubtRecord:
    """A target that nobody else may touch, with what is known of its last attempt.

    It was left in doubt; or a revision that can't be rolled back was begun, and nobody has
    recorded its end.
    """

    run: int
    target: str
    state: State | None
    """``None``: the run has still to look, or is at work on it."""
    environment: str
    database: str
    number: int
    since: int | None
    heads_before: Heads | None
    committing: tuple[CommittingRecord, ...]
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Standing:
    """At which heads a target has been since when."""

    target: str
    environment: str
    database: str
    heads: Heads
    since: int
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the last attempts of a kind took."""

    milliseconds: float
    count: int
