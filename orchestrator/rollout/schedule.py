"""What may start next: a state machine without clock, files or network.

A work starts when what it needs has succeeded and each of its slots has a free place. Among those
that may start, configured order decides.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(frozen=True, slots=True)
class Slot:
    """Something of which only ``limit`` may be in use at once: a server, an environment."""

    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class Work:
    """One target's place in the schedule."""

    name: str
    needs: Sequence[str] = ()
    """Names of works that must succeed first."""
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """A work that will never start, and the failed work that is the cause."""

    name: str
    by: str


@dataclass(slots=True)
class _Lane:
    """Ready works that occupy the same slots, by position."""

    slots: tuple[Slot, ...]
    ready: list[int] = field(default_factory=list)


class Schedule:
    """Decides what starts, in configured order, within every limit.

    Guarantees: no slot is ever over its limit; no work starts before all it needs succeeded; after
    ``stop`` nothing starts. Each call costs O(log n) per work that it starts or settles.

    What a work needs and ``works`` don't have counts as succeeded.
    """

    def __init__(self, works: Iterable[Work]) -> None:
        self._works = tuple(works)
        self._position = {work.name: at for at, work in enumerate(self._works)}
        self._waiting_for: dict[int, int] = {}
        self._dependents: dict[str, list[int]] = defaultdict(list)
        self._unsettled: set[int] = set(range(len(self._works)))
        self._unstarted: set[int] = set(self._unsettled)
        self._used: Counter[str] = Counter()
        self._lanes: dict[tuple[Slot, ...], _Lane] = {}
        self._open: list[tuple[int, tuple[Slot, ...]]] = []
        self._parked: dict[str, list[tuple[int, tuple[Slot, ...]]]] = defaultdict(list)
        self._stopped = False
        self._limits: dict[str, int] = {}
        for at, work in enumerate(self._works):
            self._enter(at, work)

    @property
    def running(self) -> int:
        """How many works have started and not finished."""
        return len(self._unsettled) - len(self._unstarted)

    @property
    def unstarted(self) -> tuple[str, ...]:
        """Works that neither started nor are blocked, in configured order."""
        return tuple(self._works[at].name for at in sorted(self._unstarted))

    @property
    def done(self) -> bool:
        """Nothing runs and nothing will start."""
        return not self.running and (self._stopped or not self._unstarted)

    def stop(self) -> None:
        """Start nothing more."""
        self._stopped = True

    def set_limit(self, key: str, limit: int) -> None:
        """Let so many works use a slot from now on, but no more than the limit that it came with.
        What runs is let be."""
        self._limits[key] = limit
        self._wake([key])

    def start(self, limit: int | None = None) -> list[str]:
        """Return the works that start now, in configured order, and count them as running.

        At most ``limit`` of them; the next call goes on with the rest.
        """
        started: list[str] = []
        while self._open and not self._stopped and len(started) != limit:
            position, slots = heappop(self._open)
            if not self._is_head(position, slots):
                continue
            full = next((s for s in slots if not self._is_free(s)), None)
            if full is not None:
                heappush(self._parked[full.key], (position, slots))
                self._wake(s.key for s in slots if self._is_free(s))
                continue
            started.append(self._start_head(self._lanes[slots]))
        return started

    def finish(self, name: str, *, succeeded: bool) -> list[Blocked]:
        """Settle a running work, and return the works that can now never start."""
        at = self._position[name]
        if at not in self._unsettled or at in self._unstarted:
            raise ValueError(f"{name} is not running")
        for slot in self._works[at].slots:
            self._used[slot.key] -= 1
        self._wake(slot.key for slot in self._works[at].slots)
        self._unsettled.discard(at)
        if not succeeded:
            return list(self._block_dependents(name))
        self._release_dependents(name)
        return []

    def requeue(self, name: str) -> None:
        """Take back the start of a running work: it may start again."""
        at = self._position[name]
        if at not in self._unsettled or at in self._unstarted:
            raise ValueError(f"{name} is not running")
        for slot in self._works[at].slots:
            self._used[slot.key] -= 1
        self._unstarted.add(at)
        self._ready(at)
        self._wake(slot.key for slot in self._works[at].slots)

    def _is_free(self, slot: Slot) -> bool:
        return self._used[slot.key] < min(slot.limit, self._limits.get(slot.key, slot.limit))

    def _start_head(self, lane: _Lane) -> str:
        at = heappop(lane.ready)
        self._unstarted.discard(at)
        for slot in lane.slots:
            self._used[slot.key] += 1
        if lane.ready:
            heappush(self._open, (lane.ready[0], lane.slots))
        return self._works[at].name

    def _is_head(self, position: int, slots: tuple[Slot, ...]) -> bool:
        ready = self._lanes[slots].ready
        return bool(ready) and ready[0] == position

    def _wake(self, keys: Iterable[str]) -> None:
        """Give the first lane parked at each slot another try.

        One is enough: if it parks elsewhere, ``start`` wakes the next one.
        """
        for key in keys:
            parked = self._parked[key]
            while parked:
                entry = heappop(parked)
                if self._is_head(*entry):
                    heappush(self._open, entry)
                    break

    def _ready(self, at: int) -> None:
        slots = self._works[at].slots
        lane = self._lanes.setdefault(slots, _Lane(slots))
        heappush(lane.ready, at)
        if lane.ready[0] == at:
            heappush(self._open, (at, slots))

    def _release_dependents(self, name: str) -> None:
        for at in self._dependents.pop(name, ()):
            if at in self._waiting_for:
                self._waiting_for[at] -= 1
                if not self._waiting_for[at]:
                    del self._waiting_for[at]
                    self._ready(at)

    def _block_dependents(self, name: str) -> Iterator[Blocked]:
        names = [name]
        while names:
            for at in self._dependents.pop(names.pop(), ()):
                if at in self._unsettled:
                    self._waiting_for.pop(at, None)
                    self._unstarted.discard(at)
                    self._unsettled.discard(at)
                    names.append(self._works[at].name)
                    yield Blocked(self._works[at].name, name)

    def _enter(self, at: int, work: Work) -> None:
        here = 0
        for need in work.needs:
            if need in self._position:
                here += 1
                self._dependents[need].append(at)
        if here:
            self._waiting_for[at] = here
        else:
            self._ready(at)
