"""Progress on stderr while a command runs: a live view on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.dispatch.observer import Observer


@contextmanager
def progress(console: "Console") -> Iterator["Observer"]:
    """Return the observer that suits ``console``. Leaves a terminal clean however it is left."""
    from orchestrator.cli.live import LiveProgress
    from orchestrator.cli.plain import PlainProgress

    console.file = cast("TextIO", Forgiving(console.file))
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainProgress(console.file)
        return
    with ExitStack() as stack:
        yield LiveProgress(console, stack)


class Forgiving:
    """A stream whose reader may leave: a run must not end because nobody watches it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
