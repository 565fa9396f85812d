"""``orchestrator workers``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import OutputOption
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show


def workers(context: typer.Context, output: OutputOption = invocation.Output.TEXT) -> None:
    """List the workers of the cluster that environments.toml names.

    With their places, slots, what they work on, and whether their copy of the project is this one.

    \b
    Examples:
      orchestrator workers
      orchestrator workers -o json | jq '.workers[].place'
    """
    from orchestrator.render import cluster, json

    call = invocation.of(context, output)
    view = quiet(call).cluster()
    show(call, lambda: cluster.table(view), lambda: json.workers(view))
