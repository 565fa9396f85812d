"""``orchestrator targets``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import Exclude, OutputOption, Selectors, Where, selection
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show


def targets(
    context: typer.Context,
    selectors: Selectors = None,
    where: Where = None,
    exclude: Exclude = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """List targets in the order in which they would run.

    With server, redacted URL and labels. No target is connected to; tenants may be, where
    environments.toml says that a query or a command lists them.

    \b
    Examples:
      orchestrator targets
      orchestrator targets prod/orders --where tier=free
      orchestrator targets prod -o json | jq -r '.targets[].name'
    """
    from orchestrator.render import json, targets

    call = invocation.of(context, output)
    found = quiet(call).targets(selection(selectors, where, exclude))
    show(call, lambda: targets.table(found), lambda: json.targets(found))
