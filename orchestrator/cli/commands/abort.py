"""``orchestrator abort``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.confirm import assert_wanted
from orchestrator.cli.options import OutputOption, RunId, Yes, run_id
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show


def abort(
    context: typer.Context,
    run: RunId = "last",
    yes: Yes = False,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Let a run start nothing more, ever; what runs is finished.

    What it did stays: "rollback" takes it back. Asks first, or needs --yes.

    \b
    Examples:
      orchestrator abort 12
      orchestrator abort last --yes
    """
    from orchestrator.render import json_runs, run_report, runs

    call = invocation.of(context, output)
    project = quiet(call)
    number = run_id(project, run)
    if not yes:
        assert_wanted(run_report.about_to_abort(project.runs.show(number).run))
    done = project.runs.abort(number)
    show(call, lambda: runs.done(done), lambda: json_runs.done("abort", done))
