"""Checks of waves: their names, their labels, and that each of them can get a target."""

from collections.abc import Collection, Iterator, Mapping

from orchestrator.config.models import (
    Environment,
    Tenant,
    TenantsFromDatabases,
    TenantsFromFiles,
    TenantsFromSchemas,
    Wave,
)
from orchestrator.config.names import name_problem
from orchestrator.config.problems import Path, Problem, did_you_mean
from orchestrator.config.rollouts import REST, label_text

Values = Mapping[str, frozenset[str] | None]
"""The labels that tenants have, each with its values, where those are known."""


def check_waves(name: str, environment: Environment) -> Iterator[Problem]:
    """Yield what is wrong with the waves of one environment."""
    at: Path = ("environments", name, "rollout")
    yield from _names((*at, "waves"), environment.rollout.waves)
    yield from _reached(at, environment)
    known = _known(environment)
    for index, wave in enumerate(environment.rollout.waves):
        place = (*at, "waves", index)
        if wave.stratify and wave.pick is None:
            hint = "add pick, for example: pick = 5"
            yield Problem((*place, "stratify"), "'stratify' is about what 'pick' takes", hint)
        if known is not None:
            yield from _labels(place, wave, known)


def _names(at: Path, waves: tuple[Wave, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, wave in enumerate(waves):
        place = (*at, index, "name")
        problem = name_problem(wave.name)
        if problem:
            yield Problem(place, f"'{wave.name}' can't name a wave", problem)
        elif wave.name == REST:
            hint = "it is the last wave, of what no listed wave takes"
            yield Problem(place, f"'{REST}' can't name a wave", hint)
        elif wave.name in seen:
            yield Problem(place, f"wave '{wave.name}' is there twice")
        seen.add(wave.name)


def _reached(at: Path, environment: Environment) -> Iterator[Problem]:
    """Yield waves, and a last gate, that come after a wave that takes everything."""
    waves = environment.rollout.waves
    all_ = next((n for n, wave in enumerate(waves) if not wave.where and wave.pick is None), None)
    if all_ is None:
        return
    taken = f"wave '{waves[all_].name}' takes every target"
    for index in range(all_ + 1, len(waves)):
        hint = "give that wave a 'where' or a 'pick', or move it to the end"
        message = f"nothing is left for wave '{waves[index].name}': {taken}"
        yield Problem((*at, "waves", index, "name"), message, hint)
    if environment.rollout.gate is not None:
        message = f"nothing is left for this gate: {taken}"
        yield Problem((*at, "gate"), message, "give the gate to that wave", on_key=True)


def _labels(at: Path, wave: Wave, known: Values) -> Iterator[Problem]:
    for label, values in wave.where.items():
        place = (*at, "where", label)
        if label not in known:
            yield _unknown(place, label, known, on_key=True)
        elif (there := known[label]) is not None and there.isdisjoint(values):
            wanted = " or ".join(f"'{value}'" for value in values)
            hint = did_you_mean(values[0], there) or _there_are(there)
            yield Problem(place, f"no tenant has {label} = {wanted}", hint)
    for index, label in enumerate(wave.stratify):
        if label not in known:
            yield _unknown((*at, "stratify", index), label, known)
    for index, key in enumerate(wave.order_by):
        if key.removeprefix("-") not in known:
            yield _unknown((*at, "order_by", index), key.removeprefix("-"), known)


def _unknown(at: Path, label: str, known: Values, *, on_key: bool = False) -> Problem:
    hint = did_you_mean(label, known) or (_there_are(known) if known else None)
    return Problem(at, f"no tenant has a label '{label}'", hint, on_key=on_key)


def _there_are(names: Collection[str]) -> str:
    return f"there are: {', '.join(sorted(names)[:10])}{', …' if len(names) > 10 else ''}"


def _known(environment: Environment) -> Values | None:
    """Return the labels of tenants, or ``None`` where they show only once tenants are read."""
    tenants = environment.tenants
    if isinstance(tenants, TenantsFromDatabases | TenantsFromSchemas | TenantsFromFiles):
        return {"name": None}
    if not isinstance(tenants, tuple):
        return None
    found: dict[str, set[str]] = {}
    for tenant in tenants:
        for label, value in _labels_of(tenant).items():
            found.setdefault(label, set()).add(value)
    return {label: frozenset(values) for label, values in found.items()}


def _labels_of(tenant: str | Tenant) -> Mapping[str, str]:
    if isinstance(tenant, str):
        return {"name": tenant}
    extra = {label: label_text(value) for label, value in (tenant.model_extra or {}).items()}
    return {"name": tenant.name, **extra}
