"""``orchestrator skip``."""

from typing import Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.options import OutputOption, RunId, run_and_targets, run_id
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show_done


def skip(
    context: typer.Context,
    run: RunId = "last",
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            autocompletion=complete.selectors,
            show_default=False,
            help="A target of the run: prod/orders/acme.",
        ),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Why. Recorded, with your name.",
            show_default=False,
        ),
    ] = "",
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Let a run go on without a target. One that was in doubt counts as looked after.

    \b
    Examples:
      orchestrator skip prod/orders/acme --reason "leaves us tomorrow"
      orchestrator skip 12 prod/orders/acme --reason "fixed by hand"
    """
    from orchestrator.errors import UsageError

    call = invocation.of(context, output)
    if not reason.strip():
        raise UsageError("--reason wants a reason: it is recorded with your name")
    run, named = run_and_targets(run, () if target is None else (target,))
    if len(named) != 1:
        raise UsageError("say which target: orchestrator skip [RUN] prod/orders/acme --reason …")
    project = quiet(call)
    done = project.runs.skip(run_id(project, run), named[0], reason)
    show_done(call, "skip", done)
