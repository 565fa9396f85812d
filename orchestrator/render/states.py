"""How states look."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.table import Columns
from orchestrator.render.text import safe
from orchestrator.rollout.outcomes import Outcome, State

_GOOD = frozenset({State.DONE, State.UNCHANGED, State.CURRENT, State.IN_SYNC})
_BAD = frozenset(
    {
        State.FAILED,
        State.IN_DOUBT,
        State.UNREACHABLE,
        State.UNKNOWN_REVISION,
        State.INCONSISTENT,
    }
)

Pairs = Iterable[tuple[Target, Outcome]]


def style(state: State) -> str:
    """Return the colour of a state: green, yellow for what needs a look, red for what is wrong."""
    return "green" if state in _GOOD else "red" if state in _BAD else "yellow"


def word(state: State) -> str:
    """Return a state as people say it: ``not started``."""
    return state.value.replace("_", " ")


def cell(tally: Mapping[State, int]) -> Text:
    """Return counts by state in one line: ``6 current · 2 behind``; ``-`` for none."""
    parts = [Text(_counted(s, tally[s]), style=style(s)) for s in State if tally.get(s)]
    return Text(" · ", style="dim").join(parts) if parts else Text("-", style="dim")


def _counted(state: State, number: int) -> str:
    return f"{number:,} {'differ' if state is State.DIFFERS and number > 1 else word(state)}"


def matrix(pairs: Pairs) -> Columns:
    """Return counts by state for each environment and database, both in configured order."""
    tallies: dict[str, dict[str, Counter[State]]] = {}
    databases: dict[str, None] = {}
    for target, outcome in pairs:
        row = tallies.setdefault(target.environment, {})
        row.setdefault(target.database, Counter())[outcome.state] += 1
        databases[target.database] = None
    rows = [
        [Text(safe(environment)), *(cell(row.get(name, {})) for name in databases)]
        for environment, row in tallies.items()
    ]
    return Columns(["", *map(safe, databases)], rows)


def by_environment(pairs: Pairs) -> Iterator[Columns]:
    """Yield counts by state for each environment, where there are several."""
    tallies: dict[str, Counter[State]] = {}
    for target, outcome in pairs:
        tallies.setdefault(target.environment, Counter())[outcome.state] += 1
    rows = [[Text(safe(name)), cell(tally)] for name, tally in tallies.items()]
    if len(rows) > 1:
        yield Columns(["", ""], rows, headed=False)
