"""Jobs on the workers of a Dask cluster: an ``Engine`` of hosts on other machines.

Dask brings the connections: it knows which workers there are, and carries letters to them and what
they say back. Both are events of topics, not tasks, of which each costs its scheduler and workers
several times as much. Dask knows of no jobs: each host has an identity that ends with it.
"""

import asyncio
import contextlib
import itertools
import queue
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engines import dask_worker, wire
from orchestrator.engines.base import CannotStart, EngineEvent, Finished, Lost, Message, Nobody
from orchestrator.engines.places import candidates, offers
from orchestrator.engines.wire import About, Letter, Service

_LOOKS_EVERY = 1.0
"""Seconds between two looks at which workers there are, and between two signs of life."""
_CONNECT = 10.0
_INTRODUCED = 2.0
"""Seconds for which workers that were there before us are waited for to tell what they are."""
_CALLS = 3
"""How often in a row unknown workers are asked; later, every so many looks."""
_CALLS_EVERY = 30
_LOST = "the connection was lost"
_FAREWELL = 2.0
"""Seconds for which the last letters are waited for."""
_BRIEFLY = 0.005
_PORT = re.compile(r":\d+$")


class NoCluster(Exception):
    """The scheduler can't be reached. Says why."""


@dataclass(slots=True)
class _Host:
    """A host as its engine knows it."""

    address: str
    about: About
    is_stale: bool
    """It has another version of something than this machine."""
    heard: float
    letters: int = 0
    outbox: deque[str] = field(default_factory=deque)
    """Letters that are still to be sent."""
    sending: bool = False
    ids: set[str] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.about.slots - len(self.ids)


@dataclass(frozen=True, slots=True)
class _Reports:
    texts: Sequence[Any]


@dataclass(frozen=True, slots=True)
class _Workers:
    """The addresses of the workers that there are."""

    all: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Broken:
    reason: str


_Event = _Reports | _Workers | _Broken


