"""Errors as people read them: one message on stderr, and an exit code."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from orchestrator.cli.invocation import Invocation, Output
from orchestrator.errors import ConfigError, OrchestratorError

_INTERRUPTED = 130
# Typer has its own copy of Click since 0.2x, and does not export this class.
_ClickException = typer.BadParameter.__mro__[2]


@dataclass
class Failed:
    """The exit code of the error that ended a command, if one did."""

    exit_code: int | None = None


@contextmanager
def explained(invocation: Invocation) -> Iterator[Failed]:
    """Turn any error inside into its message on stderr and its exit code."""
    failed = Failed()
    try:
        yield failed
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the outermost place: a traceback is a bug
        failed.exit_code = _explain(error, invocation)


def _explain(error: BaseException, invocation: Invocation) -> int:
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return _report("interrupted", _INTERRUPTED, invocation)
    if isinstance(error, _ClickException):
        error.show()  # type: ignore[attr-defined]
        return int(error.exit_code)  # type: ignore[attr-defined]
    if invocation.debug:
        sys.stderr.write(_traceback(error))
    if isinstance(error, OrchestratorError):
        in_file = isinstance(error, ConfigError)
        return _report(str(error), error.exit_code, invocation, in_file=in_file)
    return _report(_internal(error, invocation), 1, invocation)


def _traceback(error: BaseException) -> str:
    """Return a traceback without secrets: what an exception says was looked at by nobody."""
    from orchestrator.config.redaction import Redactor
    from orchestrator.config.secrets import known_values

    return Redactor(known_values())("".join(traceback.format_exception(error)))


def _internal(error: BaseException, invocation: Invocation) -> str:
    advice = "please report this"
    if not invocation.debug:
        advice += "; run again with --debug for the traceback"
    return f"internal error: {type(error).__name__}; {advice}"


def _report(message: str, exit_code: int, invocation: Invocation, *, in_file: bool = False) -> int:
    from orchestrator.cli.reports import of_error
    from orchestrator.cli.show import error, write_json, write_plain, write_reports
    from orchestrator.render import json

    error(message)
    write_reports(
        invocation,
        lambda: json.error(message, exit_code),
        of_error(message, exit_code, in_file=in_file),
    )
    if invocation.json:
        write_json(json.error(message, exit_code))
    elif invocation.output != Output.TEXT.value:
        write_plain(of_error(message, exit_code, in_file=in_file)[invocation.output]())
    return exit_code
