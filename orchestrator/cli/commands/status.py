"""``orchestrator status``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import Exclude, OutputOption, Selectors, Where, XArguments, selection
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def status(
    context: typer.Context,
    selectors: Selectors = None,
    heads: Annotated[
        bool, typer.Option("--heads", help="Read only the heads, not the schemas: much faster.")
    ] = False,
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
      unversioned       no revision, but tables
      unknown_revision  at a revision that the scripts do not know
      inconsistent      at a revision, and at one that comes before it
      unreachable       could not be read

    Targets of a database at one revision whose schemas differ are counted apart; orchestrator
    drift tells how they differ.

    Exits with 3 if a target could not be read.

    \b
    Examples:
      orchestrator status
      orchestrator status --heads
      orchestrator status prod --exclude "prod/*/acme"
      orchestrator status prod/orders --where region=eu -o json
    """
    call = invocation.of(context, output)
    with watched(ready(call, x)) as project:
        result = project.status(selection(selectors, where, exclude), schemas=not heads)
    from orchestrator.render import json, status

    show(call, lambda: status.report(result), lambda: json.result(result, debug=call.debug))
    raise typer.Exit(result.exit_code)
