"""The first function of a worker process, so that its parent need not import what it imports."""

from collections.abc import Mapping
from multiprocessing.connection import Connection

from orchestrator.worker.jobs import Here

PRELOAD = ("orchestrator.worker.preload",)
"""What a fork server imports, so that workers start with it."""


def work(
    pipe: Connection,
    commands: Mapping[str, str],
    environ: Mapping[str, str],
    folder: str,
    here: Here | None = None,
) -> None:
    """Serve jobs until the other end of ``pipe`` is closed; of another machine where ``here`` is
    given."""
    from orchestrator.worker.serve import serve

    serve(pipe, commands, environ, folder, here)
