"""What a run would do: the text of ``plan``, and what is shown before something is asked."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Group
from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.groups import block, grouped, spaced, troubles
from orchestrator.render.table import Columns
from orchestrator.render.text import count, elapsed, heads, safe
from orchestrator.render.waves import estimate, waves
from orchestrator.rollout.plan import Plan, PlannedRevision, PlannedTarget
from orchestrator.runs.planning.preview import Planned

_WAYS = 50
_REVISIONS = 30


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
    sealed = [] if out is None else [_sealed(plan, out)]
    if not plan.busy:
        where = "head" if plan.revision in {"head", "heads"} else safe(plan.revision)
        verb = "is" if len(plan.targets) == 1 else "are"
        line = f"Nothing to do: {count(len(plan.targets), 'target')} {verb} at {where}."
        return spaced(Group(Text(line), *notes), *sealed)
    return spaced(
        Group(*moves(plan)),
        *_revisions(plan),
        *waves(of),
        *([Group(*notes)] if notes else []),
        *_unread(of),
        _total(of),
        *sealed,
    )


def moves(plan: Plan) -> Iterator[Columns | Text]:
    """Yield a row for each environment, database and class: from which heads to which.

    Classes are named only where there are several ways or classes.
    """
    known = [target for target in plan.busy if target.heads is not None]
    groups = grouped(known, _move)
    several = Counter((group[0].environment, group[0].database) for group in groups)
    rows = []
    for group in groups[:_WAYS]:
        one = group[0]
        tell = several[one.environment, one.database] > 1 and one.schema_class is not None
        rows.append(
            [
                Text(safe(f"{one.environment}/{one.database}")),
                Text(f"{len(group):,}"),
                Text(f"{heads(one.heads or ())} → {_goal(one)}"),
                Text(f"{len(one.revisions):,}"),
                Text((one.schema_class or "") if tell else "", style="dim"),
            ]
        )
    if rows:
        yield Columns(["database", "targets", "from → to", "revisions", ""], rows, dispensable=4)
    if hidden := sum(map(len, groups[_WAYS:])):
        yield Text(f"and {count(hidden, 'more target')} (-o json lists all)")


def _goal(target: PlannedTarget) -> str:
    return "unknown" if target.goal is None else heads(target.goal)


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
        shown = [*of.values()][:_REVISIONS]
        hidden = [*of.values()][_REVISIONS:]
        # What can't be undone is never hidden.
        shown += [revision for revision in hidden if revision.reversible is False]
        rows = [[Text(safe(revision.id)), _message(revision)] for revision in shown]
        if left := len(of) - len(shown):
            rows.append([Text("…"), Text(f"and {left:,} more (-o json lists all)", style="dim")])
        if rows:
            yield block(Text(safe(database), style="bold"), Columns(["", ""], rows, headed=False))


def _message(revision: PlannedRevision) -> Text:
    mark = ("  irreversible", "red") if revision.reversible is False else ""
    return Text.assemble(safe(revision.message), mark)


def _unread(of: Planned) -> Iterator[Group]:
    targets = {target.name: target for target in of.targets}
    return troubles([(targets[one.target], one) for one in of.unread])


def _total(of: Planned) -> Text:
    plan = of.plan
    text = f"{count(len(plan.targets), 'target')}: {len(plan.busy):,} to upgrade"
    if plan.busy and (takes := estimate(of)):
        text += f", {takes}"
    tail = f" ({elapsed(of.took)}{', interrupted' if of.interrupted else ''})"
    return Text.assemble(text, (tail, "dim"))


def _sealed(plan: Plan, out: Path) -> Group:
    return Group(
        Text(f"sealed: sha256 {plan.digest}"),
        Text(f"run it:  orchestrator upgrade --plan {safe(str(out))}"),
    )
