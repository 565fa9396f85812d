"""``orchestrator pause``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import OutputOption, RunId, run_id
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show_done


def pause(
    context: typer.Context,
    run: RunId = "last",
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Let a run start nothing more, wherever it runs; what runs is finished.

    Go on with "resume".

    \b
    Examples:
      orchestrator pause 12
      orchestrator pause last
    """

    call = invocation.of(context, output)
    project = quiet(call)
    done = project.runs.pause(run_id(project, run))
    show_done(call, "pause", done)
