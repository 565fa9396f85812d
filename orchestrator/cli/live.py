"""Progress as a view that a terminal redraws in place."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from orchestrator.cli.plain import interrupted, throttled
from orchestrator.cli.view import Board, draw
from orchestrator.fleet.target import Target
from orchestrator.render.events import told
from orchestrator.render.failure import FAILED, failures
from orchestrator.render.text import safe
from orchestrator.rollout.events import Event
from orchestrator.rollout.outcomes import Failure, Outcome

_PER_SECOND = 8
# A fleet that fails as a whole would scroll the reason away; the report has them all.
_BLOCKS = 20
_READING = frozenset({"status", "check", "history"})
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class LiveProgress:
    """Keeps a board, and lets rich draw it a few times per second, however much happens.

    Failures of changing commands are printed above it as they happen, and stay. ``stack`` takes
    the view off the terminal when it is closed.
    """

    def __init__(
        self,
        console: Console,
        stack: ExitStack,
        clock: Callable[[], float] = time.monotonic,
        auto_refresh: bool = True,
    ) -> None:
        self._console = console
        self._stack = stack
        self._clock = clock
        self._auto_refresh = auto_refresh
        # The view is drawn in a thread of rich's.
        self._lock = threading.Lock()
        self._board: Board | None = None
        self._failures = 0
        self._live = False

    def begin(self, verb: str, targets: Sequence[Target]) -> None:
        """Show the view, or start it anew."""
        with self._lock:
            self._board = Board(verb, targets, self._clock())
        if not self._live:
            self._live = True
            self._show()

    def started(self, target: Target, attempt: int, place: str | None) -> None:  # noqa: ARG002
        """Count it as running."""
        with self._lock:
            self._on().started(target, place)

    def running(self, target: Target, revision: str) -> None:
        """Remember the revision."""
        with self._lock:
            self._on().running(target, revision)

    def retrying(
        self,
        target: Target,
        failure: Failure,  # noqa: ARG002
        delay: float,  # noqa: ARG002
    ) -> None:
        """Count it as not running until its next attempt."""
        with self._lock:
            self._on().retrying(target)

    def throttled(self, server: str, limit: int, failure: Failure) -> None:
        """Say above the view how many go on at once, and why."""
        self._console.print(Text(safe(throttled(server, limit, failure)), style="yellow"))

    def waiting(self, what: str, why: str) -> None:
        """Say above the view who waits for what."""
        text = Text(safe(f"waiting: {what}  {why}"), style="yellow")
        self._console.print(text)

    def finished(self, target: Target, outcome: Outcome) -> None:
        """Count it, and print it above the view if it failed."""
        with self._lock:
            board = self._on()
            board.finished(target, outcome.state)
        if outcome.state in FAILED and board.verb not in _READING:
            self._failed(target, outcome)

    def happened(self, event: Event) -> None:
        """Show which wave is on, and say above the view what gates do."""
        with self._lock:
            self._on().happened(event)
        if line := told(event):
            self._console.print(Text(safe(line), style="dim"))

    def interrupted(self, presses: int) -> None:
        """Say above the view what happens now."""
        self._console.print(Text(interrupted(presses), style="yellow"))

    def view(self) -> RenderableType:
        """Return what is to be drawn now."""
        with self._lock:
            return draw(self._on(), self._clock())

    def _on(self) -> Board:
        if self._board is None:
            self._board = Board("", (), self._clock())
        return self._board

    def _failed(self, target: Target, outcome: Outcome) -> None:
        self._failures += 1
        if self._failures <= _BLOCKS:
            for block in failures([(target, outcome)]):
                self._console.print(Group(block, Text()))
        elif self._failures == _BLOCKS + 1:
            self._console.print(Text("more failures follow; all are reported at the end"))

    def _show(self) -> None:
        live = Live(
            console=self._console,
            get_renderable=self.view,
            auto_refresh=self._auto_refresh,
            refresh_per_second=_PER_SECOND,
            transient=True,
            # Results go to stdout as they are, even where it is the same terminal.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stack.enter_context(_cursor_restored())
        self._stack.enter_context(live)


@contextmanager
def _cursor_restored() -> Iterator[None]:
    """Show the cursor again where a signal ends the program without an exception."""

    def end(number: int, _frame: FrameType | None) -> None:
        os.write(2, b"\x1b[?25h\n")
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            if signal.getsignal(number) is end:
                signal.signal(number, signal.SIG_DFL)
