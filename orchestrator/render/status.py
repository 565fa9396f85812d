"""The text of ``status``."""

from rich.console import Group
from rich.text import Text

from orchestrator.actions.results import Result
from orchestrator.render.groups import spaced, troubles
from orchestrator.render.states import cell, matrix
from orchestrator.render.words import count, elapsed


def report(result: Result) -> Group:
    """Return the matrix of environments and databases, and below it the odd ones out."""
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    return spaced(matrix(pairs), *troubles(pairs), total(result))


def total(result: Result) -> Text:
    """Return ``26 targets: 20 current · 6 behind (1.2s)``."""
    number = count(len(result.outcomes), "target")
    tail = f" ({elapsed(result.seconds)}{', interrupted' if result.interrupted else ''})"
    return Text.assemble(f"{number}: ", cell(result.tally), (tail, "dim"))
