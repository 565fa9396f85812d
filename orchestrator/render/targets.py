"""The text of ``targets``."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.groups import spaced
from orchestrator.render.table import Columns
from orchestrator.render.text import count, labels, safe


def table(found: Sequence[Target]) -> Group:
    """Return one row for each target, in the order in which they would run."""
    rows = [[Text(safe(cell)) for cell in (t.name, t.server, _place(t), _labels(t))] for t in found]
    # The URL says what the server column says, if less plainly.
    columns = Columns(["target", "server", "url", "labels"], rows, dispensable=1)
    servers = count(len({target.server for target in found}), "server")
    return spaced(columns, Text(f"{count(len(found), 'target')} on {servers}"))


def _place(target: Target) -> str:
    schema = target.address.schema
    return f"{target.address} schema={schema}" if schema else str(target.address)


def _labels(target: Target) -> str:
    return " ".join(
        f"{key}={value}" for key, value in labels(target.labels).items() if key != "name"
    )
