"""``orchestrator history``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import (
    DatabaseName,
    Exclude,
    OutputOption,
    Selectors,
    Where,
    XArguments,
    selection,
)
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def history(
    context: typer.Context,
    database: DatabaseName,
    selectors: Selectors = None,
    where: Where = None,
    exclude: Exclude = None,
    rev_range: Annotated[
        str | None,
        typer.Option(
            "--rev-range",
            "-r",
            metavar="START:END",
            show_default=False,
            help="Only these revisions, as alembic history -r. Either end may be left out.",
        ),
    ] = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Show the revisions of a database, and how many targets stand at each.

    Exits with 3 if a target could not be read.

    \b
    Examples:
      orchestrator history orders
      orchestrator history orders prod --where tier=free
      orchestrator history orders -r 3f2a9c41d07b:heads
      orchestrator history orders -o json
    """
    call = invocation.of(context, output)
    with watched(ready(call, x)) as project:
        found = project.history(database, selection(selectors, where, exclude), rev_range)
    from orchestrator.render import history, json

    show(call, lambda: history.report(found), lambda: json.history(found, debug=call.debug))
    raise typer.Exit(found.exit_code)
