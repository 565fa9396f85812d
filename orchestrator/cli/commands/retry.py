"""``orchestrator retry``."""

from typing import Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.driving import driven
from orchestrator.cli.options import (
    Events,
    Metrics,
    OutputOption,
    Override,
    RunId,
    Wait,
    XArguments,
    run_and_targets,
    run_id,
)
from orchestrator.cli.project import ready
from orchestrator.cli.show import show_result


def retry(
    context: typer.Context,
    run: RunId = "last",
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            autocompletion=complete.selectors,
            show_default=False,
            help="Only these. Targets in doubt are to be named. Left out: all that failed.",
        ),
    ] = None,
    wait: Wait = None,
    override: Override = None,
    events: Events = None,
    metrics: Metrics = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Try failed targets of a run again, and go on with it.

    \b
    Examples:
      orchestrator retry
      orchestrator retry prod/orders/acme
      orchestrator retry 12 prod/orders/acme
    """
    call = invocation.of(context, output)
    project = ready(call, x)
    run, named = run_and_targets(run, targets or ())
    number = run_id(project, run)
    with driven(project, wait=wait, override=override, events=events, metrics=metrics) as options:
        result = project.runs.retry(number, named, options)
    show_result(call, result)
