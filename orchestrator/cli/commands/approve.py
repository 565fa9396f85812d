"""``orchestrator approve``."""

from typing import Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.options import By, OutputOption, RunId, run_id
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show_done


def approve(
    context: typer.Context,
    run: RunId = "last",
    wave: Annotated[
        str | None,
        typer.Option(
            "--wave",
            metavar="NAME",
            autocompletion=complete.waves,
            show_default=False,
            help="After which wave. Left out: the one at which it waits.",
        ),
    ] = None,
    by: By = None,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Recorded with it.", show_default=False)
    ] = "",
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Approve that a run goes on after a wave. One that waits elsewhere goes on within seconds.

    \b
    Examples:
      orchestrator approve 12
      orchestrator approve 12 --by kim@example.com --note "looks good"
      orchestrator approve 12 --wave prod/canary
    """
    from orchestrator.errors import UsageError
    from orchestrator.runs.context import RunOptions

    call = invocation.of(context, output)
    if by is not None and not by.strip():
        raise UsageError("--by wants a name")
    project = quiet(call)
    options = RunOptions() if by is None else RunOptions(by=by)
    done = project.runs.approve(run_id(project, run), wave, note, options)
    show_done(call, "approve", done)
