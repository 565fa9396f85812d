"""``orchestrator resume``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, invocation
from orchestrator.cli.driving import driven
from orchestrator.cli.options import (
    Events,
    Metrics,
    OutputOption,
    Override,
    Wait,
    XArguments,
    run_id,
)
from orchestrator.cli.project import ready
from orchestrator.cli.show import error, note, show_result, write

if TYPE_CHECKING:
    from orchestrator.actions.project import Project
    from orchestrator.ledger.records import AskedRecord

_LISTED = 20
_LOOKS_EVERY = 2.0
_INTERRUPTED = 130


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
    requested: Annotated[
        bool,
        typer.Option(
            "--requested", help="Take up what people asked for in the dashboard, then end."
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="With --requested: stay, and take up what comes.")
    ] = False,
    wait: Wait = None,
    override: Override = None,
    events: Events = None,
    metrics: Metrics = None,
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
      orchestrator resume --requested --watch
    """
    call = invocation.of(context, output)
    if requested or watch:
        _assert_alone(run, requested=requested, override=override, json=call.json)
        raise typer.Exit(_take_up(call, x, wait=wait, events=events, metrics=metrics, watch=watch))
    project = ready(call, x)
    number = _only(project) if run is None else run_id(project, run)
    with driven(project, wait=wait, override=override, events=events, metrics=metrics) as options:
        result = project.runs.resume(number, options)
    show_result(call, result)


def _assert_alone(run: str | None, *, requested: bool, override: str | None, json: bool) -> None:
    from orchestrator.errors import UsageError

    if not requested:
        raise UsageError("--watch is for what is asked: resume --requested --watch")
    if run is not None or override is not None:
        raise UsageError("--requested takes up what was asked for: name no run, and no --override")
    if json:
        raise UsageError("--requested may take up several runs; their answers: -o json show RUN")


def _take_up(
    call: invocation.Invocation,
    x: list[str] | None,
    *,
    wait: bool | None,
    events: Path | None,
    metrics: Path | None,
    watch: bool,
) -> int:
    """Take up what is asked, one run after the other, and return the first code that is not 0."""
    code = 0
    while True:
        for asked in ready(call, x).runs.asked():
            ended = _take_up_one(call, x, asked, wait=wait, events=events, metrics=metrics)
            code = code or ended
            if ended == _INTERRUPTED:
                return ended
        if not watch:
            return code
        time.sleep(_LOOKS_EVERY)


def _take_up_one(
    call: invocation.Invocation,
    x: list[str] | None,
    asked: "AskedRecord",
    *,
    wait: bool | None,
    events: Path | None,
    metrics: Path | None,
) -> int:
    from dataclasses import replace

    from rich.text import Text

    from orchestrator.errors import OrchestratorError
    from orchestrator.render import upgrade
    from orchestrator.render.text import safe

    reason = f": {asked.reason}" if asked.reason else ""
    note(Text(safe(f"run {asked.run}: {asked.by} asked to {asked.what} it{reason}")))
    project = ready(call, x)
    try:
        with driven(project, wait=wait, events=events, metrics=metrics) as options:
            own = replace(options, by=asked.by)
            if asked.what == "retry":
                result = project.runs.retry(asked.run, asked.targets, own)
            else:
                result = project.runs.resume(asked.run, own)
    except OrchestratorError as refused:
        error(str(refused))
        project.runs.refuse(asked.run, str(refused))
        return refused.exit_code
    write(upgrade.report(result, "", debug=call.debug))
    return result.exit_code


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
