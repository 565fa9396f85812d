"""``orchestrator show``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import invocation, reports
from orchestrator.cli import show as streams
from orchestrator.cli.files import put
from orchestrator.cli.options import PageOption, RunId, run_id
from orchestrator.cli.project import quiet

if TYPE_CHECKING:
    from orchestrator.runs.report import WholeRun

_STDOUT = "-"


def show(
    context: typer.Context,
    run: RunId = "last",
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE",
            show_default=False,
            help="Write it as one HTML file with every target, to mail and to keep. -: stdout.",
        ),
    ] = None,
    output: PageOption = invocation.PageOutput.TEXT,
) -> None:
    """Show what happened in a run: waves, gates, who decided what, failures, durations.

    --html writes it with every target, the timeline and the plan to one file, which needs no
    other: it loads nothing, and works without a network.

    \b
    Examples:
      orchestrator show
      orchestrator show 12
      orchestrator show 12 --html report.html
      orchestrator show last -o json | jq .troubles
      orchestrator show last -o markdown | gh pr comment --body-file -
    """
    from orchestrator.errors import UsageError
    from orchestrator.render import json_runs, run_report

    call = invocation.of(context, output)
    if html == _STDOUT and output is not invocation.PageOutput.TEXT:
        raise UsageError(f"--html - and -o {output} both want stdout; give --html a file")
    project = quiet(call)
    id_ = run_id(project, run)
    if html is None:
        found = project.runs.show(id_)
    else:
        whole = project.runs.whole(id_)
        found = whole.report
        text = _as_html(whole)
        if html == _STDOUT:
            streams.write_plain(text)
            return
        _write(text, Path(html))
    streams.show(
        call,
        lambda: run_report.report(found, debug=call.debug),
        lambda: json_runs.run_report(found, debug=call.debug),
        forms=reports.of_run(found),
    )


def _as_html(of: "WholeRun") -> str:
    from orchestrator.render.html.report import report

    return report(of)


def _write(text: str, path: Path) -> None:
    from rich.text import Text

    from orchestrator.render.text import count, safe

    size = put("--html", path, [text])
    streams.note(Text(f"written: {safe(str(path))} ({count(round(size / 1000), 'kB', 'kB')})"))
