"""``orchestrator plan``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import invocation, reports
from orchestrator.cli.options import (
    Exclude,
    PageOption,
    Reports,
    Selectors,
    Where,
    XArguments,
    selection,
)
from orchestrator.cli.project import ready, watched
from orchestrator.cli.show import show

if TYPE_CHECKING:
    from orchestrator.runs.planning.preview import Planned


def plan(
    context: typer.Context,
    selectors: Selectors = None,
    revision: Annotated[
        str, typer.Option("--revision", help="Where to: any Alembic revision expression.")
    ] = "heads",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", show_default=False, help="Write it, sealed by a digest."
        ),
    ] = None,
    where: Where = None,
    exclude: Exclude = None,
    x: XArguments = None,
    output: PageOption = invocation.PageOutput.TEXT,
    report: Reports = None,
) -> None:
    """Show what an upgrade would do, wave by wave. Changes nothing.

    With --out it is written to a file, which "upgrade --plan FILE" does exactly, or refuses and
    says what has changed since.

    Exits with 3 if a target could not be read.

    \b
    Examples:
      orchestrator plan
      orchestrator plan prod --where tier=free
      orchestrator plan prod --out prod.plan.json
      orchestrator plan -o json | jq .waves
      orchestrator plan prod -o markdown | gh pr comment --body-file -
    """
    call = invocation.of(context, output, report)
    with watched(ready(call, x)) as project:
        planned = project.plan(selection(selectors, where, exclude), revision)
    if planned.interrupted:
        out = None
    if out is not None:
        _seal(planned, out)
    from orchestrator.render import json_runs, plan

    show(
        call,
        lambda: plan.report(planned, out),
        lambda: json_runs.plan(planned, out, debug=call.debug),
        forms=reports.of_plan(planned, out),
    )
    raise typer.Exit(planned.exit_code)


def _seal(planned: "Planned", out: Path) -> None:
    """Write the plan beside its place and put it there whole. Raises ``Refused`` for a plan that
    can't be sealed, ``UsageError`` where nothing can be written."""
    from orchestrator.errors import UsageError

    planned.assert_sealable()
    draft = out.parent / f".{out.name}.{os.getpid()}"
    try:
        with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.writelines(planned.plan.sealed())
        draft.replace(out)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)
