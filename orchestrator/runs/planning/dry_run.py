"""What a run would do, told target by target, without recording or changing anything."""

import time
from collections.abc import Mapping, Sequence

from orchestrator.dispatch.observer import Silent
from orchestrator.dispatch.results import Result
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.runs.context import Setting
from orchestrator.runs.planning.planner import Planning, Way
from orchestrator.runs.starting import Order
from orchestrator.snapshot.at_head import nothing_to_do
from orchestrator.worker.jobs import Verb


def dry_run(setting: Setting, order: Order) -> Result:
    """Return a ``PLANNED`` or ``UNCHANGED`` outcome of each target, or why it would fail.

    Of targets that stand alike one is asked of Alembic; those that could not be read are asked
    themselves.
    """
    began = time.monotonic()
    setting.make_ready(order.targets)
    with Workers.of(setting.file, setting.secrets, setting.x, order.targets) as workers:
        setting.observer.begin(order.verb.value, order.targets)
        planning = Planning(
            workers,
            order.verb,
            order.revision,
            order.selection,
            purge=order.purge,
            classes=False,
        )
        ways = planning.ways(order.targets, Silent())
        found = {t.name: told for t in order.targets if (told := _told(planning, ways, t))}
        found |= _confirmed(planning, [t for t in order.targets if _idle(planning, ways, t)])
        for target in order.targets:
            if target.name in found:
                setting.observer.finished(target, found[target.name])
        left = [target for target in order.targets if target.name not in found]
        if left:
            found |= workers.run(
                order.verb,
                left,
                setting.observer,
                revision=order.revision,
                dry_run=True,
                purge=order.purge,
            )
        interrupted = workers.interrupted
    return Result(
        order.verb.value,
        order.targets,
        tuple(found[target.name] for target in order.targets),
        interrupted=interrupted,
        dry_run=True,
        seconds=round(time.monotonic() - began, 3),
        warnings=tuple(planning.warnings),
    )


def _idle(planning: Planning, ways: Mapping[str, Way], target: Target) -> bool:
    way = ways.get(target.name)
    return way is not None and not way.revisions and way.goal == planning.read[target.name].heads


def _told(planning: Planning, ways: Mapping[str, Way], target: Target) -> Outcome | None:
    way = ways.get(target.name)
    if way is None or _idle(planning, ways, target):
        return None
    heads = planning.read[target.name].heads
    return Outcome(target.name, State.PLANNED, heads, way.goal, way.revisions)


def _confirmed(planning: Planning, idle: Sequence[Target]) -> dict[str, Outcome]:
    """Return the outcomes of those that are surely at head; the others are asked themselves."""
    plain = planning.verb is Verb.UPGRADE and planning.revision == "heads"
    settled = nothing_to_do(planning.survey, idle if plain else [])
    return {target.name: outcome for target in idle if (outcome := settled(target)) is not None}
