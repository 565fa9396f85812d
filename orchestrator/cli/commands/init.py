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
            "--name",
            show_default=False,
            help="The project's name. Left out: its own, or the folder's.",
        ),
    ] = None,
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Write a working project, or adopt the Alembic project that is there.

    A folder with an alembic.ini, or a [tool.alembic] in its pyproject.toml, gets an
    environments.toml for what it says. Passwords become environment variables. Any other folder
    gets a small project to start from.

    What is there already is kept: nothing is ever overwritten.

    \b
    Examples:
      orchestrator init                    # a new project, or beside alembic.ini
      orchestrator init shop
      orchestrator init services/billing --name billing
    """
    from orchestrator.actions.init import init as write
    from orchestrator.render import init, json

    result = write(folder, name)
    show(
        invocation.of(context, output),
        lambda: init.report(result, folder),
        lambda: json.init(result, folder),
    )
