"""The loop round targets that are only read: start what may start, wait, settle what ended."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from orchestrator.config.models import Rollout
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.slots import MACHINE, server_slot
from orchestrator.engines.local import CannotStart, Event, Finished, Lost, Message, Pool
from orchestrator.fleet.target import Target
from orchestrator.rollout.crowding import Crowding
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.rollout.retry import retry_delay
from orchestrator.rollout.schedule import Schedule, Work
from orchestrator.worker.jobs import Job

_TICK = 0.2
"""Seconds between looks at Ctrl-C."""


@dataclass(slots=True)
class Drive:
    """Runs one job per target until each has its outcome."""

    pool: Pool
    observer: Observer
    interrupts: Interrupts
    targets: Mapping[str, Target]
    job: Callable[[Target], Job]
    settings: Callable[[Target], Rollout]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _crowding: Crowding = field(default_factory=Crowding)
    _began: dict[str, float] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _retries: list[tuple[float, str]] = field(default_factory=list)
    _last: dict[str, Outcome] = field(default_factory=dict)
    _seen_presses: int = 0

    def run(self, works: Iterable[Work]) -> dict[str, Outcome]:
        """Return the outcome of every work. Starts nothing more after the first Ctrl-C."""
        schedule = Schedule(works)
        while not schedule.done:
            self._heed_interrupts(schedule)
            self._start(schedule)
            for event in self.pool.wait(self._patience()):
                self._handle(event, schedule)
        for name in schedule.unstarted:
            self._settle(Outcome(name, State.NOT_STARTED))
        return self.outcomes

    def _start(self, schedule: Schedule) -> None:
        # One at a time: starting a worker takes long enough for a Ctrl-C in between.
        while names := schedule.start(limit=1):
            self._began[names[0]] = time.monotonic()
            self._submit(names[0], schedule)
            self._heed_interrupts(schedule)
        while self._retries and self._retries[0][0] <= time.monotonic():
            name = heappop(self._retries)[1]
            if not self._crowding.free(self.targets[name].server):
                heappush(self._retries, (time.monotonic() + _TICK, name))
                continue
            self._submit(name, schedule)
            self._heed_interrupts(schedule)

    def _submit(self, name: str, schedule: Schedule) -> None:
        target = self.targets[name]
        self._crowding.begin(target.server, name)
        attempt = self._attempts[name] = self._attempts.get(name, 0) + 1
        timeout = self.settings(target).target_timeout
        try:
            self.pool.submit(name, self.job(target), timeout, kind=target.database)
        except CannotStart as error:
            self._not_begun(target, str(error), schedule)
            return
        self.observer.started(target, attempt)

    def _not_begun(self, target: Target, why: str, schedule: Schedule) -> None:
        """Put a target back that the system has no process for: fewer at once may do."""
        if busy := self.pool.busy:
            self._crowding.end(target.server, target.name)
            self._attempts[target.name] -= 1
            schedule.put_back(target.name)
            schedule.narrow(MACHINE, busy)
            self.observer.crowded(MACHINE, busy, Failure(why))
        else:
            self._ended(Outcome(target.name, State.FAILED, failure=Failure(why)), schedule)

    def _patience(self) -> float:
        if not self._retries:
            return _TICK
        return min(_TICK, max(0.0, self._retries[0][0] - time.monotonic()))

    def _handle(self, event: Event, schedule: Schedule) -> None:
        match event:
            case Message(name, content):
                self.observer.running(self.targets[name], content.revision)
            case Finished(name, outcome):
                self._ended(outcome, schedule)
            case Lost(name, _):
                self._ended(self._lost(event), schedule)

    def _ended(self, outcome: Outcome, schedule: Schedule) -> None:
        name = outcome.target
        outcome = replace(outcome, attempts=self._attempts[name], seconds=self._elapsed(name))
        self._make_room(outcome, schedule)
        delay = self._delay(outcome)
        if delay is not None and outcome.failure is not None:
            self._last[name] = outcome
            heappush(self._retries, (time.monotonic() + delay, name))
            self.observer.retrying(self.targets[name], outcome.failure, delay)
            return
        self._finish(outcome, schedule)

    def _make_room(self, outcome: Outcome, schedule: Schedule) -> None:
        """An attempt is over: where its server ran out of something, fewer go at once there."""
        target = self.targets[outcome.target]
        limit = self._crowding.end(target.server, target.name, exhausted=outcome.exhausted)
        if limit is not None and outcome.failure is not None:
            schedule.narrow(server_slot(target), limit)
            self.observer.crowded(target.server, limit, outcome.failure)

    def _finish(self, outcome: Outcome, schedule: Schedule) -> None:
        self._settle(outcome)
        schedule.finish(outcome.target, succeeded=True)  # nothing waits for it

    def _settle(self, outcome: Outcome) -> None:
        self.outcomes[outcome.target] = outcome
        self.observer.finished(self.targets[outcome.target], outcome)

    def _delay(self, outcome: Outcome) -> float | None:
        if self.interrupts.presses:
            return None
        target = self.targets[outcome.target]
        settings = self.settings(target)
        luck = random.random()  # noqa: S311 - spreads load, guards nothing
        retries = self._crowding.retries(target.server, settings.retries)
        return retry_delay(outcome, retries, settings.retry_delay, luck)

    def _lost(self, event: Lost) -> Outcome:
        retryable = not event.timed_out and not self.interrupts.presses
        failure = Failure(event.reason, retryable=retryable)
        return Outcome(event.key, State.FAILED, failure=failure)

    def _heed_interrupts(self, schedule: Schedule) -> None:
        presses = self.interrupts.presses
        if presses == self._seen_presses:
            return
        self._seen_presses = presses
        self.observer.interrupted(presses)
        schedule.stop()
        while self._retries:
            self._finish(self._last[heappop(self._retries)[1]], schedule)
        if presses > 1:
            for lost in self.pool.kill():
                self._ended(self._lost(lost), schedule)

    def _elapsed(self, name: str) -> float:
        return round(time.monotonic() - self._began[name], 3)
