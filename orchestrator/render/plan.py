"""What a command is about to do, before it asks."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.table import Columns
from orchestrator.render.words import count, safe


def about_to(what: str, targets: Sequence[Target], protected: Sequence[str] = ()) -> Group:
    """Return ``what``, with the number of targets for each environment and database."""
    environments: dict[str, Counter[str]] = {}
    for target in targets:
        environments.setdefault(target.environment, Counter())[target.database] += 1
    rows = [
        [Text(f"  {safe(name)}"), _row(name, of, protected)] for name, of in environments.items()
    ]
    title = Text(f"{safe(what)}: {count(len(targets), 'target')}", style="bold")
    return Group(title, Columns(["", ""], rows, headed=False))


def _row(name: str, databases: Counter[str], protected: Sequence[str]) -> Text:
    counts = ", ".join(f"{number:,} {safe(database)}" for database, number in databases.items())
    return Text.assemble(counts, ("  protected", "yellow") if name in protected else "")
