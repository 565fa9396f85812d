"""What commands do, without a terminal: one module per verb; ``Project`` is the public face.

Imports every floor below, never ``cli`` or ``render``.
Never prints, asks or exits: it returns a frozen result, or raises an ``OrchestratorError``.
"""

from orchestrator.actions.project import Project
from orchestrator.actions.selection import Selection
from orchestrator.runs.context import RunOptions

__all__ = ["Project", "RunOptions", "Selection"]
