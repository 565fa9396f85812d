"""What commands do, without a terminal."""

from orchestrator.actions.project import Project
from orchestrator.actions.selection import Selection

__all__ = ["Project", "Selection"]
