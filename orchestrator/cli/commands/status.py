"""``orchestrator status``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import Exclude, OutputOption, Selectors, Where, XArguments, selection
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def status(
    context: typer.Context,
    selectors: Selectors = None,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Show where every target stands: a matrix first, the odd ones out below it.

    \b
    States:
      current           at the newest revision
      behind            revisions are pending
      empty             no revision at all
      unknown_revision  at a revision that the scripts do not know
      unreachable       could not be read

    Exits with 3 if a target could not be read.

    \b
    Examples:
      orchestrator status
      orchestrator status prod --exclude "prod/*/acme"
      orchestrator status prod/orders --where region=eu -o json
    """
    from orchestrator.render import json, status

    call = invocation.of(context, output)
    with watched(ready(call, x)) as project:
        result = project.status(selection(selectors, where, exclude))
    show(call, lambda: status.report(result), lambda: json.result(result, debug=call.debug))
    raise typer.Exit(result.exit_code)
