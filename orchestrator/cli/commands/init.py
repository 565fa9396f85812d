"""``orchestrator init``."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import OutputOption
from orchestrator.cli.show import show


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is missing.")] = Path(),
    name: Annotated[
        str | None,
        typer.Option(
            "--name", show_default=False, help="The project's name. Left out: the folder's."
        ),
    ] = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Write a working project into an empty or existing folder.

    What is there already is kept: nothing is ever overwritten.

    \b
    Examples:
      orchestrator init
      orchestrator init shop
      orchestrator init services/billing --name billing
    """
    from orchestrator.actions.init import init as write
    from orchestrator.render import init, json

    result = write(folder, name or folder.resolve().name or "project")
    show(
        invocation.of(context, output),
        lambda: init.report(result, folder),
        lambda: json.init(result, folder),
    )
