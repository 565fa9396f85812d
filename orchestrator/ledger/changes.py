"""What events change in the ledger's rows: a fold, without a database.

Each change sets columns of a row to values that follow from the events alone, so that making it
twice is the same as making it once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.ledger import codec
from orchestrator.ledger.records import LOST, CommittingRecord, Heads
from orchestrator.ledger.tables import LONGEST_KEY
from orchestrator.rollout import events as e
from orchestrator.rollout.outcomes import Outcome, State

Row = dict[str, Any]
AttemptKey = tuple[int, int]
"""A target's position and the number of the attempt."""

_KNOWS_HEADS = frozenset({State.DONE, State.UNCHANGED, State.FAILED})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's target is in its tables."""

    position: int
    environment: str
    database: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A target was seen at heads."""

    target: str
    place: Place
    heads: Heads
    at: int


@dataclass(slots=True)
class Changes:
    """What to write, by table."""

    run: Row = field(default_factory=dict)
    waves: dict[int, Row] = field(default_factory=dict)
    targets: dict[int, Row] = field(default_factory=dict)
    opened: dict[AttemptKey, Row] = field(default_factory=dict)
    """Attempts to insert where they are missing."""
    ended: dict[AttemptKey, Row] = field(default_factory=dict)
    committing: dict[AttemptKey, list[CommittingRecord]] = field(default_factory=dict)
    gates: list[Row] = field(default_factory=list)
    approvals: list[Row] = field(default_factory=list)
    overrides: list[Row] = field(default_factory=list)
    remarks: list[Row] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    """Targets whose doubts end in every run."""


def changes_of(events: Iterable[e.Event], verb: str, places: Mapping[str, Place]) -> Changes:
    """Return what the events of a run change. Raises ``ValueError`` for a target it has not."""
    fold = _Fold(verb, places)
    for event in events:
        fold.add(event)
    return fold.changes


class _Fold:
    """Adds one event after the other to the changes."""

    def __init__(self, verb: str, places: Mapping[str, Place]) -> None:
        self.changes = Changes()
        self._verb = verb
        self._places = places
        self._of: Mapping[type[e.Event], Callable[[Any], None]] = {
            e.RunStarted: self._started,
            e.RunResumed: self._resumed,
            e.RunWaiting: self._waiting,
            e.RunPaused: self._paused,
            e.RunAborted: self._aborted,
            e.RunFailed: self._failed,
            e.RunDone: self._done,
            e.WaveStarted: self._wave_started,
            e.WaveEnded: self._wave_ended,
            e.GatePassed: self._gate_passed,
            e.GateFailed: self._gate_failed,
            e.Approved: self._approved,
            e.Overridden: self._overridden,
            e.AttemptStarted: self._attempt_started,
            e.RevisionCommitting: self._committing,
            e.AttemptEnded: self._attempt_ended,
            e.AttemptLost: self._attempt_lost,
            e.TargetSettled: self._settled,
            e.TargetSkipped: self._skipped,
            e.TargetRetried: self._retried,
            e.TargetMade: self._made,
        }

    def add(self, event: e.Event) -> None:
        """Add one event."""
        self._of[type(event)](event)

    def _place(self, target: str) -> Place:
        try:
            return self._places[codec.text(target)]
        except KeyError:
            raise ValueError(f"the run has no target '{target}'") from None

    def _target(self, target: str, **columns: Any) -> None:
        self.changes.targets.setdefault(self._place(target).position, {}).update(columns)

    def _run(self, state: e.RunState, **columns: Any) -> None:
        cleared = dict.fromkeys(("reason", "waits_until", "stopped_by", "ended_at"))
        self.changes.run.update({**cleared, **columns, "state": state.value})

    def _started(self, event: e.RunStarted) -> None:
        self._run(e.RunState.RUNNING, started_at=event.at)

    def _resumed(self, event: e.RunResumed) -> None:
        begun = self.changes.run.get("started_at", event.at)
        self._run(e.RunState.RUNNING, started_at=begun)

    def _waiting(self, event: e.RunWaiting) -> None:
        reason = codec.text(event.reason)
        self._run(e.RunState.WAITING, reason=reason, waits_until=event.until)

    def _paused(self, event: e.RunPaused) -> None:
        by = codec.text(event.by) or None
        self._run(e.RunState.PAUSED, reason=codec.text(event.reason), stopped_by=by)

    def _aborted(self, event: e.RunAborted) -> None:
        reason, by = codec.text(event.reason) or None, codec.text(event.by)
        self._run(e.RunState.ABORTED, reason=reason, stopped_by=by, ended_at=event.at)

    def _failed(self, event: e.RunFailed) -> None:
        self._run(e.RunState.FAILED, reason=codec.text(event.reason), ended_at=event.at)

    def _done(self, event: e.RunDone) -> None:
        self._run(e.RunState.DONE, ended_at=event.at)

    def _wave(self, position: int, **columns: Any) -> None:
        self.changes.waves.setdefault(position, {}).update(columns)

    def _wave_started(self, event: e.WaveStarted) -> None:
        state = e.WaveState.RUNNING.value
        self._wave(event.wave, state=state, started_at=event.at, ended_at=None)

    def _wave_ended(self, event: e.WaveEnded) -> None:
        ended = event.at if event.since is None else event.since
        self._wave(event.wave, state=event.state.value, failed=event.failed, ended_at=ended)

    def _gate(self, event: Any, state: str) -> None:
        row = {"wave": event.wave, "kind": event.kind.value, "at": event.at, "state": state}
        self.changes.gates.append({**row, "detail": codec.text(event.detail)})

    def _gate_passed(self, event: e.GatePassed) -> None:
        self._gate(event, "passed")

    def _gate_failed(self, event: e.GateFailed) -> None:
        self._gate(event, "failed")

    def _approved(self, event: e.Approved) -> None:
        row = {"wave": event.wave, "at": event.at, "note": codec.text(event.note)}
        self.changes.approvals.append({**row, "by": codec.text(event.by, LONGEST_KEY)})

    def _overridden(self, event: e.Overridden) -> None:
        self._gate(event, "overridden")
        row = {"wave": event.wave, "kind": event.kind.value, "at": event.at}
        words = {"reason": codec.text(event.reason), "detail": codec.text(event.detail)}
        by = codec.text(event.by, LONGEST_KEY)
        self.changes.overrides.append({**row, **words, "by": by})

    def _attempt_started(self, event: e.AttemptStarted) -> None:
        place = self._place(event.target)
        self._target(event.target, attempts=event.number)
        names = {"environment": place.environment, "database": place.database}
        self.changes.opened[place.position, event.number] = {"started_at": event.at, **names}

    def _committing(self, event: e.RevisionCommitting) -> None:
        key = (self._place(event.target).position, event.number)
        one = CommittingRecord(event.revision, codec.text(event.statement), event.following)
        # From now on until somebody has seen its end, nobody else may touch the target.
        self._target(event.target, doubt=True)
        self.changes.committing.setdefault(key, []).append(one)

    def _attempt_ended(self, event: e.AttemptEnded) -> None:
        outcome = event.outcome
        half = outcome.failure is not None and outcome.failure.half_applied
        doubt = outcome.state is State.IN_DOUBT or (event.final and half)
        self._target(outcome.target, attempts=event.number, doubt=doubt)
        key = (self._place(outcome.target).position, event.number)
        self.changes.ended[key] = _ended(event, self._verb)
        if event.final:
            self._settle(outcome, event.at)
        self._see(outcome, event.at)

    def _attempt_lost(self, event: e.AttemptLost) -> None:
        failure = codec.dumps({"message": event.reason})
        row = {"ended_at": event.at, "state": LOST, "failure": failure}
        key = (self._place(event.target).position, event.number)
        self.changes.ended[key] = {**_NOTHING, **row}

    def _settled(self, event: e.TargetSettled) -> None:
        if event.outcome.state is State.IN_DOUBT:
            self._target(event.outcome.target, doubt=True)
        self._settle(event.outcome, event.at)
        if event.outcome.state is State.UNCHANGED:
            self._see(event.outcome, event.at)

    def _settle(self, outcome: Outcome, at: int) -> None:
        blocked_by = codec.optional(outcome.blocked_by)
        state = outcome.state.value
        self._target(outcome.target, state=state, blocked_by=blocked_by, settled_at=at)

    def _see(self, outcome: Outcome, at: int) -> None:
        known = outcome.state in _KNOWS_HEADS
        # A failed attempt may have never read them.
        if known and (outcome.heads or outcome.state is not State.FAILED):
            place = self._place(outcome.target)
            self.changes.sightings.append(Sighting(outcome.target, place, outcome.heads, at))
        if self._verb == "stamp" and outcome.state in (State.DONE, State.UNCHANGED):
            self.changes.cleared.append(outcome.target)

    def _skipped(self, event: e.TargetSkipped) -> None:
        skipped = {"state": State.SKIPPED.value, "blocked_by": None, "settled_at": event.at}
        self._target(event.target, doubt=False, **skipped)
        self._remark(event, "skipped", codec.text(event.reason))

    def _retried(self, event: e.TargetRetried) -> None:
        self._target(event.target, state=None, blocked_by=None, settled_at=None, doubt=False)
        self._remark(event, "retried", "")

    def _made(self, event: e.TargetMade) -> None:
        position = self._place(event.target).position
        row = {"position": position, "what": event.what, "at": event.at, "by": ""}
        self.changes.remarks.append({**row, "reason": codec.text(event.detail)})

    def _remark(self, event: Any, what: str, reason: str) -> None:
        position = self._place(event.target).position
        row = {"position": position, "what": what, "at": event.at, "reason": reason}
        self.changes.remarks.append({**row, "by": codec.text(event.by, LONGEST_KEY)})


_NOTHING: Mapping[str, Any] = {
    "heads_before": None,
    "heads_after": None,
    "revisions": None,
    "milliseconds": None,
    "path": None,
    "replayed": None,
}


def _ended(event: e.AttemptEnded, verb: str) -> Row:
    outcome = event.outcome
    revisions = [revision.id for revision in outcome.revisions]
    succeeded = outcome.state is State.DONE
    return {
        "ended_at": event.at,
        "state": outcome.state.value,
        "heads_before": codec.heads_text(outcome.heads_before),
        "heads_after": codec.heads_text(outcome.heads),
        "revisions": codec.dumps(revisions),
        "milliseconds": round(outcome.seconds * 1000),
        "failure": codec.failure_text(outcome.failure),
        # Only of what succeeded: estimates look for nothing else.
        "path": codec.path_of(verb, revisions) if succeeded else None,
        "replayed": outcome.replayed,
    }
