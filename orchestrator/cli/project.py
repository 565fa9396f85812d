"""Opening the project, with or without progress."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.cli.invocation import Invocation

if TYPE_CHECKING:
    from orchestrator.actions import Project


def quiet(invocation: Invocation, x: Sequence[str] | None = None) -> "Project":
    """Load the project for a command that is over at once."""
    from orchestrator.actions import Project

    return Project.load(invocation.config, x=x or ())


def ready(invocation: Invocation, x: Sequence[str] | None = None) -> "Project":
    """Load the project for a command with workers, which meanwhile import what they need."""
    from orchestrator.engines.local import start_fork_server
    from orchestrator.worker.entry import PRELOAD

    start_fork_server(PRELOAD)
    return quiet(invocation, x)


@contextmanager
def watched(project: "Project") -> Iterator["Project"]:
    """Show on stderr what ``project`` does inside. The terminal is left clean however it ends."""
    from orchestrator.cli.progress import progress
    from orchestrator.render.console import console

    with progress(console(sys.stderr)) as observer:
        before, project.observer = project.observer, observer
        try:
            yield project
        finally:
            project.observer = before
