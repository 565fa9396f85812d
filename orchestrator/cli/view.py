"""What the live view shows: counters, and how they are drawn."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.text import safe, short
from orchestrator.rollout.events import Event, RunResumed, RunWaiting, WaveEnded, WaveStarted
from orchestrator.rollout.outcomes import State

_LINES = 8
_WINDOW = 15.0
_TROUBLE = frozenset(
    {
        State.FAILED,
        State.LOCKED,
        State.IN_DOUBT,
        State.UNREACHABLE,
        State.UNKNOWN_REVISION,
        State.INCONSISTENT,
    }
)


@dataclass
class Line:
    """What one server is doing, or the workers of one place."""

    name: str
    running: set[str] = field(default_factory=set)
    last: str = ""
    revision: str = ""


class Board:
    """Counters that events change; nothing here costs more where the fleet is larger."""

    def __init__(self, verb: str, targets: Sequence[Target], now: float) -> None:
        self.verb = verb
        self.total = len(targets)
        self.done = self.failed = self.waiting = 0
        self.wave = self.waits_for = ""
        self.lines: dict[str, Line] = {}
        self._samples = deque([(now, 0)])
        self._retrying: set[str] = set()
        self._line_of: dict[str, str] = {}
        """Of each target that is running."""

    def started(self, target: Target, place: str | None) -> None:
        """A worker has it; of a place, if it asked for one."""
        self._again(target)
        name = target.server if place is None else f"place {place}"
        self._line_of[target.name] = name
        line = self.lines.setdefault(name, Line(name))
        line.running.add(target.name)
        line.last, line.revision = target.name, ""

    def running(self, target: Target, revision: str) -> None:
        """It reached a revision."""
        line = self.lines.get(self._line_of.get(target.name, ""))
        if line is not None:
            line.last, line.revision = target.name, revision

    def retrying(self, target: Target) -> None:
        """It waits for its next attempt."""
        self._leave(target)
        self._retrying.add(target.name)
        self.waiting = len(self._retrying)

    def finished(self, target: Target, state: State) -> None:
        """It has its outcome."""
        self._again(target)
        self._leave(target)
        self.done += 1
        self.failed += state in _TROUBLE

    def happened(self, event: Event) -> None:
        """A wave began, or the run waits for something."""
        match event:
            case WaveStarted(name=name):
                self.wave, self.waits_for = name, ""
            case RunWaiting(reason=reason):
                self.waits_for = reason
            case RunResumed() | WaveEnded():
                self.waits_for = ""

    def rate(self, now: float) -> float:
        """Return targets per second, lately; remembers that it was asked."""
        self._samples.append((now, self.done))
        while len(self._samples) > 2 and now - self._samples[1][0] > _WINDOW:
            self._samples.popleft()
        since, done = self._samples[0]
        return (self.done - done) / (now - since) if now > since else 0.0

    def _again(self, target: Target) -> None:
        self._retrying.discard(target.name)
        self.waiting = len(self._retrying)

    def _leave(self, target: Target) -> None:
        line = self.lines.get(self._line_of.pop(target.name, ""))
        if line is None:
            return
        line.running.discard(target.name)
        if not line.running:
            del self.lines[line.name]


def draw(board: Board, now: float) -> RenderableType:
    """Return the overall bar, and below it what each server or place is doing."""
    return Group(_overall(board, board.rate(now)), _course(board), _lines(board))


def _course(board: Board) -> RenderableType:
    """The wave that is on, or what the run waits for."""
    if board.waits_for:
        waits = Text(f"  waits: {safe(board.waits_for)}", style="yellow", no_wrap=True)
        waits.overflow = "ellipsis"  # a view of changing height leaves lines behind
        return waits
    return Text(f"  wave {safe(board.wave)}", style="dim") if board.wave else Group()


def _overall(board: Board, rate: float) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=max(board.total, 1), completed=board.done, width=24)
    counts = Text(f"{board.done:,}/{board.total:,}")
    numbers = [f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
    if rate > 0 and board.done < board.total:
        numbers.append(f"{clock((board.total - board.done) / rate)} left")
    trouble = [f"{board.failed:,} failed"] if board.failed else []
    waiting = [f"{board.waiting:,} to retry"] if board.waiting else []
    grid.add_row(
        Text(board.verb, style="bold"),
        bar,
        counts,
        *(Text(number, style="dim") for number in numbers),
        *(Text(text, style="red") for text in trouble),
        *(Text(text, style="yellow") for text in waiting),
    )
    return grid


def _lines(board: Board) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=32)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for line in islice(board.lines.values(), _LINES):
        doing = Text(safe(line.last))
        if line.revision:
            doing.append(f" → {safe(short(line.revision))}", style="cyan")
        grid.add_row(Text(f"  {safe(line.name)}"), Text(f"{len(line.running)} running"), doing)
    if (hidden := len(board.lines) - _LINES) > 0:
        grid.add_row(Text(f"  and {hidden:,} more", style="dim"))
    return grid


def clock(seconds: float) -> str:
    """Return ``0:43``, ``12:05``, ``1:02:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
