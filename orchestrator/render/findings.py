"""What is wrong, with its place in the project's files: for reviewers, beside the code."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.actions.drifting import Deviation, DriftResult
from orchestrator.actions.places import Places
from orchestrator.dispatch.results import Result
from orchestrator.fleet.listing import some
from orchestrator.fleet.target import Target
from orchestrator.render.drift import line
from orchestrator.render.failure import FAILED, alike
from orchestrator.render.groups import Pair, grouped
from orchestrator.render.states import word
from orchestrator.render.text import count, safe, shortened
from orchestrator.rollout.outcomes import Outcome, State

_NAMED = 5
_LINES = 20
_BEHIND = frozenset({State.BEHIND, State.EMPTY, State.UNVERSIONED})


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at, told once for all targets that it is about."""

    rule: str
    """``check/differs``, ``upgrade/failed``, ``drift/differs``."""
    level: Level
    title: str
    message: str
    path: str
    """Relative to the root of the project's repository, where it is below that."""
    line: int
    targets: tuple[str, ...]


def of_result(result: Result, places: Places) -> list[Finding]:
    """Return what ``check``, ``upgrade``, … found wrong, worst first."""
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    failed = [pair for pair in pairs if pair[1].state in FAILED]
    found = [_failed(result.verb, group, places) for group in grouped(failed, alike)]
    differing = [pair for pair in pairs if pair[1].state is State.DIFFERS]
    found += [
        _differs(group, places)
        for group in grouped(differing, lambda pair: (pair[0].database, pair[1].differences))
    ]
    behind = [pair for pair in pairs if pair[1].state in _BEHIND]
    found += [_behind(result.verb, group, places) for group in grouped(behind, _pending)]
    return found


def of_drift(result: DriftResult, places: Places) -> list[Finding]:
    """Return how targets differ from their siblings, and what could not be read."""
    found = [_failed("drift", group, places) for group in grouped(result.unreadable, alike)]
    for siblings in result.siblings:
        found += [_drifts(deviation, places) for deviation in siblings.deviations]
    return found


def _failed(verb: str, group: Sequence[Pair], places: Places) -> Finding:
    target, outcome = group[0]
    failure = outcome.failure
    title = f"{_who(group)}: {word(outcome.state)}"
    message = word(outcome.state)
    if failure is not None:
        title += "" if failure.revision is None else f" in revision {failure.revision}"
        parts = [shortened(failure.message), failure.statement and shortened(failure.statement)]
        step = failure.next_step and f"next: {failure.next_step}"
        message = "\n".join(part for part in (*parts, step) if part)
    path, line_ = _place_of(target, outcome, places)
    rule = f"{verb}/{outcome.state.value}"
    return _finding(rule, Level.ERROR, title, message, path, line_, group)


def _place_of(target: Target, outcome: Outcome, places: Places) -> tuple[str, int]:
    failing = outcome.failure.revision if outcome.failure is not None else None
    for revision in outcome.revisions:
        if revision.id == failing and revision.path is not None:
            return places.revision(revision.path)
    return places.table("environments", target.environment)


def _differs(group: Sequence[Pair], places: Places) -> Finding:
    target, outcome = group[0]
    number = count(len(outcome.differences), "difference")
    title = f"{_who(group)}: {number} from the models"
    message = _listed(difference.text for difference in outcome.differences)
    at = places.table("databases", target.database)
    return _finding("check/differs", Level.ERROR, title, message, *at, group)


def _pending(pair: Pair) -> Hashable:
    return pair[0].environment, pair[0].database, pair[1].state, pair[1].heads, pair[1].revisions


def _behind(verb: str, group: Sequence[Pair], places: Places) -> Finding:
    target, outcome = group[0]
    title = f"{_who(group)}: {word(outcome.state)}"
    number = count(len(outcome.revisions), "revision")
    listed = (f"{revision.id} {revision.message}" for revision in outcome.revisions)
    message = f"{number} pending\n{_listed(listed)}".rstrip()
    if outcome.failure is not None:
        message = "\n".join(filter(None, [outcome.failure.message, outcome.failure.next_step]))
    at = places.table("environments", target.environment)
    rule = f"{verb}/{outcome.state.value}"
    return _finding(rule, Level.WARNING, title, message, *at, group)


def _drifts(deviation: Deviation, places: Places) -> Finding:
    of = deviation.of
    names = [member.name for member in of.members]
    title = f"{some(names, _NAMED)}: otherwise than siblings"
    lines = map(line, deviation.differences)
    message = _listed(lines) if deviation.failure is None else deviation.failure
    path, line_ = places.table("databases", of.database)
    return Finding(
        "drift/differs", Level.WARNING, safe(title), safe(message), path, line_, tuple(names)
    )


def _finding(
    rule: str,
    level: Level,
    title: str,
    message: str,
    path: str,
    line_: int,
    group: Sequence[Pair],
) -> Finding:
    names = tuple(target.name for target, _ in group)
    return Finding(rule, level, safe(title), safe(message), path, line_, names)


def _who(group: Sequence[Pair]) -> str:
    return some([target.name for target, _ in group], _NAMED)


def _listed(lines: Iterable[str]) -> str:
    listed = list(lines)
    hidden = len(listed) - _LINES
    shown: Iterator[str] = iter(listed[:_LINES])
    return "\n".join([*shown, *([f"and {hidden:,} more"] if hidden > 0 else [])])
