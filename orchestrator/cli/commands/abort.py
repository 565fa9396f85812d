"""``orchestrator abort``."""

import typer

from orchestrator.cli import invocation
from orchestrator.cli.confirm import assert_wanted
from orchestrator.cli.options import OutputOption, RunId, Yes, run_id
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show_done


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
    from orchestrator.render import run_report

    call = invocation.of(context, output)
    project = quiet(call)
    number = run_id(project, run)
    if not yes:
        assert_wanted(run_report.about_to_abort(project.runs.show(number).run))
    done = project.runs.abort(number)
    show_done(call, "abort", done)
