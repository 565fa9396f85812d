"""Writing to the two streams: results to stdout, everything else to stderr."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import JSONEncoder
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import typer

from orchestrator.errors import NotWritten

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.cli.invocation import Invocation
    from orchestrator.cli.reports import Forms
    from orchestrator.dispatch.results import Result, RunEnd
    from orchestrator.runs.requests import Done


def show(
    invocation: "Invocation",
    as_text: "Callable[[], RenderableType]",
    as_json: Callable[[], dict[str, Any]],
    *,
    run: "RunEnd | None" = None,
    forms: "Forms" = MappingProxyType({}),
) -> None:
    """Write a result to stdout in the form that was asked for.

    ``forms``: those that it has besides text and JSON. ``run``: what it is the result of. Raises
    ``NotWritten``, which names it, where it can't; and says on stderr what else of the run could
    not be written.
    """
    write_reports(invocation, as_json, forms)
    try:
        if (form := forms.get(invocation.output)) is not None:
            write_plain(form())
        elif invocation.json:
            write_json(as_json())
        else:
            write(as_text())
    except NotWritten as lost:
        if run is None:
            raise
        raise NotWritten(f"{lost}{_kept(run)}") from None
    if run is not None and run.unwritten:
        error(f"{run.unwritten}{_kept(run)}")


def write_reports(
    invocation: "Invocation", as_json: Callable[[], dict[str, Any]], forms: "Forms"
) -> None:
    """Write the files that were asked for besides; on stderr, which of them could not be."""
    for name, path in invocation.reports:
        text = "".join(_json(as_json())) if name == "json" else forms[name]()
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as failed:
            error(f"--report {name}={path}: {failed.strerror or failed}")


def show_result(
    invocation: "Invocation",
    result: "Result",
    revision: str = "",
    forms: "Forms" = MappingProxyType({}),
) -> NoReturn:
    """Write what a command that changes targets came to, and exit with its code."""
    from orchestrator.render import json, upgrade

    show(
        invocation,
        lambda: upgrade.report(result, revision, debug=invocation.debug),
        lambda: json.result(result, debug=invocation.debug),
        run=result.run,
        forms=forms,
    )
    raise typer.Exit(result.exit_code)


def show_done(invocation: "Invocation", verb: str, done: "Done") -> None:
    """Write what was asked of a run."""
    from orchestrator.render import json_runs, runs

    show(invocation, lambda: runs.done(done), lambda: json_runs.done(verb, done))


def _kept(run: "RunEnd") -> str:
    return f"; run {run.id} has it: orchestrator show {run.id}"


def write(text: "RenderableType") -> None:
    """Write a text result to stdout."""
    with _reader_may_leave():
        _print(text, sys.stdout)


def write_json(value: dict[str, Any]) -> None:
    """Write one JSON object to stdout."""
    with _reader_may_leave():
        for piece in _json(value):
            sys.stdout.write(piece)


def _json(value: dict[str, Any]) -> Iterator[str]:
    # Piece by piece: of 100,000 targets, the whole text and its pieces took 300 MB.
    yield from JSONEncoder(indent=2).iterencode(value)
    yield "\n"


def write_plain(text: str) -> None:
    """Write text to stdout as it is."""
    with _reader_may_leave():
        sys.stdout.write(text)


def flush() -> None:
    """Write what is still buffered for stdout: a help text, say."""
    with _reader_may_leave():
        pass


def note(text: "RenderableType") -> None:
    """Write to stderr what is not a result."""
    _print(text, sys.stderr)


def error(message: str) -> None:
    """Write an error to stderr."""
    from rich.text import Text

    from orchestrator.render.text import safe

    note(Text.assemble(("error:", "bold red"), " ", safe(message)))


def _print(text: "RenderableType", stream: TextIO) -> None:
    from orchestrator.render.console import console, plain

    on_stream = console(stream)
    if on_stream.is_terminal:
        on_stream.print(text)
    else:
        stream.write(plain(text))


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Be quiet where stdout is a pipe that nobody reads to its end: ``| head``."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
