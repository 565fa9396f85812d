"""The text of ``wait``."""

from rich.console import Group
from rich.text import Text

from orchestrator.dispatch.results import Result
from orchestrator.render.groups import spaced, troubles
from orchestrator.render.status import total, warnings
from orchestrator.render.text import count, elapsed


def report(result: Result) -> Group:
    """Return one line where all are there, else those that are not and why."""
    if result.exit_code == 0:
        number = count(len(result.outcomes), "target")
        return Group(Text(f"{number}: all there ({elapsed(result.seconds)})"))
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    return spaced(*troubles(pairs), *warnings(result), total(result))
