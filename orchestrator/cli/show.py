"""Writing to the two streams: results to stdout, everything else to stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from orchestrator.cli.invocation import Invocation


def show(
    invocation: "Invocation",
    as_text: "Callable[[], RenderableType]",
    as_json: Callable[[], dict[str, Any]],
) -> None:
    """Write a result to stdout in the form that was asked for."""
    if invocation.json:
        write_json(as_json())
    else:
        write(as_text())


def write(text: "RenderableType") -> None:
    """Write a text result to stdout."""
    with _reader_may_leave():
        _console(sys.stdout).print(text)


def write_json(value: dict[str, Any]) -> None:
    """Write one JSON object to stdout."""
    with _reader_may_leave():
        sys.stdout.write(json.dumps(value, indent=2) + "\n")


def write_plain(text: str) -> None:
    """Write text to stdout as it is."""
    with _reader_may_leave():
        sys.stdout.write(text)


def note(text: "RenderableType") -> None:
    """Write to stderr what is not a result."""
    _console(sys.stderr).print(text)


def error(message: str) -> None:
    """Write an error to stderr."""
    from rich.text import Text

    from orchestrator.render.words import safe

    note(Text.assemble(("error:", "bold red"), " ", safe(message)))


def stderr_console() -> "Console":
    """Return a console for progress and prompts."""
    return _console(sys.stderr)


def _console(stream: Any) -> "Console":
    from orchestrator.render.console import console

    return console(stream)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Be quiet where stdout is a pipe that nobody reads to its end: ``| head``."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
