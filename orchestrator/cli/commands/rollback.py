"""``orchestrator rollback``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.confirm import assert_wanted
from orchestrator.cli.driving import driven
from orchestrator.cli.options import (
    DryRun,
    Events,
    Metrics,
    OutputOption,
    RunId,
    XArguments,
    Yes,
    run_id,
)
from orchestrator.cli.project import ready
from orchestrator.cli.show import note, show


def rollback(
    context: typer.Context,
    run: RunId = "last",
    dry_run: DryRun = False,
    yes: Yes = False,
    events: Events = None,
    metrics: Metrics = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Take every target that a run changed back to where it was, the last one first.

    Says first what can't be reversed, and asks, or needs --yes. Targets that were moved since are
    left alone. It is a run of its own.

    \b
    Examples:
      orchestrator rollback 12 --dry-run
      orchestrator rollback last --yes
    """
    from orchestrator.errors import Refused

    call = invocation.of(context, output)
    project = ready(call, x)
    from orchestrator.render import json, json_runs, rollback, upgrade

    number = run_id(project, run)
    with driven(
        project,
        events=events,
        metrics=metrics,
        question=None if yes else lambda _: assert_wanted(rollback.about_to(planned)),
    ) as options:
        planned = project.runs.rollback(number)
        if dry_run:
            result = None
        elif not planned.targets:
            raise Refused(
                f"nothing to roll back: every target stands elsewhere than run {number} left it"
            )
        else:
            if yes:
                note(rollback.report(planned))
            options.confirm(planned.plan)
            result = planned.run(options)
    if result is None:
        show(call, lambda: rollback.report(planned), lambda: json_runs.rollback(planned))
        raise typer.Exit
    show(
        call,
        lambda: upgrade.report(result, "", debug=call.debug),
        lambda: json.result(result, debug=call.debug),
        run=result.run,
    )
    raise typer.Exit(result.exit_code)
