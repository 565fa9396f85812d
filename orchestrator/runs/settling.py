"""From what workers say to what is recorded: an attempt's end, its loss, what it asks meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.engines.base import EngineEvent, Finished, Lost, Message
from orchestrator.rollout.events import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    Event,
    RunState,
    TargetMade,
)
from orchestrator.rollout.outcomes import RUN_TARGET, Failure, Outcome, State
from orchestrator.rollout.state_machine import OVER, StateMachine
from orchestrator.runs.attempts import Attempts, attempts_of, verified
from orchestrator.runs.context import RunContext
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.runs.recording import Recorder
from orchestrator.worker.jobs import Committing, Go, Leave, Made, Running, Waiting

_VERIFY_FOR = 60.0
"""Seconds for which a target that may be half done is looked for before somebody has to."""
_VERIFY_EVERY = 5.0
_RESUME = "look what became of it, and go on: orchestrator resume"

CommitRequest = tuple[str, Committing]
"""A target, and the revision that asks there whether it may commit."""


@dataclass(slots=True)
class Settler:
    """Decides what each attempt comes to: another one, an outcome, or a doubt.

    Guarantees: an attempt whose end nobody saw is followed by one that looks under the target's
    lock, or its target is in doubt; a revision goes on only once ``answer`` says that it was
    recorded; nothing is tried again once the run is to stop.
    """

    context: RunContext
    run: RecordedRun
    machine: StateMachine
    dispatcher: Dispatcher
    recorder: Recorder
    attempts: dict[str, Attempts] = field(init=False)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """The latest of every target that was worked on."""
    pending: list[Event] = field(default_factory=list)
    """What happened, and is to be recorded and applied."""
    commit_requests: list[CommitRequest] = field(default_factory=list)
    """What waits for an answer."""
    _waiting: set[str] = field(default_factory=set)
    """Targets whose workers wait for somebody else's lock."""

    def __post_init__(self) -> None:
        there = (t for t in self.run.plan.targets if t.name in self.run.targets)
        heads = {planned.name: planned.heads for planned in there}
        self.attempts = attempts_of(heads, self.run.earlier, held_to=self.run.held_to)

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to start, though the run is not at its end."""
        stopped = self.machine.state in {RunState.PAUSED, RunState.ABORTED}
        return stopped or self.dispatcher.interrupted or self.recorder.lease_lost is not None

    def drain(self) -> list[Event]:
        """Return what happened since the last call."""
        pending, self.pending = self.pending, []
        return pending

    def drain_commit_requests(self) -> list[CommitRequest]:
        """Return what was asked since the last call, to be answered once it is recorded."""
        commit_requests, self.commit_requests = self.commit_requests, []
        return commit_requests

    def committing(self, commit_requests: Sequence[CommitRequest]) -> list[Event]:
        """Return what is to be recorded before what was asked may be answered with yes."""
        now = self.recorder.now
        return [self.attempts[name].committing_at(now, name, one) for name, one in commit_requests]

    def answer(self, commit_requests: Sequence[CommitRequest], *, go: bool) -> None:
        """Tell those who wait for it whether they may go on."""
        for name, committing in commit_requests:
            if committing.waits:
                self.attempts[name].answered(committing, go=go)
                self.dispatcher.engine.answer(name, Go(ok=go))

    def handle(self, event: EngineEvent) -> None:
        """Take in something that happened to an attempt."""
        match event:
            case Message(name, content):
                self._on_message(name, content)
            case Finished(content=outcome):
                self._ended(outcome)
            case Lost():
                self._lost(event)

    def next_attempt(self, name: str) -> AttemptStarted:
        """Return what is to be recorded before a target is tried."""
        return AttemptStarted(self.recorder.now, name, self.attempts[name].number + 1)

    def requeue(self, name: str) -> AttemptEnded:
        """Return what is to be said of an attempt that did not come to work on its target."""
        nothing = Outcome(name, State.NOT_STARTED)
        return AttemptEnded(self.recorder.now, self.attempts[name].number, nothing)

    def notify(self, outcome: Outcome) -> None:
        """Keep an outcome, and tell it to whoever watches."""
        self.outcomes[outcome.target] = outcome
        self._notify(outcome.target)

    def cancel_retries(self) -> list[AttemptEnded]:
        """Settle what waits for another attempt once the wave is over its budget.

        But what nobody saw the end of: somebody has to look.
        """
        seen = self.dispatcher.cancel_retries(lambda name: not self.attempts[name].unseen)
        now = self.recorder.now
        return [AttemptEnded(now, self.attempts[n].number, self.outcomes[n]) for n in seen]

    def stop(self) -> None:
        """Nothing more is to start: what waits to be tried again is left to whoever resumes."""
        for name in self.dispatcher.cancel_retries():
            self._notify(name)
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        """Nobody waits for a lock any more."""
        while self._waiting:
            self.dispatcher.engine.answer(self._waiting.pop(), Leave())

    def _notify(self, name: str) -> None:
        self.context.observer.finished(self.run.targets[name], self.outcomes[name])

    def _on_message(self, name: str, content: object) -> None:
        match content:
            case Running(revision):
                self.attempts[name].revision = revision
                self._waiting.discard(name)
                self.context.observer.running(self.run.targets[name], revision)
            case Committing(waits=waits):
                self.commit_requests.append((name, content))
                if not waits:
                    self.attempts[name].answered(content, go=True)
            case Waiting(holder):
                self._waiting.add(name)
                self.context.observer.waiting(name, f"locked by {holder}")
                if self.stopping:
                    self._stop_waiting()
            case Made(what, detail):
                if what == "differs":
                    self.context.workers.replays = False
                self.pending.append(TargetMade(self.recorder.now, name, what, detail))

    def _ended(self, outcome: Outcome) -> None:
        name, attempts = outcome.target, self.attempts[outcome.target]
        self._waiting.discard(name)
        outcome = self._addressed(outcome)
        failure = outcome.failure
        if failure is not None and failure.unseen:
            self._unseen(outcome, failure)
            return
        if attempts.denied and outcome.state is State.FAILED:
            # It stopped between two revisions because we could not write; it is to go on later.
            self.outcomes[name] = outcome
            requeue = replace(outcome, state=State.NOT_STARTED)
            self.pending.append(AttemptEnded(self.recorder.now, attempts.number, requeue))
            return
        delay = self._delay(outcome)
        final = delay is None and not self._stays_open(outcome)
        outcome = self._addressed(attempts.seen(outcome, final=final))
        self.outcomes[name] = outcome
        self.pending.append(AttemptEnded(self.recorder.now, attempts.number, outcome, final))
        if delay is not None and outcome.failure is not None:
            self._retry(outcome.failure, name, delay)
        else:
            self._notify(name)

    def _lost(self, event: Lost) -> None:
        """A worker is gone."""
        name = event.key
        self._waiting.discard(name)
        failure = Failure(event.reason, next_step=_RESUME, revision=self.attempts[name].revision)
        tries, seconds = self.dispatcher.tries[name], self.dispatcher.seconds(name)
        outcome = Outcome(name, State.IN_DOUBT, failure=failure, attempts=tries, seconds=seconds)
        self._unseen(outcome, failure, verify_only=event.timed_out)

    def _unseen(self, outcome: Outcome, failure: Failure, *, verify_only: bool = False) -> None:
        """Another attempt looks what became of one whose end nobody saw."""
        name, attempts = outcome.target, self.attempts[outcome.target]
        attempts.lose(failure.message)
        self.pending.append(AttemptLost(self.recorder.now, name, attempts.number, failure.message))
        self.outcomes[name] = replace(outcome, state=State.IN_DOUBT)
        if self.stopping:
            self._notify(name)
            return
        settings, tries = self.context.limits(self.run.targets[name]), self.dispatcher.tries[name]
        attempts.verify_only = verify_only or tries > settings.retries
        delay = 0.0 if verify_only else settings.retry_delay * 2.0 ** (tries - 1)
        self._retry(failure, name, delay)

    def _retry(self, failure: Failure, name: str, delay: float) -> None:
        self.dispatcher.retry(name, delay)
        self.context.observer.retrying(self.run.targets[name], failure, delay)

    def _delay(self, outcome: Outcome) -> float | None:
        """Return when the target is tried again, in seconds; ``None`` where it is not."""
        if self.stopping or self.machine.state in OVER or self.machine.over_budget:
            return None
        settings = self.context.limits(self.run.targets[outcome.target])
        attempts = self.attempts[outcome.target]
        if attempts.committing and not verified(outcome) and attempts.lost_for < _VERIFY_FOR:
            return min(_VERIFY_EVERY, settings.retry_delay * 2.0 ** (outcome.attempts - 1))
        return self.dispatcher.delay(outcome, settings)

    def _stays_open(self, outcome: Outcome) -> bool:
        """Whether a target would have had another attempt if the run had not been stopped."""
        retryable = outcome.failure is not None and outcome.failure.retryable
        return self.stopping and outcome.state is State.FAILED and retryable

    def _addressed(self, outcome: Outcome) -> Outcome:
        """Write into its next step which run and target it is about."""
        failure = outcome.failure
        if failure is None or failure.next_step is None:
            return outcome
        step = failure.next_step.replace(RUN_TARGET, f"{self.run.id} {outcome.target}")
        return replace(outcome, failure=replace(failure, next_step=step))
