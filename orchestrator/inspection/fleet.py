"""Reads the state of a whole fleet: server by server, many targets at once."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.dialects import Fault, dialect_of
from orchestrator.fleet.location import Location
from orchestrator.fleet.schema import Thing
from orchestrator.inspection import mysql, postgresql, sqlite
from orchestrator.inspection.reading import Reading, Source, batches, located, unread
from orchestrator.rollout.schedule import Schedule, Slot, Work
from orchestrator.rollout.throttling import Throttle

_THREADS = 32
_TICK = 0.2
_NO_ROOM = frozenset({Fault.CONNECTIONS, Fault.LIMIT})
_TRIES = 6
_FIRST_PAUSE = 0.05
"""Seconds before the second try; each later one waits twice as long, three in all."""
# MySQL's client side takes as long as the server's: a second connection gains nothing. Nor does a
# second thread where the files are on this machine.
_AT_ONCE = {"mysql": 100_000, "mariadb": 100_000, "postgresql": 250, "sqlite": 200}
_READERS = {"mysql": mysql, "mariadb": mysql, "postgresql": postgresql, "sqlite": sqlite}


class NoRoom(Exception):
    """The server takes no more connections, or no more of this user's."""


@dataclass(frozen=True, slots=True)
class ServerTask:
    """Sources that one connection can reach."""

    sources: tuple[Source, ...]

    @property
    def backend(self) -> str:
        """What to read them with."""
        return self.sources[0].location.backend

    @property
    def server(self) -> str:
        """Where they are."""
        return self.sources[0].location.server

    def read(self, *, schemas: bool) -> Iterator[Reading]:
        """Yield a reading of each source, whatever happens.

        Raises ``NoRoom`` instead, before the first, where the server takes no more connections.
        """
        left = {source.target: source for source in self.sources}
        try:
            for reading in _READERS[self.backend].read(self.sources, schemas=schemas):
                yield located(left.pop(reading.target), reading)
        except Exception as error:  # drivers share no class of errors
            fault = dialect_of(self.backend).fault(error)
            if fault in _NO_ROOM and len(left) == len(self.sources):
                raise NoRoom from error
            yield from (located(source, unread(source, error)) for source in left.values())


def read(
    sources: Iterable[Source],
    *,
    schemas: bool,
    stopped: Callable[[], bool] = lambda: False,
    abandoned: Callable[[], bool] = lambda: False,
) -> Iterator[Reading]:
    """Begin to read, and return an iterator of a reading of each source as it comes.

    ``schemas``: with a fingerprint. No server gets more connections than its places allow. Once
    ``stopped()``, nothing more is begun, and what was not begun has no reading. Once
    ``abandoned()``, nothing is waited for either, whatever a server is up to.
    """
    running = _Running(list(tasks(sources)), schemas, stopped)
    running.start()
    return running.readings(abandoned)


class _Running:
    """Tasks, each in a thread of its own."""

    def __init__(
        self, found: Sequence[ServerTask], schemas: bool, stopped: Callable[[], bool]
    ) -> None:
        self._tasks = {str(number): task for number, task in enumerate(found)}
        self._schedule = Schedule(_work(name, task) for name, task in self._tasks.items())
        self._answers: queue.SimpleQueue[tuple[str, Reading | NoRoom | None]] = queue.SimpleQueue()
        self._throttle = Throttle()
        self._tries = dict.fromkeys(self._tasks, 0)
        self._schemas = schemas
        self._stopped = stopped

    def start(self) -> None:
        """Start what may start."""
        for name in self._schedule.start():
            self._tries[name] += 1
            self._throttle.begin(self._tasks[name].server, name)
            # Not of an executor: its threads are waited for when the program ends.
            threading.Thread(target=self._run, args=(name,), daemon=True).start()

    def readings(self, abandoned: Callable[[], bool]) -> Iterator[Reading]:
        """Yield what comes, until there is nothing more to come or to wait for."""
        while not self._schedule.done and not abandoned():
            if self._stopped():
                self._schedule.stop()
            self.start()
            try:
                name, reading = self._answers.get(timeout=_TICK)
            except queue.Empty:
                continue
            if isinstance(reading, Reading):
                yield reading
                continue
            server, full = self._tasks[name].server, isinstance(reading, NoRoom)
            if limit := self._throttle.end(server, name, exhausted=full):
                self._schedule.set_limit(server, limit)
            if full:
                self._schedule.requeue(name)
            else:
                self._schedule.finish(name, succeeded=True)

    def _run(self, name: str) -> None:
        task, tries = self._tasks[name], self._tries[name]
        end: NoRoom | None = None
        try:
            for reading in task.read(schemas=self._schemas):
                self._answers.put((name, reading))
                if self._stopped():
                    break
        except NoRoom as error:
            if tries < _TRIES and not self._stopped():
                end = error
                time.sleep(_FIRST_PAUSE * 2 ** (tries - 1))
            else:
                for source in task.sources:
                    unreached = unread(source, error.__cause__ or error)
                    self._answers.put((name, located(source, unreached)))
        finally:
            self._answers.put((name, end))


def things(sources: Sequence[Source]) -> dict[str, tuple[Thing, ...] | Exception]:
    """Return everything in the schema of each source, by target, or why it can't be read."""
    found: dict[str, tuple[Thing, ...] | Exception] = {}
    for task in tasks(sources):
        for source in task.sources:
            # One that can't be read must not spoil the others, which a connection for all would.
            try:
                found.update(_READERS[task.backend].things([source]))
            except Exception as error:  # noqa: BLE001 - drivers share no class of errors
                found[source.target] = error
    return found


def tasks(sources: Iterable[Source]) -> list[ServerTask]:
    """Group sources by the connection that reaches them."""
    groups: dict[Any, list[Source]] = {}
    for source in sources:
        groups.setdefault((source.grants, _reached(source.location)), []).append(source)
    return [
        ServerTask(tuple(some))
        for group in groups.values()
        for some in batches(group, _AT_ONCE[group[0].location.backend])
    ]


def _reached(location: Location) -> Any:
    """Return what two sources have in common that one connection reaches."""
    if location.backend == "sqlite":
        return "sqlite"
    options = tuple(sorted(location.query.items()))
    way = (location.driver, location.host, location.port, location.username, location.password)
    if dialect_of(location.backend).transactional_ddl:
        # PostgreSQL: a connection sees one database; and a source is a schema, or all of it.
        return (*way, options, location.database, location.schema is None)
    return (*way, options)


def _work(name: str, task: ServerTask) -> Work:
    per_server = min(source.max_per_server for source in task.sources)
    if task.backend == "sqlite":
        per_server = 1
    slots = (Slot("threads", _THREADS), Slot(task.server, per_server))
    return Work(name, (), slots)
