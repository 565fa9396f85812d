"""How targets are laid out into waves, for random fleets and waves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orchestrator.config.models import Config
from orchestrator.fleet.ordering import dependencies, ordered
from orchestrator.fleet.target import Target
from orchestrator.rollout.plan import PlannedTarget
from orchestrator.rollout.waves import count_of
from orchestrator.runs.planning.layout import Layout, lay_out
from tests.effort import examples
from tests.fleet.examples import make_config, rows, targets_of

DATABASES = {"base": (), "catalog": ("base",), "orders": ("catalog",), "reports": ("orders",)}
GATES = ({}, {"soak": "15m"}, {"approval": True, "soak": "1m"}, {"command": {"run": ["./smoke"]}})
BUDGETS = (0, 2, "10%", "50%", [1, "30%"])
SEED = "0" * 64


@dataclass(frozen=True)
class Fleet:
    config: Config
    targets: tuple[Target, ...]
    planned: tuple[PlannedTarget, ...]
    needs: Mapping[str, Sequence[str]]
    passed: bool
    layout: Layout


@st.composite
def waves(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        wave: dict[str, Any] = {"name": f"w{number}"}
        if draw(st.booleans()):
            wave["where"] = {"tier": draw(st.sampled_from(["free", "gold", "nobody"]))}
        if draw(st.booleans()):
            wave["pick"] = draw(st.sampled_from([1, 2, "20%"]))
        if draw(st.booleans()):
            wave["max_failures"] = draw(st.sampled_from(BUDGETS))
        found.append({**wave, "gate": draw(st.sampled_from(GATES))})
    return found


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    shared = draw(st.sampled_from(["base", "catalog", "reports", "none"]))
    tenants = {
        "prod": draw(st.lists(st.sampled_from(["free", "gold"]), max_size=6)),
        "staging": draw(st.lists(st.sampled_from(["free", "gold"]), max_size=3)),
    }
    environments = {
        name: {
            "url": f"sqlite:////srv/{name}/{{tenant}}-{{database}}.db",
            "databases": {shared: {"url": f"sqlite:////srv/{name}/one.db"}}
            if shared in DATABASES
            else {},
            "tenants": rows(*(f"t{n}" for n in range(len(tiers)))) or rows("only"),
            "rollout": {
                "waves": draw(waves()),
                "max_failures": draw(st.sampled_from(BUDGETS)),
                "gate": draw(st.sampled_from(GATES)),
            },
        }
        for name, tiers in tenants.items()
    }
    environments["prod"]["requires"] = {"environment": "staging"}
    config = make_config(DATABASES, ["staging", "prod"], **environments)
    known = {
        name: [{"name": f"t{n}", "tier": tier} for n, tier in enumerate(tiers)] or rows("only")
        for name, tiers in tenants.items()
    }
    targets = ordered(targets_of(config, **known), config)
    needs = dependencies(targets, config)
    planned = tuple(
        PlannedTarget(
            *(t.name, t.environment, t.database, t.server, "", 0, ("r1",)),
            ("r1",) if (idle := draw(st.integers(0, 3)) == 0) else ("r2",),
            "c",
            () if idle else ("r2",),
        )
        for t in targets
    )
    passed = draw(st.booleans())
    layout = _laid_out(config, targets, planned, needs, passed=passed)
    return Fleet(config, tuple(targets), planned, needs, passed, layout)


def _laid_out(
    config: Config,
    targets: Sequence[Target],
    planned: Sequence[PlannedTarget],
    needs: Mapping[str, Sequence[str]],
    *,
    passed: bool,
) -> Layout:
    return lay_out(config, targets, planned, needs, SEED, waves=True, passed=lambda *_: passed)


@settings(max_examples=examples(300), deadline=None)
@given(fleets())
def test_every_target_is_in_one_wave_after_all_that_it_needs(fleet: Fleet) -> None:
    found = fleet.layout
    assert Counter(t.name for t in found.targets) == Counter(t.name for t in fleet.planned)
    place = {target.name: at for at, target in enumerate(found.targets)}
    wave = {target.name: target.wave for target in found.targets}
    for target in found.targets:
        assert found.waves[target.wave].environment == target.environment
        for need in fleet.needs.get(target.name, ()):
            assert wave[need] <= target.wave, f"{need} comes in a later wave"
            assert place[need] < place[target.name]
    assert [t.wave for t in found.targets] == sorted(t.wave for t in found.targets)
    assert [w.targets for w in found.waves] == [
        sum(t.wave == at for t in found.targets) for at in range(len(found.waves))
    ]


@settings(max_examples=examples(300), deadline=None)
@given(fleets())
def test_gates_and_budgets_are_those_of_what_has_work(fleet: Fleet) -> None:
    busy = Counter(t.wave for t in fleet.layout.targets if not t.idle)
    last = max(busy, default=-1)
    names = [wave.environment for wave in fleet.layout.waves]
    for at, wave in enumerate(fleet.layout.waves):
        environment = fleet.config.environments[wave.environment]
        listed = {f"{wave.environment}/{w.name}": w for w in environment.rollout.waves}
        own = listed.get(wave.name)
        share = environment.rollout.max_failures
        if own is not None and own.max_failures is not None:
            share = own.max_failures
        assert wave.budget == count_of(share, busy[at])
        gate = environment.rollout.gate if own is None else own.gate
        wanted = [
            *(["soak"] if gate and gate.soak and at != last else []),
            *(["command"] if gate and gate.command else []),
            *(["approval"] if gate and gate.approval and at != last else []),
        ]
        later = [n for n in busy if n > at and names[n] == wave.environment]
        kept = busy[at] or (later and not fleet.passed)
        assert list(wave.gate) == (wanted if kept else [])
        first = wave.environment not in names[:at]
        required = wave.environment == "prod" and first and (busy[at] or later)
        assert list(wave.entry) == (["requires"] if required else [])


@settings(max_examples=examples(300), deadline=None)
@given(fleets())
def test_waves_without_targets_are_left_out_and_noted(fleet: Fleet) -> None:
    names = [wave.name for wave in fleet.layout.waves]
    assert len(names) == len(set(names))
    assert all(wave.targets for wave in fleet.layout.waves)
    for name in dict.fromkeys(target.environment for target in fleet.planned):
        for wave in fleet.config.environments[name].rollout.waves:
            note = f"wave {name}/{wave.name} has no target for which there is work"
            assert (note in fleet.layout.notes) == (f"{name}/{wave.name}" not in names)


@settings(
    max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
@given(fleets())
def test_what_is_idle_changes_no_place_of_what_is_not(fleet: Fleet) -> None:
    """Without the idle ones, a pick takes the same.

    But for an idle one between two others: it goes with the later, and the earlier with it.
    """
    busy = [target for target in fleet.planned if not target.idle]
    names = {target.name for target in busy}
    idle = [target.name for target in fleet.planned if target.idle]
    assume(not any(need in names for name in idle for need in fleet.needs.get(name, ())))
    targets = [target for target in fleet.targets if target.name in names]
    needs = {n: tuple(o for o in of if o in names) for n, of in fleet.needs.items() if n in names}
    alone = _laid_out(fleet.config, targets, busy, needs, passed=fleet.passed)
    waves = [wave.name for wave in alone.waves]
    there = [wave.name for wave in fleet.layout.waves]
    assert {t.name: waves[t.wave] for t in alone.targets} == {
        t.name: there[t.wave] for t in fleet.layout.targets if t.name in names
    }