class DaskEngine:
    """An ``Engine`` whose workers are on the machines of a cluster.

    Guarantees besides those of every engine: a job runs on a host of its place, and never on more
    than its slots; where the scheduler or a host is gone, its jobs are ``Lost``. A host that is not
    the same as this machine, in what must be, gets none, nor does one that says nothing for the
    patience, until it speaks again.
    """

    def __init__(
        self,
        scheduler: str,
        service: Service,
        *,
        shown: str | None = None,
        security: Any = None,
        patience: float = 60.0,
    ) -> None:
        """Connect. Raises ``NoCluster``. ``shown``: what people are told in place of the address,
        which may be a secret."""
        self._service = service
        self._same = dict(service.about())
        self._patience = patience
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._hosts: dict[str, _Host] = {}
        self._jobs: dict[str, tuple[str, _Host]] = {}
        """By the id of a job: its key, and where it runs."""
        self._ids: dict[str, str] = {}
        self._number = itertools.count()
        self._writing = threading.Lock()
        self._read = time.monotonic()
        """When all was read that had come."""
        self._gone: str | None = None
        """Why the cluster is not there any more."""
        self._address = scheduler
        self.scheduler = shown or scheduler
        """As people are told of it."""
        self._client, self._connection = self._connected(security)
        self._session: str = self._client.id
        self._dashboard: int | None = None
        """The port of Dask's own page."""
        self._closed = threading.Event()
        self._unknown: dict[str, int] = {}
        """For how many looks a worker was there without saying what it is."""
        self._introduced(self._look())
        self._watch = threading.Thread(target=self._watching, name="cluster", daemon=True)
        self._watch.start()

    @property
    def hosts(self) -> Sequence[About]:
        """What is known of each host, by its name."""
        return sorted((host.about for host in self._hosts.values()), key=lambda a: a.name)

    def stale(self, about: About) -> list[str]:
        """Return the names of what a host has another version of than this machine."""
        return [name for name, is_ in self._same.items() if about.same.get(name) != is_]

    @property
    def dashboard(self) -> str | None:
        """Where Dask's own page is, with the host as people are told of it, if there is one."""
        from distributed.utils import format_dashboard_link

        if self._dashboard is None or self._address.startswith("inproc:"):
            return None
        host = _PORT.sub("", self.scheduler.partition("://")[2] or self.scheduler)
        return str(format_dashboard_link(host, self._dashboard))

    @property
    def capacity(self) -> int:
        """How many jobs may run at once."""
        return self.capacity_of(None)

    def capacity_of(self, place: str | None) -> int:
        """How many of those that ask for a place: one once the cluster is gone, to be told so."""
        if self._gone is not None:
            return 1
        return sum(host.about.slots for host in self._offering(place))

    def room(self, place: str | None, before: Sequence[str | None] = ()) -> int:
        """How many more jobs may be submitted for a place now, once those ``before`` were."""
        if self._gone is not None:
            return 1
        free = self._free()
        for asked in before:
            for taken in candidates(asked, free)[:1]:
                free[taken] -= 1
        return sum(slots for offered, slots in free.items() if offers(offered, place))

    @property
    def busy(self) -> int:
        """How many jobs are running."""
        return len(self._jobs)

    def submit(
        self, key: str, job: Any, timeout: float, *, kind: str, place: str | None = None
    ) -> None:
        """Give a job to the host of its place that has the most slots free, or else of any."""
        if self._gone is not None:
            raise CannotStart(self._gone)
        offering = self._offering(place)
        if not offering:
            raise Nobody(place)
        best = candidates(place, self._free())[:1]
        if not best:
            raise RuntimeError("more jobs than workers")
        of_place = (host for host in offering if host.about.place == best[0])
        host = max(of_place, key=lambda host: host.free)
        id_ = f"{key}#{next(self._number)}"
        host.ids.add(id_)
        self._jobs[id_], self._ids[key] = (key, host), id_
        self._write(host, wire.Submit(id_, kind, timeout, self._service.pack(job)))

    def answer(self, key: str, content: Any) -> None:
        """Send something to the worker of ``key``; nothing where there is none any more."""
        id_ = self._ids.get(key)
        if id_ is not None:
            self._write(self._jobs[id_][1], wire.Answer(id_, self._service.pack(content)))

    def wait(self, timeout: float) -> list[EngineEvent]:
        """Return what happened, waiting at most ``timeout`` seconds for something to happen."""
        events = self._take(timeout)
        if self._gone is None and not self._is_connected:
            events += self._handle(_Broken(self._away(ConnectionError(_LOST))))
        for host in self._hosts.values():
            if host.ids and self._is_silent(host):
                events += self._lose(host, "its worker has said nothing for too long")
        return events

    def kill(self) -> list[Lost]:
        """Stop all workers at once, and say which keys that cost."""
        lost: list[Lost] = []
        for host in tuple(self._hosts.values()):
            if host.ids:
                self._write(host, wire.Kill(tuple(host.ids)))
                lost += [self._lost(id_, "its worker was stopped") for id_ in tuple(host.ids)]
        return lost

    def close(self) -> None:
        """Stop what still works, and leave the cluster."""
        self._closed.set()
        self.kill()
        self._watch.join()
        for host in tuple(self._hosts.values()):
            self._write(host, wire.Bye())
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.sync(self._sent, callback_timeout=_FAREWELL)
        with contextlib.suppress(Exception):
            # Or the scheduler would tell us that we left, and log that it can't.
            self._client.unsubscribe_topic(self._session)
            self._client.unsubscribe_topic(dask_worker.EVERYBODY)
            self._client.close(timeout=_FAREWELL)

    def __enter__(self) -> "DaskEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _offering(self, place: str | None) -> list[_Host]:
        return [
            host
            for host in self._hosts.values()
            if offers(host.about.place, place) and not host.is_stale and not self._is_silent(host)
        ]

    def _is_silent(self, host: _Host) -> bool:
        """Whether it had said nothing for too long when what had come was last read."""
        return self._read - host.heard > self._patience

    def _free(self) -> Counter[str | None]:
        """Return how many slots are free in each place that is offered."""
        free: Counter[str | None] = Counter()
        for host in self._offering(None):
            free[host.about.place] += host.free
        return free

    def _take(self, timeout: float) -> list[EngineEvent]:
        found: list[EngineEvent] = []
        try:
            event = self._events.get(timeout=timeout) if timeout else self._events.get_nowait()
            while True:
                found += self._handle(event)
                event = self._events.get_nowait()
        except queue.Empty:
            self._read = time.monotonic()
            return found

    def _handle(self, event: _Event) -> list[EngineEvent]:
        match event:
            case _Reports(texts):
                return [event for text in texts for event in self._reported(text)]
            case _Workers(all=all_):
                gone = [host for address, host in self._hosts.items() if address not in all_]
                lost: list[EngineEvent] = []
                for host in gone:
                    lost += self._lose(host, "its worker is gone from the cluster")
                    del self._hosts[host.address]
                return lost
            case _Broken(reason):
                self._gone = reason
                everywhere = tuple(self._hosts.values())
                self._hosts.clear()
                return [lost for host in everywhere for lost in self._lose(host, reason)]

    def _meet(self, address: str, about: About) -> list[Lost]:
        """Take a host in that speaks as we do, in place of who had its address before."""
        before = self._hosts.get(address)
        if about.version != wire.VERSION or (before and before.about.host == about.host):
            return []
        lost = [] if before is None else self._lose(before, "its worker was started again")
        stale = bool(self.stale(about))
        self._hosts[address] = _Host(address, about, stale, time.monotonic())
        self._beat(self._hosts[address])
        return lost

    def _reported(self, text: Any) -> list[EngineEvent]:
        try:
            report = wire.told(text)
            if isinstance(report, wire.Introduction):
                return [*self._meet(report.address, report.about)]
            word = report.word
            host = next((h for h in self._hosts.values() if h.about.host == report.host), None)
            if host is None:
                return []
            host.heard = time.monotonic()
            if (
                isinstance(word, wire.Alive) or word.id not in host.ids
            ):  # it was lost, and that was told
                return []
            key = self._jobs[word.id][0]
        except ValueError:  # none of ours
            return []
        if isinstance(word, wire.Gone):
            self._forget(word.id)
            return [Lost(key, word.reason, word.timed_out)]
        try:
            content = self._service.unpack(word.content)
        except ValueError as error:
            self._forget(word.id)
            return [Lost(key, f"its worker's answer can't be read: {error} ({host.about.name})")]
        if isinstance(word, wire.Sent):
            return [Message(key, content)]
        self._forget(word.id)
        return [Finished(key, content)]

    def _lose(self, host: _Host, reason: str) -> list[Lost]:
        if host.ids and self._gone is None:
            self._write(host, wire.Kill(tuple(host.ids)))
        return [self._lost(id_, f"{reason} ({host.about.name})") for id_ in tuple(host.ids)]

    def _lost(self, id_: str, reason: str) -> Lost:
        return Lost(self._forget(id_), reason)

    def _forget(self, id_: str) -> str:
        key, host = self._jobs.pop(id_)
        host.ids.discard(id_)
        del self._ids[key]
        return key

    def _introduced(self, there: frozenset[str]) -> None:
        """Wait until all workers have said what they are, but no longer: one may hang, or be none
        of ours."""
        until = time.monotonic() + _INTRODUCED
        while not there <= self._hosts.keys() and (left := until - time.monotonic()) > 0:
            self._take(left)

    def _write(self, host: _Host, order: wire.Order) -> None:
        with self._writing:  # two threads write
            letter = Letter(self._session, host.about.host, host.letters, self._patience, order)
            host.letters += 1
            host.outbox.append(wire.packed(letter))
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self._client.loop.add_callback(self._send, host)

    async def _send(self, host: _Host) -> None:
        """Send all that is due to a host at once; what is due meanwhile goes together after it."""
        if host.sending:
            return
        host.sending = True
        try:
            while host.outbox:
                texts = [host.outbox.popleft() for _ in range(len(host.outbox))]
                sent = self._client.log_event(host.about.topic, texts)
                await asyncio.wait_for(sent, _CONNECT)
        except Exception as error:  # noqa: BLE001 - whatever Dask raises, it is not there
            self._broken(error)
        finally:
            host.sending = False

    async def _sent(self) -> None:
        """Return once all letters are sent."""
        while any(host.sending or host.outbox for host in self._hosts.values()):
            await asyncio.sleep(_BRIEFLY)

    def _heard(self, said: Any) -> None:
        if isinstance(said, list | tuple):  # Dask tells things there, too
            self._events.put(_Reports(said))

    def _broken(self, error: BaseException) -> None:
        if not self._closed.is_set():
            self._events.put(_Broken(self._away(error)))

    @property
    def _is_connected(self) -> bool:
        return dask_worker.is_connected(self._client, self._connection)

    def _watching(self) -> None:
        while not self._closed.wait(_LOOKS_EVERY):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - whatever Dask raises, it is not there
                self._broken(error)
                return

    def _look(self) -> frozenset[str]:
        """Ask the scheduler which workers there are, and new ones what they offer."""
        if not self._is_connected:
            raise ConnectionError(_LOST)
        identity = self._client.sync(
            self._client.scheduler.identity, n_workers=-1, callback_timeout=_CONNECT
        )
        there = frozenset(identity["workers"])
        self._dashboard = identity["services"].get("dashboard")
        self._events.put(_Workers(there))
        unknown = there - self._hosts.keys()
        self._unknown = {address: self._unknown.get(address, -1) + 1 for address in unknown}
        if any(looks < _CALLS or not looks % _CALLS_EVERY for looks in self._unknown.values()):
            call = wire.packed(wire.RollCall(self._session))
            self._client.log_event(dask_worker.EVERYBODY, [call])
        for host in tuple(self._hosts.values()):
            self._beat(host)
        return there

    def _beat(self, host: _Host) -> None:
        """Give a sign of life, also to one without a job: it lets go of who is silent, and answers
        with signs of life."""
        if not host.is_stale:
            self._write(host, wire.Beat())

    def _connected(self, security: Any) -> tuple[Any, Any]:
        dask_worker.silence()
        client = None
        try:
            client = dask_worker.new_client(
                self._address, security=security, timeout=_CONNECT, name="orchestrator"
            )
            listening = client.sync(
                dask_worker.listen, client, self._heard, self._heard, callback_timeout=_CONNECT
            )
        except Exception as error:  # noqa: BLE001 - Dask raises OSError, TimeoutError, ValueError, …
            if client is not None:
                client.close(timeout=_FAREWELL)
            raise NoCluster(self._away(error)) from None
        return client, listening

    def _away(self, error: BaseException) -> str:
        cause = str(error).replace(self._address, self.scheduler).strip().splitlines()
        detail = f": {cause[0]}" if cause else ""
        return f"the scheduler at {self.scheduler} can't be reached{detail}"
