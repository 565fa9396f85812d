"""The text of ``workers``."""

from rich.console import Group
from rich.text import Text

from orchestrator.actions.cluster import ClusterView, ClusterWorker
from orchestrator.render.groups import spaced
from orchestrator.render.table import Columns
from orchestrator.render.text import count, safe


def table(view: ClusterView) -> Group:
    """Return one row for each worker, and where Dask's own page is."""
    rows = [[Text(safe(cell)) for cell in _cells(worker)] for worker in view.workers]
    columns = Columns(["worker", "place", "slots", "busy", "project"], rows, dispensable=4)
    slots = count(sum(worker.slots for worker in view.workers), "slot")
    who = f"{count(len(view.workers), 'worker')} with {slots}" if rows else "nobody is there"
    page = "each command starts a cluster for itself"
    if view.dashboard is not None:
        page = f"Dask's own page: {safe(view.dashboard)}"
    return spaced(columns, Text(f"{who}; {page}"))


def _cells(worker: ClusterWorker) -> tuple[str, ...]:
    stale = f"another {', '.join(worker.stale)}" if worker.stale else "the same"
    return worker.name, worker.place or "", str(worker.slots), str(worker.busy), stale
