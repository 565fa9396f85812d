"""``orchestrator upgrade``."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from orchestrator.cli import invocation, reports
from orchestrator.cli.confirm import assert_wanted
from orchestrator.cli.driving import driven
from orchestrator.cli.options import (
    Destination,
    DryRun,
    Events,
    Exclude,
    Metrics,
    Override,
    PlanFile,
    ReportOption,
    Reports,
    Selectors,
    SqlFolder,
    Wait,
    WaitForLock,
    Where,
    XArguments,
    Yes,
    selection,
)
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show, show_result

if TYPE_CHECKING:
    from orchestrator.actions.project import Project
    from orchestrator.actions.selection import Selection
    from orchestrator.rollout.plan import Plan


def upgrade(
    context: typer.Context,
    selectors: Selectors = None,
    revision: Destination = None,
    plan: PlanFile = None,
    dry_run: DryRun = False,
    sql: SqlFolder = None,
    yes: Yes = False,
    wait: Wait = None,
    override: Override = None,
    events: Events = None,
    metrics: Metrics = None,
    wait_for_lock: WaitForLock = None,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: ReportOption = invocation.ReportOutput.TEXT,
    report: Reports = None,
) -> None:
    """Upgrade targets, environment by environment, in the configured order.

    The next environment starts only when the one before it succeeded. Asks first where it would
    change a protected environment. Ctrl-C finishes what runs and starts nothing more.

    Exits with 6 where the run waits for a gate: go on with "resume".

    \b
    Examples:
      orchestrator upgrade                     everything, in order
      orchestrator upgrade prod --dry-run      what would run
      orchestrator upgrade prod/orders --where tier=free --yes
      orchestrator upgrade prod/orders/acme --wait-for-lock 10m
      orchestrator upgrade --plan prod.plan.json --no-wait
      orchestrator upgrade prod --sql out/     SQL for review
      orchestrator upgrade staging -o github --report junit=upgrade.xml
    """
    _assert_one_way(plan, sql, selectors or revision or where or exclude, dry_run=dry_run)
    call = invocation.of(context, output, report)
    _assert_told(sql, output, report)
    sealed = None if plan is None else _unsealed(plan)
    project, chosen = ready(call, x), selection(selectors, where, exclude)
    to = revision or "heads"
    if sql is not None:
        _sql(call, project, sql, chosen, to)
    with driven(
        project,
        wait=wait,
        override=override,
        events=events,
        metrics=metrics,
        wait_for_lock=wait_for_lock,
        question=None if yes else lambda about: _ask(project, about),
    ) as options:
        if sealed is None:
            result = project.upgrade(chosen, to, dry_run=dry_run, options=options)
        else:
            to, result = sealed.revision, project.upgrade_as_planned(sealed, options)
    show_result(call, result, to, reports.of_result(project, result, to))


def _assert_one_way(
    plan: Path | None, sql: Path | None, selected: object, *, dry_run: bool
) -> None:
    """Raise ``UsageError`` for options that say two things at once."""
    from orchestrator.errors import UsageError

    if sql is not None and dry_run:
        raise UsageError("--sql and --dry-run exclude each other: neither changes anything")
    if plan is not None and (selected or dry_run or sql):
        raise UsageError(
            "--plan says all of it: leave out selectors, --revision, --where, --exclude, "
            "--dry-run and --sql"
        )


def _assert_told(
    sql: Path | None, output: invocation.ReportOutput, report: list[str] | None
) -> None:
    """Raise ``UsageError`` for a form that what is written has not."""
    from orchestrator.errors import UsageError

    forms = (invocation.ReportOutput.TEXT, invocation.ReportOutput.JSON)
    if sql is not None and report:
        raise UsageError("--sql has no --report: what it writes are the SQL files")
    if sql is not None and output not in forms:
        raise UsageError(f"--sql tells what it wrote as text or JSON, not as {output}")


def _ask(project: "Project", plan: "Plan") -> None:
    """Ask where something would be changed in a protected environment."""
    from orchestrator.render.plan import about_to_upgrade

    busy = {target.environment for target in plan.busy}
    environments = project.file.config.environments
    if protected := [name for name in busy if environments[name].protected]:
        assert_wanted(about_to_upgrade(plan, protected))


def _unsealed(path: Path) -> "Plan":
    """Read a sealed plan. Raises ``UsageError`` where there is none, ``Refused`` for a bad one."""
    from orchestrator.errors import Refused, UsageError
    from orchestrator.rollout.plan import BadPlan, unsealed

    try:
        text = path.read_text(encoding="utf-8", errors="surrogatepass")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"--plan {path}: {error.strerror or error}") from None
    except (OSError, UnicodeError) as error:
        raise Refused(f"--plan {path} can't be read: {error}") from None
    try:
        return unsealed(text)
    except BadPlan as error:
        raise Refused(
            f"--plan {path}: {error}\n  make a new one: orchestrator plan … --out {path}"
        ) from None


def _sql(
    call: invocation.Invocation,
    project: "Project",
    folder: Path,
    chosen: "Selection",
    revision: str,
) -> NoReturn:
    from orchestrator.render import json, sql

    with watched(project):
        written = project.sql(folder, chosen, revision)
    show(call, lambda: sql.report(written, folder), lambda: json.sql(written, debug=call.debug))
    raise typer.Exit(written.result.exit_code)
