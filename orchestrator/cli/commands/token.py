"""``orchestrator token``: who may see and do what in the dashboard."""

from typing import Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.options import OutputOption
from orchestrator.cli.project import quiet
from orchestrator.cli.show import note, show, write_json, write_plain
from orchestrator.config.roles import Role


def add(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            show_default=False,
            help="Whose it is: what they do is recorded with it.",
        ),
    ],
    role: Annotated[
        Role,
        typer.Option(
            "--role",
            help="A viewer looks; an approver approves and pauses, too; "
            "an operator asks to resume and retry, skips and aborts, too.",
        ),
    ] = Role.VIEWER,
    lasts: Annotated[
        str, typer.Option("--for", metavar="90d", help="How long it lets somebody in; or: ever.")
    ] = "90d",
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Make a token with which somebody signs in, and print it, this once.

    The ledger keeps a digest of it.

    \b
    Examples:
      orchestrator token add kim --role approver
      orchestrator token add wall-screen --role viewer --for ever
    """
    from rich.text import Text

    from orchestrator.config.units import seconds
    from orchestrator.errors import UsageError
    from orchestrator.render import json_runs
    from orchestrator.render.text import safe
    from orchestrator.runs.context import whoami

    call = invocation.of(context, output)
    try:
        until = None if lasts == "ever" else seconds(lasts)
    except ValueError as bad:
        raise UsageError(f"--for {lasts}: {bad}") from None
    with quiet(call).ledger() as ledger:
        token = ledger.access.add(name, role, whoami(), until)
    if call.json:
        write_json(json_runs.token_added(name, role, token))
        return
    write_plain(token + "\n")
    note(Text(safe(f"This is {name}'s, as {role}: it is shown this once.")))


def list_(context: typer.Context, output: OutputOption = invocation.Output.TEXT) -> None:
    """List who has tokens: as what, since when, until when.

    \b
    Examples:
      orchestrator token list
      orchestrator token list -o json
    """
    from orchestrator.render import json_runs, tokens

    call = invocation.of(context, output)
    with quiet(call).ledger() as ledger:
        found, now = ledger.access.tokens(), ledger.now()
    show(call, lambda: tokens.table(found, now), lambda: json_runs.tokens("token list", found, now))


def revoke(
    context: typer.Context,
    id_: Annotated[int, typer.Argument(metavar="ID", show_default=False, help="Its number.")],
    output: OutputOption = invocation.Output.TEXT,
) -> None:
    """Let a token nobody in any more. Who signed in with it is signed out at once.

    \b
    Examples:
      orchestrator token revoke 3
    """
    from orchestrator.render import json_runs, tokens

    call = invocation.of(context, output)
    with quiet(call).ledger() as ledger:
        gone, now = ledger.access.revoke(id_), ledger.now()
    show(
        call,
        lambda: tokens.table([gone], now),
        lambda: json_runs.tokens("token revoke", [gone], now),
    )
