"""One job on each of many targets, where nothing is recorded: what commands do that only read."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from orchestrator.config.models import Config, Rollout
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.engines.base import EngineEvent, Finished, Lost, Message
from orchestrator.fleet.target import Target
from orchestrator.rollout.limits import limits
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.rollout.schedule import Schedule
from orchestrator.worker.jobs import Job


@dataclass(slots=True)
class Batch:
    """Runs a job on each target of a schedule until each has its outcome."""

    dispatcher: Dispatcher
    schedule: Schedule
    config: Config
    job: Callable[[Target], Job]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _new: list[Outcome] = field(default_factory=list)
    """Those that were not yielded yet."""
    _began: dict[str, float] = field(default_factory=dict)
    """When the first attempt at each target began."""
    _failed: dict[str, Outcome] = field(default_factory=dict)
    """How the latest attempt ended of targets that are to be tried again."""

    def run(self) -> dict[str, Outcome]:
        """Return the outcome of every target. Starts nothing more after the first Ctrl-C."""
        return {outcome.target: outcome for outcome in self.results()}

    def results(self) -> Iterator[Outcome]:
        """Yield the outcome of every target as it comes, and work meanwhile."""
        while True:
            self.start()
            self._handle_interrupts()
            yield from self._settled()
            if self.schedule.done:
                break
            if self.dispatcher.patience is not None:
                left = (name for name in self.dispatcher.targets if name not in self.outcomes)
                self.dispatcher.tell_empty(left, self.dispatcher.patience)
            self._handle(self.dispatcher.wait())
        for name in self.schedule.unstarted:
            self._settle(Outcome(name, State.NOT_STARTED))
        yield from self._settled()

    def start(self) -> None:
        """Start what may start now."""
        # One at a time: starting a worker takes long enough for a Ctrl-C in between.
        while not self.dispatcher.interrupted and (names := self.schedule.start(limit=1)):
            if not self.dispatcher.has_room(names[0]):
                self.schedule.requeue(names[0])
                break
            self._began[names[0]] = time.monotonic()
            self._submit(names[0])
        while not self.dispatcher.interrupted and (name := self.dispatcher.next_due()) is not None:
            self._submit(name)

    def _submit(self, name: str) -> None:
        target = self.dispatcher.targets[name]
        self.dispatcher.reserve(name)
        timeout = self._settings(target).target_timeout
        full = self.dispatcher.submit(name, self.job(target), timeout)
        if full is None:
            return
        if self.dispatcher.busy and not self.dispatcher.is_given_up(name):  # fewer at once may do
            self.schedule.requeue(name)
        else:
            tries = self.dispatcher.tries.get(name, 0) + 1
            self._ended(Outcome(name, State.FAILED, failure=Failure(full), attempts=tries))

    def _handle(self, events: Iterable[EngineEvent]) -> None:
        for event in events:
            match event:
                case Message(name, content):
                    target = self.dispatcher.targets[name]
                    self.dispatcher.observer.running(target, content.revision)
                case Finished(_, outcome):
                    self._ended(outcome)
                case Lost():
                    self._ended(self._lost(event))

    def _ended(self, outcome: Outcome) -> None:
        name, dispatcher = outcome.target, self.dispatcher
        target = dispatcher.targets[name]
        outcome = replace(outcome, seconds=round(time.monotonic() - self._began[name], 3))
        delay = None
        if not dispatcher.interrupted:
            delay = dispatcher.delay(outcome, self._settings(target))
        if delay is None or outcome.failure is None:
            self._finish(outcome)
            return
        self._failed[name] = outcome
        dispatcher.retry(name, delay)
        dispatcher.observer.retrying(target, outcome.failure, delay)

    def _lost(self, event: Lost) -> Outcome:
        retryable = not event.timed_out and not self.dispatcher.interrupted
        failure = Failure(event.reason, retryable=retryable)
        tries = self.dispatcher.tries[event.key]
        return Outcome(event.key, State.FAILED, failure=failure, attempts=tries)

    def _finish(self, outcome: Outcome) -> None:
        self._settle(outcome)
        self.schedule.finish(outcome.target, succeeded=True)  # nothing waits for it

    def _settled(self) -> list[Outcome]:
        found, self._new = self._new, []
        return found

    def _settle(self, outcome: Outcome) -> None:
        self.outcomes[outcome.target] = outcome
        self._new.append(outcome)
        target = self.dispatcher.targets[outcome.target]
        self.dispatcher.observer.finished(target, outcome)

    def _handle_interrupts(self) -> None:
        lost = self.dispatcher.handle_interrupts()
        if lost is None:
            return
        self.schedule.stop()
        for name in self.dispatcher.cancel_retries():
            self._finish(self._failed[name])
        self._handle(lost)

    def _settings(self, target: Target) -> Rollout:
        return limits(self.config, target.environment, target.database)
