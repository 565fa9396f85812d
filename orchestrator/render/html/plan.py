"""A sealed plan as a reviewer wants to read it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.rollout.plan import Plan, PlannedRevision, PlannedTarget, PlannedWave

_WAYS = 100


@dataclass(frozen=True, slots=True)
class Way:
    """Targets that go from the same heads to the same heads by the same revisions."""

    environment: str
    database: str
    schema_class: str | None
    heads: tuple[str, ...] | None
    goal: tuple[str, ...] | None
    revisions: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan: what goes where, by which revisions, in which waves."""

    plan: Plan
    digest: str
    """As the ledger has it: that of the sealed file."""
    ways: Sequence[Way]
    hidden: int
    idle: int
    """Targets for which there is nothing to do."""
    irreversible: Sequence[tuple[str, PlannedRevision]]
    """By database."""
    unknown: int
    """Targets of which only their worker can tell which revisions they get."""
    settings: Mapping[str, str]
    """What each environment's rollout was sealed with, as JSON."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a run does once it is let go on."""

    waves: Sequence[PlannedWave]
    """Those that nothing holds back from each other."""
    count: int
    """Their targets for which there is something to do."""
    revisions: Sequence[tuple[str, PlannedRevision, int]]
    """By database, with how many targets get each."""
    stops: str
    """Before what it stops again; empty where it runs to its end."""
    unknown: int
    """Targets of which only their worker can tell which revisions they get."""


def plan_view(plan: Plan, digest: str) -> PlanView:
    """Return a plan as its page shows it."""
    ways = Counter(
        (t.environment, t.database, t.schema_class, t.heads, t.goal, t.revisions) for t in plan.busy
    )
    shown = [Way(*key, count=number) for key, number in ways.items()]
    return PlanView(
        plan=plan,
        digest=digest,
        ways=shown[:_WAYS],
        hidden=max(0, len(shown) - _WAYS),
        idle=len(plan.targets) - len(plan.busy),
        irreversible=[
            (database, revision)
            for database, of in plan.revisions.items()
            for revision in of.values()
            if revision.reversible is False
        ],
        unknown=_unknown(plan.busy),
        settings={
            name: json.dumps(dict(of), indent=2, ensure_ascii=False, default=str)
            for name, of in plan.rollouts.items()
        },
    )


def ahead(plan: Plan, position: int) -> Ahead:
    """Return what a run does from a wave on, up to what holds it back again."""
    waves: list[PlannedWave] = []
    stops = ""
    for wave in plan.waves[position:]:
        if waves and wave.entry:
            stops = f"{wave.name}, before which there is {', '.join(wave.entry)}"
            break
        waves.append(wave)
        if wave.gate:
            stops = f"the gate after {wave.name}: {', '.join(wave.gate)}"
            break
    places = range(position, position + len(waves))
    busy = [target for target in plan.busy if target.wave in places]
    counts = Counter(
        (target.database, revision) for target in busy for revision in target.revisions
    )
    revisions = [
        (database, plan.revisions[database][revision], number)
        for (database, revision), number in counts.items()
        if revision in plan.revisions.get(database, {})
    ]
    return Ahead(waves, len(busy), revisions, stops, _unknown(busy))


def _unknown(busy: Iterable[PlannedTarget]) -> int:
    return sum(target.goal is None for target in busy)
