"""``orchestrator upgrade``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.confirm import confirm
from orchestrator.cli.options import (
    DryRun,
    Exclude,
    OutputOption,
    Selectors,
    Where,
    XArguments,
    Yes,
    selection,
)
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show

if TYPE_CHECKING:
    from orchestrator.actions.project import Project, Selection


def upgrade(
    context: typer.Context,
    selectors: Selectors = None,
    revision: Annotated[
        str, typer.Option("--revision", help="Where to: any Alembic revision expression.")
    ] = "heads",
    dry_run: DryRun = False,
    sql: Annotated[
        Path | None,
        typer.Option(
            "--sql", metavar="DIR", show_default=False, help="Write SQL files; change nothing."
        ),
    ] = None,
    yes: Yes = False,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Upgrade targets, environment by environment, in the configured order.

    The next environment starts only when the one before it succeeded. Asks first where an
    environment is protected. Ctrl-C finishes what runs and starts nothing more.

    \b
    Examples:
      orchestrator upgrade                     everything, in order
      orchestrator upgrade prod --dry-run      what would run
      orchestrator upgrade prod/orders --where tier=free --yes
      orchestrator upgrade staging --revision +1
      orchestrator upgrade prod --sql out/     SQL for review
    """
    from orchestrator.errors import UsageError
    from orchestrator.render import json, upgrade

    if sql is not None and dry_run:
        raise UsageError("--sql and --dry-run exclude each other: neither changes anything")
    call = invocation.of(context, output)
    project, chosen = ready(call, x), selection(selectors, where, exclude)
    if sql is not None:
        _sql(call, project, sql, chosen, revision)
    if not dry_run and not yes:
        _ask(project, chosen, revision)
    with watched(project):
        result = project.upgrade(chosen, revision, dry_run=dry_run)
    show(
        call,
        lambda: upgrade.report(result, revision, debug=call.debug),
        lambda: json.result(result, debug=call.debug),
    )
    raise typer.Exit(result.exit_code)


def _ask(project: "Project", chosen: "Selection", revision: str) -> None:
    targets = project.targets(chosen)
    if protected := project.protected(targets):
        confirm(f"Upgrade to {revision}", targets, protected)


def _sql(
    call: invocation.Invocation,
    project: "Project",
    folder: Path,
    chosen: "Selection",
    revision: str,
) -> None:
    from orchestrator.render import json, sql

    with watched(project):
        written = project.sql(folder, chosen, revision)
    show(call, lambda: sql.report(written, folder), lambda: json.sql(written, debug=call.debug))
    raise typer.Exit(written.result.exit_code)
