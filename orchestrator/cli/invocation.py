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

    @property
    def json(self) -> bool:
        """Whether stdout is for a program."""
        return self.output == Output.JSON.value


def of(context: typer.Context, output: StrEnum = Output.TEXT) -> Invocation:
    """Return the invocation that ``context`` belongs to, with the form of output it asks for."""
    invocation = context.find_root().obj
    # Shell completion parses a command line without `run`.
    made = invocation if isinstance(invocation, Invocation) else Invocation()
    made.output = output
    return made


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
