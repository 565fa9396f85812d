"""``orchestrator wait``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.driving import duration
from orchestrator.cli.options import Exclude, OutputOption, Selectors, Where, XArguments, selection
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def wait(
    context: typer.Context,
    selectors: Selectors = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="10m", help="For how long at most.")
    ] = "10m",
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Wait until every target is at its destination, for an application that is about to start.

    Changes nothing, and needs neither a ledger nor a right to write. A server that is not up yet is
    waited for, too.

    Exits with 3 if a target is not there in time.

    \b
    Examples:
      orchestrator wait prod && exec gunicorn shop
      orchestrator wait prod/orders/acme --timeout 2m
    """
    call = invocation.of(context, output)
    seconds = duration(timeout, "--timeout")
    with watched(ready(call, x)) as project:
        result = project.wait(selection(selectors, where, exclude), seconds)
    from orchestrator.render import json, wait

    show(call, lambda: wait.report(result), lambda: json.result(result, debug=call.debug))
    raise typer.Exit(result.exit_code)
