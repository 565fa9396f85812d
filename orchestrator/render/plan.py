"""What a run would do: the text of ``plan``, and what is shown before something is asked."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from orchestrator.actions.runs.planned import Planned
from orchestrator.fleet.target import Target
from orchestrator.render.groups import block, grouped, spaced, troubles
from orchestrator.render.table import Columns
from orchestrator.render.words import count, elapsed, heads, names, safe
from orchestrator.rollout.plan import Plan, PlannedTarget, PlannedWave

_NAMED = 5
_UNKNOWN = "unknown"


def about_to(what: str, targets: Sequence[Target], protected: Sequence[str] = ()) -> Group:
    """Return ``what``, with the number of targets for each environment and database."""
    environments: dict[str, Counter[str]] = {}
    for target in targets:
        environments.setdefault(target.environment, Counter())[target.database] += 1
    title = Text(f"{safe(what)}: {count(len(targets), 'target')}", style="bold")
    return Group(title, _counts(environments, protected))


def about_to_upgrade(plan: Plan, protected: Sequence[str]) -> Group:
    """Return what an upgrade is about to change, and what of that can't be reversed."""
    environments: dict[str, Counter[str]] = {}
    for target in plan.busy:
        environments.setdefault(target.environment, Counter())[target.database] += 1
    what = f"Upgrade to {safe(plan.revision)}: {count(len(plan.busy), 'target')}"
    parts = [_counts(environments, protected)]
    irreversible = [
        f"{database} {revision.id} {revision.message}"
        for database, of in plan.revisions.items()
        for revision in of.values()
        if revision.reversible is False
    ]
    lines = [Text(f"  can't be reversed: {safe(text)}", style="red") for text in irreversible[:20]]
    if hidden := len(irreversible) - len(lines):
        lines.append(Text(f"  and {hidden:,} more that can't be reversed", style="red"))
    return Group(Text(what, style="bold"), *parts, *lines)


def _counts(environments: Mapping[str, Counter[str]], protected: Sequence[str]) -> Columns:
    rows = [
        [Text(f"  {safe(name)}"), _row(name, of, protected)] for name, of in environments.items()
    ]
    return Columns(["", ""], rows, headed=False)


def _row(name: str, databases: Counter[str], protected: Sequence[str]) -> Text:
    counts = ", ".join(f"{number:,} {safe(database)}" for database, number in databases.items())
    return Text.assemble(counts, ("  protected", "yellow") if name in protected else "")


def report(of: Planned, out: Path | None = None) -> Group:
    """Return what would go where, by which revisions, in which waves, and how long it takes."""
    plan = of.plan
    notes = [Text.assemble(("note: ", "yellow"), safe(note)) for note in plan.notes]
    notes += [Text.assemble(("warning: ", "yellow"), safe(text)) for text in of.warnings]
    if not plan.busy:
        standing = (
            f"{count(len(plan.targets), 'target')} {'is' if len(plan.targets) == 1 else 'are'}"
        )
        first = [Group(Text(f"Nothing to do: {standing} at {safe(plan.revision)}."))]
    else:
        first = [Group(*moves(plan)), *_revisions(plan), Group(_waves(of))]
    return spaced(
        *first,
        *([Group(*notes)] if notes else []),
        *_unread(of),
        _total(of),
        *([] if out is None else [_sealed(plan, out)]),
    )


def moves(plan: Plan) -> Iterator[Columns]:
    """Yield a row for each environment, database and class: from which heads to which.

    Classes are named only where there are several ways or classes.
    """
    known = [target for target in plan.busy if target.heads is not None]
    groups = grouped(known, _move)
    several = Counter((group[0].environment, group[0].database) for group in groups)
    rows = []
    for group in groups:
        one = group[0]
        goal = _UNKNOWN if one.goal is None else heads(one.goal)
        tell = several[one.environment, one.database] > 1 and one.schema_class is not None
        rows.append(
            [
                Text(safe(f"{one.environment}/{one.database}")),
                Text(f"{len(group):,}"),
                Text(f"{heads(one.heads or ())} → {goal}"),
                Text(count(len(one.revisions), "revision")),
                Text(f"class {one.schema_class}" if tell else "", style="dim"),
            ]
        )
    if rows:
        yield Columns(["", "", "", "", ""], rows, headed=False)


def _move(target: PlannedTarget) -> Hashable:
    return (
        target.environment,
        target.database,
        target.schema_class,
        target.heads,
        target.goal,
        target.revisions,
    )


def _revisions(plan: Plan) -> Iterator[Group]:
    for database, of in plan.revisions.items():
        rows = [
            [
                Text(safe(revision.id)),
                Text.assemble(
                    safe(revision.message),
                    ("  irreversible", "red") if revision.reversible is False else "",
                ),
            ]
            for revision in of.values()
        ]
        if rows:
            yield block(Text(safe(database), style="bold"), Columns(["", ""], rows, headed=False))


def _waves(of: Planned) -> Columns:
    by_wave: dict[int, list[str]] = {}
    for target in of.plan.busy:
        by_wave.setdefault(target.wave, []).append(target.name)
    rows = [
        [
            Text(safe(wave.name)),
            Text(f"{len(by_wave.get(at, [])):,}"),
            Text(f"{wave.budget:,}"),
            Text(_limits(wave)),
            Text(_took(of.seconds.get(at))),
            Text(_gate(of.plan, wave)),
            Text(names(by_wave.get(at, []), _NAMED), style="dim"),
        ]
        for at, wave in enumerate(of.plan.waves)
    ]
    header = ["wave", "targets", "may fail", "limits", "takes", "gate", ""]
    return Columns(header, rows, dispensable=6)


def _limits(wave: PlannedWave) -> str:
    parts = []
    if wave.max_parallel:
        parts.append(f"{wave.max_parallel:,} at once")
    if wave.max_per_server:
        parts.append(f"{wave.max_per_server:,} per server")
    return ", ".join(parts)


def _gate(plan: Plan, wave: PlannedWave) -> str:
    rollout = plan.rollouts.get(wave.environment, {})
    name = wave.name.partition("/")[2]
    own = next((of for of in rollout.get("waves", ()) if of.get("name") == name), rollout)
    settings: Mapping[str, Any] = own.get("gate") or {}
    parts = [
        f"soak {settings['soak']}" if kind == "soak" and "soak" in settings else kind
        for kind in wave.gate
    ]
    return ", ".join(parts)


def _took(seconds: float | None) -> str:
    return "?" if seconds is None else f"~{elapsed(seconds)}"


def _unread(of: Planned) -> Iterator[Group]:
    targets = {target.name: target for target in of.targets}
    return troubles([(targets[one.target], one) for one in of.unread])


def _total(of: Planned) -> Text:
    plan = of.plan
    known = [of.seconds.get(at) for at in range(len(plan.waves))]
    found = [value for value in known if value is not None]
    text = f"{count(len(plan.targets), 'target')}: {len(plan.busy):,} to upgrade"
    if plan.busy and found:
        text += f", about {elapsed(sum(found))}" + ("" if len(found) == len(known) else " or more")
    tail = f" ({elapsed(of.took)}{', interrupted' if of.interrupted else ''})"
    return Text.assemble(text, (tail, "dim"))


def _sealed(plan: Plan, out: Path) -> Group:
    return Group(
        Text(f"sealed: sha256 {plan.digest}"),
        Text(f"run it:  orchestrator upgrade --plan {safe(str(out))}"),
    )
