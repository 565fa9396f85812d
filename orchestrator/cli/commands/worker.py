"""``orchestrator worker``."""

import sys
from typing import Annotated

import typer

from orchestrator.cli import invocation


def worker(
    context: typer.Context,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="tls://HOST:8786", help="Dask's scheduler, if not the file's."
        ),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            "--place", metavar="NAME", help="Where it is: the place it offers; '*': every place."
        ),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(
            "--slots", min=1, help="How many targets it works on at once; else one for each CPU."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What it is called; else the host's name.")
    ] = None,
) -> None:
    """Work on targets for runs that are driven elsewhere, as part of a Dask cluster.

    Has its own copy of the project, and resolves its secrets itself. Runs until it gets SIGTERM or
    Ctrl-C.

    \b
    Examples:
      orchestrator worker --place eu --slots 8
      orchestrator worker --scheduler tls://scheduler.ops:8786 --place us --name us-1
    """
    from orchestrator.actions.cluster import work
    from orchestrator.config.load import load
    from orchestrator.config.secrets import Secrets

    call = invocation.of(context)
    file = load(call.config)

    def told(text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    secrets = Secrets(file.folder)
    work(file, secrets, scheduler=scheduler, place=place, slots=slots, name=name, told=told)
