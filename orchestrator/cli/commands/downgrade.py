"""``orchestrator downgrade``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.confirm import confirm
from orchestrator.cli.driving import driven
from orchestrator.cli.options import (
    DryRun,
    Events,
    Exclude,
    Metrics,
    OutputOption,
    RequiredSelectors,
    WaitForLock,
    Where,
    XArguments,
    Yes,
    selection,
)
from orchestrator.cli.project import ready
from orchestrator.cli.show import show_result


def downgrade(
    context: typer.Context,
    selectors: RequiredSelectors,
    revision: Annotated[str, typer.Option("--revision", help="Where to: a revision, -1, or base.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    events: Events = None,
    metrics: Metrics = None,
    wait_for_lock: WaitForLock = None,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Revert revisions of targets, in the reverse of the configured order.

    Always asks first, or needs --yes.

    \b
    Examples:
      orchestrator downgrade dev --revision -1
      orchestrator downgrade prod/orders/acme --revision 3f2a9c41d07b --dry-run
      orchestrator downgrade staging/orders --revision base --yes
    """
    call = invocation.of(context, output)
    project, chosen = ready(call, x), selection(selectors, where, exclude)
    if not dry_run and not yes:
        confirm(f"Downgrade to {revision}", project.targets(chosen))
    with driven(project, events=events, metrics=metrics, wait_for_lock=wait_for_lock) as options:
        result = project.downgrade(chosen, revision, dry_run=dry_run, options=options)
    show_result(call, result, revision)
