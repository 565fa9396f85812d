"""A new run: planned, recorded, and driven."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.dispatch.observer import SAYS_AGAIN, Silent
from orchestrator.dispatch.results import Result
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import Busy, Refused
from orchestrator.fleet.target import Target
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import DoubtRecord, NewRun, NewTarget, NewWave, Standing
from orchestrator.rollout.events import RunAborted, RunStarted, RunState
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.plan import Plan, appeared, differences, vanished
from orchestrator.rollout.run import FAILURES
from orchestrator.runs.context import Conduct, Setting
from orchestrator.runs.planning.planner import Planning
from orchestrator.runs.recorded_run import Course, Ended, conduct, waited
from orchestrator.snapshot.at_head import nothing_to_do
from orchestrator.worker.jobs import Verb

_SHOWN = 20
_LOOKS_EVERY = 0.5
Needs = Mapping[str, Sequence[str]]


HELD_TO = "held_to"
"""Noted with the selection of a run whose targets must stand where its sealed plan saw them."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: a verb on targets, in this order."""

    verb: Verb
    targets: tuple[Target, ...]
    needs: Needs
    revision: str
    selection: Mapping[str, Any] = field(default_factory=dict)
    purge: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its targets."""
        return tuple(target.name for target in self.targets)

    def without(self, names: Sequence[str]) -> "Order":
        """Return it without some targets."""
        left = tuple(target for target in self.targets if target.name not in set(names))
        return replace(self, targets=left)


def begin(setting: Setting, order: Order, how: Conduct, sealed: Plan | None = None) -> Result:
    """Plan a run, record it and drive it; where there is nothing to do, none is recorded.

    ``sealed``: do exactly what that plan says. Raises ``Refused`` where that is not what would
    happen now, and where something is to be looked at first; ``Busy`` where another run is still
    at work on a target after the longest ``wait_for_lock``.
    """
    config = setting.file.config
    pairs = {(target.environment, target.database) for target in order.targets}
    waits = max((waited(config, how, *pair).wait_for_lock for pair in pairs), default=0.0)
    until = time.monotonic() + waits
    while True:
        try:
            return _begin(setting, order, how, sealed)
        except Busy as error:
            if time.monotonic() >= until:
                raise
            _wait_for(setting, order.targets, error, until)


def _wait_for(setting: Setting, targets: Sequence[Target], busy: Busy, until: float) -> None:
    """Wait as long as somebody drives the run that is in the way, at most until then."""
    said = -math.inf
    with setting.ledger(targets) as ledger:
        while (now := time.monotonic()) < until:
            holder = ledger.holder(busy.run)
            if holder is None:
                return
            if now - said >= SAYS_AGAIN:
                why = f"run {busy.run}, held by {holder}, is at work"
                setting.observer.waiting(f"for run {busy.run}", why)
                said = now
            time.sleep(_LOOKS_EVERY)


def _begin(setting: Setting, order: Order, how: Conduct, sealed: Plan | None) -> Result:
    began = time.monotonic()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    if sealed is not None:
        new, gone = appeared(sealed, order.names), vanished(sealed, order.names)
        order = order.without(new)
    targets = order.targets
    setting.make_ready(targets)
    with (
        setting.ledger(targets) as ledger,
        Workers.of(setting.file, setting.secrets, setting.x, targets) as workers,
    ):
        setting.observer.begin(order.verb.value, targets)
        exact = sealed is not None
        planning, plan = made(setting, workers, order, ledger, classes=exact, asks=exact)
        if sealed is not None:
            refuse_other(sealed, plan)
            plan = sealed.without(gone)
        if order.verb is not Verb.STAMP:  # it is how somebody says where a target stands
            refuse_doubts(ledger, [target.name for target in plan.targets])
        ended = _driven(setting, workers, ledger, order, planning, plan, how, sealed)
        interrupted = workers.interrupted
    if ended.end is not None:
        ended = replace(ended, end=replace(ended.end, appeared=new, vanished=gone))
    return Result(
        order.verb.value,
        tuple(target for target in targets if target.name in ended.outcomes),
        tuple(ended.outcomes[t.name] for t in targets if t.name in ended.outcomes),
        interrupted=interrupted,
        seconds=round(time.monotonic() - began, 3),
        warnings=tuple(planning.warnings),
        run=ended.end,
    )


def made(
    setting: Setting,
    workers: Workers,
    order: Order,
    ledger: Ledger | None,
    *,
    classes: bool,
    asks: bool,
) -> tuple[Planning, Plan]:
    """Read where the targets stand, and return the plan of an order.

    Their schemas are read where a wave picks of each class, or with ``classes``.
    """
    rollouts = setting.file.config.environments
    environments = {target.environment for target in order.targets}
    picks = any(wave.pick for name in environments for wave in rollouts[name].rollout.waves)
    planning = Planning(
        workers,
        order.verb,
        order.revision,
        order.selection,
        asks=asks,
        purge=order.purge,
        classes=picks or classes,
        passed=lambda environment, wave: () if ledger is None else ledger.passed(environment, wave),
    )
    return planning, planning.plan(order.targets, order.needs, Silent())


@dataclass(frozen=True, slots=True)
class _Driven:
    end: Any
    outcomes: Mapping[str, Outcome]


def _driven(
    setting: Setting,
    workers: Workers,
    ledger: Ledger,
    order: Order,
    planning: Planning,
    plan: Plan,
    how: Conduct,
    sealed: Plan | None,
) -> _Driven:
    targets = {target.name: target for target in order.targets}
    idle = [targets[t.name] for t in plan.targets if t.idle and t.name in targets]
    plain = order.verb is Verb.UPGRADE and order.revision == "heads"
    settled = nothing_to_do(planning.survey, idle if plain else [])
    if not plan.busy and (outcomes := _all_settled(setting, workers, idle, settled)) is not None:
        _observe(ledger, targets, outcomes)
        return _Driven(None, outcomes)
    refuse_unfinished(ledger, plan)
    if workers.interrupted:
        return _Driven(None, {name: Outcome(name, State.NOT_STARTED) for name in targets})
    if plan.busy:
        how.confirm(plan)
    id_ = record_run(ledger, plan, how, sealed)
    refuse_unfinished(ledger, plan, id_)
    course = Course(
        id=id_,
        plan=plan,
        targets={t.name: targets[t.name] for t in plan.targets if t.name in targets},
        needs=order.needs,
        histories=planning.survey.histories,
        settled=settled,
        purge=order.purge,
        held_to=sealed is not None,
    )
    ended = driven(setting, workers, ledger, course, how)
    return _Driven(ended.end, outcomes_of(ended))


def driven(
    setting: Setting, workers: Workers, ledger: Ledger, course: Course, how: Conduct
) -> Ended:
    """Take a run that was just recorded in hand, and drive it."""
    with ledger.hold(course.id, Holder.here()) as hold:
        return conduct(
            setting, workers, ledger, hold, course, how, lambda at: RunStarted(at, how.by)
        )


def _all_settled(
    setting: Setting, workers: Workers, idle: Sequence[Target], settled: Any
) -> dict[str, Outcome] | None:
    """Return the outcomes where not a single target needs a worker."""
    outcomes: dict[str, Outcome] = {}
    for target in idle:
        outcome = None if workers.interrupted else settled(target)
        if outcome is None:
            return None
        outcomes[target.name] = outcome
    for target in idle:
        setting.observer.finished(target, outcomes[target.name])
    return outcomes


def _observe(
    ledger: Ledger, targets: Mapping[str, Target], outcomes: Mapping[str, Outcome]
) -> None:
    """Others may require that these heads have been there for a while: they are, since now."""
    now = ledger.now()
    ledger.observe(
        Standing(name, targets[name].environment, targets[name].database, outcome.heads, now)
        for name, outcome in outcomes.items()
    )


def record_run(ledger: Ledger, plan: Plan, how: Conduct, sealed: Plan | None = None) -> int:
    """Record a run that is about to start, with all of its targets, and return its number."""
    recorded = (
        plan if sealed is None else replace(plan, selection={**plan.selection, HELD_TO: True})
    )
    return ledger.create(
        NewRun(
            project=plan.project,
            verb=plan.verb,
            revision=plan.revision,
            by=how.by,
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


def outcomes_of(ended: Ended) -> dict[str, Outcome]:
    """Return an outcome of every target of a run, also of those that it did not come to."""
    run, found = ended.state, dict(ended.outcomes)
    failed = run.state is RunState.FAILED
    on = () if run.stage is None else run.stage.works
    cause = next((w.name for w in on if run.settled.get(w.name) in FAILURES), None)
    for at, stage in enumerate(run.stages):
        for work in stage.works:
            if work.name in found:
                continue
            state = run.settled.get(work.name)
            if state is not None:
                found[work.name] = Outcome(work.name, state)
            elif failed and at > run.position:
                found[work.name] = Outcome(work.name, State.BLOCKED, blocked_by=cause)
            else:
                found[work.name] = Outcome(work.name, State.NOT_STARTED)
    return found


def refuse_other(sealed: Plan, now: Plan) -> None:
    """Raise ``Refused`` where what would run is not what a sealed plan says."""
    found = differences(sealed, now)
    if not found:
        return
    shown = "\n".join(f"  {line}" for line in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    raise Refused(
        f"the plan does not match, and nothing was started:\n{shown}{more}\n"
        "make a new plan: orchestrator plan … --out FILE"
    )


def refuse_unfinished(ledger: Ledger, plan: Plan, own: int | None = None) -> None:
    """Raise ``Refused`` where another run has still to come to what this one would change.

    It may wait at a gate, which this one would not know of. ``own``: this one is recorded already;
    of two that began at one instant, the later gives way and is aborted.
    """
    unfinished = ledger.unfinished([target.name for target in plan.busy])
    found = {run: name for run, name in unfinished.items() if own is None or run < own}
    if not found:
        return
    if own is not None:
        with ledger.hold(own, Holder.here()) as hold:
            hold.write([RunAborted(ledger.now(), "", "another run began at the same time")])
    run, name = min(found.items())
    record = ledger.run(run)
    held = f", held by {record.holder}" if record.holder else ""
    message = (
        f"run {run} is {record.state}{held}, and has still to come to {name}\n"
        f"  go on with it: orchestrator resume {run}; or give it up: orchestrator abort {run}"
    )
    raise Busy(message, run, record.holder) if record.holder else Refused(message)


def refuse_doubts(ledger: Ledger, names: Sequence[str], but: int | None = None) -> None:
    """Raise ``Refused`` where a run left a target half done, as far as is known, and nobody has
    looked after it. Not where it is the run ``but``, which looks itself."""
    doubts = [doubt for doubt in ledger.doubts(names) if doubt.run != but]
    if not doubts:
        return
    for run, name in {doubt.run: doubt.target for doubt in doubts if doubt.state is None}.items():
        if (holder := ledger.holder(run)) is not None:
            message = (
                f"run {run}, held by {holder}, is at work on {name}\n"
                "  wait until it is done: --wait-for-lock 10m; or go without: "
                f"--exclude {name}"
            )
            raise Busy(message, run, holder)
    shown = "\n".join(f"  {_doubt(doubt)}" for doubt in doubts[:_SHOWN])
    more = f"\n  and {len(doubts) - _SHOWN:,} more" if len(doubts) > _SHOWN else ""
    first = doubts[0]
    if first.state is None:
        step = f"let that run look first: orchestrator resume {first.run}"
    else:
        step = (
            "compare each with its revision, complete or undo that by hand, and go on:\n"
            f"  orchestrator retry {first.run} {first.target}, "
            f"or orchestrator skip {first.run} {first.target} --reason …"
        )
    raise Refused(
        f"an earlier run may have left something half done:\n{shown}{more}\n{step}\n"
        f"or go without: --exclude {first.target}"
    )


def _doubt(doubt: DoubtRecord) -> str:
    if doubt.state is None:
        revisions = ", ".join(dict.fromkeys(r for c in doubt.committing for r in c.revisions))
        return f"{doubt.target}: run {doubt.run} began {revisions}, and nobody recorded the end"
    said = f": {doubt.failure.message}" if doubt.failure is not None else ""
    if doubt.state is State.FAILED and doubt.failure is not None:
        return f"{doubt.target}: {doubt.failure.revision} half applied by run {doubt.run}{said}"
    return f"{doubt.target}: in doubt since run {doubt.run}{said}"
