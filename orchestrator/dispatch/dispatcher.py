"""Gives jobs on targets to an engine, and returns what became of each attempt.

Under every loop that has work for workers: ``Batch`` for commands that read, the controller of runs
for what is recorded. Which target is next, and what an outcome means, is decided there.
"""

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import Protocol

from orchestrator.config.models import Rollout
from orchestrator.config.units import duration
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.slots import ANY_NUMBER, LOCAL_HOST, place_slot, server_slot
from orchestrator.engines.base import CannotStart, Engine, EngineEvent, Finished, Lost, Nobody
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Failure, Outcome
from orchestrator.rollout.retry import retry_delay
from orchestrator.rollout.throttling import Throttle
from orchestrator.worker.jobs import Job

_POLL_INTERVAL = 0.2
"""Seconds between looks at Ctrl-C, and at whether a crowded server has room again."""
_TELL_INTERVAL = 1.0
"""Seconds between looks at whether anybody waits for a place without workers."""


class Queue(Protocol):
    """Where targets wait for their turn."""

    def set_limit(self, key: str, limit: int) -> None:
        """Let so many targets use a slot at once from now on."""


@dataclass(slots=True)
class Dispatcher:
    """Attempts at targets: submitted, waited for, tried again.

    Guarantees: a server that ran out of something gets half as many attempts at once from then on,
    and this machine as many as it has processes for. A retry comes no earlier than its delay. After
    a second Ctrl-C every running attempt is lost.
    """

    engine: Engine
    observer: Observer
    interrupts: Interrupts
    targets: Mapping[str, Target]
    queue: Queue
    places: Mapping[str, str] = field(default_factory=dict)
    """The place that each target's jobs ask for, where they ask for one."""
    patience: float | None = None
    """Seconds after which targets of a place without workers are offered all the same, to fail."""
    empty: dict[str, float] = field(default_factory=dict)
    """Since when there is nobody in a place; the empty one is any place."""
    tries: dict[str, int] = field(default_factory=dict)
    """How often each target was given to the engine."""
    _began: dict[str, float] = field(default_factory=dict)
    _throttle: Throttle = field(default_factory=Throttle)
    _retries: list[tuple[float, str]] = field(default_factory=list)
    _presses: int = 0
    _asked: tuple[str, ...] = ()
    """The places that any job asks for; the empty one is any place."""
    _reserved: dict[str, None] = field(default_factory=dict)
    """Attempts that are about to be submitted, in this order."""
    _capacity: dict[str, int] = field(default_factory=dict)
    """What the queue was last told of how many may be at work."""
    _at_work: Counter[str] = field(default_factory=Counter)
    """How many attempts are running of those that ask for a place."""
    _told: set[str] = field(default_factory=set)
    """Places without workers that the observer was told of."""
    _tell_at: float = 0.0
    """When it is looked next whether one is to be told."""

    def __post_init__(self) -> None:
        self._asked = ("", *dict.fromkeys(self.places.values()))
        self._fit()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed: nothing more is to start."""
        return self.interrupts.presses > 0

    @property
    def busy(self) -> int:
        """How many attempts are running."""
        return self.engine.busy

    @property
    def waits_to_retry(self) -> bool:
        """Whether any target waits for another attempt."""
        return bool(self._retries)

    def handle_interrupts(self) -> list[Lost] | None:
        """Return what it costs that Ctrl-C was pressed since the last call: nothing the first time,
        all that runs the second. ``None`` where it was not pressed."""
        presses = self.interrupts.presses
        if presses == self._presses:
            return None
        self._presses = presses
        self.observer.interrupted(presses)
        return [self._lost(lost) for lost in self.engine.kill()] if presses > 1 else []

    def has_room(self, name: str) -> bool:
        """Whether the target's server bears another attempt now, and its place has a worker free.

        Those that are reserved count, too.
        """
        place = self.places.get(name)
        if self.is_given_up(name):
            return True
        if self._throttle.free(self.targets[name].server):
            return self.engine.room(place, [self.places.get(r) for r in self._reserved]) > 0
        return False

    def reserve(self, name: str) -> None:
        """Count an attempt that is about to be submitted against its server and its place."""
        self._reserved[name] = None
        self._throttle.begin(self.targets[name].server, name)

    def release(self, name: str) -> None:
        """Take a reservation back: the attempt is not submitted after all."""
        self._reserved.pop(name, None)
        self._throttle.end(self.targets[name].server, name)

    def submit(self, name: str, job: Job, timeout: float) -> str | None:
        """Give a reserved attempt to the engine. Return why it has no worker for it, if so.

        The target is then as it was before ``reserve``, and fewer are to be at work at once.
        """
        target = self.targets[name]
        self._began[name] = time.monotonic()
        self._reserved.pop(name, None)
        try:
            place = self.places.get(name)
            self.engine.submit(name, job, timeout, kind=target.database, place=place)
        except Nobody as error:
            self.release(name)
            return str(error)
        except CannotStart as error:
            self.release(name)
            if busy := self.engine.busy:
                self.queue.set_limit(LOCAL_HOST, busy)
                self.observer.throttled(LOCAL_HOST, busy, Failure(str(error)))
            return str(error)
        self.tries[name] = self.tries.get(name, 0) + 1
        self._at_work[place or ""] += 1
        self.observer.started(target, self.tries[name], place)
        return None

    def wait(self, *, at_once: bool = False) -> list[EngineEvent]:
        """Return what happened to attempts, as soon as anything did or a retry is due.

        The outcome of a ``Finished`` attempt knows how many there were and how long it took.
        """
        events = self.engine.wait(self._wait_timeout(at_once))
        settled = [self._settled(event) for event in events]
        self._fit()
        return settled

    def nobody(self, names: Iterable[str], patience: float) -> str | None:
        """Say that a place has had no worker for so many seconds that some of ``names`` ask for.

        The observer is told as soon as it has none.
        """
        untold, gone = self._untold(), self._gone(patience)
        if not untold and not gone:
            return None
        names = tuple(names)
        self.tell_empty(names, patience)
        asked = (self.places.get(name, "") for name in names)
        place = next((place for place in asked if place in gone), None)
        return None if place is None else str(Nobody(place or None))

    def tell_empty(self, names: Iterable[str], patience: float) -> None:
        """Tell the observer of places without workers that some of ``names`` ask for: of each once,
        and again only after it had one."""
        untold = self._untold()
        if not untold:
            return
        self._tell_at = time.monotonic() + _TELL_INTERVAL
        for place in sorted(untold.intersection(self.places.get(name, "") for name in names)):
            self._told.add(place)
            self.observer.waiting(*_waits(place, patience))

    def is_given_up(self, name: str) -> bool:
        """Whether nobody is waited for any more to work on a target."""
        return self.patience is not None and self.places.get(name, "") in self._gone(self.patience)

    def _untold(self) -> set[str]:
        if not self.empty or time.monotonic() < self._tell_at:
            return set()
        return self.empty.keys() - self._told

    def _gone(self, patience: float) -> set[str]:
        now = time.monotonic()
        return {place for place, since in self.empty.items() if now - since >= patience}

    def _fit(self) -> None:
        """Let the queue offer as many as there are workers for, in each place.

        Less what workers of any place do for others: what is offered first would keep the rest from
        starting.
        """
        now = time.monotonic()
        for place in self._asked:
            capacity = self.engine.capacity_of(place or None)
            if capacity:
                self.empty.pop(place, None)
                self._told.discard(place)
                if place:
                    capacity = min(capacity, self._at_work[place] + self.engine.room(place))
            elif now - self.empty.setdefault(place, now) >= (self.patience or math.inf):
                capacity = ANY_NUMBER
            if capacity != self._capacity.get(place):
                self._capacity[place] = capacity
                self.queue.set_limit(place_slot(place) if place else LOCAL_HOST, capacity)

    def seconds(self, name: str) -> float:
        """Return how long ago the latest attempt at a target began."""
        return round(time.monotonic() - self._began[name], 3)

    def delay(self, outcome: Outcome, settings: Rollout) -> float | None:
        """Return the seconds until the next attempt after a failure; ``None`` for no other."""
        jitter = random.random()  # noqa: S311 - spreads load, guards nothing
        server = self.targets[outcome.target].server
        retries = self._throttle.retries(server, settings.retries)
        return retry_delay(outcome, retries, settings.retry_delay, jitter)

    def retry(self, name: str, delay: float = 0.0) -> None:
        """Try a target again in so many seconds."""
        heappush(self._retries, (time.monotonic() + delay, name))

    def next_due(self) -> str | None:
        """Return a target to be tried again now, of a server that has room, if there is one."""
        while self._retries and self._retries[0][0] <= time.monotonic():
            _, name = heappop(self._retries)
            if self.has_room(name):
                return name
            self.retry(name, _POLL_INTERVAL)
        return None

    def cancel_retries(self, given_up: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Forget the retries of such targets, and return their names, the next one first."""
        names = [name for _, name in sorted(self._retries) if given_up(name)]
        cancelled = set(names)
        self._retries = [entry for entry in self._retries if entry[1] not in cancelled]
        heapify(self._retries)
        return names

    def _wait_timeout(self, at_once: bool) -> float:
        if at_once:
            return 0.0
        if not self._retries:
            return _POLL_INTERVAL
        return min(_POLL_INTERVAL, max(0.0, self._retries[0][0] - time.monotonic()))

    def _settled(self, event: EngineEvent) -> EngineEvent:
        if isinstance(event, Lost):
            return self._lost(event)
        if isinstance(event, Finished):
            return Finished(event.key, self._ended(event.content))
        return event

    def _ended(self, outcome: Outcome) -> Outcome:
        """An attempt is over: where its server ran out of something, fewer go at once there."""
        name, target = outcome.target, self.targets[outcome.target]
        self._at_work[self.places.get(name, "")] -= 1
        limit = self._throttle.end(target.server, name, exhausted=outcome.exhausted)
        if limit is not None and outcome.failure is not None:
            self.queue.set_limit(server_slot(target), limit)
            self.observer.throttled(target.server, limit, outcome.failure)
        return replace(outcome, attempts=self.tries[name], seconds=self.seconds(name))

    def _lost(self, event: Lost) -> Lost:
        self._at_work[self.places.get(event.key, "")] -= 1
        self.release(event.key)
        return event


def _waits(place: str, patience: float) -> tuple[str, str]:
    """Return what is waited for where a place has no worker, and what to do about it."""
    of, option = (f" of place {place}", f" --place {place}") if place else ("", "")
    start = f"start one within {duration(patience)}: orchestrator worker{option}"
    return f"for a worker{of}", f"there is none; {start}"
