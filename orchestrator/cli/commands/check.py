"""``orchestrator check``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation, reports
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


def check(
    context: typer.Context,
    selectors: Selectors = None,
    every_target: Annotated[
        bool,
        typer.Option(
            "--every-target", help="Compare each one, not one of those with equal schemas."
        ),
    ] = False,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: ReportOption = invocation.ReportOutput.TEXT,
    report: Reports = None,
) -> None:
    """Compare the models with every target, as Alembic's autogenerate would.

    Targets with equal schemas are compared once, through env.py, and share the result.

    Exits with 4 if any target differs or is behind.

    \b
    Examples:
      orchestrator check
      orchestrator check prod/orders
      orchestrator check prod/orders/acme --every-target
      orchestrator check staging -o markdown | gh pr comment --body-file -
      orchestrator check staging -o junit > check.xml
      orchestrator check staging -o json | jq ".targets[].differences"
    """
    call = invocation.of(context, output, report)
    with watched(ready(call, x)) as project:
        result = project.check(selection(selectors, where, exclude), every_target=every_target)
    from orchestrator.render import check, json

    show(
        call,
        lambda: check.report(result),
        lambda: json.result(result, debug=call.debug),
        forms=reports.of_result(project, result),
    )
    raise typer.Exit(result.exit_code)
