"""Bring one Alembic migration to a thousand databases.

``from orchestrator import Project`` gives Python programs the verbs of the command line.
"""

from typing import TYPE_CHECKING, Any

from orchestrator.version import VERSION

if TYPE_CHECKING:
    from orchestrator.actions import Project, RunOptions, Selection

__all__ = ["Project", "RunOptions", "Selection"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    # Lazy, so that `orchestrator --help` and the worker processes don't pay for it.
    if name in __all__:
        from orchestrator import actions

        return getattr(actions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
