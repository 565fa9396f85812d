"""How a command that drives a run talks with whoever started it, while the run goes on."""

import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.actions.project import Project
    from orchestrator.dispatch.observer import Observer
    from orchestrator.rollout.plan import Plan
    from orchestrator.runs.context import RunOptions

Question = Callable[["Plan"], None]
"""Asks whether a plan is to be done; raises ``Refused`` where it is not."""
_LINE = 4096


@contextmanager
def driven(
    project: "Project",
    *,
    wait: bool | None = None,
    override: str | None = None,
    events: Path | None = None,
    metrics: Path | None = None,
    wait_for_lock: str | None = None,
    question: Question | None = None,
) -> Iterator["RunOptions"]:
    """Show on stderr what ``project`` does inside, and return how its run is to be driven.

    ``wait`` left out: whether somebody is there who may wait. ``question`` is asked with the view
    of the progress off the terminal, and Ctrl-C ends the command then. ``metrics`` are written at
    the end, however it ends.
    """
    from orchestrator.render.console import console
    from orchestrator.render.text import safe
    from orchestrator.runs.context import RunOptions

    _assert_writable(override, events)
    if metrics is not None:
        write_metrics(project, metrics)  # now, to know that it can be
    waits_for_lock = None if wait_for_lock is None else duration(wait_for_lock, "--wait-for-lock")
    waits = on_terminal() if wait is None else wait
    on = console(sys.stderr)
    asker = Asker(lambda text: on.print(safe(text), style="yellow"))
    with _View(on) as view:
        before, project.observer = project.observer, cast("Observer", view)
        try:
            yield RunOptions(
                wait=waits,
                override=override,
                events=events,
                wait_for_lock=waits_for_lock,
                ask=asker.ask if waits and on_terminal() else lambda _: None,
                confirm=lambda plan: view.ask(question, plan),
            )
        finally:
            project.observer = before
            if metrics is not None:
                _write_again(project, metrics)


def write_metrics(project: "Project", path: Path) -> None:
    """Write what the ledger has to a file, at once as a whole. Raises ``UsageError``."""
    from orchestrator.cli.files import PUBLIC, put
    from orchestrator.render.metrics import BOUNDS, exposition

    with project.ledger() as ledger:
        text = exposition(ledger.totals(BOUNDS), project.file.config.project.name)
    put("--metrics", path, [text], mode=PUBLIC)  # whoever collects it is another user


def _write_again(project: "Project", path: Path) -> None:
    """Write metrics of what was done; that it can't be told is no reason to fail."""
    from orchestrator.cli.show import error
    from orchestrator.errors import OrchestratorError

    try:
        write_metrics(project, path)
    except OrchestratorError as failed:
        error(f"{failed}; the metrics are those of before")


def duration(text: str, option: str) -> float:
    """Return ``10m`` in seconds. Raises ``UsageError`` for no duration."""
    from orchestrator.config.units import seconds
    from orchestrator.errors import UsageError

    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"{option} '{text}': {error}") from None


def on_terminal() -> bool:
    """Whether somebody can be asked, and reads what is asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def in_foreground(terminal: int) -> bool:
    """Whether we may use a terminal: it stops a process in the background that touches it."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # it is not the one that we were started from
        return True


@dataclass(slots=True)
class Asker:
    """Asks a question once, and looks for its answer as often as it is called. Never waits."""

    say: Callable[[str], None]
    stream: int = field(default_factory=lambda: sys.stdin.fileno())
    _asked: str = ""

    def ask(self, question: str) -> bool | None:
        """Return yes or no once a line says so; ``None`` until then, and in the background."""
        if not in_foreground(self.stream):
            return None
        if question != self._asked:
            self._asked = question
            with suppress(termios.error):  # what was typed before is no answer
                termios.tcflush(self.stream, termios.TCIFLUSH)
            self.say(f"{question} [y/n]")
        if not select.select([self.stream], [], [], 0)[0]:
            return None
        line = os.read(self.stream, _LINE)
        return {b"y": True, b"yes": True, b"n": False, b"no": False}.get(line.strip().lower())


@dataclass(slots=True)
class _View:
    """The progress on a console, which leaves it while something is asked and comes back then."""

    console: "Console"
    _stack: ExitStack = field(default_factory=ExitStack)
    _observer: Any = None
    _began: tuple[Any, ...] = ()

    def __enter__(self) -> "_View":
        from orchestrator.cli.progress import progress

        self._observer = self._stack.enter_context(progress(self.console))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, *what: Any) -> None:
        """Remember what is shown."""
        self._began = what
        self._observer.begin(*what)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._observer, name)

    def ask(self, question: Question | None, plan: "Plan") -> None:
        """Ask, with nothing else on the terminal."""
        if question is None:
            return
        self._stack.close()
        with interruptible():
            question(plan)
        self.__enter__()
        if self._began:
            self._observer.begin(*self._began)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end the command inside: while it waits for an answer, nothing runs."""

    def end(_: int, __: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _assert_writable(override: str | None, events: Path | None) -> None:
    """Raise ``UsageError`` before anything is planned, not when the run is recorded already."""
    from orchestrator.errors import UsageError

    if override is not None and not override.strip():
        raise UsageError("--override wants a reason: it is recorded with your name")
    try:
        if events is not None:
            events.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"--events {events}: {error.strerror or error}") from None
