"""What is wrong, with its place in the project's files: for reviewers, beside the code."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.actions.drifting import Deviation, DriftResult
from orchestrator.actions.places import Place, Places
from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.fleet.listing import some
from orchestrator.render.drift import line
from orchestrator.render.failure import FAILED, alike, message_for_any
from orchestrator.render.groups import Pair, grouped
from orchestrator.render.states import word
from orchestrator.render.text import count, safe, shortened, sound
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import Outcome, State

_NAMED = 5
_LINES = 20
_TITLE = 200
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
    """One line."""
    message: str
    place: Place
    targets: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    """What it is, whichever targets have it: by this it is known again next time."""


def of_result(result: Result, places: Places) -> list[Finding]:
    """Return what ``check`` or ``upgrade`` found wrong, worst first."""
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    return [*_of_pairs(result.verb, pairs, places), *_of_run(result, places)] + [
        _warning(result.verb, text, places) for text in result.warnings
    ]


def of_drift(result: DriftResult, places: Places) -> list[Finding]:
    """Return how targets differ from their siblings, and what could not be read."""
    unread = [pair for pair in result.unreadable if pair[1].state is not State.NOT_STARTED]
    found = [_failed("drift", group, places) for group in grouped(unread, alike)]
    for siblings in result.siblings:
        found += [_drifts(deviation, places) for deviation in siblings.deviations]
    return found + [_warning("drift", text, places) for text in result.warnings]


def of_error(place: Place, message: str) -> Finding:
    """Return what kept a command from giving any answer: a mistake in the file, or all of it."""
    title, _, rest = message.partition("\n")
    return _finding("error", Level.ERROR, title, rest or title, place, (), (title,))


def _of_pairs(verb: str, pairs: Sequence[Pair], places: Places) -> list[Finding]:
    failed = [pair for pair in pairs if pair[1].state in FAILED]
    found = [_failed(verb, group, places) for group in grouped(failed, alike)]
    differing = [pair for pair in pairs if pair[1].state is State.DIFFERS]
    found += [_differs(group, places) for group in grouped(differing, _difference)]
    behind = [pair for pair in pairs if pair[1].state in _BEHIND]
    return found + [_behind(verb, group, places) for group in grouped(behind, _pending)]


def _failed(verb: str, group: Sequence[Pair], places: Places) -> Finding:
    target, outcome = group[0]
    failure = outcome.failure
    title = f"{_who(group)}: {word(outcome.state)}"
    message = word(outcome.state)
    identity = [target.environment, target.database]
    place = None
    if failure is not None:
        title += "" if failure.revision is None else f" in revision {failure.revision}"
        parts = [shortened(failure.message), failure.statement and shortened(failure.statement)]
        step = failure.next_step and f"next: {failure.next_step}"
        message = "\n".join(part for part in (*parts, step) if part)
        place = places.revision(target.database, failure.revision)
        identity += [failure.revision or "", message_for_any(target, failure)]
    at = place or places.environment(target.environment)
    return _finding(
        f"{verb}/{outcome.state.value}", Level.ERROR, title, message, at, group, identity
    )


def _difference(pair: Pair) -> Hashable:
    return pair[0].database, pair[1].differences


def _differs(group: Sequence[Pair], places: Places) -> Finding:
    target, outcome = group[0]
    number = count(len(outcome.differences), "difference")
    title = f"{_who(group)}: {number} from the models"
    texts = [difference.text for difference in outcome.differences]
    at = places.model(target.database, outcome.differences)
    identity = (target.database, *texts)
    return _finding("check/differs", Level.ERROR, title, _listed(texts), at, group, identity)


def _pending(pair: Pair) -> Hashable:
    return pair[0].environment, pair[0].database, pair[1].state, pair[1].heads, pair[1].revisions


def _behind(verb: str, group: Sequence[Pair], places: Places) -> Finding:
    target, outcome = group[0]
    title = f"{_who(group)}: {word(outcome.state)}"
    first = next((revision.id for revision in outcome.revisions), None)
    at = places.revision(target.database, first) or places.environment(target.environment)
    rule = f"{verb}/{outcome.state.value}"
    identity = (target.environment, target.database, *outcome.heads)
    return _finding(rule, Level.WARNING, title, _pending_text(outcome), at, group, identity)


def _pending_text(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return "\n".join(filter(None, [outcome.failure.message, outcome.failure.next_step]))
    number = count(len(outcome.revisions), "revision")
    listed = _listed(f"{revision.id} {revision.message}" for revision in outcome.revisions)
    return f"{number} pending\n{listed}".rstrip()


def _drifts(deviation: Deviation, places: Places) -> Finding:
    of = deviation.of
    names = tuple(member.name for member in of.members)
    title = f"{some(names, _NAMED)}: otherwise than siblings"
    lines = [line(one) for one in deviation.differences]
    message = _listed(lines) if deviation.failure is None else deviation.failure
    at = places.database(of.database)
    identity = (of.database, *of.heads, *lines)
    return _finding("drift/differs", Level.WARNING, title, message, at, names, identity)


def _of_run(result: Result, places: Places) -> Iterator[Finding]:
    """Yield what holds a run back that no target tells: a gate that is closed, a request."""
    run = result.run
    told = run is not None and run.state is RunState.FAILED and result.tally.keys() & set(FAILED)
    if run is not None and run.state is not RunState.DONE and not told:
        left = (
            target.environment
            for target, outcome in zip(result.targets, result.outcomes, strict=True)
            if outcome.state in {State.NOT_STARTED, State.BLOCKED}
        )
        environment = next(left, None)
        at = places.file if environment is None else places.environment(environment)
        title = f"run {run.id}: {run.state.value}"
        level = Level.ERROR if run.state in _ENDED_BADLY else Level.WARNING
        rule = f"{result.verb}/run_{run.state.value}"
        yield _finding(rule, level, title, run_text(run), at, (), (environment or "",))


def run_text(run: RunEnd) -> str:
    """Return why a run stands as it does, and where more is to be read."""
    return f"{run.reason or run.state.value}\nnext: orchestrator show {run.id}"


_ENDED_BADLY = frozenset({RunState.FAILED, RunState.ABORTED})


def _warning(verb: str, text: str, places: Places) -> Finding:
    title = f"orchestrator {verb}: a warning"
    return _finding(f"{verb}/warning", Level.WARNING, title, text, places.file, (), (text,))


def _finding(
    rule: str,
    level: Level,
    title: str,
    message: str,
    place: Place,
    of: Sequence[Pair] | tuple[str, ...],
    identity: Sequence[str] = (),
) -> Finding:
    names = tuple(one if isinstance(one, str) else one[0].name for one in of)
    line_ = sound(safe(" ".join(title.split())))
    cut = line_ if len(line_) <= _TITLE else f"{line_[: _TITLE - 1]}…"
    return Finding(rule, level, cut, sound(safe(message)), place, names, tuple(identity))


def _who(group: Sequence[Pair]) -> str:
    return some([target.name for target, _ in group], _NAMED)


def _listed(lines: Iterable[str]) -> str:
    listed = list(lines)
    hidden = len(listed) - _LINES
    shown: Iterator[str] = iter(listed[:_LINES])
    return "\n".join([*shown, *([f"and {hidden:,} more"] if hidden > 0 else [])])
