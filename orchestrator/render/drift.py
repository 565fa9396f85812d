"""The text of ``drift``."""

import re
from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.actions.drifting import Deviation, DriftResult, Siblings
from orchestrator.fleet.drift import Change, Drift
from orchestrator.fleet.listing import some
from orchestrator.fleet.target import Target
from orchestrator.render.groups import block, spaced, troubles
from orchestrator.render.text import count, elapsed, heads, safe
from orchestrator.rollout.outcomes import State

_NAMED = 5
_LINES = 50
_SIMPLE = re.compile(r"[`\"]([A-Za-z_]\w*)[`\"]")
_LONG = frozenset(
    {"view", "materialized view", "trigger", "rule", "function", "procedure", "aggregate"}
)
_TELLS_ALL = frozenset({"type", "nullable", "definition", "on"})
"""Details that are what people mean by the thing itself."""


def report(result: DriftResult) -> Group:
    """Return, for each database and revision with several classes, who differs and how."""
    notes = [Text.assemble(("warning: ", "yellow"), safe(text)) for text in result.warnings]
    differing = [siblings for siblings in result.siblings if siblings.deviations]
    return spaced(
        *map(_siblings, differing),
        *troubles([pair for pair in result.unreadable if pair[1].state is not State.NOT_STARTED]),
        Group(*notes, _total(result)),
    )


def _siblings(siblings: Siblings) -> Group:
    of, all_ = siblings.baseline, [member for found in siblings.classes for member in found.members]
    environments = {target.environment for target in all_}
    where = f"{next(iter(environments))}/" if len(environments) == 1 else ""
    title = Text.assemble(
        (f"{safe(where + of.database)} at {heads(of.heads)}", "bold"),
        f" on {of.dialect}: ",
        (f"{count(len(of.members), 'target')} alike", "green"),
    )
    odd = sum(len(deviation.of.members) for deviation in siblings.deviations)
    ways = len(siblings.deviations)
    title.append(" · ", style="dim")
    title.append(f"{odd:,} otherwise" + (f", in {ways:,} ways" if ways > 1 else ""), style="yellow")
    lines = (line for deviation in siblings.deviations for line in _lines(deviation, bool(where)))
    baseline = Text(f"baseline: {_named(of.members, bool(where))}", style="dim")
    return block(title, baseline, *lines)


def _lines(deviation: Deviation, one_environment: bool) -> Iterator[Text]:
    who = safe(_named(deviation.of.members, one_environment))
    if deviation.failure is not None:
        yield Text.assemble((f"{who}: ", "yellow"), f"can't be read: {safe(deviation.failure)}")
    for found in deviation.differences[:_LINES]:
        yield Text.assemble((f"{who}: ", "yellow"), safe(line(found)))
    if (hidden := len(deviation.differences) - _LINES) > 0:
        text = f"{count(hidden, 'more difference')} (-o json lists all)"
        yield Text.assemble((f"{who}: ", "yellow"), text)


def _named(targets: Sequence[Target], one_environment: bool) -> str:
    return some([_name(target, one_environment) for target in targets], _NAMED)


def _name(target: Target, one_environment: bool) -> str:
    tenant = target.tenant
    if tenant is None:
        return target.environment
    return tenant if one_environment else f"{target.environment}/{tenant}"


def line(found: Drift) -> str:
    """Return a difference for people: ``extra index ix_tmp on orders(email)``."""
    what = _what(found)
    if found.change is not Change.CHANGED:
        return f"{found.change.value} {what}{_rest(found)}"
    if found.detail == "written":
        return f"{what} is written otherwise in SQL, and says the same"
    if found.kind in _LONG:
        return f"{what} has another {found.detail} (-o json has both)"
    here, there = _value(found, found.value), _value(found, found.baseline)
    verb = " is" if found.detail in _TELLS_ALL else f": {found.detail} is"
    return f"{what}{verb} {here}, baseline {there}"


def _what(found: Drift) -> str:
    schema = f"{found.schema}." if found.schema else ""
    if found.kind in ("column", "clause"):
        return f"{found.kind} {schema}{found.table}.{found.name}"
    name = f" {found.name}" if found.name and _plain(found.name) != _plain(found.value) else ""
    return f"{found.kind}{name}" + (f" on {schema}{found.table}" if found.table else "")


def _rest(found: Drift) -> str:
    value = _plain(found.value).removeprefix("btree ")
    if not value:
        return ""
    is_index = found.kind.endswith("index") or found.kind == "primary key"
    return value if is_index and value.startswith("(") else f" {value}"


def _value(found: Drift, value: str | None) -> str:
    if found.detail == "nullable":
        return "NULL" if value == "yes" else "NOT NULL"
    return "none" if value is None else _plain(value)


def _plain(text: str | None) -> str:
    """Return SQL without the quotes of names that need none."""
    return _SIMPLE.sub(r"\1", text or "")


def _total(result: DriftResult) -> Text:
    classes = sum(len(siblings.classes) for siblings in result.siblings)
    odd = sum(len(d.of.members) for siblings in result.siblings for d in siblings.deviations)
    tail = f" ({elapsed(result.seconds)}{', interrupted' if result.interrupted else ''})"
    text = Text(f"{count(len(result.targets), 'target')} in {count(classes, 'class', 'classes')}: ")
    if odd:
        text.append(f"{odd:,} differ" if odd > 1 else "1 differs", style="yellow")
    else:
        text.append("no drift", style="green")
    if result.unreadable:
        text.append(" · ", style="dim").append(f"{len(result.unreadable):,} unread", style="red")
    return text.append(tail, style="dim")
