"""The live events of runs: read once for everybody who watches, and sent as what changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from orchestrator.config.roles import Role
from orchestrator.errors import OrchestratorError
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import AskedRecord, Cell
from orchestrator.render.html.environment import page
from orchestrator.render.html.run import RunView, letters, run_view
from orchestrator.rollout.events import RunState
from orchestrator.runs.report import RunReport, run_report

_EVERY = 1.0
_EVERY_IDLE = 3.0
_HEARTBEAT = 15.0
_BACKLOG = 50
"""Messages that a browser may lag behind before it has to begin anew."""
_OVER = frozenset({RunState.DONE, RunState.ABORTED})
_SHARED = ("head", "working", "decisions")
"""Parts that everybody sees alike; the others have what only some may do."""
_OF_ROLES = ("troubles", "actions")
_ROLES = tuple(Role)


@dataclass(frozen=True, slots=True)
class RunNow:
    """A run at one moment."""

    report: RunReport
    cells: tuple[Cell, ...]
    codes: str
    """Where each target stands, a letter each."""
    view: RunView
    asked: tuple[AskedRecord, ...]


def state_of(ledger: Ledger, id_: int, known: tuple[Cell, ...] | None = None) -> RunNow:
    """Read a run as it is now. ``known``: its targets, where only their states are to be read.

    Raises ``UsageError`` for one that is not there.
    """
    report = run_report(ledger, id_)
    if known is None:
        cells = tuple(sorted(ledger.cells(id_), key=lambda cell: (cell.wave, cell.position)))
    else:
        states = dict(ledger.states(id_))
        cells = tuple(Cell(c.position, c.wave, c.name, states.get(c.position)) for c in known)
    view = run_view(report, cells, ledger.mean(id_))
    open_ = {attempt.position for attempt in report.open} if view.live else set()
    asked = tuple(one for one in ledger.asked() if one.run == id_)
    return RunNow(report, cells, letters(cells, open_), view, asked)


def map_of(state: RunNow) -> Mapping[str, Any]:
    """Return what the map of a run is drawn from: names once, states as letters."""
    lanes: dict[int, int] = {}
    for cell in state.cells:
        lanes[cell.wave] = lanes.get(cell.wave, 0) + 1
    prefix = _prefix([cell.name for cell in state.cells])
    return {
        "run": state.view.run.id,
        "lanes": list(lanes.items()),
        "prefix": prefix,
        "names": [cell.name[len(prefix) :] for cell in state.cells],
        "positions": [cell.position for cell in state.cells],
        "codes": state.codes,
    }


def _prefix(names: list[str]) -> str:
    """Return what all names begin with, up to a slash."""
    if not names:
        return ""
    first, last = min(names), max(names)
    end = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return first[: first.rfind("/", 0, end) + 1]


def parts(state: RunNow, common: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts of a run's page that change, as HTML."""
    return {**_shared(state), **_own(state, common)}


def _shared(state: RunNow) -> dict[str, str]:
    values = {"view": state.view}
    found = {name: page(f"parts/{name}.html", values) for name in _SHARED}
    for lane in state.view.lanes:
        found[f"lane-{lane.wave.position}"] = page("parts/lane.html", {**values, "lane": lane})
    return found


def _own(state: RunNow, common: Mapping[str, Any]) -> dict[str, str]:
    values = {"view": state.view, "asked": state.asked, "may": common["may"]}
    return {name: page(f"parts/{name}.html", values) for name in _OF_ROLES}


