"""The waves of a plan: their targets, what may fail, what holds them back, how long they take."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from orchestrator.fleet.listing import some
from orchestrator.render.table import Columns
from orchestrator.render.text import elapsed, safe
from orchestrator.rollout.plan import Plan, PlannedTarget, PlannedWave
from orchestrator.runs.planning.preview import Planned

_NAMED = 3


def waves(of: Planned) -> Iterator[Group]:
    """Yield a row for each wave, and below them what holds them back: gates and windows."""
    members: dict[int, list[PlannedTarget]] = {}
    for target in of.plan.busy:
        members.setdefault(target.wave, []).append(target)
    header = ["wave", "targets", "may fail", "at once", "takes", "tenants"]
    rows = [
        [
            Text(safe(wave.name)),
            Text(f"{len(members.get(at, ())):,}"),
            Text(f"{wave.budget:,}"),
            Text(_limits(of.plan, wave)),
            Text(_took(of.seconds.get(at))),
            Text(_tenants(members.get(at, [])), style="dim"),
        ]
        for at, wave in enumerate(of.plan.waves)
    ]
    kept = [at for at in range(len(header)) if any(row[at].plain for row in rows)]
    table = Columns(
        [header[at] for at in kept],
        [[row[at] for at in kept] for row in rows],
        dispensable=len(kept) - 1 if kept[-1:] == [len(header) - 1] else None,
    )
    yield Group(table, *_gates(of.plan), *_windows(of.plan))


def estimate(of: Planned) -> str:
    """Return how long all waves take, without what they wait for; empty where nothing is known."""
    known = [of.seconds.get(at) for at in range(len(of.plan.waves))]
    found = [seconds for seconds in known if seconds is not None]
    if not any(found):
        return ""
    return f"about {elapsed(sum(found))}" + ("" if len(found) == len(known) else " or more")


def _limits(plan: Plan, wave: PlannedWave) -> str:
    """Return the limits of the wave within those of its environment: ``64 (4/server)``."""
    rollout = plan.rollouts.get(wave.environment, {})
    both = [
        min((limit for limit in (getattr(wave, key), rollout.get(key)) if limit), default=None)
        for key in ("max_parallel", "max_per_server")
    ]
    at_once, per_server = both
    shown = "" if at_once is None else f"{at_once:,}"
    return shown if per_server is None else f"{shown} ({per_server:,}/server)".strip()


def _gates(plan: Plan) -> Iterator[Text]:
    for wave in plan.waves:
        for when, what in (("before", _entry(plan, wave)), ("after", _gate(plan, wave))):
            if what:
                yield Text.assemble(("gate: ", "yellow"), safe(f"{when} {wave.name}: {what}"))


def _entry(plan: Plan, wave: PlannedWave) -> str:
    if not wave.entry:
        return ""
    requires: Mapping[str, Any] = plan.rollouts.get(wave.environment, {}).get("requires") or {}
    soak = requires.get("soak")
    lasting = f" for {soak}" if soak and soak != "0s" else ""
    return f"its revisions on {requires.get('environment', 'another environment')}{lasting}"


def _gate(plan: Plan, wave: PlannedWave) -> str:
    rollout = plan.rollouts.get(wave.environment, {})
    name = wave.name.partition("/")[2]
    own = next((of for of in rollout.get("waves", ()) if of.get("name") == name), rollout)
    settings: Mapping[str, Any] = own.get("gate") or {}
    return ", ".join(
        f"soak {settings['soak']}" if kind == "soak" and "soak" in settings else kind
        for kind in wave.gate
    )


def _took(seconds: float | None) -> str:
    return f"~{elapsed(seconds)}" if seconds else ""


def _tenants(targets: list[PlannedTarget]) -> str:
    """Name a few tenants; databases where there are none."""
    parts = (target.name.split("/", 2) for target in targets)
    return safe(some(list(dict.fromkeys(part[-1] for part in parts)), _NAMED))


def _windows(plan: Plan) -> Iterator[Text]:
    for environment in dict.fromkeys(wave.environment for wave in plan.waves):
        window = plan.rollouts.get(environment, {}).get("window")
        if window:
            days = ", ".join(window["days"])
            hours = f"{window['from']} to {window['to']} {window['tz']}"
            text = f"{environment} only {days}, {hours}"
            yield Text.assemble(("window: ", "yellow"), safe(text))
