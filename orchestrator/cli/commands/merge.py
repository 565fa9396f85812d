"""``orchestrator merge``."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import (
    BranchLabel,
    DatabaseName,
    Message,
    OutputOption,
    RevId,
    XArguments,
)
from orchestrator.cli.project import ready
from orchestrator.cli.show import show


def merge(
    context: typer.Context,
    database: DatabaseName,
    message: Message,
    revisions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REVISION", show_default=False, help="What to merge. Left out: all heads."
        ),
    ] = None,
    splice: Annotated[
        bool, typer.Option("--splice", help="Allow a REVISION that is no head: branch there.")
    ] = False,
    branch_label: BranchLabel = None,
    rev_id: RevId = None,
    x: XArguments = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Write a revision that brings branches together again.

    It changes nothing by itself. No target is touched.

    \b
    Examples:
      orchestrator merge orders -m "merge billing and audit"
      orchestrator merge orders 3f2a9c41d07b b81e0c5512aa -m "merge"
    """
    call = invocation.of(context, output)
    written = ready(call, x).merge(
        database,
        message,
        revisions or ("heads",),
        branch_label=branch_label,
        rev_id=rev_id,
        splice=splice,
    )
    from orchestrator.render import json, revision

    show(call, lambda: revision.merged(written), lambda: json.revision(written, "merge"))
