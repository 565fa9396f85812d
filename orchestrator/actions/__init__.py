"""What commands do, without a terminal."""

from orchestrator.actions.project import Project, Selection

__all__ = ["Project", "Selection"]
