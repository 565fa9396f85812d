"""``orchestrator skip``."""

from typing import Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.options import OutputOption, RunId, run_id
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show


def skip(
    context: typer.Context,
    run: RunId,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            autocompletion=complete.selectors,
            show_default=False,
            help="A target of the run: prod/orders/acme.",
        ),
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why. Recorded, with your name.")
    ],
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Let a run go on without a target. One that was in doubt counts as looked after.

    \b
    Examples:
      orchestrator skip 12 prod/orders/acme --reason "mended by hand"
      orchestrator skip last prod/orders/acme --reason "leaves us tomorrow"
    """
    from orchestrator.errors import UsageError
    from orchestrator.render import json_runs, runs

    call = invocation.of(context, output)
    if not reason.strip():
        raise UsageError("--reason wants a reason: it is recorded with your name")
    project = quiet(call)
    done = project.runs.skip(run_id(project, run), target, reason)
    show(call, lambda: runs.done(done), lambda: json_runs.done("skip", done))