def _sent(event: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {event}\n{lines}\n".encode()


@dataclass(slots=True, eq=False)
class _Watcher:
    role: Role
    queue: "asyncio.Queue[bytes | None]" = field(
        default_factory=lambda: asyncio.Queue(maxsize=_BACKLOG)
    )
    full: bool = True
    """Whether it has still to be told everything."""

    def put(self, message: bytes) -> None:
        """Queue a message; who lags behind too far is told to begin anew."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Have the browser begin anew, and read everything once more."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


@dataclass(slots=True)
class _Channel:
    """One run, read for all who watch it."""

    ledger: Ledger
    run: int
    watchers: set[_Watcher] = field(default_factory=set)
    task: "asyncio.Task[None] | None" = None
    cells: tuple[Cell, ...] | None = None
    codes: str = ""
    told: dict[tuple[str, Role], str] = field(default_factory=dict)

    async def watch(self) -> None:
        """Read the run again and again while anybody watches, and tell what changed."""
        while self.watchers:
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                state = await run_in_threadpool(state_of, self.ledger, self.run, self.cells)
                made = await run_in_threadpool(_by_role, state)
            except OrchestratorError as error:
                self._tell(_sent("trouble", str(error)))
                await asyncio.sleep(_EVERY_IDLE)
                continue
            self.cells = state.cells
            self._tell_changes(state, made)
            took = loop.time() - began
            # Who watches must not slow down what is watched: at most a tenth of the time.
            pause = _EVERY if state.view.live else _EVERY_IDLE
            await asyncio.sleep(max(pause, took * 9))

    def _tell_changes(self, state: RunNow, made: Mapping[tuple[str, Role], str]) -> None:
        changed = {key: html for key, html in made.items() if self.told.get(key) != html}
        cells = [
            (at, code)
            for at, (code, before) in enumerate(zip(state.codes, self.codes, strict=False))
            if code != before
        ]
        self.codes, self.told = state.codes, dict(made)
        now = _sent("now", json.dumps({"now": state.report.now, "live": state.view.live}))
        for watcher in tuple(self.watchers):
            wanted = made if watcher.full else changed
            for (name, role), html in wanted.items():
                if role is watcher.role:
                    watcher.put(_sent("part", json.dumps({"part": name, "html": html})))
            if watcher.full:
                watcher.put(_sent("codes", state.codes))
            elif cells:
                watcher.put(_sent("cells", json.dumps(cells)))
            watcher.put(now)
            watcher.full = False

    def _tell(self, message: bytes) -> None:
        for watcher in tuple(self.watchers):
            watcher.put(message)


def _by_role(state: RunNow) -> dict[tuple[str, Role], str]:
    """Return each part as each role sees it: what one may not do is not offered."""
    shared = _shared(state)
    return {
        (name, role): html
        for role in _ROLES
        for name, html in {**shared, **_own(state, {"may": _may(role)})}.items()
    }


def _may(role: Role) -> Callable[[str], bool]:
    return lambda needed: role.may(Role(needed))


class Live:
    """All runs that somebody watches."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._channels: dict[int, _Channel] = {}

    def close(self) -> None:
        """End the events of everybody, so that the server can end."""
        for channel in self._channels.values():
            for watcher in channel.watchers:
                watcher.end()

    async def events(
        self, run: int, role: Role, is_good: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """Yield the events of a run until whoever watches is no more let in."""
        channel = self._channels.setdefault(run, _Channel(self._ledger, run))
        watcher = _Watcher(role)
        channel.watchers.add(watcher)
        if channel.task is None or channel.task.done():
            channel.task = asyncio.create_task(channel.watch())
        try:
            yield b"retry: 2000\n\n"
            loop = asyncio.get_running_loop()
            checked = loop.time()
            while True:
                try:
                    message = await asyncio.wait_for(watcher.queue.get(), _HEARTBEAT)
                except TimeoutError:
                    message = b": still here\n\n"
                if message is None:
                    return
                yield message
                if loop.time() - checked >= _HEARTBEAT:
                    checked = loop.time()
                    if not await run_in_threadpool(is_good):
                        return
        finally:
            channel.watchers.discard(watcher)
            if not channel.watchers:
                if channel.task is not None:
                    channel.task.cancel()
                self._channels.pop(run, None)
