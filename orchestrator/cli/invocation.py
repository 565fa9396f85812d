"""What holds for one call of the program, whatever the command."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import typer

VARIABLE = "ORCHESTRATOR_CONFIG"


class Output(StrEnum):
    """How a result is written to stdout."""

    TEXT = "text"
    JSON = "json"


class PageOutput(StrEnum):
    """How a result is written to stdout that is to be read in a pull request, too."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class ReportOutput(StrEnum):
    """How a result is written to stdout that CI systems have forms for, too."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


@dataclass
class Invocation:
    """The options that every command has. Commands fill them in as soon as they are parsed, so that
    a later error is reported in the form that was asked for."""

    config: Path | None = None
    debug: bool = False
    output: StrEnum = Output.TEXT
    reports: tuple[tuple[str, Path], ...] = ()
    """Files that the result is written to as well, each in a form."""

    @property
    def json(self) -> bool:
        """Whether stdout is for a program."""
        return self.output == Output.JSON.value


def of(
    context: typer.Context, output: StrEnum = Output.TEXT, reports: Sequence[str] | None = None
) -> Invocation:
    """Return the invocation that ``context`` belongs to, with the forms of output it asks for.

    Raises ``UsageError`` for a report that can't be written.
    """
    invocation = context.find_root().obj
    # Shell completion parses a command line without `run`.
    made = invocation if isinstance(invocation, Invocation) else Invocation()
    made.output = output
    made.reports = tuple(_report(text, type(output)) for text in reports or ())
    return made


def _report(text: str, forms: type[StrEnum]) -> tuple[str, Path]:
    from orchestrator.errors import UsageError

    form, equals, path = text.partition("=")
    known = [one.value for one in forms if one.value != Output.TEXT.value]
    if form not in known or not equals or not path:
        example = f"{known[-1]}=report"
        raise UsageError(
            f"--report wants FORM=FILE, for example {example}, with one of {', '.join(known)}; "
            f"got '{text}'"
        )
    try:  # what takes an hour is not to be lost for a misspelt folder
        Path(path).open("a", encoding="utf-8").close()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"--report {text}: {said}") from None
    return form, Path(path)


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move ``--config`` and ``--debug`` before the command, where Typer wants them.

    What follows ``--`` is left alone.
    """
    rest = iter(arguments)
    front: list[str] = []
    back: list[str] = []
    for argument in rest:
        if argument == "--":
            back += ["--", *rest]
        elif argument == "--debug" or argument.startswith("--config="):
            front.append(argument)
        elif argument == "--config":
            front += [argument, *([value] if (value := next(rest, None)) is not None else [])]
        else:
            back.append(argument)
    return front + back


def from_environment() -> Path | None:
    """Return the file that the environment names, if it does."""
    return Path(value) if (value := os.environ.get(VARIABLE)) else None
