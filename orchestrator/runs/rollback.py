"""Every target that a run changed goes back to the heads that it had before."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.dispatch.observer import Silent
from orchestrator.dispatch.results import Result
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import Refused, UsageError
from orchestrator.fleet.order import dependencies, reversed_
from orchestrator.fleet.target import Target
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import AttemptRecord
from orchestrator.rollout.events import RunAborted, RunState
from orchestrator.rollout.outcomes import SUCCEEDED, State
from orchestrator.rollout.plan import Plan, PlannedRevision
from orchestrator.runs.context import Conduct, Setting
from orchestrator.runs.from_ledger import Recorded, created_by
from orchestrator.runs.planning.planner import Planning
from orchestrator.runs.recorded_run import Course
from orchestrator.runs.starting import driven, outcomes_of, record_run, refuse_doubts
from orchestrator.worker.jobs import Verb

Heads = tuple[str, ...]
_ENDED = frozenset({RunState.DONE, RunState.ABORTED})


@dataclass(frozen=True, slots=True)
class Rollback:
    """How a run would be rolled back; nothing was done yet."""

    setting: Setting = field(repr=False)
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

    def run(self, how: Conduct) -> Result:
        """Do it, as a run of its own."""
        began = time.monotonic()
        setting, targets = self.setting, self.targets
        needs = _needs(setting, targets)
        with (
            setting.ledger(targets) as ledger,
            Workers.of(setting.file, setting.secrets, setting.x, targets) as workers,
        ):
            setting.observer.begin(Verb.DOWNGRADE.value, targets)
            refuse_doubts(ledger, [target.name for target in targets])
            course = Course(
                id=self._recorded(ledger, how),
                plan=self.plan,
                targets={target.name: target for target in targets},
                needs=needs,
                histories={},
                back_to={t.name: t.goal for t in self.plan.targets if t.goal is not None},
                created=created_by(ledger, self.plan.parent),
                held_to=True,
            )
            ended = driven(setting, workers, ledger, course, how)
            interrupted = workers.interrupted
        outcomes = outcomes_of(ended)
        return Result(
            Verb.DOWNGRADE.value,
            targets,
            tuple(outcomes[target.name] for target in targets),
            interrupted=interrupted,
            seconds=round(time.monotonic() - began, 3),
            run=ended.end,
        )

    def _recorded(self, ledger: Ledger, how: Conduct) -> int:
        """Record it, and end the run that is rolled back: what its first waves had shown is gone.

        Raises ``Refused`` where somebody has taken that one up meanwhile.
        """
        assert self.plan.parent is not None
        with ledger.hold(self.plan.parent, Holder.here()) as parent:
            id_ = record_run(ledger, self.plan, how)
            if ledger.run(self.plan.parent).state not in _ENDED:
                parent.write([RunAborted(ledger.now(), how.by, f"rolled back by run {id_}")])
        return id_


def rollback(setting: Setting, id_: int) -> Rollback:
    """Plan how a run is rolled back, in reverse order. Changes nothing.

    Raises ``UsageError`` where it changed nothing or is not over yet.
    """
    with setting.existing_ledger() as ledger:
        recorded = Recorded.of(ledger, id_)
        if recorded.run.holder is not None:
            raise Refused(f"run {id_} is held by {recorded.run.holder}; pause it first")
        if recorded.plan.verb != Verb.UPGRADE:
            raise UsageError(f"run {id_} is a {recorded.plan.verb}; only upgrades are rolled back")
        changed = _changed(ledger, id_)
    names = list(dict.fromkeys(name.partition("/")[0] for name in changed))
    known = setting.file.config.environments
    there = setting.find([name for name in names if name in known])
    targets = tuple(target for target in there if target.name in changed)
    if not targets:
        raise UsageError(f"run {id_} changed no target that is there: nothing to roll back")
    targets, _ = reversed_(targets, dependencies(targets, setting.file.config))
    setting.make_ready(targets)
    return _planned(setting, recorded, targets, changed)


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


def _needs(setting: Setting, targets: Sequence[Target]) -> Mapping[str, Sequence[str]]:
    _, needs = reversed_(targets, dependencies(targets, setting.file.config))
    return needs


def _planned(
    setting: Setting,
    recorded: Recorded,
    targets: tuple[Target, ...],
    changed: Mapping[str, tuple[Heads, Heads]],
) -> Rollback:
    with Workers.of(setting.file, setting.secrets, setting.x, targets) as workers:
        planning = Planning(
            workers,
            Verb.DOWNGRADE,
            f"before run {recorded.run.id}",
            {"selectors": tuple(t.name for t in targets), "where": {}, "exclude": ()},
            classes=False,
            back_to={name: before for name, (before, _) in changed.items()},
        )
        plan = planning.plan(targets, _needs(setting, targets), Silent())
    moved = tuple(
        target.name
        for target in targets
        if planning.read[target.name].heads != changed[target.name][1]
        or planning.read[target.name].state is State.UNREACHABLE
    )
    kept = plan.without(moved)
    left = tuple(target for target in targets if target.name not in moved)
    return Rollback(setting, replace(kept, parent=recorded.run.id), left, moved)
