"""The program: its commands, and the one place where errors become messages and exit codes."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.main import get_command

from orchestrator.cli import failures
from orchestrator.cli.commands import (
    abort,
    approve,
    check,
    config,
    doctor,
    downgrade,
    drift,
    history,
    identify,
    init,
    merge,
    pause,
    plan,
    resume,
    retry,
    revision,
    rollback,
    runs,
    serve,
    show,
    skip,
    stamp,
    status,
    targets,
    token,
    upgrade,
    wait,
    worker,
    workers,
)
from orchestrator.cli.invocation import VARIABLE, Invocation, hoist, of
from orchestrator.cli.show import flush
from orchestrator.cli.streams import own_streams
from orchestrator.errors import NotWritten

_HELP = """Bring one Alembic migration to a thousand databases.

The fleet is declared in environments.toml, found in the current folder or the nearest parent.

\b
Examples:
  orchestrator init                     write a working project
  orchestrator status                   where every database stands
  orchestrator plan prod                what an upgrade would do
  orchestrator upgrade                  everything, in the configured order
  orchestrator show last                what became of it
"""


def build() -> typer.Typer:
    """Return the program, with every command."""
    app = _typer()
    app.callback(help=_HELP)(_options)
    _add(app, init)
    group = _typer()
    group.callback(help=config.__doc__)(lambda: None)
    group.command("check")(config.check)
    group.command("show")(config.show_)
    group.command("schema")(config.schema)
    app.add_typer(group, name="config")
    tokens = _typer()
    tokens.callback(help=token.__doc__)(lambda: None)
    tokens.command("add")(token.add)
    tokens.command("list")(token.list_)
    tokens.command("revoke")(token.revoke)
    app.add_typer(tokens, name="token")
    looking = (doctor, targets, status, wait, check, drift, identify)
    running = (plan, upgrade, runs, show, resume, pause, abort, approve, retry, skip, rollback)
    for module in (
        *looking,
        *running,
        downgrade,
        stamp,
        revision,
        merge,
        history,
        worker,
        workers,
        serve,
    ):
        _add(app, module)
    return app


def _add(app: typer.Typer, module: ModuleType) -> None:
    """Add the command of a module, which has its name."""
    command: Callable[..., Any] = getattr(module, module.__name__.rpartition(".")[2])
    app.command()(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    Nothing escapes but ``SystemExit``: every error becomes one message on stderr.
    """
    invocation = Invocation(debug="--debug" in arguments)
    stderr = own_streams()
    with failures.explained(invocation) as failed:
        code = get_command(build()).main(
            hoist(arguments), prog_name="orchestrator", standalone_mode=False, obj=invocation
        )
        flush()
    ended = failed.exit_code if failed.exit_code is not None else int(code or 0)
    return NotWritten.exit_code if ended == 0 and stderr and stderr.is_full else ended


def _typer() -> typer.Typer:
    # Typer's own tracebacks show local variables, and those hold passwords. Its rich help costs
    # twice the time of the rest of it.
    return typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _version(asked: bool) -> None:
    if asked:
        from orchestrator import __version__

        sys.stdout.write(f"orchestrator {__version__}\n")
        raise typer.Exit


def _options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar=VARIABLE, help="Use this file instead of the nearest one."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    invocation = of(context)
    invocation.config, invocation.debug = config, debug
