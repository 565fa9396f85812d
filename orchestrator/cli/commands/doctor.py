"""``orchestrator doctor``."""

from typing import Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.options import OutputOption, XArguments
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def doctor(
    context: typer.Context,
    environments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ENVIRONMENT",
            autocompletion=complete.environments,
            show_default=False,
            help="Only these. Left out: all.",
        ),
    ] = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Look for what is in the way of a first run: one line each, and what to do about it.

    Drivers, secrets, tenants, servers, rights, the ledger; of each database its revisions, whether
    its env.py runs on a scratch database, and what that reads from its environment. Changes
    nothing.

    Exits with 2 where something is wrong.

    \b
    Examples:
      orchestrator doctor
      orchestrator doctor prod -o json
    """
    call = invocation.of(context, output)
    with watched(ready(call, x)) as project:
        result = project.doctor(environments or ())
    from orchestrator.render import doctor, json

    show(call, lambda: doctor.report(result), lambda: json.doctor(result))
    raise typer.Exit(result.exit_code)
