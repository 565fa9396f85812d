"""The text of ``upgrade``, ``downgrade`` and ``stamp``."""

from collections.abc import Hashable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.dispatch.results import Result
from orchestrator.render.failure import failures
from orchestrator.render.groups import Pair, block, grouped, spaced, target_names, titled
from orchestrator.render.run_end import ended
from orchestrator.render.states import by_environment
from orchestrator.render.status import total, warnings
from orchestrator.render.table import Columns
from orchestrator.render.text import NAMES_SHOWN, count, heads, names, safe
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import State

_HEADS = frozenset({"head", "heads"})
_TRIED_AGAIN = (State.FAILED, State.LOCKED)


def report(result: Result, revision: str, *, debug: bool = False) -> Group:
    """Return counts for each environment, then what needs a look, then the total."""
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    if pairs and result.tally.keys() == {State.UNCHANGED}:
        where = "head" if revision in _HEADS else safe(revision)
        standing = f"{count(len(pairs), 'target')} {'is' if len(pairs) == 1 else 'are'} at {where}."
        return Group(Text(f"Nothing to do: {standing}"), *_run(result))
    note = [Text("Dry run: nothing was changed.")] if result.dry_run else []
    return spaced(
        *by_environment(pairs),
        *_planned(result, revision, pairs),
        *_blocked(pairs),
        *(() if _goes_on(result) else _not_started(pairs)),
        *failures(pairs, debug=debug),
        *warnings(result),
        Group(total(result), *note, *_run(result)),
    )


def _goes_on(result: Result) -> bool:
    """Whether what was not started is only yet to come: then its number says enough."""
    return result.run is not None and result.run.state in {RunState.WAITING, RunState.PAUSED}


def _run(result: Result) -> Iterator[RenderableType]:
    if result.run is None:
        return iter(())
    return ended(result.run, sum(result.tally.get(state, 0) for state in _TRIED_AGAIN))


def _planned(result: Result, revision: str, pairs: Sequence[Pair]) -> Iterator[Group]:
    planned = [pair for pair in pairs if pair[1].state is State.PLANNED]
    for group in grouped(planned, _same_plan):
        target, outcome = group[0]
        now = f"at {heads(outcome.heads_before)}" if outcome.heads_before else "empty"
        title = (
            f"{count(len(group), 'target')} of {target.environment}/{target.database}, now {now}"
        )
        if outcome.revisions:
            verb = "revert" if result.verb == "downgrade" else "apply"
            title += f", {count(len(outcome.revisions), 'revision')} to {verb}"
        elif result.verb == "stamp":
            title += f", to be stamped as {revision}"
        rows = [[Text(safe(r.id)), Text(safe(r.message))] for r in outcome.revisions]
        body = [Columns(["", ""], rows, headed=False)] if rows else []
        yield block(titled(State.PLANNED, title), target_names(group), *body)


def _same_plan(pair: Pair) -> Hashable:
    target, outcome = pair
    return target.environment, target.database, outcome.heads_before, outcome.revisions


def _blocked(pairs: Sequence[Pair]) -> Iterator[Group]:
    blocked = [pair for pair in pairs if pair[1].state is State.BLOCKED]
    if not blocked:
        return
    groups = grouped(blocked, lambda pair: pair[1].blocked_by)
    rows = [
        [Text(safe(f"by {group[0][1].blocked_by or 'what failed before'}:")), target_names(group)]
        for group in groups[:NAMES_SHOWN]
    ]
    if hidden := sum(map(len, groups[NAMES_SHOWN:])):
        rows.append([Text(f"and {count(hidden, 'more target')} (-o json lists all)"), Text()])
    title = f"{count(len(blocked), 'target')}, not started"
    yield block(titled(State.BLOCKED, title), Columns(["", ""], rows, headed=False))


def _not_started(pairs: Sequence[Pair]) -> Iterator[Group]:
    left = [target.name for target, outcome in pairs if outcome.state is State.NOT_STARTED]
    if left:
        title = titled(State.NOT_STARTED, count(len(left), "target"))
        yield block(title, Text(names(left), style="dim"))
