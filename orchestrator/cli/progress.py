"""Progress on stderr while a command runs: a live view on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.actions.results import Observer


@contextmanager
def progress(console: "Console") -> Iterator["Observer"]:
    """Return the observer that suits ``console``. Leaves a terminal clean however it is left."""
    from orchestrator.cli.live import LiveProgress
    from orchestrator.cli.plain import PlainProgress

    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainProgress(sys.stderr)
        return
    with ExitStack() as stack:
        yield LiveProgress(console, stack)
