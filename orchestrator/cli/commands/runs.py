"""``orchestrator runs``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import OutputOption
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only those that run, wait or are paused.")
    ] = False,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Show the runs, newest first.

    \b
    Examples:
      orchestrator runs
      orchestrator runs --unfinished
      orchestrator runs --limit 100 -o json
    """
    from orchestrator.render import json_runs, runs

    call = invocation.of(context, output)
    found = quiet(call).runs.list(limit=limit, unfinished=unfinished)
    show(call, lambda: runs.table(found), lambda: json_runs.runs(found))
