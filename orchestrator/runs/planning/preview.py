"""``plan``: what an upgrade would do, before anybody decides to do it."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from orchestrator.config.models import Config
from orchestrator.dispatch.observer import NullObserver
from orchestrator.errors import Refused
from orchestrator.fleet.target import Target
from orchestrator.ledger.codec import path_of
from orchestrator.ledger.ledger import Ledger
from orchestrator.rollout.estimate import Piece, seconds_for
from orchestrator.rollout.outcomes import Outcome
from orchestrator.rollout.plan import Plan, PlannedTarget
from orchestrator.runs.context import ProjectContext
from orchestrator.runs.order import Order
from orchestrator.runs.planning.planner import Planner


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with what is only for its reader."""

    plan: Plan
    targets: tuple[Target, ...]
    seconds: Mapping[int, float | None]
    """About how long each wave takes, by its position; ``None`` where nothing is known."""
    unread: tuple[Outcome, ...] = ()
    """Targets whose heads could not be read, or not understood: such a plan can't be sealed."""
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    took: float = field(default=0.0, compare=False)

    @property
    def exit_code(self) -> int:
        """130 interrupted, 3 when a target could not be read, else 0."""
        if self.interrupted:
            return 130
        return 3 if self.unread else 0

    def assert_sealable(self) -> None:
        """Raise ``Refused`` where the plan does not know where every target stands."""
        if self.interrupted or self.unread:
            names = ", ".join(outcome.target for outcome in self.unread[:5])
            raise Refused(
                f"a plan can't be sealed while targets can't be read: {names or 'interrupted'}\n"
                "  fix them, or leave them out with --exclude"
            )


def preview(project: ProjectContext, order: Order) -> Planned:
    """Read where the targets of an order stand, and plan what would be done. Changes nothing.

    A ledger is asked for earlier durations where there is one, and made nowhere.
    """
    began = time.monotonic()
    project.make_ready(order.targets)
    with ExitStack() as stack:
        there = project.ledger_exists
        ledger = stack.enter_context(project.ledger(order.targets)) if there else None
        workers = stack.enter_context(project.workers(order.targets))
        project.observer.begin("plan", order.targets)
        planner = Planner(workers, order, ledger)
        plan = planner.plan(NullObserver())
        interrupted = workers.interrupted
        seconds = _seconds(project.config, ledger, plan)
    unread = tuple(planner.read[t.name] for t in plan.targets if t.heads is None or t.goal is None)
    return Planned(
        plan,
        order.targets,
        seconds,
        unread,
        tuple(planner.warnings),
        interrupted,
        round(time.monotonic() - began, 3),
    )


def _seconds(config: Config, ledger: Ledger | None, plan: Plan) -> dict[int, float | None]:
    known = {} if ledger is None else _known(ledger, plan)
    waves: dict[int, list[PlannedTarget]] = {}
    for target in plan.busy:
        waves.setdefault(target.wave, []).append(target)
    return {at: _wave(config, plan, at, waves.get(at, []), known) for at in range(len(plan.waves))}


def _known(ledger: Ledger, plan: Plan) -> Mapping[str, float]:
    keys = {t.name: (t.database, path_of(plan.verb, t.revisions)) for t in plan.busy}
    found = ledger.durations(dict.fromkeys(keys.values()))
    return {name: found[key].milliseconds for name, key in keys.items() if key in found}


def _wave(
    config: Config,
    plan: Plan,
    at: int,
    targets: Sequence[PlannedTarget],
    known: Mapping[str, float],
) -> float | None:
    wave = plan.waves[at]
    rollout = config.environments[wave.environment].rollout
    return seconds_for(
        [Piece(target.server, known.get(target.name)) for target in targets],
        min(rollout.max_parallel, wave.max_parallel or rollout.max_parallel),
        min(rollout.max_per_server, wave.max_per_server or rollout.max_per_server),
    )
