"""The text of ``check``."""

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.dispatch.results import Result
from orchestrator.render.groups import Pair, block, grouped, spaced, target_names, titled, troubles
from orchestrator.render.states import by_environment
from orchestrator.render.status import total, warnings
from orchestrator.render.text import count, safe
from orchestrator.rollout.outcomes import State


def report(result: Result) -> Group:
    """Return what differs, told once for all targets of a database that differ alike."""
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    return spaced(
        *by_environment(pairs),
        *_differences(pairs),
        *troubles(pairs),
        *warnings(result),
        total(result),
    )


def _differences(pairs: Sequence[Pair]) -> Iterator[Group]:
    differing = [pair for pair in pairs if pair[1].state is State.DIFFERS]
    for group in grouped(differing, lambda pair: (pair[0].database, pair[1].differences)):
        target, outcome = group[0]
        number = count(len(outcome.differences), "difference")
        title = f"{count(len(group), 'target')} of {target.database}, {number}"
        lines = (Text(safe(difference.text)) for difference in outcome.differences)
        yield block(titled(outcome.state, title), target_names(group), *lines)
