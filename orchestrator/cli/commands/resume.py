"""``orchestrator resume``."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.driving import driven
from orchestrator.cli.options import Events, OutputOption, Override, Wait, XArguments, run_id
from orchestrator.cli.project import ready
from orchestrator.cli.show import show_result

if TYPE_CHECKING:
    from orchestrator.actions.project import Project

_LISTED = 20


def resume(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=complete.runs,
            show_default=False,
            help="The number of a run, or last. Left out: the only unfinished one.",
        ),
    ] = None,
    wait: Wait = None,
    override: Override = None,
    events: Events = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Go on with a run that waits, was paused, or whose process died.

    Asks each target whose attempt nobody saw end where it stands, and goes on from there. Nothing
    is applied twice.

    \b
    Examples:
      orchestrator resume
      orchestrator resume 12 --wait
      orchestrator resume 12 --override "the soak is over for us"
    """
    call = invocation.of(context, output)
    project = ready(call, x)
    number = _only(project) if run is None else run_id(project, run)
    with driven(project, wait=wait, override=override, events=events) as options:
        result = project.runs.resume(number, options)
    show_result(call, result)


def _only(project: "Project") -> int:
    """Return the only unfinished run. Raises ``UsageError`` where there is none, or a choice."""
    from orchestrator.errors import UsageError

    found = project.runs.list(limit=_LISTED, unfinished=True)
    if not found:
        raise UsageError(
            "there is no unfinished run; to try again what failed: orchestrator retry RUN"
        )
    if len(found) > 1:
        lines = "\n".join(
            f"  {run.id}  {run.state}  {run.verb}, by {run.by}"
            + (f": {run.reason}" if run.reason else "")
            for run in found
        )
        raise UsageError(f"there are several unfinished runs; say which:\n{lines}")
    return found[0].id
