"""What a run would do, told target by target, without recording or changing anything."""

import time
from collections.abc import Mapping, Sequence

from orchestrator.dispatch.observer import NullObserver
from orchestrator.dispatch.results import Result
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.runs.context import ProjectContext
from orchestrator.runs.order import Order
from orchestrator.runs.planning.planner import PlannedPath, Planner
from orchestrator.snapshot.at_head import AtHead


def dry_run(project: ProjectContext, order: Order) -> Result:
    """Return a ``PLANNED`` or ``UNCHANGED`` outcome of each target, or why it would fail.

    Of targets that stand alike one is asked of Alembic; those that could not be read are asked
    themselves.
    """
    began = time.monotonic()
    project.make_ready(order.targets)
    with project.workers(order.targets) as workers:
        project.observer.begin(order.verb.value, order.targets)
        planner = Planner(workers, order, classes=False)
        paths = planner.paths(NullObserver())
        found = {t.name: told for t in order.targets if (told := _told(planner, paths, t))}
        found |= _confirmed(planner, [t for t in order.targets if _idle(planner, paths, t)])
        for target in order.targets:
            if target.name in found:
                project.observer.finished(target, found[target.name])
        left = [target for target in order.targets if target.name not in found]
        if left:
            found |= workers.run(
                order.verb,
                left,
                project.observer,
                revision=order.revision,
                dry_run=True,
                purge=order.purge,
            )
        interrupted = workers.interrupted
    return Result.of(
        order.verb,
        order.targets,
        found,
        interrupted=interrupted,
        dry_run=True,
        began=began,
        warnings=tuple(planner.warnings),
    )


def _idle(planner: Planner, paths: Mapping[str, PlannedPath], target: Target) -> bool:
    path = paths.get(target.name)
    return path is not None and not path.revisions and path.goal == planner.read[target.name].heads


def _told(planner: Planner, paths: Mapping[str, PlannedPath], target: Target) -> Outcome | None:
    path = paths.get(target.name)
    if path is None or _idle(planner, paths, target):
        return None
    heads = planner.read[target.name].heads
    return Outcome(target.name, State.PLANNED, heads, path.goal, path.revisions)


def _confirmed(planner: Planner, idle: Sequence[Target]) -> dict[str, Outcome]:
    """Return the outcomes of those that are surely at head; the others are asked themselves."""
    at_head = AtHead(planner.snapshot, idle if planner.order.is_upgrade_to_heads else [])
    return {target.name: outcome for target in idle if (outcome := at_head.outcome(target))}
