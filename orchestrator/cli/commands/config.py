"""Check, show and describe environments.toml."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import OutputOption
from orchestrator.cli.project import quiet
from orchestrator.cli.show import show, write_plain


def check(context: typer.Context, output: OutputOption = invocation.Output.TEXT) -> None:
    """Validate environments.toml, down to the address of every target.

    All mistakes are reported at once, each with its line. Exits with 2 if there is one.

    \b
    Examples:
      orchestrator config check
      orchestrator --config ops/environments.toml config check
    """
    from orchestrator.render import config, json
    from orchestrator.safety.drivers import substitutes

    call = invocation.of(context, output)
    project = quiet(call)
    targets = project.targets()
    path, model = project.file.path, project.file.config
    notes = config.driver_notes(substitutes(target.address.driver for target in targets))
    show(
        call,
        lambda: config.checked(path, model, len(targets), notes),
        lambda: json.config_check(path, model, len(targets), notes),
    )


def show_(context: typer.Context, output: OutputOption = invocation.Output.TEXT) -> None:
    """Print environments.toml with defaults filled in and secrets hidden.

    \b
    Examples:
      orchestrator config show
      orchestrator config show -o json | jq .config.environments.prod
    """
    from orchestrator.render import config, json

    call = invocation.of(context, output)
    file = quiet(call).file
    resolved = config.resolved(file.config)
    show(
        call,
        lambda: config.shown(file.path, resolved),
        lambda: json.config_show(file.path, resolved),
    )


def schema(
    answers: Annotated[
        bool, typer.Option("--answers", help="That of what -o json writes, instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of environments.toml, for editors.

    \b
    Examples:
      orchestrator config schema > environments.schema.json
      orchestrator config schema --answers > answers.schema.json
    """
    if answers:
        from orchestrator.render.answers_schema import render
    else:
        from orchestrator.config.schema import render

    write_plain(render())
