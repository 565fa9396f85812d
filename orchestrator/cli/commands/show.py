"""``orchestrator show``."""

import typer

from orchestrator.cli import invocation, reports
from orchestrator.cli import show as streams
from orchestrator.cli.options import PageOption, RunId, run_id
from orchestrator.cli.project import quiet


def show(
    context: typer.Context,
    run: RunId = "last",
    output: PageOption = invocation.PageOutput.TEXT,
) -> None:
    """Show what happened in a run: waves, gates, who decided what, failures, durations.

    \b
    Examples:
      orchestrator show
      orchestrator show 12
      orchestrator show last -o json | jq .troubles
      orchestrator show last -o markdown | gh pr comment --body-file -
    """
    from orchestrator.render import json_runs, run_report

    call = invocation.of(context, output)
    project = quiet(call)
    found = project.runs.show(run_id(project, run))
    streams.show(
        call,
        lambda: run_report.report(found, debug=call.debug),
        lambda: json_runs.run_report(found, debug=call.debug),
        forms=reports.of_run(found),
    )
