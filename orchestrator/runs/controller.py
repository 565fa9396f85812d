"""The loop round a run: record what happened and what starts, start it, wait, see who asks what."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.errors import Refused
from orchestrator.ledger.hold import Hold
from orchestrator.rollout.events import (
    AttemptStarted,
    Event,
    RunAborted,
    RunPaused,
    RunResumed,
    RunStarted,
    RunState,
    TargetSettled,
)
from orchestrator.rollout.state_machine import OVER, StateMachine
from orchestrator.runs.context import RunContext
from orchestrator.runs.ending import Ended, Ending
from orchestrator.runs.event_log import EventLog
from orchestrator.runs.gates.waiting import Gates
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.runs.recording import Recorder, Sink
from orchestrator.runs.settling import Settler
from orchestrator.runs.unchanged import RevisionFiles

_BATCH = 64
"""Targets that are recorded together before they start."""
_SETTLED = 2000
"""Targets that are settled together without a worker."""
_LEDGER_AWAY = 60.0
"""Seconds for which a ledger that went away is waited for when nothing runs any more."""


def control(
    context: RunContext, hold: Hold, run: RecordedRun, begins: type[RunStarted | RunResumed]
) -> Ended:
    """Drive a run that we hold until it ends or waits. ``begins`` is what is recorded first.

    Raises ``Refused`` where the lease was lost meanwhile, and where nothing can be recorded.
    """
    ending = Ending()
    with ExitStack() as stack:
        sinks: list[Sink] = [ending.take]
        log = None
        if context.options.events is not None:
            log = stack.enter_context(EventLog(context.options.events, run.id))
            sinks.append(log.write)
        recorder = stack.enter_context(Recorder(hold, sinks))
        event = begins(recorder.now, context.options.by)
        if not recorder.write([event]):
            raise Refused(
                recorder.lease_lost or recorder.ledger_error or "the ledger can't be written"
            )
        context.observer.happened(event)
        controller = Controller(context, run, recorder)
        controller.drive()
        if recorder.lease_lost is not None:
            raise Refused(recorder.lease_lost)
        end = ending.of(run.id, controller.machine.state, recorder.ledger_error)
        end = replace(end, unwritten=log.lost if log else "")
        return Ended(end, controller.settler.outcomes, controller.machine)


@dataclass(slots=True)
class Controller:
    """Drives a run that we hold until it ends, waits, or is stopped.

    Guarantees: nothing is started that was not recorded before; once the ledger is gone or
    somebody else has taken the run, nothing starts, and what runs is finished.
    """

    context: RunContext
    run: RecordedRun
    recorder: Recorder
    machine: StateMachine = field(init=False)
    gates: Gates = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    settler: Settler = field(init=False)
    files: RevisionFiles = field(init=False)
    _more: bool = False
    """Whether what was settled may let more start at once."""

    def __post_init__(self) -> None:
        context, run = self.context, self.run
        self.machine = StateMachine(run.stages(context.config), run.past)
        self.gates = Gates(context, run, self.machine)
        targets = tuple(run.targets.values())
        self.dispatcher = context.workers.dispatcher(targets, self.machine, context.observer)
        self.settler = Settler(context, run, self.machine, self.dispatcher, self.recorder)
        self.files = RevisionFiles(run.plan, run.histories)

    def drive(self) -> None:
        """Go on until there is nothing more to do here. How it ended is ``machine.state``."""
        while True:
            self._handle_requests()
            self._step()
            if self._is_over():
                return
            for event in self.dispatcher.wait(at_once=bool(self.settler.pending) or self._more):
                self.settler.handle(event)

    def _is_over(self) -> bool:
        if self.dispatcher.busy or self.settler.pending or self._more:
            return False
        if self.recorder.lease_lost is not None:
            return True
        if self.recorder.ledger_error is not None:
            return self.recorder.ledger_away_for > _LEDGER_AWAY
        state = self.machine.state
        return state in OVER or state is RunState.PAUSED or self.gates.stops_waiting

    def _step(self) -> None:
        """Record what happened and what follows, then start what may start."""
        events = self.settler.drain()
        self._apply(events)
        self._put_back_retries()
        events += self._follow(recorded=not events and self.recorder.complete)
        settled, starts = self._next() if self._may_start() else ([], [])
        # What was asked comes before how its attempt ended, which may be among the events.
        commit_requests = self.settler.drain_commit_requests()
        happened = [*self.settler.committing(commit_requests), *events, *settled]
        written = self.recorder.write(happened, starts)
        self.settler.answer(commit_requests, go=written)
        if written:
            self._start(starts)
        else:
            self._start_later(starts)
        self._more = bool(settled or events)

    def _follow(self, *, recorded: bool) -> list[Event]:
        """Let the run decide what follows of itself, and say what it waits for.

        Only once all is ``recorded``: what a gate looks for in the ledger is to be there.
        """
        found: list[Event] = []
        while True:
            events = self.machine.decide(self.recorder.now)
            looks = (
                recorded
                and not found
                and not self.machine.busy
                and self.recorder.ledger_error is None
            )
            if not events and looks:
                events = self.gates.look(self.recorder)
            if not events:
                return found
            self._apply(events)
            found += events

    def _apply(self, events: Sequence[Event]) -> None:
        for event in events:
            self.machine.apply(event)
            if isinstance(event, TargetSettled):
                self.settler.notify(event.outcome)
            self.context.observer.happened(event)

    def _may_start(self) -> bool:
        return (
            self.recorder.ledger_error is None
            and self.recorder.lease_lost is None
            and not self.dispatcher.interrupted
            and self.gates.open(self.recorder.now)
        )

    def _next(self) -> tuple[list[Event], list[AttemptStarted]]:
        """Return what is settled without a worker, and the attempts that start now."""
        if self.machine.over_budget and (given_up := self.settler.cancel_retries()):
            self._apply(given_up)
            for event in given_up:
                self.settler.notify(event.outcome)
            return [*given_up], []
        starts: list[AttemptStarted] = []
        settled: list[Event] = []
        while (due := self.dispatcher.next_due()) is not None:
            starts.append(self._reserved(due))
        retries = len(starts)
        while len(starts) < _BATCH and len(settled) < _SETTLED:
            offered = self.machine.may_start(len(starts) - retries + 1)[len(starts) - retries :]
            if not offered or self.dispatcher.interrupted:
                break
            name = offered[0]
            at_head = self.run.at_head
            outcome = None if at_head is None else at_head.outcome(self.run.targets[name])
            if outcome is not None:
                settled.append(TargetSettled(self.recorder.now, outcome))
                self._apply(settled[-1:])
            elif self.dispatcher.has_room(name):
                starts.append(self._reserved(name))
            else:
                break
        return settled, starts

    def _reserved(self, name: str) -> AttemptStarted:
        self.dispatcher.reserve(name)
        return self.settler.next_attempt(name)

    def _start(self, starts: Sequence[AttemptStarted]) -> None:
        """Give targets that are recorded as started to workers, unless Ctrl-C came meanwhile."""
        full = False
        for event in starts:
            name = event.target
            attempts = self.settler.attempts[name]
            self.machine.apply(event)
            self.context.observer.happened(event)
            attempts.start()
            self._handle_requests()
            if full or self.dispatcher.interrupted:
                self.dispatcher.release(name)
                self.settler.pending.append(self.settler.requeue(name))
                continue
            # Over the budget, what nobody saw the end of is only looked at.
            attempts.verify_only = attempts.verify_only or self.machine.over_budget
            target = self.run.targets[name]
            limits = self.context.limits(target)
            job = self.run.job(self.context.workers, target, attempts, limits)
            timeout = limits.target_timeout + limits.wait_for_lock
            why = self.dispatcher.submit(name, job, timeout)
            if why is not None:
                full = True
                self.settler.pending.append(self.settler.requeue(name))
                if not self.dispatcher.busy:  # fewer at once won't do: leave it to `resume`
                    self._stop(RunPaused(self.recorder.now, why))

    def _start_later(self, starts: Sequence[AttemptStarted]) -> None:
        """Nothing starts that could not be recorded."""
        for event in starts:
            self.dispatcher.release(event.target)
            if event.target in self.machine.running:
                self.dispatcher.retry(event.target)

    def _put_back_retries(self) -> None:
        """While the window is closed, what waits for another attempt keeps nobody here.

        Told to the run alone: the ledger has how the attempts before ended.
        """
        if self.dispatcher.waits_to_retry and not self.gates.open(self.recorder.now):
            for name in self.dispatcher.cancel_retries():
                self.machine.apply(self.settler.requeue(name))

    def _handle_requests(self) -> None:
        """Do what was asked for from outside: Ctrl-C, ``pause``, ``abort``."""
        now, request, by = self.recorder.now, self.recorder.request, self.recorder.request_by
        active = self.machine.state in {RunState.RUNNING, RunState.WAITING}
        if request == "abort" and self.machine.state is not RunState.ABORTED:
            self._stop(RunAborted(now, by))
        elif request == "pause" and active:
            self._stop(RunPaused(now, "somebody asked for it", by))
        elif active and (why := self.files.edited() or self._nobody()) is not None:
            self._stop(RunPaused(now, why))
        lost = self.dispatcher.handle_interrupts()
        if lost is not None and active:
            self._stop(RunPaused(now, "interrupted", self.context.options.by))
        for event in lost or ():
            self.settler.handle(event)

    def _nobody(self) -> str | None:
        """Return why a target can't be worked on that it would be the turn of, if so."""
        names = self.machine.open
        return self.dispatcher.nobody(names, self.context.config.engine.patience)

    def _stop(self, event: RunPaused | RunAborted) -> None:
        """Start nothing more. What waits for another attempt keeps for whoever resumes."""
        self.settler.pending.append(event)
        self.machine.apply(event)
        self.settler.stop()
