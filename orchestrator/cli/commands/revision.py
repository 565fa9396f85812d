"""``orchestrator revision``."""

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

Head = Annotated[
    str,
    typer.Option("--head", metavar="REVISION", help="What it follows: a head, or branch@head."),
]
Splice = Annotated[
    bool, typer.Option("--splice", help="Allow a --head that is no head: start a branch there.")
]
VersionPath = Annotated[
    str | None,
    typer.Option(
        "--version-path",
        metavar="FOLDER",
        show_default=False,
        help="Where to write it: one of version_locations.",
    ),
]
DependsOn = Annotated[
    list[str] | None,
    typer.Option(
        "--depends-on",
        metavar="REVISION",
        show_default=False,
        help="A revision of another branch that must be there before. May be repeated.",
    ),
]


def revision(
    context: typer.Context,
    database: DatabaseName,
    message: Message,
    empty: Annotated[bool, typer.Option("--empty", help="Do not look for changes.")] = False,
    head: Head = "head",
    splice: Splice = False,
    branch_label: BranchLabel = None,
    version_path: VersionPath = None,
    rev_id: RevId = None,
    depends_on: DependsOn = None,
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
      orchestrator revision orders -m "add rates" --head billing@head
      orchestrator revision orders -m "audit" --empty --head base
    """
    call = invocation.of(context, output)
    written = ready(call, x).revision(
        database,
        message,
        empty=empty,
        head=head,
        splice=splice,
        branch_label=branch_label,
        version_path=version_path,
        rev_id=rev_id,
        depends_on=depends_on or (),
    )
    from orchestrator.render import json, revision

    show(call, lambda: revision.report(written), lambda: json.revision(written))
