"""``orchestrator revision``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import DatabaseName, OutputOption, XArguments
from orchestrator.cli.project import ready
from orchestrator.cli.show import show


def revision(
    context: typer.Context,
    database: DatabaseName,
    message: Annotated[str, typer.Option("--message", "-m", help="What the revision does.")],
    empty: Annotated[bool, typer.Option("--empty", help="Do not look for changes.")] = False,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Write a revision from what changed in the models.

    The models are compared with a scratch database that was brought to head: a temporary SQLite
    file, or the one that environments.toml names. No target is touched.

    \b
    Examples:
      orchestrator revision orders -m "add notes"
      orchestrator revision orders -m "backfill totals" --empty
    """
    from orchestrator.render import json, revision

    call = invocation.of(context, output)
    written = ready(call, x).revision(database, message, empty=empty)
    show(call, lambda: revision.report(written), lambda: json.revision(written))
