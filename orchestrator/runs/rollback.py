"""Every target that a run changed goes back to the heads that it had before."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.dispatch.observer import NullObserver
from orchestrator.dispatch.results import Result
from orchestrator.errors import Refused, UsageError
from orchestrator.fleet.ordering import dependencies, reversed_
from orchestrator.fleet.target import Target
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import AttemptRecord
from orchestrator.rollout.events import RunAborted, RunState
from orchestrator.rollout.outcomes import SUCCEEDED, State
from orchestrator.rollout.plan import Plan, PlannedRevision
from orchestrator.runs.conflicts import refuse_doubts
from orchestrator.runs.context import ProjectContext, RunContext, RunOptions
from orchestrator.runs.from_ledger import StoredRun, created_by
from orchestrator.runs.order import Order
from orchestrator.runs.planning.planner import Planner
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.runs.starting import drive, record
from orchestrator.worker.jobs import Verb

Heads = tuple[str, ...]
_ENDED = frozenset({RunState.DONE, RunState.ABORTED})


@dataclass(frozen=True, slots=True)
class Rollback:
    """How a run would be rolled back; nothing was done yet."""

    project: ProjectContext = field(repr=False)
    plan: Plan
    targets: tuple[Target, ...]
    moved: tuple[str, ...]
    """Targets that stand elsewhere than where the run left them: they are left alone."""

    @property
    def irreversible(self) -> tuple[tuple[str, PlannedRevision], ...]:
        """The revisions to revert that have no ``downgrade``, with their databases."""
        return tuple(
            (database, revision)
            for database, of in self.plan.revisions.items()
            for revision in of.values()
            if revision.reversible is False
        )

    def run(self, options: RunOptions) -> Result:
        """Do it, as a run of its own."""
        began = time.monotonic()
        project, targets = self.project, self.targets
        with project.ledger(targets) as ledger, project.workers(targets) as workers:
            project.observer.begin(Verb.DOWNGRADE.value, targets)
            context = RunContext(project, ledger, workers, options)
            refuse_doubts(ledger, [target.name for target in targets])
            ended = drive(context, self._recorded(context))
            interrupted = workers.interrupted
        return Result.of(
            Verb.DOWNGRADE,
            targets,
            ended.outcomes,
            interrupted=interrupted,
            began=began,
            run=ended.end,
        )

    def _recorded(self, context: RunContext) -> RecordedRun:
        """Record it, and end the run that is rolled back: what its first waves had shown is gone.

        Raises ``Refused`` where somebody has taken that one up meanwhile.
        """
        rolled_back, ledger = self.plan.parent, context.ledger
        assert rolled_back is not None
        with ledger.hold(rolled_back, Holder.here()) as hold:
            id_ = record(context, self.plan)
            if ledger.run(rolled_back).state not in _ENDED:
                reason = f"rolled back by run {id_}"
                hold.write([RunAborted(ledger.now(), context.options.by, reason)])
        return RecordedRun(
            id=id_,
            plan=self.plan,
            targets={target.name: target for target in self.targets},
            needs=_needs(self.project, self.targets),
            histories={},
            created=created_by(ledger, rolled_back),
            held_to=True,
        )


def rollback(project: ProjectContext, id_: int) -> Rollback:
    """Plan how a run is rolled back, in reverse order. Changes nothing.

    Raises ``UsageError`` where it changed nothing or is not over yet.
    """
    with project.existing_ledger() as ledger:
        stored = StoredRun.of(ledger, id_)
        if stored.run.holder is not None:
            raise Refused(f"run {id_} is held by {stored.run.holder}; pause it first")
        if stored.plan.verb != Verb.UPGRADE:
            raise UsageError(f"run {id_} is a {stored.plan.verb}; only upgrades are rolled back")
        changed = _changed(ledger, id_)
    there = project.still_known([name.partition("/")[0] for name in changed])
    targets = tuple(target for target in there if target.name in changed)
    if not targets:
        raise UsageError(f"run {id_} changed no target that is there: nothing to roll back")
    targets, _ = reversed_(targets, dependencies(targets, project.config))
    project.make_ready(targets)
    return _planned(project, stored, targets, changed)


def _changed(ledger: Ledger, id_: int) -> dict[str, tuple[Heads, Heads]]:
    """Return the heads that each target had before the run first changed it, and has since."""
    attempts: dict[str, list[AttemptRecord]] = {}
    for attempt in ledger.attempts(id_):
        # Of one that was locked out, or could not connect, no heads are as good as none.
        if attempt.state in SUCCEEDED or attempt.heads_after:
            attempts.setdefault(attempt.target, []).append(attempt)
    found = {}
    for name, of in attempts.items():
        before, after = of[0].heads_before or (), of[-1].heads_after or ()
        if before != after:
            found[name] = before, after
    for name in created_by(ledger, id_):
        found.setdefault(name, ((), ()))
    return found


def _needs(project: ProjectContext, targets: Sequence[Target]) -> Mapping[str, Sequence[str]]:
    _, needs = reversed_(targets, dependencies(targets, project.config))
    return needs


def _planned(
    project: ProjectContext,
    stored: StoredRun,
    targets: tuple[Target, ...],
    changed: Mapping[str, tuple[Heads, Heads]],
) -> Rollback:
    order = Order(
        Verb.DOWNGRADE,
        targets,
        _needs(project, targets),
        f"before run {stored.run.id}",
        {"selectors": tuple(t.name for t in targets), "where": {}, "exclude": ()},
        back_to={name: before for name, (before, _) in changed.items()},
    )
    with project.workers(targets) as workers:
        planner = Planner(workers, order, classes=False)
        plan = planner.plan(NullObserver())
    moved = tuple(
        target.name
        for target in targets
        if planner.read[target.name].heads != changed[target.name][1]
        or planner.read[target.name].state is State.UNREACHABLE
    )
    kept = plan.without(moved)
    left = tuple(target for target in targets if target.name not in moved)
    return Rollback(project, replace(kept, parent=stored.run.id), left, moved)
