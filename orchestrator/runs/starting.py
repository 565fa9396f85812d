"""A new run: planned, recorded, and driven."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.dispatch.observer import NOTIFY_INTERVAL, NullObserver
from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.errors import Busy
from orchestrator.fleet.target import Target
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.records import NewRun, NewTarget, NewWave, Standing
from orchestrator.rollout.events import RunStarted
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.plan import Plan
from orchestrator.rollout.plan_changes import appeared, vanished
from orchestrator.runs.conflicts import refuse_doubts, refuse_other, refuse_unfinished
from orchestrator.runs.context import ProjectContext, RunContext, RunOptions, limits_of
from orchestrator.runs.controller import control
from orchestrator.runs.ending import Ended
from orchestrator.runs.order import Order
from orchestrator.runs.planning.planner import Planner
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.snapshot.at_head import AtHead
from orchestrator.worker.jobs import Verb

_LOOKS_EVERY = 0.5

HELD_TO = "held_to"
"""Noted with the selection of a run whose targets must stand where its sealed plan saw them."""


def start(
    project: ProjectContext, order: Order, options: RunOptions, sealed: Plan | None = None
) -> Result:
    """Plan a run, record it and drive it; where there is nothing to do, none is recorded.

    ``sealed``: do exactly what that plan says. Raises ``Refused`` where that is not what would
    happen now, and where something is to be looked at first; ``Busy`` where another run is still
    at work on a target after the longest ``wait_for_lock``.
    """
    waits = (limits_of(project.config, options, of).wait_for_lock for of in _kinds(order))
    until = time.monotonic() + max(waits, default=0.0)
    while True:
        try:
            return _start(project, order, options, sealed)
        except Busy as error:
            if time.monotonic() >= until:
                raise
            _wait_for(project, order, error, until)


def _kinds(order: Order) -> list[Target]:
    """Return one target of each environment and database: their limits are the same."""
    kinds = {(target.environment, target.database): target for target in order.targets}
    return list(kinds.values())


def _wait_for(project: ProjectContext, order: Order, busy: Busy, until: float) -> None:
    """Wait as long as somebody drives the run that is in the way, at most until then."""
    said = -math.inf
    with project.ledger(order.targets) as ledger:
        while (now := time.monotonic()) < until:
            holder = ledger.holder(busy.run)
            if holder is None:
                return
            if now - said >= NOTIFY_INTERVAL:
                why = f"run {busy.run}, held by {holder}, is at work"
                project.observer.waiting(f"for run {busy.run}", why)
                said = now
            time.sleep(_LOOKS_EVERY)


def _start(
    project: ProjectContext, order: Order, options: RunOptions, sealed: Plan | None
) -> Result:
    began = time.monotonic()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    if sealed is not None:
        new, gone = appeared(sealed, order.names), vanished(sealed, order.names)
        order = order.without(new)
    project.make_ready(order.targets)
    with project.ledger(order.targets) as ledger, project.workers(order.targets) as workers:
        project.observer.begin(order.verb.value, order.targets)
        context = RunContext(project, ledger, workers, options)
        exact = sealed is not None
        planner = Planner(workers, order, ledger, asks=exact, classes=exact)
        plan = planner.plan(NullObserver())
        project.refuse_ledger(planner.snapshot.readings)
        if sealed is not None:
            refuse_other(sealed, plan)
            plan = sealed.without(gone)
        if order.verb is not Verb.STAMP:  # it is how somebody says where a target stands
            refuse_doubts(ledger, [target.name for target in plan.targets])
        started = _Start(context, order, planner, plan, sealed).run()
        interrupted = workers.interrupted
    end = None if started.end is None else replace(started.end, appeared=new, vanished=gone)
    return Result.of(
        order.verb,
        [target for target in order.targets if target.name in started.outcomes],
        started.outcomes,
        interrupted=interrupted,
        began=began,
        warnings=tuple(planner.warnings),
        run=end,
    )


@dataclass(frozen=True, slots=True)
class _Started:
    end: RunEnd | None
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class _Start:
    """A plan that is about to become a run."""

    context: RunContext
    order: Order
    planner: Planner
    plan: Plan
    sealed: Plan | None

    def run(self) -> _Started:
        """Record the run and drive it, unless every target is where it is to be already."""
        plan, context = self.plan, self.context
        at_head = AtHead(
            self.planner.snapshot, self._idle if self.order.is_upgrade_to_heads else []
        )
        if not plan.busy and (outcomes := self._settled(at_head)) is not None:
            self._observe(outcomes)
            return _Started(None, outcomes)
        refuse_unfinished(context.ledger, plan)
        if context.workers.interrupted:
            none = {name: Outcome(name, State.NOT_STARTED) for name in self.order.names}
            return _Started(None, none)
        if plan.busy:
            context.options.confirm(plan)
        id_ = record(context, plan, self.sealed)
        refuse_unfinished(context.ledger, plan, id_)
        ended = drive(context, self._recorded(id_, at_head))
        return _Started(ended.end, ended.outcomes)

    @property
    def _targets(self) -> Mapping[str, Target]:
        return {target.name: target for target in self.order.targets}

    @property
    def _idle(self) -> list[Target]:
        targets = self._targets
        return [targets[t.name] for t in self.plan.targets if t.idle and t.name in targets]

    def _settled(self, at_head: AtHead) -> dict[str, Outcome] | None:
        """Return the outcomes where not a single target needs a worker."""
        outcomes: dict[str, Outcome] = {}
        idle = self._idle
        for target in idle:
            outcome = None if self.context.workers.interrupted else at_head.outcome(target)
            if outcome is None:
                return None
            outcomes[target.name] = outcome
        for target in idle:
            self.context.observer.finished(target, outcomes[target.name])
        return outcomes

    def _observe(self, outcomes: Mapping[str, Outcome]) -> None:
        """Others may require that these heads have been there for a while: they are, since now."""
        now, targets = self.context.ledger.now(), self._targets
        self.context.ledger.observe(
            Standing(name, targets[name].environment, targets[name].database, outcome.heads, now)
            for name, outcome in outcomes.items()
        )

    def _recorded(self, id_: int, at_head: AtHead) -> RecordedRun:
        targets = self._targets
        return RecordedRun(
            id=id_,
            plan=self.plan,
            targets={t.name: targets[t.name] for t in self.plan.targets if t.name in targets},
            needs=self.order.needs,
            histories=self.planner.snapshot.histories,
            at_head=at_head,
            held_to=self.sealed is not None,
        )


def drive(context: RunContext, run: RecordedRun) -> Ended:
    """Take a run that was just recorded in hand, and drive it."""
    with context.ledger.hold(run.id, Holder.here()) as hold:
        return control(context, hold, run, RunStarted)


def record(context: RunContext, plan: Plan, sealed: Plan | None = None) -> int:
    """Record a run that is about to start, with all of its targets, and return its number."""
    recorded = (
        plan if sealed is None else replace(plan, selection={**plan.selection, HELD_TO: True})
    )
    return context.ledger.create(
        NewRun(
            project=plan.project,
            verb=plan.verb,
            revision=plan.revision,
            by=context.options.by,
            digest=(sealed or plan).digest,
            plan=recorded.header,
            parent=plan.parent,
        ),
        [NewWave(w.name, w.environment, w.budget, w.targets) for w in plan.waves],
        (
            NewTarget(
                name=target.name,
                environment=target.environment,
                database=target.database,
                server=target.server,
                wave=target.wave,
                heads=target.heads,
                goal=target.goal,
                schema_class=target.schema_class,
                detail={"place": target.place, "revisions": target.revisions},
            )
            for target in plan.targets
        ),
    )
