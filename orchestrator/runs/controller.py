"""The loop round a run: record what happened and what starts, act, wait, look who asks for what."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush

from orchestrator.config.models import Rollout
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.slots import MACHINE, server_slot
from orchestrator.engines.base import CannotStart, Engine, Finished, Lost, Message
from orchestrator.engines.base import Event as PoolEvent
from orchestrator.fleet.target import Target
from orchestrator.rollout.crowding import Crowding
from orchestrator.rollout.events import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    Event,
    RunAborted,
    RunPaused,
    RunState,
    TargetMade,
    TargetSettled,
)
from orchestrator.rollout.outcomes import RUN_TARGET, Failure, Outcome, State
from orchestrator.rollout.retry import retry_delay
from orchestrator.rollout.run import OVER, Run
from orchestrator.runs.attempts import Trail, looked
from orchestrator.runs.gates.waiting import Waits
from orchestrator.runs.recording import Record
from orchestrator.worker.jobs import Committing, Go, Job, Leave, Made, Running, Waiting

_TICK = 0.2
"""Seconds between looks at Ctrl-C and at what others ask."""
_LOOKS = 60.0
"""Seconds for which a target that may be half done is looked for before somebody has to."""
_LOOKS_AGAIN = 5.0
_BATCH = 64
"""Targets that are recorded together before they start."""
_SETTLED = 2000
"""Targets that are settled together without a worker."""
_RESUME = "look what became of it, and go on: orchestrator resume"


@dataclass(slots=True)
class Rolling:
    """Drives a run that we hold until it ends, waits, or is stopped.

    Guarantees: nothing is started that was not recorded before; once the ledger is gone or
    somebody else has taken the run, nothing starts, and what runs is finished.
    """

    run: Run
    record: Record
    waits: Waits
    pool: Engine
    observer: Observer
    interrupts: Interrupts
    targets: Mapping[str, Target]
    trails: Mapping[str, Trail]
    job: Callable[[Target, Trail], Job]
    settings: Callable[[Target], Rollout]
    by: str
    settled: Callable[[Target], Outcome | None] = lambda _: None
    """Returns the outcome of a target that needs no worker, when its turn comes."""
    edited: Callable[[], str | None] = lambda: None
    """Tells whether what is to be run is not any more what was planned."""
    patience: float = 60.0
    """Seconds for which a ledger that went away is waited for when nothing runs any more."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """The latest of every target that was worked on."""
    _crowding: Crowding = field(default_factory=Crowding)
    _retries: list[tuple[float, str]] = field(default_factory=list)
    _news: list[Event] = field(default_factory=list)
    _asked: list[tuple[str, Committing]] = field(default_factory=list)
    _waiting: set[str] = field(default_factory=set)
    """Targets whose workers wait for somebody else's lock."""
    _full: bool = False
    """Whether the system has no more processes for the targets that are about to start."""
    _more: bool = False
    """Whether what was settled may let more start at once."""
    _seen_presses: int = 0

    def drive(self) -> None:
        """Go on until there is nothing more to do here. How it ended is ``run.state``."""
        while True:
            self._heed()
            self._step()
            if self._over():
                return
            for event in self.pool.wait(self._patience()):
                self._handle(event)

    def _over(self) -> bool:
        if self.pool.busy or self._news or self._more:
            return False
        if self.record.taken is not None:
            return True
        if self.record.lost is not None:
            return self.record.lost_for > self.patience
        return self.run.state in OVER or self.run.state is RunState.PAUSED or self.waits.leaves

    def _step(self) -> None:
        """Record what happened and what follows, then start what may start."""
        news, self._news = self._news, []
        self._take_in(news)
        self._put_back_retries()
        news += self._follow(recorded=not news and self.record.complete)
        settled, starts = self._next() if self._may_start() else ([], [])
        asked, self._asked = self._asked, []
        # What was asked comes before how its attempt ended, which may be among the news.
        now = self.record.now
        told = [self.trails[name].committing_at(now, name, one) for name, one in asked]
        written = self.record.write([*told, *news, *settled], [event for event, _ in starts])
        for name, committing in asked:
            if committing.waits:
                self._answer(name, committing, go=written)
        self._full = False
        for event, name in starts:
            if written:
                self._begin(event, name)
                continue
            self._crowding.end(self.targets[name].server, name)
            if name in self.run.running:
                heappush(self._retries, (time.monotonic(), name))
        self._more = bool(settled or news)

    def _follow(self, *, recorded: bool) -> list[Event]:
        """Let the run decide what follows of itself, and say what it waits for.

        Only once all is ``recorded``: what a gate looks for in the ledger is to be there.
        """
        found: list[Event] = []
        while True:
            events = self.run.decide(self.record.now)
            looks = recorded and not found and not self.run.busy and self.record.lost is None
            if not events and looks:
                events = self.waits.look(self.run, self.record)
            if not events:
                return found
            self._take_in(events)
            found += events

    def _take_in(self, events: Sequence[Event]) -> None:
        for event in events:
            self.run.apply(event)
            if isinstance(event, TargetSettled):
                self._told(event.outcome)
            self.observer.happened(event)

    def _may_start(self) -> bool:
        return (
            self.record.lost is None
            and self.record.taken is None
            and not self.interrupts.presses
            and self.waits.open(self.run, self.record.now)
        )

    def _give_up_retries(self) -> list[Event]:
        """Settle what waits for another attempt once the wave is over its budget.

        But what nobody saw the end of: somebody has to look.
        """
        seen = [entry for entry in self._retries if not self.trails[entry[1]].unseen]
        self._retries = [entry for entry in self._retries if entry not in seen]
        heapify(self._retries)
        now = self.record.now
        ended: list[Event] = [
            AttemptEnded(now, self.trails[name].number, self.outcomes[name]) for _, name in seen
        ]
        self._take_in(ended)
        for _, name in seen:
            self._told(self.outcomes[name])
        return ended

    def _next(self) -> tuple[list[Event], list[tuple[AttemptStarted, str]]]:
        """Return what is settled without a worker, and the attempts that start now."""
        if self.run.over_budget and (given_up := self._give_up_retries()):
            return given_up, []
        starts: list[tuple[AttemptStarted, str]] = []
        settled: list[Event] = []
        for name in self._due():
            starts.append((self._started(name), name))
        taken = len(starts)
        while len(starts) < _BATCH and len(settled) < _SETTLED:
            offered = self.run.may_start(len(starts) - taken + 1)[len(starts) - taken :]
            if not offered or self.interrupts.presses:
                break
            outcome = self.settled(self.targets[offered[0]])
            if outcome is None and not self._crowding.free(self.targets[offered[0]].server):
                break
            if outcome is None:
                starts.append((self._started(offered[0]), offered[0]))
            else:
                settled.append(TargetSettled(self.record.now, outcome))
                self._take_in(settled[-1:])
        return settled, starts

    def _due(self) -> Iterator[str]:
        """Yield what is to be tried again now, and that its server has room for."""
        crowded = []
        while self._retries and self._retries[0][0] <= time.monotonic():
            _, name = heappop(self._retries)
            if self._crowding.free(self.targets[name].server):
                yield name
            else:
                crowded.append((time.monotonic() + _TICK, name))
        for entry in crowded:
            heappush(self._retries, entry)

    def _started(self, name: str) -> AttemptStarted:
        self._crowding.begin(self.targets[name].server, name)
        return AttemptStarted(self.record.now, name, self.trails[name].number + 1)

    def _begin(self, event: AttemptStarted, name: str) -> None:
        """Give a target that is recorded as started to a worker, unless Ctrl-C came meanwhile."""
        self.run.apply(event)
        self.observer.happened(event)
        trail, target = self.trails[name], self.targets[name]
        number = trail.start()
        trail.began = time.monotonic()
        self._heed()
        if self.interrupts.presses:
            self._crowding.end(target.server, name)
            outcome = Outcome(name, State.NOT_STARTED)
            self._news.append(AttemptEnded(self.record.now, number, outcome))
            return
        settings = self.settings(target)
        timeout = settings.target_timeout + settings.wait_for_lock
        if self._full:
            self._not_begun(target, number)
            return
        try:
            self.pool.submit(name, self.job(target, trail), timeout, kind=target.database)
        except CannotStart as error:
            self._full = True
            self._not_begun(target, number)
            self._have_fewer(str(error))
            return
        self.observer.started(target, trail.tries)

    def _not_begun(self, target: Target, number: int) -> None:
        """Put a target back that the system has no process for."""
        self._crowding.end(target.server, target.name)
        self.trails[target.name].tries -= 1
        nothing = Outcome(target.name, State.NOT_STARTED)
        self._news.append(AttemptEnded(self.record.now, number, nothing))

    def _have_fewer(self, why: str) -> None:
        """Go on with as many as there are, which may do; with none, leave it to ``resume``."""
        if busy := self.pool.busy:
            self.run.narrow(MACHINE, busy)
            self.observer.crowded(MACHINE, busy, Failure(why))
        else:
            self._stop(RunPaused(self.record.now, why))

    def _handle(self, event: PoolEvent) -> None:
        name = event.key
        match event:
            case Message(content=Running(revision=revision)):
                self.trails[name].revision = revision
                self._waiting.discard(name)
                self.observer.running(self.targets[name], revision)
            case Message(content=Committing() as committing):
                self._asked.append((name, committing))
                if not committing.waits:
                    self.trails[name].answered(committing, go=True)
            case Message(content=Waiting(holder=holder)):
                self._waiting.add(name)
                self.observer.waiting(self.targets[name].name, f"locked by {holder}")
                self._wait_no_more()
            case Message(content=Made(what=what, detail=detail)):
                made = TargetMade(self.record.now, name, what, detail)
                self._news.append(made)
            case Finished(content=outcome):
                self._ended(outcome)
            case Lost():
                self._lost(event)

    def _wait_no_more(self) -> None:
        """Once the run is to stop, nobody waits for a lock any more."""
        if self._stopping:
            while self._waiting:
                self.pool.answer(self._waiting.pop(), Leave())

    def _answer(self, name: str, committing: Committing, *, go: bool) -> None:
        self.trails[name].answered(committing, go=go)
        self.pool.answer(name, Go(ok=go))

    def _ended(self, outcome: Outcome) -> None:
        trail = self.trails[outcome.target]
        self._waiting.discard(outcome.target)
        self._make_room(outcome)
        seconds = round(time.monotonic() - trail.began, 3)
        outcome = self._addressed(replace(outcome, attempts=trail.tries, seconds=seconds))
        failure = outcome.failure
        if failure is not None and failure.unseen:
            self._unseen(outcome, failure)
            return
        if trail.denied and outcome.state is State.FAILED:
            # It stopped between two revisions because we could not write; it is to go on later.
            self.outcomes[outcome.target] = outcome
            put_back = replace(outcome, state=State.NOT_STARTED)
            self._news.append(AttemptEnded(self.record.now, trail.number, put_back))
            return
        delay = self._delay(outcome)
        final = delay is None and not self._keeps_open(outcome)
        outcome = self._addressed(trail.seen(outcome, final=final))
        self.outcomes[outcome.target] = outcome
        self._news.append(AttemptEnded(self.record.now, trail.number, outcome, final))
        if delay is not None and outcome.failure is not None:
            self._again(outcome, outcome.failure, delay)
        else:
            self._told(outcome)

    def _addressed(self, outcome: Outcome) -> Outcome:
        """Write into its next step which run and target it is about."""
        failure = outcome.failure
        if failure is None or failure.next_step is None:
            return outcome
        step = failure.next_step.replace(RUN_TARGET, f"{self.record.hold.run} {outcome.target}")
        return replace(outcome, failure=replace(failure, next_step=step))

    def _make_room(self, outcome: Outcome) -> None:
        """An attempt is over: where its server ran out of something, fewer go at once there."""
        target = self.targets[outcome.target]
        limit = self._crowding.end(target.server, target.name, exhausted=outcome.exhausted)
        if limit is not None and outcome.failure is not None:
            self.run.narrow(server_slot(target), limit)
            self.observer.crowded(target.server, limit, outcome.failure)

    def _again(self, outcome: Outcome, failure: Failure, delay: float) -> None:
        heappush(self._retries, (time.monotonic() + delay, outcome.target))
        self.observer.retrying(self.targets[outcome.target], failure, delay)

    def _put_back_retries(self) -> None:
        """While the window is closed, what waits for another attempt keeps nobody here.

        Told to the run alone: the ledger has how the attempts before ended.
        """
        if self._retries and not self.waits.open(self.run, self.record.now):
            for _, name in self._retries:
                nothing = Outcome(name, State.NOT_STARTED)
                self.run.apply(AttemptEnded(self.record.now, self.trails[name].number, nothing))
            self._retries.clear()

    def _keeps_open(self, outcome: Outcome) -> bool:
        """Whether a target would have had another attempt if the run had not been stopped."""
        retryable = outcome.failure is not None and outcome.failure.retryable
        return self._stopping and outcome.state is State.FAILED and retryable

    @property
    def _stopping(self) -> bool:
        stopped = self.run.state in {RunState.PAUSED, RunState.ABORTED}
        return stopped or bool(self.interrupts.presses) or self.record.taken is not None

    def _told(self, outcome: Outcome) -> None:
        self.outcomes[outcome.target] = outcome
        self.observer.finished(self.targets[outcome.target], outcome)

    def _delay(self, outcome: Outcome) -> float | None:
        if self._stopping or self.run.state in OVER or self.run.over_budget:
            return None
        target = self.targets[outcome.target]
        settings = self.settings(target)
        trail = self.trails[outcome.target]
        if trail.committing and not looked(outcome) and time.monotonic() - trail.lost_at < _LOOKS:
            return min(_LOOKS_AGAIN, settings.retry_delay * 2.0 ** (trail.tries - 1))
        luck = random.random()  # noqa: S311 - spreads load, guards nothing
        retries = self._crowding.retries(target.server, settings.retries)
        return retry_delay(outcome, retries, settings.retry_delay, luck)

    def _lost(self, event: Lost) -> None:
        """A worker is gone."""
        self._waiting.discard(event.key)
        trail = self.trails[event.key]
        self._crowding.end(self.targets[event.key].server, event.key)
        failure = Failure(event.reason, next_step=_RESUME, revision=trail.revision)
        seconds = round(time.monotonic() - trail.began, 3)
        outcome = Outcome(event.key, State.IN_DOUBT, failure=failure, attempts=trail.tries)
        self._unseen(replace(outcome, seconds=seconds), failure, look_only=event.timed_out)

    def _unseen(self, outcome: Outcome, failure: Failure, *, look_only: bool = False) -> None:
        """Another attempt looks what became of one whose end nobody saw."""
        name, trail = outcome.target, self.trails[outcome.target]
        trail.lose(failure.message)
        self._news.append(AttemptLost(self.record.now, name, trail.number, failure.message))
        self.outcomes[name] = replace(outcome, state=State.IN_DOUBT)
        if self._stopping:
            self.observer.finished(self.targets[name], self.outcomes[name])
            return
        settings = self.settings(self.targets[name])
        trail.look_only = look_only or trail.tries > settings.retries
        delay = 0.0 if look_only else settings.retry_delay * 2.0 ** (trail.tries - 1)
        self._again(outcome, failure, delay)

    def _heed(self) -> None:
        """Do what was asked for from outside: Ctrl-C, ``pause``, ``abort``."""
        request, by = self.record.request, self.record.request_by
        active = self.run.state in {RunState.RUNNING, RunState.WAITING}
        if request == "abort" and self.run.state is not RunState.ABORTED:
            self._stop(RunAborted(self.record.now, by))
        elif request == "pause" and active:
            self._stop(RunPaused(self.record.now, "somebody asked for it", by))
        elif active and (why := self.edited()) is not None:
            self._stop(RunPaused(self.record.now, why))
        presses = self.interrupts.presses
        if presses == self._seen_presses:
            return
        self._seen_presses = presses
        self.observer.interrupted(presses)
        if active:
            self._stop(RunPaused(self.record.now, "interrupted", self.by))
        if presses > 1:
            for lost in self.pool.kill():
                self._handle(lost)

    def _stop(self, event: RunPaused | RunAborted) -> None:
        """Start nothing more. What waits for another attempt keeps for whoever resumes."""
        self._news.append(event)
        self.run.apply(event)
        for _, name in self._retries:
            self.observer.finished(self.targets[name], self.outcomes[name])
        self._retries.clear()
        self._wait_no_more()

    def _patience(self) -> float:
        if self._news or self._more:
            return 0.0
        if not self._retries:
            return _TICK
        return min(_TICK, max(0.0, self._retries[0][0] - time.monotonic()))
