"""Consoles that show data as it is."""

import io
from typing import IO

from rich.console import Console, RenderableType

# Data in a pipe is for programs and for grep: a name is never cut or wrapped to fit.
UNLIMITED = 32_000


def console(stream: IO[str]) -> Console:
    """Return a console on ``stream``, as wide as the terminal.

    It takes markup, emoji codes and numbers literally, because they come from data.
    """
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def plain(text: RenderableType, width: int = UNLIMITED) -> str:
    """Return ``text`` without colours and without spaces at the end of a line."""
    stream = io.StringIO()
    Console(
        file=stream,
        width=width,
        color_system=None,
        force_terminal=False,
        highlight=False,
        markup=False,
        emoji=False,
    ).print(text)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
