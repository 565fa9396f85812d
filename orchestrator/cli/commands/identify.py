"""``orchestrator identify``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import (
    Exclude,
    OutputOption,
    RequiredSelectors,
    Where,
    XArguments,
    selection,
)
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def identify(
    context: typer.Context,
    selectors: RequiredSelectors,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Tell which revision a target's schema fits, whatever its version table says.

    Compares it with its siblings: the targets of its database in its environment. Where none is
    like it, its history is run, revision by revision, on a scratch database that is made for that
    and dropped again (a temporary file for SQLite, else beside the one of [project.scratch]). Where
    no revision fits, tells what differs from the nearest. Changes no target.

    Exits with 4 where a schema fits no revision, or another one than its version table says.

    \b
    Examples:
      orchestrator identify prod/orders/acme
      orchestrator identify prod --where shard=db2 -o json
    """
    call = invocation.of(context, output)
    with watched(ready(call, x)) as project:
        result = project.identify(selection(selectors, where, exclude))
    from orchestrator.render import identify, json

    show(call, lambda: identify.report(result), lambda: json.identify(result, debug=call.debug))
    raise typer.Exit(result.exit_code)
