"""``orchestrator stamp``."""

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


def stamp(
    context: typer.Context,
    selectors: RequiredSelectors,
    revision: Annotated[
        str, typer.Option("--revision", help="What to record: a revision, heads, or base.")
    ],
    purge: Annotated[bool, typer.Option("--purge", help="Empty the version table first.")] = False,
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
    """Record that targets are at a revision, without running anything.

    For databases that were made in another way. Always asks first, or needs --yes.

    \b
    Examples:
      orchestrator stamp dev/orders/acme --revision heads
      orchestrator stamp prod/orders --where shard=db2 --revision 3f2a9c41d07b
      orchestrator stamp staging --revision heads --purge --yes
    """
    call = invocation.of(context, output)
    project, chosen = ready(call, x), selection(selectors, where, exclude)
    if not dry_run and not yes:
        verb = "Empty the version table and stamp" if purge else "Stamp"
        confirm(f"{verb} as {revision}", project.targets(chosen))
    with driven(project, events=events, metrics=metrics, wait_for_lock=wait_for_lock) as options:
        result = project.stamp(chosen, revision, purge=purge, dry_run=dry_run, options=options)
    show_result(call, result, revision)
