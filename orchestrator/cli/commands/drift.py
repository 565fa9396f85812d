"""``orchestrator drift``."""

from typing import Annotated

import typer

from orchestrator.cli import complete, invocation, reports
from orchestrator.cli.options import (
    Exclude,
    ReportOption,
    Reports,
    Selectors,
    Where,
    XArguments,
    selection,
)
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show


def drift(
    context: typer.Context,
    selectors: Selectors = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="TARGET",
            autocompletion=complete.selectors,
            show_default=False,
            help="Compare with this target. Left out: with the largest class at each revision.",
        ),
    ] = None,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: ReportOption = invocation.ReportOutput.TEXT,
    report: Reports = None,
) -> None:
    """Show which databases differ from their siblings: same database, same revision, other schema.

    Reads the schemas of whole servers at once and compares one target of each schema class.
    Needs neither the models nor the migrations.

    Exits with 4 if there is more than one schema at a revision, with 3 if a target could not be
    read.

    \b
    Examples:
      orchestrator drift
      orchestrator drift prod/orders --where region=eu
      orchestrator drift prod/orders --baseline staging/orders/acme
      orchestrator drift prod -o sarif > drift.sarif
      orchestrator drift -o json | jq ".databases[].classes[].differences[].text"
    """
    call = invocation.of(context, output, report)
    with watched(ready(call, x)) as project:
        result = project.drift(selection(selectors, where, exclude), baseline)
    from orchestrator.render import drift, json

    show(
        call,
        lambda: drift.report(result),
        lambda: json.drift(result, debug=call.debug),
        forms=reports.of_drift(project, result),
    )
    raise typer.Exit(result.exit_code)
