"""How the targets of a run are laid out: which wave each is in, and what each wave may cost."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config.models import Config
from orchestrator.config.rollouts import REST, Gate, Rollout, Wave
from orchestrator.fleet.target import Target
from orchestrator.rollout.candidates import matches
from orchestrator.rollout.events import GateKind
from orchestrator.rollout.plan import PlannedTarget, PlannedWave
from orchestrator.rollout.waves import Candidate, assign, count_of, ordered_wave, uncovered

Needs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The waves of a run, and its targets in the order in which they run."""

    waves: tuple[PlannedWave, ...]
    targets: tuple[PlannedTarget, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _WaveDraft:
    """The targets of one wave, before it is known which waves there are."""

    environment: str
    name: str
    wave: Wave | None
    targets: Sequence[PlannedTarget]

    @property
    def busy(self) -> int:
        """For how many of them there is something to do."""
        return sum(not target.idle for target in self.targets)


def lay_out(
    config: Config,
    targets: Sequence[Target],
    planned: Sequence[PlannedTarget],
    needs: Needs,
    seed: str,
    *,
    waves: bool,
    passed: Callable[[str, str], bool] = lambda _, __: False,
) -> Layout:
    """Put targets into waves, environment by environment in the order in which they come.

    Without ``waves`` each environment is one. A target for which there is nothing to do is with
    what needs it, or with the last others: it takes no place in a canary. After the last wave that
    does anything, time and approval hold nothing back, and are left out.

    A wave whose targets are through already, in an earlier run, keeps its gate, unless all that is
    to be applied in its environment has ``passed`` it before.
    """
    of = {target.name: target for target in targets}
    drafts: list[_WaveDraft] = []
    notes: list[str] = []
    for environment in dict.fromkeys(target.environment for target in targets):
        own = [target for target in planned if target.environment == environment]
        listed = config.environments[environment].rollout.waves if waves else ()
        if listed:
            gated = {
                wave.name for wave in listed if wave.gate and not passed(environment, wave.name)
            }
            drafts += _drafts(environment, own, of, listed, gated, needs, seed, notes)
        else:
            drafts.append(_WaveDraft(environment, environment, None, own))
    last = max((at for at, draft in enumerate(drafts) if draft.busy), default=-1)
    made = tuple(_wave(config, drafts, at, last, waves, passed) for at in range(len(drafts)))
    ordered = tuple(
        replace(target, wave=at) for at, draft in enumerate(drafts) for target in draft.targets
    )
    return Layout(made, ordered, tuple(notes))


def _drafts(
    environment: str,
    planned: Sequence[PlannedTarget],
    of: Mapping[str, Target],
    waves: Sequence[Wave],
    gated: Collection[str],
    needs: Needs,
    seed: str,
    notes: list[str],
) -> list[_WaveDraft]:
    busy = [_candidate(target, of, needs) for target in planned if not target.idle]
    places = dict(zip((c.name for c in busy), assign(busy, waves, seed), strict=True))
    last = max(places.values(), default=len(waves))
    handled: dict[int, int] = {}
    for target in reversed(planned):  # what needs another comes after it
        at = places.setdefault(target.name, last)
        several = needs.get(target.name, ())
        # Thousands may share one tuple of thousands.
        if handled.get(id(several), at + 1) <= at:
            continue
        handled[id(several)] = at
        for need in several:
            if places.get(need, at + 1) > at:
                places[need] = at
    _keep_gates(planned, of, waves, gated, needs, places, last)
    drafts = []
    for at, wave in enumerate((*waves, None)):
        own = [target for target in planned if places[target.name] == at]
        name = REST if wave is None else wave.name
        if not own and wave is not None:
            notes.append(f"wave {environment}/{name} has no target for which there is work")
        if own:
            candidates = [_candidate(target, of, needs) for target in own]
            by_name = {target.name: target for target in own}
            names = own if wave is None else [by_name[n] for n in ordered_wave(candidates, wave)]
            drafts.append(_WaveDraft(environment, f"{environment}/{name}", wave, names))
        if wave is not None and wave.pick is not None:
            missed = uncovered(busy, [places[c.name] for c in busy], at, waves)
            notes += (f"wave {environment}/{name} has no target of {what}" for what in missed)
    return drafts


def _keep_gates(
    planned: Sequence[PlannedTarget],
    of: Mapping[str, Target],
    waves: Sequence[Wave],
    gated: Collection[str],
    needs: Needs,
    places: dict[str, int],
    last: int,
) -> None:
    """Let waves whose targets are through already keep them, for the sake of their gates."""
    kept: dict[str, int] = {}
    used = set(places.values())
    for at, wave in enumerate(waves[:last]):
        if wave.name not in gated or at in used or wave.pick is not None:
            continue
        for target in planned:
            if target.idle and places[target.name] == last and target.name not in kept:
                early = all(
                    kept.get(n, places.get(n, at)) <= at for n in needs.get(target.name, ())
                )
                if early and matches(wave, of[target.name].labels):
                    kept[target.name] = at
    places.update(kept)


def _candidate(target: PlannedTarget, of: Mapping[str, Target], needs: Needs) -> Candidate:
    whole = of[target.name]
    return Candidate(
        name=target.name,
        database=target.database,
        tenant=whole.tenant,
        labels=whole.labels,
        schema_class=target.schema_class,
        needs=needs.get(target.name, ()),
    )


def _wave(
    config: Config,
    drafts: Sequence[_WaveDraft],
    at: int,
    last: int,
    gated: bool,
    passed: Callable[[str, str], bool],
) -> PlannedWave:
    draft = drafts[at]
    settings = config.environments[draft.environment]
    same = [other for other in drafts if other.environment == draft.environment]
    busy = [other for other in same if other.busy]
    entry = gated and busy and draft is same[0] and settings.requires is not None
    gate = gate_of(settings.rollout, draft.wave) if gated and busy else None
    if gate is not None and not draft.busy:
        name = draft.name.partition("/")[2]
        before = same.index(draft) < same.index(busy[-1])
        gate = gate if before and not passed(draft.environment, name) else None
    return PlannedWave(
        name=draft.name,
        environment=draft.environment,
        budget=_budget(settings.rollout, draft),
        targets=len(draft.targets),
        max_parallel=draft.wave.max_parallel if draft.wave else None,
        max_per_server=draft.wave.max_per_server if draft.wave else None,
        entry=(GateKind.REQUIRES,) if entry else (),
        gate=() if gate is None else tuple(_kinds(gate, last=at >= last)),
    )


def gate_of(rollout: Rollout, wave: Wave | None) -> Gate | None:
    """Return the gate after a wave; ``None`` stands for the last one, which nobody listed."""
    return rollout.gate if wave is None else wave.gate


def gate_after(rollout: Rollout, name: str) -> Gate | None:
    """Return the gate after the wave that a run calls ``name``: ``prod/canary``."""
    own = name.partition("/")[2]
    return gate_of(rollout, next((wave for wave in rollout.waves if wave.name == own), None))


def _budget(rollout: Rollout, draft: _WaveDraft) -> int:
    own = None if draft.wave is None else draft.wave.max_failures
    return count_of(rollout.max_failures if own is None else own, draft.busy)


def _kinds(gate: Gate, *, last: bool) -> list[GateKind]:
    found = []
    if gate.soak and not last:
        found.append(GateKind.SOAK)
    if gate.query is not None:
        found.append(GateKind.QUERY)
    if gate.command is not None:
        found.append(GateKind.COMMAND)
    if gate.approval and not last:
        found.append(GateKind.APPROVAL)
    return found
